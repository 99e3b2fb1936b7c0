"""One training by several processes: each works on its share of every batch, and all take the same step.

    batch of B rows ──> process 0: the first B / size rows ──> gradients ──┐
                        process 1: the next ones           ──> gradients ──┼──> their sum ──> the same step everywhere
                        …                                                  ┘

`size` processes with a batch of B rows do what one process does with a batch of B rows: no row is left out, none is
seen twice, and the gradients are summed with each share's weight. What one process draws at random for its rows
(augmentation, dropout) differs from what the others draw; where nothing is drawn, the numbers agree up to rounding.

The processes are started by torchrun or by Ray Train; see docs/scale.md. The loop's text is the same with one process:
then `ALONE` returns everything as it came.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import Function

from whet.errors import RecipeError
from whet.train.parts import Batches, Inputs

T = TypeVar("T")
PATIENCE = timedelta(days=1)
"""How long a process waits for the others, which may be reading data. That one has died is noticed at once."""
BUCKET = 1 << 23
"""Numbers that are summed over the processes at once: few enough for little extra memory, many enough for few messages."""


@dataclass(frozen=True)
class World:
    """The processes that train together, as one of them sees them."""

    rank: int = 0
    """Which of them this is. The first one alone validates, writes files, and looks at the clock."""
    size: int = 1

    def batch(self, batches: Batches, epoch: int, index: int) -> tuple[Inputs, Tensor, float]:
        """This process's share of a batch: (inputs, target, share of the rows). Raises RecipeError for too small a batch."""
        if self.size == 1:
            return *batches.batch(epoch, index), 1.0
        inputs, target = batches.batch(epoch, index)
        rows = len(target)
        if rows < self.size:
            raise RecipeError(
                f"A batch of {rows} rows can't be shared by {self.size} processes.", "Raise batch_size, or start fewer."
            )
        start, end = rows * self.rank // self.size, rows * (self.rank + 1) // self.size
        return tuple(x[start:end] for x in inputs), target[start:end], (end - start) / rows

    def sum(self, model: nn.Module, loss: float) -> float:
        """Give the model's gradients and the loss their sums over all processes."""
        if self.size == 1:
            return loss
        weights = [p for p in model.parameters() if p.requires_grad]
        device = weights[0].device if weights else torch.device("cpu")
        has = [float(p.grad is not None) for p in weights]
        said = torch.tensor([loss, *has], dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        dist.all_reduce(said)
        total, *some = said.tolist()
        for bucket in buckets([p for p, n in zip(weights, some, strict=True) if n]):
            sum_gradients(bucket)
        return float(total)

    def first(self, value: T) -> T:
        """The first process's value. Numbers are quick; anything else must be plain data."""
        if self.size == 1:
            return value
        if isinstance(value, bool | float):
            number = torch.tensor(value, device="cuda" if dist.get_backend() == "nccl" else "cpu", dtype=torch.float64)
            dist.broadcast(number, src=0)
            return type(value)(number)
        said = [value]
        dist.broadcast_object_list(said, src=0)
        return said[0]

    @contextlib.contextmanager
    def working(self, whole: bool) -> Iterator[None]:
        """Within the block, batch norms that were made by `synced` see the rows of all processes.

        Unless the batch is not taken as a `whole`: its pieces are not at the same place in all processes.
        """
        before, Synced.together = Synced.together, self.size > 1 and whole
        try:
            yield
        finally:
            Synced.together = before


ALONE = World()


def joined() -> World:
    """The world that this process was started in, by torchrun or Ray Train; `ALONE` where it was started by itself."""
    if dist.is_available() and dist.is_initialized():
        return World(dist.get_rank(), dist.get_world_size())
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "MASTER_ADDR" not in os.environ:
        return ALONE
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    atexit.register(leave)
    return joined()


def leave() -> None:
    """End the group before the interpreter ends: a thread of its own that still runs then aborts the process."""
    if dist.is_initialized():
        dist.destroy_process_group()


def buckets(weights: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """The weights in their order, in groups of one type and about `BUCKET` numbers."""
    group: list[nn.Parameter] = []
    for weight in weights:
        full = sum(w.numel() for w in group) + weight.numel() > BUCKET
        if group and (full or weight.dtype != group[0].dtype):
            yield group
            group = []
        group.append(weight)
    if group:
        yield group


def sum_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Sum these weights' gradients over all processes; a process that has none for a weight adds nothing."""
    gradients = [w.grad if w.grad is not None else torch.zeros_like(w) for w in weights]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    pieces = flat.split([g.numel() for g in gradients])
    for weight, gradient, piece in zip(weights, gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))
        weight.grad = gradient


# -- batch norm ------------------------------------------------------------------------------------------------------


class Sum(Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class Synced(nn.modules.batchnorm._BatchNorm):
    """A batch norm over the rows of all processes. torch's own can do that on GPUs only."""

    together = False
    """Whether all processes are in this place at this moment; else it is an ordinary one."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and Synced.together):
            return super().forward(input)
        x = input.float() if input.dtype in (torch.bfloat16, torch.float16) else input
        dims, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
        here = x.new_tensor([x.numel() / x.shape[1]])
        *_, count = sums = Sum.apply(torch.cat([x.sum(dims), here]))
        centred = x - (sums[:-1] / count).view(shape)
        var = Sum.apply(centred.square().sum(dims)) / count  # (channels,)
        self._remember(sums[:-1] / count, var * count / (count - 1))
        scaled = centred * (var + self.eps).rsqrt().view(shape)
        if self.affine:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        """The running mean and variance move towards this batch's."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(var.to(self.running_var), share)


class Synced1d(Synced, nn.BatchNorm1d):
    """(B, C) or (B, C, T)."""


class Synced2d(Synced, nn.BatchNorm2d):
    """(B, C, H, W)."""


class Synced3d(Synced, nn.BatchNorm3d):
    """(B, C, D, H, W)."""


SYNCED: dict[type[nn.Module], type[Synced]] = {
    nn.BatchNorm1d: Synced1d,
    nn.BatchNorm2d: Synced2d,
    nn.BatchNorm3d: Synced3d,
}


def synced(model: nn.Module) -> nn.Module:
    """The same model, whose batch norms see the rows of all processes. Doing it twice changes nothing more.

    Batch norms that are no modules of torch's own, and other layers that look across the rows of a batch, are not changed:
    with those, several processes are not exactly one.
    """
    for module in model.modules():
        if type(module) in SYNCED:
            module.__class__ = SYNCED[type(module)]  # in place: weights, hooks and names stay what they are
    return model
