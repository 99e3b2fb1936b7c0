"""What a series' past shows: its season, how strong it and the trend are, and whether the level wanders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

LEAST = 0.3
"""The autocorrelation from which on a season is believed."""
BETTER = 0.05
"""By so much the autocorrelation at a longer season must be higher for it to be preferred."""
REPEATED = 0.15
"""The autocorrelation of what changes from season to season from which on a longer cycle is believed. Measured: load with
weekends 0.62, half as much load on weekends 0.63, four fifths 0.20; pure days, noise and wandering levels -0.08 to 0.04;
ETTh1's channels 0.00 to 0.10."""
SAMPLED = 50
"""Series and channels that are looked at."""


@dataclass(frozen=True)
class Seasonality:
    """The season of a panel."""

    length: int
    """Steps; 1: none."""
    strength: float
    """The autocorrelation at it, of the differenced series."""
    by: str
    """How it was found: "calendar", "autocorrelation", or "" for none."""
    cycle: int = 1
    """Steps of a longer season above this one, a week of days say; as `length` where there is none."""


def find_season(every: Sequence[np.ndarray], suggested: Sequence[int]) -> Seasonality:
    """The season of series (T,), from lengths that the calendar suggests, or from the highest peak.

    Looked for in differences, since trends and wandering levels correlate at every lag; then, for long waves that drown in
    the noise of differences, in what a straight line leaves.
    """
    step = max(1, len(every) // SAMPLED)
    looked = [x for x in every[::step] if len(x) > 8 and np.ptp(x) > 0]
    if not looked:
        return Seasonality(1, 0.0, "")
    steps, levels = (mean_curve([of(x) for x in looked]) for of in (np.diff, without_line))
    for curve in (steps, levels):
        found = _suggested(curve, suggested)
        if found.by:
            return replace(found, cycle=_cycle(looked, found.length, suggested))
    found = _highest_peak(levels)
    return replace(found, cycle=found.length)


def _cycle(every: Sequence[np.ndarray], season: int, suggested: Sequence[int]) -> int:
    """The longest of the suggested lengths after which changes from season to season come again."""
    changes = [x[season:] - x[:-season] for x in every if len(x) > 2 * season]
    curve = mean_curve(changes) if changes else np.empty(0)
    return max((n for n in suggested if season < n < len(curve) and curve[n] > REPEATED), default=season)


def _suggested(curve: np.ndarray, suggested: Sequence[int]) -> Seasonality:
    best = Seasonality(1, 0.0, "")
    for n in suggested:
        if 1 < n < len(curve) and _stands_out(curve, n) and curve[n] > best.strength + BETTER:
            best = Seasonality(n, float(curve[n]), "calendar")
    return best


def _stands_out(curve: np.ndarray, n: int) -> bool:
    """A wave is unlike itself half a season ago; a wandering level is not."""
    return bool(curve[n] > LEAST and curve[n] > curve[n // 2] + LEAST)


def _highest_peak(curve: np.ndarray) -> Seasonality:
    """The first peak that nearly is the highest."""
    inner = np.arange(2, len(curve) - 1)
    peaks = inner[(curve[inner] > curve[inner - 1]) & (curve[inner] >= curve[inner + 1])]
    peaks = np.array([n for n in peaks if _stands_out(curve, n)], int)
    if not len(peaks):
        return Seasonality(1, 0.0, "")
    near = peaks[curve[peaks] >= curve[peaks].max() - BETTER]
    return Seasonality(int(near[0]), float(curve[near[0]]), "autocorrelation")


def without_line(x: np.ndarray) -> np.ndarray:
    """The residuals of a straight line."""
    t = np.arange(len(x)) - (len(x) - 1) / 2
    found: np.ndarray = x - x.mean() - t * (t @ x) / (t @ t)
    return found


def mean_curve(every: Sequence[np.ndarray]) -> np.ndarray:
    """The mean autocorrelation of those that are long enough, as far as a typical one reaches."""
    curves = [autocorrelation(x) for x in every]
    reach = typical([len(c) for c in curves])
    found: np.ndarray = np.mean([c[:reach] for c in curves if len(c) >= reach], 0)
    return found


def typical(lengths: Sequence[int]) -> int:
    """The length of the series that the middle one of all steps lies in: a few short ones don't change it."""
    ordered = np.sort(np.asarray(lengths))
    steps = ordered.cumsum()
    return int(ordered[np.searchsorted(steps, steps[-1] / 2)])


def autocorrelation(x: np.ndarray) -> np.ndarray:
    """(T // 2 + 1,): at each lag up to half the length, biased, by way of the spectrum (Wiener & Khinchin)."""
    centred = x - x.mean()
    size = 1 << (2 * len(x) - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    found: np.ndarray = np.fft.irfft(power, size)[: len(x) // 2 + 1]
    return found / found[0] if found[0] > 0 else found * 0


def strengths(x: np.ndarray, season: int) -> tuple[float, float]:
    """(trend, season) in [0, 1]: 1 - var(rest) / var(rest + component), Wang, Smith & Hyndman 2006, section 3.1.

    Components of a classical additive decomposition.
    """
    width = season if season > 1 else 2 * (min(len(x) // 8, 12) // 2) + 1
    if len(x) < 2 * width + 2:
        return 0.0, 0.0
    trend = centred_mean(x[None], width)[0]
    inner = slice(width // 2, len(x) - width // 2)
    detrended = x[inner] - trend[inner]
    wave = seasonal_means(detrended, season)
    rest = detrended - wave
    return _strength(rest, trend[inner]), _strength(rest, wave) if season > 1 else 0.0


def _strength(rest: np.ndarray, component: np.ndarray) -> float:
    whole = (rest + component).var()
    return float(max(0.0, 1 - rest.var() / whole)) if whole > 0 else 0.0


def seasonal_means(x: np.ndarray, season: int) -> np.ndarray:
    """(T,): the mean of each season's place, centred."""
    if season <= 1:
        return np.zeros_like(x)
    place = np.arange(len(x)) % season
    means = np.bincount(place, x, season) / np.maximum(1, np.bincount(place, minlength=season))
    found: np.ndarray = (means - means.mean())[place]
    return found


def centred_mean(x: np.ndarray, width: int) -> np.ndarray:
    """(n, T): moving averages over `width` steps, with half weights at both ends where that is even; ends repeated."""
    kernel = np.ones(width) if width % 2 else np.concatenate([[0.5], np.ones(width - 1), [0.5]])
    kernel = kernel / kernel.sum()
    half = len(kernel) // 2
    padded = np.pad(x, ((0, 0), (half, half)), mode="edge")
    sums = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1)
    whole = sums[:, width:] - sums[:, :-width]  # (n, T + 2 half - width + 1)
    if width % 2:
        return whole / width
    found: np.ndarray = (whole[:, :-1] + whole[:, 1:]) / (2 * width)
    return found


def wanders(x: np.ndarray) -> float:
    """The KPSS statistic for a steady level (Kwiatkowski et al. 1992): above 0.463 it is rejected at 5 %."""
    rest = x - x.mean()
    n = len(x)
    lags = int(12 * (n / 100) ** 0.25)
    if n < 3 * lags + 3 or not rest.any():
        return 0.0
    covariances = [float(rest[k:] @ rest[: n - k]) / n for k in range(lags + 1)]
    long_run = covariances[0] + 2 * sum((1 - k / (lags + 1)) * c for k, c in enumerate(covariances[1:], 1))
    return float((np.cumsum(rest) ** 2).sum() / (n**2 * long_run)) if long_run > 0 else 0.0
