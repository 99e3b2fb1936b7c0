"""The loss of a ranking of very many items, some of which are compared: outputs (B, 1 + N), the answer's first."""

from __future__ import annotations

from whet.errors import RecipeError
from whet.losses.classes import cross_entropy
from whet.losses.values import Loss


def sampled_softmax(items: int = 2000) -> Loss:
    """Cross-entropy: the field draws `items` items for each batch, and its networks compare these."""
    if items < 1 or items != int(items):
        raise RecipeError(f"sampled_softmax.items={items!r}: it has to be a whole number above 0.", "Use 2000.")
    return cross_entropy(label_smoothing=0.0, class_weights=())
