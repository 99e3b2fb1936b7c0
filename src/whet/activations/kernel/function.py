"""When a formula runs as a kernel, and how tensors get there."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped

from whet.activations.expression.nodes import Node
from whet.activations.kernel.emit import BLOCK
from whet.activations.kernel.library import Kernel, in_forked_child, kernel

LEAST = 16_384
"""Numbers in a tensor from which on a kernel is compiled for it."""
DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


class Planned(Protocol):
    """What is asked of a formula: its tree, its parameters in order, and a place to keep kernels by dtype."""

    node: Node
    names: tuple[str, ...]
    kernels: dict[torch.dtype, Kernel | None]


def kernel_for(plan: Planned, x: Tensor, parameters: Sequence[Tensor]) -> Kernel | None:
    """The kernel that may take these tensors: plain, on the CPU, large enough, with one number per parameter.

    The answer depends on the tensors only, never on what ran before, so that a training that is resumed sees the same
    bits. WHET_KERNELS=0 in the environment turns kernels off.
    """
    if x.numel() < LEAST or x.dtype not in DTYPES or os.environ.get("WHET_KERNELS") == "0":
        return None
    if not _plain(x) or any(p.dim() or not _plain(p) for p in parameters):
        return None
    if x.dtype not in plan.kernels:
        plan.kernels[x.dtype] = kernel(plan.node, plan.names, DTYPES[x.dtype])
    return plan.kernels[x.dtype]


def _plain(x: Tensor) -> bool:
    """Whether a tensor has memory of its own on the CPU that C may read."""
    return type(x) in (Tensor, nn.Parameter) and x.is_cpu and x.layout == torch.strided and not is_wrapped(x)


def forward(kernel: Kernel, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The formula's value, in x's memory format."""
    x, y = dense(x)
    kernel.forward(x.data_ptr(), y.data_ptr(), x.numel(), _values(parameters), _threads())
    return y


def backward(kernel: Kernel, g: Tensor, x: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The gradients of x and of each parameter, for the gradient g of the value."""
    x, gx = dense(x)
    if g.dtype != x.dtype or g.stride() != x.stride():
        g = torch.empty_like(x).copy_(g)
    n, count = x.numel(), len(parameters)
    sums = (ctypes.c_double * count)() if count else None
    parts = (ctypes.c_double * (count * -(-n // BLOCK)))() if count else None
    kernel.backward(g.data_ptr(), x.data_ptr(), gx.data_ptr(), n, _values(parameters), parts, sums, _threads())
    if sums is None:
        return (gx,)
    return gx, *(torch.tensor(s, dtype=p.dtype) for s, p in zip(sums, parameters, strict=True))


def dense(x: Tensor) -> tuple[Tensor, Tensor]:
    """x with its numbers side by side in memory, in whatever order of dimensions, and an empty tensor just like it."""
    like = torch.empty_like(x)
    return (x if like.stride() == x.stride() else torch.empty_like(x).copy_(x)), like


def _values(parameters: Sequence[Tensor]) -> ctypes.Array[ctypes.c_float] | None:
    if not parameters:
        return None
    return (ctypes.c_float * len(parameters))(*(p.item() for p in parameters))


def _threads() -> int:
    return 1 if in_forked_child() else torch.get_num_threads()
