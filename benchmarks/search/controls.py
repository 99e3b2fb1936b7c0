"""Searches to compare with, each as a generator: it yields the candidate to train for one more point, and is sent the value."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

import numpy as np
from recorded import Curves

Search = Generator[int, float, None]
"""Yields the number of a candidate that gets its next point, is sent that point's validation value."""
ETA = 3
WORSE, LITTLE, EARLY = 1.5, 0.03, 0.2


def whole(curves: Curves, seed: int, gives_up: Callable[[np.ndarray, Curves, int], bool] | None = None) -> Search:
    """Random search: one candidate after the other, to its end or until it is given up."""
    for i in np.random.default_rng(seed).permutation(len(curves.params)).tolist():
        seen: list[float] = []
        while len(seen) < curves.points:
            seen.append((yield i))
            if gives_up is not None and gives_up(np.array(seen), curves, i):
                break


def hopeless(seen: np.ndarray, curves: Curves, i: int) -> bool:
    """The three symptom rules: NaN; far worse than at the start; hardly better at a fifth of the way.

    For losses. Where values lie below 0, as an accuracy with its sign turned, only the first and the third rule apply.
    """
    start, last = curves.start[i], seen[-1]
    if not math.isfinite(last) or (start > 0 and last > WORSE * start):
        return True
    return len(seen) == round(EARLY * curves.points) and last > start - LITTLE * abs(start)


def rules(curves: Curves, seed: int) -> Search:
    return whole(curves, seed, hopeless)


def median_stop(curves: Curves, seed: int) -> Search:
    """Random search that gives up what is worse than the median of earlier ones (Golovin et al. 2017, section 3.2.2)."""
    means: list[np.ndarray] = []

    def behind(seen: np.ndarray, _: Curves, __: int) -> bool:
        if len(seen) == curves.points:
            means.append(np.cumsum(np.nan_to_num(seen, nan=1e9)) / np.arange(1, len(seen) + 1))
        if len(seen) < 5 or len(means) < 5:
            return False
        best = np.nanmin(seen) if np.isfinite(seen).any() else math.inf
        return bool(best > np.median([m[len(seen) - 1] for m in means]))

    return whole(curves, seed, behind)


def hyperband(curves: Curves, seed: int) -> Search:
    """Brackets of successive halving, eta 3, the most daring first (Li et al. 2018, algorithm 1); trials are resumed."""
    random = np.random.default_rng(seed)
    most = int(math.log(curves.points) / math.log(ETA) + 1e-9)
    length = np.zeros(len(curves.params), int)
    newest = np.full(len(curves.params), np.inf)
    queue: list[int] = []
    while True:
        for s in range(most, -1, -1):
            n = math.ceil((most + 1) / (s + 1) * ETA**s)
            while len(queue) < n:
                queue += random.permutation(len(curves.params)).tolist()
            rung, queue = queue[:n], queue[n:]
            for k in range(s + 1):
                stop = max(1, round(curves.points * float(ETA) ** (k - s)))
                for i in rung:
                    while length[i] < stop:
                        value = yield i
                        length[i] += 1
                        newest[i] = value if math.isfinite(value) else np.inf
                rung = sorted(rung, key=lambda i: newest[i])[: max(1, len(rung) // ETA)]


def asha(curves: Curves, seed: int) -> Search:
    """Successive halving without brackets, eta 3, from a single point on (Li et al. 2020, algorithm 2)."""
    fresh = np.random.default_rng(seed).permutation(len(curves.params)).tolist()
    stops = [1]
    while stops[-1] * ETA < curves.points:
        stops.append(stops[-1] * ETA)
    stops.append(curves.points)
    rungs: list[list[tuple[float, int]]] = [[] for _ in stops]
    gone: list[set[int]] = [set() for _ in stops]
    while True:
        k, i = promoted(rungs, gone) or (-1, fresh.pop() if fresh else -1)
        if i < 0:
            return
        start = stops[k] if k >= 0 else 0
        for _ in range(stops[k + 1] - start):
            value = yield i
        rungs[k + 1].append((value if math.isfinite(value) else np.inf, i))


def promoted(rungs: list[list[tuple[float, int]]], gone: list[set[int]]) -> tuple[int, int] | None:
    """The highest rung with a trial that may go on, and that trial."""
    for k in range(len(rungs) - 2, -1, -1):
        for _, i in sorted(rungs[k])[: len(rungs[k]) // ETA]:
            if i not in gone[k]:
                gone[k].add(i)
                return k, i
    return None


CONTROLS: dict[str, Callable[[Curves, int], Search]] = {
    "random": whole,
    "random + median stop": median_stop,
    "random + 3 rules": rules,
    "Hyperband": hyperband,
    "ASHA": asha,
}
