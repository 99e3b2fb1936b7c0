"""What a run computed, call by call, bit by bit."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from whet.surgery import frames, vocabulary
from whet.surgery.sample import tensors_in, whole_of

_FILLING = vocabulary.words("fill_ zero_ normal_ uniform_ bernoulli_ random_ exponential_ copy_ empty_like new_empty")
"""Calls that don't look at what their first argument holds."""
_EMPTY = vocabulary.words("empty empty_like new_empty empty_strided")
"""Calls whose result holds anything."""


@dataclass(frozen=True)
class Call:
    """One call of torch, or of a changed place."""

    path: str
    name: str
    inputs: tuple[str, ...]
    output: str | None
    """None for a changed place: its answer is meant to differ."""
    source: str = field(default="", compare=False)

    @property
    def where(self) -> str:
        return f"{self.path or '(model)'} ({self.source})" if self.source else self.path or "(model)"


class Recorder(TorchFunctionMode):
    """Writes down every call, except what is computed inside changed places."""

    def __init__(self, paths: Mapping[int, str]) -> None:
        super().__init__()
        self.paths = paths
        self.calls: list[Call] = []
        self.inside: list[bool] = []
        """For each call, whether it was made inside a changed place."""
        self.depth = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in ("__get__", "__set__") or isinstance(function, torch._ops.OpOverload):
            return function(*args, **kwargs)
        looked_at = args[1:] if name in _FILLING else args
        inputs = (*digests(looked_at), *digests(kwargs))
        output = function(*args, **kwargs)
        if next(tensors_in(output), None) is not None:
            given = "" if name in _EMPTY else " ".join(digests(output))
            caller = frames.caller_of(sys._getframe(1), self.paths)
            path = self.paths[id(caller.owner)] if caller else ""
            source = caller.steps[-1].source if caller else ""
            self.add(Call(path, name, inputs, given, source))
        return output

    def add(self, call: Call) -> None:
        """Note a call; `depth` says whether it is inside a changed place."""
        self.calls.append(call)
        self.inside.append(self.depth > 0)

    @property
    def outside(self) -> list[Call]:
        """The calls that were made outside of changed places, and those of the places themselves."""
        return [call for call, inside in zip(self.calls, self.inside, strict=True) if not inside]


def digests(value: Any) -> Iterator[str]:
    """Every tensor's content, and every plain value, in nested arguments, as short texts."""
    if isinstance(value, Tensor):
        yield digest(value)
    elif isinstance(value, Mapping):
        for key in value:
            yield from digests(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from digests(item)
    elif isinstance(value, set | frozenset):  # their order depends on where things lie in memory
        yield from sorted(text for item in value for text in digests(item))
    elif isinstance(value, bool | int | float | str | torch.dtype | torch.device | slice | type(None)):
        yield repr(value)
    else:
        yield type(value).__name__


def digest(tensor: Tensor) -> str:
    """Shape, type and content of a tensor as one short text; tensors of other layouts by shape and type only."""
    tensor = whole_of(tensor)
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.is_nested:
        return f"{tuple(tensor.shape) if not tensor.is_nested else 'nested'} {tensor.dtype} {tensor.layout}"
    with torch._C._DisableFuncTorch():  # inside grad or vmap too, plain memory
        flat = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1).view(torch.uint8)
        content = hashlib.blake2b(flat.numpy().tobytes(), digest_size=8).hexdigest()
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')} {content}"


def paths_of(modules: Mapping[str, nn.Module]) -> dict[int, str]:
    """Paths by identity, the first where a module has several."""
    paths: dict[int, str] = {}
    for path, module in modules.items():
        paths.setdefault(id(module), path)
    return paths
