"""What the loop does with an optimiser besides stepping: learning rates, evaluation, saving."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def remember_lr(optimizer: Optimizer) -> Optimizer:
    """Writes `base_lr` = lr * lr_factor into each group: what a schedule's multiplier is applied to."""
    for group in optimizer.param_groups:
        group["base_lr"] = group["lr"] * group.get("lr_factor", 1.0)
    set_lr(optimizer, 1.0)
    return optimizer


def set_lr(optimizer: Optimizer, multiplier: float) -> None:
    """Every group's learning rate becomes its `base_lr` times the multiplier."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * multiplier


@contextlib.contextmanager
@torch.no_grad()
def evaluation_mode(optimizer: Optimizer) -> Iterator[None]:
    """The weights that the optimiser would deliver (Schedule-Free's average), put back to the bit afterwards.

    Does nothing for optimisers without such a mode. Schedule-Free's own way back rounds; measuring must not change
    the training, so the weights are kept aside instead.
    """
    any_optimizer: Any = optimizer
    if not optimizer.param_groups[0].get("train_mode", False):
        yield
        return
    params: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
    kept = [p.detach().clone() for p in params]
    any_optimizer.eval()
    try:
        yield
    finally:
        torch._foreach_copy_([p.detach() for p in params], kept)
        for group in optimizer.param_groups:
            group["train_mode"] = True


def load_state(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """`optimizer.load_state_dict(state)`, with each tensor laid out in memory as its weight is.

    A file holds tensors row by row; the fused kernels walk weights and state side by side in memory order, and would
    pair the wrong numbers for channels-last weights.
    """
    optimizer.load_state_dict(dict(state))
    for param, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape == param.shape and value.stride() != param.stride():
                values[key] = torch.empty_like(param, dtype=value.dtype).copy_(value)
