"""Proof that surgery changed what it says and nothing else.

Three runs on one sample, with the same random numbers:

    A   the model as it is: every torch call's inputs and outputs, bit by bit
    B   a copy in which each changed place is cut in the same way but holds its old function: the same calls, to the bit
    C   the changed model, in which each new function's answer is exchanged for the one that its place gave in B

A = B shows that the cutting itself changes nothing. In C every other operation then has to receive the very inputs that
it had in A, and to give the very outputs: a weight that differs, a layer that was lost, a function that was put at the
wrong place shows at the first call that it reaches.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import UserError
from whet.surgery import changes, cuts
from whet.surgery import sample as samples
from whet.surgery.difference import Changed, Unproven, changed_places, check_state
from whet.surgery.exchanges import check_new, check_not_linear, check_old
from whet.surgery.find import find
from whet.surgery.modules import every_module, module_at
from whet.surgery.record import Call, Recorder, digests, paths_of
from whet.surgery.stand_ins import Guard, Pick, WriteBack, kind_of


@dataclass(frozen=True)
class Proof:
    """What was compared."""

    places: int
    """Places where the two models compute different functions."""
    calls: int
    """All other calls of torch, in both modes, each with the same inputs and outputs."""

    def __str__(self) -> str:
        return f"{self.places} places changed; {self.calls} other calls are the same, bit by bit"


def verify(model: nn.Module, new: nn.Module, *, sample: Any) -> Proof:
    """Shows that `new` differs from `model` in non-linearities only, or raises Unproven, which names the first place.

    Both are run on copies, as they stand and in the other mode (training or evaluation). Weights, buffers, ties and
    modes are compared too.
    """
    changed = changed_places(samples.check(model), samples.check(new))
    _check_exchanges(model, new, changed, sample)
    check_state(model, new, changed)
    calls = _compare(model, new, changed, sample, model.training)
    with contextlib.suppress(UserError):  # say, batch norm of one example in training
        calls += _compare(model, new, changed, sample, not model.training)
    return Proof(len(changed), calls)


def _check_exchanges(model: nn.Module, new: nn.Module, changed: list[Changed], sample: Any) -> None:
    places = find(model, sample) if changed else []
    for place in changed:
        check_old(model, place, places)
        check_new(place.new_path, _function_at(new, place), None if place.child else module_at(model, place.path))


def _compare(model: nn.Module, new: nn.Module, changed: list[Changed], sample: Any, training: bool) -> int:
    plain = _run(samples.twin(model), [], sample, training)
    mirror, tapped = mirrored(samples.twin(model), changed)
    watched = [Watched(c, m) for c, m in zip(changed, tapped, strict=True)]
    old = _run(mirror, watched, sample, training)
    _same(plain.calls, [c for c in old.calls if c.output is not None])
    copied = samples.twin(new)
    places = [Watched(c, _function_at(copied, c), w) for c, w in zip(changed, watched, strict=True)]
    after = _run(copied, places, sample, training)
    _same(old.outside, after.outside)
    for place in places:
        if place.like is not None:
            check_not_linear(place.place.new_path, _function_at(new, place.place), place.like)
    return sum(call.output is not None for call in old.outside)


def _function_at(new: nn.Module, changed: Changed) -> nn.Module:
    module = module_at(new, changed.new_path)
    if isinstance(module, Guard):
        return module.functions[changed.turn]
    return module.function if isinstance(module, Pick) else module


def _run(model: nn.Module, places: list[Watched], sample: Any, training: bool) -> Recorder:
    modules = {path: m for path, m in every_module(model) if not isinstance(m, Tap | Guard | Pick)}
    recorder = Recorder(paths_of(modules))
    for place in places:
        place.attach(recorder)
    with samples.quietly(training, model), recorder:
        output = samples.run(model, sample)
    recorder.add(Call("", "the model's result", (), " ".join(digests(output))))
    return recorder


def _same(before: list[Call], after: list[Call]) -> None:
    for a, b in itertools.zip_longest(before, after):
        if a == b:
            continue
        if a is None or b is None or (a.path, a.name) != (b.path, b.name):
            said = f"{b.name} at {b.where}" if b else "nothing more"
            raise Unproven(f"{(a or b).where}: {a.name if a else 'nothing'} was computed there, and now {said}.")
        what = "got another input" if a.inputs != b.inputs else "gave another output"
        raise Unproven(f"{a.where}: {a.name} {what} than before.")


class Tap(nn.Module):
    """Stands where a new function stands in the other model, and runs the old one."""

    def __init__(self, function: Callable | None = None) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.function is not None:
            return self.function(*args, **kwargs)
        tensor, function = args
        return function(tensor)


class TapPick(Pick):
    """A Pick whose function is a Tap: it is also given the old function of all the arguments."""

    def forward(self, old: Callable, *args: Any) -> Any:
        before, after = args[: self.position], args[self.position + 1 :]
        return self.function(args[self.position], lambda tensor: old(*before, tensor, *after))


class TapGuard(Guard):
    """A Guard whose functions are Taps: it hands the call on with all its arguments."""

    def forward(self, called: Any, *args: Any, **kwargs: Any) -> Any:
        kind = kind_of(called)
        for known, tap in zip(self.called, self.functions, strict=True):
            if kind == known:
                return tap(args[0], lambda tensor: called(tensor, *args[1:], **kwargs))
        return called(*args, **kwargs)


def mirrored(model: nn.Module, changed: list[Changed]) -> tuple[nn.Module, list[nn.Module]]:
    """The model, cut as `changed` says, with its old functions in place, and the modules that hold them."""
    taps = [_tap(module_at(model, place.path), place) for place in changed]
    for path, group in itertools.groupby(changed, key=lambda c: c.path):
        made = tuple({replace(p.cut, tap=p.cut.form not in ("guarded", "whole")): None for p in group if p.cut})
        if made:
            owner = module_at(model, path)
            changes.set_class(owner, cuts.changed_class(owner, made))
    return model, taps


def _tap(owner: nn.Module, place: Changed) -> nn.Module:
    """The module that runs the old function in the mirror: put in the owner, or the owner itself if it was swapped."""
    if not place.child:
        return owner
    if place.cut is None:
        tap = Tap(vars(owner)[place.child])
    elif place.cut.form == "whole":
        tap = Tap(getattr(owner, place.cut.method))
    else:
        tap = Tap()
    if place.cut is None or place.cut.form != "guarded":
        picks = place.cut is not None and place.cut.form == "picked"
        changes.add_child(owner, place.child, TapPick(tap, place.cut.position) if picks and place.cut else tap)
        return tap
    if place.child not in owner._modules:
        changes.add_child(owner, place.child, TapGuard())
    guard = owner._modules[place.child]
    assert isinstance(guard, TapGuard)
    guard.answer(place.called, tap)
    return tap


@dataclass
class Watched:
    """One changed place during a run: its calls are written down, and where `old` is given, answered as that one was."""

    place: Changed
    module: nn.Module
    old: Watched | None = None
    answers: list[tuple[Any, Tensor]] = field(default_factory=list)
    """What it gave in turn, and the random state then."""
    like: Tensor | None = None
    """Its input, the last time."""

    def attach(self, recorder: Recorder) -> None:
        """Take part in the recorder's run."""

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            recorder.depth += 1
            with torch._C.DisableTorchFunction():
                given = args[:1] if self.place.child else args
                self.like = args[0] if args and isinstance(args[0], Tensor) else None
                self.input = tuple(digests([given, {} if self.place.child else kwargs]))

        def after(module: nn.Module, args: Any, output: Any) -> Any:
            recorder.depth -= 1
            _check_exchangeable(self.place, output)
            recorder.add(Call(self.place.new_path, "the changed function", self.input, None))
            with torch._C.DisableTorchFunction():
                answer = self._answer(args, output)
                self.answers.append((_copied(output), torch.get_rng_state()))
            return answer

        self.module.register_forward_pre_hook(before, with_kwargs=True)
        self.module.register_forward_hook(after)

    def _answer(self, args: Any, output: Any) -> Any:
        """What the old function answered at this turn, and the random state that it left; None for the first run."""
        if self.old is None:
            return None
        if len(self.answers) >= len(self.old.answers):
            raise Unproven(f"{self.place.new_path}: is called more often than what stood there.")
        given, state = self.old.answers[len(self.answers)]
        _check_kind(self.place, given, output)
        torch.set_rng_state(state)
        return args[0].copy_(given) if isinstance(self.module, WriteBack) else _copied(given)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return type(value)(_copied(v) for v in value) if type(value) in (tuple, list) else value


def _check_exchangeable(place: Changed, output: Any) -> None:
    if isinstance(output, Tensor) and samples.whole_of(output) is not output:
        raise UserError(
            f"The model calls {place.new_path} inside vmap or grad, where no result can be exchanged for another.",
            "So this replacement can't be proven to change nothing else; find shows what it did.",
        )
    if isinstance(output, Tensor) and output.requires_grad:
        raise UserError(
            f"The model takes derivatives of what {place.new_path} gives, and the new function's show in other calls too.",
            "So this replacement can't be proven to change nothing else; find shows what it did.",
        )


def _check_kind(place: Changed, old: Any, new: Any) -> None:
    if isinstance(old, Tensor) and isinstance(new, Tensor) and (old.shape, old.dtype) != (new.shape, new.dtype):
        kinds = [f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in (old, new)]
        raise Unproven(f"{place.new_path}: gives {kinds[1]}, where {kinds[0]} was given before.")
