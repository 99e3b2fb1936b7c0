"""Activations that a program spells out: `x * torch.sigmoid(x)`, `0.5 * x * (1 + torch.tanh(...))`, `F.relu(x) ** 2`.

A tensor that was made number by number from one other tensor, its root, is followed from call to call, and the calls are
kept as a function of the root. Where that is a known function, and no single call computes it, it is that function, spelt
out. Where it is none that we know, but uses its root more than once, it is a formula of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from whet.surgery import masks, vocabulary
from whet.surgery.frames import Step
from whet.surgery.known import name_of, probe

if TYPE_CHECKING:
    from whet.surgery.events import Event

_PLAIN = vocabulary.words(
    "add sub mul div pow neg radd rsub rmul rdiv truediv rtruediv iadd isub imul itruediv rpow "
    "gt ge lt le eq ne invert bitwise_not logical_not where masked_fill float to type_as clone detach"
)
_ELEMENTWISE = _PLAIN | (vocabulary.ACTIVATIONS | vocabulary.ARITHMETIC) - {"compare", "rrelu"}
INGREDIENTS = (
    vocabulary.ARITHMETIC | vocabulary.BOUNDED | vocabulary.words("softplus log_sigmoid erf sine cosine arctan")
)
"""Non-linearities of which formulas are made; a rectifier stands for itself wherever it is."""

BUMPS = vocabulary.words("gaussian laplacian inverse_quadratic inverse_multiquadric")
"""Functions with a name that multiply a signal as often as they make one."""

LONGEST = 12
"""Roots of one tensor that are followed, those of the fewest calls first."""
MOST_CALLS = 40
"""Calls that are followed from one root."""


@dataclass(eq=False)
class Line:
    """How a tensor came from one root."""

    root: Tensor
    again: Callable[[Tensor], Any] | None
    """The same calls on other numbers; None where they use many constants, or what is learned."""
    events: frozenset[Event] = frozenset()
    calls: int = 0
    uses: int = 1
    """How often the calls read the root."""
    mask: Tensor | None = None
    """By which the tensor's numbers were picked out; None if it has all of them."""

    def fits(self, output: Tensor) -> bool:
        """Whether this can be where the output came from, number by number."""
        return self.calls <= MOST_CALLS and self.root.shape == (output if self.mask is None else self.mask).shape


@dataclass(eq=False)
class Composition:
    """A function of a root, spelt out by these events and the arithmetic between them."""

    what: str | None
    """Its name; None if it is a formula that has none."""
    root: Tensor
    events: frozenset[Event]
    uses: int
    in_place: bool
    """Its last call overwrites the root."""


@dataclass(eq=False)
class Spelt:
    """A composition in a program's text."""

    what: str
    """Its name, or its text."""
    step: Step
    """The expression that ends it."""
    root: str
    """The name that its root has there."""
    in_place: bool
    uses: int
    complete: bool
    """It is an activation by itself, whatever is done with its result."""
    inside: bool = False
    """It ends in a function that the expression calls."""


@dataclass(eq=False)
class Lines:
    """The origins of all tensors that came, number by number, from others: for each tensor a line to each of its roots."""

    of: dict[int, tuple[Tensor, list[Line]]] = field(default_factory=dict)
    """By identity; the tensors are kept, so that no other takes their place."""

    def to(self, tensor: Tensor) -> list[Line]:
        """The lines that lead to a tensor, first of all the one from itself."""
        own = [Line(tensor, lambda x: x.clone())] if tensor.is_floating_point() else []
        found = self.of.get(id(tensor))
        return [*own, *found[1]] if found else own

    def follow(
        self,
        function: Callable,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        before: Mapping[int, list[Line]],
        output: Any,
        event: Event | None,
    ) -> Composition | None:
        """Remember that `output` comes from what the lines `before`, by argument, lead to; the composition that it ends.

        None if it ends none.
        """
        picks, writes = (of_mask(function, args) and 1 in before for of_mask in (masks.is_pick, masks.is_write))
        if writes and output is None:
            output = args[0]
        followed = picks or writes or _is_elementwise(function)
        if not followed and vocabulary.plain_name(function) == "__setitem__":
            self.of.pop(id(args[0]), None)
        if not (before and followed and "out" not in kwargs and _is_signal(output)):
            return None
        if picks or writes:
            function = masks.picked if picks else masks.written
        own = frozenset({event}) if event else frozenset()
        lines = [line for common in _common(before) if (line := _onwards(function, args, kwargs, common, own))]
        lines = sorted((line for line in lines if line.fits(output)), key=lambda line: line.calls)[:LONGEST]
        self.of[id(output)] = (output, [line for line in lines if line.root is not output])
        whole = [line for line in lines if line.mask is None]
        found = next((c for line in whole if (c := _named(line, output))), None)
        constant = writes and not {0, 2} <= before.keys()
        if found or constant:  # without a name it is rather a guard: norm[norm == 0] = 1
            return found
        return next((c for line in whole if (c := _unnamed(line, output))), None)

    def is_picked(self, tensor: Tensor) -> bool:
        """Whether a mask picked these numbers out of a tensor."""
        found = self.of.get(id(tensor))
        return found is not None and any(line.mask is not None for line in found[1])


def _is_signal(value: Any) -> bool:
    return isinstance(value, Tensor) and (value.is_floating_point() or value.dtype is torch.bool)


def _is_elementwise(function: Callable) -> bool:
    name = vocabulary.plain_name(function).strip("_")
    return vocabulary.SPELLINGS.get(name, name) in _ELEMENTWISE


def _common(before: Mapping[int, list[Line]]) -> list[dict[int, Line]]:
    """For each root that all tensors share, their lines to it, by argument."""
    tables = {at: {id(line.root): line for line in reversed(lines)} for at, lines in before.items()}
    first = next(iter(tables.values()))
    shared = [root for root in reversed(first) if all(root in table for table in tables.values())]
    return [{at: table[root] for at, table in tables.items()} for root in shared]


def _onwards(
    function: Callable, args: Sequence[Any], kwargs: Mapping[str, Any], lines: dict[int, Line], own: frozenset[Event]
) -> Line | None:
    """The lines, joined and a call longer; None if they bring numbers from different places of the root."""
    behind = [line.mask for line in lines.values()]
    if function is masks.picked or function is masks.written:
        values = [lines[2].mask, args[1]] if 2 in lines else [None]
        if any(lines[at].mask is not None for at in (0, 1) if at in lines) or not masks.are_same(values):
            return None
        mask = args[1] if function is masks.picked else None
    elif masks.are_same(behind):
        mask = behind[0]
    else:
        return None
    events = own.union(*(line.events for line in lines.values()))
    calls = 1 + sum(line.calls for line in lines.values())
    uses = sum(line.uses for line in {id(args[at]): line for at, line in lines.items()}.values())  # x * x reads x once
    root = next(iter(lines.values())).root
    return Line(root, _again(function, args, kwargs, lines), events, calls, uses, mask)


def _again(
    function: Callable, args: Sequence[Any], kwargs: Mapping[str, Any], lines: dict[int, Line]
) -> Callable[[Tensor], Any] | None:
    constants = {at: _number(a) for at, a in enumerate(args) if isinstance(a, Tensor) and at not in lines}
    parts = {at: line.again for at, line in lines.items()}
    if None in constants.values() or None in parts.values():
        return None
    fixed = [constants.get(at, a) for at, a in enumerate(args)]

    def again(x: Tensor) -> Any:
        given = [part(x) if (part := parts.get(at)) else arg for at, arg in enumerate(fixed)]
        return function(*given, **kwargs)

    return again


def _number(constant: Tensor) -> Tensor | None:
    """The number that this tensor holds; None if it holds several, or learns."""
    first = constant.flatten()[:1].squeeze()
    alone = constant.numel() > 0 and not isinstance(constant, nn.Parameter) and bool((constant == first).all())
    return first if alone else None


def _named(line: Line, output: Tensor) -> Composition | None:
    if line.calls < 2 or not line.events or line.again is None or not output.is_floating_point():
        return None
    what = name_of(line.again, without=frozenset(event.what for event in line.events))
    return _composition(what, line, output) if what else None


def _unnamed(line: Line, output: Tensor) -> Composition | None:
    formula = (
        line.uses > 1 and line.calls > 1 and line.events and all(event.what in INGREDIENTS for event in line.events)
    )
    return _composition(None, line, output) if formula and output.is_floating_point() and not _guards(line) else None


def _guards(line: Line) -> bool:
    """Whether it gives nearly all numbers back as they are: `norm[norm == 0] += 1`."""
    x = probe() + 0.01  # of which none is 0, nor another number that a program would ask for
    try:
        return line.again is not None and torch.equal(line.again(x), x)
    except (RuntimeError, TypeError):  # it wants another shape
        return False


def _composition(what: str | None, line: Line, output: Tensor) -> Composition:
    return Composition(what, line.root, line.events, line.uses, line.root is output)
