"""The maximum of each 2x2 pixels: the same numbers as torch's, in both directions, in less time (max_pool.c)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whet.activations.kernel.function import is_plain, suits, switched_off
from whet.activations.kernel.library import all_threads, functions_of

KEPT = {torch.bfloat16: ("uint16_t", 16), torch.float32: ("uint32_t", 0)}
"""How C keeps a number's bits, and how far they lie above those of a float32."""
LEAST = 16
"""Channels from which on a loop over them is worth it."""


def kernel(dtype: torch.dtype) -> tuple[Callable[..., None], ...] | None:
    """The two functions for maps of a dtype, compiled once; None where there is no compiler, and with WHET_KERNELS=0 in the
    environment."""
    return None if switched_off() else _compiled(dtype)


@cache
def _compiled(dtype: torch.dtype) -> tuple[Callable[..., None], ...] | None:
    kept, shift = KEPT[dtype]
    found = functions_of(
        "train/max_pool.c", "forward", "backward", before=f"typedef {kept} number;\n#define SHIFT {shift}"
    )
    return tuple(found) if found else None


class MaxPool2x2(nn.MaxPool2d):
    """An `nn.MaxPool2d(2)` that takes channels-last maps as they lie."""

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, C, H // 2, W // 2)
        return _MaxPool.apply(x) if _takes(x) else super().forward(x)


def use(model: nn.Module) -> nn.Module:
    """Lets the model's 2x2 pools run faster, in place; they give the same numbers."""
    for module in model.modules():
        if type(module) is nn.MaxPool2d and fits(module):
            module.__class__ = MaxPool2x2
    return model


def fits(pool: nn.MaxPool2d) -> bool:
    """Whether it is of 2x2 pixels that do not overlap, without a border."""
    form = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    pairs = tuple(tuple(n) if isinstance(n, tuple | list) else (n, n) for n in form)
    return pairs == ((2, 2), (2, 2), (0, 0), (1, 1)) and not (pool.ceil_mode or pool.return_indices)


def _takes(x: Tensor) -> bool:
    if x.dtype not in KEPT or x.dim() != 4 or x.shape[1] < LEAST or min(x.shape[2:]) < 2 or not len(x):
        return False
    lies = is_plain(x) and x.is_contiguous(memory_format=torch.channels_last)
    return lies and suits(x, least=1) and kernel(x.dtype) is not None


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        call = kernel(x.dtype)
        assert call is not None
        batch, channels, height, width = x.shape
        shape = batch, channels, height // 2, width // 2
        y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        place = torch.empty(shape, dtype=torch.uint8, device=x.device, memory_format=torch.channels_last)
        call[0](x.data_ptr(), y.data_ptr(), place.data_ptr(), batch, height, width, channels, all_threads())
        ctx.save_for_backward(place)
        ctx.size = height, width
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (place,) = ctx.saved_tensors
        call = kernel(g.dtype)
        if torch.is_grad_enabled() or call is None or not is_plain(g):  # differentiated again, or many at once
            return given_back(g, place, ctx.size)
        g = g.contiguous(memory_format=torch.channels_last)
        x = torch.empty(*g.shape[:2], *ctx.size, dtype=g.dtype, device=g.device, memory_format=torch.channels_last)
        call[1](g.data_ptr(), place.data_ptr(), x.data_ptr(), len(g), *ctx.size, g.shape[1], all_threads())
        return x


def given_back(g: Tensor, place: Tensor, size: tuple[int, int]) -> Tensor:
    """The gradient g of the maxima, each where `place` (0 to 3, row by row) says, in maps of a size; 0 elsewhere."""
    four = torch.stack([torch.where(place == i, g, 0) for i in range(4)], dim=2).flatten(1, 2)
    return F.pad(F.pixel_shuffle(four, 2), (0, size[1] % 2, 0, size[0] % 2))
