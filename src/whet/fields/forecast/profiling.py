"""What the series look like, and what that suggests. Values are measured on the training part."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whet.data.core import PARTS, Data, Profile, Row, Section
from whet.fields.forecast.building import season_in_words
from whet.fields.forecast.panel import Panel
from whet.fields.forecast.season import strengths, wanders

SHOWN = 20
"""Channels or series that are listed one by one."""
STRONG, WEAK = 0.6, 0.3
STEADY = 0.463
"""The KPSS statistic above which a steady level is rejected at 5 %."""


def profile(data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
    """The profile of a panel."""
    sections = (
        Section("Series", _whole(data)),
        Section("Parts", _parts(data, parts)),
        Section("Shape of each series (training part)", _each(data)),
    )
    return Profile(data.name, sections, data.findings)


def _whole(data: Data) -> tuple[Row, ...]:
    panel, more = data.x.panel, data.x.more
    counts, season, source = more["counts"], more["season"], more["source"]
    first = panel.clocks[0].written(len(panel.values) if len(panel.names) == 1 else 1)
    lengths = np.diff(panel.bounds)
    rows = [
        Row("series", f"{len(panel.names):,}", ""),
        Row("channels", ", ".join(panel.channels[:8]) + (" …" if len(panel.channels) > 8 else "")),
        Row(
            "steps",
            _range(lengths),
            "" if lengths.min() >= 3 * panel.lookback else "short: simple methods are hard to beat",
        ),
        Row("step", str(more["step"]) if source.time else "rows"),
        Row("time", f"from {first[0]}" + (f" to {first[-1]}" if len(first) > 1 else "")),
        Row(
            "missing steps",
            f"{counts.missing:,} of {counts.steps:,}",
            "bridged by straight lines" if counts.missing else "",
        ),
        Row("missing numbers", f"{counts.empty:,}"),
        Row("doubled, irregular, unsorted", f"{counts.doubled:,}, {counts.irregular:,}, {counts.unsorted:,}"),
        Row("season", season_in_words(season), "" if season.by else "no calendar pattern to rely on"),
    ]
    if panel.helpers:
        rows.append(Row("other columns", ", ".join(panel.helpers[:8]), "known up to now only"))
    return tuple(rows)


def _range(lengths: np.ndarray) -> str:
    low, high = int(lengths.min()), int(lengths.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _parts(data: Data, parts: Mapping[str, np.ndarray]) -> tuple[Row, ...]:
    panel = data.x.panel
    rows = [Row("look-back, horizon", f"{panel.lookback:,}, {panel.horizon:,} steps")]
    for i, name in enumerate(PARTS):
        steps = sum(int(s[i, 1] - s[i, 0]) for s in data.x.more["spans"])
        rows.append(Row(name, f"{steps:,} steps, {len(parts[name]):,} windows"))
    return tuple(rows)


def _each(data: Data) -> tuple[Row, ...]:
    panel, spans = data.x.panel, data.x.more["spans"]
    named = [(s, c) for s in range(len(panel.names)) for c in range(len(panel.channels))]
    rows = [_shape(panel, s, c, panel.values[panel.bounds[s] :][: spans[s][0, 1], c]) for s, c in named[:SHOWN]]
    if len(named) > SHOWN:
        rows.append(Row("…", f"{len(named) - SHOWN:,} more"))
    return tuple(rows)


def _shape(panel: Panel, series: int, channel: int, train: np.ndarray) -> Row:
    name = "/".join(n for n in (panel.names[series], panel.channels[channel]) if n)
    mean, std = panel.units.mean[series, channel], panel.units.std[series, channel]
    trend, season = strengths(train.astype(np.float64), panel.season)
    level = wanders(train.astype(np.float64))
    value = f"mean {mean:.4g}, sd {std:.4g}; trend {trend:.2f}, season {season:.2f}, KPSS {level:.2f}"
    return Row(name, value, _hint(trend, season, level, panel.season))


def _hint(trend: float, season: float, level: float, length: int) -> str:
    hints = ["strongly seasonal"] if length > 1 and season >= STRONG else []
    hints += ["hardly any pattern: expect little"] if trend < WEAK and season < WEAK else []
    hints += ["its level wanders: windows are centred on themselves"] if level > STEADY else []
    return "; ".join(hints)
