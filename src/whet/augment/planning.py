"""From the settings of a recipe to one callable: planned once, applied to every batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from whet.augment.colour import Shades, draw_tint, recolour
from whet.augment.grain import Grain, regrain
from whet.augment.holes import Holes, pierce
from whet.augment.moves import Moves, copy_pixels, draw_field, draw_motion, is_channels_last, warp
from whet.errors import RecipeError

Settings = Moves | Shades | Grain | Holes


@dataclass(frozen=True)
class Augmentation:
    """Moves, then colours, then blur and noise, then holes; what is all zero is left out."""

    size: tuple[int, int]
    """(height, width) of the images."""
    moves: Moves
    shades: Shades
    grain: Grain
    holes: Holes

    @property
    def is_identity(self) -> bool:
        return self.takes_uint8 and (self.moves, self.holes) == (Moves(), Holes())

    @property
    def takes_uint8(self) -> bool:
        """Whether bytes will do, at a quarter of the memory traffic: pixels are copied or filled, never computed with."""
        return self.moves.is_exact and (self.shades, self.grain) == (Shades(), Grain())

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """x (B, C, H, W), float in [0, 1] or, where `takes_uint8`, of any dtype; keeps dtype and memory format.

        The same generator state gives the same bits; x itself is not changed, and is returned when nothing is to do.
        """
        if not (x.is_floating_point() or self.takes_uint8):
            raise ValueError(f"this augmentation needs floats in [0, 1], not {x.dtype}; see takes_uint8")
        if tuple(x.shape[2:]) != self.size:
            raise ValueError(f"images are {tuple(x.shape[2:])}, planned for {self.size}")
        layout = torch.channels_last if is_channels_last(x) else torch.contiguous_format
        if self.moves != Moves():
            motion = draw_motion(self.moves, len(x), self.size, generator)
            field = draw_field(self.moves, len(x), self.size, generator)
            x = copy_pixels(x, motion) if self.moves.is_exact else warp(x, motion, field)
        if self.shades != Shades():
            x = recolour(x, draw_tint(self.shades, len(x), generator))
        if self.grain != Grain():
            x = regrain(x, self.grain, generator)
        x = pierce(x, self.holes, generator)
        return x.contiguous(memory_format=layout)  # the warp and the colours make rows


def combine(made: Sequence[Any], size: tuple[int, int]) -> Augmentation:
    """One augmentation from several settings: those of a kind are added field by field."""
    total: dict[type, Settings] = {kind: kind() for kind in (Moves, Shades, Grain, Holes)}
    for one in made:
        if type(one) not in total:
            raise RecipeError("An augmentation of sounds can't change images.", "See: whet list augmentations")
        total[type(one)] = add(total[type(one)], one)
    by_name: dict[str, Any] = {kind.__name__.lower(): settings for kind, settings in total.items()}
    return Augmentation(size, **by_name)


def add(a: Settings, b: Settings) -> Settings:
    """The settings with every range of b added to that of a."""
    changes = {f.name: getattr(a, f.name) + getattr(b, f.name) for f in dataclasses.fields(a)}
    return dataclasses.replace(a, **changes)
