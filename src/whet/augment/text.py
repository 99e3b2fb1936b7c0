"""Augmentation of texts: words that are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from whet.entry import Entry
from whet.errors import RecipeError


@dataclass(frozen=True)
class WordDropout:
    """What is drawn for each batch of texts."""

    tokens: float = 0.0
    grams: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tokens", "grams"):
            if not 0 <= getattr(self, name) < 1:
                raise RecipeError(f"word_dropout.{name}={getattr(self, name)} is not in [0, 1).")


def drop_tokens(tokens: Tensor, p: float, unknown: int, generator: Generator) -> Tensor:
    """Tokens (B, T), or words (B, T, F), each replaced by `unknown` with probability p; 0, which is none, stays."""
    gone = torch.rand(tokens.shape[:2], generator=generator) < p
    gone = gone.view(*gone.shape, *[1] * (tokens.ndim - 2))
    return tokens.masked_fill(gone & (tokens != 0), unknown)


def drop_weights(weights: Tensor, p: float, generator: Generator) -> Tensor:
    """Weights (B, L) with each one set to 0 with probability p, the others so much larger that the mean sum stays."""
    kept = torch.rand(weights.shape, generator=generator) >= p
    return weights * kept / (1 - p)


ENTRIES: list[Entry[Any]] = [
    Entry(
        "word_dropout",
        WordDropout,
        "Hides tokens, and leaves out n-grams, with these probabilities.",
        {"tokens": 0.1, "grams": 0.3},
        domains=("text",),
        paper="Iyyer et al. 2015, Deep Unordered Composition, doi:10.3115/v1/P15-1162, section 3.1",
        cost="a random number for each token and n-gram",
        hurts_when="one word decides, as a negation does, and texts are short",
    )
]
