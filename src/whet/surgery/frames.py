"""Who called: from a running frame back to the module whose method is at work, and the expression that it evaluates.

Frames are used, not hooks: they also know a module whose `forward` was called directly, a method that is not `forward`,
and the line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import nn

Span = tuple[int, int, int, int]
"""First line, last line, first column, column after the last; lines from 1, columns in bytes from 0, as in `ast`."""

_TORCH = str(PurePath(torch.__file__).parent)
_SKIPPED = tuple(
    f"{_TORCH}/{name}"
    for name in (
        "overrides.py",
        "functional.py",
        "nn/functional.py",
        "_tensor.py",
        "_ops.py",
        "_compile.py",
        "_jit_internal.py",
        "_dynamo/",
        "_functorch/",
        "_export/",
        "export/",
        "fx/",
        "utils/_python_dispatch.py",
        "utils/_device.py",
        "special/",
    )
)
_MACHINERY = (f"{_TORCH}/nn/modules/module.py", f"{_TORCH}/autograd/", f"{_TORCH}/utils/checkpoint.py")


def is_machinery(code: CodeType) -> bool:
    """Whether this is torch's own way of calling a module, with its hooks."""
    return code.co_filename.startswith(_MACHINERY)


@dataclass(frozen=True)
class Step:
    """One frame on the way to a call: whose code, and the part of the text that was being evaluated."""

    code: CodeType
    span: Span | None

    @property
    def source(self) -> str:
        """For people: "net.py:12"."""
        return f"{PurePath(self.code.co_filename).name}:{self.span[0] if self.span else self.code.co_firstlineno}"


@lru_cache(maxsize=4096)
def _spans(code: CodeType) -> tuple[Span | None, ...]:
    positions = ((a, b, c, d) for a, b, c, d in code.co_positions())
    return tuple(None if None in p else p for p in positions)  # type: ignore[misc]


def step_of(frame: FrameType) -> Step:
    """What this frame is evaluating now."""
    spans = _spans(frame.f_code)
    return Step(frame.f_code, spans[frame.f_lasti // 2] if frame.f_lasti >= 0 else None)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def self_of(frame: FrameType) -> Any:
    """The first argument of the function that runs in this frame, or None."""
    code = frame.f_code
    if not code.co_argcount:
        return None
    first = code.co_varnames[0]
    return frame.f_locals.get(first)


def _is_method(kind: type, code: CodeType) -> bool:
    """Whether this is the code of a method of the class, or of a decorator's wrapper that stands there."""
    return hasattr(kind, code.co_name) or any(
        _leads_to(value, code) for base in kind.__mro__[:-1] for value in vars(base).values()
    )


def _leads_to(function: Any, code: CodeType, depth: int = 8) -> bool:
    if not isinstance(function, FunctionType):
        return False
    if function.__code__ is code:
        return True
    cells = [c.cell_contents for c in function.__closure__ or () if c != CellType()]
    return depth > 0 and any(_leads_to(value, code, depth - 1) for value in cells)


@dataclass(frozen=True)
class Caller:
    """The module at work, and the frames from its method (first) to the call (last)."""

    owner: nn.Module
    frames: tuple[FrameType, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step_of(f) for f in self.frames)


def caller_of(frame: FrameType | None, known: Mapping[int, str] | None = None) -> Caller | None:
    """The nearest module (one of `known`, by id) that called from `frame` or above, torch's own plumbing left out."""
    within: list[FrameType] = []
    for outer in _outwards(frame):
        file = outer.f_code.co_filename
        if file.startswith(_SKIPPED) or "/whet/surgery/" in file:
            continue
        owner = self_of(outer)
        if (
            isinstance(owner, nn.Module)
            and (known is None or id(owner) in known)
            and _is_method(type(owner), outer.f_code)
        ):
            within.append(outer)
            return Caller(owner, tuple(reversed(within)))
        if not is_machinery(outer.f_code):
            within.append(outer)
    return None


def is_within(inner: Step, outer: Step) -> bool:
    """Whether one expression is a part of another, or the same, in one text."""
    if inner.code is not outer.code or inner.span is None or outer.span is None:
        return False
    (a, b, c, d), (first, last, left, right) = inner.span, outer.span
    return (first, left) <= (a, c) and (b, d) <= (last, right)


def own_frames(frames: tuple[FrameType, ...]) -> int:
    """How many of the frames, from the method on, run code that is written inside the method: lambdas, comprehensions."""
    method = frames[0].f_code
    return len(list(itertools.takewhile(lambda f: f.f_code is method or is_inside(f.f_code, method), frames)))


@lru_cache(maxsize=4096)
def is_inside(code: CodeType, outer: CodeType) -> bool:
    """Whether `code` is of a function that is written inside `outer`."""
    inner = [c for c in outer.co_consts if isinstance(c, CodeType)]
    return any(c is code or is_inside(code, c) for c in inner)
