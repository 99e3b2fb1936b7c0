"""Leaky relu with a slope that is drawn for every number: fast, and drawn again for the backward pass instead of kept.

keys       two numbers of 32 bits, the halves of one of 63 bits that is drawn from torch's generator at each call
drawn      from [0, 1), a function of the keys and of a number's place in memory
slope      lower + (upper - lower) drawn where x < 0, 1 elsewhere
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, is_grad_enabled, nn
from torch.nn import functional as F

from whet.activations.differentiable import Plan, check_floating, save, without_transforms
from whet.activations.expression import Node, parse, replace, simplify
from whet.activations.expression.nodes import number
from whet.activations.kernel.emit import DRAWN
from whet.activations.kernel.function import is_plain, kernel_for, multiply, suits
from whet.activations.kernel.library import Kernel
from whet.errors import RecipeError

MASK = 0xFFFFFFFF
NUMBER = torch.empty((), dtype=torch.int64)


class RandomLeaky(nn.Module):
    """max(x, 0) + a min(x, 0), a from U(lower, upper) for every number in training, their mean in evaluation.

    As nn.RReLU, but keeps one tensor for the backward pass. Large tensors on the CPU draw two numbers from torch's
    generator, whatever their size, others one for each of theirs.
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        super().__init__()
        if lower > upper:
            raise RecipeError(f"rrelu.lower={lower} is above upper={upper}.", "Exchange them.")
        self.lower, self.upper = lower, upper
        self.plan = Plan.ready(_formula(lower, upper), ())

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.leaky_relu(x, (self.lower + self.upper) / 2)
        kernel = kernel_for(self.plan, x)
        if kernel or suits(x):
            return _drawn(x, None, (self, draw_keys(), kernel))
        check_floating(x)
        return x * torch.empty_like(x).uniform_(self.lower, self.upper).masked_fill(x >= 0, 1)

    def extra_repr(self) -> str:
        return f"lower={self.lower:g}, upper={self.upper:g}"


Slopes = tuple[RandomLeaky, int, Kernel | None]
"""Whose they are, the keys that give them, and the kernel where that may take the tensor."""


def times(v: Tensor, x: Tensor, slopes: Slopes) -> Tensor:
    """v times the slopes of x, by the kernel or by torch's own operations."""
    of, keys, kernel = slopes
    if kernel and (v is x or (is_plain(v) and is_plain(x))):
        return multiply(kernel, v, x, keys)
    drawn = uniform(x, halves(keys)) * (of.upper - of.lower) + of.lower
    return (v * drawn.masked_fill(x >= 0, 1)).to(v.dtype)


class _Drawn(torch.autograd.Function):
    """v times the slopes of x, None for v itself: linear in v, so that its derivative is of its own kind, and x need not be
    differentiated."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, x: Tensor | None, slopes: Slopes) -> Tensor:
        x = v if x is None else x
        ctx.slopes = slopes
        save(ctx, x)
        return times(v, x, slopes)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (x,), slopes = ctx.saved_tensors, ctx.slopes
        return _Drawn.apply(g, x, slopes) if is_grad_enabled() else times(g, x, slopes), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return _Drawn.apply(tangent, *ctx.saved_tensors, ctx.slopes)


_drawn = without_transforms(_Drawn)


def _formula(lower: float, upper: float) -> Node:
    slope = parse(f"where(x >= 0, x, (lower + width * {DRAWN}) * x)", names=("lower", "width", DRAWN))
    return simplify(replace(slope, {"lower": number(lower), "width": number(upper - lower)}))


def draw_keys() -> int:
    """Two fresh keys, as one number of 63 bits; torch.manual_seed brings them back.

    Of two threads that draw at once both may get one's keys, which are as random.
    """
    return NUMBER.random_().item()  # type: ignore[return-value]


def halves(keys: int) -> tuple[int, int]:
    """The two keys."""
    return keys & MASK, keys >> 32


def uniform(like: Tensor, keys: tuple[int, int]) -> Tensor:
    """Random numbers from [0, 1), float32, for the places of a tensor in memory: those of prelude.h's `uniform`."""
    first, second = _stirred(keys[0]), _stirred((keys[1] + 1) & MASK) | 1
    place = torch.empty_like(like, dtype=torch.int64)
    place.as_strided((place.numel(),), (1,)).copy_(torch.arange(place.numel()))
    h = (place * 0x9E3779B9 + first) & MASK
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
    h = ((h ^ (h >> 13)) * second) & MASK
    return ((h ^ (h >> 16)) >> 8).float() * 2**-24


def _stirred(h: int) -> int:
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & MASK
    return h ^ (h >> 16)
