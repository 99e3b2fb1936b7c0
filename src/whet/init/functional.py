"""Activations that a model calls as functions become modules, so that they can be shaped like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from whet.activations import ACTIVATIONS
from whet.errors import WhetError
from whet.init.walk import Node
from whet.surgery import Changes, Place, find, replace_activations

Key = tuple[str, str]


class Call(nn.Module):
    """A function of one tensor, with the settings of one call."""

    def __init__(self, function: Callable[..., Tensor], args: tuple[Any, ...] = (), kwargs: Any = None) -> None:
        super().__init__()
        self.function, self.args, self.kwargs = function, args, dict(kwargs or {})

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.args, **self.kwargs)

    def extra_repr(self) -> str:
        settings = [*map(str, self.args), *(f"{k}={v}" for k, v in self.kwargs.items())]
        return ", ".join([getattr(self.function, "__name__", "function"), *settings])


def to_modules(model: nn.Module, nodes: list[Node], sample: Any) -> tuple[Changes | None, list[str]]:
    """Put a module in place of every activation that is called as a function, and say what could not be.

    The nodes are a walk of the model: they know with which settings the functions were called.
    """
    try:
        places = [p for p in find(model, sample) if p.role == "activation" and p.count > 0 and p.how != "module"]
        if not places:
            return None, []
        calls = {(n.owner, n.what): n.call for n in nodes if n.call is not None}
        table = {_same_as(place): _module_of(place, calls) for place in places}
        return replace_activations(model, table, sample=sample, inplace=True)[1], []
    except WhetError as error:
        return None, [str(error)]


def _same_as(place: Place) -> Callable[[Place], bool]:
    def same(other: Place) -> bool:
        return other == place and (other.site and other.site.key) == (place.site and place.site.key)

    return same


def _module_of(place: Place, calls: dict[Key, Any]) -> nn.Module:
    if (place.path, place.what) in calls:
        return Call(*calls[place.path, place.what])
    if place.what in ACTIVATIONS:
        entry = ACTIVATIONS[place.what]
        return entry.make(**entry.fill({}))
    assert place.site is not None
    return Call(place.site.function)
