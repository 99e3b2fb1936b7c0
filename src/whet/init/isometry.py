"""Orthogonal weights of any shape that keep the signal's second moment, drawn as blocks.

A convolution's kernel is filled in its middle only: a block of taps, orthogonal over (units in x taps of the block). The
block covers the stride, so that every input is used, and grows to the whole kernel while there are outputs enough to
keep all of its inputs apart. One tap is the delta-orthogonal kernel of Xiao et al. 2018, arXiv:1806.05393,
which keeps every spatial pattern's length; full random kernels damp all but the smoothest.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd

from whet.init.packed import Packed

Layer = nn.Linear | _ConvNd | Packed
Block = tuple[int, ...]


def orthogonal_matrix(rows: int, columns: int, generator: Generator) -> Tensor:
    """Rows of length 1, orthonormal; where there are more rows than columns, orthogonal columns of length sqrt(rows / columns).

    Either way the mean square of W x is that of x (Martens et al. 2021, arXiv:2110.01765).
    """
    w = torch.empty(rows, columns)
    nn.init.orthogonal_(w, generator=generator)
    return w * max(1.0, math.sqrt(rows / max(1, columns)))


def orthogonal_weight(layer: Layer, generator: Generator) -> Tensor:
    """A fresh weight that keeps the second moment and, as far as there are outputs, uses every input."""
    if not isinstance(layer, _ConvNd):
        return orthogonal_matrix(layer.out_features, layer.in_features, generator)
    return _in_block(layer, block_of(layer), lambda rows, columns: orthogonal_matrix(rows, columns, generator))


def delta_orthogonal_weight(layer: Layer, generator: Generator) -> Tensor:
    """The middle tap orthonormal, the others 0 (Xiao et al. 2018); a linear layer's weight orthonormal."""

    def matrix(rows: int, columns: int) -> Tensor:
        w = torch.empty(rows, columns)
        nn.init.orthogonal_(w, generator=generator)
        return w

    if not isinstance(layer, _ConvNd):
        return matrix(layer.out_features, layer.in_features)
    return _in_block(layer, (1,) * len(layer.kernel_size), matrix)


def identity_weight(layer: Layer) -> Tensor:
    """Output i is input i, as far as there are both; of a convolution at the same position."""
    if not isinstance(layer, _ConvNd):
        return torch.eye(layer.out_features, layer.in_features)
    return _in_block(layer, (1,) * len(layer.kernel_size), torch.eye)


def plain_orthogonal_weight(weight: Tensor, generator: Generator) -> Tensor:
    """Orthonormal rows or columns, a filter as a row; numbers without dimensions to mix stay as they are."""
    return nn.init.orthogonal_(weight, generator=generator) if weight.ndim > 1 and weight.numel() else weight


def block_of(layer: _ConvNd) -> Block:
    """How many taps are filled along each axis."""
    outs, ins = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    least = tuple(min(k, s) for k, s in zip(layer.kernel_size, layer.stride, strict=True))
    block = least
    for size in range(1, 1 if layer.transposed else max(layer.kernel_size) + 1):
        grown = tuple(max(b, min(size, k)) for b, k in zip(least, layer.kernel_size, strict=True))
        if ins * math.prod(grown) <= outs:
            block = grown
    return block


def middle(kernel: Block, block: Block) -> tuple[slice, ...]:
    """The slices of the block in the middle of a kernel; of an even kernel's two middles the later."""
    starts = ((k - b + 1) // 2 for k, b in zip(kernel, block, strict=True))
    return tuple(slice(a, a + b) for a, b in zip(starts, block, strict=True))


def _in_block(layer: _ConvNd, block: Block, matrix: Callable[[int, int], Tensor]) -> Tensor:
    """A weight whose block of taps holds a matrix over (outputs, inputs x taps), each group by itself.

    A transposed convolution spreads its input: each output meets one tap of a block like the stride, so that each tap is
    a matrix of its own.
    """
    groups, outs, ins = layer.groups, layer.out_channels // layer.groups, layer.in_channels // layer.groups
    fresh = torch.zeros(groups, outs, ins, *layer.kernel_size)
    for group in fresh:
        if layer.transposed:
            taps = torch.stack([matrix(outs, ins) for _ in range(math.prod(block))], -1).view(outs, ins, *block)
        else:
            taps = matrix(outs, ins * math.prod(block)).view(outs, ins, *block)
        group[(slice(None), slice(None), *middle(tuple(layer.kernel_size), block))] = taps
    return (fresh.transpose(1, 2) if layer.transposed else fresh).reshape(layer.weight.shape)
