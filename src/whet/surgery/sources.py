"""Which layer with weights made a tensor, and how many calls read it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from whet.surgery import sample, vocabulary

SHAPES = vocabulary.words(
    "size dim ndimension numel stride is_contiguous is_floating_point __len__ type_as untyped_storage data_ptr"
)
"""Calls that do not look at a tensor's numbers."""


class Sources:
    """Which layer with weights made a tensor, and how many calls read it."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Tensor, str]] = {}
        self._results: dict[str, list[int]] = {}
        self._uses: dict[int, int] = {}

    def made(self, path: str, output: Any) -> None:
        """This layer has given this result."""
        if isinstance(output, Tensor):
            self._made[id(output)] = (output, path)
            self._results.setdefault(path, []).append(id(output))

    def used(self, given: Any, function: Any) -> None:
        """A call was given these."""
        if getattr(function, "__name__", "") not in SHAPES:
            for tensor in sample.tensors_in(given):
                if id(tensor) in self._made:
                    self._uses[id(tensor)] = self._uses.get(id(tensor), 0) + 1

    def of(self, tensor: Tensor | None) -> str:
        """The path of the layer that made this tensor; "" for none."""
        return self._made[id(tensor)][1] if id(tensor) in self._made else ""

    def only(self, path: str) -> str:
        """The path, if each result of that layer was read by one call."""
        return path if all(self._uses.get(result, 0) == 1 for result in self._results.get(path, ())) else ""
