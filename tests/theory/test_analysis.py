"""Mean-field theory against known values, closed forms, and sampled networks of 1,000 units."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sampled_networks import sample
from torch import nn

from whet.errors import UserError
from whet.theory import Analysis, analyse
from whet.theory.correlation import Pair
from whet.theory.lengths import slope
from whet.theory.spread import gradient_noise


def arc_cosine(c: float) -> float:
    """Relu's C map: Cho & Saul 2009, eq. 6."""
    return (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi


# -- known values -------------------------------------------------------------------------------------------------------


def test_relu_asks_for_what_he_et_al_found() -> None:
    t = analyse("relu")
    assert t.gain**2 == pytest.approx(2, abs=1e-12)
    assert t.slope_gain**2 == pytest.approx(2, abs=1e-12)
    assert t.chi(sigma_w=math.sqrt(2)) == pytest.approx(1, abs=1e-12)
    assert t.edge_of_chaos() == pytest.approx(math.sqrt(2), abs=1e-12)
    assert t.fixed_points(math.sqrt(2))[0].kind == "neutral"


def test_an_edge_at_length_0_counts_only_if_signals_of_length_1_come_to_it() -> None:
    """Near 0 this is a line of slope 0.1, whose edge is 10: from length 1 signals explode there."""
    edge = analyse("where(x > 0.5, x - 0.45, 0.1 * x)").edge()
    assert not edge.stable
    assert analyse("tanh").edge().stable


def test_relu_has_no_edge_with_biases_and_the_reason_is_said() -> None:
    edge = analyse("relu").edge(sigma_b=0.3)
    assert edge.sigma_w is None
    assert "biases" in edge.reason
    assert analyse("relu").edge_of_chaos(0.3) is None


def test_a_line_asks_for_xavier_and_tanh_at_zero_does_too() -> None:
    assert analyse("identity").gain == pytest.approx(1, abs=1e-12)
    assert analyse("identity").edge_of_chaos() == pytest.approx(1, abs=1e-12)
    assert analyse("tanh").edge_of_chaos() == pytest.approx(1, abs=1e-9)


def test_tanh_is_critical_at_the_published_point() -> None:
    """Pennington et al. 2017 and Schoenholz et al. 2017: sigma_w^2 = 1.76 at sigma_b^2 = 0.05."""
    t = analyse("tanh")
    sigma_w = t.edge_of_chaos(math.sqrt(0.05))
    assert sigma_w is not None
    assert sigma_w**2 == pytest.approx(1.76, abs=0.005)
    assert t.chi(sigma_w, math.sqrt(0.05)) == pytest.approx(1, abs=1e-9)
    assert t.depth_scale(sigma_w, math.sqrt(0.05)).phase == "critical"


@pytest.mark.parametrize(("name", "biases", "weights"), [("gelu", 0.17292, 1.98306), ("silu", 0.55514, 1.98800)])
def test_edges_become_stable_at_the_published_half_stable_points(name: str, biases: float, weights: float) -> None:
    """Roberts, Yaida & Hanin 2022, The Principles of Deep Learning Theory, chapter 5: C_b and C_W."""
    t, sigma_b = analyse(name), math.sqrt(biases)
    sigma_w = t.edge_of_chaos(sigma_b)
    assert sigma_w is not None
    assert sigma_w**2 == pytest.approx(weights, abs=1e-5)
    assert not t.edge(sigma_b - 0.01).stable
    assert t.edge(sigma_b + 0.01).stable


def test_selu_keeps_mean_0_and_variance_1() -> None:
    """Klambauer et al. 2017, section 2: the fixed point (0, 1), attracting, with weights of variance 1 / fan_in."""
    t = analyse("selu")
    assert t.gain == pytest.approx(1, abs=1e-6)
    assert t.mean == pytest.approx(0, abs=1e-6)
    assert t.fixed_point(1.0) == pytest.approx(1, abs=1e-6)
    assert [p.kind for p in t.fixed_points(1.0)] == ["unstable", "stable"]


@pytest.mark.parametrize(
    ("name", "sigma_w2", "sigma_b2"), [("gelu", 1.98305826, 0.17292239), ("silu", 1.98800468, 0.55514317)]
)
def test_gelu_and_silu_keep_lengths_and_gradients_at_the_published_points(
    name: str, sigma_w2: float, sigma_b2: float
) -> None:
    """Roberts, Yaida & Hanin 2022, The Principles of Deep Learning Theory, section 5.3.4: chi and Q' are both 1."""
    t = analyse(name)
    edge = t.edge(math.sqrt(sigma_b2))
    assert edge.sigma_w is not None
    assert edge.sigma_w**2 == pytest.approx(sigma_w2, abs=1e-7)
    assert slope(t.moments, edge.q, edge.sigma_w) == pytest.approx(1, abs=1e-6)


# -- closed forms -------------------------------------------------------------------------------------------------------


def test_maps_of_relu_agree_with_the_arc_cosine_kernel_on_either_route() -> None:
    t = analyse("relu")
    routes = Pair(t.scalar.value, t.scalar.slope, 1.0, t.scalar.kinks, square=0.5)
    for c in (-1.0, -0.5, 0.0, 0.7, 0.98, 0.99, 0.9999, 1.0):
        assert t.correlation_map(c, q=3.0) == pytest.approx(arc_cosine(c), abs=1e-12)
        assert 2 * routes(c) == pytest.approx(arc_cosine(c), abs=1e-9)


def test_maps_of_erf_agree_with_the_arc_sine_kernel() -> None:
    """Williams 1997, eq. 11."""
    t, sigma_w, sigma_b, q = analyse("erf(x)"), 1.3, 0.2, 0.8
    length = sigma_w**2 * 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) + sigma_b**2
    assert t.length_map(q, sigma_w, sigma_b) == pytest.approx(length, rel=1e-12)
    for c in (-0.9, 0.0, 0.5, 0.999):
        pair = sigma_w**2 * 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q)) + sigma_b**2
        assert t.correlation_map(c, sigma_w, sigma_b, q) == pytest.approx(pair / length, rel=1e-10)
    square = 4 / math.pi / math.sqrt(1 + 4 * q)
    assert t.chi(sigma_w, sigma_b, q=q) == pytest.approx(sigma_w**2 * square, rel=1e-12)


def test_maps_take_arrays() -> None:
    t = analyse("x^2")
    np.testing.assert_allclose(t.length_map(np.array([0.5, 1.0]), sigma_w=1.0), [0.75, 3.0], rtol=1e-12)
    np.testing.assert_allclose(t.correlation_map(np.array([0.0, 0.5]), q=1.0, sigma_w=1.0), [1 / 3, 0.5], rtol=1e-9)


def test_steep_and_jumping_functions_have_their_maps_too() -> None:
    """sign: C(c) = 2 / pi asin(c); a steep tanh comes near it."""
    for name, abs_error in (("sign(x)", 1e-8), ("tanh(1000 * x)", 5e-3)):
        got = analyse(name).correlation_map(0.95, q=1.0)
        assert got == pytest.approx(2 / math.pi * math.asin(0.95), abs=abs_error)


def test_a_jump_is_chaos_without_end() -> None:
    t = analyse("sign(x)")
    assert t.jumps
    assert t.chi(1.0) == math.inf
    assert t.edge_of_chaos() is None
    assert t.forecast(10, 1.0).verdict == "lost"


def test_depth_scales_of_erf_follow_from_the_slopes_of_its_maps() -> None:
    t, sigma_w, sigma_b = analyse("erf(x)"), 1.0, 0.3
    q = t.fixed_point(sigma_w, sigma_b)
    d = t.depth_scale(sigma_w, sigma_b)
    step = 1e-6
    stretch = (t.length_map(q + step, sigma_w, sigma_b) - t.length_map(q - step, sigma_w, sigma_b)) / (2 * step)
    assert d.q == q
    assert d.xi_q == pytest.approx(-1 / math.log(stretch), rel=1e-5)
    assert d.xi_g == pytest.approx(1 / abs(math.log(t.chi(sigma_w, sigma_b))), rel=1e-12)


def test_lengths_that_grow_without_bound_settle_at_infinity() -> None:
    """Once a line with biases, whose length grows by sigma_b^2 per layer, ended in a crash."""
    t = analyse("identity")
    assert t.fixed_point(1.0, 0.1) == math.inf
    assert t.depth_scale(1.0, 0.1).phase == "divergent"
    assert t.chi(1.0, 0.1) == pytest.approx(1)


def test_in_chaos_the_correlation_settles_below_one() -> None:
    t = analyse("tanh")
    d = t.depth_scale(2.0, 0.1)
    assert d.phase == "chaotic"
    assert d.c < 0.9
    assert t.correlation_map(d.c, sigma_w=2.0, sigma_b=0.1) == pytest.approx(d.c, abs=1e-9)


def test_singular_values_of_relu_agree_with_pennington_et_al() -> None:
    """2018, section 3: for relu mu_2 / mu_1^2 = 2, hence variance 2 L (Gaussian) and L (orthogonal)."""
    t = analyse("relu")
    assert t.singular_values(10, math.sqrt(2)).variance == pytest.approx(20, rel=1e-9)
    assert t.singular_values(10, math.sqrt(2), orthogonal=True).variance == pytest.approx(10, rel=1e-9)


def test_the_noise_of_relu_at_finite_width_is_hanins() -> None:
    assert gradient_noise(analyse("relu").moments, 1.0, depth=1, width=1000) == pytest.approx(0.005, rel=0.01)


# -- sampled networks ---------------------------------------------------------------------------------------------------

NETWORKS = [
    ("relu", math.sqrt(2), 0.0),
    ("tanh", 1.5, 0.2),
    ("gelu", 1.4, 0.3),
    ("sin(2 * x) + 0.3 * x", 1.0, 0.1),
    ("x * tanh(exp(x)) - 0.2 * cos(x)", 1.2, 0.0),
    ("max(x, 0) - 0.5 * exp(-x^2)", 1.3, 0.1),
]


@pytest.mark.parametrize(("name", "sigma_w", "sigma_b"), NETWORKS)
def test_forecasts_agree_with_sampled_networks_to_two_percent(name: str, sigma_w: float, sigma_b: float) -> None:
    t, depth = analyse(name), 8
    theory = t.forecast(depth, sigma_w, sigma_b)
    seen = sample(t.scalar.value, t.scalar.slope, depth, sigma_w, sigma_b)
    per_layer = 1 / (depth - 1)
    growth = (seen.lengths[-1] / theory.lengths[-1]) ** per_layer
    gradient = (seen.gradients[0] / theory.gradients[0] ** 2) ** per_layer
    assert growth == pytest.approx(1, abs=0.02)
    assert gradient == pytest.approx(1, abs=0.02)
    assert np.abs(np.array(seen.correlations) - theory.correlations).max() < 0.02


# -- what may be given, and what may not ----------------------------------------------------------------------------------


def test_a_name_a_formula_a_module_and_a_callable_are_the_same() -> None:
    gains = [analyse(what).gain for what in ("tanh", "tanh(x)", nn.Tanh(), torch.tanh)]
    assert max(gains) - min(gains) < 1e-14
    assert analyse("leaky_relu", slope=0.5).gain == pytest.approx(math.sqrt(2 / 1.25))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("gelu_", "gelu"),
        ("x * (", "position"),
        ("1 / x", "infinite at x = 0. Guard it"),
        ("1 / (x - 7)", "infinite at x = 7"),
        ("log(x)", "undefined below x = 0. Give it a value there"),
        ("exp(exp(x))", "too large for float32 above x = 4.486. Hold its growth"),
        ("0 * x", "0 everywhere"),
    ],
)
def test_what_theory_can_say_nothing_of_is_refused_with_the_reason(what: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        analyse(what)


@pytest.mark.parametrize("wrong", ["a", -2, math.nan, math.inf, [1.0], 1j, True])
@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("sigma_w=.* no standard deviation", lambda t, v: t.chi(v, 0)),
        ("sigma_b=.* no standard deviation", lambda t, v: t.depth_scale(1, v)),
        ("sigma_b=.* no standard deviation", lambda t, v: t.edge_of_chaos(v)),
        ("q=.* no length", lambda t, v: t.chi(1, q=v)),
        ("q=.* no length", lambda t, v: t.correlation_map(0.5, q=v)),
        ("depth=.* no number of layers", lambda t, v: t.forecast(v)),
        ("depth=.* no number of layers", lambda t, v: t.tailored(v)),
        ("depth=.* no number of layers", lambda t, v: t.best(v)),
        ("most=.* no number of layers", lambda t, v: t.reach(most=v)),
        ("width=.* no number of units", lambda t, v: t.forecast(3, width=v)),
    ],
)
def test_what_is_no_number_or_out_of_range_is_refused(kind: str, asked: Callable, wrong: object) -> None:
    with pytest.raises(UserError, match=kind):
        asked(analyse("relu"), wrong)


def test_maps_take_arrays_and_refuse_what_lies_outside() -> None:
    t = analyse("relu")
    assert t.length_map([1.0, 2.0], 1.0).tolist() == pytest.approx([0.5, 1.0])
    for wrong in (lambda: t.length_map([1.0, -1.0]), lambda: t.correlation_map(np.array([0.0, 1.5]), q=1.0)):
        with pytest.raises(UserError, match="Give numbers from"):
            wrong()


def test_the_error_is_small_and_stated() -> None:
    for name in ("relu", "gelu", "sin(30 * x)", "max(x - 0.3, 0)"):
        assert 0 < analyse(name).error < 1e-12


# -- forecasts ------------------------------------------------------------------------------------------------------------


def lines(t: Analysis) -> list[str]:
    return [t.forecast(30, *start).verdict for start in ((1 / math.sqrt(3), 0.03), (1.0, 0.0), (math.sqrt(2), 0.0))]


def test_the_textbooks_pairings_come_out() -> None:
    """PyTorch's default, Xavier, He: relu needs He; tanh is carried by Xavier; sigmoid by none."""
    assert lines(analyse("relu")) == ["lost", "lost", "carries"]
    assert lines(analyse("tanh"))[:2] == ["lost", "carries"]
    assert lines(analyse("sigmoid")) == ["lost", "lost", "lost"]


def test_the_best_start_is_as_good_as_any_named_one() -> None:
    for name in ("relu", "silu"):
        t = analyse(name)
        best = t.best(15).strength
        assert all(best >= t.forecast(15, w, 0.0).strength - 1e-6 for w in (1.0, math.sqrt(2)))


def test_reach_is_where_the_forecast_stops_carrying() -> None:
    t = analyse("relu")
    n = t.reach(1.0)
    assert 5 < n < 20
    assert t.forecast(n, 1.0).verdict == "carries"
    assert t.forecast(n + 1, 1.0).verdict != "carries"
