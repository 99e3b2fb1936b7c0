"""The catalogue: every method whet knows is an entry, and every entry meets the contract tests by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from whet.errors import RecipeError, UnknownName, did_you_mean, nearest, shown

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One method: how to make it, and what a person wants to know before choosing it."""

    name: str
    make: Callable[..., T]
    summary: str
    """One sentence: what it does."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Every parameter that a recipe may set, with its default."""
    domains: tuple[str, ...] = ("any",)
    """Where it makes sense: "image", "table", or "any"."""
    paper: str = ""
    cost: str = ""
    hurts_when: str = ""
    aliases: tuple[str, ...] = ()
    open: bool = False
    """Whether it takes parameters that nobody here knows: arguments of a function of the user's own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "defaults", MappingProxyType(dict(self.defaults)))

    def fill(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """`params` over the defaults. Raises RecipeError for a parameter that this method doesn't have, or of another kind."""
        for key, value in params.items():
            if key not in self.defaults and self.open:
                continue
            if key not in self.defaults:
                raise RecipeError(
                    f"{self.name} has no parameter {key!r} (value {shown(value)}).",
                    did_you_mean(nearest(key, self.defaults), sorted(self.defaults))
                    if self.defaults
                    else "It has none.",
                )
            if _is_number(self.defaults[key]) and not _is_number(value):
                raise RecipeError(
                    f"{self.name}.{key}={shown(value)} is not a number.", f"The default is {shown(self.defaults[key])}."
                )
            if isinstance(self.defaults[key], bool) and not _is_flag(value):
                raise RecipeError(
                    f"{self.name}.{key}={shown(value)} is neither true nor false.",
                    f"The default is {shown(self.defaults[key])}.",
                )
            if _is_whole(self.defaults[key]) and not _is_whole(value):
                raise RecipeError(
                    f"{self.name}.{key}={shown(value)} is not a whole number.",
                    f"The default is {shown(self.defaults[key])}.",
                )
        return {**self.defaults, **params}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, int) and value in (0, 1)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Catalogue(Generic[T]):
    """The entries of one kind, by name and alias.

    >>> shapes = Catalogue("shape", [Entry("square", lambda: 4, "Four sides."), Entry("circle", lambda: 0, "None.")])
    >>> shapes["square"].make()
    4
    """

    def __init__(self, kind: str, entries: list[Entry[T]]) -> None:
        self.kind = kind
        self._entries: dict[str, Entry[T]] = {}
        self._names: dict[str, str] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry[T]) -> Entry[T]:
        """Add an entry. A name or alias that is already taken is a mistake of ours."""
        for name in (entry.name, *entry.aliases):
            assert name not in self._names, f"two {self.kind} entries are named {name!r}"
            self._names[name] = entry.name
        self._entries[entry.name] = entry
        return entry

    def __getitem__(self, name: str) -> Entry[T]:
        if name not in self._names:
            raise UnknownName(self.kind, name, self._names)
        return self._entries[self._names[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, without aliases, in the order in which they were added."""
        return tuple(self._entries)
