"""Whether a layer or a function maps every number by itself: change one number of the input, and one of the output changes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from whet.surgery import frames, sample
from whet.surgery.events import Event
from whet.surgery.sample import key_of

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
        alone = copy.deepcopy(owner).eval()
        return maps_each(alone, given) and not _takes_more(alone, given)

    def is_function(self, event: Event) -> bool:
        """Whether the first function that the event's module called on the way maps each number by itself."""
        assert event.helper is not None
        key = (*event.helper.key, event.input is None)
        if key not in self._functions:
            helper, given = event.helper, event.input
            self._functions[key] = given is not None and maps_each(helper, given) and not _takes_more(helper, given)
        return self._functions[key]


class _Strangers(TorchDispatchMode):
    """Notices a kernel that is given memory which is neither known nor written here."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler here, to keep it out."""
        return False

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.known = {key_of(t): t for t in known}
        """By memory, kept alive so that no other tensor takes its place."""
        self.met = False

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        if function is not torch.ops.aten.lift_fresh.default:  # a number of the text, made a tensor
            self.met |= any(key_of(t) not in self.known for t in sample.tensors_in([args, kwargs or {}], 3))
        self.known.update((key_of(t), t) for t in sample.tensors_in(output, 3))
        return output


def _takes_more(function: Any, like: Tensor) -> bool:
    """Whether tensors from elsewhere take part: weights of other layers, however they are reached, would be lost with it.

    In evaluation a batch norm maps each number by itself too. What a layer without parts holds itself is no stranger.
    """
    module = getattr(function, "function", function)
    own: list[Tensor] = []
    if isinstance(module, nn.Module) and not any(True for _ in module.children()):
        own = [*module.parameters(), *module.buffers(), *(v for v in vars(module).values() if isinstance(v, Tensor))]
    x = like.detach().clone()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), _Strangers([x, *own]) as strangers:
            function(x)
    except Exception:  # it can't be told
        return True
    return strangers.met


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
