"""Texts as words, and as hashed n-grams of words and characters: whole arrays at a time.

    texts --words--> ["how", "far", "is", "it", "?"] --> one number per word  --+
    texts --lower case, single spaces--------------> one number per character --+--> (row, hash) of every n-gram

An n-gram's hash is a polynomial of its parts' numbers modulo 2^64, so n-grams of all orders are a few array operations,
however many texts there are. Character n-grams stay within a word and its two borders, as in scikit-learn's "char_wb".
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WITHOUT_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese. A character is a word there."""
WORD = re.compile(rf"[{WITHOUT_SPACES}]|[^\W{WITHOUT_SPACES}]+(?:['’][^\W{WITHOUT_SPACES}]+)*|[^\w\s]")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""Odd, with bits all over: 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 3, section 6.4)."""
SPACE = ord(" ")
START, END = "\x02", "\x03"
"""Stand before the first and after the last word, so that n-grams know where a text begins and ends."""


def clean(text: str) -> str:
    """Lower case, one form for each character (NFKC), single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def words(text: str) -> list[str]:
    """Words, numbers and punctuation marks in their order."""
    return WORD.findall(text)


@dataclass(frozen=True, eq=False)
class Grams:
    """N-grams of many texts."""

    row: np.ndarray
    """(m,) int64: the text that each is from, ascending."""
    hash: np.ndarray
    """(m,) uint64"""


def word_grams(texts: Sequence[str], orders: Sequence[int]) -> Grams:
    """The n-grams of words of these orders, each as often as it occurs, of cleaned texts."""
    return listed_grams([words(text) for text in texts], orders)


def listed_grams(texts: Sequence[Sequence[str]], orders: Sequence[int]) -> Grams:
    """The same of lists of words, with marks of where a text begins and ends."""
    listed = [[START, *text, END] for text in texts]
    known: dict[str, int] = {}
    numbers = np.fromiter((known.setdefault(w, len(known)) for ws in listed for w in ws), np.int64)
    hashes = np.fromiter((stable_hash(w) for w in known), np.uint64, len(known))
    row = np.repeat(np.arange(len(listed)), [len(ws) for ws in listed])
    parts = hashes[numbers] if len(known) else np.empty(0, np.uint64)
    return joined([of_order(parts, row, n) for n in orders])


def char_grams(texts: Sequence[str], orders: Sequence[int]) -> Grams:
    """The n-grams of characters of these orders, a word's borders counted as spaces, of cleaned texts."""
    points = [np.frombuffer(f" {text} ".encode("utf-32-le", "replace"), np.uint32) for text in texts]
    row = np.repeat(np.arange(len(points)), [len(p) for p in points])
    letters = np.concatenate(points).astype(np.uint64) if points else np.empty(0, np.uint64)
    return joined([of_order(letters, row, n, border=letters == SPACE) for n in orders])


def of_order(parts: np.ndarray, row: np.ndarray, n: int, border: np.ndarray | None = None) -> Grams:
    """The runs of `n` parts within a row; none that has a border inside it."""
    count = max(0, len(parts) - n + 1)
    found = np.full(count, np.uint64(n))
    sound = row[:count] == row[len(row) - count :]
    for i in range(n):
        found = found * MULTIPLIER + parts[i : i + count]
        if border is not None and 0 < i < n - 1:
            sound &= ~border[i : i + count]
    found ^= found >> np.uint64(29)  # the low bits alone would depend on the last parts alone
    return Grams(row[:count][sound], found[sound])


def joined(found: Sequence[Grams]) -> Grams:
    """N-grams of several orders, by row."""
    row = np.concatenate([g.row for g in found])
    order = np.argsort(row, kind="stable")
    return Grams(row[order], np.concatenate([g.hash for g in found])[order])


def stable_hash(word: str) -> int:
    """64 bits, the same in every process and on every machine."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


Counts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""(row, hash, how often) of each n-gram once per row, rows ascending."""


def counted(grams: Grams, rows: int) -> Counts:
    """Each n-gram once per row, by hash within a row."""
    order = np.argsort(grams.hash)
    order = order[np.argsort(grams.row[order].astype(np.min_scalar_type(rows)), kind="stable")]  # small types: by radix
    row, found = grams.row[order], grams.hash[order]
    first = np.flatnonzero(np.diff(row, prepend=-1).astype(bool) | (np.diff(found, prepend=np.uint64(0)) != 0))
    return row[first], found[first], np.diff(first, append=len(row))


def packed(values: np.ndarray) -> str:
    """An array's bytes as text, little-endian."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def unpacked(text: str, kind: type[np.generic]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.dtype(kind).newbyteorder("<")).astype(kind)
