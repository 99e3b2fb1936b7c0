"""Events: single calls that compute a non-linearity, with everything that is known of them."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from whet.surgery import frames


@dataclass(frozen=True)
class Helper:
    """A function between a module's method and torch, the parameter that held its tensor, and the other arguments."""

    function: Any
    tensor: str
    others: dict[str, Any]

    def __call__(self, x: Tensor) -> Any:
        """The function of another tensor, all else as it was."""
        if isinstance(self.function, MethodType):  # `apply` takes no names
            return self.function(x, *self.others.values())
        return self.function(**{self.tensor: x}, **self.others)

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others."""
        return self.function, self.tensor, tuple(sorted(self.others.items(), key=str))


@dataclass(eq=False)
class Event:
    """One call that computes a non-linearity."""

    what: str
    function: Any
    owner: nn.Module
    path: str
    steps: tuple[frames.Step, ...]
    own: int
    """How many of the steps are code of the owner's own method."""
    helper: Helper | None
    """The first function outside the method that led here."""
    position: int
    """Which argument of the call its tensor is."""
    input: Tensor | None
    module_input: Tensor | None
    in_place: bool
    kernels: list[str]
    frame: FrameType | object
    """Of the owner's method: events of one call share it."""
    output: Any = None
    by_kernel: bool = False
    whole: bool = False
    """One call of a layer of our own catalogue, whatever it computes inside."""
    gates: bool = False
    is_output: bool = False
    weighs: bool = False
    """A softmax takes its result: it bounds attention scores, or a model's logits."""
    used: bool = False
    """The model's result depends on it."""
    read_later: bool = False
    """It overwrote its input, and somebody looked at that input afterwards."""
    channel_dim: int = 1
    behind: str = ""
    """Path of the layer with weights whose result it was given, if nobody else was."""


def argument_of(frame: FrameType, position: int) -> Tensor | None:
    """The tensor that the function in this frame was given at this position."""
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    value = frame.f_locals.get(names[position]) if len(names) > position else None
    return value if isinstance(value, Tensor) else None


def helper_of(frame: FrameType) -> Helper | None:
    """The function that runs in this frame, if it takes one tensor and plain things, and can be called again.

    For a module that is not part of the model (a global one, say), that module; for an autograd function, its `apply`.
    """
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    values = {n: frame.f_locals[n] for n in names if n in frame.f_locals}
    stranger = frames.self_of(frame)
    whole = _whole(stranger)
    if whole is not None:
        del values[names[0]]
    tensors = [n for n, v in values.items() if isinstance(v, Tensor)]
    plain = all(isinstance(v, int | float | str | bool | type(None) | Tensor) for v in values.values())
    if len(tensors) != 1 or not plain:
        return None
    function = _function_of(frame) if whole is None else whole
    others = {n: v for n, v in values.items() if n != tensors[0]}
    return None if function is None else Helper(function, tensors[0], others)


def _whole(stranger: Any) -> Any:
    """What one calls to have a method of this object run: a module itself, `apply` of an autograd function's context."""
    if isinstance(stranger, torch.autograd.function.FunctionCtx):
        return getattr(type(stranger), "_forward_cls").apply  # noqa: B009
    return stranger if isinstance(stranger, nn.Module) else None


def _function_of(frame: FrameType) -> FunctionType | None:
    """The function that runs in this frame: among those of one code, the one that holds what the frame sees."""
    free = frame.f_code.co_freevars
    found = _functions_of(frame.f_code) if not free else _live_functions(frame.f_code)
    return next((f for f in found if all(_holds(f, name, frame.f_locals.get(name)) for name in free)), None)


def _holds(function: FunctionType, name: str, value: Any) -> bool:
    cell = (function.__closure__ or ())[function.__code__.co_freevars.index(name)]
    try:
        return cell.cell_contents is value
    except ValueError:  # not filled yet
        return False


def _live_functions(code: CodeType) -> list[FunctionType]:
    return [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]


_functions_of = lru_cache(maxsize=1024)(_live_functions)
"""Functions without free variables, once for each code: looking for them takes long."""
