"""What could be done next, with what it promises: a stretch of a trial, paused or new, by its gain per cost.

Every possible stretch is priced by its knowledge gradient at the end of the curve (Frazier, Powell and Dayanik 2009):
how much better the best predicted end is expected to be once the stretch was seen. Since one short stretch may teach
nothing where two would, each is priced with the stop at which gain per cost is largest (KG*, Frazier and Powell 2010),
and trained to the next stop only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from whet.rng import generator
from whet.search.curves import Curves, Shape
from whet.search.known import Known, along, stops
from whet.search.policy import Go, New
from whet.search.space import Params

PRICED = (40, 30)
"""Paused and new trials that are priced: those that may end best, see `hopeful`."""
NEW = 300
"""New ones among which those are looked for."""
NEAR, BASES = 0.3, 5
"""The share of these that are changes of so many best trials, where the space is no list."""
UNSURE = 1.3
"""Predictions are taken for so many times less sure than they say: on plateaus they are too sure. See docs/log.md."""
TRAINED_OUT = 3
"""In one of so many plans the trial that is expected to end best comes first, whatever is still to be learned from it."""
ANYTHING = 4
"""In one of so many plans a choice drawn at random comes first: what is believed of the others may be wrong."""
SCARCE = 8
"""It also comes first while there is less than one trial for so many points: all of them may lie on one plateau."""
BROKEN = 100.0
"""The score with which a diverged trial ends."""
PRICES = 5
"""Trials whose costs were told from which on costs are looked at."""
RIDGE = 0.3
"""Of the regression of costs. Assumed."""
CARE = 0.5
"""Gains are divided by costs to this power: the cheap ones come first, but what is dear and good is not left out."""


@dataclass(frozen=True)
class Step:
    """A move with what it was planned from."""

    move: Go | New
    start: float
    """Where the trial stood."""
    params: Params | None = None
    """Of a new trial that is none of a list."""


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
    gains = gain_per_cost(curves, rows, starts, mean, prices_of(known, x), known)
    order = np.lexsort(((mean - sd)[rows], -gains)).tolist()
    leader = int(np.argmin(mean[: len(old)]))
    if leader in rows and known.told % TRAINED_OUT == 0:
        order.insert(0, int(np.flatnonzero(rows == leader)[0]))
    steps = [step_of(known, options, int(rows[k]), float(starts[k])) for k in order]
    if len(options.x) and (known.told % ANYTHING == 1 or SCARCE * len(known.count) < known.told):
        steps.insert(0, step_of(known, options, len(old) + options.anyone, 0.0))
    return steps


def hopeful(rows: np.ndarray, mean: np.ndarray, sd: np.ndarray, most: int) -> np.ndarray:
    """Those of the rows that may end best: by the mean less a standard deviation."""
    return rows[np.argsort((mean - sd)[rows], kind="stable")[:most]]


def gain_per_cost(
    curves: Curves, rows: np.ndarray, starts: np.ndarray, mean: np.ndarray, prices: np.ndarray, known: Known
) -> np.ndarray:
    """(rows,) the largest ratio, over all stops, of what is won at the end to what it costs to see that much."""
    view, n_old = known.view, len(known.numbers)
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
    np.maximum.at(best, which, gain / (until - starts[which]) / prices[rows[which]])
    return best


def prices_of(known: Known, x: np.ndarray) -> np.ndarray:
    """(rows,) expected cost of a unit of resource: of known trials their own, of others by their parameters (a ridge
    regression of its logarithm on x and its square); 1 where no costs were told."""
    paid = [known.price(n) for n in known.numbers]
    told = np.flatnonzero(np.isfinite(paid))
    if len(told) < PRICES:
        return np.ones(len(x))
    logs = np.log(np.array(paid)[told])
    a = np.concatenate([x - 0.5, (x - 0.5) ** 2], axis=1)
    middle = a[told].mean(0)
    b = a[told] - middle
    slopes = np.linalg.solve(b.T @ b + RIDGE * np.eye(b.shape[1]), b.T @ (logs - logs.mean()))
    expected = logs.mean() + (a - middle) @ slopes
    expected[told] = logs
    return np.exp(CARE * np.clip(expected, logs.min(), logs.max()))


@dataclass(frozen=True)
class Options:
    """New trials that could be started."""

    x: np.ndarray
    """(options, width)."""
    candidates: np.ndarray | None
    """(options,) numbers of a list's candidates."""
    params: list[Params]
    """Of those that are none of a list."""
    anyone: int
    """One of them, drawn at random."""


def fresh(known: Known) -> Options:
    """Some of the choices that were not tried when so much was known."""
    view, random = known.view, generator(known.view.seed, "fresh", known.told)
    if view.space.candidates is not None:
        tried = [view.trials[n].candidate for n in known.count]
        left = np.delete(np.arange(len(view.space.candidates)), np.array(tried, int))
        some = left if len(left) <= NEW else left[random.permutation(len(left))[:NEW]]
        return Options(view.space.encoded[some], some, [], int(random.integers(max(1, len(some)))))
    near = int(NEAR * NEW)
    bases = [view.trials[n].params for n in known.numbers[:BASES]]
    params = [view.space.sample(random) for _ in range(NEW - near)]
    params += [view.space.neighbour(bases[k % len(bases)], random, 2) for k in range(near)]
    return Options(np.array([view.space.encode(p) for p in params]), None, params, 0)


def step_of(known: Known, options: Options, row: int, start: float) -> Step:
    stop = next(s for s in stops(known.view.max_resource) if s > start)
    n_old = len(known.numbers)
    if row < n_old:
        return Step(Go(known.numbers[row], stop), start)
    if options.candidates is not None:
        return Step(New(stop, int(options.candidates[row - n_old])), 0.0)
    return Step(New(stop), 0.0, options.params[row - n_old])
