"""The cells of recurrent families: torch's own in its fused kernels, or the same with other functions inside."""

from __future__ import annotations

from torch import nn

from whet.families.entries.shared import FUNCTIONS
from whet.surgery.cells import replace_cells

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


def with_functions(network: nn.Module, inner: str, gate: str) -> nn.Module:
    """The network whose cells have `inner` in place of tanh and `gate` in place of sigmoid, step by step where one differs.

    Names or formulas of the catalogue of activations. A gate should stay between 0 and 1.
    """
    asked = {"inner": inner, "gate": gate}
    other = {name: None if function == FUNCTIONS[name] else function for name, function in asked.items()}
    if any(other.values()):
        replace_cells(network, other["inner"], gate=other["gate"], inplace=True)
    return network
