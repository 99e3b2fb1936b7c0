"""A comparison under way: what was asked, and what its steps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from whet.comparing.arms import Arm, at_rate
from whet.comparing.comparison import NAME
from whet.comparing.sizing import Cost, Layout, Size
from whet.comparing.training import Train, Trained, Wanted, known
from whet.comparing.tuning import Tuned
from whet.errors import UserError
from whet.recipe import Recipe
from whet.run import Run
from whet.run_folder import Order, RunFolder


@dataclass(frozen=True)
class Asked(Order):
    """What was asked for: equal ones go on with the same comparison."""

    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seeds: int = 5
    by: str = "steps"
    keep_lr: bool = False

    @property
    def tuned(self) -> bool:
        """Whether each arm's learning rate is tuned: not where it is what is compared."""
        return not self.keep_lr and "optimizer.lr" not in self.choices


@dataclass(frozen=True)
class ComparisonFolder(RunFolder):
    """The folder of a comparison."""

    @property
    def result(self) -> Path:
        return self.path / NAME


@dataclass
class Experiment:
    """What the steps of one comparison share."""

    run: Run
    asked: Asked
    choices: Mapping[str, Sequence[Any]]
    train: Train = field(init=False)
    base: Recipe = field(init=False)
    arms: tuple[Arm, ...] = ()
    size: Size = field(default_factory=Size)
    costs: tuple[Cost, ...] = ()
    tuned: tuple[Tuned, ...] = ()
    seeds: tuple[int, ...] = ()
    """Those that were trained in every arm."""

    @property
    def layout(self) -> Layout:
        return Layout(len(self.arms), self.asked.seeds, self.asked.tuned, self.run.workers)

    @property
    def shares(self) -> list[float]:
        """Steps of each arm per step of the first, so that all see as many rows."""
        return [self.arms[0].recipe.batch_size / arm.recipe.batch_size for arm in self.arms]

    @property
    def test_seconds(self) -> float:
        """What opening the test part will take."""
        return sum(self.asked.seeds * c.test for c in self.costs)

    def size_of(self, a: int) -> Size:
        """How long arm `a` is trained: where batches differ, all see the same number of rows."""
        return self.size.of(self.shares[a] if self.size.steps else 1.0)


def wanted(e: Experiment, a: int, seed: int) -> Wanted:
    recipe, size = e.arms[a].recipe, e.size_of(a)
    if e.tuned:
        recipe = at_rate(recipe, e.tuned[a].factor)
    return Wanted(name_of(a, seed), recipe.put("steps", size.steps), seed, size)


def name_of(a: int, seed: int) -> str:
    return f"arm-{a + 1}-seed-{seed}"


def trained_of(e: Experiment, a: int, seed: int) -> Trained:
    return known(e.run)[name_of(a, seed)]


def refuse(names: Sequence[str], why: Sequence[str]) -> NoReturn:
    """Raises UserError: no arm can be trained, and why each."""
    each = "; ".join(f"{name} {said.rstrip('.')}" for name, said in zip(names, why, strict=True))
    raise UserError(f"No arm could be trained: {each}.", "Compare other choices, or give a --recipe that trains.")
