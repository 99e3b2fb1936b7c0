"""Numbers that a mask picks out of a tensor, and that are written back: as functions of the whole tensor.

h[h < 0]                 h, of which only some numbers are wanted
h[h < 0] = 0             where(h < 0, 0, h)
h[h < 0] *= 0.1          where(h < 0, 0.1 * h, h)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def is_pick(function: Callable, args: Sequence[Any]) -> bool:
    """Whether this is `h[mask]`."""
    return getattr(function, "__name__", "") == "__getitem__" and _has_mask(args)


def is_write(function: Callable, args: Sequence[Any]) -> bool:
    """Whether this is `h[mask] = …` of a number or a row of them. Python calls a method of the tensor, which gives nothing."""
    name = getattr(function, "__name__", "")
    if name not in ("__setitem__", "masked_scatter", "masked_scatter_") or not _has_mask(args) or len(args) < 3:
        return False
    return isinstance(args[2], int | float) or (isinstance(args[2], Tensor) and args[2].dim() <= 1)


def _has_mask(args: Sequence[Any]) -> bool:
    masks = len(args) > 1 and isinstance(args[0], Tensor) and isinstance(args[1], Tensor)
    return masks and args[1].dtype is torch.bool and args[1].shape == args[0].shape


def picked(x: Tensor, mask: Tensor) -> Tensor:
    """`x[mask]`, before the others are left out."""
    return x


def written(x: Tensor, mask: Tensor, values: Any) -> Tensor:
    """What `x` is after `x[mask] = values`, of values for the whole of it."""
    return torch.where(mask, values, x)


def are_same(masks: Sequence[Tensor | None]) -> bool:
    """Whether these are one mask, or all None."""
    first = masks[0]
    return all(m is first or (m is not None and first is not None and torch.equal(m, first)) for m in masks)
