"""The columns of a table that a network sees: all of them, or, of many, those that say something of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from whet import regularise
from whet.data import screening
from whet.data.prepared import Prepared
from whet.data.transforms import TableTransform
from whet.fields.mixing import Mixing
from whet.tasks import Task
from whet.train.parts import Inputs

MANY = 30
"""Columns from which on it is asked whether most of them are noise."""
FEW = 0.5
"""Share of the columns that may say something where the others are left out."""
ROWS = 5_000
"""Training rows that are looked at."""


@dataclass(frozen=True)
class Seen:
    """A batch with the columns that the network sees, mixed where the recipe mixes."""

    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    whole: bool
    mixing: Mixing

    @classmethod
    def of(cls, transform: TableTransform, mixers: tuple[regularise.Mix, ...], task: Task) -> Seen:
        numbers, categories = transform.seen()
        return cls(tuple(numbers), tuple(categories), not transform.kept, Mixing.of(mixers, task))

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]:
        if not self.whole:
            inputs = tuple(x[:, list(k)] for x, k in zip(inputs, (self.numbers, self.categories), strict=True))
        return self.mixing(inputs, target, generator, progress)


def of_use(prepared: Prepared, classify: bool) -> tuple[str, ...]:
    """The columns that say something of the target, where there are many and most say nothing; else none."""
    transform = prepared.transform
    assert isinstance(transform, TableTransform)
    names = (*transform.numeric_names, *transform.category_names)
    if len(names) < MANY:
        return ()
    rows = prepared.rows["train"]
    rows = rows[torch.linspace(0, len(rows) - 1, min(ROWS, len(rows))).long()]
    numeric, category = (x.index_select(0, rows).numpy() for x in prepared.inputs)
    kept = screening.informative(numeric, category, prepared.raw_target[rows.numpy()], classify)
    found = named(names, kept)
    return found if 0 < len(found) <= FEW * len(names) else ()


def named(names: Sequence[str], kept: Sequence[np.ndarray]) -> tuple[str, ...]:
    return tuple(name for name, flag in zip(names, np.concatenate(kept), strict=True) if flag)
