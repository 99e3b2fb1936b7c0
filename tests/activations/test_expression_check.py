"""What a check says of formulas that are not a finite number everywhere."""

import pytest

from whet.activations import formula
from whet.activations.expression import parse
from whet.activations.expression.check import check


@pytest.mark.parametrize(
    "text", ["x", "x * tanh(exp(x))", "x * exp(-exp(-x))", "1 / (1 + x^2)", "x^4", "softplus(x)", "sin(x)"]
)
def test_nothing_is_said_of_a_sound_formula(text: str) -> None:
    assert check(parse(text)) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / x", "its value is infinite at x = 0"),
        ("1 / (x - 1.2345)", "its value is infinite at x = 1.2345"),
        ("log(x)", "its value is undefined below x = 0"),
        ("log(x + 2.5)", "its value is undefined below x = -2.5"),
        ("sqrt(x)", "its value is undefined below x = 0"),
        ("sqrt(abs(x))", "its slope is infinite at x = 0"),
        ("exp(x)", "its value is too large for float32 above x = 88.72"),
        ("exp(x^2)", "its value is too large for float32 above x = 9.419"),
        ("sin(x) / x", "its value is undefined at x = 0"),
        ("tan(x)", "its value is infinite at x = 1.5708"),
        ("log(1 - x^2)", "its value is undefined above x = 1"),
        ("sqrt(-1 - x^2)", "its value is undefined everywhere"),
    ],
)
def test_a_check_says_what_is_wrong_and_where(text: str, said: str) -> None:
    assert said in [str(problem) for problem in check(parse(text))]


def test_single_places_amid_a_gap_belong_to_it() -> None:
    """x^x has a value at whole numbers below 0: once that made 101 gaps of one."""
    assert [str(p) for p in check(parse("x^x"))] == [
        "its value is undefined below x = 0",
        "its value is too large for float32 above x = 26.94",
    ]


def test_of_many_stretches_the_nearest_to_0_are_told() -> None:
    problems = check(parse("log(sin(x))"))
    gaps = [p for p in problems if p.kind == "undefined"]
    assert [round(p.high, 3) for p in gaps] == [-6.283, 0.0, 6.283]


def test_who_makes_a_formula_with_a_pole_is_warned() -> None:
    with pytest.warns(UserWarning, match="1 / x: its value is infinite at x = 0. Keep inputs away"):
        formula("1 / x")
    with pytest.warns(UserWarning, match="too large for float32 above x = 88.7"):
        formula("a * exp(x)", a=1.0)


@pytest.mark.parametrize("text", ["exp(x * x)", "x^1000"])
def test_overflow_on_both_sides_is_told_of_both(text: str) -> None:
    with pytest.warns(UserWarning, match=r"too large for float32 below x = -\d.* and above x = \d"):
        formula(text)
