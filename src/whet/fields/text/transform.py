"""Texts as tensors: tokens or words for networks that read in order, weighted n-grams for those that count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from whet.fields.text.grams import Table
from whet.fields.text.lexicon import Lexicon
from whet.fields.text.tokens import START, UNKNOWN, Vocabulary
from whet.rng import generator

MOST_TOKENS = 512
"""Tokens of a text that are read in order."""
AT_ONCE = 2_000
"""Texts that are transformed together."""
TOKENS, WORDS, GRAMS, BOTH = "tokens", "words", "grams", "words and grams"
TAKEN = {TOKENS: (0,), WORDS: (1,), GRAMS: (2, 3), BOTH: (1, 2, 3)}
"""Which of the inputs a network takes that wants this."""


@dataclass(frozen=True, eq=False)
class TextTransform:
    """(n,) texts -> tokens (n, T) int32, words (n, W, parts) int32, places of n-grams (n, L) int32, their weights (n, L)."""

    vocabulary: Vocabulary
    lexicon: Lexicon
    table: Table
    wants: str = BOTH
    """Which of them the network takes; "grams": places and weights."""

    @classmethod
    def fit(cls, texts: Sequence[str], rows: int, vectors: str | None = None) -> TextTransform:
        """Fitted on training texts; `rows` are all that will be asked about in training; `vectors`: a file of words'."""
        return cls(Vocabulary.fit(texts, MOST_TOKENS), Lexicon.fit(texts, vectors), Table.fit(texts, rows))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.vocabulary.length,)

    def apply(self, x: pl.DataFrame) -> tuple[Tensor, ...]:
        """All inputs of these rows, whatever is wanted of them."""
        found = list(self.pieces(x))
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))

    def pieces(self, x: pl.DataFrame) -> Iterator[tuple[Tensor, ...]]:
        for at in range(0, max(1, x.height), AT_ONCE):
            texts = x.get_column("text")[at : at + AT_ONCE].to_list()
            arrays = (self.vocabulary.padded(texts), self.lexicon.padded(texts), *self.table.padded(texts))
            yield tuple(torch.from_numpy(array) for array in arrays)

    def chosen(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the network takes of them."""
        return tuple(inputs[i] for i in TAKEN[self.wants])

    def spec(self) -> dict[str, Any]:
        read = self.vocabulary if self.wants == TOKENS else self.lexicon
        more: dict[str, Any] = {"vocabulary": read.size, "table": self.table.size}
        if self.wants != TOKENS and self.lexicon.vectors is not None:
            more["vectors"] = self.lexicon.vectors
        return {"shape": self.shape, "domain": "text", "more": more, "example": self.example}

    def example(self) -> tuple[Tensor, ...]:
        return self.chosen(tuple(self._whole(2, generator(0, "text")).values()))

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        """The first is as long as a text may be; others end somewhere, each input for itself, and 0 stands behind that."""
        random = generator(seed, "text")
        found = self._whole(rows, random)
        for name in ("tokens", "words", "places"):
            length = found[name].shape[1]
            ends = torch.from_numpy(random.integers(1, length + 1, rows))
            ends[:1] = length
            found[name][torch.arange(length) >= ends[:, None]] = 0
        found["weights"] *= found["places"] > 0
        return found

    def _whole(self, rows: int, random: np.random.Generator) -> dict[str, Tensor]:
        """Texts without an end: 0 between others would be cut off as such, and others with it."""
        tokens = random.integers(UNKNOWN + 1, self.vocabulary.size, (rows, self.vocabulary.length))
        tokens[:, 0] = START
        words = random.integers(UNKNOWN, self.lexicon.size, (rows, self.lexicon.length, self.lexicon.parts))
        if self.lexicon.vectors is not None:
            words[..., -1] %= self.lexicon.vectors.size
        places = random.integers(min(1, self.table.size - 1), self.table.size, (rows, self.table.length))
        weights = random.random((rows, self.table.length)) * (places > 0) / self.table.length**0.5
        arrays = {"tokens": tokens.astype(np.int32), "words": words.astype(np.int32)}
        arrays |= {"places": places.astype(np.int32), "weights": weights.astype(np.float32)}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def to_dict(self) -> dict[str, Any]:
        own = self.vocabulary
        vocabulary = {"model": own.model, "length": own.length, "lower": own.lower}
        tables = {"lexicon": self.lexicon.to_dict(), "table": self.table.to_dict()}
        return {"vocabulary": vocabulary, **tables, "wants": self.wants}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TextTransform:
        lexicon, table = Lexicon.from_dict(state["lexicon"]), Table.from_dict(state["table"])
        return cls(Vocabulary(**state["vocabulary"]), lexicon, table, state["wants"])
