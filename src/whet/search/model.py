"""The proposer that learns: a Gaussian process says where a better value is likely, and there the next trial is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from whet.search import choice
from whet.search.gp import GP, fitted
from whet.search.plain import STEP
from whet.search.proposers import Random
from whet.search.space import Params, Space
from whet.search.view import FAILED, StudyView, Track

FIRST = 8
"""Trials with a value before it begins."""
MOST = 100
"""Trials that the process is shown."""
PIECES, RIDGE = 4, 1e-2
"""Straight pieces of the average curve; and what keeps those flat that nothing was seen of."""
DRAWN, NEAR, BASES = 400, 40, 5
"""Choices that are looked at: so many from anywhere, and so many near each of the best few."""
SOFT = 0.3
"""Values closer to the best than this share of the median's distance count as nearly the same."""
STARTS, ROUNDS, GAIN = 3, 40, 0.01
"""From so many of them the way goes uphill, by so many steps at most, while a step gains so much."""
LONGEST, SHORTEST = 0.2, 0.005
"""Steps of a parameter, as shares of its range."""


class Model:
    """Expected improvement under a Gaussian process (Jones, Schonlau and Welch 1998), over draws and over neighbours."""

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        ranked = choice.ranked(view)
        if len(ranked) < FIRST:
            return Random().propose(view, random)
        space, promise = view.space, Promise(view)
        if space.candidates is not None:
            left = np.flatnonzero(view.left)
            return space.candidates[int(left[promise(space.encoded[left]).argmax()])]
        looked = [space.sample(random) for _ in range(DRAWN)]
        looked += [around(space, t.params, random) for t in ranked[:BASES] for _ in range(NEAR)]
        order = np.argsort(-promise.of(looked), kind="stable")
        climbed = [climb(promise, looked[i], random) for i in order[:STARTS]]
        return max(climbed, key=lambda found: found[1])[0]


class Promise:
    """How much a choice promises: the logarithm of its expected improvement; nothing where it has been tried."""

    def __init__(self, view: StudyView) -> None:
        self.space = view.space
        self._gp, self._target = learned(view)
        self._tried = {row.tobytes() for row in view.x}

    def __call__(self, x: np.ndarray) -> np.ndarray:
        found = improvement(self._gp, at_end(x), self._target)
        found[[row.tobytes() in self._tried for row in x]] = -math.inf
        return found

    def of(self, choices: list[Params]) -> np.ndarray:
        return self(np.array([self.space.encode(p) for p in choices]))


def climb(promise: Promise, params: Params, random: np.random.Generator) -> tuple[Params, float]:
    """What promises most uphill from `params`, one parameter at a time, and how much (Hooke and Jeeves 1961)."""
    value, step = float(promise.of([params])[0]), LONGEST
    for _ in range(ROUNDS):
        nearby = promise.space.beside(params, random, step)
        scores = promise.of(nearby) if nearby else np.array([-math.inf])
        if scores.max() > value + GAIN:
            params, value = nearby[int(scores.argmax())], float(scores.max())
        elif (step := step / 2) < SHORTEST:
            break
    return params, value


def around(space: Space, params: Mapping[str, Any], random: np.random.Generator, scale: float = 0.0) -> Params:
    """A neighbour, by a step of any size up to ten times STEP to the power of `scale`."""
    step = STEP * 10 ** random.uniform(scale - 1.0, scale + 0.5)
    return space.neighbour(params, random, int(random.geometric(0.5)), step)


def learned(view: StudyView) -> tuple[GP, float]:
    """The process, with running trials taken to come out as it expects, and the value to beat at the end of the way."""
    seen = Seen(view)
    x, y = seen.inputs(view), seen.values
    groups = np.append(groups_of(view.space), len(view.space))
    gp = fitted(x, y, groups)
    waiting = sorted(n for n in view.running if not view.trials[n].values)
    if waiting:
        new = at_end(view.x[waiting])
        x, y = np.concatenate([x, new]), np.concatenate([y, gp.predict(new)[0]])
        gp = gp.with_points(x, y)
    return gp, float(gp.predict(at_end(x[:, :-1]))[0].min())


def at_end(x: np.ndarray) -> np.ndarray:
    """(n, width + 1) inputs for where a training ends."""
    return np.column_stack([x, np.ones(len(x))])


class Seen:
    """The points that the process is shown, as if each trial had gone to its end as the others did on average."""

    def __init__(self, view: StudyView) -> None:
        rows = [row for t in shown(view) for row in points_of(t, view.max_resource)]
        self.who = np.array([who for who, _, _ in rows])
        self.way = np.array([way for _, way, _ in rows])
        values = np.array([value for _, _, value in rows])
        finite = values[np.isfinite(values)]
        logs = logarithms(np.where(np.isfinite(values), values, finite.max()))
        logs += trend(self.who, self.way, logs)
        self.values = (logs - logs.mean()) / max(float(logs.std()), 1e-12)

    def inputs(self, view: StudyView) -> np.ndarray:
        """(n, width + 1): the columns of the encoding, and how far the trial was."""
        return np.column_stack([view.x[self.who], self.way])


def shown(view: StudyView) -> list[Track]:
    """The trials that are learned from: half of MOST the best ones, half the newest, failed ones among them."""
    best = choice.ranked(view)[: MOST // 2]
    known = {t.number for t in best}
    others = [t for t in reversed(view.trials) if t.number not in known and (t.values or t.state == FAILED)]
    return sorted([*best, *others[: MOST - len(best)]], key=lambda t: t.number)


def points_of(track: Track, max_resource: float) -> list[tuple[int, float, float]]:
    """(number, way, value) of a trial's newest point and of the one at about a third of it; one that failed has come to
    its end, with a value that is no number."""
    if track.state == FAILED:
        return [(track.number, 1.0, math.nan)]
    resources = track.resources
    kept = sorted({bisect_right(resources, resources[-1] / 3) - 1, len(resources) - 1} - {-1})
    return [(track.number, way_of(resources[i] / max_resource), track.values[i]) for i in kept]


def way_of(share: float) -> float:
    """How far, in [0, 1]: the beginning counts more than the end."""
    return math.log1p(9 * share) / math.log(10)


def logarithms(values: np.ndarray) -> np.ndarray:
    """(n,) the logarithm of how much worse than the best each is: good ones are told apart better than bad ones."""
    above = values - values.min()
    return np.log(above + SOFT * np.median(above) + 1e-12)


def trend(who: np.ndarray, way: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) what the rest of the way adds on average: differences within trials, by least squares on straight pieces."""
    knots = np.linspace(0, 1, PIECES + 1)
    hats = np.array([np.interp(way, knots, row) for row in np.eye(PIECES + 1)]).T  # (n, knots)
    inside = hats - mean_of_own(who, hats)
    slopes = np.linalg.lstsq(
        np.vstack([inside, RIDGE * np.eye(PIECES + 1)]),
        np.append(values - mean_of_own(who, values[:, None])[:, 0], np.zeros(PIECES + 1)),
        rcond=None,
    )[0]
    return slopes[-1] - hats @ slopes


def mean_of_own(who: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Each row replaced by the mean of its trial's rows."""
    _, place = np.unique(who, return_inverse=True)
    sums = np.zeros((place.max() + 1, rows.shape[1]))
    np.add.at(sums, place, rows)
    return (sums / np.bincount(place)[:, None])[place]


def groups_of(space: Space) -> np.ndarray:
    """(width,) the number of the parameter that each column belongs to."""
    return np.repeat(np.arange(len(space)), [p.width for p in space.values()])


def improvement(gp: GP, x: np.ndarray, target: float) -> np.ndarray:
    """The logarithm of the expected improvement over `target`, exact far away too (Ament et al. 2023)."""
    from scipy.special import erfcx, ndtr

    mean, sd = gp.predict(x)
    z = (target - mean) / sd
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    near = np.log(np.maximum(density + np.maximum(z, 0) * ndtr(z), 1e-300))
    behind = np.minimum(z, 0)
    far = -0.5 * behind**2 - 0.5 * math.log(2 * math.pi)
    far += np.log(np.maximum(1 + behind * math.sqrt(math.pi / 2) * erfcx(-behind / math.sqrt(2)), 1e-300))
    return np.where(z > 0, near, far) + np.log(sd)
