"""Texts as tensors: tokens for networks that read in order, weighted n-grams for those that count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from whet.fields.text.grams import Table
from whet.fields.text.tokens import START, UNKNOWN, Vocabulary
from whet.rng import generator

MOST_TOKENS = 512
"""Tokens of a text that are read in order."""
AT_ONCE = 2_000
"""Texts that are transformed together."""
BOTH, TOKENS, GRAMS = "both", "tokens", "grams"


@dataclass(frozen=True, eq=False)
class TextTransform:
    """(n,) texts -> tokens (n, T) int32, places of n-grams (n, L) int32, their weights (n, L) float32."""

    vocabulary: Vocabulary
    table: Table
    wants: str = BOTH
    """Which of them the network takes; "grams": places and weights."""

    @classmethod
    def fit(cls, texts: Sequence[str], rows: int) -> TextTransform:
        """Fitted on training texts; `rows` are all that will be asked about in training."""
        return cls(Vocabulary.fit(texts, MOST_TOKENS), Table.fit(texts, rows))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.vocabulary.length,)

    def apply(self, x: pl.DataFrame) -> tuple[Tensor, ...]:
        """The three inputs of these rows, whatever is wanted of them."""
        found = list(self.pieces(x))
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))

    def pieces(self, x: pl.DataFrame) -> Iterator[tuple[Tensor, ...]]:
        for at in range(0, max(1, x.height), AT_ONCE):
            texts = x.get_column("text")[at : at + AT_ONCE].to_list()
            arrays = (self.vocabulary.padded(texts), *self.table.padded(texts))
            yield tuple(torch.from_numpy(array) for array in arrays)

    def chosen(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the network takes of the three."""
        return {BOTH: inputs, TOKENS: inputs[:1], GRAMS: inputs[1:]}[self.wants]

    def spec(self) -> dict[str, Any]:
        more = {"vocabulary": self.vocabulary.size, "table": self.table.size}
        return {"shape": self.shape, "domain": "text", "more": more, "example": self.example}

    def example(self) -> tuple[Tensor, ...]:
        return self.chosen(tuple(self.drawn(2, 0).values()))

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        random = generator(seed, "text")
        tokens = random.integers(UNKNOWN + 1, self.vocabulary.size, (rows, self.vocabulary.length))
        tokens[:, 0] = START
        places = random.integers(0, self.table.size, (rows, self.table.length))
        weights = random.random((rows, self.table.length)) * (places > 0) / self.table.length**0.5
        arrays = {"tokens": tokens.astype(np.int32), "places": places.astype(np.int32)}
        arrays["weights"] = weights.astype(np.float32)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def to_dict(self) -> dict[str, Any]:
        own = self.vocabulary
        vocabulary = {"model": own.model, "length": own.length, "lower": own.lower}
        return {"vocabulary": vocabulary, "table": self.table.to_dict(), "wants": self.wants}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TextTransform:
        return cls(Vocabulary(**state["vocabulary"]), Table.from_dict(state["table"]), state["wants"])
