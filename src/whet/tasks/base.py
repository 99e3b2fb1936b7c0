"""A Task is what is to be learned: from which kind of data, with how many outputs, judged by which metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from whet.errors import UserError
from whet.tasks.metrics import ci95, metric

METRIC_FOR = {"classify": "accuracy", "regress": "rmse"}
"""The metric that decides, by goal."""
ALSO = {"classify": ("accuracy", "auc", "log_loss"), "regress": ("rmse", "mae", "r2")}
"""What a report shows, by goal."""


@dataclass(frozen=True)
class Task:
    """Plain data; JSON-able through `to_dict`."""

    name: str
    """"image-classification", "table-regression", …"""
    domain: str
    """"image" or "table"."""
    goal: str
    """"classify" or "regress"."""
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
        return metric(self.metric).better(a, b)

    def score(self, y: np.ndarray, p: np.ndarray) -> float:
        """The metric of predictions: (n, C) probabilities for classes, (n,) values in the target's unit else."""
        return metric(self.metric).function(y, p)

    def scores(self, y: np.ndarray, p: np.ndarray) -> dict[str, float]:
        """Every metric that a report shows."""
        return {name: metric(name).function(y, p) for name in ALSO[self.goal]}

    def interval(self, y: np.ndarray, p: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
        """The 95 % interval of `score` over the choice of rows."""
        return ci95(self.metric, y, p, seed=seed)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Task:
        return cls(**{**state, "classes": tuple(state["classes"])})


def make_task(domain: str, goal: str, classes: Sequence[str], target: str, *, metric_name: str | None = None) -> Task:
    """The task of some data. Raises UserError for a metric of the other goal."""
    name = metric_name or METRIC_FOR[goal]
    chosen = metric(name)
    if chosen.goal != goal:
        raise UserError(f"Metric {name!r} does not fit: the goal is to {goal}.", f"Choose {' or '.join(ALSO[goal])}.")
    return Task(
        name=f"{domain}-{'classification' if goal == 'classify' else 'regression'}",
        domain=domain,
        goal=goal,
        outputs=len(classes) if goal == "classify" else 1,
        classes=tuple(classes),
        metric=name,
        direction=chosen.direction,
        target=target,
    )
