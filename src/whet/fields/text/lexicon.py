"""Texts as words, each known by itself, its beginning, its end and its shape: these say something of words never seen.

    "What is NAFTA ?"  -->  what  |  is  |  nafta            --> (n, T, PARTS) int32: numbers of what training texts have,
                            what     is     naft  (beginning)     UNKNOWN for what they lack, PAD behind a text's end
                            what     is     afta  (end)
                            at       is     ta    (short end)
                            Aa+      a+     A+    (shape)

A word's vector is the sum of the vectors of its parts, as in Bojanowski et al. 2017 (arXiv:1607.04606, section 3.2) those of
its runs of characters; few parts, at fixed places, keep a text as short as its words. Where vectors of words are given, the
number of a word's own among them comes behind its parts.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from whet.fields.text.tokens import PAD, UNKNOWN, cut
from whet.fields.text.vectors import WordVectors
from whet.fields.text.words import WORD, packed, stable_hash, unpacked

PARTS = 5
"""Of a word: see `parts`."""
MOST_WORDS = 256
"""Of a text that are read in order: of longer texts the beginning and the end."""
MOST_PARTS = 40_000
"""The most frequent ones."""
KNOWN_WORDS = 1 << 16
"""Whose shape is remembered: words come again."""
FEWEST_TIMES = 2
"""That training texts must have a part; of the others only one would learn."""


def parts(word: str) -> tuple[str, ...]:
    """What is looked up of a word; the letters in front keep the kinds apart."""
    lower = word.lower()
    return f"w{lower}", f"b{lower[:4]}", f"e{lower[-4:]}", f"s{lower[-2:]}", f"x{shape(word)}"


@functools.lru_cache(KNOWN_WORDS)
def shape(word: str) -> str:
    """Capitals as A, other letters as a, digits as 0, runs of them as one with a +: "NAFTA" and "USA" are A+."""
    kinds = "".join("A" if c.isupper() else "a" if c.isalpha() else "0" if c.isdigit() else c for c in word)
    return re.sub(r"(.)\1+", r"\1+", kinds)


def cased(text: str) -> list[str]:
    """Words in their order, capitals kept, one form for each character (NFKC)."""
    return WORD.findall(unicodedata.normalize("NFKC", text))


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The parts of words that training texts have, and how many words of a text are read."""

    hashes: np.ndarray
    """(g,) uint64, ascending"""
    length: int
    vectors: WordVectors | None = None
    """Learned elsewhere."""

    @classmethod
    def fit(cls, texts: Sequence[str], vectors: str | None = None) -> Lexicon:
        """Of training texts, and a file of vectors."""
        read = [cased(text) for text in texts]
        times = Counter(itertools.chain.from_iterable(read))
        found: Counter[str] = Counter()
        for word, often in times.items():
            found.update(dict.fromkeys(parts(word), often))
        kept = [part for part, often in found.most_common(MOST_PARTS) if often >= FEWEST_TIMES]
        hashes = np.unique(np.fromiter(map(stable_hash, kept), np.uint64, len(kept)))
        given = None if vectors is None else WordVectors.fit(vectors, times)
        return cls(hashes, min(MOST_WORDS, max(map(len, read), default=1)) or 1, given)

    @property
    def parts(self) -> int:
        """Numbers of a word."""
        return PARTS + (self.vectors is not None)

    @property
    def size(self) -> int:
        """Numbers, those of PAD and UNKNOWN included."""
        return UNKNOWN + 1 + len(self.hashes)

    @cached_property
    def number(self) -> dict[int, int]:
        return {int(known): UNKNOWN + 1 + i for i, known in enumerate(self.hashes)}

    def numbers(self, word: str) -> list[int]:
        """(parts,) of a word."""
        found = [self.number.get(stable_hash(part), UNKNOWN) for part in parts(word)]
        return found if self.vectors is None else [*found, self.vectors.number_of(word)]

    def padded(self, texts: Sequence[str]) -> np.ndarray:
        """(n, length, parts) int32; a text without words is one unknown word."""
        found = np.full((len(texts), self.length, self.parts), PAD, np.int32)
        known: dict[str, list[int]] = {}
        for line, text in zip(found, texts, strict=True):
            words = cut(cased(text), self.length)
            for word in words:
                if word not in known:
                    known[word] = self.numbers(word)
            line[: max(1, len(words))] = [known[word] for word in words] or UNKNOWN
        return found

    def to_dict(self) -> dict[str, Any]:
        given = {} if self.vectors is None else {"vectors": self.vectors.to_dict()}
        return {"hashes": packed(self.hashes), "length": self.length, **given}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Lexicon:
        given = WordVectors.from_dict(state["vectors"]) if "vectors" in state else None
        return cls(unpacked(state["hashes"], np.uint64), state["length"], given)
