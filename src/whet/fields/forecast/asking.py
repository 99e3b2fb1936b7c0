"""What a trained network is asked: series that end now -> the window at each one's end, and the answer as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whet.data.core import Data, Inputs
from whet.errors import DataError
from whet.fields.forecast.building import level, told
from whet.fields.forecast.clock import features, step_from
from whet.fields.forecast.grid import Grid, filled, gridded
from whet.fields.forecast.intervals import Intervals
from whet.fields.forecast.panel import Panel, Windows
from whet.fields.forecast.reading import numbers, rows_of, table_of
from whet.tasks.forecast import Units, middle

WIDTHS = "intervals"
"""Where task.json keeps the intervals."""


def spec_of(data: Data) -> dict[str, Any]:
    """What `load_inputs` has to know; JSON-able."""
    panel, source, step = data.x.panel, data.x.more["source"], data.x.more["step"]
    units = zip(panel.names, panel.units.mean, panel.units.std, *panel.helper_units, strict=True)
    return {
        "domain": "series",
        "time": source.time,
        "series": source.series,
        "channels": list(panel.channels),
        "covariates": list(panel.helpers),
        "step": step.to_dict(),
        "lookback": panel.lookback,
        "horizon": panel.horizon,
        "season": panel.season,
        "calendar": panel.calendar.shape[1],
        "units": {name: [v.tolist() for v in values] for name, *values in units},
    }


def load_inputs(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """The last window of each series. Raises DataError for other columns, another step, or series that are too short."""
    said: list[str] = []
    rows, problems = _rows(source, spec, said)
    on_grid = gridded(rows, step_from(spec["step"]))
    said += told(on_grid.counts, spec["time"])
    long = [g for g in on_grid.series if len(g.values) >= spec["lookback"]]
    _refuse_short(on_grid.series, long, spec["lookback"], said)
    panel = _panel(long, spec, said)
    starts = panel.bounds[1:] - panel.horizon - panel.lookback
    windows = Windows(panel, starts, {WIDTHS: spec.get(WIDTHS)})
    return Inputs(windows, ids=times_of(windows), problems=problems, said=tuple(said))


def _rows(source: Any, spec: Mapping[str, Any], said: list[str]) -> tuple[Any, Any]:
    raw, timed = table_of(source)
    wanted = [*spec["channels"], *spec["covariates"]]
    frame = raw.frame
    if not timed and spec["time"]:
        raise DataError("The model was trained on a table with time stamps.", f"Give one with {spec['time']!r} in it.")
    if not timed and frame.width == len(wanted):
        frame = frame.rename(dict(zip(frame.columns, wanted, strict=True)))
    needed = [c for c in (spec["time"], spec["series"], *wanted) if c]
    if missing := [c for c in needed if c not in frame.columns]:
        raise DataError(
            f"The data has no column {missing[0]!r} (columns {', '.join(frame.columns[:8])}).",
            f"The model was trained on {', '.join(needed[:8])}.",
        )
    from whet.data.table_kinds import Kind, conform

    columns = [numbers(conform(frame[c], Kind("number"), raw.decimal_comma)[0]) for c in wanted]
    for name, column in zip(wanted, columns, strict=True):
        if not np.isfinite(column).any():
            raise DataError(f"Column {name!r} has no number in it.", "The model was trained on numbers there.")
    rows = rows_of(frame, np.stack(columns, 1), spec["time"], spec["series"], "", said)
    return rows, raw.problems


def _refuse_short(every: Sequence[Grid], long: Sequence[Grid], lookback: int, said: list[str]) -> None:
    if not long:
        longest = max((len(g.values) for g in every), default=0)
        raise DataError(
            f"A forecast looks back on {lookback:,} steps, and the data has {longest:,}.", "Give a longer past."
        )
    if short := [g.name for g in every if len(g.values) < lookback]:
        said.append(
            f"{len(short):,} series are shorter than {lookback:,} steps and left out (the first: {short[0]!r})."
        )


def _panel(grids: Sequence[Grid], spec: Mapping[str, Any], said: list[str]) -> Panel:
    """The series in the units of their training, each with room for the horizon behind it."""
    channels, horizon, calendar = len(spec["channels"]), spec["horizon"], spec["calendar"]
    known, units, values, dates = spec["units"], [], [], []
    new = [g.name for g in grids if g.name not in known]
    if new:
        said.append(
            f"{len(new):,} series were not in the training data (the first: {new[0]!r}): scaled by their own values."
        )
    for grid in grids:
        mean, std = _units(grid, known)
        units.append((mean, std))
        steps = len(grid.values) + horizon
        values.append(np.pad((filled(grid.values) - mean) / std, ((0, horizon), (0, 0))).astype(np.float32))
        dates.append(features(grid.clock.ticks(steps), grid.clock.step, calendar))
    mean, std = (np.stack(v)[:, :channels] for v in zip(*units, strict=True))
    whole = np.concatenate(values)
    return Panel(
        values=np.ascontiguousarray(whole[:, :channels]),
        known=np.ones((len(whole), channels), bool),
        covariates=np.ascontiguousarray(whole[:, channels:]),
        calendar=np.concatenate(dates),
        bounds=np.cumsum([0, *(len(v) for v in values)]),
        clocks=tuple(g.clock for g in grids),
        names=tuple(g.name for g in grids),
        channels=tuple(spec["channels"]),
        units=Units(mean, std, np.ones_like(mean)),
        lookback=spec["lookback"],
        horizon=horizon,
        season=spec["season"],
    )


def _units(grid: Grid, known: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    if grid.name not in known:
        return level(grid.values, np.array([0, len(grid.values)]))
    mean, std, helper_mean, helper_std = (np.asarray(v, float) for v in known[grid.name])
    return np.concatenate([mean, helper_mean]), np.concatenate([std, helper_std])


# -- the answer ----------------------------------------------------------------------------------------------------


def times_of(windows: Windows) -> list[str]:
    """The stamp of each line of the answer: step by step, channel by channel, of each window in turn."""
    panel = windows.panel
    written = []
    for start in windows.starts.tolist():
        series = int(np.searchsorted(panel.bounds, start, "right")) - 1
        ahead = panel.clocks[series].later(start - int(panel.bounds[series]) + panel.lookback)
        written += [stamp for stamp in ahead.written(panel.horizon) for _ in panel.channels]
    return written


def answer(predicted: np.ndarray, windows: Windows) -> dict[str, Any]:
    """series, step, prediction, low, high: a line per window, step and channel, in the data's own units."""
    panel = windows.panel
    of = np.searchsorted(panel.bounds, windows.starts, "right") - 1
    mean, std = panel.units.mean[of][:, None], panel.units.std[of][:, None]
    said = middle(predicted).reshape(len(windows), panel.horizon, len(panel.channels)) * std + mean
    names = [
        _name(panel.names[s], c, len(panel.channels)) for s in of for _ in range(panel.horizon) for c in panel.channels
    ]
    steps = np.broadcast_to(np.arange(1, panel.horizon + 1)[None, :, None], said.shape).ravel()
    columns = {"series": names, "step": steps.tolist(), "prediction": said.ravel()}
    known = windows.more.get(WIDTHS)
    if known:
        low, high = Intervals.from_dict(known).around(predicted, panel.inputs()[0], windows.starts)
        columns |= {"low": (low * std + mean).ravel(), "high": (high * std + mean).ravel()}
    return columns


def _name(series: str, channel: str, channels: int) -> str:
    """What a line is about: the series, the channel, or both."""
    if not series:
        return channel
    return series if channels == 1 else f"{series}/{channel}"
