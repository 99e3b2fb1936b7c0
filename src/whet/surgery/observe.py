"""What a model computes on a sample: every torch call with its caller, and every non-linear kernel below it.

Two witnesses watch at two levels. The program's (a TorchFunctionMode) sees `F.relu(x)`, `x.relu()`, `x ** 2` and knows
the line. The kernels' (a TorchDispatchMode) sees what was computed in the end, whoever asked for it: a fused layer, an
autograd function, a scripted function. Every non-linear kernel must belong to a call that is recognised; what doesn't is
kept as an event of its own, so that nothing is missed silently.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from whet.surgery import frames, sample, vocabulary
from whet.surgery.channels import Channels
from whet.surgery.compositions import Composition, Line, Lines
from whet.surgery.modules import every_module, own_layers
from whet.surgery.sample import key_of

_FRESH = vocabulary.words("ones_like zeros_like empty_like full_like rand_like randn_like randint_like detach_")
_LINEAR = vocabulary.words(
    "rsub sub add add_ neg clone _to_copy copy cat repeat stack index_select mean sum div constant_pad_nd mul mul_"
)
"""Kernels that keep a gate a gate: 1 - z still is one."""
_JOINING = vocabulary.words("mul mul_ div bmm mm matmul addcmul addcmul_ lerp lerp_ baddbmm")


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
    helper: tuple[Any, str, dict[str, Any]] | None
    """The first function outside the method that led here, the parameter that held its tensor, and the other arguments."""
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


class Witness(TorchFunctionMode):
    """Writes down every call of a non-linearity that depends on the model's input."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.paths = {id(m): path for path, m in every_module(model)}
        self.events: list[Event] = []
        self.kernels = Kernels(self)
        self.current: list[str] | None = None
        self.overwritten: dict[int, list[Event]] = {}
        self.kept: list[Any] = []
        self.lines = Lines()
        self.sources = Sources()
        self.compositions: list[tuple[Composition, frames.Step, str]] = []
        """What is spelt out, the expression that ends it, and the name that its root has there."""
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
        with self.kernels.asleep():
            lines = self.lines.lines_in(args)
        kernels: list[str] = []
        self.current = kernels
        try:
            output = function(*args, **kwargs)
        finally:
            self.current = None
        event = None
        if what or kernels:
            what = what or _from_kernels(function, kernels)
            event = self._event(what, function, before, in_place, kernels, sys._getframe(1))
        if event:
            event.position, event.behind = position, self.sources.of(first)
            event.output = output = self._apart(event, output) if in_place else output
            self._mark(event)
        with self.kernels.asleep():
            self._compose(lines, function, output, event, sys._getframe(1))
        return output

    def _compose(self, lines: list[list[Line]], function: Any, output: Any, event: Event | None, frame: Any) -> None:
        found = self.lines.follow(function, lines, output, event)
        caller = frames.caller_of(frame, self.paths) if found else None
        if found and caller and all(e.owner is caller.owner for e in found.events):
            at = caller.frames[frames.own_frames(caller.frames) - 1]
            names = [name for name, value in at.f_locals.items() if value is found.root]
            if names:
                self.compositions.append((found, frames.step_of(at), names[0]))

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
        helper = _helper(caller.frames[own]) if own < len(steps) else None
        given = _argument(caller.frames[0], 1)
        path = self.paths[id(caller.owner)]
        event = Event(
            what, function, caller.owner, path, steps, own, helper, 0, first, given, in_place, kernels, caller.frames[0]
        )
        event.channel_dim = self.kernels.channels.dim_of(first)
        self.events.append(event)
        return event

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
        if self.overwritten and getattr(function, "__name__", "") not in _SHAPES:
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


class Sources:
    """Which layer with weights made a tensor, and how many calls read it."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Tensor, str]] = {}
        self._results: dict[str, list[int]] = {}
        self._uses: dict[int, int] = {}

    def made(self, path: str, output: Any) -> None:
        """This layer has given this result."""
        if isinstance(output, Tensor):
            self._made[id(output)] = (output, path)
            self._results.setdefault(path, []).append(id(output))

    def used(self, given: Any, function: Any) -> None:
        """A call was given these."""
        if getattr(function, "__name__", "") not in _SHAPES:
            for tensor in sample.tensors_in(given):
                if id(tensor) in self._made:
                    self._uses[id(tensor)] = self._uses.get(id(tensor), 0) + 1

    def of(self, tensor: Tensor | None) -> str:
        """The path of the layer that made this tensor; "" for none."""
        return self._made[id(tensor)][1] if id(tensor) in self._made else ""

    def only(self, path: str) -> str:
        """The path, if each result of that layer was read by one call."""
        return path if all(self._uses.get(result, 0) == 1 for result in self._results.get(path, ())) else ""


class Kernels(TorchDispatchMode):
    """Follows the model's input through the kernels, and tells the witness of every non-linear one that meets it."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self.witness = witness
        self.reached: dict[int, Any] = {}
        """Memory that depends on the input, kept alive so that no other tensor takes its place."""
        self.marks: dict[int, set[Event]] = {}
        self.channels = Channels()
        self.flow: list[tuple[set[int], set[int]]] = []
        """For each kernel in turn, the memory that it wrote and that it read."""
        self.awake = True

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        """What is computed now is the witnesses' own."""
        self.awake = False
        try:
            yield
        finally:
            self.awake = True

    def behind(self, results: Iterable[int]) -> set[int]:
        """All memory on which these pieces of memory depend, themselves included."""
        alive = set(results)
        for written, read in reversed(self.flow):
            if written & alive:
                alive |= read
        return alive

    def note(self, tensor: Tensor) -> None:
        """From here on this tensor depends on the model's input."""
        self.reached[key_of(tensor)] = tensor

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        name = function._schema.name.partition("::")[2]
        inputs = list(sample.tensors_in([args, kwargs or {}], 3))
        if not self.awake or name in _FRESH or not any(key_of(t) in self.reached for t in inputs):
            return output
        outputs = list(sample.tensors_in(output, 3))
        for tensor in outputs:
            self.note(tensor)
        self.flow.append(({key_of(t) for t in outputs}, {key_of(t) for t in inputs}))
        self._follow_gates(name, inputs, output)
        self.channels.follow(name, args, inputs, output)
        what = vocabulary.kernel_name(function, args)
        if what and any(t.is_floating_point() or t.is_complex() for t in inputs):
            self._tell(what, args)
        return output

    def _tell(self, what: str, args: Any) -> None:
        if self.witness.current is not None:
            self.witness.current.append(what)
        else:
            self.witness.kernel_event(what, args, sys._getframe(2))

    def _follow_gates(self, name: str, inputs: list[Tensor], output: Any) -> None:
        """Carry the marks of activations on through linear kernels, and tell them what they meet."""
        reached = [t for t in inputs if key_of(t) in self.reached]
        if len(reached) > 1 and name in _JOINING:
            for tensor, others in ((reached[0], reached[1:]), (reached[1], reached[:1])):
                for event in self.marks.get(key_of(tensor), ()):
                    event.gates |= any(other is not event.input for other in others)
        elif name in ("cat", "stack") or (len(reached) == 1 and name in _LINEAR):
            marks = set().union(*(self.marks.get(key_of(t), set()) for t in reached))
            for tensor in sample.tensors_in(output, 3):
                self.marks.setdefault(key_of(tensor), set()).update(marks)
        elif name in _WEIGHING:
            for event in set().union(*(self.marks.get(key_of(t), set()) for t in reached)):
                event.weighs = True


_WEIGHING = frozenset({"_softmax", "_safe_softmax", "_log_softmax"})
_SHAPES = vocabulary.words(
    "size dim ndimension numel stride is_contiguous is_floating_point __len__ type_as untyped_storage data_ptr"
)


def _is_getter(function: Any) -> bool:
    return getattr(function, "__name__", "") in ("__get__", "__set__")


def _from_kernels(function: Any, kernels: list[str]) -> str:
    name = vocabulary.plain_name(function)
    return name if name in vocabulary.LOSSES | vocabulary.NORMALISERS else kernels[0]


def _argument(frame: Any, position: int) -> Tensor | None:
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    value = frame.f_locals.get(names[position]) if len(names) > position else None
    return value if isinstance(value, Tensor) else None


def _helper(frame: Any) -> tuple[Any, str, dict[str, Any]] | None:
    """The function that runs in this frame, if it takes one tensor and plain things, and can be called again.

    For a module that is not part of the model (a global one, say), that module.
    """
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    values = {n: frame.f_locals[n] for n in names if n in frame.f_locals}
    stranger = frames.self_of(frame)
    if isinstance(stranger, nn.Module):
        del values[names[0]]
    tensors = [n for n, v in values.items() if isinstance(v, Tensor)]
    plain = all(isinstance(v, int | float | str | bool | type(None) | Tensor) for v in values.values())
    if len(tensors) != 1 or not plain:
        return None
    function = stranger if isinstance(stranger, nn.Module) else _function_of(code)
    others = {n: v for n, v in values.items() if n != tensors[0]}
    return None if function is None else (function, tensors[0], others)


@lru_cache(maxsize=1024)
def _function_of(code: CodeType) -> FunctionType | None:
    """The function with this code, if there is just one (closures of one text may differ in what they hold)."""
    found = [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]
    return found[0] if len(found) == 1 else None


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
