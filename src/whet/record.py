"""A Record is what happened when a recipe was trained on a task with a seed. Findings are what rules read in it."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """One line of a record: where training stood, and what was measured there."""

    step: int
    """Optimiser steps done."""
    epoch: float
    """Passes over the training rows, with fractions."""
    seconds: float
    """Training time spent so far, validation included."""
    progress: float
    """Share of the schedule that is done, in [0, 1]."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """"train/loss", "val/loss", "val/accuracy", "lr", …"""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or worth knowing, with its evidence."""

    name: str
    """Short and stable, such as "overfitting"."""
    cause: str
    """In words that a student understands."""
    where: str = ""
    """A column, a layer, a step; empty: everywhere."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """The numbers, with the threshold that they crossed."""
    severity: str = "warning"
    """"info", "warning" or "error"."""
    confidence: float = 1.0
    """In [0, 1]."""
    advice: str = ""
    """What to do."""
    code: str = ""
    """The cause as a code of the documented list (docs/doctor.md), where there is one."""
    cost: str = ""
    """What it costs; empty: not known."""
    remedies: tuple[str, ...] = ()
    """What can be changed about it, in the words of an edit, the most promising first; () where nothing of ours helps."""

    def __str__(self) -> str:
        at = f" [{self.where}]" if self.where else ""
        return f"{self.name}{at}: {self.cause}" + (f" {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Record:
    """What happened in one trial. Grows by a line at a time; see `head_line`, `step_line` and `read`."""

    trial: str
    recipe: str
    """The recipe's hash."""
    task: str
    seed: int
    steps: tuple[Step, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def curve(self, metric: str) -> tuple[tuple[float, float], ...]:
        """(seconds, value) wherever the metric was measured."""
        return tuple((s.seconds, s.metrics[metric]) for s in self.steps if metric in s.metrics)

    def last(self, metric: str) -> float | None:
        """The newest value of a metric; None if it was never measured."""
        return next((s.metrics[metric] for s in reversed(self.steps) if metric in s.metrics), None)


PACKAGES = ("whet", "torch", "numpy", "polars", "scikit-learn")


@cache
def versions() -> Mapping[str, str]:
    """Of what decides the numbers: the records of a run and its result carry them."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = installed(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file, up to the first torn line: a process may have been killed while writing it.

    A last line without an end is torn too, even where it can be read: the next append will cut it off.
    """
    if not path.exists():
        return
    for raw in path.read_bytes().split(b"\n")[:-1]:
        if not raw:
            continue
        try:
            yield json.loads(raw)
        except ValueError:
            return


def read(path: Path) -> Record:
    """The record in a JSONL file: a head, then a step per line. Steps that a resumed run did again replace the old."""
    head: dict[str, Any] = {}
    steps: dict[int, Step] = {}
    for line in lines(path):
        if "trial" in line:
            head = head or line
        else:
            step = Step(**line)
            steps = {k: s for k, s in steps.items() if k < step.step} | {step.step: step}
    return Record(
        trial=head.get("trial", path.parent.name),
        recipe=head.get("recipe", ""),
        task=head.get("task", ""),
        seed=head.get("seed", 0),
        steps=tuple(steps.values()),
        versions=head.get("versions", {}),
    )


def head_line(record: Record) -> dict[str, Any]:
    """The first line of a record's file."""
    return {
        "trial": record.trial,
        "recipe": record.recipe,
        "task": record.task,
        "seed": record.seed,
        "versions": dict(record.versions),
    }


def step_line(step: Step) -> dict[str, Any]:
    """The line of one step."""
    return {**dataclasses.asdict(step), "metrics": dict(step.metrics)}
