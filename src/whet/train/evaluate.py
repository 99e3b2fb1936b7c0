"""What a network says of rows: outputs in order, in evaluation mode, as float32.

Where matrix products are rounded to bfloat16, the last layer's are not: of 1,000 values that differ, 500 would be left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
        with torch.inference_mode(), unrounded(model, prepare, _cut(inputs, rows, 0, min(n, 1)), plan):
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


FULL = 100_000
"""Weights of a last layer up to which it computes in float32: of 1,000 rows it takes some 5 ms then."""


@contextlib.contextmanager
def unrounded(model: nn.Module, prepare: Prepare, example: Inputs, plan: Plan) -> Iterator[None]:
    """Inside, the model's last layer computes in float32 whatever the plan says, where that costs next to nothing."""
    last = (
        last_layer(model, prepare(example, torch.empty(0), None)[0], plan)
        if plan.bfloat16 and len(example[0])
        else None
    )
    if last is None:
        yield
        return
    forward: Any = last.forward
    own = "forward" in vars(last)

    def in_full(x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            said: Tensor = forward(x.float())
        return said

    last.forward = in_full
    try:
        yield
    finally:
        if own:
            last.forward = forward
        else:
            del last.forward


def last_layer(model: nn.Module, inputs: Inputs, plan: Plan) -> nn.Module | None:
    """The last module with weights of its own that the model calls; None where that takes more than a tensor of numbers,
    has many weights, or has them in another precision than float32."""
    called: list[tuple[nn.Module, tuple[Any, ...]]] = []
    hooks = [m.register_forward_hook(lambda m, x, _: called.append((m, x))) for m in model.modules() if weights(m)]
    try:
        with autocast(plan):
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if not called:
        return None
    last, given = called[-1]
    numbers = len(given) == 1 and isinstance(given[0], Tensor) and given[0].is_floating_point()
    fits = sum(w.numel() for w in weights(last)) <= FULL and all(w.dtype == torch.float32 for w in weights(last))
    return last if numbers and fits else None


def weights(module: nn.Module) -> list[nn.Parameter]:
    """The module's own, without those of the modules in it."""
    return list(module.parameters(recurse=False))
