"""What is computed in the end: every ATen kernel that the model's input reaches, whoever calls it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from whet.surgery import sample, vocabulary
from whet.surgery.channels import Channels
from whet.surgery.events import Event
from whet.surgery.sample import key_of

_FRESH = vocabulary.words("ones_like zeros_like empty_like full_like rand_like randn_like randint_like detach_")
_LINEAR = vocabulary.words(
    "rsub sub add add_ neg clone _to_copy copy cat repeat stack index_select mean sum div constant_pad_nd mul mul_"
)
"""Kernels that keep a gate a gate: 1 - z still is one."""
_JOINING = vocabulary.words("mul mul_ div bmm mm matmul addcmul addcmul_ lerp lerp_ baddbmm")
_WEIGHING = frozenset({"_softmax", "_safe_softmax", "_log_softmax"})


class Kernels(TorchDispatchMode):
    """Follows the model's input through the kernels, and tells the witness of every non-linear one that meets it."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler here, to keep it out: 1.5 s of one core. `sample.run` keeps it out already."""
        return False

    def __init__(self, model: nn.Module, tell: Callable[[str, Any], None]) -> None:
        super().__init__()
        self.tell = tell
        """Is given every non-linear kernel that the input reaches, by name, with its arguments."""
        self.constants = {key_of(t): t for t in (*model.parameters(), *model.buffers())}
        """Once numbers have left torch: memory that still does not depend on the input."""
        self.escaped = False
        self.read: set[int] = set()
        """Memory that Python looked at."""
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
        """All memory on which these pieces of memory, and what Python looked at, depend; themselves included."""
        alive = self.read.union(results)
        for written, read in reversed(self.flow):
            if written & alive:
                alive |= read
        return alive

    def note(self, tensor: Tensor) -> None:
        """From here on this tensor depends on the model's input."""
        self.reached[key_of(tensor)] = tensor

    def is_reached(self, tensor: Tensor) -> bool:
        """Whether this tensor depends on the model's input, as far as can be told."""
        key = key_of(tensor)
        return key in self.reached or (self.escaped and key not in self.constants)

    def escape(self, tensor: Tensor) -> None:
        """This tensor's numbers leave torch: whatever comes from elsewhere now may depend on them."""
        self.escaped = True
        self.read.add(key_of(tensor))

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        name = function._schema.name.partition("::")[2]
        inputs = list(sample.tensors_in([args, kwargs or {}], 3))
        outputs = list(sample.tensors_in(output, 3))
        if not self.awake:
            return output
        if name in _FRESH or not any(self.is_reached(t) for t in inputs):
            self.constants.update((key_of(t), t) for t in outputs if self.escaped)
            return output
        self.flow.append(({key_of(t) for t in outputs}, {key_of(t) for t in inputs}))
        self.read.update(key_of(t) for t in inputs if name == "_local_scalar_dense")
        for tensor in outputs:
            self.note(tensor)
        self._follow_gates(name, inputs, output)
        self.channels.follow(name, args, inputs, output)
        what = vocabulary.kernel_name(function, args)
        if what and any(t.is_floating_point() or t.is_complex() for t in inputs):
            self.tell(what, args)
        return output

    def _follow_gates(self, name: str, inputs: list[Tensor], output: Any) -> None:
        """Carry the marks of activations on through linear kernels, and tell them what they meet."""
        reached = [t for t in inputs if self.is_reached(t)]
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
