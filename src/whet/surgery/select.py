"""Which places are meant: by a name, a pattern, a class, a part they play, a stage, or any question asked of a place."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from torch import nn

from whet.errors import UnknownName, UserError
from whet.surgery import catalogue, vocabulary
from whet.surgery.modules import module_at
from whet.surgery.places import Place, Role

Where = None | str | int | type[nn.Module] | Callable[[Place], bool] | Sequence[Any]
ROLES: tuple[str, ...] = get_args(Role)


def chosen(places: Sequence[Place], where: Where, model: nn.Module) -> list[Place]:
    """The places that `where` means; UserError if it means none.

    None: all that play the part "activation"; where there is none of those, the model's own outputs. "relu": of that
    name (not in fused recurrent kernels). "gate": of that role. "layer1", "blocks.*": of modules with
    that path, or inside. 2: of that stage. A module class: layers of that class. A function: for which it is true. A
    list: any of these.
    """
    if where is None:
        found = [p for p in places if p.role == "activation"]
        found = found or [p for p in places if p.role == "output" and p.how != "kernel"]
    else:
        found = [p for p in places if _means(where, p, model)]
    if not found:
        _complain(places, where)
    for one in where if isinstance(where, list | tuple) else ():
        if isinstance(one, str) and not any(_means_text(one, p) for p in places):
            _complain(places, one)
    return found


def _complain(places: Sequence[Place], where: Where) -> None:
    if not places:
        raise UserError(
            "The model computes no activation on this sample, only linear maps, products, pooling or sorting.",
            "Give another model or sample.",
        )
    if where is None:
        kinds = ", ".join(sorted({f"{p.what} ({p.role})" for p in places}))
        raise UserError(f"The model has no activation, only {kinds}.", _way_to(places[0]))
    if isinstance(where, str) and (passed := [p for p in places if _is_named(where, p)]):
        known = f"{passed[0].path or 'the model itself'} computes {passed[0].what} ({passed[0].role})"
        raise UserError(f"where={where!r} means activations, and {known}.", _way_to(passed[0]))
    if isinstance(where, str):
        raise UnknownName(
            "place, activation or role", where, {n for p in places for n in (p.path, p.what, p.role) if n}
        )
    raise UserError(
        f"where={where!r} means none of the {len(places)} places.", "whet.surgery.find(model, sample) lists them."
    )


def _way_to(place: Place) -> str:
    """How to say that this place is meant."""
    if place.role == "recurrent":
        return "whet.surgery.replace_cells makes recurrent layers with other functions."
    meant = place.what if _means_text(place.what, place) else place.role
    return f"Say which of them you mean, for example where={meant!r}."


def _means(where: Any, place: Place, model: nn.Module) -> bool:
    if isinstance(where, str):
        return _means_text(where, place)
    if isinstance(where, bool):
        return where
    if isinstance(where, int):
        return place.stage == where and place.role == "activation"
    if isinstance(where, type):
        return place.how == "module" and isinstance(module_at(model, place.path), where)
    if isinstance(where, Sequence):
        return any(_means(w, place, model) for w in where)
    if callable(where):
        return bool(where(place))
    raise UserError(
        f"where={where!r} is no choice of places.", "Give a name, a pattern, a stage, a class, or a function."
    )


def _means_text(where: str, place: Place) -> bool:
    if where in ROLES:
        return place.role == where
    if place.what in (where, catalogue.canonical(where)):
        return place.role in ("activation", "gate", "output", "attention") or place.what in vocabulary.ARITHMETIC
    inside = place.path == where or place.path.startswith(where + ".")
    return place.role == "activation" and (inside or (where != "" and fnmatch.fnmatchcase(place.path, where)))


def _is_named(where: str, place: Place) -> bool:
    """Whether that is what the place is called, or where it is, whatever its role."""
    return where in (place.what, place.path) or catalogue.canonical(where) == place.what


def by_pattern(places: Sequence[Place], table: Mapping[Any, Any], model: nn.Module) -> list[tuple[Place, Any]]:
    """For {pattern: new}: each place with the first pattern's value that means it."""
    if not table:
        raise UserError("The table of replacements is empty.", "For example: {'relu': 'gelu'}.")
    pairs: list[tuple[Place, Any]] = []
    for where, new in table.items():
        taken = {id(p) for p, _ in pairs}
        pairs += [(p, new) for p in chosen(places, where, model) if id(p) not in taken]
    return pairs
