"""A place: one non-linearity of a model, where it stands, what it is, and how the model calls it."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Literal

from whet.surgery.frames import Span, Step

How = Literal["module", "call", "method", "operator", "formula", "kernel"]
Role = Literal["activation", "gate", "attention", "output", "recurrent", "norm", "loss", "arithmetic", "unused"]


@dataclass(frozen=True)
class Site:
    """An expression in a module's code: the method of the module, the code in which the expression stands, its span."""

    method: CodeType
    code: CodeType
    span: Span
    steps: tuple[Step, ...]
    """From the method to the torch call; more than those of the method's own code where helpers lie between."""
    function: Any = None
    """What is called there, torch's own or somebody's; None for a formula, or where the text says it."""
    called: str = ""
    """The name of torch's function at the end of the way, if there is one only."""
    position: int = 0
    """Which of its arguments is the tensor."""
    root: str = ""
    """For a formula, the name of the variable that it is a function of."""
    inside: bool = False
    """It is computed in a function that this expression calls, and that does other things too: no place for another."""

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells this expression from others: itself, and in a function that others call too, the way there."""
        way = tuple((_file(s.code), s.code.co_qualname, s.span) for s in self.steps) if self.called else ()
        return _file(self.code), self.code.co_qualname, self.span, way, origin(self.function)


def _file(code: CodeType) -> str:
    """Where the code is written; "" for code that a program made, which has another file name in each copy."""
    return "" if code.co_filename.startswith("<") else code.co_filename


def origin(function: Any) -> tuple[Any, ...]:
    """What tells a function from others that the same expression may call, in every copy of a model."""
    while isinstance(function, functools.partial):
        function = function.func
    held = (value for value in _held(function) if callable(value) or isinstance(value, int | float | str))
    return *_name(function), tuple(_name(value) if callable(value) else value for value in held)


def _held(function: Any) -> Iterator[Any]:
    """What its free variables stand for: closures of one text may compute different things."""
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # not filled yet
            yield cell.cell_contents


def _name(function: Any) -> tuple[Any, ...]:
    owner = getattr(function, "__self__", None)  # of an autograd function's `apply` that one
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code, getattr(function, "__name__", type(function).__name__), owner if isinstance(owner, type) else None


@dataclass(frozen=True)
class Place:
    """One non-linearity. `str(place)` is a line for people."""

    path: str
    """Of the module that is it, or whose code computes it; "" is the model itself."""
    what: str
    """Its name in the catalogue where it has one; the text of a formula that has none."""
    how: How
    """module: a layer of its own. call: a function, such as F.relu(x). method: of a tensor, x.relu(). operator: x ** 2.
    formula: spelt out in arithmetic. kernel: inside compiled code, seen only by what it computes."""
    role: Role
    """activation: what a replacement replaces if nothing else is said. gate: opens or closes another signal. attention,
    recurrent: inside these mechanisms. output: makes the model's own result. norm, loss, arithmetic: parts of those.
    unused: nobody looks at what it gives."""
    count: int
    """How often it is computed in one run; 0 if the sample does not reach it."""
    shape: tuple[int, ...] | None
    """Of its input, the first time; None if it is not reached."""
    stage: int = 0
    """0 at the model's full resolution, and one more each time that maps get smaller."""
    channel_dim: int = 1
    """Where its input's channels are."""
    behind: str = ""
    """Path of the linear or convolutional layer whose result it is given, if nobody else is; "" if there is none."""
    source: str = ""
    """File and line of the expression; "" for a layer of its own."""
    site: Site | None = field(default=None, repr=False, compare=False)
    kernels: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """What its non-linear kernels of ATen computed, one name for each that ran."""
    stale: bool = field(default=False, repr=False, compare=False)
    """It overwrites its input, and that is read later."""

    @property
    def where(self) -> str:
        """The module's path, and the line if it is an expression in that module's code."""
        path = self.path or "(model)"
        return f"{path} ({self.source})" if self.source else path

    def __str__(self) -> str:
        seen = f"{self.count}x {'x'.join(map(str, self.shape))}" if self.shape is not None else "not reached"
        role = "" if self.role == "activation" else f", {self.role}"
        return f"{self.where}: {self.what} ({self.how}{role}), {seen}"


def snake(name: str) -> str:
    """A class's name as a function's: "QuickGelu" -> "quick_gelu"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
