"""What a network says of rows: outputs in order, in evaluation mode, as float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from whet.data.loader import taken
from whet.train.parts import Inputs, Prepare
from whet.train.plan import Plan, autocast


def outputs(
    model: nn.Module,
    prepare: Prepare,
    inputs: Inputs,
    rows: Tensor | None,
    plan: Plan,
    batch_size: int = 0,
    views: Sequence[Callable[[Inputs], Inputs]] = (),
) -> Tensor:
    """The model's outputs (n, C) for these rows of the inputs (all of them if None).

    `batch_size`: rows at once; 0: as `fitting_batch` says. `views` are label-keeping changes of a batch, such as a mirror
    image; outputs are averaged over the batch and its views. The model's mode is put back afterwards.
    """
    n = len(inputs[0]) if rows is None else len(rows)
    batch_size = batch_size or fitting_batch(inputs)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            pieces = [
                _batch(model, prepare, _cut(inputs, rows, at, min(n, at + batch_size)), plan, views)
                for at in range(0, n, batch_size)
            ]
    finally:
        model.train(was_training)
    return torch.cat(pieces)


BATCH = 1000
"""Rows at once: of 28-pixel images 1.2 times as fast as 500, and 1.6 times as 250 (2 busy cores)."""
VALUES = 6_000_000
"""Numbers at once, which limit the rows of large images: 500 of 64 by 64 coloured pixels."""


def fitting_batch(inputs: Inputs) -> int:
    """How many rows go through the model at once."""
    each = sum(x[0].numel() for x in inputs if len(x))
    return max(1, min(BATCH, VALUES // max(1, each)))


def _cut(inputs: Inputs, rows: Tensor | None, start: int, end: int) -> Inputs:
    if rows is None:
        return tuple(x[start:end] for x in inputs)
    chosen = rows[start:end]
    return tuple(taken(x, chosen) for x in inputs)


def _batch(
    model: nn.Module, prepare: Prepare, batch: Inputs, plan: Plan, views: Sequence[Callable[[Inputs], Inputs]]
) -> Tensor:
    batch, _ = prepare(batch, torch.empty(0), None)
    with autocast(plan):
        seen = [model(*view) for view in (batch, *(look(batch) for look in views))]
    # Views are averaged as log-probabilities or values; a geometric mean of probabilities needs no renormalising here.
    return torch.stack([s.float() for s in seen]).mean(0)
