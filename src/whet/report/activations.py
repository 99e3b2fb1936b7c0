"""An activation in words: what the terminal, the cards and their table say of its facts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from whet.activations import Activation
from whet.activations.scalar import Scalar, as_scalar
from whet.activations.table import Row

SMOOTH = {-1: "it jumps", 0: "kinks: the slope jumps", 1: "C1: the slope has kinks", 2: "C2"}
SMOOTH_SHORT = {-1: "jumps", 0: "kinks", 1: "C1", 2: "C2"}


def number(value: float, digits: int = 3) -> str:
    """With a true minus and infinity sign."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−")


def formula_of(entry: Activation) -> str:
    """The formula with its long numbers cut to five digits, for reading."""
    return re.sub(r"\d+\.\d{5,}", lambda match: f"{float(match.group()):.5g}", entry.formula)


def range_of(row: Row) -> str:
    """The values that the function takes, as an interval."""
    left, right = "[" if row.low_attained else "(", "]" if row.high_attained else ")"
    return f"{left}{number(row.low + 0.0)}, {number(row.high + 0.0)}{right}"


def parameters(entry: Activation) -> str:
    """Each parameter with its default and range."""
    said = []
    for name, default in entry.defaults.items():
        least, most = entry.ranges.get(name, (None, None))
        between = "" if least is None or most is None else f" ({number(least)} to {number(most)})"
        value = number(default) if isinstance(default, float) else str(default)
        said.append(f"{name} = {value}{between}")
    return "; ".join(said)


def facts_of(row: Row) -> list[tuple[str, str]]:
    """(what, value) for every fact, in the words of the cards."""
    return [
        ("range", range_of(row)),
        ("monotone", row.monotone or "no"),
        ("convex", row.convexity or "neither convex nor concave"),
        ("symmetry", symmetry(row)),
        ("smoothness", SMOOTH.get(int(row.smoothness), "smooth") if math.isfinite(row.smoothness) else "smooth"),
        ("steepest slope", number(row.lipschitz) if math.isfinite(row.lipschitz) else "unbounded"),
        ("saturates", saturation(row)),
        ("exact zeros", f"{number(100 * row.sparsity)} % of N(0, 1)"),
        ("mean", f"{number(row.mean)}" + (": zero-centred" if row.zero_centred else "")),
        ("mean square", number(row.second_moment)),
        ("mean slope", number(row.slope_mean)),
        ("mean squared slope", number(row.slope_second_moment)),
        ("gain", gain(row)),
        ("layer by layer", lengths(row)),
    ]


def symmetry(row: Row) -> str:
    named = [("odd", row.odd), ("even", row.even), ("f(c x) = c f(x) for c > 0", row.positive_homogeneous)]
    return ", ".join(word for word, holds in named if holds) or "none"


def saturation(row: Row) -> str:
    """Where the slope stays below 0.001."""
    if row.saturates_left is None and row.saturates_right is None:
        return "nowhere"
    left = f"below {number(row.saturates_left)}" if row.saturates_left is not None else ""
    right = f"above {number(row.saturates_right)}" if row.saturates_right is not None else ""
    return " and ".join(side for side in (left, right) if side)


def gain(row: Row) -> str:
    """What weights have to be multiplied by to keep the mean square at 1."""
    return number(1 / math.sqrt(row.second_moment)) if row.second_moment > 0 else "none"


def lengths(row: Row) -> str:
    """What becomes of the mean square from layer to layer, with weights of variance 1 / fan-in."""
    if row.self_normalising:
        return "drawn to mean 0, square 1"
    if row.fixed_point is None:
        return "square kept" if abs(row.second_moment - 1) < 1e-6 else "square grows"
    if row.fixed_point == 0:
        return "square shrinks to 0"
    direction = "drawn to" if row.fixed_point_stable else "driven away from"
    return f"square {direction} {number(row.fixed_point)}"


def scalar_of(entry: Activation) -> Scalar | None:
    """The function of an elementwise entry, with its defaults."""
    return as_scalar(entry.name) if entry.elementwise else None


def samples(scalar: Scalar, reach: float, count: int, slope: bool = False) -> Sequence[float]:
    """`count` values of f, or of f', at equal distances in [-reach, reach]."""
    at = np.linspace(-reach, reach, count)
    values: list[float] = (scalar.slope(at) if slope else scalar.value(at)).tolist()
    return values
