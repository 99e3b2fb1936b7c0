"""Goals: what is asked of the data, and what follows from it for the loss, the metric and the way to read outputs.

A goal of a new kind is a file of this package with a `GOAL` in it, and a line in `HOMES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.errors import UnknownName
from whet.tasks.metrics import METRICS, Metric, calibrated_surprise, log_loss

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Goal:
    """What one kind of question has in common in every field."""

    name: str
    """"classify", "regress", …"""
    noun: str
    """"classification", "regression", …: the end of a task's name."""
    metrics: Mapping[str, Metric]
    """Every metric that may decide, by name."""
    metric: str
    """The one that decides if nobody says otherwise."""
    also: tuple[str, ...]
    """What a report shows."""
    loss: str
    """What is trained on unless the recipe names another: a name in LOSSES."""
    predictions: Callable[[Tensor, Any], np.ndarray]
    """(a network's outputs, rows first; the target's scale or None) -> what metrics judge."""
    row_losses: Callable[[Any, np.ndarray, Any], np.ndarray]
    """(truth, predictions, scale) -> (n,) float64, the lower the better: for paired comparison."""
    fit_loss: Callable[[Any, np.ndarray, Any], float] | None = None
    """(truth, predictions, scale) -> the number that settles ties; None: the mean of `row_losses`."""
    traced: Callable[[Tensor, Any], Tensor] | None = None
    """`predictions` as operations on tensors, for export; None: probabilities where there is no scale, else values."""
    pooled: Callable[[Tensor, Tensor], Tensor] | None = None
    """(outputs of several networks (M, n, …), their shares (M,)) -> what they say together, as one network would; None:
    networks of this goal are not pooled."""
    watched: str = ""
    """The metric of validation rows, where they have no truth that the deciding one could be asked with; empty: that one."""
    chosen_by_rows: bool = False
    """Whether validation chooses by the mean of `row_losses` where `metric` decides: that one is too coarse for few rows."""
    chosen_by_loss: Callable[[np.ndarray], bool] | None = None
    """Of predictions: whether validation chooses by the loss that is trained, since metrics judge only a part of what they
    say. None: never."""


def probabilities(said: Tensor, scale: Any) -> np.ndarray:
    """(n, C) probabilities from logits."""
    return said.softmax(-1).numpy()


def values(said: Tensor, scale: Any) -> np.ndarray:
    """(n,) values in the target's own units."""
    found: np.ndarray = scale.invert(said.reshape(len(said), -1)[:, 0])
    return found


def mean_values(said: Tensor, shares: Tensor) -> Tensor:
    """(n, …): the weighted mean of (M, n, …)."""
    return (said * shares.view(-1, *[1] * (said.dim() - 1))).sum(0)


def mean_probabilities(said: Tensor, shares: Tensor) -> Tensor:
    """(n, C) logits of the weighted mean of the networks' probabilities, from their logits (M, n, C)."""
    return (said.log_softmax(-1) + shares.log().view(-1, 1, 1)).logsumexp(0)


def errors_and_surprise(truth: np.ndarray, predicted: np.ndarray, scale: Any) -> np.ndarray:
    """1 for a wrong class, and what the true one surprises probabilities that are as sure as suits them best.

    Of few rows the errors alone tell little. On eight small tables, three seeds each, the weights of the validation with the
    fewest errors made 9 % more errors on other rows than the best weights of their training did; by this sum it was 6.6 %.
    """
    wrong = np.asarray(predicted.argmax(1) != truth, np.float64)
    return wrong + calibrated_surprise(truth, predicted)


def squared_errors(truth: np.ndarray, predicted: np.ndarray, scale: Any) -> np.ndarray:
    """In units of the target's variance."""
    found: np.ndarray = ((predicted - truth) / scale.std) ** 2
    return found


def named(*names: str) -> dict[str, Metric]:
    """These metrics by name."""
    return {name: METRICS[name] for name in names}


OF_CLASSES, OF_VALUES = ("accuracy", "auc", "log_loss"), ("rmse", "mae", "r2")
CLASSIFY = Goal(
    "classify",
    "classification",
    named(*OF_CLASSES),
    "accuracy",
    OF_CLASSES,
    "cross_entropy",
    probabilities,
    errors_and_surprise,
    lambda truth, predicted, scale: log_loss(truth, predicted),
    pooled=mean_probabilities,
    chosen_by_rows=True,
)
REGRESS = Goal(
    "regress",
    "regression",
    named(*OF_VALUES),
    "rmse",
    OF_VALUES,
    "mse",
    values,
    squared_errors,
    pooled=mean_values,
)

HERE = {goal.name: goal for goal in (CLASSIFY, REGRESS)}
HOMES: dict[str, str] = {
    "detect": "detect",
    "generate": "generate",
    "label-steps": "label_steps",
    "language-model": "language_model",
    "multilabel": "multilabel",
    "tag": "tag",
    "rank": "rank",
    "transcribe": "transcribe",
    "forecast": "forecast",
    "own": "own",
}
"""goal -> the module of this package that defines it as GOAL; imported when asked for."""


def goal(name: str) -> Goal:
    """The goal of that name. Raises UnknownName."""
    if name in HERE:
        return HERE[name]
    if name not in HOMES:
        raise UnknownName("goal", name, [*HERE, *HOMES])
    found: Goal = importlib.import_module(f"whet.tasks.{HOMES[name]}").GOAL
    return found
