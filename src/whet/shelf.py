"""Every catalogue by the word that `whet list` takes."""

from __future__ import annotations

import importlib
from typing import Any

from whet.entry import Catalogue
from whet.errors import UnknownName

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


def shelf(kind: str) -> Catalogue[Any] | None:
    """The catalogue of this kind; None for an empty word. Raises UnknownName for another word."""
    if not kind:
        return None
    if kind not in SHELVES:
        raise UnknownName("list", kind, SHELVES)
    module, name = SHELVES[kind]
    catalogue: Catalogue[Any] = getattr(importlib.import_module(module), name)
    return catalogue
