"""Who goes on: the trial, or the new one, of which another stretch is expected to improve the final choice the most.

Every possible stretch is priced by its knowledge gradient at the end of the curve (Frazier, Powell and Dayanik 2009):
how much better the best predicted end is expected to be once the stretch was seen. Since one short stretch may teach
nothing where two would, each is priced with the stop at which gain per cost is largest (KG*, Frazier and Powell 2010),
and trained to the next stop only. Curves are predicted as in `whet.search.curves`; none is thrown away, all may thaw.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from whet.rng import generator
from whet.search import choice
from whet.search.curves import END, Curves, Shape, learned, normal_scores, typical
from whet.search.policy import Go, Move, New
from whet.search.proposers import Local
from whet.search.space import Params, Space, key
from whet.search.view import StudyView, Track

FARTHER = 1.6
"""Each stop lies about so many times as far as the one before, the first one END-th of the way."""
OPENING = 12
"""Trials that are drawn at random before anything is predicted."""
LOOKS = (0.03, 0.05)
"""How far those are trained, in turn: to the first stop that lies beyond this share of the way."""
ROUNDS = ((0.1, 2), (0.25, 4), (0.4, 6))
"""(share of the way, n): then the best one in n of them goes on to there."""
ANEW = 1 / 60
"""Plans are made anew when there are so many more points, in proportion."""
RELEARN = 1.25
"""Shapes are learned anew when there are so many times the points."""
FIRST_LEARNED = 40
TRIES = 25
"""Steps uphill each time."""
BEST, OTHERS = 90, 65
"""Trials that the curves are learned from: the best ones, and some of the others."""
WHOLE = 25
"""Trials, the best ones, whose points at all stops are kept; of the others the newest two."""
PRICED = (40, 30)
"""Paused and new trials that are priced: those that may end best, see `hopeful`."""
NEW = 300
"""New ones among which those are looked for."""
NEAR = 0.3
"""The share of these that are changes of the best trials, where the space is no list."""
BROKEN = 100.0
"""The score with which a diverged trial ends."""
UNSURE = 1.3
"""Predictions are taken for so many times less sure than they say: measured, see docs/log.md."""


@dataclass(frozen=True)
class Step:
    """A move with what it was planned from."""

    move: Move
    start: float
    """Where the trial stood."""
    params: Params | None = None
    """Of a new trial that is none of a list."""


class LookAhead:
    """The policy that a study has when it was given none. It proposes, too."""

    def __init__(self) -> None:
        self._of: tuple[StudyView, Space] | None = None
        self._plans: dict[int, list[Step]] = {}
        self._shapes: list[Shape] = []

    def next(self, view: StudyView) -> Move | None:
        if (move := opened(view)) is not None:
            return move
        step = next(self._able(view), None)
        return step.move if step else last_resort(view)

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        """Parameters for a new trial: the ones for which it was begun, where it was."""
        if view.space.candidates is None:
            for step in self._able(view):
                if step.params is not None:
                    return step.params
        return Local().propose(view, random)

    def _able(self, view: StudyView) -> Iterator[Step]:
        """What is planned and can still be done, the best first."""
        for points in dict.fromkeys((checkpoint(view.points), view.points)):
            yield from (step for step in self._plan(view, points) if possible(view, step))

    def _plan(self, view: StudyView, points: int) -> list[Step]:
        """What was best to do when so many points were known. The same after a restart: nothing newer is looked at."""
        if self._of is None or self._of[0] is not view or self._of[1] is not view.space:  # it may have been widened
            self._of, self._plans, self._shapes = (view, view.space), {}, []
        if points not in self._plans:
            known = Known(view, points)
            self._plans = {points: planned(known, self._shape(view, points)) if known.numbers else []}
        return self._plans[points]

    def _shape(self, view: StudyView, points: int) -> Shape:
        """As learned at the last of the moments at which it is learned."""
        moments = []
        moment = float(FIRST_LEARNED)
        while moment <= points:
            moments.append(int(moment))
            moment *= RELEARN
        for moment in moments[len(self._shapes) :]:
            known = Known(view, moment)
            before = self._shapes[-1] if self._shapes else typical(view.space.width)
            random = generator(view.seed, "shape", moment)
            self._shapes.append(learned(before, known.points(), TRIES, random) if known.numbers else before)
        return self._shapes[len(moments) - 1] if moments else typical(view.space.width)


def checkpoint(points: int) -> int:
    """The last moment at which a plan was made: every point at first, later every ANEW of them."""
    moment = 0
    while (following := moment + max(1, int(moment * ANEW))) <= points:
        moment = following
    return moment


# -- what is known --------------------------------------------------------------------------------------------------


class Known:
    """The points that were told first, as scores."""

    def __init__(self, view: StudyView, points: int) -> None:
        self.view, self.told = view, points
        counts = {t.number: bisect_left(t.order, points) for t in view.trials}
        self.count = {n: c for n, c in counts.items() if c}
        """Points of each trial that has some."""
        everybody = np.array(list(self.count), int)
        newest = np.array([view.trials[n].values[c - 1] for n, c in self.count.items()])
        self.scores = normal_scores(newest)
        order = everybody[np.argsort(self.scores(newest), kind="stable")]
        random = generator(view.seed, "others", points)
        rest = order[BEST:]
        some = rest if len(rest) <= OTHERS else rest[np.sort(random.permutation(len(rest))[:OTHERS])]
        self.numbers: list[int] = [*order[:BEST].tolist(), *some.tolist()]
        """The trials that are looked at, the best first."""

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """x, i, t, z of `Curves`."""
        i, t, values = [], [], []
        ways = [0.0, *stops(self.view.max_resource)]
        for row, number in enumerate(self.numbers):
            track = self.view.trials[number]
            kept = kept_points(track, self.count[number], ways, row < WHOLE)
            i += [row] * len(kept)
            t += [along(track.resources[k], self.view.max_resource) for k in kept]
            values += [track.values[k] for k in kept]
        x = self.view.x[self.numbers]
        return x, np.array(i), np.array(t), self.scores(np.array(values))

    def resource(self, number: int) -> float:
        return self.view.trials[number].resources[self.count[number] - 1]


def kept_points(track: Track, count: int, ways: list[float], whole: bool) -> list[int]:
    """The newest point before each stop, as they lie on a curve; the newest two of these, where not the whole is kept."""
    newest = {bisect_left(ways, r): k for k, r in enumerate(track.resources[:count])}
    kept = list(newest.values())
    return kept if whole else kept[-2:]


def along(resource: float, max_resource: float) -> float:
    """t of a resource."""
    return min(END, max(0.5, END * resource / max_resource))


def stops(max_resource: float) -> list[float]:
    """Where trials pause, ascending: whole numbers where `max_resource` is one."""
    whole = max_resource == int(max_resource)
    first = max_resource / END
    found = [max(1.0, round(first)) if whole else first]
    while found[-1] < max_resource:
        further = found[-1] * FARTHER
        found.append(max(found[-1] + 1, round(further)) if whole else further)
    found[-1] = max_resource
    if len(found) > 2 and found[-2] > max_resource / math.sqrt(FARTHER):
        del found[-2]
    return found


def first_stop(view: StudyView, share: float) -> float:
    return next(s for s in stops(view.max_resource) if s >= share * view.max_resource)


# -- moves ----------------------------------------------------------------------------------------------------------


def opened(view: StudyView) -> Move | None:
    """The first moves: some trials at random, of which the better ones go on; None when all that is done."""
    if len(view.trials) < OPENING and not view.exhausted:
        return New(first_stop(view, LOOKS[len(view.trials) % len(LOOKS)]), drawn(view))
    first = view.trials[:OPENING]
    for share, n in ROUNDS:
        stop = first_stop(view, share)
        there = sum(max(t.resource, t.stop if t.number in view.running else 0) >= stop for t in first)
        waiting = [t for t in first if t.number in view.paused and t.resource < stop]
        if waiting and there < len(first) // n:
            return Go(min(waiting, key=choice.rank).number, stop)
    return None


def drawn(view: StudyView) -> int | None:
    """A candidate at random, where there is a list."""
    left = np.flatnonzero(view.left)
    return int(view.generator("first").choice(left)) if len(left) else None


def last_resort(view: StudyView) -> Move | None:
    """When nothing is predicted, as when all trials diverged or all that is promising is being trained."""
    if not view.exhausted:
        return New(first_stop(view, LOOKS[0]), drawn(view))
    if not view.paused:
        return None
    track = min((view.trials[n] for n in view.paused), key=choice.rank)
    return Go(track.number, next(s for s in stops(view.max_resource) if s > track.resource))


def possible(view: StudyView, step: Step) -> bool:
    move = step.move
    if isinstance(move, Go):
        return move.trial in view.paused and view.trials[move.trial].resource == step.start
    if view.exhausted or not isinstance(move, New):
        return False
    return key(step.params) not in view.seen if step.params is not None else bool(view.left[move.candidate])


# -- the plan -------------------------------------------------------------------------------------------------------


def planned(known: Known, shape: Shape) -> list[Step]:
    """Possible steps, the one that promises the largest gain per cost first."""
    view = known.view
    old, i, t, z = known.points()
    options = fresh(known)
    x = np.concatenate([old, options.x])
    curves = Curves(shape, x, i, t, z)
    mean, sd = curves.ends(np.arange(len(x)))
    sd *= UNSURE
    broken = [r for r, n in enumerate(known.numbers) if math.isnan(view.trials[n].values[known.count[n] - 1])]
    mean[broken] = BROKEN
    able = [r for r, n in enumerate(known.numbers) if known.resource(n) < view.max_resource and r not in broken]
    rows = np.concatenate(
        [
            hopeful(np.array(able, int), mean, sd, PRICED[0]),
            hopeful(np.arange(len(old), len(x)), mean, sd, PRICED[1]),
        ]
    )
    if not len(rows):
        return []
    starts = np.array([known.resource(known.numbers[r]) if r < len(old) else 0.0 for r in rows])
    gains = gain_per_cost(curves, rows, starts, mean, len(old), known)
    order = np.lexsort(((mean - sd)[rows], -gains))
    return [step_of(known, options, int(rows[k]), float(starts[k])) for k in order]


def hopeful(rows: np.ndarray, mean: np.ndarray, sd: np.ndarray, most: int) -> np.ndarray:
    """Those of the rows that may end best: by the mean less a standard deviation."""
    return rows[np.argsort((mean - sd)[rows], kind="stable")[:most]]


def gain_per_cost(
    curves: Curves, rows: np.ndarray, starts: np.ndarray, mean: np.ndarray, n_old: int, known: Known
) -> np.ndarray:
    """(rows,) the largest ratio, over all stops, of what is won at the end to what it costs to see that much."""
    view = known.view
    ways = stops(view.max_resource)
    pairs = [(k, s) for k, start in enumerate(starts) for s in ways if s > start]
    which = np.array([k for k, _ in pairs])
    until = np.array([s for _, s in pairs])
    t = np.array([along(s, view.max_resource) for s in until])
    moves = UNSURE * curves.lessons(rows[which], t)
    lead = np.sort(mean[:n_old])[:2]
    leader = int(np.argmin(mean[:n_old]))
    rival = np.where(rows == leader, lead[-1], lead[0])[which]
    apart = np.abs(mean[rows[which]] - rival) / moves
    above = np.array([0.5 * math.erfc(a / math.sqrt(2)) for a in apart.tolist()])
    gain = moves * (np.exp(-0.5 * apart**2) / math.sqrt(2 * math.pi) - apart * above)
    best = np.zeros(len(rows))
    np.maximum.at(best, which, gain / (until - starts[which]))
    return best


@dataclass(frozen=True)
class Options:
    """New trials that could be started."""

    x: np.ndarray
    """(options, width)."""
    candidates: np.ndarray | None
    """(options,) numbers of a list's candidates."""
    params: list[Params]
    """Of those that are none of a list."""


def fresh(known: Known) -> Options:
    """Some of the choices that were not tried when so much was known."""
    view, random = known.view, generator(known.view.seed, "fresh", known.told)
    if view.space.candidates is not None:
        tried = [view.trials[n].candidate for n in known.count]
        left = np.delete(np.arange(len(view.space.candidates)), np.array(tried, int))
        some = left if len(left) <= NEW else left[random.permutation(len(left))[:NEW]]
        return Options(view.space.encoded[some], some, [])
    near = int(NEAR * NEW)
    bases = [view.trials[n].params for n in known.numbers[:5]]
    params = [view.space.sample(random) for _ in range(NEW - near)]
    params += [view.space.neighbour(bases[k % len(bases)], random, 2) for k in range(near)]
    return Options(np.array([view.space.encode(p) for p in params]), None, params)


def step_of(known: Known, options: Options, row: int, start: float) -> Step:
    stop = next(s for s in stops(known.view.max_resource) if s > start)
    n_old = len(known.numbers)
    if row < n_old:
        return Step(Go(known.numbers[row], stop), start)
    if options.candidates is not None:
        return Step(New(stop, int(options.candidates[row - n_old])), 0.0)
    return Step(New(stop), 0.0, options.params[row - n_old])
