"""Theta and exponential smoothing for many series at once.

    x       series                                              (n, T)
    m       season                                              l, b, s     level, slope, seasonal terms
    h       steps ahead                                         a, g        smoothing of level and seasonal terms

Smoothing constants are chosen for each series among a few, by the squared error one step ahead.
"""

from __future__ import annotations

import itertools

import numpy as np

from whet.fields.forecast.season import centred_mean

ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
BETAS, GAMMAS = (0.0, 0.05), (0.0, 0.1, 0.3)
SAMPLED, KEPT = 1_000, 3
"""Series from which on the constants are those that are best for a tenth of so many, and how many are tried on all."""
DAMPING = 0.98
"""Of the slope, per step: a straight line for ever is rarely right (Gardner & McKenzie 1985)."""


def theta(x: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """(n, h): the mean of theta lines 0 and 2 of the seasonally adjusted series.

    Assimakopoulos & Nikolopoulos 2000, in the form of Hyndman & Billah 2003: simple exponential smoothing, and half
    the slope of a straight line through the series.
    """
    length = x.shape[1]
    wave = seasonal_terms(x, season)
    adjusted = x - wave[:, np.arange(length) % wave.shape[1]]
    t = np.arange(length) - (length - 1) / 2
    slope = adjusted @ t / max(1e-12, t @ t)
    level, alpha = smoothed(adjusted)
    steps = np.arange(horizon)
    correction = steps[None] + ((1 - (1 - alpha) ** length) / alpha)[:, None]
    ahead = wave[:, (length + steps) % wave.shape[1]]
    found: np.ndarray = level[:, None] + 0.5 * slope[:, None] * correction + ahead
    return found


def seasonal_terms(x: np.ndarray, season: int) -> np.ndarray:
    """(n, m) of a classical additive decomposition, summing to 0; (n, 1) zeros with fewer than two seasons."""
    n, length = x.shape
    if season < 2 or length < 2 * season:
        return np.zeros((n, 1))
    half = season // 2
    rest = (x - centred_mean(x, season))[:, half : length - half]
    place = np.arange(half, length - half) % season
    terms = np.stack([rest[:, place == k].mean(1) for k in range(season)], 1)
    found: np.ndarray = terms - terms.mean(1, keepdims=True)
    return found


def smoothed(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((n,) the last level, (n,) its smoothing constant) of simple exponential smoothing: l = a x + (1 - a) l."""
    alphas, steps = np.asarray(ALPHAS)[:, None], np.ascontiguousarray(x.T)
    level = np.repeat(steps[:1], len(alphas), 0)  # (constants, n)
    loss = np.zeros_like(level)
    for step in steps[1:]:
        error = step - level
        loss += error**2
        level += alphas * error
    best = loss.argmin(0)
    return np.take_along_axis(level, best[None], 0)[0], alphas[best, 0]


def ets(x: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """(n, h): exponential smoothing with a damped slope and additive seasonal terms, the best of a few constants.

    ETS(A,Ad,A) of Hyndman, Koehler, Snyder & Grose 2002, table 2, error correction form:
    e = x - (l + d b + s),  l' = l + d b + a e,  b' = d b + a B e,  s' = s + g e.
    """
    wave = seasonal_terms(x, season)
    best_loss, best = np.full(len(x), np.inf), np.zeros((len(x), horizon))
    for constants in _promising(x, wave):
        loss, said = _run(x, wave, *constants, horizon)
        better = loss < best_loss
        best_loss[better], best[better] = loss[better], said[better]
    return best


def _promising(x: np.ndarray, wave: np.ndarray) -> list[tuple[float, float, float]]:
    """Constants (a, B, g) to try; of many series the few that are best for a sample of them."""
    gammas = GAMMAS if wave.shape[1] > 1 else (0.0,)
    every = [(a, b, g * (1 - a)) for a, b, g in itertools.product(ALPHAS[1::2], BETAS, gammas)]
    if len(x) < SAMPLED:
        return every
    some = slice(None, None, len(x) // (SAMPLED // 10))
    losses = [float(_run(x[some], wave[some], *constants, 1)[0].sum()) for constants in every]
    return [every[i] for i in np.argsort(losses)[:KEPT]]


def _run(
    x: np.ndarray, wave: np.ndarray, alpha: float, beta: float, gamma: float, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """((n,) squared error one step ahead, (n, h) forecasts) with these constants."""
    terms, season = np.ascontiguousarray(wave.T), wave.shape[1]  # (m, n)
    level, slope, loss = x[:, 0] - terms[0], np.zeros(len(x)), np.zeros(len(x))
    for t, step in enumerate(np.ascontiguousarray(x.T)):
        place = t % season
        ahead = level + DAMPING * slope
        error = step - ahead - terms[place]
        loss += error**2
        level, slope = ahead + alpha * error, DAMPING * slope + alpha * beta * error
        terms[place] += gamma * error
    steps = np.arange(1, horizon + 1)
    damped = DAMPING * (1 - DAMPING**steps) / (1 - DAMPING)
    places = (x.shape[1] + steps - 1) % season
    return loss, level[:, None] + slope[:, None] * damped + terms[places].T
