"""What may be exchanged for what: a non-linearity stood at each changed place, and an activation stands there now.

The runs of verify.py take what stands at a changed place for granted, whatever it gives; so it is looked at here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from whet.surgery import cuts
from whet.surgery.difference import Changed, Unproven
from whet.surgery.modules import HOOKS, is_own, module_at
from whet.surgery.operate import Operation
from whet.surgery.places import Place
from whet.surgery.pointwise import maps_each
from whet.surgery.stand_ins import WriteBack
from whet.surgery.watched import trail_of

_PLAIN = ("torch.nn.modules.module", "torch.nn.modules.container", "torch.nn.modules.activation")
"""Where torch keeps the classes that an activation may be, or be made of."""


def check_old(model: nn.Module, changed: Changed, places: list[Place]) -> None:
    """Raises Unproven unless one of these places of the model is the one that was changed."""
    if any(_is_at(model, place, changed) for place in places if place.path == changed.path):
        return
    where, kind = changed.path or "(model)", type(module_at(model, changed.path)).__name__
    if _is_layer(changed):
        raise Unproven(f"{where}: {kind} was exchanged or altered, and is no activation.")
    raise Unproven(f"{where}: {changed.child} stands where {kind} computes no activation.")


def _is_layer(changed: Changed) -> bool:
    return not changed.child or (changed.cut is not None and changed.cut.form == "whole")


def _is_at(model: nn.Module, place: Place, changed: Changed) -> bool:
    if _is_layer(changed) or place.site is None:
        return _is_layer(changed) and place.how == "module"
    if changed.cut is None:
        return Operation(model, place, nn.Identity()).attribute() == changed.child
    if changed.cut.form == "watched":
        return trail_of(place.site.steps) == changed.cut.trail
    if place.site.inside:
        return False
    span = cuts.shifted(place.site.span, -place.site.method.co_firstlineno)
    return (place.site.method.co_qualname, span) == (changed.cut.qualname, changed.cut.span)


def check_new(path: str, module: nn.Module, old: nn.Module | None) -> None:
    """Raises Unproven if a layer stands there that is no activation, or somebody listens who did not to the old one."""
    for name in HOOKS:
        before, now = (len(vars(m).get(name) or ()) if m else 0 for m in (old, module))
        if now > before:
            raise Unproven(f"{path}: has {now} {name.strip('_').replace('_', ' ')}, where there were {before}.")
    for part in _parts(module):
        if other := _other_layer(type(part)):
            raise Unproven(f"{path or '(model)'}: {other} stands there now, and is no activation.")


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """The module, or what a container holds."""
    if isinstance(module, WriteBack):
        yield from _parts(module.function)
    elif isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        for child in module.children():
            yield from _parts(child)
    else:
        yield module


def _other_layer(kind: type) -> str:
    """The name of torch's layer that this is, or is made from, if that is no activation; else ""."""
    for base in kind.__mro__:
        stranger = base.__module__.startswith("torch.nn.modules.") and base.__module__ not in _PLAIN
        if (stranger and base is not nn.Identity) or base is nn.MultiheadAttention:
            return base.__name__
    return ""


def check_not_linear(path: str, module: nn.Module, x: Tensor) -> None:
    """Raises Unproven for a linear map of many numbers, such as a layer of somebody's own, with an input like x."""
    if is_own(module) or type(module).__module__ in _PLAIN or not x.is_floating_point():
        return
    function = copy.deepcopy(module).eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        if maps_each(function, x) or not _is_linear(function, x):
            return
    raise Unproven(f"{path}: {type(module).__name__} is a linear map of its input, no activation.")


def _is_linear(function: nn.Module, x: Tensor) -> bool:
    """Whether f(a + b) - f(0) is f(a) - f(0) + f(b) - f(0), for a and b large enough for every bend."""
    torch.manual_seed(1)
    a, b = (4 * torch.randn(x.shape, dtype=x.dtype, device=x.device) for _ in range(2))
    whole, at_a, at_b, at_zero = (function(z) for z in (a + b, a.clone(), b.clone(), torch.zeros_like(a)))
    error = (whole + at_zero - at_a - at_b).abs().max()
    return bool(error <= 1e-3 * max(float(whole.abs().max()), float(at_zero.abs().max())))
