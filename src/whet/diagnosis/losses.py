"""The losses of a training, step by step, in a few numbers however long it is."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from whet.setups import Course, Point

WAITING = 64
"""Losses that are kept as they come. They are read together: a loss on a GPU is waited for once in so many steps."""
MOST = 32
"""Stretches that are kept; then two neighbours become one."""


class Losses:
    """Means over equal stretches of a training; the number of steps, the first loss, and where it broke."""

    def __init__(self) -> None:
        self.steps = 0
        self.first = math.nan
        self.broke: int | None = None
        """The step, counted from 1, whose loss was the first that is no number."""
        self._waiting: list[Any] = []
        self._stretch = 1
        """Steps of a finished stretch."""
        self._sums: list[float] = []
        self._open: tuple[float, int] = (0.0, 0)

    def add(self, loss: Tensor | float) -> None:
        self._waiting.append(loss)
        if len(self._waiting) >= WAITING:
            self._read()

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and isinstance(waiting[0], Tensor):
            waiting = torch.stack([torch.as_tensor(v).reshape(()) for v in waiting]).tolist()
        for value in waiting:
            self._take(float(value))

    def _take(self, value: float) -> None:
        self.steps += 1
        if self.steps == 1:
            self.first = value
        if not math.isfinite(value):
            self.broke = self.broke or self.steps
        self._open = self._open[0] + value, self._open[1] + 1
        if self._open[1] == self._stretch:
            self._sums.append(self._open[0])
            self._open = 0.0, 0
        if len(self._sums) == MOST:
            self._sums = [a + b for a, b in zip(self._sums[::2], self._sums[1::2], strict=True)]
            self._stretch *= 2

    @property
    def newest(self) -> float:
        """The mean of the newest stretch, or what there is of it; NaN before the first step."""
        means = self.means()
        return means[-1] if means else math.nan

    def means(self) -> list[float]:
        self._read()
        done = [s / self._stretch for s in self._sums]
        return done if len(done) >= MOST // 4 or not self._open[1] else [*done, self._open[0] / self._open[1]]

    def course(self) -> Course:
        """As the course of a training, whose metric is the loss."""
        means = self.means()
        points = [Point(i + 1, min(self.steps, (i + 1) * self._stretch), m, m, m, m) for i, m in enumerate(means)]
        return Course(points, self.first, self.steps, 0.0, self.broke)
