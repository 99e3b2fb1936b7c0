"""Searches with time for a few trainings, replayed on trainings that were recorded whole (`pictures.py`).

    python benchmarks/search/few_pictures.py --seeds 0 40

Each arm begins with the first recipe, and chooses among all recorded draws: whet from a list, TPE with Hyperband (Optuna) the
nearest one to what it asks for. Budgets are in trainings of
the first recipe, by their steps and batches; what ends after the budget does not count. Every seed is another
order, and another validation set: the judge's value, and as error the mean of validation rows drawn again with replacement (the
same ones for all recipes), so that no recipe is lucky in every search. The figure is what the judge says of the choice less
what it says of the first recipe: accuracy in points, and the value that chooses (the lower, the better).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from few import hyperband
from live import suggested
from pictures import RESULTS as RECORDED

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import HERE, installed, keep, surroundings

from whet.hunt import POINTS
from whet.in_time import InTime
from whet.search import Space, Study
from whet.search.policy import usual
from whet.search.score import Score, clearly_better

BUDGETS = (5.0, 8.0, 12.0)
DRAWN = ("prior", "anywhere")


@dataclass(frozen=True)
class Trainings:
    """What was recorded of one data set; the first one is the first recipe's."""

    kinds: list[str]
    params: list[dict[str, Any]]
    seconds: np.ndarray
    """(trainings, POINTS) that each part costs, in whole trainings of the first recipe."""
    accuracy: np.ndarray
    """(trainings, POINTS) by the judge, in points above the first recipe's end."""
    value: np.ndarray
    """(trainings, POINTS) that chooses, by the judge."""
    rows: np.ndarray
    """(trainings, rows) losses of the validation rows at the end, moved to the judge's mean."""

    def drawn(self, *kinds: str) -> list[int]:
        return [i for i, kind in enumerate(self.kinds) if i and kind in kinds]


def trainings(path: Path, data: str) -> Trainings:
    """Those that came to their end, the first recipe with its first seed only."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    sound = [one for one in lines if one["data"] == data and one["rows"] and not one["seed"]]
    judged = np.array([one["judged"] for one in sound])
    rows = np.array([one["rows"] for one in sound]) / 100
    rows += judged[:, -1, 1:] - rows.mean(1, keepdims=True)
    seconds = np.repeat(costs(sound)[:, None] / POINTS, POINTS, axis=1)
    accuracy = 100 * (judged[:, :, 0] - judged[0, -1, 0])
    kinds, params = [one["kind"] for one in sound], [one["params"] for one in sound]
    return Trainings(kinds, params, seconds, accuracy, judged[:, :, 1], rows)


def costs(lines: list[dict[str, Any]]) -> np.ndarray:
    """(trainings,) in those of the first: what a step takes goes with its rows, beside what others did to the core."""
    steps, batch = (
        np.array(x, float) for x in ([one["steps"] for one in lines], [one["params"]["batch_size"] for one in lines])
    )
    slope, start = np.polyfit(batch, [sum(one["seconds"]) / one["steps"] for one in lines], 1)
    seconds = steps * np.maximum(start + slope * batch, 1e-4)
    return seconds / seconds[0]


@dataclass
class Search:
    """A search under way, with a validation set of its own."""

    known: Trainings
    seed: int
    left: float
    reached: dict[int, int] = field(default_factory=dict)
    """Training -> points."""
    whole: list[int] = field(default_factory=list)
    """Those that came to their end, in this order."""

    def __post_init__(self) -> None:
        n = self.known.rows.shape[1]
        self.random = np.random.default_rng([self.seed, n])
        self.rows = self.known.rows[:, self.random.integers(n, size=n)]
        off = self.rows.mean(1) - self.known.value[:, -1]
        self.seen = np.minimum.accumulate(self.known.value + off[:, None], axis=1)

    def train(self, i: int, stop: int = POINTS) -> bool:
        """Whether there was time to train this one so far."""
        while self.reached.get(i, 0) < stop:
            self.left -= self.known.seconds[i, self.reached.get(i, 0)]
            if self.left < 0:
                return False
            self.reached[i] = self.reached.get(i, 0) + 1
            self.whole += [i] if self.reached[i] == POINTS else []
        return True

    def value(self, i: int) -> float:
        """Validation's newest."""
        return float(self.seen[i, self.reached[i] - 1])

    def choice(self, bar: float) -> int:
        """What is delivered: the first, until one is better by so many times what `whet fit` asks for; 0: the best value."""
        if not bar or not self.whole:
            return min(self.reached, key=self.value)
        chosen, *others = self.whole
        for tries, i in enumerate(others, 1):
            chosen = i if self.better(i, chosen, tries, bar) else chosen
        return chosen

    def better(self, new: int, old: int, tries: int, bar: float) -> bool:
        a, b = self.rows[new], self.rows[old]
        a = a + (a.mean() - b.mean()) * (1 / bar - 1)  # a gain that is taken for so many times larger
        return clearly_better(Score(0.0, a), Score(0.0, b), tries)

    def result(self, bar: float) -> tuple[float, float, int]:
        """What the choice gains, points of accuracy and of the value that chooses, and how many came to their end."""
        i = self.choice(bar)
        at = self.reached[i] - 1
        value = self.known.value[i, at] - self.known.value[0, -1]
        return round(float(self.known.accuracy[i, at]), 3), round(float(value), 5), len(self.whole)


# -- arms ----------------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """The time of a search, as `InTime` asks for it."""

    search: Search

    @property
    def left(self) -> float:
        return self.search.left


def whet(looks: int, longer: bool = False) -> Callable[[Search], None]:
    """Whet's study, as in the live benchmark, with so many looks at a training; `longer`: as `whole` says."""

    def arm(search: Search) -> None:
        known, each = search.known, POINTS // looks
        those = [0, *known.drawn(*DRAWN), *known.drawn("changed")[:longer]]
        space, policy = Space.of_candidates([known.params[i] for i in those]), InTime(Clock(search), usual())
        study = Study(space, "minimize", looks, search.seed, policy=policy)
        for i in (0, *known.drawn("changed")[:longer]):
            study.enqueue(known.params[i])
        while search.left > 0 and (job := study.ask()):
            i = those[study.space.index(job.params)]
            for point in range(int(job.start) + 1, int(job.stop) + 1):
                if not search.train(i, each * point):
                    return
                study.tell(job.trial, point, search.value(i), cost=float(each * known.seconds[i, 0]))
            study.finish(job.trial)

    return arm


def whole(*kinds: str, longer: bool = False) -> Callable[[Search], None]:
    """One draw after the other to its end; `longer`: after the first recipe with twice its passes."""

    def arm(search: Search) -> None:
        order = search.random.permutation(search.known.drawn(*kinds)).tolist()
        any(not search.train(i) for i in [0, *search.known.drawn("changed")[:longer], *order])

    return arm


def halves(share: float, look: int) -> Callable[[Search], None]:
    """The first recipe whole; draws to a look, for this share of the rest; the best of them out, while there is time."""

    def arm(search: Search) -> None:
        search.train(0)
        rest = (1 - share) * search.left
        for i in search.random.permutation(search.known.drawn(*DRAWN)).tolist():
            if search.left - search.known.seconds[i, :look].sum() < rest or not search.train(i, look):
                break
        for i in sorted(search.reached, key=search.value):
            if search.known.seconds[i, search.reached[i] :].sum() <= search.left:
                search.train(i)

    return arm


def tpe(search: Search) -> None:
    """TPE with Hyperband."""
    known, space = search.known, Space.of_candidates(search.known.params)
    sampler = optuna.samplers.TPESampler(seed=search.seed)
    study = optuna.create_study(sampler=sampler, pruner=hyperband(), study_name=str(search.seed))
    left = known.drawn(*DRAWN)
    following: int | None = 0
    while following is not None:
        i = following
        study.enqueue_trial(as_numbers(space, known.params[i]))
        trial = study.ask()
        space.assemble(lambda name, t=trial: suggested(t, name, space[name]))
        if not all(kept(trial, search, i)):
            return
        ended = search.reached[i] == POINTS
        study.tell(
            trial, *([search.value(i)] if ended else []), state=None if ended else optuna.trial.TrialState.PRUNED
        )
        following = nearest(space, study, [known.params[j] for j in left], left)
        left = [j for j in left if j != following]


def kept(trial: optuna.Trial, search: Search, i: int) -> Iterator[bool]:
    """Point by point, until Optuna prunes: whether there was time."""
    for point in range(1, POINTS + 1):
        yield search.train(i, point)
        trial.report(search.value(i), point)
        if point < POINTS and trial.should_prune():
            return


def nearest(space: Space, study: optuna.Study, params: list[dict[str, Any]], left: list[int]) -> int | None:
    """The draw that is nearest to what Optuna would try next; None where there is none left."""
    if not left:
        return None
    asked = study.ask()
    wanted = space.encode(space.assemble(lambda name: suggested(asked, name, space[name])))
    study.tell(asked, state=optuna.trial.TrialState.FAIL)
    return left[int(np.argmin([((space.encode(p) - wanted) ** 2).sum() for p in params]))]


def as_numbers(space: Space, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as Optuna stores them."""
    return {n: list(space[n].choices).index(v) if hasattr(space[n], "choices") else v for n, v in params.items()}


ARMS: dict[str, Callable[[Search], None]] = {
    "whet": whet(4),
    "whet, two looks": whet(2),
    "whet, whole": whet(1),
    "whet, longer first": whet(4, longer=True),
    "random": whole(*DRAWN),
    "longer, random": whole(*DRAWN, longer=True),
    "tpe-hyperband": tpe,
    "by priors": whole("prior"),
    "from anywhere": whole("anywhere"),
    "half to half-way": halves(0.5, 2),
    "half to a quarter": halves(0.5, 1),
}
"""Who goes on."""
BARS = {"paired": 1.0, "half the bar": 0.5, "best value": 0.0}
"""What is delivered, see `Search.choice`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["fashion-mnist", "cifar10", "digits"])
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 40), metavar=("FROM", "TO"))
    parser.add_argument("--budgets", nargs="+", type=float, default=BUDGETS)
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "search_few_pictures.jsonl")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for data in options.data:
        known = trainings(options.recorded, data)
        for budget in options.budgets:
            gains = gained(known, range(*options.seeds), budget)
            said = {"data": data, "budget": budget, "seeds": list(options.seeds)}
            said |= {"gains": {name: np.mean(found, 0).round(4).tolist() for name, found in gains.items()}}
            keep(options.out, {**surroundings(), **said, **installed("whet", "optuna", "numpy")}, "data", "budget")
            shown(gains)


def gained(known: Trainings, seeds: range, budget: float) -> dict[str, list[tuple[float, float, int]]]:
    """By arm and rule: what each search's choice gains, and how many trainings it brought to their end."""
    gains: dict[str, list[tuple[float, float, int]]] = {}
    for seed in seeds:
        for name, arm in ARMS.items():
            search = Search(known, seed, budget)
            arm(search)
            for rule, bar in BARS.items():
                gains.setdefault(f"{name}, {rule}", []).append(search.result(bar))
    return gains


def shown(gains: dict[str, list[tuple[float, float, int]]]) -> None:
    """Means, and the paired difference to whet's."""
    ours = np.array(gains["whet, paired"])
    for name, found in gains.items():
        mean, less = np.mean(found, 0), np.array(found) - ours
        margin = 1.96 * less.std(0, ddof=1) / math.sqrt(len(less))
        said = ", ".join(f"{mean[k]:+.3f} ({less[:, k].mean():+.3f} ± {margin[k]:.3f})" for k in (0, 1))
        print(f"  {name:34s} {said}, {mean[2]:.1f} whole")


if __name__ == "__main__":
    main()
