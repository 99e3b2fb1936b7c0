"""A batch of texts on its way into a network: cut to its longest text, words left out in training, chosen for the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from whet import augment as augments
from whet.augment.text import WordDropout, drop_tokens, drop_weights
from whet.errors import RecipeError
from whet.fields.text.tokens import START, UNKNOWN
from whet.recipe import Choice
from whet.train.parts import Inputs


@dataclass(frozen=True)
class Front:
    """(tokens, words, places, weights) -> what the network wants of them."""

    transform: Any
    dropout: WordDropout

    @classmethod
    def of(cls, transform: Any, augment: Sequence[Choice]) -> Front:
        """Raises RecipeError for an augmentation of other things."""
        return cls(transform, dropout_of(augment))

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]:
        tokens, words, places, weights = inputs
        if not torch.onnx.is_in_onnx_export():  # an exported network gets whatever length it is given
            tokens, words = tokens[:, : longest(tokens)], words[:, : longest(words[..., 0])]
            length = longest(places)
            places, weights = places[:, :length], weights[:, :length]
        if generator is not None and self.dropout.tokens:
            dropped = drop_tokens(tokens[:, 1:], self.dropout.tokens, UNKNOWN, generator)
            tokens = torch.cat([torch.full_like(tokens[:, :1], START), dropped], 1)
            words = drop_tokens(words, self.dropout.tokens, UNKNOWN, generator)
        if generator is not None and self.dropout.grams:
            weights = drop_weights(weights, self.dropout.grams, generator)
        return self.transform.chosen((tokens, words, places, weights)), target


def longest(filled: Tensor) -> int:
    """Columns of the row that is filled farthest; at least 1."""
    return max(1, int(filled.ne(0).any(0).sum())) if filled.ndim == 2 and len(filled) else filled.shape[1]


def dropout_of(augment: Sequence[Choice]) -> WordDropout:
    """The settings of a recipe's word dropout."""
    made = WordDropout()
    for choice in augment:
        entry = augments.AUGMENTS[choice.name]
        if "text" not in entry.domains:
            raise RecipeError(f"{choice.name} does not change texts.", "Take it out of the recipe.")
        made = WordDropout(**entry.fill(choice.params))
    return made
