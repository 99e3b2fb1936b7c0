"""Surgery on any network: find what it computes, put something else there, and prove that nothing else changed."""

from __future__ import annotations

from whet.surgery.cells import replace_cells
from whet.surgery.changes import Change, Changes
from whet.surgery.difference import Unproven
from whet.surgery.find import find
from whet.surgery.gates import make_gated, make_plain
from whet.surgery.layers import freeze, reset
from whet.surgery.norms import fuse_norms, insert_dropout, insert_norms, replace_norms, set_dropout
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
    "freeze",
    "fuse_norms",
    "insert_dropout",
    "insert_norms",
    "make_gated",
    "make_plain",
    "replace_activations",
    "replace_cells",
    "replace_norms",
    "reset",
    "set_dropout",
    "verify",
]
