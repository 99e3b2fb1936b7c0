"""Texts as numbers for networks that read in order: pieces of words, learned here from the training rows.

Pieces are made by byte-pair encoding (Sennrich, Haddow & Birch 2016, arXiv:1508.07909) over bytes, so that every text of
every language can be written with them, and none is unknown. A text that is longer than the network reads keeps its
beginning and its end (Sun et al. 2019, arXiv:1905.05583, section 5.3.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from whet.errors import MissingExtra
from whet.fields.text.words import clean

Piece = TypeVar("Piece", int, str)

PAD, UNKNOWN, START = 0, 1, 2
"""Behind a text's end; in place of a piece that was dropped; before a text's first piece."""
SPECIAL = ("<pad>", "<dropped>", "<start>")
MOST_CHARACTERS = 20_000_000
"""Of the training rows, that pieces are learned from."""
HEAD = 0.75
"""The share of what a network reads that is the beginning of a longer text; the rest is its end."""
FEWEST_PIECES, MOST_PIECES = 300, 8_000
CHARACTERS_PER_PIECE = 40
"""Of the training rows: a piece of a larger vocabulary would be seen too seldom. Assumed, not studied."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The pieces of texts, and how many pieces of a text a network reads."""

    model: Mapping[str, Any]
    """The tokenizers package's own JSON."""
    length: int
    """Pieces of a text, its start included."""
    lower: bool = True
    """Whether upper and lower case are the same."""

    @classmethod
    def fit(cls, texts: Sequence[str], length: int, lower: bool = True, most: int = MOST_PIECES) -> Vocabulary:
        """Learn the pieces of these texts; read as many as the longest text has, `length` at most."""
        texts = [clean(text) for text in texts] if lower else list(texts)
        total = sum(map(len, texts))
        size = min(most, max(FEWEST_PIECES, total // CHARACTERS_PER_PIECE))
        step = max(1, total // MOST_CHARACTERS)
        found = cls(learned(texts[::step], size), length, lower)
        longest = max((len(ids) for ids in found.encoded(texts)), default=1)
        return cls(found.model, min(length, longest), lower)

    @cached_property
    def tokenizer(self) -> Any:
        return tokenizers().Tokenizer.from_str(json.dumps(self.model))

    @property
    def size(self) -> int:
        return int(self.tokenizer.get_vocab_size())

    def encoded(self, texts: Sequence[str]) -> list[list[int]]:
        """The pieces of each text, however many."""
        texts = [clean(text) for text in texts] if self.lower else list(texts)
        return [[START, *found.ids] for found in self.tokenizer.encode_batch(texts)]

    def padded(self, texts: Sequence[str]) -> np.ndarray:
        """(n, length) int32"""
        return padded([cut(ids, self.length) for ids in self.encoded(texts)], self.length)

    def text(self, ids: Sequence[int]) -> str:
        """What these pieces spell."""
        spelled: str = self.tokenizer.decode([i for i in ids if i >= len(SPECIAL)])
        return spelled


def learned(texts: Sequence[str], size: int) -> dict[str, Any]:
    """A vocabulary of byte pairs, as the JSON of the tokenizers package."""
    package = tokenizers()
    made = package.Tokenizer(package.models.BPE())
    made.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = package.decoders.ByteLevel()
    trainer = package.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(package.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    found: dict[str, Any] = json.loads(made.to_str())
    return found


def tokenizers() -> Any:
    """The package. Raises MissingExtra."""
    try:
        import tokenizers as package
    except ImportError as error:
        raise MissingExtra("tokenizers", "text", "Reading texts") from error
    return package


def cut(ids: list[Piece], length: int) -> list[Piece]:
    """The beginning and the end of what is too long."""
    if len(ids) <= length:
        return ids
    head = max(1, round(HEAD * length))
    return ids[:head] + ids[len(ids) - (length - head) :]


def padded(rows: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """(n, length) int32, filled up with PAD."""
    found = np.full((len(rows), length), PAD, np.int32)
    for row, ids in zip(found, rows, strict=True):
        row[: len(ids)] = ids
    return found
