"""Transcripts as units, words or characters, and back. Unit 0 is the blank, which stands for nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BLANK = "<blank>"
MOST_WORDS = 100
"""With more distinct words than this, characters are the units …"""
OFTEN = 5.0
"""… and also where a word occurs less often than this on average: too seldom to be learned whole."""
BEAM = 8
"""Prefixes that a delivered network's decoding keeps."""


@dataclass(frozen=True)
class Units:
    """What is written down at a time; in place of a target's scale it says what outputs mean."""

    names: tuple[str, ...]
    """`BLANK` first."""
    beam: int = 1
    """Prefixes that decoding keeps; 1: the best path, for the many validations."""

    @property
    def joint(self) -> str:
        """What stands between two units: nothing between characters, of which the space is one."""
        return "" if " " in self.names else " "

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(n, U) int64 with -1 behind the end; what is no unit is left out."""
        known = {name: i for i, name in enumerate(self.names)}
        rows = [[known[u] for u in (text.split() if self.joint else text) if u in known] for text in texts]
        found = np.full((len(rows), max(1, *map(len, rows)) if rows else 1), -1, np.int64)
        for i, row in enumerate(rows):
            found[i, : len(row)] = row
        return found

    def text(self, units: Sequence[int]) -> str:
        """Units as they are written."""
        return " ".join(self.joint.join(self.names[u] for u in units).split())

    def to_dict(self) -> dict[str, Any]:
        return {"names": list(self.names), "beam": BEAM}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Units:
        return cls(tuple(state["names"]), state["beam"])


def units_of(texts: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """(the units of these transcripts without the blank, why they were chosen in a sentence)."""
    words = Counter(word for text in texts for word in text.split())
    often = words.total() / max(1, len(words))
    seen = f"{len(words):,} distinct words, {often:.1f} times each"
    if 0 < len(words) <= MOST_WORDS and often >= OFTEN:
        return tuple(sorted(words)), f"Transcripts: {seen}; words are the units."
    characters = sorted({character for text in texts for character in text} | {" "})
    return tuple(characters), f"Transcripts: {seen}; characters are the units ({len(characters)} of them)."
