"""What one would replace as a whole, and the places that it makes of its events."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MethodDescriptorType, MethodType
from typing import Any

from torch import Tensor, nn

from whet.surgery import catalogue, source, vocabulary
from whet.surgery.compositions import Spelt
from whet.surgery.events import Event
from whet.surgery.frames import Step, is_machinery
from whet.surgery.known import name_of
from whet.surgery.modules import is_own
from whet.surgery.places import How, Place, Role, Site, snake

FUSED = {
    "LSTM": ("sigmoid", "tanh"),
    "GRU": ("sigmoid", "tanh"),
    "LSTMCell": ("sigmoid", "tanh"),
    "GRUCell": ("sigmoid", "tanh"),
}
"""The functions inside torch's recurrent kernels; plain ones have one, which is an attribute of theirs."""
_POSITIONS = re.compile("rotary|rope|position|timestep", re.IGNORECASE)
"""In the names of classes whose sines are coordinates."""


@dataclass(frozen=True)
class Layer:
    """A module that is an activation, or another non-linear layer of torch's."""

    path: str
    module: nn.Module

    def places(self, events: list[Event]) -> Iterable[Place]:
        """One place, or one per function for a recurrent kernel."""
        if isinstance(self.module, nn.RNNBase | nn.RNNCellBase):
            first, *others = FUSED.get(type(self.module).__name__, (getattr(self.module, "nonlinearity", "tanh"),))
            yield _place(events, first, "module", role="recurrent")
            for what in others:
                yield replace(_place(events, what, "module", role="recurrent"), kernels=())
        else:
            name = self._name(events)
            place = _place([e for e in events if e.whole] or events, name, "module", role=self._role(name, events))
            yield replace(place, path=self.path, kernels=tuple(k for e in events for k in e.kernels))

    def _name(self, events: list[Event]) -> str:
        if is_own(self.module):
            return catalogue.name_of(self.module) or snake(type(self.module).__name__)
        single = events[0].what if len({(e.what, e.steps) for e in events}) == 1 else None
        if type(self.module).__module__.startswith("torch.nn."):
            return single or snake(type(self.module).__name__)
        return name_of(copy.deepcopy(self.module).eval().double()) or snake(type(self.module).__name__)

    def _role(self, name: str, events: list[Event]) -> Role:
        role = role_of(events, name)
        arithmetic = role == "arithmetic" and not type(self.module).__module__.startswith("torch.nn.")
        return "activation" if arithmetic else role


@dataclass(frozen=True)
class Formula:
    """An expression that spells a function out, a known one or one without a name."""

    path: str
    spelt: Spelt
    inside: bool

    def places(self, events: list[Event]) -> Iterable[Place]:
        place = _place(events, self.spelt.what, "formula", self.spelt.step, root=self.spelt.root, inside=self.inside)
        yield replace(place, stale=self.spelt.in_place)


@dataclass(frozen=True)
class Helper:
    """A call of a function that is an activation, written in Python by somebody."""

    path: str
    step: Step
    origin: tuple[Any, ...]

    def places(self, events: list[Event]) -> Iterable[Place]:
        first = events[0]
        assert first.helper is not None
        function = first.helper.function
        named = name_of(first.helper)
        single = (
            first.what if len({e.steps for e in events}) == 1 and not first.gates else None
        )  # not x * sigmoid(b * x)
        steps = isinstance(function, MethodType) and single in ("compare", "sign")  # with a slope of somebody's own
        what = named or (None if steps else single) or _called(function)
        role = role_of(events, what)
        meant = role == "arithmetic" and (named or steps)
        yield _place(events, what, "call", self.step, role="activation" if meant else role)


@dataclass(frozen=True)
class Expression:
    """One call of torch in a module's code."""

    path: str
    steps: tuple[Step, ...]
    what: str
    origin: tuple[Any, ...]

    def places(self, events: list[Event]) -> Iterable[Place]:
        first = events[0]
        inside = len(first.steps) > first.own
        yield _place(events, self.what, _how(first), first.steps[first.own - 1], inside=inside)


Unit = Layer | Formula | Helper | Expression


def _place(
    events: list[Event],
    what: str,
    how: How,
    step: Step | None = None,
    *,
    root: str = "",
    role: Role | None = None,
    inside: bool = False,
) -> Place:
    first = events[0]
    site = None
    if step is not None and step.span is not None:
        helps = first.helper and how == "call" and len(first.steps) > first.own and not inside
        function = first.helper.function if helps and first.helper else first.function
        names = {getattr(e.function, "__name__", "") for e in events if e.steps == first.steps}
        alone = len({e.steps for e in events}) == len(names) == 1 and first.what == what and not root
        called = names.pop() if alone else ""
        site = Site(
            first.steps[0].code, step.code, step.span, first.steps, function, called, first.position, root, inside
        )
    return Place(
        path=first.path,
        what=what,
        how=how,
        role=role or role_of(events, what),
        count=len({id(e.frame) for e in events})
        if how == "module"
        else len(events) // max(1, len({e.steps for e in events})),
        shape=None if first.input is None else tuple(first.input.shape),
        channel_dim=first.channel_dim,
        behind=first.behind if all(e.behind == first.behind for e in events) else "",
        source=_shown(first, step).source if step else "",
        site=site,
        kernels=tuple(kernel for e in events for kernel in e.kernels),
        stale=any(e.read_later for e in events),
    )


def _called(function: Any) -> str:
    """The name of a function, of a layer's class, or of the autograd function whose `apply` this is."""
    if isinstance(function, MethodType):
        return snake(function.__self__.__name__)  # type: ignore[attr-defined]
    return getattr(function, "__name__", type(function).__name__).strip("_")


def _shown(event: Event, step: Step) -> Step:
    """The line that people look for: of a hook, the hook's own."""
    return next((s for s in event.steps if not is_machinery(s.code)), step) if is_machinery(step.code) else step


def _how(event: Event) -> How:
    if event.by_kernel:
        return "kernel"
    node = _node(event, event.steps[event.own - 1])
    if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Compare | ast.AugAssign):
        return "operator"
    return "method" if _is_method(event.function) else "call"


def _node(event: Event, step: Step) -> ast.AST | None:
    text = source.text_of(event.steps[0].code)
    return source.at(text.tree, step.span) if text and step.span else None


def _is_method(function: Any) -> bool:
    name = getattr(function, "__name__", "")
    return isinstance(function, MethodDescriptorType) or getattr(Tensor, name, None) is function


def role_of(events: list[Event], what: str) -> Role:
    """The part that these events of one place play."""
    first, owner = events[0], type(events[0].owner).__name__
    if what in vocabulary.LOSSES:
        return "loss"
    if what in vocabulary.NORMALISERS or (what in vocabulary.ARITHMETIC and "norm" in owner.lower()):
        return "norm"
    if what == "numpy":
        return "arithmetic"
    if what in ("recurrent", "transformer layer"):
        return "recurrent"
    if what == "attention" or isinstance(first.owner, nn.MultiheadAttention):
        return "attention"
    if what in vocabulary.WEIGHING:
        return "output" if any(e.is_output and not e.gates for e in events) else "attention"
    if what in vocabulary.GATED or (what in vocabulary.SQUASHING and any(e.gates for e in events)):
        return "gate"
    if what in vocabulary.BOUNDED and any(e.weighs for e in events):
        return "attention"
    if what in vocabulary.BOUNDED and any(e.is_output for e in events):
        return "output"
    if not any(e.used or e.read_later or e.is_output for e in events):
        return "unused"
    coordinates = what in ("sine", "cosine") and _POSITIONS.search(owner)
    return "arithmetic" if what in vocabulary.ARITHMETIC or coordinates or _is_index(first) else "activation"


def _is_index(event: Event) -> bool:
    return event.input is not None and not (event.input.is_floating_point() or event.input.is_complex())
