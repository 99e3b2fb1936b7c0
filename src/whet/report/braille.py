"""Curves in the terminal: a braille character holds two columns of four dots."""

from __future__ import annotations

import math
from collections.abc import Sequence

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot, by column and by row from the top."""
EMPTY = 0x2800


def plot(values: Sequence[float], height: int, low: float, high: float) -> list[str]:
    """The lines, from the top, of a curve given at equal distances: two values per character, four dots per line.

    Neighbouring values are joined by a vertical stroke; what lies outside [low, high] is cut off, NaN is left out.
    """
    rows = 4 * height
    cells = [[EMPTY] * math.ceil(len(values) / 2) for _ in range(height)]
    previous: int | None = None
    for column, value in enumerate(values):
        row = _row(value, low, high, rows)
        if row is not None:
            start = row if previous is None else previous + (row > previous) - (row < previous)
            for dot in range(min(start, row), max(start, row) + 1):
                if 0 <= dot < rows:
                    cells[dot // 4][column // 2] |= DOTS[column % 2][dot % 4]
        previous = row
    return ["".join(map(chr, line)) for line in cells]


def _row(value: float, low: float, high: float, rows: int) -> int | None:
    """The dot row of a value, counted from the top; one outside the picture for a value outside."""
    if math.isnan(value):
        return None
    share = (value - low) / (high - low) if high > low else 0.5
    return round((1 - min(max(share, -1.0), 2.0)) * (rows - 1))


def spark(values: Sequence[float]) -> str:
    """One line, from the least to the greatest value."""
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return " " * math.ceil(len(values) / 2)
    return plot(values, 1, min(finite), max(finite))[0]
