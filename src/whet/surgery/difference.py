"""Where two models differ in structure: which layers were swapped, which functions exchanged, which code rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import WhetError
from whet.surgery.cuts import Cut, remade
from whet.surgery.modules import HOOKS, every_module


class Unproven(WhetError):
    """Something else than the replaced activations differs; the message names the place."""


@dataclass(frozen=True)
class Changed:
    """One place where the new model has something else."""

    path: str
    """Of the module that was swapped, or of the owner whose code or function was."""
    child: str = ""
    """The owner's child that stands there now; "" for a swapped layer."""
    cut: Cut | None = None
    turn: int = 0
    """Which of a guard's functions it is."""
    called: Any = None
    """The function that a guarded expression calls when it means this place."""

    @property
    def new_path(self) -> str:
        """Where the new function is in the new model."""
        return ".".join(filter(None, (self.path, self.child)))


def changed_places(model: nn.Module, new: nn.Module) -> list[Changed]:
    """Every structural difference. Raises Unproven if a layer is missing."""
    after = dict(every_module(new))
    found: list[Changed] = []
    for path, module in every_module(model):
        if any(path.startswith(f"{c.path}.") for c in found if not c.child):
            continue
        if path not in after:
            raise Unproven(f"{path or '(model)'}: the layer is missing in the new model.")
        found += _compared(path, module, after[path])
    return found


def _compared(path: str, old: nn.Module, new: nn.Module) -> Iterator[Changed]:
    extra = _new_cuts(type(old), type(new))
    if extra is None or (not extra and not any(True for _ in old.children()) and repr(old) != repr(new)):
        yield Changed(path)
        return
    for cut in extra:
        called = getattr(new, cut.child).called if cut.form == "guarded" else [None]
        yield from (Changed(path, cut.child, cut, turn, function) for turn, function in enumerate(called))
    yield from (Changed(path, name) for name, value in vars(old).items() if callable(value) and name in new._modules)


def _new_cuts(old: type, new: type) -> list[Cut] | None:
    """The cuts that the new class has beyond the old one; None if it is another class, or none that these cuts make."""
    (plain, had), (new_plain, has) = _origin(old), _origin(new)
    if new_plain is not plain or has[: len(had)] != had or remade(plain, has) is not new:
        return None
    return [cut for cuts in has[len(had) :] for cut in cuts]


def _origin(kind: type) -> tuple[type, tuple[Any, ...]]:
    """The class before any cut, and the cuts."""
    own = vars(kind)
    return own.get("_whet_plain", kind), own.get("_whet_cuts", ())


def check_state(model: nn.Module, new: nn.Module, changed: list[Changed]) -> None:
    """Raises Unproven unless parameters, buffers, ties and modes are the same in all that was not changed."""
    swapped = [c.path for c in changed if not c.child]
    tables = ((dict(m.named_parameters(remove_duplicate=False)), dict(m.named_buffers())) for m in (model, new))
    (parameters, buffers), (new_parameters, new_buffers) = tables
    for name, old in {**parameters, **buffers}.items():
        if any(name.startswith(f"{path}.") or path == "" for path in swapped):
            continue
        other = {**new_parameters, **new_buffers}.get(name)
        if other is None or not _alike(old, other):
            raise Unproven(f"{name}: {'missing in the new model' if other is None else 'differs in the new model'}.")
    names = new.state_dict().keys()
    for name in model.state_dict():
        if name not in names and not any(name.startswith(f"{path}.") or path == "" for path in swapped):
            raise Unproven(f"{name}: missing in the new model's state dict.")
    _check_nothing_new({**new_parameters, **new_buffers}.keys() - {**parameters, **buffers}.keys(), changed)
    _check_ties(parameters, new_parameters)
    _check_layers(model, new)


def _alike(a: Tensor, b: Tensor) -> bool:
    same_kind = (a.shape, a.dtype, a.device, a.requires_grad) == (b.shape, b.dtype, b.device, b.requires_grad)
    return same_kind and (a.is_meta or torch.equal(a.detach().nan_to_num(), b.detach().nan_to_num()))


def _check_ties(old: dict[str, Any], new: dict[str, Any]) -> None:
    first: dict[int, str] = {}
    for name, parameter in old.items():
        partner = first.setdefault(id(parameter), name)
        if name in new and partner in new and new[name] is not new[partner]:
            raise Unproven(f"{name}: is tied to {partner} in the model, and is not in the new one.")


def _check_nothing_new(names: Iterable[str], changed: list[Changed]) -> None:
    for name in sorted(names):
        if not any(name.startswith(f"{place.new_path}.") or not place.new_path for place in changed):
            raise Unproven(f"{name}: is not in the model, and belongs to no new activation.")


def _check_layers(model: nn.Module, new: nn.Module) -> None:
    after = dict(every_module(new))
    for path, module in every_module(model):
        if path in after:
            _check_layer(path or "(model)", module, after[path])


def _check_layer(where: str, old: nn.Module, new: nn.Module) -> None:
    if new.training != old.training:
        raise Unproven(f"{where}: is in {'training' if old.training else 'evaluation'}, the new one is not.")
    for name in HOOKS:
        before, now = (len(vars(m).get(name) or ()) for m in (old, new))
        unseen = now > before and "backward" in name  # what a forward hook changes shows in the runs
        if now < before or unseen:
            raise Unproven(f"{where}: has {before} {name.strip('_').replace('_', ' ')}, the new one has {now}.")
