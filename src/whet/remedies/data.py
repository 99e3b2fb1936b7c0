"""What can be done about the rows without touching them: scales inside the network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, SequentialSampler

from whet.remedies.need import SAMPLE, Need
from whet.setups import Setup
from whet.setups.code import coded, said_of
from whet.setups.operations import MOST_QUANTITIES, Numbers, ScaleInputs, StretchOutputs
from whet.setups.setup import Loss

TINY = 1e-12
MOST_CLASSES = 20
"""Whole numbers in a column of targets up to which they are taken for the numbers of classes."""
Scales = tuple[Numbers, Numbers]
"""(mean, spread)."""


def scale_inputs(need: Need) -> Setup | None:
    inputs = need.setup.parts[0].some(100_000)[0]
    scales = ScaleInputs.of(*inputs)
    if not any(scales.scales):
        return None
    how = "standardised, the mean where there is no number" if scales.fills else "standardised"
    return need.setup.with_operation(scales, need.edit("inputs", "as they are", how))


def scale_targets(need: Need) -> Setup | None:
    """The network's outputs in the target's units, and the loss in units of the target's spread."""
    mean, spread = scales(need.setup.parts[0].some(100_000)[1].double())
    behind = at_outputs(need, mean, spread)
    if behind is None:
        return None
    edits = need.edit("targets", "as they are", "standardised")
    return need.setup.with_operation(StretchOutputs(*behind), edits).edited(
        loss=scaled(need.setup.loss, mean, spread, behind)
    )


def scales(target: Tensor) -> Scales:
    """(mean, spread) of targets: of a few columns each its own, since they are different quantities; one that numbers classes
    stays as it is."""
    if target.dim() == 2 and 1 < target.shape[1] <= MOST_QUANTITIES:
        kinds = [numbers_classes(column) for column in target.T]
        mean, spread = target.mean(0), target.std(0, correction=0).clamp_min(TINY)
        return (
            tuple(0.0 if kind else m for kind, m in zip(kinds, mean.tolist(), strict=True)),
            tuple(1.0 if kind else s for kind, s in zip(kinds, spread.tolist(), strict=True)),
        )
    return float(target.mean()), max(TINY, float(target.std(correction=0)))


def numbers_classes(column: Tensor) -> bool:
    """Whether a column of targets has all whole numbers from nought to a small one, and no other."""
    known = column.unique()
    return len(known) <= MOST_CLASSES and torch.equal(known, torch.arange(len(known), dtype=known.dtype))


def at_outputs(need: Need, mean: Numbers, spread: Numbers) -> Scales | None:
    """(mean, spread) of the network's outputs, by what each answers to; None where no scale fits them.

    Where targets have as many columns as outputs, or one scale for all, it is theirs. Else an output has the scale of that
    column of the targets which turns its gradient.
    """
    if not isinstance(mean, tuple) or not isinstance(spread, tuple):
        return mean, spread
    if all(m == 0 and s == 1 for m, s in zip(mean, spread, strict=True)):
        return None
    if need.outputs == len(mean):
        return mean, spread
    try:
        return by_answers(need, mean, spread)
    except (RuntimeError, ValueError, IndexError):  # a loss that takes no other targets than there are
        return None


def by_answers(need: Need, mean: tuple[float, ...], spread: tuple[float, ...]) -> Scales | None:
    """(mean, spread) of outputs that are not the columns of the targets; None where a column moves none, or two move one."""
    inputs, y = need.setup.parts[0].some(SAMPLE)
    with torch.no_grad():
        outputs: Tensor = need.setup.fresh(0).eval()(*inputs)
    found: dict[int, tuple[float, float]] = {}
    for column, scale in enumerate(zip(mean, spread, strict=True)):
        if scale == (0.0, 1.0):
            continue
        answers = answering(need.setup.loss, outputs, y, column, scale[1])
        if not answers or found.keys() & set(answers):
            return None
        found |= dict.fromkeys(answers, scale)
    new = [found.get(i, (0.0, 1.0)) for i in range(outputs.shape[-1])]
    return tuple(m for m, _ in new), tuple(s for _, s in new)


def answering(loss: Loss, outputs: Tensor, y: Tensor, column: int, spread: float) -> list[int]:
    """The columns of outputs whose gradient is another one when this column of the targets moves."""

    def gradient(y: Tensor) -> Tensor:
        free = outputs.detach().clone().requires_grad_()
        found: Tensor = torch.autograd.grad(loss(free, y), free)[0]
        return found

    moved = y.clone()
    moved[:, column] += spread
    turned = (gradient(moved) - gradient(y)).abs().sum(0)
    return [i for i, far in enumerate(turned.tolist()) if far > 0]


def scaled(own: Loss, mean: Numbers, spread: Numbers, behind: Scales | None = None) -> Loss:
    """A loss in units of the targets' spread; `behind`: (mean, spread) of the outputs, where they have others."""
    of_outputs = (mean, spread) if behind is None else behind

    def loss(outputs: Tensor, y: Tensor) -> Any:
        def unit(x: Tensor, scale: Scales) -> Tensor:
            m, s = (torch.as_tensor(given, dtype=outputs.dtype, device=outputs.device) for given in scale)
            return (x - m) / s

        return own(unit(outputs, of_outputs), unit(y, (mean, spread)))

    more = "" if of_outputs == (mean, spread) else f", {behind!r}"
    return coded(loss, f"whet.remedies.data.scaled({said_of(own, 'original.loss')}, {mean!r}, {spread!r}{more})")


def in_any_order(loader: DataLoader[Any]) -> DataLoader[Any]:
    """A loader of the same rows, drawn in another order each time, and made like the other one in all else."""
    return DataLoader(
        loader.dataset,
        loader.batch_size,
        shuffle=True,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        drop_last=loader.drop_last,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=loader.generator,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )


def shuffle(need: Need) -> Setup | None:
    """None where the loader's order is not torch's own to change."""
    loader = need.setup.parts[0].loader
    if not isinstance(loader, DataLoader) or not isinstance(loader.sampler, SequentialSampler) or not loader.batch_size:
        return None
    return need.setup.edited(need.edit("order", "as the rows stand", "shuffled"), train=in_any_order(loader))


REMEDIES = {
    "data sorted by class": (shuffle,),
    "unscaled inputs": (scale_inputs,),
    "values that are no numbers": (scale_inputs,),
    "unscaled targets": (scale_targets,),
}
