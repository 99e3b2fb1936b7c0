"""Searches that have time for a few trainings only, around a first recipe that is good, on made-up curves.

    python benchmarks/search/few.py --seeds 0 40

As with 2,000 pictures in a minute: a training has four points, there is time for 7.5 trainings of the first recipe, costs go
with the passes, what validation says of a trial is off by as much as of 300 rows, and curves of high rates look bad until the
end. Each seed is a task of its own; `--known` is how far its best recipe lies from the first one. The figure is the true value
of what an arm chooses less that of the first recipe: below 0 is better. Controls choose the best value they saw. Whet's choice
is told twice: so, and as `whet fit` delivers, the first recipe until one that was trained whole is clearly better
(the best value, where none was).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import HERE, installed, keep, surroundings

from whet.in_time import InTime
from whet.rng import generator
from whet.search import Float, Space, Study, Trial
from whet.search.policy import usual

POINTS, BUDGET, NOISE = 4, 7.5, 0.025
NAMES = ("rate", "rest", "decay", "batch", "smoothing", "passes", "activation")
FIRST = dict.fromkeys(NAMES, 0.5) | {"passes": 2 / 3}
MATTER = np.array([1.6, 0.8, 0.1, 0.5, 0.1, 0.0, 0.05])
"""How much a wrong value of each costs."""


class Task:
    """Curves over the unit cube: what a trial is worth, what validation says of it, what a point costs."""

    def __init__(self, seed: int, known: float) -> None:
        random = np.random.default_rng([seed, 41])
        self.seed, self.best = seed, 0.5 + known * random.standard_normal(len(NAMES))
        self.matter = MATTER * random.lognormal(0, 0.5, len(NAMES))

    def curve(self, params: dict[str, float]) -> tuple[np.ndarray, np.ndarray, float]:
        """True values at each point, those that validation sees (the best so far), and the cost of a point."""
        x = np.array([params[name] for name in NAMES])
        own = generator(self.seed, f"curve {x.tolist()}")
        passes = 0.25 * 8 ** params["passes"]
        end = (
            0.45 + (self.matter * (x - self.best) ** 2).sum() - 0.06 * math.log2(passes) + 0.012 * own.standard_normal()
        )
        late = 0.33 * math.exp(3 * (params["rate"] - 0.5) + 0.4 * own.standard_normal())
        left = 1 - np.arange(1, POINTS + 1) / POINTS
        true = end + late * (left / left[0]) ** 1.5
        off = NOISE * (own.standard_normal() + 0.3 * own.standard_normal(POINTS))
        return true, np.minimum.accumulate(true + off), passes / POINTS


@dataclass
class Clock:
    left: float = BUDGET


def whet(task: Task, seed: int) -> dict[str, float]:
    """What whet chooses: as `whet fit` delivers, and by the best value."""
    clock, space = Clock(), Space({name: Float(0, 1, prior=value) for name, value in FIRST.items()})
    study = Study(space, "minimize", POINTS, seed, policy=InTime(clock, usual()))
    study.enqueue(FIRST)
    whole: list[Trial] = []
    while clock.left > 0 and (job := study.ask()):
        _, seen, cost = task.curve(dict(job.params))
        for point in range(int(job.start) + 1, int(job.stop) + 1):
            clock.left -= cost
            if clock.left < 0:
                break
            study.tell(job.trial, point, seen[point - 1], cost)
        else:
            study.finish(job.trial)
            whole += [t for t in [study.trials[job.trial]] if t.resource == POINTS]
    luckiest = min((t for t in study.trials if t.points), key=lambda t: t.value)
    delivered = paired(whole) if whole else luckiest

    def worth(trial: Trial) -> float:
        return float(task.curve(dict(trial.params))[0][int(trial.resource) - 1])

    return {"whet": worth(delivered), "whet, luckiest": worth(luckiest)}


def paired(whole: list[Trial]) -> Trial:
    """Of one trial or more that were trained whole, in the order in which they were: the first, until one is better by as many
    standard errors of a difference as `whet.search.score.clearly_better` asks."""
    chosen = whole[0]
    for tries, trial in enumerate(whole[1:], 1):
        errors = max(1.0, math.sqrt(2 * math.log(tries)))
        if chosen.value - trial.value > errors * math.sqrt(2) * NOISE:
            chosen = trial
    return chosen


def optuna_arm(task: Task, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner, seed: int) -> float:
    """What Optuna chooses: the best value that was seen."""
    study = optuna.create_study(
        sampler=sampler, pruner=pruner, study_name=str(seed)
    )  # Hyperband draws brackets by the name
    study.enqueue_trial(FIRST)
    left, best, value = BUDGET, math.inf, math.nan
    while left > 0:
        trial = study.ask()
        true, seen, cost = task.curve({name: trial.suggest_float(name, 0, 1) for name in NAMES})
        pruned, points = False, 0
        while points < POINTS and not pruned:
            left -= cost
            if left < 0:
                break
            if seen[points] < best:
                best, value = seen[points], float(true[points])
            points += 1
            trial.report(seen[points - 1], points)
            pruned = points < POINTS and trial.should_prune()
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif points:
            study.tell(trial, seen[points - 1])
    return value


def hyperband() -> optuna.pruners.BasePruner:
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=POINTS, reduction_factor=3)


CONTROLS: dict[str, Callable[[Task, int], float]] = {
    "random": lambda task, s: optuna_arm(task, optuna.samplers.RandomSampler(s), optuna.pruners.NopPruner(), s),
    "tpe-hyperband": lambda task, s: optuna_arm(task, optuna.samplers.TPESampler(seed=s), hyperband(), s),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 40), metavar=("FROM", "TO"))
    parser.add_argument("--known", nargs="+", type=float, default=(0.06, 0.15))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "search_few.jsonl")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for known in options.known:
        found: dict[str, list[float]] = {}
        for seed in range(*options.seeds):
            task = Task(seed, known)
            first = float(task.curve(FIRST)[0][-1])
            ends = whet(task, seed) | {name: arm(task, seed) for name, arm in CONTROLS.items()}
            for name, end in ends.items():
                found.setdefault(name, []).append(round(end - first, 4))
        said = {"known": known, "seeds": list(options.seeds), "gains": found}
        keep(options.out, {**surroundings(), **said, **installed("whet", "optuna", "numpy")}, "known", "seeds")
        for name, gains in found.items():
            less = np.array(gains) - np.array(found["whet"])
            margin = 1.96 * less.std(ddof=1) / math.sqrt(len(less))
            print(f"  {name:16s} {np.mean(gains):+.4f}   less whet {less.mean():+.4f} ± {margin:.4f}")


if __name__ == "__main__":
    main()
