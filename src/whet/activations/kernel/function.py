"""When a formula runs as a kernel, and how tensors get there."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import addressof, c_double, c_float
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch._C import _are_functorch_transforms_active as is_transforming
from torch._C import _get_tracing_state as tracing_state
from torch._C import _has_storage as has_storage
from torch.compiler import is_compiling

from whet.activations.expression.nodes import Node
from whet.activations.kernel import channels
from whet.activations.kernel.emit import BLOCK
from whet.activations.kernel.library import Kernel, in_forked_child, kernel

LEAST = 512
"""Numbers in a tensor from which on a kernel is compiled for it: 8 examples of 64 units.

Measured on one thread, forward and backward of 4,096 float32: torch's operations one by one 104 to 290 us, the kernel 34
to 42 (silu 25 to 30); of 512 the kernel 30 to 40 (silu 21 to 25). Compiling takes 0.15 s per formula and dtype on a calm
machine and 0.7 on one with eight times as much to do as it has cores, hence pays from some two thousand calls on: for every
training but the shortest, not for a look at a few numbers, which is what tensors below this mostly are.
"""
GRAIN = 32_768
"""Numbers from which on a further thread helps, as in torch's own loops."""
DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
OWN = (Tensor, nn.Parameter)
SWITCH, OFF = os.environ.encodekey("WHET_KERNELS"), os.environ.encodevalue("0")
_environment: dict[object, object] = os.environ._data  # type: ignore[attr-defined]
"""What os.environ keeps behind its methods: asking it here costs 0.05 us, os.environ.get 0.8."""


class Planned(Protocol):
    """What is asked of a formula: its tree, its parameters in order, and a place to keep kernels by dtype."""

    node: Node
    names: tuple[str, ...]
    kernels: dict[Any, Kernel | None]


def kernel_for(plan: Planned, x: Tensor, parameters: Sequence[Tensor] = (), least: int = LEAST) -> Kernel | None:
    """The kernel that may take these tensors; None where it must not, or where it can't be compiled.

    WHET_KERNELS=0 in the environment turns kernels off.
    """
    if not suits(x, parameters, least) or switched_off():
        return None
    if parameters and any(p.dim() for p in parameters):
        return _kernel_of_channels(plan, x, parameters)
    dtype = x.dtype
    if dtype not in plan.kernels:
        plan.kernels[dtype] = kernel(plan.node, plan.names, DTYPES[dtype])
    return plan.kernels[dtype]


def switched_off() -> bool:
    """Whether WHET_KERNELS=0 is in the environment."""
    return _environment.get(SWITCH) == OFF


def _kernel_of_channels(plan: Planned, x: Tensor, parameters: Sequence[Tensor]) -> Kernel | None:
    layout = channels.layout_of(x, parameters)
    if layout is None:
        return None
    key = (x.dtype, layout)
    if key not in plan.kernels:
        plan.kernels[key] = kernel(plan.node, plan.names, DTYPES[x.dtype], layout)
    return plan.kernels[key]


def suits(x: Tensor, parameters: Sequence[Tensor] = (), least: int = LEAST) -> bool:
    """Whether a kernel may take these tensors: plain, on the CPU, large enough.

    Never while torch compiles, traces or transforms. The answer depends on the tensors only, not on what ran before, so
    that a training that is resumed sees the same bits.
    """
    if is_compiling() or is_transforming() or tracing_state() is not None:
        return False
    if x.numel() < least or x.dtype not in DTYPES or not is_plain(x):
        return False
    return not parameters or all(map(is_plain, parameters))


def is_plain(x: Tensor) -> bool:
    """Whether a tensor has memory of its own on the CPU that C may read as it is; sparse and batched ones have no storage."""
    return type(x) in OWN and x.is_cpu and has_storage(x) and not x.is_neg()


def forward(kernel: Kernel, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The formula's value, in x's memory format."""
    y = torch.empty_like(x)
    x = _in_order_of(y, x)
    n = x.numel()
    if kernel.layout:
        p = channels.side_by_side(parameters)
        kernel.forward(x.data_ptr(), y.data_ptr(), *channels.rows_of(x, parameters), p.data_ptr(), _threads(n))
        return y
    values = _values(parameters) if parameters else None
    kernel.forward(x.data_ptr(), y.data_ptr(), n, addressof(values) if values else 0, _threads(n))
    return y


def multiply(kernel: Kernel, g: Tensor, x: Tensor, p: int = 0) -> Tensor:
    """g times the slope at x, for a formula whose parameters, at address p, need no gradient."""
    gx = torch.empty_like(x)
    if not x.is_contiguous() or (g is not x and (not g.is_contiguous() or g.dtype != x.dtype)):
        g, x = _in_order_of(gx, g), _in_order_of(gx, x)
    n = x.numel()
    kernel.backward(g.data_ptr(), x.data_ptr(), gx.data_ptr(), n, p, 0, 0, _threads(n))
    return gx


def backward(kernel: Kernel, g: Tensor, x: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The gradients of x and of each parameter, for the gradient g of the value."""
    if not parameters:
        return (multiply(kernel, g, x),)
    if kernel.layout:
        return _backward_of_channels(kernel, g, x, parameters)
    g, x, gx = _alike(g, x)
    n, count = x.numel(), len(parameters)
    values, sums, parts = _values(parameters), (c_double * count)(), (c_double * (count * -(-n // BLOCK)))()
    pointers = addressof(values), addressof(parts), addressof(sums)
    kernel.backward(g.data_ptr(), x.data_ptr(), gx.data_ptr(), n, *pointers, _threads(n))
    return gx, *(torch.tensor(s, dtype=p.dtype) for s, p in zip(sums, parameters, strict=True))


def _backward_of_channels(kernel: Kernel, g: Tensor, x: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    g, x, gx = _alike(g, x)
    rows, p = channels.rows_of(x, parameters), channels.side_by_side(parameters)
    sums = torch.empty(len(parameters), rows[-1], dtype=torch.float64)
    kept = channels.room(rows, len(parameters))
    pointers = p.data_ptr(), kept.data_ptr(), sums.data_ptr()
    kernel.backward(g.data_ptr(), x.data_ptr(), gx.data_ptr(), *rows, *pointers, _threads(x.numel()))
    return gx, *(s.to(q.dtype).view_as(q) for s, q in zip(sums, parameters, strict=True))


def _alike(g: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """g and x with their numbers side by side in the same order, and an empty tensor just like them."""
    gx = torch.empty_like(x)
    return _in_order_of(gx, g), _in_order_of(gx, x), gx


def _in_order_of(like: Tensor, x: Tensor) -> Tensor:
    """x with its numbers side by side in memory, in the order of dimensions of an empty tensor, and in its dtype."""
    return x if x.stride() == like.stride() and x.dtype == like.dtype else torch.empty_like(like).copy_(x)


def _values(parameters: Sequence[Tensor]) -> ctypes.Array[c_float]:
    return (c_float * len(parameters))(*(p.item() for p in parameters))


def _threads(n: int) -> int:
    return 1 if n <= GRAIN or in_forked_child() else min(torch.get_num_threads(), -(-n // GRAIN))
