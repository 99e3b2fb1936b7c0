"""Tailored functions meet their conditions, checked by other means than the solver's."""

import math

import numpy as np
import pytest

from whet.activations.scalar import as_scalar
from whet.errors import UserError
from whet.quadrature import gaussian_mean
from whet.theory import Tailored, analyse, tailor
from whet.theory.advice import reshaped
from whet.theory.tailoring import ETA, TAU, ZETA, leaky_correlation

DEPTH = 60
HAVE_A_ROOT = ["tanh", "gelu", "softplus", "sigmoid", "sin(x)", "elu", "selu", "x * tanh(exp(x))", "tanh(100 * x)"]
HAVE_NONE = ["relu", "exp(x)", "x^2", "abs(x)", "hard_tanh"]


def moments(name: str, t: Tailored) -> tuple[float, float, float, float]:
    """E g, E g^2, E x g g' (by a difference of E g(s x)^2 in s, halved) and E g'^2 (the same way, from E g(x) g(y))."""
    g = reshaped(as_scalar(name), t)
    step = 1e-4
    square = [gaussian_mean(lambda x: g.value(x) ** 2, s, kinks=g.kinks).value for s in (1 - step, 1, 1 + step)]
    slope = gaussian_mean(lambda x: g.slope(x) ** 2, kinks=g.kinks).value
    return gaussian_mean(g.value, kinks=g.kinks).value, square[1], (square[2] - square[0]) / (4 * step), slope


@pytest.mark.parametrize("name", HAVE_A_ROOT)
def test_deep_kernel_shaping_meets_all_four_conditions(name: str) -> None:
    t = tailor(name, DEPTH)
    mean, square, stretch, slope = moments(name, t)
    assert t.unmet == ""
    assert mean == pytest.approx(0, abs=1e-9)
    assert square == pytest.approx(1, abs=1e-9)
    assert stretch == pytest.approx(1, abs=1e-5)
    assert slope**DEPTH == pytest.approx(ZETA, rel=1e-6)


@pytest.mark.parametrize("name", HAVE_NONE)
def test_where_one_condition_can_not_be_met_it_is_said_and_the_others_hold(name: str) -> None:
    t = tailor(name, DEPTH)
    mean, square, stretch, slope = moments(name, t)
    assert "Q'(1)" in t.unmet
    assert (mean, square) == pytest.approx((0, 1), abs=1e-9)
    assert stretch == pytest.approx(t.q_slope, abs=1e-4)
    assert slope**DEPTH == pytest.approx(ZETA, rel=1e-6)


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "x * tanh(exp(x))"])
def test_tat_meets_its_conditions_for_smooth_functions(name: str) -> None:
    t = tailor(name, DEPTH, "tat")
    _, square, stretch, slope = moments(name, t)
    g = reshaped(as_scalar(name), t)
    curve = gaussian_mean(lambda x: g.curvature(x) ** 2).value
    assert (square, slope) == pytest.approx((1, 1), abs=1e-9)
    assert stretch == pytest.approx(1, abs=1e-5)
    assert curve * DEPTH == pytest.approx(TAU, rel=1e-6)


def test_a_tailored_leaky_slope_brings_orthogonal_inputs_to_eta() -> None:
    t = tailor("relu", DEPTH, "leaky")
    assert t.leaky_slope is not None
    c = 0.0
    for _ in range(DEPTH):
        c = leaky_correlation(c, t.leaky_slope)
    assert c == pytest.approx(ETA, abs=1e-9)
    leaky = analyse("leaky_relu", slope=t.leaky_slope)
    assert leaky.gain == pytest.approx(t.gamma, rel=1e-12)
    assert leaky.correlation_map(0.3, q=1.0) == pytest.approx(leaky_correlation(0.3, t.leaky_slope), abs=1e-10)


def test_a_plain_network_of_the_tailored_function_carries() -> None:
    for name in ("relu", "sigmoid", "exp(x)"):
        f = analyse(name).forecast(DEPTH)
        g = type(analyse(name))(reshaped(as_scalar(name), tailor(name, DEPTH))).forecast(DEPTH, 1.0)
        assert f.strength < 0.5 < g.strength


@pytest.mark.parametrize(
    ("name", "method", "words"),
    [
        ("identity", None, "straight line"),
        ("3 + 0 * x", None, "constant"),
        ("sign(x)", None, "jumps"),
        ("1 / x", None, "finite"),
        ("relu", "tat", "kink"),
        ("gelu", "leaky", "rectifier"),
        ("gelu", "dsk", "method"),
    ],
)
def test_what_can_not_be_shaped_is_refused_with_the_reason(name: str, method: str | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        tailor(name, DEPTH, method)


def test_tailoring_forgets_scale_and_offset() -> None:
    a, b = tailor("tanh", DEPTH), tailor("5 * tanh(2 * x + 1) - 3", DEPTH)
    x = np.linspace(-3, 3, 13)
    f, g = as_scalar("tanh"), as_scalar("5 * tanh(2 * x + 1) - 3")
    ours, theirs = a.value(f.value, x), b.value(g.value, x)
    assert min(np.abs(ours - theirs).max(), np.abs(ours + theirs[::-1]).max()) < 1e-6
    assert math.isclose(a.c_slope, b.c_slope, rel_tol=1e-9)
