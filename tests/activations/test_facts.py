"""Computed facts against what is known of well-known functions."""

import math

import pytest

from whet.activations.facts import facts
from whet.errors import RecipeError

INF = math.inf


@pytest.mark.parametrize(
    ("what", "low", "high", "attained"),
    [
        ("relu", 0, INF, (True, False)),
        ("tanh", -1, 1, (False, False)),
        ("x / (1 + abs(x))", -1, 1, (False, False)),
        ("arctan", -math.pi / 2, math.pi / 2, (False, False)),
        ("clip(x, -1, 2)", -1, 2, (True, True)),
        ("gelu", -0.16997120747990369, INF, (True, False)),
        ("exp(-x^2)", 0, 1, (False, True)),
        ("exp(-exp(-x))", 0, 1, (False, False)),
        ("elu", -1, INF, (False, False)),
        ("abs(x)", 0, INF, (True, False)),
        ("log1p(abs(x))", 0, INF, (True, False)),
        ("x * sin(x)", -INF, INF, (False, False)),
        ("exp(x)", 0, INF, (False, False)),
        ("x > 0", 0, 1, (True, True)),
        ("3 + 0 * x", 3, 3, (True, True)),
    ],
)
def test_the_range_and_whether_its_ends_are_attained(
    what: str, low: float, high: float, attained: tuple[bool, bool]
) -> None:
    found = facts(what)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert (found.low_attained, found.high_attained) == attained


@pytest.mark.parametrize(
    ("what", "monotone", "convexity", "smoothness", "lipschitz"),
    [
        ("relu", "increasing", "convex", 0, 1),
        ("-relu(x)", "decreasing", "concave", 0, 1),
        ("x", "increasing", "linear", INF, 1),
        ("tanh", "increasing", None, INF, 1),
        ("mish", None, None, INF, 1.0885),
        ("max(x, 0)^2", "increasing", "convex", 1, INF),
        ("x > 0", "increasing", None, -1, INF),
        ("hard_shrink", "increasing", None, -1, INF),
        ("softplus", "increasing", "convex", INF, 1),
        ("elu", "increasing", "convex", 1, 1),
        ("hardswish", None, None, 0, 1.5),
        ("x + sin(x)^2", "increasing", None, INF, 2),
        ("x^2", None, "convex", INF, INF),
        ("2 + 0 * x", "constant", "linear", INF, 0),
    ],
)
def test_the_shape(what: str, monotone: str | None, convexity: str | None, smoothness: float, lipschitz: float) -> None:
    found = facts(what)
    assert (found.monotone, found.convexity, found.smoothness) == (monotone, convexity, smoothness)
    assert found.lipschitz == pytest.approx(lipschitz, abs=1e-4)


def test_symmetries() -> None:
    assert [facts(f).odd for f in ("tanh", "sin(x)", "gelu", "abs(x)")] == [True, True, False, False]
    assert [facts(f).even for f in ("tanh", "x * tanh(x)", "abs(x)")] == [False, True, True]
    assert [facts(f).positive_homogeneous for f in ("relu", "abs(x)", "leaky_relu", "elu")] == [True, True, True, False]


def test_where_it_saturates() -> None:
    tanh, relu, softsign = facts("tanh"), facts("relu"), facts("x / (1 + abs(x))")
    assert (tanh.saturates_left, tanh.saturates_right) == pytest.approx((-4.15, 4.15), abs=0.01)
    assert (relu.saturates_left, relu.saturates_right) == (0, None)
    assert softsign.saturates_right == pytest.approx(1000**0.5 - 1, rel=0.05)
    assert facts("log1p(abs(x))").saturates_right is None  # slow, but without end


def test_means_under_a_normal_law() -> None:
    relu = facts("relu")
    assert relu.mean == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-12)
    assert relu.second_moment == pytest.approx(0.5, abs=1e-12)
    assert relu.moments.slope_second_moment.value == pytest.approx(0.5, abs=1e-12)
    assert relu.moments_at(4.0).second_moment.value == pytest.approx(2.0, abs=1e-12)
    assert not relu.zero_centred
    assert facts("tanh").zero_centred


def test_the_share_of_zeros() -> None:
    assert facts("relu").sparsity == 0.5
    assert facts("soft_shrink").sparsity == pytest.approx(math.erf(0.5 / math.sqrt(2)), abs=1e-5)
    assert facts("gelu").sparsity == 0


@pytest.mark.parametrize(
    ("what", "q", "stable"),
    [
        ("selu", 1.0, True),
        ("relu", 0.0, True),
        ("tanh", 0.0, True),
        ("x", None, False),
        ("2 * x", None, False),
        ("max(x, 0)^2", 2 / 3, False),
        ("x^3", 15**-0.5, False),
        ("clip(x, -1, 1)", 0.0, True),
    ],
)
def test_the_fixed_point_of_the_length_map(what: str, q: float | None, stable: bool) -> None:
    found = facts(what)
    assert found.fixed_point == (None if q is None else pytest.approx(q, abs=1e-7))
    assert found.fixed_point_stable is stable


def test_selu_alone_is_self_normalising() -> None:
    assert [n for n in ("selu", "elu", "relu", "tanh", "gelu") if facts(n).self_normalising] == ["selu"]


def test_poles_gaps_and_overflow_are_noted() -> None:
    assert facts("1 / x").notes == ("its value is infinite at x = 0",)
    assert facts("log(x)").notes[0] == "its value is undefined below x = 0"
    assert facts("exp(x)").notes == ("its value is too large for float32 above x = 88.72",)
    assert facts("gelu").notes == ()
    assert math.isnan(facts("1 / x").mean)


@pytest.mark.parametrize("q", [-1.0, float("nan"), float("inf"), "1", None])
def test_moments_are_asked_at_a_variance(q: object) -> None:
    with pytest.raises(RecipeError, match="is no variance"):
        facts("relu").moments_at(q)


def test_a_function_without_a_number_anywhere_is_refused() -> None:
    with pytest.raises(RecipeError, match="a finite number nowhere"):
        facts(lambda x: x * float("nan"))
