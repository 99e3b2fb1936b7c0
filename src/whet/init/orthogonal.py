"""Orthogonal weights of any shape that keep the signal's second moment, drawn as blocks.

A convolution's kernel is filled in its middle only: a block of taps b wide, orthogonal over (units in x b x b). The block
covers the stride, so that every input is used, and grows to the whole kernel while there are outputs enough to keep all
of its inputs apart. One tap is the delta-orthogonal kernel of Xiao et al. 2018, arXiv:1806.05393, algorithm 1, which
keeps every spatial pattern's length; full random kernels damp all but the smoothest.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd


def orthogonal_matrix(rows: int, columns: int, generator: Generator) -> Tensor:
    """Rows of length 1, orthonormal; where there are more rows than columns, orthogonal columns of length sqrt(rows / columns).

    Either way the mean square of W x is that of x (Martens et al. 2021, arXiv:2110.01765, section 9.1).
    """
    w = torch.empty(rows, columns)
    nn.init.orthogonal_(w, generator=generator)
    return w * max(1.0, math.sqrt(rows / columns))


def orthogonal_weight(layer: nn.Module, generator: Generator) -> Tensor:
    """A fresh weight for a linear or convolutional layer; each group of a grouped convolution by itself."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    if not isinstance(layer, _ConvNd):
        return orthogonal_matrix(weight.shape[0], weight[0].numel(), generator).view(weight.shape)
    groups, transposed = layer.groups, layer.transposed
    outs, ins = layer.out_channels // groups, layer.in_channels // groups
    block = block_of(layer)
    fresh = torch.zeros(groups, outs, ins, *layer.kernel_size)
    for group in fresh:
        taps = orthogonal_matrix(outs, ins * math.prod(block), generator).view(outs, ins, *block)
        group[(slice(None), slice(None), *middle(layer.kernel_size, block))] = taps
    if transposed:  # torch keeps (in, out / groups, …)
        return fresh.transpose(1, 2).reshape(weight.shape)
    return fresh.reshape(weight.shape)


def block_of(layer: _ConvNd) -> tuple[int, ...]:
    """How many taps are filled along each axis."""
    outs, ins = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    least = tuple(min(k, s) for k, s in zip(layer.kernel_size, layer.stride, strict=True))
    if layer.transposed:
        return least
    block = least
    for size in range(1, max(layer.kernel_size) + 1):
        grown = tuple(max(b, min(size, k)) for b, k in zip(least, layer.kernel_size, strict=True))
        if ins * math.prod(grown) <= outs:
            block = grown
    return block


def middle(kernel: tuple[int, ...], block: tuple[int, ...]) -> tuple[slice, ...]:
    """The slices of the block in the middle of a kernel."""
    starts = ((k - b + 1) // 2 if b < k else 0 for k, b in zip(kernel, block, strict=True))
    return tuple(slice(a, a + b) for a, b in zip(starts, block, strict=True))
