"""Splits in time, and how far a forecast looks back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from whet.data.core import PARTS
from whet.errors import DataError
from whet.fields.forecast.grid import Grid
from whet.fields.forecast.season import typical

TEST_SHARE, VAL_SHARE = 0.2, 0.15
"""Of a series' steps, the last ones; a horizon at least."""
MOST_NUMBERS = {"val": 40_000_000, "test": 120_000_000}
"""Of all forecasts of a part: 160 and 480 MB."""
BACK_HORIZONS, BACK_SEASONS = 3, 14
"""A look-back covers so many horizons and so many seasons, …"""
MOST_BACK = 720
"""… at most so many steps, …"""
NUMBERS_PER_STEP = 40
"""… and at most as many that each step of it has so many training numbers, …"""
SEASONS_WITHIN = 4
"""… or two seasons, where the training part is so many times as long. On validation parts, mean absolute scaled errors:
144 months, 24 steps 0.56 and 32 steps 0.60; ten years of days, 60 steps 0.72 and 720 steps 0.75; and the other way round
the more channels share a map: ETTh1's 7 have room for all that is wished."""


CYCLES_WITHIN = 12
"""Or a season more than the cycle above it, where the training part holds so many of these. 4,800 hours of a load with
weekends: 192 steps 0.517, 81 steps 0.756 (validation rows)."""


def look_back(lengths: Sequence[int], horizon: int, season: int, channels: int = 1, cycle: int = 1) -> tuple[int, str]:
    """(steps, why) for series of these lengths, of so many channels each."""
    usual, whole = typical(lengths), sum(lengths)
    share = (1 - TEST_SHARE) * (1 - VAL_SHARE)
    train = max(1, round(usual * share))
    over = cycle + season if cycle > season and CYCLES_WITHIN * cycle <= train else 0
    wished = min(MOST_BACK, max(BACK_HORIZONS * horizon, BACK_SEASONS * season if season > 1 else 0, over, 8))
    seasons = 2 * season if SEASONS_WITHIN * 2 * season <= train else 0
    room = max(min(train // 2, round(whole * share) * channels // NUMBERS_PER_STEP), seasons, over)
    found = max(1, min(wished, room, usual - 3 * horizon))
    reason = f"{BACK_HORIZONS} horizons, {BACK_SEASONS} seasons" if wished <= room else "what the series' length allows"
    return found, reason


def parts_of(grid: Grid, lookback: int, horizon: int) -> np.ndarray:
    """int64 (3, 2): from and to of the training, validation and test steps; empty where the series is too short."""
    length = len(grid.values)
    given = _given(grid) if grid.part is not None else {"train": (0, length)}
    begin, end = given["train"]
    test, end = _carved(given.get("test"), end, begin, TEST_SHARE, horizon, 2 * horizon + lookback)
    val, end = _carved(given.get("val"), end, begin, VAL_SHARE, horizon, horizon + lookback)
    return np.array([(begin, end), val, test], np.int64)


def _carved(
    given: tuple[int, int] | None, end: int, begin: int, share: float, horizon: int, needed: int
) -> tuple[tuple[int, int], int]:
    """(a part: the given one or the last steps before `end`, what is left's end)."""
    if given is not None:
        return given, end
    size = min(max(horizon, round(share * (end - begin))), max(0, end - needed))
    return (end - size, end), end - size


def _given(grid: Grid) -> Mapping[str, tuple[int, int]]:
    """The steps of each part that the rows name. Raises DataError where a part is torn, or the order is another."""
    assert grid.part is not None
    found: dict[str, tuple[int, int]] = {}
    before = 0
    for i, name in enumerate(PARTS):
        steps = np.flatnonzero(grid.part == i)
        if not len(steps):
            continue
        begin, end = int(steps[0]), int(steps[-1]) + 1
        if end - begin != len(steps) or begin < before:
            where = f" of series {grid.name!r}" if grid.name else ""
            raise DataError(
                f"The {name} rows{where} don't follow in time: a forecast must be tested on what comes later.",
                "Let train come first, then val, then test.",
            )
        found[name], before = (begin, end), end
    return found or {"train": (0, 0)}


def starts_in(span: tuple[int, int], lookback: int, horizon: int) -> np.ndarray:
    """First steps of the windows whose forecasts lie inside a span; they may look back before it."""
    first = max(0, span[0] - lookback)
    return np.arange(first, max(first, span[1] - lookback - horizon + 1), dtype=np.int64)


def rows_of_parts(
    spans: Sequence[np.ndarray], bounds: np.ndarray, lookback: int, horizon: int
) -> dict[str, np.ndarray]:
    """{"train", "val", "test"} -> the windows of all series."""
    found = {}
    for i, name in enumerate(PARTS):
        each = [begin + starts_in(tuple(s[i]), lookback, horizon) for s, begin in zip(spans, bounds, strict=False)]
        found[name] = np.concatenate(each) if each else np.empty(0, np.int64)
    return found


def thinned(parts: Mapping[str, np.ndarray], numbers: int) -> tuple[dict[str, np.ndarray], str]:
    """(the parts, with windows left out evenly where the forecasts of all of them would fill the memory; what to say).

    `numbers`: of one forecast, horizon times channels.
    """
    steps = {name: -(-len(parts[name]) * numbers // most) or 1 for name, most in MOST_NUMBERS.items()}
    found = {name: rows[:: steps.get(name, 1)] for name, rows in parts.items()}
    left = [f"every {step}. of the {name} windows" for name, step in steps.items() if step > 1]
    return found, f"Of so many numbers {' and '.join(left)} is looked at." if left else ""


def refuse_empty(parts: Mapping[str, np.ndarray], grids: Sequence[Grid], lookback: int, horizon: int) -> None:
    """Raises DataError, with the numbers that are needed, where a part has no window."""
    empty = [name for name, rows in parts.items() if not len(rows)]
    if not empty:
        return
    longest = max(len(g.values) for g in grids)
    need = lookback + 3 * horizon
    if longest < need:
        raise DataError(
            f"The {'series has' if len(grids) == 1 else 'longest series has'} {longest:,} steps; a look-back of {lookback:,} "
            f"and a horizon of {horizon:,} in each of three parts need {need:,}.",
            "Take a shorter --horizon or --lookback, or give more data.",
        )
    raise DataError(
        f"No window fits into the {empty[0]} part: it needs {horizon:,} steps in a row after {lookback:,} to look back on.",
        "Take a shorter --horizon or --lookback, or another split.",
    )
