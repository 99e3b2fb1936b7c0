"""Expectations interpolated over a decade of lengths, against each integrated by itself."""

from math import sqrt

import numpy as np
import pytest

from whet.activations.scalar import as_scalar
from whet.quadrature import Mean, gaussian_mean
from whet.theory.moments import Decade, Moments

NAMES = [
    "relu",
    "gelu",
    "tanh",
    "softplus",
    "hard_shrink",
    "hardsigmoid",
    "sine",
    "x^3",
    "exp(x / 2)",
    "where(x > 1, x, 0)",
]


def near(found: Mean, exact: Mean) -> bool:
    same = found.value == exact.value or not np.isfinite(exact.error)
    return same or abs(found.value - exact.value) <= 1e-12 * abs(exact.value) + found.error + exact.error


@pytest.mark.parametrize("name", NAMES)
def test_a_mean_is_the_same_from_its_decade_as_by_itself(name: str) -> None:
    scalar = as_scalar(name)
    m = Moments(scalar)
    for q in 10 ** np.random.default_rng(0).uniform(-9.5, 9.5, 10):
        alone = {
            m.square: lambda x: scalar.value(x) ** 2,
            m.slope_square: lambda x: scalar.slope(x) ** 2,
            m.growth: lambda x, q=q: x * scalar.value(x) * scalar.slope(x) / q,
        }
        for mean, f in alone.items():
            exact = gaussian_mean(f, sqrt(q), kinks=scalar.kinks)
            assert near(mean(q), exact), (mean.__name__, q)
            assert np.isfinite(mean(q).error) == np.isfinite(exact.error)


def test_many_lengths_cost_one_decade() -> None:
    asked = []
    scalar = as_scalar("gelu")
    decade = Decade.of(lambda x: asked.append(x) or scalar.value(x) ** 2, 0, scalar.kinks)
    calls = len(asked)
    assert decade is not None
    for share in np.linspace(0, 0.999, 50):
        assert np.isfinite(decade(share).error)
    assert len(asked) == calls < 20


def test_what_spans_many_orders_of_magnitude_in_a_decade_is_integrated_length_by_length() -> None:
    scalar = as_scalar("hard_shrink")  # 0 up to 0.5: E f^2 is about exp(-1 / 8q)
    assert Decade.of(lambda x: scalar.value(x) ** 2, -4, scalar.kinks) is None
    assert Moments(scalar).square(3e-3).value == pytest.approx(
        gaussian_mean(lambda x: scalar.value(x) ** 2, sqrt(3e-3), kinks=scalar.kinks).value, rel=1e-9
    )
