"""What a forecast's result says beyond the metrics: coverage of the intervals, errors by series, by step, in own units."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from whet.fields.base import Shown
from whet.fields.forecast.asking import WIDTHS
from whet.fields.forecast.intervals import Intervals, covered, ends
from whet.tasks.forecast import Futures, by_series, errors, mean_over

MOST_LISTED = 50
SWINGS = "split conformal, validation errors per step and channel, wider where the look-back swings more"
QUANTILES = "the network's outer quantiles, moved by how far validation values lay outside them, per step and channel"


def extra(shown: Shown) -> dict[str, Any]:
    """Further entries of result.json."""
    panel, truth = shown.data.x.panel, cast(Futures, shown.truth)
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
        intervals = Intervals.from_dict(known).around(shown.predicted, panel.inputs()[0], shown.parts["test"])
        by = QUANTILES if shown.predicted.ndim == 3 else SWINGS
        found["intervals"] = {"by": by, "wanted": known["level"], **coverage(truth, *intervals)}
    if shown.predicted.ndim == 3:
        levels = shown.network.transform.levels
        said = coverage(truth, *ends(shown.predicted, truth.values.shape))
        found["quantiles"] = {"levels": list(levels), "wanted": _rounded(levels[-1] - levels[0]), **said}
    return found


def coverage(truth: Any, low: np.ndarray, high: np.ndarray) -> dict[str, Any]:
    """How much of the test part lies between these ends, and how far they are apart, in standard units."""
    inside = covered(truth, low, high)
    return {
        "covered_on_test": _rounded(mean_over(inside, (0, 1))),
        "covered_at_first_and_last_step": [_rounded(mean_over(inside[i], (0,))) for i in (0, -1)],
        "mean_width": _rounded(np.nanmean(high - low)),
    }


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
