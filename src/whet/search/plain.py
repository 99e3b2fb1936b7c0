"""What the kinds of parameters share: plain values, conditions, draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from whet.errors import SearchError

Side = Literal["low", "high"]
When = Mapping[str, Sequence[Any]]
STEP = 0.1
"""Standard deviation, in u, of the way from a number to its neighbour. Assumed."""


def is_number(value: Any) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, numpy's too; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def as_plain(value: Any) -> Any:
    """`value` with lists as tuples. Raises SearchError for what JSON can't hold."""
    if isinstance(value, list | tuple):
        return tuple(as_plain(v) for v in value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str) or is_number(value):
        return value
    raise SearchError(f"{value!r} can't be chosen.", "Use text, finite numbers, booleans, None, or lists of these.")


def as_when(when: When | None) -> dict[str, tuple[Any, ...]] | None:
    """A condition with a tuple of values for every name; one value may stand alone."""
    if when is None:
        return None
    if not isinstance(when, Mapping) or not when:
        raise SearchError(f"when={when!r} is no condition.", 'Write when={"optimizer": ("sgd", "adamw")}.')
    alone = (str, bool, int, float, type(None))
    return {name: (v,) if isinstance(v, alone) else tuple(as_plain(x) for x in v) for name, v in when.items()}


def told_when(when: When | None) -> dict[str, Any]:
    return {"when": {name: list(values) for name, values in when.items()}} if when else {}


def reflected(u: float) -> float:
    """u, turned back into [0, 1] at its ends."""
    u = abs(u) % 2
    return 2 - u if u > 1 else u


def picked(shares: Sequence[float], random: np.random.Generator) -> int:
    """An index, drawn in proportion to the shares."""
    edges = np.cumsum(shares)
    return min(int(np.searchsorted(edges, random.random() * edges[-1], side="right")), len(shares) - 1)
