"""A Task is what is to be learned: from which kind of data, with how many outputs, judged by which metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from whet.errors import UserError
from whet.tasks.goals import goal as goal_named
from whet.tasks.metrics import Metric, interval


@dataclass(frozen=True)
class Task:
    """Plain data; JSON-able through `to_dict`."""

    name: str
    """"image-classification", "table-regression", …"""
    domain: str
    """The field's name: "image", "table", …"""
    goal: str
    """The name of a goal: "classify", "regress", …"""
    outputs: int
    """Numbers that the network gives per example: the classes, or 1."""
    classes: tuple[str, ...]
    """Names in the order of their indices; () for regression."""
    metric: str
    """The name of the metric that decides."""
    direction: str
    """"max" or "min"."""
    target: str
    """The target's name."""

    def better(self, a: float, b: float) -> bool:
        """Whether score `a` is strictly better than `b`; NaN is worse than anything."""
        return self.judge.better(a, b)

    @property
    def judge(self) -> Metric:
        """The metric that decides."""
        return goal_named(self.goal).metrics[self.metric]

    @property
    def watched(self) -> Metric:
        """The metric that is asked of validation rows: the deciding one, unless that needs what these rows don't have."""
        goal = goal_named(self.goal)
        return goal.metrics[goal.watched] if goal.watched else self.judge

    @property
    def chosen_by_rows(self) -> bool:
        """Whether validation chooses by the mean loss of its rows, which says more than the metric does."""
        goal = goal_named(self.goal)
        return goal.chosen_by_rows and self.watched.name == goal.metric

    def score(self, y: np.ndarray, p: np.ndarray) -> float:
        """The metric of predictions: (n, C) probabilities of classes, (n,) values in the target's unit, …"""
        return self.judge.function(y, p)

    def scores(self, y: np.ndarray, p: np.ndarray) -> dict[str, float]:
        """Every metric that a report shows."""
        goal = goal_named(self.goal)
        return {name: goal.metrics[name].function(y, p) for name in goal.also}

    def validation(self, y: np.ndarray, p: np.ndarray) -> dict[str, float]:
        """What is measured on validation rows."""
        watched = self.watched
        return self.scores(y, p) if watched == self.judge else {watched.name: watched.function(y, p)}

    def interval(self, y: np.ndarray, p: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
        """The 95 % interval of `score` over the choice of rows."""
        return interval(self.judge, y, p, seed=seed)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Task:
        return cls(**{**state, "classes": tuple(state["classes"])})


def make_task(domain: str, goal: str, classes: Sequence[str], target: str, *, metric_name: str | None = None) -> Task:
    """The task of some data. Raises UserError for a metric of another goal."""
    wanted = goal_named(goal)
    name = metric_name or wanted.metric
    if name not in wanted.metrics:
        raise UserError(
            f"Metric {name!r} does not fit: the goal is to {goal}.", f"Choose {' or '.join(wanted.metrics)}."
        )
    return Task(
        name=f"{domain}-{wanted.noun}",
        domain=domain,
        goal=goal,
        outputs=len(classes) or 1,
        classes=tuple(classes),
        metric=name,
        direction=wanted.metrics[name].direction,
        target=target,
    )
