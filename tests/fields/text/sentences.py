"""Generated sentences whose class can be told from their words: no data set, no network."""

from __future__ import annotations

import numpy as np

PLACES = ("paris", "oslo", "the old harbour", "a small village", "the northern coast", "rome")
FOOD = ("soup", "fresh bread", "grilled fish", "an apple cake", "green tea", "pepper stew")
TONES = {
    "travel": (
        "we took the train to {p} and stayed",
        "the road to {p} was long and quiet",
        "a map of {p} lay on the seat",
    ),
    "food": (
        "the cook served {f} with salt",
        "she tasted {f} and asked for more",
        "a plate of {f} came from the kitchen",
    ),
    "weather": ("rain fell on {p} all morning", "the wind in {p} turned cold at night", "snow covered {p} by evening"),
}
ENDS = ("yesterday", "again", "before noon", "with friends", "in the end", "for a while", "as planned", "twice")


def texts(rows: int, seed: int = 0, classes: int = 3) -> tuple[list[str], list[str]]:
    """(texts, labels), nearly all of them different."""
    random = np.random.default_rng(seed)
    names = list(TONES)[:classes]
    found, labels = [], []
    for _ in range(rows):
        label = names[random.integers(len(names))]
        form = TONES[label][random.integers(3)]
        text = form.format(p=PLACES[random.integers(6)], f=FOOD[random.integers(6)])
        found.append(f"{text} {ENDS[random.integers(8)]} , said number {random.integers(1000)}")
        labels.append(label)
    return found, labels


def csv(rows: int, seed: int = 0, classes: int = 3) -> str:
    """The same as a CSV with the columns text and label."""
    lines = [f'"{text}",{label}' for text, label in zip(*texts(rows, seed, classes), strict=True)]
    return "\n".join(["text,label", *lines, ""])
