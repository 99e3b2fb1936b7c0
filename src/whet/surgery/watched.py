"""Where a method can't be written anew (no text, or the call happens in a function that others use too): its run is
watched, and the call is answered by the child module instead.

A TorchFunctionMode looks at each call of the functions in question, who made it, and from which expression. That costs
time per call of torch (docs/surgery.md has figures), and torch.compile and torch.export can't look through it; so this
is the last resort, and `Changes` names such places.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from whet.surgery import frames
from whet.surgery.cuts import Cut, shifted
from whet.surgery.frames import Span, Step

Trail = tuple[tuple[str, Span | None], ...]


def trail_of(steps: tuple[Step, ...]) -> Trail:
    """The way to a call as plain data: names of functions, and expressions with lines counted from the function's first."""
    return tuple((s.code.co_qualname, s.span and shifted(s.span, -s.code.co_firstlineno)) for s in steps)


class Watch(TorchFunctionMode):
    """Sends the calls that were cut to the owner's children."""

    def __init__(self, owner: nn.Module, cuts: tuple[Cut, ...]) -> None:
        super().__init__()
        self.owner = owner
        self.names = {c.root for c in cuts}
        self.cuts = {c.trail: c for c in cuts}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") not in self.names:
            return function(*args, **kwargs)
        cut = self._cut(sys._getframe(1))
        if cut is None:
            return function(*args, **kwargs)
        child = getattr(self.owner, cut.child)
        if cut.position >= len(args):
            return self._by_name(child, cut, function, args, kwargs)
        before, tensor, after = args[: cut.position], args[cut.position], args[cut.position + 1 :]
        return child(tensor, lambda t: function(*before, t, *after, **kwargs)) if cut.tap else child(tensor)

    def _by_name(self, child: nn.Module, cut: Cut, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        name = next(n for n, value in kwargs.items() if isinstance(value, Tensor))
        tap = [lambda t: function(*args, **{**kwargs, name: t})] if cut.tap else []
        return child(kwargs[name], *tap)

    def _cut(self, frame: Any) -> Cut | None:
        caller = frames.caller_of(frame, {id(self.owner): ""})
        return None if caller is None else self.cuts.get(trail_of(caller.steps))


def watching(method: Callable, cuts: tuple[Cut, ...]) -> Callable:
    """The method, watched while it runs. The compiler is kept out of it: it would trace past the watch."""

    @functools.wraps(method)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with Watch(self, cuts):
            return method(self, *args, **kwargs)

    disabled: list[Callable] = []

    @functools.wraps(method)
    def enter(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if "torch._dynamo" not in sys.modules:
            return run(self, *args, **kwargs)
        if not disabled:
            disabled.append(torch.compiler.disable(run))
        return disabled[0](self, *args, **kwargs)

    enter._torchdynamo_disable = True  # type: ignore[attr-defined]
    return enter
