"""What a check says of formulas that are not a finite number everywhere."""

import pytest

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
