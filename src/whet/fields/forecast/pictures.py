"""A forecast at a glance: examples with their intervals against the truth, the error step by step, and by series."""

from __future__ import annotations

import numpy as np

from whet.fields.base import Shown
from whet.fields.forecast.asking import WIDTHS
from whet.fields.forecast.intervals import Intervals
from whet.fields.forecast.results import name_of
from whet.figures import Bars, Figure, Lines
from whet.tasks.forecast import Futures, by_series, errors, mean_over, middle

EXAMPLES = 3
LISTED = 20
BESIDE = 2
"""Baselines that are drawn beside the network: the best ones."""
PAST = 2
"""Horizons of the look-back that are drawn before a forecast."""


def figures(shown: Shown) -> tuple[Figure, ...]:
    return (*examples(shown), by_step(shown), *by_name(shown))


def examples(shown: Shown) -> list[Lines]:
    """Test windows whose error is at the quartiles, the middle one first; of each its most typical channel."""
    truth: Futures = shown.truth  # type: ignore[assignment]
    each = mean_over(errors(truth, shown.predicted) ** 2, (1, 2))
    order = np.argsort(each)
    picks = [order[int(share * (len(order) - 1))] for share in (0.5, 0.25, 0.75)][: min(EXAMPLES, len(order))]
    return [example(shown, truth, int(i), n) for n, i in enumerate(dict.fromkeys(picks))]


def example(shown: Shown, truth: Futures, window: int, number: int) -> Lines:
    """One window: what came before, what came, what was said, and how sure it was."""
    panel, start = shown.data.x.panel, int(shown.parts["test"][window])
    series, channel = int(truth.series[window]), number % len(panel.channels)
    mean, std = panel.units.mean[series, channel], panel.units.std[series, channel]
    now, ahead = start + panel.lookback, panel.horizon
    begin = max(start, now - PAST * ahead)
    past = np.where(panel.known[begin:now, channel], panel.values[begin:now, channel], np.nan)
    gone, empty = len(past), np.full(len(past), np.nan)
    predicted = shown.predicted[[window]]
    said = middle(predicted).reshape(ahead, -1)[:, channel] * std + mean
    came = truth.values[window][:, channel] * std + mean
    bands = {}
    if known := shown.network.inputs.get(WIDTHS):
        ends = Intervals.from_dict(known).around(predicted, panel.inputs()[0], [start])
        low, high = (np.concatenate([empty, end[0, :, channel] * std + mean]) for end in ends)
        bands = {"forecast": (low, high)}
    return Lines(
        f"Forecast of {name_of(panel, series, channel)}",
        np.arange(-gone, ahead) + 1.0,
        {"truth": np.concatenate([past * std + mean, came]), "forecast": np.concatenate([empty, said])},
        x_label="steps ahead",
        bands=bands,
        spans=((0.5, ahead + 0.5, "forecast"),),
        note=f"A test window with a {('typical', 'small', 'large')[number]} error; the band is to cover 90 %.",
    )


def by_step(shown: Shown) -> Lines:
    """Mean squared error at each step, of the network and the best baselines."""
    truth: Futures = shown.truth  # type: ignore[assignment]
    curves = {"network": _curve(truth, shown.predicted)}
    others = {name: _curve(truth, p) for name, p in shown.baselines.items()}
    best = sorted(others, key=lambda name: float(mean_over(others[name], (0,))))[:BESIDE]
    steps = np.arange(1.0, len(curves["network"]) + 1)
    return Lines(
        "Error by step",
        steps,
        curves | {name: others[name] for name in best},
        x_label="steps ahead",
        y_label="mean squared error, standard units",
    )


def _curve(truth: Futures, predicted: np.ndarray) -> np.ndarray:
    return mean_over(errors(truth, predicted) ** 2, (0, 2))


def by_name(shown: Shown) -> list[Bars]:
    """Mean squared error of each series or channel, the worst first."""
    panel, truth = shown.data.x.panel, shown.truth
    found = by_series(truth, errors(truth, shown.predicted) ** 2)  # type: ignore[arg-type]
    named = [
        (name_of(panel, s, c), float(found[s, c])) for s, c in np.ndindex(*found.shape) if np.isfinite(found[s, c])
    ]
    if len(named) < 2:
        return []
    named = sorted(named, key=lambda pair: -pair[1])[:LISTED]
    return [Bars("Error by series", [n for n, _ in named], {"network": [v for _, v in named]}, "mean squared error")]
