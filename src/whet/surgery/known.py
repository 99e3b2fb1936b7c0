"""Which known function a program computes: told by its values on numbers of our own, so that no sample can be too poor."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from whet.activations import ACTIVATIONS
from whet.surgery import vocabulary

Function = Callable[[Tensor], Tensor]

CLOSE = 2e-4
"""Error, as a share of the largest value, up to which values are those of a known function: programs round constants."""
_NOT_TOLD = frozenset({"identity", "rrelu"})
"""Entries that no values tell: arithmetic that cancels out, and chance."""


def probe() -> Tensor:
    """The numbers on which functions are compared: past the bends of all that we know, in double precision."""
    return torch.linspace(-8, 8, 129, dtype=torch.float64)


def _written() -> dict[str, Function]:
    """Functions that programs write as a formula; these names come first where two functions are the same."""
    c = math.sqrt(2 / math.pi)
    return {
        "silu": F.silu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh(c * (x + 0.044715 * x**3))),
        "relu": F.relu,
        "leaky_relu": F.leaky_relu,
        "elu": F.elu,
        "hard_sigmoid": F.hardsigmoid,
        "squared_relu": lambda x: F.relu(x).square(),
        "snake": lambda x: x + torch.sin(x) ** 2,
    }


@lru_cache(maxsize=1)
def _values() -> tuple[list[str], Tensor]:
    """Names, and each function's values on the probe: (function, number)."""
    entries = [e for e in ACTIVATIONS if e.kind == "fixed" and e.name not in _NOT_TOLD]
    entries.sort(key=lambda e: e.name not in vocabulary.ACTIVATIONS)  # of two that are the same, the well-known one
    made: dict[str, Function] = {e.name: e.make(**e.defaults).double() for e in entries}
    functions = {**_written(), **{name: f for name, f in made.items() if name not in _written()}}
    with torch.no_grad():
        return list(functions), torch.stack([f(probe()) for f in functions.values()])


def name_of(function: Callable[[Tensor], Any], without: frozenset[str] = frozenset()) -> str | None:
    """The known function that this one is; None if there is none, or if it can't be applied to plain numbers."""
    try:
        with torch.no_grad():
            y = function(probe())
    except Exception:  # it wants another shape, or another type
        return None
    if not isinstance(y, Tensor) or y.shape != probe().shape or y.is_complex() or not torch.isfinite(y).all():
        return None
    names, values = _values()
    errors = (values - y.double().cpu()).abs().amax(1)
    nearest = next(int(i) for i in errors.argsort(stable=True) if names[i] not in without)
    if errors[nearest] <= CLOSE * float(y.abs().max()):
        return names[nearest]
    return "leaky_relu" if "leaky_relu" not in without and _is_leaky(probe(), y.double().cpu()) else None


def _is_leaky(x: Tensor, y: Tensor) -> bool:
    """Whether y is x where that is positive, and less of it elsewhere."""
    slope = float(y[0] / x[0])
    return 0 < slope < 1 and torch.allclose(y, torch.where(x > 0, x, slope * x), rtol=1e-4, atol=1e-6)
