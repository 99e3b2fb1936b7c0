"""3x3 convolutions with fewer products: Winograd's minimal filtering, for trainings in bfloat16 (winograd.c).

36 products in place of 144 for 4x4 numbers of the output, in both directions: Lavin and Gray 2015, arXiv:1509.09308. Factors
are rounded to bfloat16 after they are spread, so that an output, or a gradient, is off by 1.1 % of its size, where a plain
convolution in bfloat16 is off by 0.23 % (both measured). That is little beside what a gradient owes to the draw of its batch;
and what a network answers outside of training is computed as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from whet.activations.kernel.function import is_plain, suits, switched_off
from whet.activations.kernel.library import all_threads, functions_of

MOST, MULTIPLE = 8192, 32
"""Channels that there may be at most, and that they must be a multiple of; with 32 it is faster already."""
PLACES, TILES, LINE = 36, 24, 64
"""As in winograd.c: numbers of a window, tiles in a block, bytes between places."""
PAIRS = 128
"""Pairs of tiles that are spread at once for the filters' gradient, for each two threads: twice 4.7 MB for 256 channels."""


@dataclass(frozen=True)
class Kernel:
    """The functions of winograd.c."""

    filters: Callable[..., None]
    convolve: Callable[..., None]
    correlate: Callable[..., None]


def kernel() -> Kernel | None:
    """The functions of winograd.c, compiled once (1 to 2 s); None where there is no compiler, where the processor has no dot
    products of bfloat16, and with WHET_KERNELS=0 in the environment."""
    return None if switched_off() else _compiled()


@cache
def _compiled() -> Kernel | None:
    found = functions_of("train/winograd.c", "filters", "convolve", "correlate")
    return Kernel(*found) if found else None


class Conv3x3(nn.Conv2d):
    """An `nn.Conv2d` that, while it is trained in bfloat16, convolves with fewer products.

    Whatever else is asked of it is `nn.Conv2d`'s, and so is what can't be done: a wrong number of channels, for one. Under
    `torch.utils.checkpoint(use_reentrant=True)` the first pass, which keeps no gradients, is `nn.Conv2d`'s too.
    """

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, K, H, W)
        if not (self.training and torch.is_grad_enabled() and self._takes(x)):
            return super().forward(x)
        y = _Convolution.apply(x, self.weight)
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]

    def _takes(self, x: Tensor) -> bool:
        fits = x.dim() == 4 and x.shape[1] == self.in_channels and self.weight.dtype == torch.float32
        return fits and x.numel() > 0 and _in_bfloat16() and suits(x, [self.weight], least=1) and kernel() is not None


def use(model: nn.Module) -> nn.Module:
    """Lets the model's 3x3 convolutions train with fewer products, in place; names, weights and hooks stay."""
    if kernel() is not None:
        for module in model.modules():
            if fits(module):
                module.__class__ = Conv3x3
    return model


def fits(module: nn.Module) -> bool:
    """Whether a module is a convolution that this is for: plain, 3x3, stride 1, a border of one zero, channels by 32."""
    if type(module) is not nn.Conv2d:
        return False
    form = module.kernel_size, module.stride, module.padding, module.dilation, module.groups, module.padding_mode
    channels = module.in_channels, module.out_channels
    plain = form == ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros") and module.weight.dtype == torch.float32
    return plain and all(c <= MOST and c % MULTIPLE == 0 for c in channels)


def _in_bfloat16() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        x = _channels_last(x)
        ctx.save_for_backward(x, weight)
        return convolve(x, weight)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        if torch.is_grad_enabled() or not is_plain(g):  # what comes will be differentiated again, or is many at once
            return _as_usual(g, x, weight.to(x.dtype), wanted)
        g = _channels_last(g)
        return convolve(g, weight, turned=True) if wanted[0] else None, gradient(x, g) if wanted[1] else None


def _as_usual(g: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]) -> tuple[Tensor | None, Tensor | None]:
    ones = (1, 1)
    back = torch.ops.aten.convolution_backward
    there = back(g, x, weight, None, ones, ones, ones, False, (0, 0), 1, (wanted[0], wanted[1], False))
    return there[0], there[1]


def convolve(x: Tensor, weight: Tensor, turned: bool = False) -> Tensor:
    """x (B, C, H, W), bfloat16 and channels-last, convolved with weight (K, C, 3, 3): (B, K, H, W).

    `turned`: x is the gradient of such an output, and what comes is that of the input.
    """
    c = kernel()
    assert c is not None
    taps = (weight.permute(2, 3, 0, 1) if turned else weight.permute(2, 3, 1, 0)).contiguous()  # (3, 3, from, to)
    (batch, _, height, width), (wide, narrow), threads = x.shape, taps.shape[2:], all_threads()
    spread = _room(PLACES, wide // 2, narrow, dtype=torch.int32)
    c.filters(taps.data_ptr(), spread.data_ptr(), wide, narrow, int(turned), threads)
    y = _room(batch, narrow, height, width, dtype=x.dtype, memory_format=torch.channels_last)
    room = _room(threads * PLACES * (TILES * wide + LINE // 2), dtype=torch.bfloat16)
    maps = batch, height, width, wide, narrow
    c.convolve(x.data_ptr(), spread.data_ptr(), y.data_ptr(), *maps, room.data_ptr(), threads)
    return y


def gradient(x: Tensor, g: Tensor) -> Tensor:
    """The gradient (K, C, 3, 3), float32, of a weight that made g's output (B, K, H, W) of x (B, C, H, W)."""
    c = kernel()
    assert c is not None
    (batch, wide, height, width), narrow, threads = x.shape, g.shape[1], all_threads()
    pairs = PAIRS * -(-threads // 2)
    taps, sums = (_room(n, wide, narrow, dtype=torch.float32) for n in (9, PLACES))
    rooms = [_room(PLACES * (pairs * n + LINE // 4), dtype=torch.int32) for n in (wide, narrow)]
    maps = batch, height, width, wide, narrow
    room = (r.data_ptr() for r in rooms)
    c.correlate(x.data_ptr(), g.data_ptr(), taps.data_ptr(), sums.data_ptr(), *maps, *room, pairs, threads)
    return taps.view(3, 3, wide, narrow).permute(3, 2, 0, 1)


def _channels_last(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def _room(*shape: int, dtype: torch.dtype, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    """An empty tensor for C, whatever torch's defaults are."""
    return torch.empty(shape, dtype=dtype, device="cpu", memory_format=memory_format)
