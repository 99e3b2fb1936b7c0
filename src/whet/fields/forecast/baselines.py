"""What an expert would ask for first: last value, seasonal naive, a linear regression, Theta and exponential smoothing.

The classic methods see what the network sees: the look-back of each test window.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from whet.fields.base import Wanted
from whet.fields.forecast.classic import ets, theta
from whet.fields.forecast.least_squares import sums
from whet.fields.forecast.panel import Panel
from whet.rng import generator
from whet.tasks import Baseline
from whet.tasks.features import no_time

FEWEST = 200
"""Window channels that a cut baseline is still fitted on."""
LINEAR_SHARE = 0.4
"""Of the time, what the regression may take; the classic methods have what it leaves."""

Method = Callable[[Wanted, "Pasts", float], tuple[np.ndarray, str]]


class Pasts:
    """Look-backs of test windows, channel by channel: blocks of (n, L), float64 in standard units."""

    def __init__(self, panel: Panel, rows: np.ndarray) -> None:
        self.panel, self.rows = panel, rows
        self.views = panel.inputs()[0].numpy()

    def blocks(self, numbers: int = 4_000_000) -> Iterator[tuple[slice, np.ndarray]]:
        """(which rows, float64 (windows, C, L))."""
        panel = self.panel
        size = max(1, numbers // (max(panel.lookback, panel.horizon) * len(panel.channels)))
        for at in range(0, len(self.rows), size):
            some = slice(at, min(len(self.rows), at + size))
            yield some, self.views[self.rows[some]].transpose(0, 2, 1).astype(np.float64)

    def empty(self) -> np.ndarray:
        """float32 (n, H, C)."""
        return np.empty((len(self.rows), self.panel.horizon, len(self.panel.channels)), np.float32)


def baselines(wanted: Wanted) -> Sequence[Baseline]:
    """All of them, within the time: what can't be afforded is left out, and that is said."""
    pasts = Pasts(wanted.data.x.panel, wanted.parts["test"])
    began, made = time.perf_counter(), []
    for name, method in METHODS.items():
        left = wanted.seconds - (time.perf_counter() - began)
        start = time.perf_counter()
        said, note = method(wanted, pasts, left)
        predicted = None if not len(said) else said.reshape(len(said), -1)
        made.append(Baseline(name, predicted, time.perf_counter() - start, note))
    return made


NOTHING = np.empty((0, 0, 0), np.float32)


def last(wanted: Wanted, pasts: Pasts, seconds: float) -> tuple[np.ndarray, str]:
    """The last value, again and again."""
    out = pasts.empty()
    for some, past in pasts.blocks():
        out[some] = past[..., -1][:, None]
    return out, ""


def seasonal(wanted: Wanted, pasts: Pasts, seconds: float) -> tuple[np.ndarray, str]:
    """The last season, again and again."""
    season, horizon = pasts.panel.season, pasts.panel.horizon
    if season < 2:
        return NOTHING, "skipped: no season was found"
    if season > pasts.panel.lookback:
        return NOTHING, f"skipped: the season of {season} steps is longer than the look-back"
    out = pasts.empty()
    places = np.arange(horizon) % season - season
    for some, past in pasts.blocks():
        out[some] = past[..., places].transpose(0, 2, 1)
    return out, ""


def linear(wanted: Wanted, pasts: Pasts, seconds: float) -> tuple[np.ndarray, str]:
    """Ridge regression from the look-back, less its last value, to the horizon: one for all channels, in closed form."""
    panel, train = pasts.panel, wanted.parts["train"]
    rows, note = affordable(panel, train, LINEAR_SHARE * seconds, wanted.seed)
    if not len(rows):
        return NOTHING, note
    weights = sums(panel, rows).map()
    out = pasts.empty()
    for some, past in pasts.blocks():
        level = past[..., -1:]
        out[some] = ((past - level) @ weights + level).transpose(0, 2, 1)
    return out, note


def affordable(panel: Panel, train: np.ndarray, seconds: float, seed: int) -> tuple[np.ndarray, str]:
    """Training windows that there is time for, by a rate of 5 G multiply-adds a second; and what is to be said."""
    each = len(panel.channels) * panel.lookback * (panel.lookback + panel.horizon)
    solve = panel.lookback**2 * (panel.lookback / 3 + panel.horizon)
    most = int((5e9 * seconds - solve) / each)
    if most >= len(train):
        return train, ""
    if most * len(panel.channels) < FEWEST:
        return train[:0], no_time(seconds)
    chosen = np.sort(generator(seed, "baseline").choice(train, most, replace=False))
    return chosen, f"cut to {most:,} of {len(train):,} windows"


def classic(method: Callable[[np.ndarray, int, int], np.ndarray]) -> Method:
    """A method for single series, on every look-back: for as many windows as there is time for, all or none."""

    def lay(wanted: Wanted, pasts: Pasts, seconds: float) -> tuple[np.ndarray, str]:
        out, began, done = pasts.empty(), time.perf_counter(), 0
        for some, past in pasts.blocks(500_000):
            flat = past.reshape(-1, past.shape[-1])
            said = method(flat, pasts.panel.season, pasts.panel.horizon)
            out[some] = said.reshape(*past.shape[:2], -1).transpose(0, 2, 1)
            done = some.stop
            spent = time.perf_counter() - began
            if spent * len(out) / done > max(seconds, 0.0) and done < len(out):
                need = spent * len(out) / done
                return NOTHING, f"skipped: about {need:.2g} s are needed, and {max(0.0, seconds):.2g} s were left"
        return out, ""

    return lay


METHODS: dict[str, Method] = {
    "last value": last,
    "seasonal naive": seasonal,
    "linear": linear,
    "theta": classic(theta),
    "ets": classic(ets),
}
