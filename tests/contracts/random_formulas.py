"""Formulas drawn at random, the same ones each time: what users and a search may come up with."""

import contextlib
import random

from whet.activations.formula import prepare
from whet.errors import RecipeError

ROOTS = ["exp", "expm1", "log1p", "log", "sqrt", "square", "abs", "sign", "sin", "cos"]
SHAPES = [
    "tanh",
    "sinh",
    "cosh",
    "sech",
    "arctan",
    "arcsinh",
    "sigmoid",
    "logistic",
    "softplus",
    "erf",
    "Phi",
    "phi",
    "relu",
]
BINARY = ("{} + {}", "{} - {}", "({}) * ({})", "({}) * ({})", "({}) / ({})", "max({}, {})", "min({}, {})")
OTHERS = ("clip({}, -1, 2)", "where({} > 0.5, {}, {})", "({})^2", "abs({})^1.5", "-({})")
NUMBERS = ("0.5", "2", "3", "0.1", "-1", "1.7")


def random_formula(draw: random.Random, depth: int = 4) -> str:
    """A formula with x in it, of at most `depth` calls within each other."""
    text = _any(draw, depth)
    return text if "x" in text.replace("exp", "").replace("max", "") else f"x * ({text})"


def _any(draw: random.Random, depth: int) -> str:
    if depth == 0 or draw.random() < 0.15:
        return "x" if draw.random() < 0.75 else draw.choice(NUMBERS)
    kind = draw.random()
    if kind < 0.45:
        return f"{draw.choice(ROOTS + SHAPES)}({_any(draw, depth - 1)})"
    form = draw.choice(BINARY if kind < 0.85 else OTHERS)
    return form.format(*(_any(draw, depth - 1) for _ in range(form.count("{}"))))


def random_formulas(count: int, seed: int = 0) -> list[str]:
    """Without those that are refused for a constant that is no number, such as sqrt(-1)."""
    draw = random.Random(seed)
    found: list[str] = []
    while len(found) < count:
        text = random_formula(draw)
        with contextlib.suppress(RecipeError):
            prepare(text, {}, {})
            found.append(text)
    return found
