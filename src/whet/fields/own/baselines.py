"""What simple models reach on the user's own tensors: the same answer for all, and a linear model where numbers go in."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from whet.fields.base import Wanted
from whet.fields.own.rows import Rows
from whet.tasks import Baseline
from whet.tasks.baselines import constant, laid
from whet.tasks.features import Features
from whet.tasks.features import Wanted as Asked

NUMBERS, ROWS = 4_096, 10_000
"""The most numbers of an example, and training rows, that the linear model takes."""
READING = 0.3
"""Of the baselines' time, what reading rows may take: a Dataset may decode a file for each."""
GLANCE = 64
"""Rows that are read to see how long that takes."""


def baselines(wanted: Wanted) -> Sequence[Baseline]:
    """The constant answer, and a linear model where an example is one tensor of real numbers."""
    train, test = wanted.parts["train"], wanted.parts["test"]
    asked = Asked(wanted.task.goal, wanted.task.outputs, wanted.seconds, wanted.threads, wanted.seed)
    made = [constant(wanted.data.y[train], len(test), asked)]
    if not are_numbers(wanted.data.x):
        return made
    rows = train[:: -(-len(train) // ROWS)]
    if reading_seconds(wanted.data.x, rows, len(rows) + len(test)) > READING * wanted.seconds:
        return [*made, Baseline("linear", None, 0.0, "skipped: reading the rows for it takes too long for this budget")]
    return [*made, laid("linear", *standardised(wanted.data.x, wanted.data.y, rows, test), asked)]


def are_numbers(x: Rows) -> bool:
    inputs, _ = x[np.arange(1)]
    return len(inputs) == 1 and inputs[0].is_floating_point() and inputs[0].numel() <= NUMBERS


def reading_seconds(x: Rows, rows: np.ndarray, count: int) -> float:
    """What reading so many rows will take, by the first ones."""
    began = time.perf_counter()
    glance = rows[:GLANCE]
    x[glance]
    return (time.perf_counter() - began) / len(glance) * count


def standardised(x: Rows, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[Features, np.ndarray, Features]:
    """(training columns, their targets, test columns): mean 0 and standard deviation 1 in training; no number counts as 0."""
    seen, unseen = (x[rows][0][0].flatten(1).double().numpy() for rows in (train, test))
    mean, spread = np.nan_to_num(np.nanmean(seen, 0)), np.nanstd(seen, 0)

    def features(values: np.ndarray) -> Features:
        scaled = (values - mean) / np.where(spread > 0, spread, 1.0)
        return Features(np.nan_to_num(scaled, posinf=0.0, neginf=0.0), np.empty((len(values), 0), np.int64))

    return features(seen), y[train], features(unseen)
