"""What kind each parameter of a list of candidates is, read off its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.errors import SearchError
from whet.search.choices import Categorical
from whet.search.plain import is_number
from whet.search.ranges import Float, Int

if TYPE_CHECKING:
    from whet.search.space import Parameter

FACTOR = 10.0
"""Numbers are looked at by their logarithm only where the largest is at least so many times the smallest."""


def inferred(candidates: Sequence[Mapping[str, Any]]) -> dict[str, Parameter]:
    """Numbers become ranges, on the scale on which they lie most evenly; everything else becomes categories."""
    if not candidates or not all(candidates):
        raise SearchError("There are no candidates, or an empty one.", "Give a list of dicts with a value per name.")
    names = list(dict.fromkeys(name for c in candidates for name in c))
    return {name: of_values([c[name] for c in candidates if name in c]) for name in names}


def of_values(values: Sequence[Any]) -> Parameter:
    distinct = list(dict.fromkeys(values))
    if len(distinct) < 2 or not all(map(is_number, distinct)):
        return Categorical(distinct)
    low, high = min(distinct), max(distinct)
    if all(isinstance(v, int) for v in distinct):
        return Int(low, high, log=scale_of(values) == "log")
    scale = scale_of(values)
    return Float(float(low), float(high), log=scale == "log", to_one=scale == "to one")


def scale_of(values: Sequence[float]) -> str:
    """ "linear", "log" or "to one": where these numbers lie most evenly, by the largest gap to an even spread."""
    x = np.sort(np.array(values, float))
    scales = {"linear": x}
    if x[0] > 0 and x[-1] >= FACTOR * x[0]:
        scales["log"] = np.log(x)
    if x[0] >= 0 and x[-1] < 1 and 1 - x[0] >= FACTOR * (1 - x[-1]):
        scales["to one"] = -np.log1p(-x)
    return min(scales, key=lambda name: unevenness(scales[name]))


def unevenness(x: np.ndarray) -> float:
    """The largest distance between the share of values below a point and the share of the range (Kolmogorov)."""
    u = (x - x[0]) / (x[-1] - x[0])
    return float(np.abs(u - np.linspace(0, 1, len(u))).max())
