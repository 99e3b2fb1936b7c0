"""Surgery on any network: find what it computes, put something else there, and prove that nothing else changed."""

from __future__ import annotations

from whet.surgery.catalogue import maker, needs_place
from whet.surgery.changes import Change, Changes
from whet.surgery.difference import Unproven
from whet.surgery.find import find
from whet.surgery.places import Place
from whet.surgery.replace import replace_activations
from whet.surgery.verify import Proof, verify

__all__ = [
    "Change",
    "Changes",
    "Place",
    "Proof",
    "Unproven",
    "find",
    "maker",
    "needs_place",
    "replace_activations",
    "verify",
]
