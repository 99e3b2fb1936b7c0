"""What a network says of rows: outputs in order, in evaluation mode, as float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from whet.train.parts import Inputs, Prepare
from whet.train.plan import Plan, autocast


def outputs(
    model: nn.Module,
    prepare: Prepare,
    inputs: Inputs,
    rows: Tensor | None,
    plan: Plan,
    batch_size: int = 500,
    views: Sequence[Callable[[Inputs], Inputs]] = (),
) -> Tensor:
    """The model's outputs (n, C) for these rows of the inputs (all of them if None).

    `views` are label-keeping changes of a batch, such as a mirror image; outputs are averaged over the batch and its
    views. The model's mode is put back afterwards.
    """
    n = len(inputs[0]) if rows is None else len(rows)
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


def _cut(inputs: Inputs, rows: Tensor | None, start: int, end: int) -> Inputs:
    if rows is None:
        return tuple(x[start:end] for x in inputs)
    chosen = rows[start:end]
    return tuple(x.index_select(0, chosen) for x in inputs)


def _batch(
    model: nn.Module, prepare: Prepare, batch: Inputs, plan: Plan, views: Sequence[Callable[[Inputs], Inputs]]
) -> Tensor:
    batch, _ = prepare(batch, torch.empty(0), None)
    with autocast(plan):
        seen = [model(*view) for view in (batch, *(look(batch) for look in views))]
    # Views are averaged as log-probabilities or values; a geometric mean of probabilities needs no renormalising here.
    return torch.stack([s.float() for s in seen]).mean(0)
