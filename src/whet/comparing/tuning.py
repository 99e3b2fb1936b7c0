"""Each arm gets the learning rate that suits it, found with equal effort: an unfair rate often makes a false winner."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from whet.comparing.arms import Arm, at_rate, rate_of
from whet.comparing.sizing import TUNING_SHARE, Size
from whet.comparing.training import Train, Trained, Wanted
from whet.report import wording
from whet.search import rates
from whet.tasks import Task


@dataclass(frozen=True)
class Tuned:
    """How an arm's learning rate was found; plain data."""

    factor: float
    """Of the recipe's own rate."""
    lr: float
    trials: Mapping[str, float]
    """Learning rate -> its validation score; NaN where it diverged."""
    edge: bool
    """Whether the best was the lowest or highest that was tried."""
    level: bool
    """Whether other rates reached the same: then it is the one nearest to the recipe's own."""
    seconds: float
    """Of one training, on average."""
    fault: str = "diverged"
    """What the trials without a score did."""

    @property
    def trains(self) -> bool:
        """Whether any rate gave a score."""
        return any(math.isfinite(value) for value in self.trials.values())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def said(self, metric: str) -> str:
        """The rate, and what each of those that were tried reached."""
        reached = [f"{lr} {self.fault if math.isnan(v) else wording.score(metric, v)}" for lr, v in self.trials.items()]
        why = "; of equal ones the nearest to the recipe's own" if self.level else ""
        return f"learning rate {self.lr:.3g} ({', '.join(reached)}{why})"


def tune(arms: Sequence[Arm], sizes: Sequence[Size], seed: int, task: Task, train: Train) -> list[Tuned]:
    """Five short trainings for each arm: three rates, then two more beyond the edge where the best lies, or around it.

    All on one seed that is not among the measured ones, and judged by the validation rows.
    """
    short = [size.of(TUNING_SHARE) for size in sizes]
    factors: list[tuple[float, ...]] = [rates.FIRST] * len(arms)
    for _ in range(2):
        wanted = {
            (a, factor): Wanted(name_of(a, arm, factor), at_rate(arm.recipe, factor), seed, short[a])
            for a, arm in enumerate(arms)
            for factor in factors[a]
        }
        in_turn = sorted(wanted, key=lambda key: factors[key[0]].index(key[1]))
        made = dict(zip(in_turn, train([wanted[key] for key in in_turn]), strict=True))
        scores = [{f: score(made[a, f], task) for f in factors[a]} for a in range(len(arms))]
        if len(factors[0]) < rates.TRIALS:
            factors = [(*factors[a], *rates.then(scores[a])) for a in range(len(arms))]
    return [_tuned(arm, {f: made[a, f] for f in factors[a]}, task) for a, arm in enumerate(arms)]


def name_of(a: int, arm: Arm, factor: float) -> str:
    return f"tune-{a + 1}-lr-{rate_of(arm.recipe) * factor:.3g}"


def score(trained: Trained, task: Task) -> float:
    """The higher the better; NaN where it failed, or diverged though a lower rate saved it."""
    sign = 1.0 if task.watched.direction == "max" else -1.0
    return sign * trained.value if trained.sound and not trained.diverged else math.nan


def _tuned(arm: Arm, made: Mapping[float, Trained], task: Task) -> Tuned:
    scores = {factor: score(trained, task) for factor, trained in made.items()}
    factor, own = rates.peak(scores), rate_of(arm.recipe)
    return Tuned(
        factor=factor,
        lr=own * factor,
        trials={f"{own * f:.3g}": t.value if math.isfinite(scores[f]) else math.nan for f, t in sorted(made.items())},
        edge=rates.on_edge(scores),
        level=len(rates.level(scores)) > 1,
        seconds=sum(t.seconds for t in made.values()) / len(made),
        fault=next((t.fault for t in made.values() if t.kind), "diverged"),
    )
