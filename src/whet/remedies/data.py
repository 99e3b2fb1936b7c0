"""What can be done about the rows without touching them: scales inside the network."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from whet.remedies.need import Need
from whet.setups import Setup
from whet.setups.code import coded, said_of
from whet.setups.operations import ScaleInputs, StretchOutputs
from whet.setups.setup import Loss


def scale_inputs(need: Need) -> Setup | None:
    inputs = need.setup.parts[0].some(100_000)[0]
    if len(inputs) != 1 or not inputs[0].is_floating_point():
        return None
    scales = ScaleInputs.of(inputs[0])
    how = "standardised, the mean where there is no number" if scales.fills else "standardised"
    return need.setup.with_operation(scales, need.edit("inputs", "as they are", how))


def scale_targets(need: Need) -> Setup | None:
    """The network's outputs in the target's units, and the loss in units of the target's spread."""
    target = need.setup.parts[0].some(100_000)[1].double()
    mean, spread = float(target.mean()), max(1e-12, float(target.std(correction=0)))
    edits = need.edit("targets", "as they are", "standardised")
    return need.setup.with_operation(StretchOutputs(mean, spread), edits).edited(
        loss=scaled(need.setup.loss, mean, spread)
    )


def scaled(own: Loss, mean: float, spread: float) -> Loss:
    """A loss in units of the targets' spread."""

    def loss(outputs: Tensor, y: Tensor) -> Any:
        return own((outputs - mean) / spread, (y - mean) / spread)

    return coded(loss, f"whet.remedies.data.scaled({said_of(own, 'original.loss')}, {mean!r}, {spread!r})")


REMEDIES = {
    "unscaled inputs": (scale_inputs,),
    "values that are no numbers": (scale_inputs,),
    "unscaled targets": (scale_targets,),
}
