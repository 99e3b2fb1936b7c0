"""Rows of a table on their way to a generator, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from whet.families.generate import inputs_like
from whet.fields.generate import columns
from whet.fields.generate.columns import Column
from whet.fields.generate.transform import around, no_export
from whet.fields.generate.wording import Wording
from whet.train.parts import Inputs


@dataclass(frozen=True)
class RowsTransform:
    """Fitted on training rows."""

    columns: tuple[Column, ...]
    wording: Wording = field(default_factory=dict)
    """How the source spells them: what `back` gives is not in its words yet, so that it compares with tables that were read."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(sum(c.sizes) for c in self.columns),)

    @property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """(first, end) of the numbers of which one is 1."""
        found, at = [], 0
        for column in self.columns:
            number, *group = column.sizes
            at += number
            found += [(at, at + size) for size in group]
            at += sum(group)
        return tuple(found)

    def apply(self, x: pl.DataFrame) -> tuple[Tensor, ...]:
        """(rows, F) float32."""
        parts = [c.encode(x[c.name]) for c in self.columns]
        return (torch.from_numpy(np.concatenate(parts, 1).astype(np.float32)),)

    def pieces(self, x: pl.DataFrame) -> Iterator[tuple[Tensor, ...]]:
        yield self.apply(x)

    def back(self, x: np.ndarray) -> pl.DataFrame:
        """Rows of the table."""
        found, at = [], 0
        for column in self.columns:
            size = sum(column.sizes)
            found.append(column.decode(x[:, at : at + size]))
            at += size
        return pl.DataFrame(found)

    def spec(self) -> dict[str, Any]:
        more = {"groups": self.groups, "around": around, "output_shape": self.shape, "inside": self.inside}
        return {"domain": "rows", "shape": self.shape, "more": more, "example": self.example}

    def example(self) -> Inputs:
        return inputs_like(self.shape)

    def inside(self) -> Inputs:
        """What a user's network takes."""
        return inputs_like(self.shape)[:3]

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        raise no_export()

    def to_dict(self) -> dict[str, Any]:
        return {"columns": columns.to_dict(self.columns), "wording": {k: dict(v) for k, v in self.wording.items()}}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> RowsTransform:
        return cls(columns.from_dict(state["columns"]), state.get("wording", {}))
