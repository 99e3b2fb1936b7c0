"""Rows of series -> a panel in standard units, split in time: what `Data` holds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from whet.data.core import Data, Roles
from whet.data.raw import counted
from whet.errors import DataError
from whet.fields.forecast.clock import calendar_columns, features, seasons
from whet.fields.forecast.grid import Counts, Grid, Gridded, filled, gridded
from whet.fields.forecast.panel import Panel, Windows
from whet.fields.forecast.parting import look_back, parts_of, refuse_empty, rows_of_parts, thinned
from whet.fields.forecast.reading import Source, horizon_of, read
from whet.fields.forecast.season import Seasonality, find_season
from whet.record import Finding
from whet.tasks.forecast import Units

MUCH_FILLED = 0.05
"""Share of filled-in numbers from which on it is a finding."""


def load(source: Any, *, target: str | None, holdout: Any, split: str | None, roles: Roles) -> Data:
    """The data of a forecast. Raises DataError, in one clear line, for what can't be learned from."""
    horizon = horizon_of(roles)
    found = read(source, target, holdout, split, roles)
    on_grid = gridded(found.rows)
    channels = len(found.channels)
    season = season_of(on_grid, channels, horizon)
    lookback, why = (roles.lookback, "as given") if roles.lookback else chosen(on_grid, horizon, season, channels)
    spans = [parts_of(grid, lookback, horizon) for grid in on_grid.series]
    kept = [cut(grid, span) for grid, span in zip(on_grid.series, spans, strict=True)]
    panel = panel_of(kept, spans, found, lookback, horizon, season.length)
    parts, fewer = thinned(rows_of_parts(spans, panel.bounds, lookback, horizon), horizon * channels)
    refuse_empty(parts, on_grid.series, lookback, horizon)
    refuse_constant(panel)
    filled_in = 1 - float(panel.known.mean())
    said = [
        *found.said,
        *told(on_grid.counts, found.time),
        f"{what(found, on_grid)}; season {season_in_words(season)}; look-back {lookback} ({why}), horizon {horizon}.",
        *too_short(spans, found.rows, lookback, horizon),
        *([fewer] if fewer else []),
    ]
    more = {"season": season, "step": on_grid.step, "counts": on_grid.counts, "spans": spans, "source": found}
    return Data(
        name=found.name,
        domain="series",
        x=Windows(panel, np.arange(panel.windows), more),
        y=panel.futures(),  # type: ignore[arg-type]  # rows first, as an array has them
        goal="forecast",
        classes=(),
        target=", ".join(found.channels),
        official=parts,
        problems=found.problems,
        said=tuple(said),
        findings=tuple(findings(panel, filled_in)),
        fingerprint=fingerprint(panel, parts),
    )


def season_of(on_grid: Gridded, channels: int, horizon: int) -> Seasonality:
    """Found in what comes before the last horizons, which are not looked at."""
    every = [filled(g.values[: max(1, len(g.values) - 2 * horizon), :channels]) for g in on_grid.series]
    return find_season([column for values in every for column in values.T], seasons(on_grid.step))


def chosen(on_grid: Gridded, horizon: int, season: Seasonality, channels: int) -> tuple[int, str]:
    return look_back([len(g.values) for g in on_grid.series], horizon, season.length, channels, season.cycle)


def cut(grid: Grid, span: np.ndarray) -> Grid:
    """The series without what comes after its last part."""
    end = int(span.max(initial=0)) or len(grid.values)
    return Grid(grid.name, grid.clock, grid.values[:end], None)


def panel_of(
    grids: Sequence[Grid], spans: Sequence[np.ndarray], found: Source, lookback: int, horizon: int, season: int
) -> Panel:
    """The series one after the other, each in units of its training part."""
    channels = len(found.channels)
    mean, std = (
        np.stack(v) for v in zip(*(level(g.values, s[0]) for g, s in zip(grids, spans, strict=True)), strict=True)
    )
    raw = np.concatenate([g.values for g in grids])
    longest = max(grids, key=lambda g: len(g.values))
    known_ahead = calendar_columns(longest.clock.ticks(len(longest.values)), longest.clock.step)
    sizes = [len(g.values) for g in grids]
    of = np.repeat(np.arange(len(grids)), sizes)
    standard = [(filled(g.values) - m) / s for g, m, s in zip(grids, mean, std, strict=True)]
    values = np.concatenate(standard).astype(np.float32)
    naive = np.stack(
        [naive_error(v[s[0, 0] : s[0, 1], :channels], season) for v, s in zip(standard, spans, strict=True)]
    )
    return Panel(
        values=np.ascontiguousarray(values[:, :channels]),
        known=np.isfinite(raw[:, :channels]),
        covariates=np.ascontiguousarray(values[:, channels:]),
        calendar=np.concatenate([features(g.clock.ticks(len(g.values)), g.clock.step, known_ahead) for g in grids]),
        bounds=np.searchsorted(of, np.arange(len(grids) + 1)),
        clocks=tuple(g.clock for g in grids),
        names=tuple(g.name for g in grids),
        channels=found.channels,
        units=Units(mean[:, :channels], std[:, :channels], naive),
        lookback=lookback,
        horizon=horizon,
        season=season,
        helpers=found.covariates,
        helper_units=(mean[:, channels:], std[:, channels:]),
    )


def level(values: np.ndarray, span: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, standard deviation) of each column's measured training steps; 0 and 1 where there are none or one value."""
    train = values[span[0] : span[1]]
    known = np.isfinite(train)
    count = np.maximum(1, known.sum(0))
    mean = np.where(known, train, 0).sum(0) / count
    std = np.sqrt((np.where(known, train - mean, 0) ** 2).sum(0) / count)
    return mean, np.where(std > 1e-9 * np.maximum(1, np.abs(mean)), std, 1.0)


def naive_error(train: np.ndarray, season: int) -> np.ndarray:
    """(C,): mean |x_t - x_{t-m}|, with m = 1 where the training part is no longer than a season."""
    lag = season if season < len(train) else 1
    return np.abs(train[lag:] - train[:-lag]).mean(0) if len(train) > lag else np.zeros(train.shape[1])


def refuse_constant(panel: Panel) -> None:
    if not (np.ptp(panel.values, axis=0) > 0).any():
        raise DataError(
            f"{'The series is' if len(panel.channels) == 1 else 'All series are'} constant: there is nothing to forecast.",
            "Name another --target.",
        )


# -- what is said --------------------------------------------------------------------------------------------------


def what(found: Source, on_grid: Gridded) -> str:
    """The panel in words."""
    many = f"{len(on_grid.series):,} series" if found.series else counted(len(found.channels), "channel")
    each = f" of {counted(len(found.channels), 'channel')}" if found.series and len(found.channels) > 1 else ""
    steps = f"{on_grid.counts.steps:,} steps" + (f" of {on_grid.step}" if found.time else "")
    return f"{many}{each}, {steps}"


def season_in_words(season: Seasonality) -> str:
    if not season.by:
        return "none"
    above = f", and {season.cycle} above it" if season.cycle > season.length else ""
    return f"{season.length} steps (by {season.by}, autocorrelation {season.strength:.2f}){above}"


def told(counts: Counts, time: str) -> list[str]:
    """What was put right, with counts."""
    said = []
    if counts.unsorted:
        said.append(f"Rows sorted by {time!r}: {counts.unsorted:,} came before an earlier one.")
    if counts.doubled:
        said.append(f"{counts.doubled:,} rows share their time stamp with another: their means are taken.")
    if counts.irregular:
        said.append(f"{counts.irregular:,} stamps off the grid were moved to its nearest step.")
    if counts.missing:
        said.append(
            f"{counts.missing:,} of {counts.steps:,} steps have no row: bridged by straight lines, and not scored."
        )
    if counts.empty:
        said.append(f"{counted(counts.empty, 'missing number')}: bridged by straight lines, and not scored.")
    return said


def too_short(spans: Sequence[np.ndarray], rows: Sequence[Any], lookback: int, horizon: int) -> list[str]:
    short = [r.name for s, r in zip(spans, rows, strict=True) if s[0, 1] - s[0, 0] < lookback + horizon]
    if not short:
        return []
    return [
        f"{len(short):,} of {len(rows):,} series have no whole training window of {lookback} + {horizon} steps "
        f"(the first: {short[0]!r})."
    ]


def findings(panel: Panel, filled_in: float) -> list[Finding]:
    found = []
    if filled_in > MUCH_FILLED:
        cause = f"{filled_in:.0%} of the numbers were missing and are filled in."
        found.append(
            Finding("gaps", cause, advice="Forecasts lean on straight lines there; check where they come from.")
        )
    still = [n for n, c in zip(panel.channels, panel.values.T, strict=True) if np.ptp(c) == 0]
    if still:
        cause = f"{len(still)} of {len(panel.channels)} columns never change."
        found.append(Finding("constant", cause, where=", ".join(still[:5]), advice="Leave them out with --target."))
    return found


def fingerprint(panel: Panel, parts: Any) -> str:
    digest = hashlib.sha256(repr((panel.channels, panel.names, panel.lookback, panel.horizon, panel.clocks)).encode())
    for array in (panel.values, panel.known, panel.covariates, panel.units.mean, panel.units.std, *parts.values()):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
