"""Writing down what is said: units from a network's outputs over time, and how far two texts are apart.

p (T, C)   probabilities of the units at each step, the blank first
path       a unit for each step; it spells what is left without repetitions, then without blanks
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

RARE = 1e-3
"""A unit less probable than this at a step begins no new prefix there."""


def best_path(p: np.ndarray) -> tuple[int, ...]:
    """What the most probable path spells (Graves et al. 2006, section 3.2)."""
    path = p.argmax(1)
    changed = np.concatenate([[True], path[1:] != path[:-1]])
    return tuple(int(u) for u in path[changed] if u)


def best_prefix(p: np.ndarray, beam: int) -> tuple[int, ...]:
    """The most probable spelling, over all its paths (Hannun et al. 2014, arXiv:1408.2873, algorithm 1, no language model).

    Of each prefix two numbers are kept: the probability of its paths that end in a blank, and of those that don't.
    """
    prefixes: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for step in p.astype(np.float64):
        grown: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        likely = [int(u) for u in np.flatnonzero(step > RARE) if u]
        for prefix, (blank, own) in prefixes.items():
            grown[prefix][0] += (blank + own) * step[0]
            if prefix:
                grown[prefix][1] += own * step[prefix[-1]]
            for u in likely:
                grown[(*prefix, u)][1] += (blank if prefix and u == prefix[-1] else blank + own) * step[u]
        best = sorted(grown.items(), key=lambda item: -sum(item[1]))[:beam]
        total = sum(best[0][1]) or 1.0  # relative to the best one, which keeps long recordings above zero
        prefixes = {prefix: (blank / total, own / total) for prefix, (blank, own) in best}
    return max(prefixes, key=lambda prefix: sum(prefixes[prefix]))


def texts(said: Tensor, scale: Any) -> np.ndarray:
    """(n,) texts from logits (n, T, C); `scale` are the `Units`."""
    p = said.softmax(-1).numpy()
    found = [best_path(row) if scale.beam == 1 else best_prefix(row, scale.beam) for row in p]
    return np.asarray([scale.text(row) for row in found], dtype=str)


def edits(a: Sequence[Any], b: Sequence[Any]) -> int:
    """The fewest insertions, deletions and replacements that turn a into b (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


@functools.lru_cache(maxsize=1 << 16)
def counted(truth: str, said: str, words: bool) -> tuple[int, int]:
    """(edits, length of what is true), in words or in characters; remembered, since intervals ask again and again."""
    a, b = (truth.split(), said.split()) if words else (list(truth), list(said))
    return edits(a, b), len(a)


def rate(words: bool) -> Callable[[np.ndarray, np.ndarray], float]:
    """All edits over the length of all that is true."""

    def of(y: np.ndarray, p: np.ndarray) -> float:
        wrong, length = np.sum([counted(str(a), str(b), words) for a, b in zip(y, p, strict=True)], axis=0)
        return float(wrong / max(1, length))

    return of


def row_errors(truth: np.ndarray, predicted: np.ndarray, scale: Any) -> np.ndarray:
    """(n,) word errors of each text, in words of an average text."""
    pairs = [counted(str(a), str(b), True) for a, b in zip(truth, predicted, strict=True)]
    wrong, length = np.asarray(pairs, np.float64).reshape(-1, 2).T
    return wrong / max(1.0, float(length.mean()) if len(length) else 1.0)


WORDS = Metric("word_error_rate", "min", rate(words=True))
CHARACTERS = Metric("character_error_rate", "min", rate(words=False))
GOAL = Goal(
    "transcribe",
    "transcription",
    {m.name: m for m in (WORDS, CHARACTERS)},
    WORDS.name,
    (WORDS.name, CHARACTERS.name),
    "ctc",
    texts,
    row_errors,
    lambda truth, predicted, scale: CHARACTERS.function(truth, predicted),
    lambda said, scale: said.softmax(-1),
)
