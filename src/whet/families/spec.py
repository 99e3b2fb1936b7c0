"""What a network has to take and to give, and the modules that the recipe chose for its inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class InputSpec:
    """Everything that a family is told beside its own parameters."""

    shape: tuple[int, ...]
    """(channels, height, width) of an image, (numeric columns,) of a table; of other fields, see their transforms."""
    outputs: int
    """Classes, or predicted values per row."""
    goal: str
    """"classify", "regress", …"""
    activation: Callable[[], nn.Module]
    """Makes a fresh activation for each place: it may have weights of its own."""
    norm: Callable[[int], nn.Module]
    """channels -> a normalisation for (B, C, H, W) if the shape is an image's, for (B, C) if it is a table's."""
    cardinalities: tuple[int, ...] = ()
    """Tables: the number of codes in each category column, "unseen" included."""
    bins: list[Any] | None = field(default=None, compare=False)
    """Tables: the edges of each numeric column's bins, for piecewise-linear embeddings; None: not measured."""
    domain: str = ""
    """The field's name; empty: an image or a table, as the shape says."""
    more: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What only this field's families ask for (a vocabulary's size, a horizon, …); its transform says what it is."""
    example: Callable[[], tuple[Any, ...]] | None = field(default=None, compare=False)
    """Two examples as the network takes them, from a fixed seed; None: standard normal numbers of the shape."""

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    @property
    def size(self) -> int:
        """The shorter side of an image, in pixels."""
        return min(self.shape[1:])

    @property
    def flat(self) -> int:
        """The numbers in one example once it is a vector: every pixel, or numeric columns and one per category."""
        total = sum(self.cardinalities)
        product = 1
        for side in self.shape:
            product *= side
        return product + total
