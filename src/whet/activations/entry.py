"""What the catalogue knows of one activation, beyond what every entry says."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from torch import nn

from whet.activations.formula import Formula, check_place
from whet.entry import Catalogue, Entry
from whet.errors import RecipeError, shown

Kind = Literal["fixed", "learned", "dynamic", "gated", "output"]
KINDS: tuple[Kind, ...] = ("fixed", "learned", "dynamic", "gated", "output")


@dataclass(frozen=True)
class Activation(Entry[nn.Module]):
    """One activation: `make(**fill(params))` gives a fresh module of the input's shape, unless `width` says otherwise."""

    formula: str = ""
    """f(x) in the grammar of `whet.activations.formula`, with the names of `defaults`; "" where one number in, one number
    out does not say it."""
    spell: Callable[..., tuple[str, dict[str, float]]] | None = None
    """(formula, its parameters' values) from the entry's own parameters, where these are not simply the formula's."""
    kind: Kind = "fixed"
    """fixed: nothing is learned. learned: the function's parameters are. dynamic: they depend on the example. gated: one
    part of the channels decides how much of another passes. output: turns scores into probabilities."""
    year: int = 0
    """Of its first paper; 0 where there is none."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Sensible values of its parameters, ends included: {name: (least, most)}."""
    spellings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What torch's own words for a parameter's values mean here: {name: {word: value}}."""
    wants_channels: bool = False
    """`make` takes `channels=`, their number, for parameters per channel, and `dim=`, where they are (1 if not given)."""
    needs_channels: bool = False
    """… and can't be made without."""
    wants_dim: bool = False
    """`make` takes `dim=`, the dimension along which it works (-1 if not given)."""
    width: float = 1.0
    """Channels out per channel in, with the default parameters."""
    elementwise: bool = True
    """Each number is mapped by itself."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "ranges", MappingProxyType(dict(self.ranges)))
        object.__setattr__(self, "spellings", MappingProxyType(dict(self.spellings)))
        object.__setattr__(self, "make", _signed(self.make, self.name))

    @property
    def gates(self) -> bool:
        """Whether fewer channels come out than go in: the layer in front has to be 1 / `width` times as wide."""
        return self.width < 1

    def fill(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """`params` over the defaults. Raises RecipeError also for a value out of its range."""
        filled = super().fill({name: self._meant(name, value) for name, value in params.items()})
        for name, (least, most) in self.ranges.items():
            if not least <= filled[name] <= most:
                raise RecipeError(
                    f"{self.name}.{name}={shown(filled[name])} is outside {least:g} to {most:g}.",
                    f"The default is {shown(self.defaults[name])}.",
                )
        return filled

    def _meant(self, name: str, value: Any) -> Any:
        return self.spellings.get(name, {}).get(value, value) if isinstance(value, str) else value

    def spelled(self, filled: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
        """The formula, and the value of each parameter in it; with filled parameters of this entry."""
        return self.spell(**filled) if self.spell else (self.formula, dict(filled))

    def placed(self, channels: int | None, dim: int | None) -> dict[str, int | None]:
        """What `make` wants to know of the place: nothing, the dimension, or the channels as well.

        Raises RecipeError for what is neither.
        """
        check_place(channels, dim)
        where = {} if dim is None else {"dim": dim}
        if self.wants_channels:
            return {"channels": channels, **where}
        return dict(where) if self.wants_dim else {}


class Activations(Catalogue[nn.Module]):
    """The catalogue, whose entries are known to be activations. `unlisted` are known by name only: others' settings."""

    def __init__(self, kind: str, entries: list[Entry[nn.Module]], unlisted: list[Activation]) -> None:
        super().__init__(kind, entries)
        self._unlisted = {entry.name: entry for entry in unlisted}

    def __contains__(self, name: object) -> bool:
        return name in self._unlisted or super().__contains__(name)

    def __getitem__(self, name: str) -> Activation:
        if name in self._unlisted:
            return self._unlisted[name]
        entry = super().__getitem__(name)
        assert isinstance(entry, Activation)
        return entry

    def __iter__(self) -> Iterator[Activation]:
        return (self[name] for name in self.names)


def _signed(make: Callable[..., nn.Module], name: str) -> Callable[..., nn.Module]:
    """A maker whose modules know the entry that they came from: surgery calls them by its name, whatever they are inside."""

    @functools.wraps(make)
    def signed(*args: Any, **params: Any) -> nn.Module:
        made = make(*args, **params)
        made.catalogue_name = name  # type: ignore[assignment]
        return made

    return signed


def of_formula(formula: str) -> Callable[..., nn.Module]:
    """A maker for a formula whose parameters stay as they are."""
    return lambda **params: Formula(formula, fix=params)


def of_learned(formula: str) -> Callable[..., nn.Module]:
    """A maker for a formula whose parameters are learned, one set for the layer or one per channel."""
    return lambda channels=None, dim=1, **params: Formula(formula, learn=params, channels=channels, dim=dim)
