"""What a forecast's result says beyond the metrics: coverage of the intervals, errors by series, by step, in own units."""

from __future__ import annotations

from typing import Any

import numpy as np

from whet.fields.base import Shown
from whet.fields.forecast.asking import WIDTHS
from whet.fields.forecast.intervals import Intervals, covered
from whet.tasks.forecast import by_series, errors, mean_over

MOST_LISTED = 50


def extra(shown: Shown) -> dict[str, Any]:
    """Further entries of result.json."""
    panel, truth = shown.data.x.panel, shown.truth
    found: dict[str, Any] = {
        "lookback": panel.lookback,
        "horizon": panel.horizon,
        "season": panel.season,
        "windows_overlap": "ci95 resamples stretches of windows as long as the horizon",
        "rmse_own_units": in_own_units(shown, shown.predicted),
        "rmse_own_units_baselines": {name: in_own_units(shown, p) for name, p in shown.baselines.items()},
    }
    known = shown.network.inputs.get(WIDTHS)
    if known:
        half = Intervals.from_dict(known).of(panel.inputs()[0], shown.parts["test"])
        inside = covered(truth, shown.predicted, half)  # type: ignore[arg-type]
        found["intervals"] = {
            "by": "split conformal, validation errors per step and channel, wider where the look-back swings more",
            "wanted": known["level"],
            "covered_on_test": _rounded(mean_over(inside, (0, 1))),
            "covered_at_first_and_last_step": [_rounded(mean_over(inside[i], (0,))) for i in (0, -1)],
        }
    return found


def in_own_units(shown: Shown, predicted: np.ndarray) -> dict[str, float | None]:
    """series/channel -> root mean squared error in its own unit; of the first so many."""
    panel = shown.data.x.panel
    mean = by_series(shown.truth, errors(shown.truth, predicted) ** 2)  # type: ignore[arg-type]
    own = np.sqrt(mean) * panel.units.std
    names = [(s, c) for s in range(len(panel.names)) for c in range(len(panel.channels))]
    return {name_of(panel, s, c): _rounded(own[s, c]) for s, c in names[:MOST_LISTED]}


def name_of(panel: Any, series: int, channel: int) -> str:
    """What a line of a table is about."""
    if not panel.names[series]:
        return str(panel.channels[channel])
    return panel.names[series] + (f"/{panel.channels[channel]}" if len(panel.channels) > 1 else "")


def _rounded(x: Any) -> float | None:
    return round(float(x), 6) if np.isfinite(x) else None
