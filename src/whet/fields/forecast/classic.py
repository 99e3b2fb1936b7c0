"""Theta and exponential smoothing for many series at once.

    x       series                                              (n, T)
    m       season                                              l, b, s     level, slope, seasonal terms
    h       steps ahead                                         a, g        smoothing of level and seasonal terms

Smoothing constants are chosen for each series among a few, by the squared error one step ahead.
"""

from __future__ import annotations

import numpy as np

from whet.fields.forecast.season import centred_mean

ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
BETAS, GAMMAS = (0.0, 0.05), (0.0, 0.1, 0.3)
DAMPING = 0.98
"""Of the slope, per step: a straight line for ever is rarely right (Gardner & McKenzie 1985)."""


def theta(x: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """(n, h): the mean of theta lines 0 and 2 of the seasonally adjusted series.

    Assimakopoulos & Nikolopoulos 2000, in the form of Hyndman & Billah 2003, eq. 8: simple exponential smoothing, and half
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
    alphas = np.asarray(ALPHAS)
    level = np.repeat(x[:, :1], len(alphas), 1)
    loss = np.zeros_like(level)
    for step in x.T[1:]:
        error = step[:, None] - level
        loss += error**2
        level = level + alphas * error
    best = loss.argmin(1)
    return np.take_along_axis(level, best[:, None], 1)[:, 0], alphas[best]


def ets(x: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """(n, h): exponential smoothing with a damped slope and additive seasonal terms, the best of a few constants.

    ETS(A,Ad,A) of Hyndman, Koehler, Snyder & Grose 2002, table 2, error correction form:
    e = x - (l + d b + s),  l' = l + d b + a e,  b' = d b + a B e,  s' = s + g e.
    """
    wave = seasonal_terms(x, season)
    gammas = GAMMAS if wave.shape[1] > 1 else (0.0,)
    best_loss, best = np.full(len(x), np.inf), np.zeros((len(x), horizon))
    for alpha in ALPHAS[1::2]:
        for beta in BETAS:
            for gamma in gammas:
                loss, said = _run(x, wave, alpha, beta, gamma * (1 - alpha), horizon)
                better = loss < best_loss
                best_loss[better], best[better] = loss[better], said[better]
    return best


def _run(
    x: np.ndarray, wave: np.ndarray, alpha: float, beta: float, gamma: float, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """((n,) squared error one step ahead, (n, h) forecasts) with these constants."""
    terms, season = wave.copy(), wave.shape[1]
    level, slope, loss = x[:, 0] - terms[:, 0], np.zeros(len(x)), np.zeros(len(x))
    for t, step in enumerate(x.T):
        place = t % season
        ahead = level + DAMPING * slope
        error = step - ahead - terms[:, place]
        loss += error**2
        level, slope = ahead + alpha * error, DAMPING * slope + alpha * beta * error
        terms[:, place] += gamma * error
    steps = np.arange(1, horizon + 1)
    damped = DAMPING * (1 - DAMPING**steps) / (1 - DAMPING)
    places = (x.shape[1] + steps - 1) % season
    return loss, level[:, None] + slope[:, None] * damped + terms[:, places]
