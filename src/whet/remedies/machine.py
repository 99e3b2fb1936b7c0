"""Another precision to compute in."""

from __future__ import annotations

from torch import Tensor

from whet.remedies.need import Need
from whet.setups import Setup
from whet.setups.code import coded, said_of
from whet.setups.precision import ComputeIn
from whet.setups.setup import Loss


def compute_in(dtype: str, need: Need) -> Setup:
    """Weights in float32, layers in `dtype`, the loss in float32."""
    new = dtype if dtype == "float32" else f"{dtype}, weights in float32"
    edit = need.edit("precision", need.finding.evidence.get("half", "half"), new)
    return need.setup.with_operation(ComputeIn(dtype), edit).edited(loss=wide(need.setup.loss))


def wide(own: Loss) -> Loss:
    """A loss whose targets have the width of the outputs."""

    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        found: Tensor = own(outputs, y.float() if y.is_floating_point() else y)
        return found

    return coded(loss, f"whet.remedies.machine.wide({said_of(own, 'original.loss')})")


def bfloat16(need: Need) -> Setup:
    """The range of float32 at the cost of float16."""
    return compute_in("bfloat16", need)


def float32(need: Need) -> Setup:
    return compute_in("float32", need)


REMEDIES = {
    "overflow of half precision": (bfloat16, float32),
    "underflow of half precision": (bfloat16, float32),
    "steps lost in half precision": (bfloat16, float32),
}
