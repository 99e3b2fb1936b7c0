"""The grammar, simplification and derivatives of formulas."""

import functools
import math
import random
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from whet.activations.expression import Node, derive, free_names, on_array, parse, replace, simplify
from whet.activations.expression.bounds import Interval, bounds, guarded
from whet.activations.expression.evaluate import TORCH
from whet.activations.expression.functions import ALL, SHORT
from whet.activations.expression.nodes import Call, Name, Number, call, name, number, walk
from whet.activations.expression.points import PLAIN, value_of
from whet.activations.formula import Formula
from whet.activations.scalar import as_scalar
from whet.errors import RecipeError


def at(text: str, x: float, **values: float) -> float:
    return float(on_array(parse(text), x=np.array(x), **values))


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("1 + 2 * x", 7.0),
        ("-x^2", -9.0),
        ("(-x)^2", 9.0),
        ("2^3^2", 512.0),
        ("2**-x", 0.125),
        ("8 / 2 / 2", 2.0),
        ("5 - 2 - 1", 2.0),
        ("+x", 3.0),
        ("--x", 3.0),
        (".5e1 + 1.", 6.0),
        ("pi - pi + e", math.e),
        ("x > 2", 1.0),
        ("x <= 2", 0.0),
        ("(x >= 3) * 4", 4.0),
        ("step(x - 3)", 0.0),
        ("where(x > 5, 1, 2)", 2.0),
        ("where(x, 1, 2)", 1.0),
        ("clip(x, -1, 1)", 1.0),
        ("max(x, min(4, 5))", 4.0),
        ("ln(exp(x))", 3.0),
        ("Phi(0) + phi(0) * sqrt(2 * pi)", 1.5),
        ("xlogy(0, 0)", 0.0),
        ("gelu(2 * x - 5) / Phi(1)", 1.0),
    ],
)
def test_a_formula_is_read_as_in_mathematics(text: str, worth: float) -> None:
    assert at(text, 3.0) == pytest.approx(worth, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("x * tahn(x)", 5, "unknown function 'tahn'. Did you mean 'tan' or 'tanh'"),
        ("x +", 4, "the text ends where a number, a name or a parenthesis should be"),
        ("2x", 2, "Multiplication is written with *"),
        ("x y", 3, "Multiplication is written with *"),
        ("max(x)", 1, "max takes 2 arguments, not 1"),
        ("tanh(x, 1)", 1, "tanh takes 1 argument, not 2"),
        ("x * alpah", 5, "unknown name 'alpah'. Did you mean 'alpha'"),
        ("x * )", 5, "there is ')' where a number"),
        ("((x", 4, "the text ends where ')' should be"),
        ("x $ 2", 3, "'$' has no meaning here"),
        ("tanh", 1, "tanh needs its argument"),
        ("chain(x, 2)", 1, "unknown function 'chain'"),
        ("1e99 * x", 1, "too large"),
        ("x.real", 2, "'.' has no meaning here"),
        ("__import__(x)", 1, "unknown function '__import__'"),
        ("f('os')", 3, "has no meaning here"),
        ("x²", 2, "Powers are written with ^"),
        ("2 × x", 3, "Multiplication is written with *"),
        ("|x|", 1, "The absolute value is abs(u)"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(text: str, position: int, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse(text, names=("alpha",))
    message = str(caught.value)
    assert f"at position {position}, {text[: position - 1]}→{text[position - 1 :]}: " in message
    assert said in message
    assert "\n" not in message


def test_of_a_long_formula_the_place_and_what_is_around_it_are_shown() -> None:
    with pytest.raises(RecipeError, match=r"position 121, …(x \+ ){10}→\$( \+ x){9} \+ …: "):
        parse("x + " * 30 + "$" + " + x" * 30)


def test_an_empty_formula_is_refused_in_one_line() -> None:
    with pytest.raises(RecipeError, match=r"position 1: it is empty.*'x \* tanh\(exp\(x\)\)'\.$"):
        parse("  ")


@pytest.mark.parametrize("text", ["(" * 10_000 + "x" + ")" * 10_000, "-" * 1000 + "x", "x" * 3000, "x^" * 900 + "x"])
def test_a_hostile_formula_is_refused_at_once(text: str) -> None:
    with pytest.raises(RecipeError):
        parse(text, names=())


def test_a_long_formula_stays_small_when_it_is_differentiated_twice() -> None:
    text = "x"
    for _ in range(40):
        text = f"tanh({text})"
    node = parse(text)
    assert len(list(walk(derive(derive(node))))) < 40 * len(list(walk(node)))


def test_what_is_not_text_is_refused() -> None:
    with pytest.raises(RecipeError, match="is text, not int"):
        parse(3)  # type: ignore[arg-type]


def test_equal_formulas_are_one_object() -> None:
    assert parse("x * tanh( x )") is parse("x*tanh(x)")
    assert number(0.0) is not number(-0.0)


def test_free_names_and_their_replacement() -> None:
    node = parse("a * x + sin(b * x)")
    assert free_names(node) == ("a", "b", "x")
    assert str(replace(node, {"a": number(2), "b": parse("x + 1")})) == "2 * x + sin((x + 1) * x)"


NAMES = ("x", "a", "b")
UNARY = ("neg", "exp", "tanh", "sqrt", "abs", "relu", "log")
BINARY = ("add", "sub", "mul", "div", "pow", "gt", "ge", "max")


def nodes() -> st.SearchStrategy[Node]:
    leaf = st.sampled_from(NAMES).map(name) | st.sampled_from((0.0, 1.0, 2.0, 0.5, 1e-7, 123456.789)).map(number)
    return st.recursive(
        leaf,
        lambda inner: (
            st.builds(call, st.sampled_from(UNARY), inner) | st.builds(call, st.sampled_from(BINARY), inner, inner)
        ),
        max_leaves=12,
    )


@given(nodes())
@settings(deadline=None, max_examples=200)
def test_text_and_tree_go_round(node: Node) -> None:
    read = parse(str(node))  # "-2" is the number -2 and not minus 2
    assert parse(str(read)) is read
    values = {"x": 0.7, "a": 1.3, "b": -0.4}
    left, right = (on_array(n, **values) for n in (node, read))
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("short", SHORT)
def test_a_short_name_is_what_the_catalogue_calls_so(short: str) -> None:
    x = np.linspace(-4, 4, 33)
    for inner in ("x", "sin(x)"):
        ours = on_array(parse(f"{short}({inner})"), x=x)
        known = (lambda u: 1.0 * (u > 0)) if short == "step" else as_scalar(short).value
        np.testing.assert_allclose(ours, known(x if inner == "x" else np.sin(x)), rtol=1e-12, atol=1e-14)


# -- tables ---------------------------------------------------------------------------------------------------------


def test_every_function_is_known_to_every_table() -> None:
    assert set(TORCH) == set(PLAIN) == set(ALL)


@pytest.mark.parametrize("function", ALL)
def test_a_function_of_floats_is_the_same_in_torch(function: str) -> None:
    draw = random.Random(0)
    count = len(ALL[function].arguments)
    names = [f"u{i}" for i in range(count)]
    node = call(function, *map(name, names))
    for _ in range(50):
        given = [draw.uniform(-3, 3) for _ in names]
        ours = value_of(function, *given)
        theirs = float(on_array(node, **{n: np.array(g) for n, g in zip(names, given, strict=True)}))
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-15, nan_ok=True)


@pytest.mark.parametrize("function", [f for f in ALL if f not in ("saturate", "gt", "ge", "sign")])
def test_a_derivative_in_the_table_is_the_limit_of_differences(function: str) -> None:
    count = len(ALL[function].arguments)
    names = [f"u{i}" for i in range(count)]
    node = call(function, *map(name, names))
    draw = random.Random(1)
    for _ in range(20):
        point = {n: draw.uniform(0.2, 1.4) for n in names}
        for n in names:
            above, below = (float(on_array(node, **{**point, n: point[n] + h})) for h in (1e-6, -1e-6))
            slope = float(on_array(guarded(derive(node, n)), **point))
            assert slope == pytest.approx((above - below) / 2e-6, rel=1e-6, abs=1e-8)


# -- simplification -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("x * tanh(log(1 + exp(x)))", "x * tanh(softplus(x))"),
        ("x / (1 + exp(-1.702 * x))", "x * sigmoid(1.702 * x)"),
        ("0.5 * x * (1 + erf(x / sqrt(2)))", "x * Phi(x)"),
        ("(exp(x) - exp(-x)) / (exp(x) + exp(-x))", "tanh(x)"),
        ("max(0, x)", "relu(x)"),
        ("exp(x) - 1", "expm1(x)"),
        ("x^2 + 0 * x", "square(x)"),
        ("where(2 > 1, x, 0)", "x"),
        ("--x * 1", "x"),
        ("2 * (3 * x)", "6 * x"),
        ("1 - tanh(x)^2", "square(sech(x))"),
    ],
)
def test_known_forms_become_the_stable_ones(text: str, simple: str) -> None:
    assert str(simplify(parse(text))) == simple


@given(nodes())
@settings(deadline=None, max_examples=300)
def test_simplifying_settles_and_changes_no_value_beyond_rounding(node: Node) -> None:
    simple = simplify(node)
    assert simplify(simple) is simple
    x = np.linspace(-2.03, 2.05, 41)
    with np.errstate(all="ignore"):
        before, after, beside = (
            on_array(n, x=x + d, a=1.3, b=-0.4) for n, d in ((node, 0), (simple, 0), (node, 1e-13))
        )
        bound = 1e-9 * (1 + np.abs(before)) + 1e3 * np.abs(beside - before)
        near = np.abs(after - before) <= bound
        poles = [on_array(part.arguments[1], x=x, a=1.3, b=-0.4) == 0 for part in quotients(node)]
    defined = ~np.any([np.zeros(x.shape, bool), *poles], axis=0)
    assert near[defined & np.isfinite(before) & np.isfinite(beside) & (np.abs(before) < 1e100)].all()


def quotients(node: Node) -> list[Call]:
    """Every division in a formula: where it divides by zero, the sign of that zero may change."""
    return [part for part in walk(node) if isinstance(part, Call) and part.function == "div"]


CANCELLING = [
    "-log1p(erf(x))",
    "log1p(-erf(x))",
    "log(1 + erf(x))",
    "log(1 - erf(x))",
    "log(Phi(x))",
    "log(3 * Phi(x))",
    "1 + erf(x)",
    "erf(x) - 1",
    "0.5 + 0.5 * erf(x)",
    "3 - 3 * erf(x)",
    "Phi(x) - 1",
    "log(1 - tanh(x))",
    "log1p(tanh(x))",
    "log1p(-tanh(x))",
    "1 - tanh(x)",
    "tanh(x) - 1",
    "0.5 - 0.5 * tanh(x)",
    "3 + 3 * tanh(x)",
    "tanh(x)^2 - 1",
    "1 - sigmoid(x)",
    "sigmoid(x) - 1",
    "3 - 3 * sigmoid(x)",
    "log1p(-sigmoid(x))",
    "log(2 * sigmoid(x))",
    "log(3 * sigmoid(x))",
    "softplus(x) - x",
    "x - softplus(x)",
    "exp(x) - 1",
    "log(1 + exp(x))",
    "log(exp(x) - 1)",
    "cosh(x) - 1",
    "1 - cos(x)",
    "cos(x) - 1",
    "sqrt(x^2 + 1) - x",
]


@pytest.mark.parametrize("text", CANCELLING)
@pytest.mark.filterwarnings("ignore:.*Keep inputs away")
def test_what_cancels_as_it_is_written_is_exact_in_value_and_slope(text: str) -> None:
    x = (
        torch.tensor([s * v for v in (1e-6, 0.1, 0.99, 1.01, 4.1, 8.5, 12, 20) for s in (-1, 1)])
        .double()
        .requires_grad_()
    )
    y = Formula(text)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    with localcontext(prec=450):
        node, h = parse(text), Decimal(10) ** -40
        for place, found, rising in zip(x.tolist(), y.tolist(), slope.tolist(), strict=True):
            if math.isnan(found):  # log(exp(x) - 1) is no number below 0
                continue
            middle, left, right = (long_hand(node, Decimal(place) + d) for d in (0, -h, h))
            assert found == pytest.approx(float(middle), rel=1e-11, abs=1e-300)
            assert rising == pytest.approx(float((right - left) / (2 * h)), rel=1e-11, abs=1e-300)


def long_hand(node: Node, x: Decimal) -> Decimal:
    """What a formula is worth as it is written, in as many digits as the context has."""
    if isinstance(node, Number):
        return Decimal(node.value)
    if isinstance(node, Name):
        return x
    return BY_HAND[node.function](*(long_hand(part, x) for part in node.arguments))


def decimal_erf(u: Decimal) -> Decimal:
    return 2 * series(u, lambda k, term: -term * u * u / k, lambda k: 2 * k + 1) / decimal_pi().sqrt()


def decimal_cos(u: Decimal) -> Decimal:
    return series(Decimal(1), lambda k, term: -term * u * u / (2 * k * (2 * k - 1)), lambda k: 1)


def series(term: Decimal, following: Callable[[int, Decimal], Decimal], divisor: Callable[[int], int]) -> Decimal:
    """The sum of all terms, each over its divisor."""
    total, before, k = term, Decimal("nan"), 0
    while total != before:
        k += 1
        term = following(k, term)
        total, before = total + term / divisor(k), total
    return total


@functools.cache
def decimal_pi() -> Decimal:
    """16 arctan(1/5) - 4 arctan(1/239) (Machin)."""
    return sum(
        (-1) ** k * (16 / Decimal(5) ** (2 * k + 1) - 4 / Decimal(239) ** (2 * k + 1)) / (2 * k + 1) for k in range(330)
    )


BY_HAND = {
    "neg": lambda a: -a,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "sqrt": lambda u: u.sqrt(),
    "exp": lambda u: u.exp(),
    "log": lambda u: u.ln(),
    "log1p": lambda u: (1 + u).ln(),
    "softplus": lambda u: (1 + u.exp()).ln(),
    "sigmoid": lambda u: 1 / (1 + (-u).exp()),
    "tanh": lambda u: 1 - 2 / (1 + (2 * u).exp()),
    "cosh": lambda u: (u.exp() + (-u).exp()) / 2,
    "cos": decimal_cos,
    "erf": decimal_erf,
    "Phi": lambda u: (1 + decimal_erf(u / Decimal(2).sqrt())) / 2,
}


# -- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("x^2", 0, 1e8), ("x^3", -1e12, 1e12), ("sigmoid(x)", 0, 1), ("abs(x) + 1", 1, 10_001), ("clip(x, -1, 2)", -1, 2)],
)
def test_bounds_hold_what_a_formula_can_reach(text: str, low: float, high: float) -> None:
    assert bounds(simplify(parse(text))) == Interval(low, high)


def test_only_what_can_overflow_is_guarded() -> None:
    assert "saturate" in str(guarded(parse("x * tanh(exp(x))")))
    assert str(guarded(parse("x * sigmoid(x)"))) == "x * sigmoid(x)"
    assert bounds(parse("1 / x")).pole
    assert not bounds(parse("1 / (1 + x^2)")).pole
