"""What entries of several kinds share: how their networks are imported, and settings that have one default."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from whet.families.spec import InputSpec

FUNCTIONS = {"inner": "tanh", "gate": "sigmoid"}
"""Of a recurrent cell, as torch's kernels have them; other names or formulas of activations run step by step."""


def late(file: str, function: str = "make") -> Callable[..., nn.Module]:
    """A function of a file in `whet.families`, imported at the first call."""

    def make(spec: InputSpec, **params: Any) -> nn.Module:
        made: nn.Module = getattr(importlib.import_module(f"whet.families.{file}"), function)(spec, **params)
        return made

    return make
