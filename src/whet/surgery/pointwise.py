"""Whether a layer or a function maps every number by itself: change one number of the input, and one of the output changes."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from whet.surgery import frames, source
from whet.surgery.events import Event

_BUILT_FROM_PARTS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.Transformer, nn.Sequential)
"""Layers of torch whose activations stand in their own code, among other things."""
LARGEST = 1 << 16
"""Numbers of an input that is tried on; larger ones are taken as they are."""


class Pointwise:
    """Answers, each kept: the same layer is asked about at each of its calls."""

    def __init__(self, own: dict[str, nn.Module]) -> None:
        self._own = own
        """Layers of our own catalogue, by path: what happens inside belongs to them."""
        self._layers: dict[int, bool] = {}
        self._functions: dict[Any, bool] = {}

    def layer_of(self, event: Event) -> tuple[str, nn.Module] | None:
        """The layer, with its path, whose whole work this event is, or is part of; None if the layer does other things."""
        owner, path = event.owner, event.path
        if event.steps and frames.is_machinery(
            event.steps[0].code
        ):  # a hook's work, or a forward put on this one module
            return None
        outer = next((p for p in self._own if path == p or path.startswith(f"{p}.")), None)
        if outer is not None:
            return outer, self._own[outer]
        if id(owner) not in self._layers:
            self._layers[id(owner)] = self._is_unit(event)
        return (path, owner) if self._layers[id(owner)] else None

    def _is_unit(self, event: Event) -> bool:
        owner = event.owner
        if type(owner).__module__.startswith("torch.nn.modules."):
            return not isinstance(owner, _BUILT_FROM_PARTS)
        given = event.module_input if event.module_input is not None else event.input
        if any(True for _ in owner.children()) or given is None:
            return False
        return maps_each(copy.deepcopy(owner).eval(), given)

    def is_function(self, event: Event) -> bool:
        """Whether the first function that the event's module called on the way maps each number by itself."""
        assert event.helper is not None
        key = (*event.helper.key, event.input is None)
        if key not in self._functions:
            alone = event.input is not None and not _holds_weights(event.helper.function)
            self._functions[key] = alone and maps_each(event.helper, event.input)  # type: ignore[arg-type]
        return self._functions[key]


def _holds_weights(function: Any) -> bool:
    """Whether a function's closure holds a layer with weights: in evaluation a batch norm maps each number by itself too."""
    held = source.held_by(function) if isinstance(function, FunctionType) else []
    return any(True for m in held if isinstance(m, nn.Module) for _ in itertools.chain(m.parameters(), m.buffers()))


def maps_each(function: Callable[[Tensor], Any], like: Tensor) -> bool:
    """Whether `function` maps each number of a tensor of this shape by itself."""
    if not (like.is_floating_point() or like.is_complex()) or not like.numel():
        return False
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        x = (
            torch.randn(like.shape, dtype=like.dtype, device=like.device)
            if like.numel() <= LARGEST
            else like.detach().clone()
        )
        try:
            return all(_changes_alone(function, x, at) for at in {0, x.numel() // 2, x.numel() - 1})
        except Exception:  # it wants something else than one tensor of this shape: no such function
            return False


def _changes_alone(function: Callable[[Tensor], Any], x: Tensor, at: int) -> bool:
    other = x.clone()
    other.view(-1)[at] += 1.5
    a, b = function(x.clone()), function(other)
    if not isinstance(a, Tensor) or a.shape != x.shape:
        return False
    changed = (a != b).flatten()
    changed[at] = False
    return not bool(changed.any())
