"""Batches by position: `batch(epoch, index)` needs nothing that came before it, so resuming replays nothing."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from whet.rng import generator

SHARE_OF_MEMORY = 0.25
"""A memory map larger than this share of the memory has its pages dropped now and then, so that it never fills it."""


class Loader:
    """Batches of some rows of tensors.

    `tensors` are the inputs and `target` the targets, rows first; `rows` says which of them are used, (n,) int64.
    The order of an epoch is drawn from `seed` and the epoch's number alone. Without `shuffle` it is that of `rows`.
    With `drop_last` a last, smaller batch is left out, unless it is the only one.
    """

    def __init__(
        self,
        tensors: tuple[Tensor, ...],
        target: Tensor | None,
        rows: Tensor,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = True,
    ) -> None:
        self.tensors, self.target, self.rows = tensors, target, rows
        self.batch_size, self.seed, self.shuffle, self.drop_last = batch_size, seed, shuffle, drop_last
        self._flat = [t.flatten(1) if t.is_contiguous() and t.ndim > 1 else t for t in tensors]
        self._order: tuple[int, Tensor] | None = None
        self._dropper = Dropper.of(tensors)

    @property
    def batches_per_epoch(self) -> int:
        full, rest = divmod(len(self.rows), self.batch_size)
        return full + (1 if rest and (not self.drop_last or full == 0) else 0)

    def order(self, epoch: int) -> Tensor:
        """(n,) int64: the rows in the order of this epoch."""
        if not self.shuffle:
            return self.rows
        if self._order is None or self._order[0] != epoch:
            permutation = generator(self.seed, "data", epoch).permutation(len(self.rows))
            self._order = (epoch, self.rows[torch.from_numpy(permutation)])
        return self._order[1]

    def batch(self, epoch: int, index: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """((inputs, …), targets) number `index` of an epoch; without targets, the second is the row numbers."""
        chosen = self.order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        inputs = tuple(
            taken(flat, chosen).view(len(chosen), *tensor.shape[1:])
            for flat, tensor in zip(self._flat, self.tensors, strict=True)
        )
        if self._dropper:
            self._dropper.used(sum(i.nbytes for i in inputs))
        return inputs, chosen if self.target is None else taken(self.target, chosen)

    def epoch(self, epoch: int = 0) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """All the batches of an epoch."""
        return (self.batch(epoch, index) for index in range(self.batches_per_epoch))


def taken(x: Tensor, rows: Tensor) -> Tensor:
    """A copy of some rows. Of a view of overlapping windows, indexing is four times as fast as `index_select`."""
    return x.index_select(0, rows) if x.is_contiguous() else x[rows]


class Dropper:
    """Gives the pages of large memory maps back after every so many bytes read; the data stays in the file."""

    def __init__(self, mappings: list[mmap.mmap], every: int) -> None:
        self.mappings, self.every, self._read = mappings, every, 0

    @classmethod
    def of(cls, tensors: tuple[Tensor, ...]) -> Dropper | None:
        """None if no tensor lies in a memory map that is large for this machine."""
        limit = int(SHARE_OF_MEMORY * memory())
        mappings = [getattr(t, "mapping", None) for t in tensors if t.nbytes > limit]
        large: list[Any] = [m for m in mappings if m is not None and hasattr(m, "madvise")]
        for mapping in large:
            with contextlib.suppress(OSError, ValueError):
                mapping.madvise(mmap.MADV_RANDOM)  # rows come in random order: reading ahead is wasted
        return cls(large, limit // 4) if large and hasattr(mmap, "MADV_DONTNEED") else None

    def used(self, size: int) -> None:
        # A row is part of one page or more: reading it brings in more than its own bytes. Doubled for that.
        self._read += 2 * size
        if self._read >= self.every:
            self._read = 0
            for mapping in self.mappings:
                with contextlib.suppress(OSError, ValueError):
                    mapping.madvise(mmap.MADV_DONTNEED)


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or the container's limit if that is less."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        total = 8 << 30
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return min(total, int(Path(file).read_text()))
    return total
