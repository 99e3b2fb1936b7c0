"""What is known of the user's own inputs: shapes and kinds. Nothing is fitted and nothing is changed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from whet.families import bundles

PIECE = 1000


@dataclass(frozen=True)
class Column:
    """One input of the network."""

    shape: tuple[int, ...]
    """Of one example."""
    kind: str
    """Its type, such as "float32"."""
    most: int = 1
    """Of whole numbers: above every one that was seen."""

    def drawn(self, rows: int, draw: torch.Generator) -> Tensor:
        dtype = getattr(torch, self.kind)
        if dtype.is_floating_point:
            return torch.randn(rows, *self.shape, generator=draw, dtype=dtype)
        return torch.randint(max(1, self.most), (rows, *self.shape), generator=draw).to(dtype)


def column(x: Tensor) -> Column:
    """Of a batch's tensor."""
    kind = str(x.dtype).removeprefix("torch.")
    return Column(tuple(x.shape[1:]), kind, 1 if x.is_floating_point() or not x.numel() else int(x.max()) + 1)


@dataclass(frozen=True)
class OwnTransform:
    """Inputs as they are."""

    columns: tuple[Column, ...]
    loader: DataLoader[Any] | None = field(default=None, compare=False)
    """Of the training rows; None in a network that is read from disk."""
    names: tuple[str, ...] = ()
    """Of the columns, where a batch is a dict."""
    nested: bundles.Form = None
    """How a batch nests them, where that is more than a row of tensors."""
    alone: bool = False
    """Whether one tensor that the network gives in a tuple or a dict is taken out of it: no loss wants it in there."""
    targets: bundles.Form = field(default=None, compare=False)
    """Of several targets, how they are nested; needed in training alone."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.columns[0].shape

    def spec(self) -> dict[str, Any]:
        return {
            "domain": "own",
            "shape": self.shape,
            "example": lambda: tuple(self.drawn(2, 0).values()),
            "more": {"free": True, "names": self.names, "form": self.nested, "alone": self.alone},
        }

    @property
    def truths(self) -> Callable[[Tensor], Any] | None:
        """What gives a loss its several targets back; None where it is one tensor."""
        return functools.partial(bundles.apart, self.targets) if self.targets is not None else None

    def apply(self, x: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(x)

    def pieces(self, x: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        return (tuple(v[at : at + PIECE] for v in x) for at in range(0, max(1, len(x[0])), PIECE))

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        draw = torch.Generator().manual_seed(seed)
        names = self.names or tuple(f"input{i}" for i in range(len(self.columns)))
        return {name: column.drawn(rows, draw) for name, column in zip(names, self.columns, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        columns = [[list(c.shape), c.kind, c.most] for c in self.columns]
        nested = bundles.nest_of(self.nested)
        return {"columns": columns, "names": list(self.names), "nested": nested, "alone": self.alone}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> OwnTransform:
        columns = tuple(Column(tuple(shape), kind, most) for shape, kind, most in state["columns"])
        nested = bundles.nest_from(state.get("nested"))
        return cls(columns, names=tuple(state.get("names", ())), nested=nested, alone=state.get("alone", False))
