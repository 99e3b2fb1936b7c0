"""Figures of a result on texts: what tells the classes apart, the surest mistakes, known against unknown texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from whet.fields.base import Shown
from whet.fields.text.words import clean, words
from whet.figures import Bars, Figure, Grid
from whet.rng import generator

MOST_CLASSES = 24
"""Classes whose n-grams are shown, the most frequent ones."""
TELLING = 8
MOST_TEXTS = 10_000
"""Training texts that n-grams are counted in."""
MISTAKES = 12
EXCERPT = 240
"""Characters of a text that are shown."""
BINS = 10


def figures(shown: Shown) -> tuple[Figure, ...]:
    """Those that there is something to see in."""
    if shown.task.goal == "multilabel":
        return (per_label(shown),)
    if shown.task.goal != "classify":
        return ()
    found: list[Figure] = [telling(shown)]
    if (shown.predicted.argmax(1) != shown.truth).any():
        found.append(mistakes(shown))
    if shown.data.origin.get("unknown"):
        found.append(known_or_not(shown))
    return tuple(found)


def telling(shown: Shown) -> Grid:
    """The n-grams of training texts with the largest log-count ratio of each class (Wang & Manning 2012)."""
    rows = shown.parts["train"]
    if len(rows) > MOST_TEXTS:
        rows = np.sort(generator(shown.seed, "telling").choice(rows, MOST_TEXTS, replace=False))
    texts, y = shown.data.x.get_column("text").gather(rows).to_list(), shown.data.y[rows]
    often = np.argsort(-np.bincount(y, minlength=shown.task.outputs), kind="stable")[:MOST_CLASSES]
    ratios = log_ratios(texts, y, shown.task.outputs)
    lines = [(shown.task.classes[c], ", ".join(top(ratios, int(c)))) for c in often]
    return Grid("What tells the classes apart", ("class", "words and pairs, the most telling first"), lines)


def log_ratios(texts: Sequence[str], y: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """n-gram -> (C,) log of its share of the class's texts against its share of all others; n-grams of several texts."""
    counts: dict[str, np.ndarray] = {}
    for text, label in zip(texts, y.tolist(), strict=True):
        for gram in set(short_grams(text)):
            counts.setdefault(gram, np.zeros(classes))[label] += 1
    own = np.bincount(y, minlength=classes)
    kept = {gram: c for gram, c in counts.items() if c.sum() >= 3}
    return {
        g: np.log((c + 0.5) / (own + 1)) - np.log((c.sum() - c + 0.5) / (len(y) - own + 1)) for g, c in kept.items()
    }


def short_grams(text: str) -> Iterator[str]:
    """Words and pairs of words."""
    found = words(clean(text))
    yield from found
    yield from (f"{a} {b}" for a, b in pairwise(found))


def top(ratios: dict[str, np.ndarray], label: int) -> list[str]:
    best = sorted(ratios, key=lambda gram: (-ratios[gram][label], gram))
    return [gram for gram in best[:TELLING] if ratios[gram][label] > 0]


def mistakes(shown: Shown) -> Grid:
    """Test texts whose class was missed, the surest first."""
    predicted, truth, names = shown.predicted, shown.truth, shown.task.classes
    wrong = np.flatnonzero(predicted.argmax(1) != truth)
    wrong = wrong[np.argsort(-predicted[wrong].max(1), kind="stable")][:MISTAKES]
    texts = shown.data.x.get_column("text").gather(shown.parts["test"][wrong]).to_list()
    lines = [
        (excerpt(text), names[truth[i]], names[predicted[i].argmax()], f"{predicted[i].max():.0%}")
        for i, text in zip(wrong.tolist(), texts, strict=True)
    ]
    return Grid("The surest mistakes", ("text", "true", "predicted", "how sure"), lines)


def excerpt(text: str) -> str:
    """A text's beginning on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT]} …"


def known_or_not(shown: Shown) -> Bars:
    """How sure the network is of texts of its classes, and of others."""
    strange = shown.network.predict(shown.data.x[np.asarray(shown.data.origin["unknown"])]).max(1)
    edges = np.linspace(0, 1, BINS + 1)
    shares = {
        name: (np.histogram(said, edges)[0] / max(1, len(said))).tolist()
        for name, said in (("known classes", shown.predicted.max(1)), ("out of scope", strange))
    }
    labels = [f"{low:.1f} to {high:.1f}" for low, high in pairwise(edges)]
    return Bars("How sure it is of known and of unknown texts", labels, shares, y_label="share of the texts")


def per_label(shown: Shown) -> Grid:
    """How well each label is given."""
    from whet.tasks.multilabel import THRESHOLD, average_precision

    lines = []
    for i, name in enumerate(shown.task.classes):
        there, given = shown.truth[:, i] > 0, shown.predicted[:, i] >= THRESHOLD
        right = (there & given).sum()
        ranked = average_precision(there, shown.predicted[:, i]) if there.any() else float("nan")
        lines.append((name, int(there.sum()), share(right, given.sum()), share(right, there.sum()), f"{ranked:.3f}"))
    return Grid("Each label", ("label", "test texts", "precision", "recall", "average precision"), lines)


def share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def counted_words(texts: Sequence[str]) -> Counter[str]:
    """How often each word occurs."""
    return Counter(word for text in texts for word in words(clean(text)))
