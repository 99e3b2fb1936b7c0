"""From what a person asked for to a maker of modules: a name, a formula, a module, a factory, a callable."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from whet.activations import ACTIVATIONS
from whet.errors import UnknownName, UserError
from whet.recipe import Choice
from whet.surgery.places import Place

Given = str | Choice | nn.Module | type[nn.Module] | Callable[..., Any]


class Function(nn.Module):
    """A plain function of one tensor as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)

    def extra_repr(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))


@dataclass(frozen=True)
class Maker:
    """How to make the new activation for a place."""

    label: str
    make: Callable[[Place], nn.Module]


def maker_of(new: Given, per_channel: bool = False) -> Maker:
    """The maker for what a caller gave. UnknownName for a name that is none, UserError for what is no activation."""
    if isinstance(new, str):
        new = Choice(new)
    if isinstance(new, Choice):
        return _of_formula(new) if _is_formula(new.name) else _of_entry(new, per_channel)
    if isinstance(new, nn.Module):
        _check_module(new)
        return Maker(type(new).__name__, lambda place: copy.deepcopy(new))
    if isinstance(new, type) and issubclass(new, nn.Module):
        if _needs_argument(new):
            raise UserError(f"{new.__name__} can't be made without arguments.", "Give a function that makes it.")
        return Maker(new.__name__, lambda place: new())
    if callable(new):
        return _of_callable(new)
    raise UserError(
        f"{new!r} is no activation.",
        "Give a name, a formula, a Choice, a module, a function that makes one, or a function of a tensor.",
    )


def _check_module(new: nn.Module) -> None:
    if isinstance(new, torch.jit.ScriptModule):
        raise UserError(f"{new} is a TorchScript module, whose code is fixed.", "Give the module that it was made of.")
    if any(nn.parameter.is_lazy(p) for p in new.parameters()):
        raise UserError(f"{type(new).__name__} has no weights yet.", "Run it once, so that it sees its input.")


def maker(choice: Choice) -> Callable[[], nn.Module]:
    """A function that makes the activation of a recipe, the same for every place. See `needs_place`."""
    made = maker_of(choice).make
    return lambda: made(NOWHERE)


def needs_place(choice: Choice) -> bool:
    """Whether the activation can be made only where it is known how many channels it gets."""
    return not _is_formula(choice.name) and bool(getattr(ACTIVATIONS[choice.name], "needs_channels", False))


NOWHERE = Place("", "", "module", "activation", 0, None)


def _is_formula(text: str) -> bool:
    return not text.replace("_", "").replace("-", "").isalnum() and text not in ACTIVATIONS


def _of_formula(choice: Choice) -> Maker:
    from whet import activations

    learnable: Any = choice.params
    return Maker(str(choice), lambda place: activations.formula(choice.name, **learnable))


def _of_entry(choice: Choice, per_channel: bool) -> Maker:
    entry = ACTIVATIONS[choice.name]
    params = entry.fill(choice.params)
    if getattr(entry, "width", 1.0) != 1.0:
        raise UserError(
            f"{entry.name} changes the number of channels, so it can't stand where another activation stood.",
            "For gates use whet.surgery.make_gated, which doubles the layer in front.",
        )
    per_channel = per_channel and getattr(entry, "wants_channels", False)
    return Maker(str(choice), lambda place: _from_entry(entry, params, place, per_channel))


def _from_entry(entry: Any, params: dict[str, Any], place: Place, per_channel: bool) -> nn.Module:
    if per_channel or getattr(entry, "needs_channels", False):
        if place.shape is None:
            raise UserError(
                f"{entry.name} needs the number of channels at {place.where}, which this sample does not reach.",
                "Give a sample that reaches it, or leave the place out by where=.",
            )
        params = {**params, "channels": place.shape[place.channel_dim], "dim": place.channel_dim}
    elif entry.kind == "output" and place.role != "attention":  # attention normalises its last dimension, -1
        params = {**params, "dim": place.channel_dim}
    made: nn.Module = entry.make(**params)
    return made


def _of_callable(new: Callable[..., Any]) -> Maker:
    if _needs_argument(new):
        return Maker(getattr(new, "__name__", "function"), lambda place: Function(new))
    if not isinstance(new(), nn.Module):
        raise UserError(
            f"{new!r} makes {type(new()).__name__}, not a module.", "Return an nn.Module, or take a tensor."
        )
    return Maker(getattr(new, "__name__", "factory"), lambda place: new())


def _needs_argument(new: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(new).parameters.values()
    except (TypeError, ValueError):  # a function of torch: it takes a tensor
        return True
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two activations are of one kind: class, settings and the shapes of what they learn, not its values."""
    shapes = [{k: (v.shape, v.dtype) for k, v in m.state_dict().items()} for m in (a, b)]
    return type(a) is type(b) and repr(a) == repr(b) and shapes[0] == shapes[1]


def canonical(name: str) -> str:
    """The catalogue's own name for an alias; the name itself if the catalogue does not have it."""
    try:
        return ACTIVATIONS[name].name
    except UnknownName:
        return name


def name_of(module: nn.Module) -> str | None:
    """The name of the entry that made this module, or whose module with the defaults looks like it."""
    return getattr(module, "catalogue_name", None) or _by_looks().get(_looks(module))


def _looks(module: nn.Module) -> str:
    return re.sub(r"(channels|dim)=-?\d+", "", repr(module))


@lru_cache(maxsize=1)
def _by_looks() -> dict[str, str]:
    looks: dict[str, str] = {}
    for entry in reversed(list(ACTIVATIONS)):
        channels = {"channels": 4} if getattr(entry, "needs_channels", False) else {}
        looks[_looks(entry.make(**entry.defaults, **channels))] = entry.name
    return looks
