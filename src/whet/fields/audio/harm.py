"""What may be changed about sounds here without changing their class: asked of the data, as with mirror images
(data/symmetry.py).

Played faster, a note is another note; to a digit it does no harm. Made equally loud, a knock on the door is as near as any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from whet.data.taught import FOLDS, in_errors, right
from whet.fields.audio.front import Front, loudness, read
from whet.fields.audio.transform import AudioTransform
from whet.recipe import Choice
from whet.tasks import Task

ROWS, SAMPLES = 1000, 1 << 24
"""Recordings that are looked at, and samples of all of them together."""
SEGMENTS = 8
"""Equal stretches of time in which each mel band is averaged."""
COPIES = 2
"""Changed recordings that the judge is taught with, beside each recording."""
LEVELS, CLEAR = 8, 3.0
"""Steps of loudness that the judge is told; the standard errors that it must gain by them."""
AT_ONCE = 100


def gains(moves: Sequence[Choice], data: Heard, task: Task) -> Mapping[str, float]:
    """What each change adds to a quick judge's accuracy on unseen recordings, in standard errors of the difference."""
    if len(data.truth) < FOLDS:
        return {}
    draw = torch.Generator().manual_seed(0)
    plain = data.features(Front.of(data.transform, task), None)
    alone, found = right(data.truth, plain), {}
    for move in moves:
        front = Front.of(data.transform, task, (move,))
        moved = (data.features(front, draw) for _ in range(COPIES))
        found[move.name] = in_errors(right(data.truth, plain, *moved) - alone)
    return found


def level(data: Heard, task: Task) -> float:
    """The median loudness, where a quick judge tells classes better by loudness too; 0 where it does not."""
    if len(data.truth) < FOLDS:
        return 0.0
    loud, plain = data.loudness(), data.features(Front.of(data.transform, task), None)
    steps = F.one_hot(torch.bucketize(loud, loud.quantile(torch.linspace(0, 1, LEVELS + 1)[1:-1])), LEVELS)
    besides = torch.cat([plain, steps.repeat(1, data.transform.mels)], 1)  # as much as one stretch of the sound
    gain = in_errors(right(data.truth, besides) - right(data.truth, plain))
    return float(loud.median()) if gain >= CLEAR else 0.0


@dataclass(frozen=True)
class Heard:
    """Some recordings as the judge is given them."""

    transform: AudioTransform
    samples: Tensor
    span: Tensor
    truth: Tensor
    """(n,) classes, counted from 0."""

    @classmethod
    def of(cls, transform: AudioTransform, inputs: Sequence[Tensor], target: Tensor, rows: Tensor) -> Heard:
        most = min(ROWS, SAMPLES // transform.window)
        rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:most]]
        samples, span = (x.index_select(0, rows) for x in inputs)
        return cls(transform, samples, span, torch.unique(target[rows], return_inverse=True)[1])

    def features(self, front: Front, generator: torch.Generator | None) -> Tensor:
        """(n, M * SEGMENTS) of the spectrograms (n, 1, M, T) that a front makes."""
        parts = zip(*(x.split(AT_ONCE) for x in (self.samples, self.span, self.truth)), strict=True)
        seen = (front((samples, span), truth, generator)[0][0] for samples, span, truth in parts)
        return torch.cat([F.adaptive_avg_pool2d(x, (x.shape[2], SEGMENTS)).flatten(1) for x in seen])

    def loudness(self) -> Tensor:
        """(n,)"""
        start, length = self.span[:, 0], self.span[:, 1].clamp_max(self.transform.window)
        return loudness(read(self.samples.view(torch.int16), start, length, self.transform.window), length)
