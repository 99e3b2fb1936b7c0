"""Anything elementwise as a function of float64 arrays; what is not elementwise is refused."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from whet.activations.formula import Formula
from whet.activations.scalar import as_scalar
from whet.errors import RecipeError, UnknownName

Z = np.linspace(-3.03, 3.1, 50)


@pytest.mark.parametrize(
    ("what", "same"),
    [
        ("gelu", nn.GELU()),
        ("x * tanh(softplus(x))", nn.Mish()),
        (Formula("where(x > 0, x, a * x)", {"a": 0.25}), nn.PReLU()),
        (torch.tanh, "tanh"),
        (torch.tanh_, "tanh"),
        (nn.Hardsigmoid(), "clip(x + 3, 0, 6) / 6"),
        (nn.RReLU(0.2, 0.4), "where(x > 0, x, 0.3 * x)"),
    ],
)
def test_a_name_a_formula_a_module_and_a_callable_are_one_function(what: object, same: object) -> None:
    a, b = as_scalar(what), as_scalar(same)
    for curve in ("value", "slope", "curvature"):
        np.testing.assert_allclose(getattr(a, curve)(Z), getattr(b, curve)(Z), rtol=1e-7, atol=1e-9)


def test_slope_and_curvature_are_limits_of_differences() -> None:
    for what in ("x * tanh(exp(x))", nn.SiLU()):
        f, h = as_scalar(what), 1e-5
        np.testing.assert_allclose(f.slope(Z), (f.value(Z + h) - f.value(Z - h)) / (2 * h), atol=1e-9)
        np.testing.assert_allclose(f.curvature(Z), (f.slope(Z + h) - f.slope(Z - h)) / (2 * h), atol=1e-8)


def test_shapes_are_kept_and_constants_are_functions_too() -> None:
    f = as_scalar("2 + 0 * x")
    assert f.value(np.zeros((2, 3))).tolist() == [[2.0] * 3] * 2
    assert f.slope(np.zeros(())).shape == ()


def test_parameters_go_with_a_name_or_a_formula() -> None:
    assert as_scalar("leaky_relu", slope=0.2).value(np.array([-1.0])) == -0.2
    assert as_scalar("a * x", a=3.0).slope(np.array([0.0])) == 3.0
    with pytest.raises(RecipeError, match="parameters go with a name"):
        as_scalar(nn.ELU(), alpha=2.0)


def test_what_torch_compile_runs_is_the_function_that_it_was_given() -> None:
    compiled = (torch.compile(nn.Tanh(), backend="eager"), torch.compile(lambda x: x.tanh(), backend="eager"))
    for what in compiled:
        assert as_scalar(what).slope(np.array([0.0])) == 1.0


def by_numpy(x: Tensor) -> Tensor:
    return torch.from_numpy(np.tanh(x.numpy()))


@pytest.mark.parametrize(
    ("what", "said"), [(nn.GELU, r"a class.*GELU\(\)"), (by_numpy, "can't differentiate by_numpy")]
)
def test_what_is_no_function_of_tensors_is_refused(what: object, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        as_scalar(what)


def test_names_and_formulas_are_told() -> None:
    assert (as_scalar("swish").name, as_scalar("swish").text) == ("silu", "x * sigmoid(x)")
    assert as_scalar("x + 1").name == "x + 1"
    assert as_scalar(nn.ELU()).text is None
    scalar = as_scalar("relu")
    assert as_scalar(scalar) is scalar


@pytest.mark.parametrize(
    ("what", "kinks"),
    [
        ("relu", (0.0,)),
        ("hard_tanh", (-1.0, 1.0)),
        ("max(x, 0)^2", (0.0,)),
        ("x * (x > 0.3)", (0.3,)),
        ("max(x, 1 / 3)", (1 / 3,)),
        ("1 / x", (0.0,)),
        ("gelu", ()),
        ("x * tanh(exp(x))", ()),
        ("exp(x)", ()),
        ("sin(30 * x)", ()),
        (nn.Softshrink(), (-0.5, 0.5)),
    ],
)
def test_kinks_are_found(what: object, kinks: tuple[float, ...]) -> None:
    assert as_scalar(what).kinks == pytest.approx(kinks, abs=1e-9)


def test_of_many_kinks_the_nearest_are_told() -> None:
    kinks = as_scalar("abs(sin(7 * x))").kinks
    assert len(kinks) == 64
    assert max(map(abs, kinks)) < 16
    assert math.pi / 7 == pytest.approx(min(k for k in kinks if k > 0.1))


def test_a_module_stays_as_it_is() -> None:
    module = nn.PReLU()
    module.train()
    as_scalar(module).slope(Z)
    assert module.training
    assert module.weight.dtype == torch.float32
    assert module.weight.grad is None


class Shifting(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (nn.Softmax(0), "mixes positions"),
        (Shifting(), "mixes positions"),
        (torch.rand_like, "is random"),
        (nn.Linear(3, 3), "can't be applied to single numbers"),
        (nn.PReLU(3), "can't be applied to single numbers"),
        (nn.GLU(), "turns 24 numbers into (12,)"),
        (torch.sum, "turns 24 numbers into ()"),
        (nn.LazyLinear(3), "not initialised yet"),
        (3.5, "is no activation function"),
        ("x * wrong", "unknown name 'wrong'"),
    ],
)
def test_what_is_no_function_of_one_number_is_refused(what: object, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        as_scalar(what)
    assert said in str(caught.value)


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'gelu'"):
        as_scalar("gellu")
