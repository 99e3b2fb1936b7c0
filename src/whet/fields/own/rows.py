"""The user's own Datasets and DataLoaders: rows by number, and training batches by position."""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
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
)

from whet.errors import DataError, RecipeError
from whet.families import bundles
from whet.rng import seed_for

BATCH = 32
"""Rows at once of a Dataset that comes without a loader."""
PIECE = 256
"""Rows at once where only their targets are wanted."""
MOST_BYTES = 4 << 30
"""Of what can only be iterated: more is not read into memory."""
Batch = tuple[tuple[Tensor, ...], Tensor]
"""(inputs, target), rows first."""


TARGETS = ("target", "targets", "label", "labels", "y")
"""What the target may be called in a batch that is a dict."""


def parted(batch: Any) -> Batch:
    """A loader's batch as inputs and target, each nest of tensors side by side. Raises DataError for anything else."""
    inputs, target = halved(batch)
    tensors = tuple(bundles.leaves(inputs))
    rows = len(tensors[0]) if tensors and isinstance(tensors[0], Tensor) and tensors[0].dim() else 0
    if not rows or not bundles.has_rows((inputs, target), rows):
        raise DataError(
            f"The loader gives {in_words(batch)} as a batch.",
            "Let it give tensors with a row for each example: (input, target).",
        )
    return tensors, target if isinstance(target, Tensor) else bundles.joined(target)


def halved(batch: Any) -> tuple[Any, Any]:
    """(inputs, target) of a batch: the last of several tensors, or the only one itself; of a dict the one that is called so,
    and whatever else in it is a tensor. Raises DataError where nobody can tell."""
    if isinstance(batch, Mapping):
        return {name: batch[name] for name in names_of(batch)}, batch[target_in(batch)]
    pieces = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
    return (pieces, pieces[0]) if len(pieces) == 1 else (pieces[:-1], pieces[-1])


def in_words(batch: Any) -> str:
    """What a batch holds, for a person."""
    if isinstance(batch, Mapping):
        return "{" + ", ".join(f"{name!r}: {in_words(one)}" for name, one in batch.items()) + "}"
    if isinstance(batch, tuple | list):
        return "(" + ", ".join(map(in_words, batch[:5])) + (", …)" if len(batch) > 5 else ")")
    return str(tuple(batch.shape)) if isinstance(batch, Tensor) else type(batch).__name__


def names_of(batch: Any) -> tuple[str, ...]:
    """What the inputs of a dict are called; nothing for other batches. What is no tensor goes into no network."""
    if not isinstance(batch, Mapping):
        return ()
    return tuple(name for name in batch if name != target_in(batch) and isinstance(batch[name], Tensor))


def target_in(batch: Mapping[str, Any]) -> str:
    """What the target of a dict is called. Raises DataError where nobody can tell."""
    if found := [name for name in TARGETS if name in batch]:
        return found[0]
    raise DataError(
        f"The loader gives a dict of {', '.join(map(repr, batch))}: which is the target?",
        f"Call it {' or '.join(map(repr, TARGETS))}, or let the loader give tensors: (input, target).",
    )


# -- what can only be iterated ---------------------------------------------------------------------------------------------


class Listed(Dataset[Any]):
    """Examples, or batches cut into examples, that were read into memory."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        return self.items[i]


def as_loader(source: Any) -> DataLoader[Any]:
    """A DataLoader over rows that can be asked for by number; what can only be iterated is read into memory."""
    if isinstance(source, Dataset) and not isinstance(source, IterableDataset):
        return DataLoader(source, batch_size=BATCH, shuffle=True)
    if not isinstance(source, DataLoader):
        return in_memory(source)
    if not isinstance(source.dataset, IterableDataset):
        return source
    if source.batch_size is None:
        return in_memory(source)
    rows = Listed(ended(source.dataset))
    return DataLoader(rows, batch_size=source.batch_size, shuffle=True, collate_fn=source.collate_fn)


def in_memory(source: Any) -> DataLoader[Any]:
    """The same of examples, or of batches, that are only handed out in turn."""
    found = ended(source)
    if isinstance(source, IterableDataset) or not is_batch(found[0]):
        return DataLoader(Listed(found), batch_size=BATCH, shuffle=True)
    return DataLoader(
        Listed([row for batch in found for row in cut(batch)]), batch_size=rows_in(found[0]), shuffle=True
    )


def ended(source: Any) -> list[Any]:
    """All that it hands out. Raises DataError where that is nothing, or has no end in sight."""
    found, size = [], 0
    for one in source:
        found.append(one)
        size += sum(t.nbytes for t in bundles.leaves(one) if isinstance(t, Tensor))
        if size > MOST_BYTES:
            raise DataError(
                f"The loader has given {len(found):,} pieces, {size >> 30} GB, and no end is in sight.",
                "Give one that ends, or a Dataset with a length, which is read as it is needed.",
            )
    if not found:
        raise DataError("The loader gives no batch.", "Give it some rows.")
    return found


def is_batch(one: Any) -> bool:
    """Whether it holds tensors with the same number of rows, and is no single example."""
    tensors = [t for t in bundles.leaves(one) if isinstance(t, Tensor)]
    return bool(tensors) and tensors[0].dim() > 0 and bundles.has_rows(tensors, len(tensors[0]))


def rows_in(batch: Any) -> int:
    return next(len(t) for t in bundles.leaves(batch) if isinstance(t, Tensor))


def cut(batch: Any) -> Iterator[Any]:
    """A batch's examples."""
    for i in range(rows_in(batch)):
        yield bundles.mapped(operator.itemgetter(i), batch)


class Rows:
    """Rows of several loaders' datasets one behind the other: `rows[numbers]` is a batch of them."""

    def __init__(self, loaders: Sequence[DataLoader[Any]]) -> None:
        self.dataset: Dataset[Any] = ConcatDataset([loader.dataset for loader in loaders])
        self.collate = loaders[0].collate_fn

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def raw(self, rows: np.ndarray) -> Any:
        """The batch of these rows as the loader makes it: padded, where it pads, to the longest of them."""
        with drawing(0):  # a Dataset that augments gives the same rows each time
            return self.collate([self.dataset[int(i)] for i in rows])

    @functools.cached_property
    def first(self) -> tuple[Any, Any]:
        """(inputs, target) of the first row, as the loader nests them."""
        return halved(self.raw(np.arange(1)))

    @property
    def names(self) -> tuple[str, ...]:
        """What inputs are called, where batches are dicts."""
        return tuple(self.first[0]) if isinstance(self.first[0], Mapping) else ()

    @property
    def nested(self) -> bundles.Form:
        """How inputs are nested, where a batch is a tuple that holds more than tensors; else None."""
        inputs = self.first[0]
        flat = isinstance(inputs, Mapping) or all(isinstance(one, Tensor) for one in inputs)
        return None if flat else bundles.form_of(inputs)

    @property
    def targets_form(self) -> bundles.Form:
        """Of several targets, how they are nested; None where the target is one tensor."""
        return None if isinstance(self.first[1], Tensor) else bundles.form_of(self.first[1])

    def __getitem__(self, rows: np.ndarray) -> Batch:
        return parted(self.raw(rows))

    def targets(self) -> Tensor:
        """Of all rows."""
        pieces = np.array_split(np.arange(len(self)), -(-len(self) // PIECE))
        return torch.cat([self[rows][1] for rows in pieces])


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
