"""Several tensors as one: what a network gives, or what its loss is told, may be a tuple or a dict of tensors, or both.

    {"class": (n, 5), "box": (n, 2, 2)}  --joined-->  (n, 9)  --apart-->  the same dict

In between they are a tensor like any other: rows can be cut, shuffled, saved and sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Leaf:
    """A tensor with rows."""

    shape: tuple[int, ...]
    """Of one example."""
    kind: torch.dtype

    @property
    def size(self) -> int:
        return math.prod(self.shape)


Form = Any
"""A `Leaf`, or a tuple or a dict of forms. Where only the nest matters, None stands at each tensor."""


def leaves(found: Any) -> Iterator[Any]:
    """What a form, or a nest of tensors, holds in the end, in order."""
    if isinstance(found, Mapping):
        for one in found.values():
            yield from leaves(one)
    elif isinstance(found, tuple | list):
        for one in found:
            yield from leaves(one)
    else:
        yield found


def has_rows(found: Any, rows: int) -> bool:
    """Whether it holds tensors alone, at least one, and each has so many rows."""
    tensors = list(leaves(found))
    return bool(tensors) and all(isinstance(t, Tensor) and t.dim() > 0 and len(t) == rows for t in tensors)


def form_of(found: Any) -> Form:
    """The form of a nest of tensors with rows."""
    if isinstance(found, Mapping):
        return {name: form_of(one) for name, one in found.items()}
    if isinstance(found, tuple | list):
        return tuple(form_of(one) for one in found)
    return Leaf(tuple(found.shape[1:]), found.dtype)


def joined(found: Any) -> Tensor:
    """Side by side, (n, values): in float64 where whole numbers are among them, which it holds exactly up to 2^53."""
    tensors = [t.flatten(1) if t.dim() > 1 else t[:, None] for t in leaves(found)]
    if not all(t.is_floating_point() for t in tensors):
        tensors = [t.double() for t in tensors]
    return torch.cat(tensors, 1)


def apart(form: Form, values: Tensor) -> Any:
    """(n, values) in this form again; whole numbers and flags get their own kind back."""
    own = list(leaves(form))
    pieces = iter(values.split([leaf.size for leaf in own], 1))
    return filled(form, (_back(leaf, piece) for leaf, piece in zip(own, pieces, strict=True)))


def _back(leaf: Leaf, piece: Tensor) -> Tensor:
    found = piece.reshape(len(piece), *leaf.shape)
    if not leaf.kind.is_floating_point:
        return found.to(leaf.kind)
    return (
        found.to(leaf.kind) if found.dtype == torch.float64 else found
    )  # outputs keep the precision that they came in


def filled(form: Form, tensors: Iterator[Any]) -> Any:
    """The form with these tensors in it."""
    if isinstance(form, Mapping):
        return {name: filled(one, tensors) for name, one in form.items()}
    return tuple(filled(one, tensors) for one in form) if isinstance(form, tuple | list) else next(tensors)


def mapped(change: Callable[[Any], Any], found: Any) -> Any:
    """The same nest, with each of its tensors changed."""
    return filled(found, (change(one) for one in leaves(found)))


def nest_of(form: Form) -> Any:
    """The form as JSON: lists and dicts, with null at each tensor."""
    if isinstance(form, Mapping):
        return {name: nest_of(one) for name, one in form.items()}
    return [nest_of(one) for one in form] if isinstance(form, tuple | list) else None


def nest_from(said: Any) -> Form:
    """What `nest_of` wrote."""
    if isinstance(said, Mapping):
        return {name: nest_from(one) for name, one in said.items()}
    return tuple(nest_from(one) for one in said) if isinstance(said, list) else None
