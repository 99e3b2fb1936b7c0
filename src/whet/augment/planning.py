"""From the settings of a recipe to one callable: planned once, applied to every batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Generator, Tensor

from whet.augment.colour import Shades, draw_tint, recolour
from whet.augment.holes import Holes, cut_out, draw_centres
from whet.augment.moves import Moves, copy_pixels, draw_motion, warp
from whet.errors import RecipeError

Settings = Moves | Shades | Holes


@dataclass(frozen=True)
class Augmentation:
    """Moves, then colours, then holes; what is all zero is left out."""

    size: tuple[int, int]
    """(height, width) of the images."""
    moves: Moves
    shades: Shades
    holes: Holes

    @property
    def is_identity(self) -> bool:
        return (self.moves, self.shades, self.holes) == (Moves(), Shades(), Holes())

    @property
    def takes_uint8(self) -> bool:
        """Whether bytes will do, at a quarter of the memory traffic: no interpolation and no colours."""
        return self.moves.is_exact and self.shades == Shades()

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """x (B, C, H, W), float in [0, 1] or, where `takes_uint8`, of any dtype; keeps dtype and memory format.

        The same generator state gives the same bits; x itself is not changed, and is returned when nothing is to do.
        """
        if not (x.is_floating_point() or self.takes_uint8):
            raise ValueError(f"this augmentation needs floats in [0, 1], not {x.dtype}; see takes_uint8")
        if tuple(x.shape[2:]) != self.size:
            raise ValueError(f"images are {tuple(x.shape[2:])}, planned for {self.size}")
        if self.moves != Moves():
            motion = draw_motion(self.moves, len(x), self.size, generator)
            x = copy_pixels(x, motion) if self.moves.is_exact else warp(x, motion)
        if self.shades != Shades():
            x = recolour(x, draw_tint(self.shades, len(x), generator))
        if side := round(self.holes.share * min(self.size)):
            x = cut_out(x, draw_centres(len(x), self.size, generator), side)
        return x


def combine(made: Sequence[Any], size: tuple[int, int]) -> Augmentation:
    """One augmentation from several settings: those of a kind are added field by field."""
    total: dict[type, Settings] = {kind: kind() for kind in (Moves, Shades, Holes)}
    for one in made:
        if type(one) not in total:
            raise RecipeError("An augmentation of sounds can't change images.", "See: whet list augmentations")
        total[type(one)] = add(total[type(one)], one)
    moves, shades, holes = (total[kind] for kind in (Moves, Shades, Holes))
    if not (isinstance(moves, Moves) and isinstance(shades, Shades) and isinstance(holes, Holes)):
        raise RecipeError("An augmentation is of no known kind.")
    return Augmentation(size, moves, shades, holes)


def add(a: Settings, b: Settings) -> Settings:
    """The settings with every range of b added to that of a."""
    changes = {f.name: getattr(a, f.name) + getattr(b, f.name) for f in dataclasses.fields(a)}
    return dataclasses.replace(a, **changes)
