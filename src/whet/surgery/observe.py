"""What a model computes on a sample: every torch call with its caller, and every non-linear kernel below it.

Two witnesses watch at two levels. The program's (a TorchFunctionMode) sees `F.relu(x)`, `x.relu()`, `x ** 2` and knows
the line. The kernels' (a TorchDispatchMode) sees what was computed in the end, whoever asked for it: a fused layer, an
autograd function, a scripted function. Every non-linear kernel must belong to a call that is recognised; what doesn't is
kept as an event of its own, so that nothing is missed silently.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from whet.surgery import frames, sample, source, vocabulary
from whet.surgery.compositions import BUMPS, INGREDIENTS, Composition, Line, Lines, Spelt
from whet.surgery.events import Event, argument_of, helper_of
from whet.surgery.kernels import Kernels
from whet.surgery.modules import every_module, own_layers
from whet.surgery.sample import key_of
from whet.surgery.sources import SHAPES, Sources


class Witness(TorchFunctionMode):
    """Writes down every call of a non-linearity that depends on the model's input."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.paths = {id(m): path for path, m in every_module(model)}
        self.events: list[Event] = []
        self.kernels = Kernels(model, self._kernel)
        self.current: list[str] | None = None
        self.overwritten: dict[int, list[Event]] = {}
        self.kept: list[Any] = []
        self.lines = Lines()
        self.sources = Sources()
        self.spelt: dict[Event, Spelt] = {}
        """What an event is a part of, where that is spelt out."""
        self.visited: set[tuple[str, frames.Step]] = set()
        """Modules' paths and the places in their code where a non-linearity was called, whatever it was given."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(function, torch._ops.OpOverload | torch._ops.OpOverloadPacket) or _is_getter(function):
            return function(*args, **kwargs)
        self._notice_reading(function, args, kwargs)
        self.sources.used([args, kwargs], function)
        what = vocabulary.recognise(function, args, kwargs)
        in_place = what is not None and vocabulary.is_in_place(function, args, kwargs)
        position = vocabulary.position_of(what, args)
        first = next(sample.tensors_in([args[position:], kwargs]), None)
        before = first.clone() if in_place and first is not None else first
        lines = self._lines_in(args)
        kernels: list[str] = []
        self.current = kernels
        try:
            output = function(*args, **kwargs)
        finally:
            self.current = None
        event = None
        if getattr(function, "__name__", "") in _LEAVING and first is not None:
            self._leave(first, sys._getframe(1))
        elif what or kernels:
            what = what or _from_kernels(function, kernels)
            event = self._event(what, function, before, in_place, kernels, sys._getframe(1))
        if event:
            event.position, event.behind = position, self.sources.of(first)
            event.output = output = self._apart(event, output) if in_place else output
            event.used |= isinstance(output, Tensor) and output.requires_grad  # the model takes its derivative
            self._mark(event)
        with self.kernels.asleep():
            found = self.lines.follow(function, args, kwargs, lines, output, event)
        if found:
            self._compose(found, sys._getframe(1))
        return output

    def _lines_in(self, args: Any) -> dict[int, list[Line]]:
        """The lines to each of a call's tensors that depend on the input; none if one of them is a single number."""
        tensors = {at: a for at, a in enumerate(args) if isinstance(a, Tensor) and self.kernels.is_reached(a)}
        if any(t.numel() < 2 and not self.lines.is_picked(t) for t in tensors.values()):
            return {}
        return {at: self.lines.to(t) for at, t in tensors.items()}

    def _leave(self, tensor: Tensor, frame: Any) -> None:
        """Numbers go to numpy or a list: what is computed with them there can't be seen, and is said."""
        if self.kernels.is_reached(tensor):
            self.kernels.escape(tensor)
            self.kernel_event("numpy", [tensor], frame)

    def _compose(self, found: Composition, frame: Any) -> None:
        """Keep what is spelt out, if a method's text holds it: for each of its events, the last and largest."""
        caller = frames.caller_of(frame, self.paths)
        if caller is None or any(e.owner is not caller.owner for e in found.events):
            return
        own = frames.own_frames(caller.frames)
        at = caller.frames[own - 1]
        step = frames.step_of(at)
        root = next((name for name, value in at.f_locals.items() if value is found.root), None)
        what = found.what or self._text(found, step)
        if root and what:
            complete = found.what is not None and found.what not in INGREDIENTS | BUMPS
            spelt = Spelt(what, step, root, found.in_place, found.uses, complete, len(caller.frames) > own)
            self.spelt.update(dict.fromkeys(found.events, spelt))

    def _text(self, found: Composition, step: frames.Step) -> str | None:
        """The text of a formula without a name, if it is one expression, and not just more of one that we have."""
        known = [self.spelt[e] for e in found.events if e in self.spelt]
        if any(k.complete for k in known) or any(
            k.uses >= found.uses for k in known if len(known) == len(found.events)
        ):
            return None
        whole = source.statement_of(step)
        inside = all(frames.is_within(e.steps[e.own - 1], whole) for e in found.events)
        return source.words_of(step.code, step.span) if inside and step.span else None

    def _event(
        self, what: str, function: Any, first: Tensor | None, in_place: bool, kernels: list[str], frame: Any
    ) -> Event | None:
        caller = frames.caller_of(frame, self.paths)
        if caller is None:
            return None
        own = frames.own_frames(caller.frames)
        steps = caller.steps
        self.visited.update((self.paths[id(caller.owner)], step) for step in steps)
        if not kernels:
            return None
        helper = helper_of(caller.frames[own]) if own < len(steps) else None
        given = argument_of(caller.frames[0], 1)
        path = self.paths[id(caller.owner)]
        event = Event(
            what, function, caller.owner, path, steps, own, helper, 0, first, given, in_place, kernels, caller.frames[0]
        )
        event.channel_dim = self.kernels.channels.dim_of(first)
        self.events.append(event)
        return event

    def _kernel(self, what: str, args: Any) -> None:
        if self.current is not None:
            self.current.append(what)
        else:
            self.kernel_event(what, args, sys._getframe(1))

    def kernel_event(self, what: str, args: Any, frame: Any) -> None:
        """A kernel that no call of the program's level asked for."""
        event = self._event(what, None, next(sample.tensors_in(args), None), False, [what], frame)
        assert event is not None, f"{what} is computed outside every module"
        event.by_kernel = event.used = True

    def whole_layer(self, path: str, module: nn.Module, given: Any, output: Any) -> None:
        """A layer of our own catalogue has run: it may compute where no witness sees it."""
        first = next(sample.tensors_in(given), None)
        event = Event("", None, module, path, (), 0, None, 0, first, first, False, [], object(), output)
        event.whole, event.channel_dim = True, self.kernels.channels.dim_of(first)
        event.behind = self.sources.of(first)
        for tensor in sample.tensors_in(output):
            self.kernels.note(tensor)
            self.kernels.flow.append(({key_of(tensor)}, {key_of(t) for t in sample.tensors_in(given)}))
        self.events.append(event)
        self._mark(event)

    def _apart(self, event: Event, output: Any) -> Any:
        """A copy of what an in-place call gave: whoever reads the overwritten tensor from now on gives itself away."""
        if not isinstance(output, Tensor):
            return output
        self.overwritten.setdefault(key_of(output), []).append(event)
        self.kept.append(output)
        apart = output.clone()
        self.kernels.note(apart)
        return apart

    def _notice_reading(self, function: Any, args: Any, kwargs: Any) -> None:
        if self.overwritten and getattr(function, "__name__", "") not in SHAPES:
            for tensor in sample.tensors_in([args, kwargs]):
                for event in self.overwritten.get(key_of(tensor), ()):
                    event.read_later = True

    def _mark(self, event: Event) -> None:
        for tensor in sample.tensors_in(event.output):
            self.kernels.marks.setdefault(key_of(tensor), set()).add(event)
            self.kept.append(tensor)

    def finish(self, output: Any) -> None:
        """Mark the events whose result is the model's own, and those that it depends on."""
        for tensor in sample.tensors_in(output):
            for event in self.kernels.marks.get(key_of(tensor), ()):
                event.is_output = True
            self._notice_reading(None, [tensor], {})
        for event in self.events:
            event.behind = self.sources.only(event.behind)
        alive = self.kernels.behind(key_of(t) for t in sample.tensors_in(output))
        for event in self.events:
            event.used |= any(key_of(t) in alive for t in sample.tensors_in(event.output))


_LEAVING = frozenset({"numpy", "tolist", "__array__", "__dlpack__"})
"""Calls that hand a tensor's numbers to something else than torch."""


def _is_getter(function: Any) -> bool:
    return getattr(function, "__name__", "") in ("__get__", "__set__")


def _from_kernels(function: Any, kernels: list[str]) -> str:
    name = vocabulary.plain_name(function)
    return name if name in vocabulary.LOSSES | vocabulary.NORMALISERS else kernels[0]


def observe(model: nn.Module, given: Any, training: bool) -> Witness:
    """Run a copy of the model in this mode and return the witness with all that it wrote down."""
    copied = sample.twin(model)
    witness = Witness(copied)
    for tensor in sample.tensors_in(given):
        witness.kernels.note(tensor)
    for path, module in own_layers(copied):
        module.register_forward_hook(lambda m, given, output, path=path: witness.whole_layer(path, m, given, output))
    for path, module in every_module(copied):
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(lambda m, given, output, path=path: witness.sources.made(path, output))
    with sample.quietly(training, copied), witness, witness.kernels:
        output = sample.run(copied, given)
    witness.finish(output)
    return witness
