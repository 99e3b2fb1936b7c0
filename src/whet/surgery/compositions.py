"""Activations that a program spells out: `x * torch.sigmoid(x)`, `0.5 * x * (1 + torch.tanh(...))`, `F.relu(x) ** 2`.

A tensor that was made number by number from one other tensor, its root, is followed from call to call. When its values
are those of a known function of the root, and no single call made them, it is that function, spelt out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from whet.surgery import vocabulary

if TYPE_CHECKING:
    from whet.surgery.observe import Event

Function = Callable[[Tensor], Tensor]

SEEN = 512
"""Numbers of a tensor that are compared."""
CLOSE = 2e-4
"""Error, as a share of the largest value, up to which values are those of a known function; bfloat16 needs more."""

_LINEAR = vocabulary.words("add sub mul div pow neg radd rsub rmul rdiv truediv rtruediv iadd isub imul itruediv rpow")
_ELEMENTWISE = _LINEAR | vocabulary.ACTIVATIONS | (vocabulary.ARITHMETIC - {"compare"})


def spelt_out() -> dict[str, Function]:
    """The functions that programs write as a formula, by name."""
    c = math.sqrt(2 / math.pi)
    return {
        "silu": F.silu,
        "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
        "gelu": F.gelu,
        "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh(c * (x + 0.044715 * x**3))),
        "mish": F.mish,
        "hardswish": F.hardswish,
        "hard_sigmoid": F.hardsigmoid,
        "softplus": F.softplus,
        "softsign": F.softsign,
        "log_sigmoid": F.logsigmoid,
        "tanh_shrink": F.tanhshrink,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "elu": F.elu,
        "selu": F.selu,
        "leaky_relu": F.leaky_relu,
        "relu": F.relu,
        "relu6": F.relu6,
        "hard_tanh": F.hardtanh,
        "erf": torch.erf,
        "sine": torch.sin,
        "arctan": torch.atan,
        "abs": torch.abs,
        "squared_relu": lambda x: F.relu(x).square(),
        "lisht": lambda x: x * torch.tanh(x),
        "gaussian": lambda x: torch.exp(-x * x),
        "snake": lambda x: x + torch.sin(x) ** 2,
    }


@lru_cache(maxsize=1)
def _known() -> tuple[tuple[str, Function], ...]:
    return tuple(spelt_out().items())


def name_of_values(x: Tensor, y: Tensor, without: frozenset[str] = frozenset()) -> str | None:
    """The known function that maps x to y, or None; None too if x is too poor to tell (few numbers, or all alike)."""
    x, y = x.detach().double().flatten(), y.detach().double().flatten()
    if min(int((x > 0).sum()), int((x < 0).sum())) < 4 or x.max() - x.min() < 0.5 or not torch.isfinite(y).all():
        return None
    errors = {name: float((function(x) - y).abs().max()) for name, function in _known() if name not in without}
    nearest = min(errors, key=errors.__getitem__)
    return nearest if errors[nearest] <= CLOSE * float(y.abs().max()) else None


@dataclass(eq=False)
class Line:
    """How a tensor came from one root: the root, some of its numbers as they were, and the non-linearities on the way."""

    root: Tensor
    values: Tensor
    events: frozenset[Event] = frozenset()
    calls: int = 0


@dataclass(eq=False)
class Composition:
    """A known function of a root, spelt out by these events and the arithmetic between them."""

    what: str
    root: Tensor
    events: frozenset[Event]


LONGEST = 12
"""Roots of one tensor that are followed, those of the fewest calls first."""


@dataclass(eq=False)
class Lines:
    """The origins of all tensors that came, number by number, from others: for each tensor a line to each of its roots."""

    of: dict[int, tuple[Tensor, list[Line]]] = field(default_factory=dict)

    def to(self, tensor: Tensor) -> list[Line]:
        """The lines that lead to a tensor, first of all the one from itself."""
        own = Line(tensor, tensor.detach().flatten()[:SEEN].clone())
        found = self.of.get(id(tensor))
        return [own, *found[1]] if found else [own]

    def lines_in(self, args: Any) -> list[list[Line]]:
        """The lines to each of a call's tensors; single numbers don't count."""
        return [self.to(t) for t in args if isinstance(t, Tensor) and t.numel() > 1 and not t.is_sparse]

    def follow(
        self, function: Callable, before: list[list[Line]], output: Any, event: Event | None
    ) -> Composition | None:
        """Remember that `output` comes from what the lines `before` lead to; the composition that it ends, if it does."""
        name = vocabulary.plain_name(function).strip("_")
        if name not in _ELEMENTWISE or not isinstance(output, Tensor) or not output.is_floating_point() or not before:
            return None
        own = frozenset({event}) if event else frozenset()
        lines = [_onwards(common, own) for common in _common(before) if common[0].root.shape == output.shape]
        lines = sorted(lines, key=lambda line: line.calls)[:LONGEST]
        self.of[id(output)] = (output, lines)
        return next((found for line in lines if (found := _recognised(line, output))), None)


def _common(before: list[list[Line]]) -> list[list[Line]]:
    """For each root that all tensors share, their lines to it."""
    tables = [{id(line.root): line for line in lines} for lines in before]
    shared = set(tables[0]).intersection(*tables[1:])
    return [[table[root] for table in tables] for root in shared]


def _onwards(lines: list[Line], own: frozenset[Event]) -> Line:
    events = own.union(*(line.events for line in lines))
    return Line(lines[0].root, lines[0].values, events, 1 + sum(line.calls for line in lines))


def _recognised(line: Line, output: Tensor) -> Composition | None:
    if line.calls < 2 or not line.events:
        return None
    names = frozenset(event.what for event in line.events)
    what = name_of_values(line.values, output.flatten()[:SEEN], without=names)
    return Composition(what, line.root, line.events) if what else None
