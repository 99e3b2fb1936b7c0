"""Which inputs no answer depends on: those whose gradient is exactly zero for every row."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn

ROWS = 64


def unseen(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """The share of the numbers of a row, or of the places of its indices, that vary and that no answer depends on.

    0 where nothing is known: of a network that can't be differentiated, or that passes nothing on at all.
    """
    few = tuple(x[:ROWS].detach().clone().requires_grad_(x.is_floating_point()) for x in inputs)
    vectors: dict[int, Tensor] = {}

    def looked_up(_: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
        for i, x in enumerate(few):
            if args and isinstance(args[0], Tensor) and args[0].shape == x.shape and torch.equal(args[0], x):
                vectors.setdefault(i, out)

    hooks = [m.register_forward_hook(looked_up) for m in model.modules() if isinstance(m, nn.Embedding)]
    was = model.training
    shares: list[float] = []
    with contextlib.suppress(RuntimeError, ValueError), torch.random.fork_rng(devices=[]):
        said = model.eval()(*few)
        weights = torch.randn(said.shape, generator=torch.Generator().manual_seed(0)).to(said.device, said.dtype)
        leaves = {i: x for i, x in enumerate(few) if x.requires_grad} | vectors
        slopes = torch.autograd.grad((said * weights).sum(), list(leaves.values()), allow_unused=True)
        shares = [share(few[i].detach(), slope) for i, slope in zip(leaves, slopes, strict=True)]
    for hook in hooks:
        hook.remove()
    model.train(was)
    return max(shares, default=0.0)


def share(x: Tensor, slope: Tensor | None) -> float:
    """Of the places of `x` that vary, those without a slope; 0 where none has one."""
    if slope is None or x.dim() < 2:
        return 0.0
    size = slope.abs().amax(0)
    size = size.reshape(*x.shape[1:], -1).amax(-1)
    vary = (x != x[:1]).any(0)
    lost = vary & (size == 0)
    return float(lost.sum() / vary.sum()) if bool(vary.any()) and bool((size > 0).any()) else 0.0
