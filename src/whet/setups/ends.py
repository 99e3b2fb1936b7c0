"""What a network computes right before its last function: found while it runs, whatever its code looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

JOINS = (torch.cat, torch.concat, torch.concatenate)


class _Last(TorchFunctionMode):
    """Remembers, for each result of a function of this name, the tensor that went in."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.before: list[tuple[Tensor, Tensor]] = []
        self.joined: list[tuple[Tensor, Sequence[Tensor], int]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if getattr(function, "__name__", "").rstrip("_") == self.name and isinstance(out, Tensor):
            self.before.append((out, args[0]))
        if function in JOINS and isinstance(out, Tensor):
            self.joined.append((out, *pieces_of(args, kwargs or {})))
        return out


def pieces_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Tensor], int]:
    """(what is joined, the dimension), by place or by name, as torch calls them or as NumPy does."""
    dims = [*args[1:2], *(kwargs[name] for name in ("dim", "axis") if name in kwargs), 0]
    return args[0] if args else kwargs["tensors"], dims[0]


def before_last(network: nn.Module, name: str, inputs: tuple[Tensor, ...]) -> Tensor:
    """The input of the function whose result is the network's, in another shape perhaps, or stands in it beside others; the
    result itself where that is another function's.

    The function must not work in place. In the graph of gradients what is not used costs nothing.
    """
    with _Last(name) as seen:
        said: Tensor = network(*inputs)
    for out, given in reversed(seen.before):
        if out is said:
            return given
        if is_view(said, out):
            return given.reshape(said.shape)
    given_of = {id(out): given for out, given in seen.before}
    for out, pieces, dim in reversed(seen.joined):
        if out is said and any(id(piece) in given_of for piece in pieces):
            return torch.cat([given_of.get(id(piece), piece) for piece in pieces], dim)
    return said


def is_view(said: Tensor, out: Tensor) -> bool:
    """Whether these are the same numbers in the same order."""
    alike = said.numel() == out.numel() and said.is_contiguous() and out.is_contiguous()
    return alike and said.data_ptr() == out.data_ptr()
