"""The user's own Datasets and DataLoaders: rows by number, and training batches by position."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
)

from whet.errors import DataError, RecipeError
from whet.rng import seed_for

BATCH = 32
"""Rows at once of a Dataset that comes without a loader."""
Batch = tuple[tuple[Tensor, ...], Tensor]
"""(inputs, target), rows first."""


TARGETS = ("target", "targets", "label", "labels", "y")
"""What the target may be called in a batch that is a dict."""


def parted(batch: Any) -> Batch:
    """A loader's batch as inputs and target: the last of several tensors, or the only one itself; of a dict the one that is
    called so. Raises DataError."""
    if isinstance(batch, Mapping):
        *names, target = (*names_of(batch), target_in(batch))
        batch = [batch[name] for name in (*names, target)]
    pieces = (batch, batch) if isinstance(batch, Tensor) else tuple(batch) if isinstance(batch, tuple | list) else ()
    if len(pieces) < 2 or not all(isinstance(piece, Tensor) for piece in pieces):
        kinds = ", ".join(type(piece).__name__ for piece in pieces) or type(batch).__name__
        raise DataError(
            f"The loader gives {kinds} as a batch.",
            "Let it give tensors: (input, target); several targets as the columns of one, which loss= takes apart.",
        )
    return pieces[:-1], pieces[-1]


def names_of(batch: Any) -> tuple[str, ...]:
    """What the inputs of a dict are called; nothing for other batches."""
    return tuple(name for name in batch if name != target_in(batch)) if isinstance(batch, Mapping) else ()


def target_in(batch: Mapping[str, Any]) -> str:
    """What the target of a dict is called. Raises DataError where nobody can tell."""
    if found := [name for name in TARGETS if name in batch]:
        return found[0]
    raise DataError(
        f"The loader gives a dict of {', '.join(map(repr, batch))}: which is the target?",
        f"Call it {' or '.join(map(repr, TARGETS))}, or let the loader give tensors: (input, target).",
    )


def as_loader(source: Any) -> DataLoader[Any]:
    """A DataLoader over rows that can be asked for by number; what can only be iterated is read into memory."""
    if isinstance(source, Dataset) and not isinstance(source, IterableDataset):
        return DataLoader(source, batch_size=BATCH, shuffle=True)
    loader = DataLoader(source, batch_size=BATCH) if isinstance(source, IterableDataset) else source
    if not isinstance(loader.dataset, IterableDataset):
        return loader
    batches = [parted(batch) for batch in loader]
    if not batches:
        raise DataError("The loader gives no batch.", "Give it some rows.")
    inputs = [torch.cat(columns) for columns in zip(*(b[0] for b in batches), strict=True)]
    rows = TensorDataset(*inputs, torch.cat([b[1] for b in batches]))
    return DataLoader(rows, batch_size=loader.batch_size or len(batches[0][1]), shuffle=True)


class Rows:
    """Rows of several loaders' datasets one behind the other: `rows[numbers]` is a batch of them."""

    def __init__(self, loaders: Sequence[DataLoader[Any]]) -> None:
        self.dataset: Dataset[Any] = ConcatDataset([loader.dataset for loader in loaders])
        self.collate = loaders[0].collate_fn

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    @property
    def names(self) -> tuple[str, ...]:
        """What inputs are called, where batches are dicts."""
        with drawing(0):
            return names_of(self.collate([self.dataset[0]]))

    def __getitem__(self, rows: np.ndarray) -> Batch:
        with drawing(0):  # a Dataset that augments gives the same rows each time
            pieces = list(self.pieces(rows))
        inputs = tuple(torch.cat(columns) for columns in zip(*(piece[0] for piece in pieces), strict=True))
        return inputs, torch.cat([piece[1] for piece in pieces])

    def pieces(self, rows: np.ndarray, size: int = 256) -> Iterator[Batch]:
        for at in range(0, len(rows), size):
            items = [self.dataset[int(i)] for i in rows[at : at + size]]
            yield parted(self.collate(items))

    def targets(self) -> Tensor:
        """Of all rows."""
        with drawing(0):
            return torch.cat([target for _, target in self.pieces(np.arange(len(self)))])


@contextlib.contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Torch's own random numbers come from this seed; the caller's come back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@dataclass
class Given:
    """The batches that the user's loader makes of some rows of its dataset, by position.

    The order of an epoch is drawn from the seed and the epoch's number, so that a resumed training sees the same batches;
    those before its first one are skipped.
    """

    loader: DataLoader[Any]
    seed: int

    def __post_init__(self) -> None:
        self._at = (-1, 0)
        self._batches: Iterator[Any] = iter(())

    @property
    def batches_per_epoch(self) -> int:
        return max(1, len(self.loader))

    def batch(self, epoch: int, index: int) -> Batch:
        if self._at != (epoch, index):
            self._begin(epoch, index)
        self._at = (epoch, index + 1)
        return parted(next(self._batches))

    def _begin(self, epoch: int, index: int) -> None:
        """Start the epoch and skip what comes before. A sampler draws the order when it is asked for its first batch."""
        with drawing(seed_for(self.seed, "loader", epoch)):
            batches = iter(self.loader)
            first = next(batches)
            self._batches = itertools.chain([first], batches)
            for _ in range(index):
                next(self._batches)


def part_of(loader: DataLoader[Any], rows: np.ndarray, batch_size: int) -> DataLoader[Any]:
    """The loader over these rows of its dataset, or itself where they are all of them and the batches are as large.

    Raises RecipeError where its own sampler stands in the way.
    """
    whole = len(rows) == len(loader.dataset)  # type: ignore[arg-type]
    if whole and batch_size == size_of(loader) and loader.generator is None:
        return loader
    if not isinstance(loader.sampler, RandomSampler | SequentialSampler) or loader.batch_size is None:
        raise RecipeError(
            "The training loader has a sampler of its own, which can't be cut or given another batch size.",
            "Give loaders for validation too, (train, val), and leave batch_size as it is.",
        )
    return DataLoader(
        loader.dataset if whole else Subset(loader.dataset, rows.tolist()),
        batch_size=batch_size,
        shuffle=isinstance(loader.sampler, RandomSampler),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        drop_last=loader.drop_last and len(rows) >= batch_size,
        worker_init_fn=loader.worker_init_fn,
    )


def size_of(loader: DataLoader[Any]) -> int:
    """Rows of a batch; of a batch sampler of the user's own, those of its first."""
    return int(loader.batch_size or len(parted(next(iter(loader)))[1]))
