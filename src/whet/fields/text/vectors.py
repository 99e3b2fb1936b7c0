"""Vectors of words that were learned elsewhere, from a file: a start that knows words which training texts have seldom.

    the 0.418 0.24968 -0.41242 …          GloVe: a word and its numbers on each line
    400000 50                             word2vec's text form, and fastText's .vec: the same after a line of two sizes
    vectors.npy and vectors.txt           an array (words, numbers), and its words, one on each line

Kept are the words of the training texts and the first ones of the file, which are the most frequent in files of these kinds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from whet.data.raw import counted
from whet.errors import DataError
from whet.fields.text.tokens import UNKNOWN
from whet.fields.text.words import packed, stable_hash, unpacked

FIRST = 20_000
"""Words of the file that are kept though no training text has them."""
GLANCE = 1 << 20
"""Bytes of the file that its fingerprint reads."""
FORMS = "Give text files as GloVe's or word2vec's, or an .npy array with a .txt file of its words beside it."

Entry = tuple[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Which words have a vector. Their numbers are read from the file again when a network begins; later it has them."""

    path: str
    hashes: np.ndarray
    """(n,) uint64, in the file's order."""
    width: int
    share: float
    """Of the different words of the training texts, that have one."""

    @classmethod
    def fit(cls, path: str, words: Collection[str]) -> WordVectors:
        """Of a file and the words of the training texts. Raises DataError where none of them is in it."""
        wanted = {*words, *(word.lower() for word in words)}
        kept = [(stable_hash(word), len(numbers)) for word, numbers in chosen(path, wanted)]
        if not kept:
            raise DataError(f"{path} holds no line of a word and its numbers.", FORMS)
        made = cls(path, np.array([h for h, _ in kept], np.uint64), kept[0][1], 0.0)
        share = sum(made.number_of(word) > UNKNOWN for word in words) / max(1, len(words))
        if not share:
            raise DataError(f"{path} has a vector for none of the words in the texts.", "Give one of their language.")
        return replace(made, share=share)

    @cached_property
    def number(self) -> dict[int, int]:
        return {int(known): UNKNOWN + 1 + i for i, known in reversed([*enumerate(self.hashes)])}

    def number_of(self, word: str) -> int:
        """As it is written, else in lower case; UNKNOWN for a word without a vector."""
        found = self.number.get(stable_hash(word))
        return found or self.number.get(stable_hash(word.lower()), UNKNOWN)

    @property
    def size(self) -> int:
        """Numbers, those of PAD and UNKNOWN included."""
        return UNKNOWN + 1 + len(self.hashes)

    def table(self) -> np.ndarray:
        """(size, width) float32, read from the file; zeros for PAD and UNKNOWN. Raises DataError where it is another file."""
        table = np.zeros((self.size, self.width), np.float32)
        places: dict[int, int] = self.number
        there = {stable_hash(word): numbers for word, numbers in chosen(self.path, None, set(places))}
        if len(there) < len(places) or any(len(numbers) != self.width for numbers in there.values()):
            raise DataError(f"{self.path} has changed: vectors that it held are not in it.", "Put the file back.")
        for known, numbers in there.items():
            table[places[known]] = numbers
        return table

    def told(self) -> str:
        """What was found, in words."""
        kept = counted(len(self.hashes), "vector")
        return f"{kept} of {self.width} numbers from {self.path}: {self.share:.0%} of the words in the texts have one."

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "hashes": packed(self.hashes), "width": self.width, "share": self.share}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> WordVectors:
        return cls(state["path"], unpacked(state["hashes"], np.uint64), state["width"], state["share"])


def chosen(path: str, words: Collection[str] | None, hashes: Collection[int] = ()) -> Iterator[Entry]:
    """(word, numbers) of these words and the first ones of the file; of hashes alone, where no words are given."""
    width, seen = 0, set()
    for i, (word, text) in enumerate(entries(Path(path))):
        if word in seen or not (stable_hash(word) in hashes if words is None else i < FIRST or word in words):
            continue
        seen.add(word)
        numbers = as_numbers(text)
        width = width or len(numbers)
        if wrong := fault(numbers, width):
            raise DataError(f"{path}: {word[:40]!r} {wrong}.", FORMS)
        yield word, numbers


def fault(numbers: np.ndarray, width: int) -> str:
    """Why these are no vector among others of this width, in words; empty if they are one."""
    if not len(numbers):
        return "is followed by something else than numbers"
    if len(numbers) != width or width < 2:
        return f"has {counted(len(numbers), 'number')}" + (f" where others have {width}" if width > 1 else "")
    return "" if np.isfinite(numbers).all() else "has a number that is not finite"


def as_numbers(text: str | np.ndarray) -> np.ndarray:
    """float32; empty where one of them is no number."""
    try:
        return np.array(text.split() if isinstance(text, str) else text, np.float32)
    except ValueError:
        return np.empty(0, np.float32)


def entries(path: Path) -> Iterator[tuple[str, str | np.ndarray]]:
    """(word, its numbers as they stand in the file). Raises DataError for a file that can't be read as one."""
    try:
        if path.suffix == ".npy":
            yield from of_array(path)
            return
        with path.open(encoding="utf-8", errors="strict") as file:
            for i, line in enumerate(file):
                word, _, numbers = line.rstrip().partition(" ")
                if numbers and not (i == 0 and numbers.isdigit() and word.isdigit()):
                    yield word, numbers
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text: word2vec's binary form can't be read.", FORMS) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}.", FORMS) from None


def of_array(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The rows of an array beside the lines of a file of the same name."""
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    words = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    if table.ndim != 2 or len(table) != len(words):
        raise DataError(f"{path} is of shape {table.shape}, and {path.stem}.txt has {len(words):,} words.", FORMS)
    yield from zip(words, table, strict=True)


def print_of(path: str) -> str:
    """A fingerprint of the file: its size and its beginning. Raises DataError."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(f"{Path(path).stat().st_size}".encode() + file.read(GLANCE)).hexdigest()
    except OSError as error:
        raise DataError(f"--vectors {path} can't be read: {error.strerror}.", FORMS) from None
