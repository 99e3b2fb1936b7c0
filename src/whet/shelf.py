"""Every catalogue by the word that `whet list` takes, and the activations that have the facts one asks for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from whet.entry import Catalogue
from whet.errors import UnknownName, UserError

if TYPE_CHECKING:
    from whet.activations import Activation

SHELVES = {
    "activations": ("whet.activations", "ACTIVATIONS"),
    "inits": ("whet.init", "INITS"),
    "norms": ("whet.norm", "NORMS"),
    "losses": ("whet.losses", "LOSSES"),
    "optimizers": ("whet.optim", "OPTIMIZERS"),
    "schedules": ("whet.optim", "SCHEDULES"),
    "regularisers": ("whet.regularise", "REGULARISERS"),
    "augmentations": ("whet.augment", "AUGMENTS"),
    "families": ("whet.families", "FAMILIES"),
}
SINGULAR = {"losses": "loss", "families": "family"}
"""Of the words that lose more than their s."""


def shelf(kind: str) -> Catalogue[Any] | None:
    """The catalogue of this kind, in the plural or singular; None for an empty word. Raises UnknownName for another word."""
    if not kind:
        return None
    kind = {SINGULAR.get(word, word.removesuffix("s")): word for word in SHELVES}.get(kind, kind)
    if kind not in SHELVES:
        refuse(kind)
    return catalogue(kind)


def catalogue(kind: str) -> Catalogue[Any]:
    module, name = SHELVES[kind]
    found: Catalogue[Any] = getattr(importlib.import_module(module), name)
    return found


def refuse(word: str) -> None:
    """Raises UserError for what stands on a shelf and is none, and UnknownName for any other word."""
    if held := [kind for kind in SHELVES if word in catalogue(kind)]:
        raise UserError(f"{word!r} is no list, but one of the {held[0]}.", f"Write: whet list {held[0]} {word}")
    raise UnknownName("list", word, (*SHELVES, "tasks"))


TRAITS = {
    "zero-centred": lambda row: row.zero_centred,
    "bounded": lambda row: row.bounded,
    "monotone": lambda row: row.monotone is not None,
    "convex": lambda row: row.convexity in ("convex", "linear"),
    "smooth": lambda row: row.smoothness > 1,
    "odd": lambda row: row.odd,
    "even": lambda row: row.even,
    "sparse": lambda row: row.sparsity > 0,
    "self-normalising": lambda row: row.self_normalising,
}
"""What may be asked of an activation's facts."""


def activations(kind: str | None = None, traits: Iterable[str] = ()) -> list[Activation]:
    """The activations of a kind that have all these traits. Raises UserError where there is none."""
    from whet.activations import ACTIVATIONS, names
    from whet.activations.table import known

    traits = list(traits)
    entries = [ACTIVATIONS[name] for name in names(kind)]
    found = [e for e in entries if not traits or ((row := known(e)) and all(TRAITS[t](row) for t in traits))]
    if not found:
        asked = ", ".join([*([kind] if kind else []), *traits])
        raise UserError(f"No activation is {asked}.", "Ask for less.")
    return found
