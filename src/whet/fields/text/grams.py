"""Texts as weighted n-grams: TF-IDF of hashed words, pairs and triples of words, and short runs of characters.

    t   how often an n-gram is in a text      d   in how many of the n training rows it is
    weight = (1 + log t) (1 + log((1 + n) / (1 + d))), divided by the Euclidean norm of the text's weights of its kind

as scikit-learn's TfidfVectorizer(sublinear_tf=True) has it (Salton & Buckley 1988). Every n-gram that enough training rows
have is a row of a network's table; the others are left out. Hashes stand for n-grams, so none has to be spelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whet.fields.text.lexicon import cased, shape
from whet.fields.text.words import (
    Counts,
    Grams,
    char_grams,
    clean,
    counted,
    listed_grams,
    packed,
    unpacked,
    word_grams,
)

WORD_ORDERS = (1, 2, 3)
CHAR_ORDERS = (2, 3, 4, 5)
SHAPE_ORDERS = (2, 3)
CAPITALS = 0.1
"""Share of the texts that have a capital behind the first letter, from which on shapes are counted too."""
SHORT = 400.0
"""Characters of a mean text up to which runs of characters are counted too: of long texts the words say enough."""
FEWEST_ROWS = 2
"""Training rows that must have an n-gram."""
FEW_TEXTS = 200
"""With fewer training rows than this an n-gram of a single one counts."""
MOST_ROWS = 60_000
"""N-grams of a kind, the most frequent ones."""
MOST_EACH = 4096
"""N-grams of one text that a network is told, the heaviest ones."""
MOST_BYTES = 1 << 31
"""Of all rows together."""


def cleaned(texts: Sequence[str]) -> list[str]:
    return [clean(text) for text in texts]


def words_of(texts: Sequence[str], orders: Sequence[int]) -> Grams:
    return word_grams(cleaned(texts), orders)


def chars_of(texts: Sequence[str], orders: Sequence[int]) -> Grams:
    return char_grams(cleaned(texts), orders)


def shapes_of(texts: Sequence[str], orders: Sequence[int]) -> Grams:
    """N-grams of words in which names, numbers and abbreviations count by their shape: "who was Aa+ Aa+"."""
    return listed_grams([[masked(word, i) for i, word in enumerate(cased(text))] for text in texts], orders)


def masked(word: str, place: int) -> str:
    """A text's first word has a capital anyhow."""
    return word.lower() if place == 0 or word.islower() else shape(word)


KINDS = {"words": words_of, "chars": chars_of, "shapes": shapes_of}


@dataclass(frozen=True, eq=False)
class Kind:
    """The n-grams of words, or of characters, that have a place in the table."""

    name: str
    orders: tuple[int, ...]
    hashes: np.ndarray
    """(g,) uint64, ascending"""
    idf: np.ndarray
    """(g,) float32"""

    @classmethod
    def fit(cls, name: str, orders: Sequence[int], seen: Counts, texts: int, most: int) -> Kind:
        """Those that were counted in so many texts, the `most` frequent ones."""
        hashes, rows = np.unique(seen[1], return_counts=True)
        enough = np.flatnonzero(rows >= (FEWEST_ROWS if texts >= FEW_TEXTS else 1))
        kept = np.sort(enough[np.argsort(-rows[enough], kind="stable")[:most]])
        idf = 1 + np.log((1 + texts) / (1 + rows[kept]))
        return cls(name, tuple(orders), hashes[kept], idf.astype(np.float32))

    def weighed(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(text, place in the table from 0, weight) of every known n-gram of these texts, texts ascending."""
        row, found, times = counted(KINDS[self.name](texts, self.orders), len(texts))
        place, known = self.placed(found)
        row, place = row[known], place[known]
        weight = (1 + np.log(times[known])) * self.idf[place]
        norm = np.sqrt(np.bincount(row, weight**2, minlength=len(texts)))
        return row, place, weight / norm[row]

    def placed(self, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(place in the table, whether it has one) of n-grams."""
        place = np.searchsorted(self.hashes, found).clip(max=max(0, len(self.hashes) - 1))
        return place, self.hashes[place] == found if len(self.hashes) else np.zeros(len(found), bool)

    def to_dict(self) -> dict[str, Any]:
        state = {"hashes": packed(self.hashes), "idf": packed(self.idf)}
        return {"name": self.name, "orders": list(self.orders), **state}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Kind:
        hashes, idf = unpacked(state["hashes"], np.uint64), unpacked(state["idf"], np.float32)
        return cls(state["name"], tuple(state["orders"]), hashes, idf)


@dataclass(frozen=True, eq=False)
class Table:
    """All n-grams that have a place, and how many of a text a network is told."""

    kinds: tuple[Kind, ...]
    length: int

    @classmethod
    def fit(cls, texts: Sequence[str], rows: int) -> Table:
        """Of the training texts; `rows` are all that will be asked about, which limits the length."""
        short = sum(map(len, texts)) <= SHORT * len(texts)
        capitals = sum(text[1:] != text[1:].lower() for text in texts) > CAPITALS * len(texts)
        orders: dict[str, tuple[int, ...]] = {"words": WORD_ORDERS}
        if short:
            orders |= {"chars": CHAR_ORDERS, **({"shapes": SHAPE_ORDERS} if capitals else {})}
        most = MOST_ROWS if short else 2 * MOST_ROWS
        kinds, each = [], np.zeros(len(texts), np.int64)
        for name, of in orders.items():
            seen = counted(KINDS[name](texts, of), len(texts))
            kinds.append(kind := Kind.fit(name, of, seen, len(texts), most))
            each += np.bincount(seen[0][kind.placed(seen[1])[1]], minlength=len(texts))
        longest = int(np.max(each, initial=1))
        return cls(tuple(kinds), max(1, min(longest, MOST_EACH, MOST_BYTES // (8 * max(1, rows)))))

    @property
    def size(self) -> int:
        """Places, one for "none" included, which is 0."""
        return 1 + sum(len(kind.hashes) for kind in self.kinds)

    def padded(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(places (n, length) int32, weights (n, length) float32); places of weight 0 are no n-grams."""
        offset, found = 1, []
        for kind in self.kinds:
            row, place, weight = kind.weighed(texts)
            found.append((row, place + offset, weight))
            offset += len(kind.hashes)
        row, place, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return laid_out(row, place, weight, len(texts), self.length)

    def to_dict(self) -> dict[str, Any]:
        return {"kinds": [kind.to_dict() for kind in self.kinds], "length": self.length}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Table:
        return cls(tuple(Kind.from_dict(kind) for kind in state["kinds"]), state["length"])


def laid_out(
    row: np.ndarray, place: np.ndarray, weight: np.ndarray, rows: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """A line of places and one of weights for each row, the heaviest first."""
    order = np.lexsort((-weight, row))
    row, place, weight = row[order], place[order], weight[order]
    column = np.arange(len(row)) - np.searchsorted(row, row)
    fits = column < length
    places, weights = np.zeros((rows, length), np.int32), np.zeros((rows, length), np.float32)
    places[row[fits], column[fits]] = place[fits]
    weights[row[fits], column[fits]] = weight[fits]
    return places, weights
