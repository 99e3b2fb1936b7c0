"""The facts of every entry, kept in facts.json beside this file, so that a list of all of them is there at once.

Computing them takes some seconds. `python -m whet.activations.table` writes the file anew; a test compares the two.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from whet.activations.entry import Activation
from whet.activations.facts import Facts, facts

FILE = Path(__file__).with_name("facts.json")
DIGITS = 6


@dataclass(frozen=True)
class Row:
    """What `Facts` says of an entry with its default parameters, in numbers and words; see there."""

    low: float
    high: float
    low_attained: bool
    high_attained: bool
    monotone: str | None
    convexity: str | None
    smoothness: float
    lipschitz: float
    saturates_left: float | None
    saturates_right: float | None
    odd: bool
    even: bool
    positive_homogeneous: bool
    sparsity: float
    mean: float
    second_moment: float
    slope_mean: float
    slope_second_moment: float
    fixed_point: float | None
    fixed_point_stable: bool
    bounded: bool
    zero_centred: bool
    self_normalising: bool


def row_of(found: Facts) -> Row:
    """The row of some facts, with DIGITS significant digits."""
    named = {name: getattr(found, name) for name in Row.__dataclass_fields__ if not name.startswith("slope_")}
    slopes = {
        "slope_mean": found.moments.slope_mean.value,
        "slope_second_moment": found.moments.slope_second_moment.value,
    }
    values: dict[str, Any] = {name: _rounded(value) for name, value in {**named, **slopes}.items()}
    return Row(**values)


def _rounded(value: Any) -> Any:
    """Six digits; what is nothing but the error of an integral is 0."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return float(f"{value:.{DIGITS}g}") if abs(value) > 1e-9 else 0.0


@lru_cache(maxsize=1)
def table() -> dict[str, Row]:
    """The stored row of each elementwise entry, by name. Infinities are infinite floats."""
    stored: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: Row(**{key: _number(value) for key, value in row.items()}) for name, row in stored.items()}


def _number(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf") else value


def known(entry: Activation) -> Row | None:
    """The stored facts of an entry; None where it isn't a function of one number."""
    return table().get(entry.name)


def computed(entry: Activation) -> Row:
    return row_of(facts(entry.name))


def as_text(rows: dict[str, Row]) -> str:
    """The content of the file: a line for each entry."""
    lines = [f"{json.dumps(name)}: {json.dumps(_plain(row))}" for name, row in rows.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _plain(row: Row) -> dict[str, Any]:
    return {k: str(v) if isinstance(v, float) and math.isinf(v) else v for k, v in asdict(row).items()}


def write() -> None:
    """Compute the facts of all entries and store them."""
    from whet.activations import ACTIVATIONS

    rows = {entry.name: computed(entry) for entry in ACTIVATIONS if entry.elementwise}
    FILE.write_text(as_text(rows), encoding="utf-8")


if __name__ == "__main__":
    write()
