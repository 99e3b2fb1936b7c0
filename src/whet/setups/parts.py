"""What a set-up is trained and measured on, whatever form it comes in: tensors, arrays, a Dataset, a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from whet.errors import DataError

Batch = tuple[tuple[Tensor, ...], Tensor]
MOST_ROWS = 200_000
"""Rows of a Dataset that are brought into memory; a larger one is given as a DataLoader."""
MOST_NUMBERS = 2**26
"""Of a loader's rows that are looked at together: of large ones fewer."""


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs and targets, in memory or from a loader."""

    inputs: tuple[Tensor, ...] = ()
    """Rows first; empty for a loader."""
    target: Tensor | None = None
    loader: Iterable[Any] | None = None

    def __len__(self) -> int:
        """Rows; of a loader that doesn't say how many, 0."""
        if self.target is not None:
            return len(self.target)
        try:
            return len(self.loader.dataset)  # type: ignore[union-attr]
        except (AttributeError, TypeError):
            return 0

    def count(self, batch_size: int) -> int:
        """Batches of an epoch; of a loader that doesn't say how many, 0."""
        if self.target is not None:
            return -(-len(self.target) // batch_size)
        try:
            return len(self.loader)  # type: ignore[arg-type]
        except TypeError:
            return 0

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
        """All rows once: shuffled if a generator is given, in order otherwise; of a loader as it comes."""
        if self.target is None:
            yield from (as_batch(b) for b in (() if self.loader is None else self.loader))
            return
        n = len(self.target)
        order = torch.randperm(n, generator=generator) if generator is not None else None
        for at in range(0, n, batch_size):
            if order is None:
                yield tuple(x[at : at + batch_size] for x in self.inputs), self.target[at : at + batch_size]
            else:
                rows = order[at : at + batch_size]
                yield tuple(x[rows] for x in self.inputs), self.target[rows]

    def some(self, rows: int) -> Batch:
        """The rows to look at: at most so many, spread over all that are in memory, or the first of a loader."""
        if self.target is not None:
            step = max(1, len(self.target) // rows)
            return tuple(x[::step][:rows] for x in self.inputs), self.target[::step][:rows]
        found: list[Batch] = []
        count = 0
        for batch in self.batches(0):
            found.append(batch)
            count += len(batch[1])
            if count >= rows or len(found) * sum(x.numel() for x in batch[0]) >= MOST_NUMBERS:
                break
        if not found:
            raise DataError("The loader gives no batch.", "Give a loader with at least one batch.")
        inputs = tuple(torch.cat([b[0][i] for b in found])[:rows] for i in range(len(found[0][0])))
        return inputs, torch.cat([b[1] for b in found])[:rows]


def as_part(source: Any, what: str) -> Part:
    """Rows to train on. Raises DataError, in one line, for what is no pair of inputs and targets, or empty."""
    if isinstance(source, Part):
        return source
    if isinstance(source, DataLoader | IterableDataset) or (
        hasattr(source, "__iter__") and not isinstance(source, tuple | list | Dataset)
    ):
        loader = DataLoader(source, batch_size=32) if isinstance(source, IterableDataset) else source
        return _checked_loader(loader, what)
    if isinstance(source, Dataset):
        return _from_dataset(source, what)
    if isinstance(source, tuple | list) and len(source) == 2:
        inputs = source[0] if isinstance(source[0], tuple) else (source[0],)
        return _checked(tuple(_tensor(x) for x in inputs), _tensor(source[1]), what)
    raise DataError(
        f"{what} is a {type(source).__name__}, not inputs and targets.", "Give (X, y), a Dataset or a DataLoader."
    )


def as_batch(batch: Any) -> Batch:
    """(inputs, target) of what a loader gave. Raises DataError for another form."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise DataError(f"A batch is a {type(batch).__name__}, not (inputs, target).", "Let the loader give pairs.")
    *inputs, target = batch
    if len(inputs) == 1 and isinstance(inputs[0], tuple | list):
        inputs = list(inputs[0])
    return tuple(_tensor(x) for x in inputs), _tensor(target)


def _from_dataset(source: Any, what: str) -> Part:
    try:
        n = len(source)
    except TypeError:
        raise DataError(f"{what} is a Dataset without a length.", "Give a DataLoader over it.") from None
    if n > MOST_ROWS:
        raise DataError(f"{what} has {n:,} rows, too many to hold in memory.", "Give a DataLoader over it.")
    if n == 0:
        raise DataError(f"{what} is empty.", "Give at least one example.")
    inputs, target = as_batch(default_collate([source[i] for i in range(n)]))
    return _checked(inputs, target, what)


def _checked_loader(loader: Any, what: str) -> Part:
    if has_no_batches(loader):
        raise DataError(f"{what} is an empty loader.", "Give a loader with at least one batch.")
    if iter(loader) is loader:
        raise DataError(
            f"{what} is an iterator: it can be run through only once.", "Give the loader itself, which starts anew."
        )
    return Part(loader=loader)


def has_no_batches(loader: Any) -> bool:
    """Whether a loader says so; one over a stream of rows has a length that can't be asked for."""
    try:
        return len(loader) == 0
    except TypeError:
        return False


def _checked(inputs: tuple[Tensor, ...], target: Tensor, what: str) -> Part:
    for x in inputs:
        if len(x) != len(target):
            raise DataError(f"{what} has {len(x)} inputs and {len(target)} targets.", "Give one target per input.")
    if not len(target):
        raise DataError(f"{what} is empty.", "Give at least one example.")
    return Part(inputs, target)


def _tensor(x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise DataError(f"An array of the type {array.dtype} holds no numbers.", "Encode it as numbers first.")
    return torch.from_numpy(np.ascontiguousarray(array if array.dtype != np.float64 else array.astype(np.float32)))
