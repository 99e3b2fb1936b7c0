"""What can be done about the rows without touching them: scales inside the network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, SequentialSampler

from whet.remedies.need import Need
from whet.setups import Setup
from whet.setups.code import coded, said_of
from whet.setups.operations import MOST_QUANTITIES, Numbers, ScaleInputs, StretchOutputs
from whet.setups.setup import Loss

TINY = 1e-12


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
    edits = need.edit("targets", "as they are", "standardised")
    return need.setup.with_operation(StretchOutputs(mean, spread), edits).edited(
        loss=scaled(need.setup.loss, mean, spread)
    )


def scales(target: Tensor) -> tuple[Numbers, Numbers]:
    """(mean, spread) of targets: of a few columns each its own, since they are different quantities."""
    if target.dim() == 2 and 1 < target.shape[1] <= MOST_QUANTITIES:
        return tuple(target.mean(0).tolist()), tuple(target.std(0, correction=0).clamp_min(TINY).tolist())
    return float(target.mean()), max(TINY, float(target.std(correction=0)))


def scaled(own: Loss, mean: Numbers, spread: Numbers) -> Loss:
    """A loss in units of the targets' spread."""

    def loss(outputs: Tensor, y: Tensor) -> Any:
        m, s = (torch.as_tensor(given, dtype=outputs.dtype, device=outputs.device) for given in (mean, spread))
        return own((outputs - m) / s, (y - m) / s)

    return coded(loss, f"whet.remedies.data.scaled({said_of(own, 'original.loss')}, {mean!r}, {spread!r})")


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
