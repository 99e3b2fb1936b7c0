"""The scale and shift that theory chooses for a depth and a width."""

import numpy as np
import pytest
import torch

from whet.activations.scalar import as_scalar
from whet.init.isometry import orthogonal_matrix
from whet.quadrature import gaussian_mean
from whet.theory.shaping import NOISE, STRETCH, natural_gain, shape

NAMES = [
    "relu",
    "tanh",
    "sigmoid",
    "gelu",
    "softplus",
    "sine",
    "abs(x)",
    "x^2",
    "exp(x)",
    "x*exp(-x^2)",
    "softplus(x)-1",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [2, 60])
def test_a_shaped_function_has_mean_0_and_second_moment_1_and_stretches_within_the_limit(name: str, depth: int) -> None:
    scalar = as_scalar(name)
    s = shape(scalar, depth, 48)
    assert s is not None

    def g(z: np.ndarray) -> np.ndarray:
        return s.gamma * (scalar.value(s.alpha * z + s.beta) + s.delta)

    kinks = [(k - s.beta) / s.alpha for k in scalar.kinks]
    assert gaussian_mean(g, kinks=kinks).value == pytest.approx(0, abs=1e-9)
    assert gaussian_mean(lambda z: g(z) ** 2, kinks=kinks).value == pytest.approx(1, abs=1e-9)
    slope = gaussian_mean(lambda z: (s.gamma * s.alpha * scalar.slope(s.alpha * z + s.beta)) ** 2, kinks=kinks).value
    assert slope == pytest.approx(s.c_slope, rel=1e-6)
    assert slope**depth <= STRETCH * 1.01


@pytest.mark.parametrize("name", ["relu", "gelu", "x^2", "exp(x)"])
def test_the_length_of_a_sampled_network_varies_no_more_than_was_allowed(name: str) -> None:
    scalar = as_scalar(name)
    s = shape(scalar, 40, 32)
    assert s is not None
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 32, generator=generator)
    x = x / x.square().mean(1, keepdim=True).sqrt()
    for _ in range(40):
        z = (x @ orthogonal_matrix(32, 32, generator).T).double().numpy()
        x = torch.tensor(s.gamma * (scalar.value(s.alpha * z + s.beta) + s.delta)).float()
    lengths = x.square().mean(1)
    assert lengths.mean().item() == pytest.approx(1, abs=0.2)
    assert lengths.var().item() < 2 * NOISE


def test_what_carries_its_depth_is_left_as_it_is() -> None:
    assert natural_gain(as_scalar("relu"), 1) == pytest.approx(2**0.5)
    assert natural_gain(as_scalar("selu"), 2) == pytest.approx(1, abs=1e-3)
    assert natural_gain(as_scalar("tanh"), 3) is not None
    assert natural_gain(as_scalar("tanh"), 10) is None
    assert natural_gain(as_scalar("sigmoid"), 1) is None  # its mean drowns the rest


def test_a_function_that_jumps_or_is_constant_has_no_shape() -> None:
    assert shape(as_scalar(torch.sign), 5, 48) is None
    assert shape(as_scalar(lambda x: torch.zeros_like(x) + 3), 5, 48) is None


def test_a_narrower_network_gets_a_straighter_function() -> None:
    exp = as_scalar("exp(x)")
    wide, narrow = shape(exp, 30, 256), shape(exp, 30, 16)
    assert wide is not None
    assert narrow is not None
    assert narrow.c_slope < wide.c_slope
