"""Surgery on any network: find what it computes, put something else there, and prove that nothing else changed."""

from __future__ import annotations

from whet.surgery.changes import Change, Changes
from whet.surgery.find import find
from whet.surgery.places import Place
from whet.surgery.replace import replace_activations

__all__ = ["Change", "Changes", "Place", "find", "replace_activations"]
