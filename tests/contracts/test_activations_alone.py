"""What single activations promise beyond the contracts: against other routes, and with wrong input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.optimize import least_squares
from torch import Tensor, nn
from torch.nn import functional as F

import whet
from whet.activations import ACTIVATIONS, KINDS, formula, get, names
from whet.activations.learned import FITTED, RATIONAL
from whet.activations.scalar import as_scalar
from whet.errors import RecipeError, UnknownName

X = torch.randn(5, 6, 3, 3, generator=torch.Generator().manual_seed(0)) * 2


def fill(f: nn.Module, seed: int = 1) -> nn.Module:
    """The module with random parameters, in evaluation."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return f.eval()


# -- the public functions -------------------------------------------------------------------------------------------


def test_the_package_is_an_attribute_of_whet() -> None:
    assert len(whet.activations.names()) == len(ACTIVATIONS) >= 90
    assert sorted(n for kind in KINDS for n in names(kind)) == sorted(names())


def test_each_call_makes_a_fresh_module() -> None:
    assert get("prelu") is not get("prelu")
    assert get("prelu").slope is not get("prelu").slope


def test_parameters_and_aliases_are_taken() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert torch.equal(get("leaky_relu", slope=0.2)(x), torch.tensor([-0.2, 2.0]))
    assert torch.equal(get("swish")(x), get("silu")(x))
    assert torch.equal(get("telu")(x), get("tanh_exp")(x))


def test_a_formula_learns_the_parameters_that_are_given() -> None:
    f = formula("x * tanh(exp(a * x))", a=1.0)
    assert [name for name, _ in f.named_parameters()] == ["a"]
    torch.testing.assert_close(f(X), get("tanh_exp")(X), rtol=1e-5, atol=1e-6)
    assert formula("a * x", a=1.0, channels=6).a.shape == (6,)


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'mish'"):
        get("misch")
    with pytest.raises(UnknownName, match="Did you mean 'fixed'"):
        names("fixd")
    for other in (None, "x * sin(x)"):
        with pytest.raises(RecipeError, match=r"is no name.*formula\(\) takes formulas"):
            get(other)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [e.name for e in ACTIVATIONS if e.ranges])
@pytest.mark.parametrize("side", [0, 1])
def test_a_value_out_of_range_is_refused_with_value_and_range(name: str, side: int) -> None:
    entry = ACTIVATIONS[name]
    parameter, ends = next(iter(entry.ranges.items()))
    wrong = type(entry.defaults[parameter])(ends[side] + (2 * side - 1) * max(1.0, abs(ends[side])))
    with pytest.raises(RecipeError, match=f"{name}.{parameter}=.* is outside"):
        get(name, **{parameter: wrong})
    with pytest.raises(RecipeError):
        get(name, **{parameter: math.nan})
    assert all(low <= entry.defaults[p] <= high for p, (low, high) in entry.ranges.items())


@pytest.mark.parametrize("name", [e.name for e in ACTIVATIONS if e.needs_channels])
def test_what_needs_channels_says_so(name: str) -> None:
    with pytest.raises(RecipeError, match=f"{name} needs the number of channels.*channels=64"):
        get(name)


# -- learned --------------------------------------------------------------------------------------------------------


def test_the_spline_is_scipy_s_spline_plus_a_silu() -> None:
    f = fill(get("spline", cells=5, reach=2.0)).double()
    knots = np.linspace(-2 - 3 * 0.8, 2 + 3 * 0.8, 12)
    x = np.linspace(-7, 7, 301)
    inside = sum(
        c * np.nan_to_num(BSpline.basis_element(knots[k : k + 5], extrapolate=False)(x))
        for k, c in enumerate(f.coefficients.tolist())
    )
    expected = f.base.item() * F.silu(torch.from_numpy(x)).numpy() + inside
    np.testing.assert_allclose(f(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-6, atol=1e-7)


def test_pwlu_is_linear_interpolation_with_slopes_outside() -> None:
    f = fill(get("pwlu", cells=7, reach=2.0)).double()
    at, heights = np.linspace(-2, 2, 8), f.heights.detach().numpy()
    x = np.linspace(-5, 5, 401)
    expected = np.interp(x, at, heights)
    expected += f.left_slope.item() * np.minimum(x + 2, 0) + f.right_slope.item() * np.maximum(x - 2, 0)
    np.testing.assert_allclose(f(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["spline", "pwlu", "rational", "mixture", "apl", "dyt"])
def test_a_channel_of_many_is_the_layer_s_with_that_channel_s_parameters(name: str) -> None:
    many = fill(get(name, channels=6))
    alone = get(name, channels=1)
    with torch.no_grad():
        for one, all_ in zip(alone.parameters(), many.parameters(), strict=True):
            per_channel = all_.numel() == 6 * one.numel()
            one.copy_(all_.reshape(6, *one.shape)[4] if per_channel else all_.reshape(one.shape))
    torch.testing.assert_close(many(X)[:, 4:5], alone.eval()(X[:, 4:5]), rtol=1e-5, atol=1e-6)


def test_apl_is_the_sum_of_its_hinges() -> None:
    f = fill(get("apl", hinges=3))
    p = {k: v.item() for k, v in f.named_parameters()}
    expected = X.clamp(min=0) + sum(p[f"a{s}"] * (p[f"b{s}"] - X).clamp(min=0) for s in range(3))
    torch.testing.assert_close(f(X), expected)


def test_the_rational_start_is_the_best_fit_to_leaky_relu() -> None:
    x = np.linspace(-3, 3, 1001)
    target = np.where(x > 0, x, 0.01 * x)

    def off(p: np.ndarray) -> np.ndarray:
        top, bottom = np.polyval(p[5::-1], x), np.polyval(p[:5:-1], x)
        return top / (1 + np.abs(x * bottom)) - target

    start = np.array(list(FITTED.values()))
    found = least_squares(off, start + 0.05)
    assert np.sqrt(np.mean(off(start) ** 2)) <= 1.01 * np.sqrt(np.mean(found.fun**2)) < 0.006
    np.testing.assert_allclose(as_scalar(formula(RATIONAL, **FITTED)).value(x) - target, off(start), atol=1e-6)


def test_a_mixture_weighs_its_members_and_refuses_what_can_t_be_mixed() -> None:
    f = get("mixture", of=("relu", "tanh"))
    with torch.no_grad():
        f.logits.copy_(torch.tensor([0.0, math.log(3)]))
    torch.testing.assert_close(f(X), 0.25 * X.relu() + 0.75 * X.tanh())
    for wrong in (("relu",), ("relu", "softmax"), ("mixture", "relu")):
        with pytest.raises(RecipeError, match="mixture.of="):
            get("mixture", of=wrong)
    with pytest.raises(UnknownName):
        get("mixture", of=("relu", "rulu"))


def test_xielu_keeps_its_bound() -> None:
    with pytest.raises(RecipeError, match="is not above beta"):
        get("xielu", alpha_n=0.4, beta=0.5)


def test_rrelu_draws_slopes_in_training_and_takes_their_mean_in_evaluation() -> None:
    f, x = get("rrelu", lower=0.2, upper=0.4).train(), torch.full((100_000,), -1.0, requires_grad=True)
    y = f(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, -y.detach())
    assert 0.2 <= -y.max() < 0.201 < 0.399 < -y.min() <= 0.4
    assert (-y).mean().item() == pytest.approx(0.3, abs=0.001)
    assert torch.equal(f.eval()(x), 0.3 * x)


# -- gates, dynamic ones --------------------------------------------------------------------------------------------

GATES = {
    "glu": lambda a, b: a * b.sigmoid(),
    "gtu": lambda a, b: a.tanh() * b.sigmoid(),
    "reglu": lambda a, b: a * b.relu(),
    "geglu": lambda a, b: a * F.gelu(b),
    "swiglu": lambda a, b: a * F.silu(b),
    "bilinear": lambda a, b: a * b,
    "drelu_glu": lambda a, b: a.relu() * b.relu(),
}


@pytest.mark.parametrize("name", GATES)
def test_the_second_half_gates_the_first(name: str) -> None:
    torch.testing.assert_close(get(name, dim=1)(X), GATES[name](X[:, :3], X[:, 3:]))
    assert ACTIVATIONS[name].gates
    with pytest.raises(Exception, match="split|even"):
        get(name)(X)


def test_maxout_takes_the_largest_of_each_group_and_crelu_keeps_both_signs() -> None:
    assert torch.equal(
        get("maxout", pieces=3, dim=1)(X), torch.maximum(X[:, ::3], torch.maximum(X[:, 1::3], X[:, 2::3]))
    )
    both = get("crelu", dim=1)(X)
    assert torch.equal(both[:, :6] - both[:, 6:], X)
    with pytest.raises(RecipeError, match="splits dimension 1 into 4 equal parts, but it has 6"):
        get("maxout", pieces=4, dim=1)(X)


def test_dynamic_relu_b_is_the_larger_of_two_lines_per_channel() -> None:
    f = fill(get("dynamic_relu_b", channels=6))
    read = 2 * torch.sigmoid(f.lines(X.mean((2, 3)))) - 1  # slopes of line 1, of line 2, offsets of 1, of 2
    a1, a2, b1, b2 = (part[:, :, None, None] for part in read.chunk(4, dim=1))
    torch.testing.assert_close(f(X), torch.maximum((1 + a1) * X + b1 / 2, a2 * X + b2 / 2))


def test_dynamic_relu_with_a_silent_network_is_relu() -> None:
    for name in ("dynamic_relu_a", "dynamic_relu_b", "dynamic_relu_c"):
        f = get(name, channels=6)
        for parameter in f.parameters():
            nn.init.zeros_(parameter)
        torch.testing.assert_close(f(X), X.relu())
    with pytest.raises(RecipeError, match="weighs positions"):
        get("dynamic_relu_c", channels=6)(X[:, :, 0, 0])


def test_squeeze_excite_and_funnel_relu_are_those_of_the_papers() -> None:
    f = fill(get("squeeze_excite", channels=6, reduction=2))
    w1, b1, w2, b2 = (p.detach() for p in f.parameters())
    gate = torch.sigmoid((X.mean((2, 3)) @ w1.T + b1).relu() @ w2.T + b2)
    torch.testing.assert_close(f(X), X * gate[:, :, None, None])
    g = get("frelu", channels=6).eval()
    torch.testing.assert_close(g(X), torch.maximum(X, g.norm(F.conv2d(X, g.condition.weight, padding=1, groups=6))))


# -- outputs --------------------------------------------------------------------------------------------------------


def bisected(z: np.ndarray, p: object) -> np.ndarray:
    """The probabilities p(z - tau) whose sum is 1, by bisection of tau."""
    low, high = z.max() - 10.0, z.max()
    for _ in range(200):
        tau = (low + high) / 2
        low, high = (tau, high) if p(z - tau).sum() > 1 else (low, tau)  # type: ignore[operator]
    return p(z - low)  # type: ignore[operator]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_sparsemax_and_entmax_are_what_bisection_finds(dtype: torch.dtype) -> None:
    z = torch.randn(40, 9, generator=torch.Generator().manual_seed(2), dtype=dtype) * 2
    z[3] = 1.0  # all alike
    z[4, :2] = z[4].max() + 5  # two winners
    for name, p in (("sparsemax", lambda u: np.maximum(u, 0)), ("entmax15", None)):
        scale = 1.0 if p is not None else 0.5
        rule = p or (lambda u: np.maximum(u, 0) ** 2)
        expected = np.stack([bisected(scale * row.double().numpy(), rule) for row in z])
        y = get(name)(z)
        np.testing.assert_allclose(y.double().numpy(), expected, atol=1e-12 if dtype == torch.float64 else 1e-6)
        assert (y == 0).any()


@pytest.mark.parametrize("name", names("output"))
def test_probabilities_add_up_along_the_dimension(name: str) -> None:
    y = get(name, dim=1)(X)
    total = (y.exp() if name == "log_softmax" else y).sum(1)
    torch.testing.assert_close(total, torch.ones_like(total))
    shifted = get(name, dim=1)(X + 100)
    torch.testing.assert_close(shifted, y, rtol=1e-4, atol=1e-4)


def test_a_gradient_of_sparsemax_has_mean_zero_on_the_support() -> None:
    z = torch.randn(3, 7, dtype=torch.float64, requires_grad=True)
    y: Tensor = get("sparsemax")(z)
    (y * torch.arange(7.0)).sum().backward()
    assert z.grad is not None
    torch.testing.assert_close(z.grad.sum(1), torch.zeros(3, dtype=torch.float64))
    assert (z.grad[y == 0] == 0).all()


# -- wrong input ----------------------------------------------------------------------------------------------------


def test_gelu_takes_torchs_words_and_refuses_others() -> None:
    """Once approximate="none", torch's word for the exact one, gave the approximation."""
    for word in ("none", "tanh"):
        torch.testing.assert_close(get("gelu", approximate=word)(X), F.gelu(X, approximate=word))
    for other in ("foo", "erf", 2, 0.5, None):
        with pytest.raises(RecipeError, match=r"gelu.approximate=.* is neither true nor false"):
            get("gelu", approximate=other)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax", "entmax15"])
def test_a_single_score_without_dimensions_is_all_there_is(name: str) -> None:
    assert get(name)(torch.tensor(0.3)).equal(torch.tensor(0.0 if name == "log_softmax" else 1.0))


@pytest.mark.parametrize("name", ["glu", "swiglu", "maxout", "crelu"])
def test_a_gate_says_what_it_can_t_split(name: str) -> None:
    for x in (torch.tensor(1.0), *([] if name == "crelu" else [torch.randn(3, 5)])):
        with pytest.raises(RecipeError, match="dimension"):
            get(name)(x)


@pytest.mark.parametrize("name", ["frelu", "squeeze_excite", "meta_acon", "dynamic_relu_b", "efficient_gate"])
def test_what_looks_at_channels_says_which_input_it_takes(name: str) -> None:
    for x in (torch.tensor(1.0), torch.randn(8), *([] if name == "efficient_gate" else [torch.randn(3, 5, 4, 4)])):
        with pytest.raises(RecipeError, match="8 channels along dimension 1|an input of shape"):
            get(name, channels=8)(x)
    with pytest.raises(RecipeError, match="frelu works on images"):
        get("frelu", channels=8)(torch.randn(3, 8))


@pytest.mark.parametrize("name", ["rrelu", "elu", "gelu", "softplus", "mish", "swiglu", "spline", "pwlu"])
def test_whole_numbers_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(RecipeError, match="floating-point"):
        get(name)(torch.arange(1024))


def test_names_of_papers_lead_to_the_entry() -> None:
    assert ACTIVATIONS["tat"].name == "tailored_leaky_relu"
    assert ACTIVATIONS["piecewise_linear"].name == "pwlu"
    with pytest.raises(UnknownName, match="Did you mean 'gelu'"):
        get("gelu_tann_h")


def test_the_name_that_surgery_has_for_gelus_approximation_is_taken_and_not_listed() -> None:
    x = torch.linspace(-5, 5, 101)
    torch.testing.assert_close(get("gelu_tanh")(x), get("gelu", approximate=True)(x), rtol=0, atol=0)
    assert "gelu_tanh" in ACTIVATIONS
    assert "gelu_tanh" not in names()
