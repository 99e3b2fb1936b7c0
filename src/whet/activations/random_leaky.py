"""Leaky relu with a slope that is drawn for every number: fast, and drawn again for the backward pass instead of kept.

keys       two numbers of 32 bits, drawn from torch's generator at each call
drawn      from [0, 1), a function of the keys and of a number's place in memory
slope      lower + (upper - lower) drawn where x < 0, 1 elsewhere
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.activations.differentiable import Plan
from whet.activations.expression import Node, parse, replace, simplify
from whet.activations.expression.nodes import number
from whet.activations.kernel.emit import DRAWN
from whet.activations.kernel.function import is_plain, kernel_for, multiply, suits
from whet.errors import RecipeError

MASK = 0xFFFFFFFF
Keys = tuple[int, int]


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
        if suits(x):
            return _Drawn.apply(x, x, self, draw_keys())
        return x * torch.empty_like(x).uniform_(self.lower, self.upper).masked_fill(x >= 0, 1)

    def extra_repr(self) -> str:
        return f"lower={self.lower:g}, upper={self.upper:g}"


def times(v: Tensor, x: Tensor, of: RandomLeaky, keys: Keys) -> Tensor:
    """v times the slopes that the keys give to x, by the kernel or by torch's own operations."""
    kernel = kernel_for(of.plan, x)
    if kernel and is_plain(v):
        return multiply(kernel, v, x, (ctypes.c_uint32 * 2)(*keys))
    slopes = uniform(x, keys) * (of.upper - of.lower) + of.lower
    return (v * slopes.masked_fill(x >= 0, 1)).to(v.dtype)


class _Drawn(torch.autograd.Function):
    """v times the slopes of x: linear in v, so that its derivative is of its own kind, and x need not be differentiated."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, x: Tensor, of: RandomLeaky, keys: Keys) -> Tensor:
        ctx.of, ctx.keys = of, keys
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return times(v, x, of, keys)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        again: Callable[..., Tensor] = _Drawn.apply if torch.is_grad_enabled() else times
        return again(g, x, ctx.of, ctx.keys), None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return _Drawn.apply(tangent, *ctx.saved_tensors, ctx.of, ctx.keys)


def _formula(lower: float, upper: float) -> Node:
    slope = parse(f"where(x >= 0, x, (lower + width * {DRAWN}) * x)", names=("lower", "width", DRAWN))
    return simplify(replace(slope, {"lower": number(lower), "width": number(upper - lower)}))


def draw_keys() -> Keys:
    """Two fresh keys; torch.manual_seed brings them back."""
    drawn = int(torch.empty((), dtype=torch.int64).random_())
    return drawn & MASK, drawn >> 32


def uniform(like: Tensor, keys: Keys) -> Tensor:
    """Random numbers from [0, 1), float32, for the places of a tensor in memory: those of prelude.h's `uniform`."""
    place = torch.empty_like(like, dtype=torch.int64)
    place.as_strided((place.numel(),), (1,)).copy_(torch.arange(place.numel()))
    return (_stirred(_stirred((place + keys[0]) & MASK) ^ keys[1]) >> 8).float() * 2**-24


def _stirred(h: Tensor) -> Tensor:
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & MASK
    return h ^ (h >> 16)
