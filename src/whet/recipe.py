"""A Recipe is every training choice as plain frozen data; an Edit turns one recipe into another."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from whet.errors import RecipeError, did_you_mean, nearest

Plain = str | int | float | bool | tuple["Plain", ...]
"""What a recipe may hold: it must survive TOML and JSON unchanged."""


@dataclass(frozen=True)
class Choice:
    """A method by its catalogue name, with the parameters that differ from its defaults.

    >>> Choice("sgd", lr=0.1, momentum=0.9)
    Choice('sgd', lr=0.1, momentum=0.9)
    """

    name: str
    params: Mapping[str, Plain] = field(default_factory=dict)

    def __init__(self, name: str, params: Mapping[str, Any] | None = None, **more: Any) -> None:
        object.__setattr__(self, "name", name)
        plain = {k: as_plain(v, f"{name}.{k}") for k, v in sorted({**(params or {}), **more}.items())}
        object.__setattr__(self, "params", MappingProxyType(plain))

    def __repr__(self) -> str:
        return f"Choice({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self.params.items())])})"

    def __str__(self) -> str:
        return self.name + (f"({', '.join(f'{k}={show(v)}' for k, v in self.params.items())})" if self.params else "")

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.params.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return Choice, (self.name, dict(self.params))

    @classmethod
    def parse(cls, text: str) -> Choice:
        """The choice that a person writes: "relu", "leaky_relu(slope=0.2)", or a formula. Raises RecipeError.

        >>> Choice.parse("leaky_relu(slope=0.2)")
        Choice('leaky_relu', slope=0.2)
        """
        found = re.fullmatch(r"\s*([A-Za-z]\w*)\(\s*(\w+\s*=.*)\)\s*", text)
        if not found:
            return cls(text.strip())
        try:
            return cls(found[1], tomllib.loads(f"params = {{{found[2]}}}")["params"])
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{text!r} can't be read: {error}.", "Write name(parameter=value, …).") from error

    def but(self, **params: Any) -> Choice:
        """The same method with some parameters changed."""
        return Choice(self.name, {**self.params, **params})


@dataclass(frozen=True)
class Edit:
    """One change to a recipe: where, from what, to what, and why.

    `path` names a field ("batch_size"), or a parameter of a choice ("optimizer.lr", "regularise.ema.decay").
    """

    path: str
    old: Any
    new: Any
    because: str = ""

    def __str__(self) -> str:
        why = f"  ({self.because})" if self.because else ""
        return f"{self.path}: {show(self.old)} -> {show(self.new)}{why}"


OWN = "own"
"""Of an activation, an initialisation or a norm: what the network was written with. Ours have ReLU, torch's own
initial weights and batch normalisation."""


@dataclass(frozen=True)
class Recipe:
    """Every choice that decides how a network is trained. Nothing in it is a live object.

    Defaults are what a person writes who thinks about nothing: they are the reference of `diff`.
    """

    family: Choice = Choice("linear")
    """The network, from `whet.families`; width and depth are its parameters."""
    activation: Choice = Choice(OWN)
    """An activation by name, a formula such as "x * sigmoid(a * x)", or "stages" with one of these for each stage."""
    init: Choice = Choice(OWN)
    norm: Choice = Choice(OWN)
    loss: Choice = Choice("auto")
    """"auto": cross-entropy for classes, mean squared error for values."""
    optimizer: Choice = Choice("adamw")
    schedule: Choice = Choice("constant")
    regularise: tuple[Choice, ...] = ()
    augment: tuple[Choice, ...] = ()
    batch_size: int = 128
    """Rows per step."""
    steps: int = 0
    """Optimiser steps in all; 0: as many as the time allows."""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, _typed(f.name, getattr(self, f.name)))
        for name, least in (("batch_size", 1), ("steps", 0)):
            if getattr(self, name) < least:
                raise RecipeError(f"{name}={getattr(self, name)} is too small.", f"Use {least} or more.")

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionaries and lists, the same for TOML and JSON."""
        return {f.name: _untyped(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """The recipe written by `to_dict`. A field that no recipe has raises RecipeError with the nearest names."""
        known = [f.name for f in dataclasses.fields(cls)]
        for key in data:
            if key not in known:
                raise RecipeError(f"A recipe has no field {key!r}.", did_you_mean(nearest(key, known), known))
        return cls(**data)

    def to_json(self) -> str:
        """One line of JSON with sorted keys: the text that `hash` is made of."""
        return json.dumps(self.to_dict(), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        return cls.from_dict(json.loads(text))

    def to_toml(self) -> str:
        """The recipe as a person reads and edits it."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"The recipe is not valid TOML: {error}.", "Compare it with a recipe.toml.") from error

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this recipe on every machine."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def apply(self, *edits: Edit) -> Recipe:
        """The recipe after these edits. Raises RecipeError where an edit's old value is not the one here."""
        recipe = self
        for edit in edits:
            seen = recipe[edit.path]
            if seen != as_plain_or_choice(edit.old):
                raise RecipeError(f"{edit.path} is {show(seen)}, not {show(edit.old)} as the edit expects.")
            recipe = recipe.put(edit.path, edit.new)
        return recipe

    def __getitem__(self, path: str) -> Any:
        """The value at a path such as "batch_size", "optimizer", "optimizer.lr" or "regularise.ema"; None if unset."""
        head, *rest = path.split(".")
        value = getattr(self, self._field(head))
        if isinstance(value, tuple) and rest:
            value, rest = _find(value, rest[0]), rest[1:]
        if rest and isinstance(value, Choice):
            return value.params.get(rest[0])
        return value

    def put(self, path: str, new: Any) -> Recipe:
        """The recipe with another value at a path; None takes a parameter or a listed choice away."""
        head, *rest = path.split(".")
        value = getattr(self, self._field(head))
        if not rest:
            return self._with(head, new)
        if isinstance(value, tuple):
            name, *inner = rest
            old = _find(value, name)
            chosen = _put_param(old or Choice(name), inner[0], new) if inner else new
            kept = tuple(chosen if c is old else c for c in value) if old else (*value, chosen)
            return self._with(head, tuple(c for c in kept if c is not None))
        return self._with(head, _put_param(value, rest[0], new))

    def diff(self, other: Recipe) -> tuple[Edit, ...]:
        """The edits that turn this recipe into `other`, in the order of the fields; empty when they are equal."""
        return tuple(edit for f in dataclasses.fields(self) for edit in _edits(f.name, self, other))

    def _with(self, name: str, value: Any) -> Recipe:
        changed: dict[str, Any] = {name: value}
        return dataclasses.replace(self, **changed)

    def _field(self, name: str) -> str:
        known = [f.name for f in dataclasses.fields(self)]
        if name not in known:
            raise RecipeError(f"A recipe has no field {name!r}.", did_you_mean(nearest(name, known), known))
        return name


def show(value: Any) -> str:
    """A value as a person writes it: short floats, lists for tuples, "-" for nothing."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(show(v) for v in value) + "]"
    return str(value)


def as_plain(value: Any, where: str) -> Plain:
    """`value` with lists as tuples. Raises RecipeError for what TOML and JSON can't both hold."""
    if isinstance(value, list | tuple):
        return tuple(as_plain(v, where) for v in value)
    if isinstance(value, bool | str | int) or (isinstance(value, float) and abs(value) < float("inf")):
        return value
    raise RecipeError(f"{where}={value!r} can't stand in a recipe.", "Use text, finite numbers, booleans or lists.")


def as_plain_or_choice(value: Any) -> Any:
    return value if value is None or isinstance(value, Choice) or _has_choice(value) else as_plain(value, "edit")


def _has_choice(value: Any) -> bool:
    return isinstance(value, tuple) and any(isinstance(v, Choice) for v in value)


_LISTS = ("regularise", "augment")
_NUMBERS = ("batch_size", "steps")


def _typed(name: str, value: Any) -> Any:
    """What a field holds, from what a file or a caller gave."""
    if name in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int):
            raise RecipeError(f"{name}={value!r} is not a whole number.")
        return value
    if name in _LISTS:
        if isinstance(value, str | Mapping | Choice):
            raise RecipeError(f"{name}={value!r} is not a list.", f"Write {name} = [...] with one item per method.")
        return tuple(_choice(name, v) for v in value)
    return _choice(name, value)


def _choice(field_name: str, value: Any) -> Choice:
    if isinstance(value, Choice):
        return value
    if isinstance(value, str):
        return Choice(value)
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return Choice(value["name"], {k: v for k, v in value.items() if k != "name"})
    raise RecipeError(f"{field_name}={value!r} names no method.", 'Write a name, or { name = "…", parameter = … }.')


def _untyped(value: Any) -> Any:
    if isinstance(value, Choice):
        return {"name": value.name, **{k: _untyped(v) for k, v in value.params.items()}}
    return [_untyped(v) for v in value] if isinstance(value, tuple) else value


def _find(choices: tuple[Choice, ...], name: str) -> Choice | None:
    return next((c for c in choices if c.name == name), None)


def _put_param(choice: Choice, key: str, new: Any) -> Choice:
    params = {k: v for k, v in choice.params.items() if k != key}
    return Choice(choice.name, params if new is None else {**params, key: new})


def _edits(name: str, old: Recipe, new: Recipe) -> Iterator[Edit]:
    a, b = getattr(old, name), getattr(new, name)
    if name in _LISTS:
        ordered = [*a, *(c for c in b if _find(a, c.name) is None)]
        for c in ordered:
            yield from _choice_edits(f"{name}.{c.name}", _find(a, c.name), _find(b, c.name))
    elif isinstance(a, Choice):
        yield from _choice_edits(name, a, cast(Choice, b))
    elif a != b:
        yield Edit(name, a, b)


def _choice_edits(path: str, a: Choice | None, b: Choice | None) -> Iterator[Edit]:
    if a is None or b is None or a.name != b.name:
        if a != b:
            yield Edit(path, a, b)
        return
    for key in sorted({*a.params, *b.params}):
        if a.params.get(key) != b.params.get(key):
            yield Edit(f"{path}.{key}", a.params.get(key), b.params.get(key))
