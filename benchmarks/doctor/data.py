"""Small data for random trainings: scikit-learn's bundled sets and made-up ones, standardised, a few hundred rows each.

Each maker takes a numpy generator and gives (x, y); what it is for stands in its table's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import datasets as D

ROWS = 600
"""At most; two thirds are for training."""
Maker = Callable[[np.random.Generator], tuple[Any, Any]]


def state(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 30))


def spiral(rng: np.random.Generator) -> tuple[Any, Any]:
    t, c = rng.random(ROWS) * 1.5 * np.pi + 0.5, rng.integers(0, 2, ROWS)
    return np.stack([t * np.cos(t + c * np.pi), t * np.sin(t + c * np.pi)], 1) + rng.normal(0, 0.3, (ROWS, 2)), c


def board(rng: np.random.Generator) -> tuple[Any, Any]:
    """Four fields of two colours, and inputs that say nothing."""
    x = rng.uniform(-1, 1, (ROWS, int(rng.integers(2, 5))))
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def rings(rng: np.random.Generator) -> tuple[Any, Any]:
    k = int(rng.integers(2, 4))
    return D.make_gaussian_quantiles(n_samples=ROWS, n_features=2, n_classes=k, random_state=state(rng))


def blobs(rng: np.random.Generator) -> tuple[Any, Any]:
    k, f = int(rng.integers(3, 8)), int(rng.integers(2, 12))
    return D.make_blobs(ROWS, n_features=f, centers=k, cluster_std=1.5, random_state=state(rng))[:2]


def clusters(rng: np.random.Generator) -> tuple[Any, Any]:
    f = int(rng.integers(6, 20))
    return D.make_classification(
        ROWS,
        f,
        n_informative=4,
        n_redundant=1,
        n_classes=int(rng.integers(2, 4)),
        class_sep=1.6,
        random_state=state(rng),
    )


def bundled(name: str) -> Maker:
    return lambda _: getattr(D, f"load_{name}")(return_X_y=True)


def few_digits(rng: np.random.Generator) -> tuple[Any, Any]:
    x, y = D.load_digits(return_X_y=True)
    rows = rng.permutation(len(x))[:900]
    return x[rows], y[rows]


def pictures(rng: np.random.Generator) -> tuple[Any, Any]:
    x, y = few_digits(rng)
    return x.reshape(-1, 1, 8, 8), y


def stripes(rng: np.random.Generator) -> tuple[Any, Any]:
    """Pictures of lying, standing and slanting waves in noise."""
    y = rng.integers(0, 3, ROWS)
    row, column = np.mgrid[0:8, 0:8]
    phase, turn = rng.uniform(0, 6.28, (ROWS, 1, 1)), (y * np.pi / 3)[:, None, None]
    x = np.sin(1.6 * (row * np.cos(turn) + column * np.sin(turn)) + phase) + rng.normal(0, 0.6, (ROWS, 8, 8))
    return x[:, None], y


def friedman(rng: np.random.Generator) -> tuple[Any, Any]:
    return D.make_friedman1(ROWS, n_features=7, noise=0.5, random_state=state(rng))


def sines(rng: np.random.Generator) -> tuple[Any, Any]:
    x = rng.normal(size=(ROWS, 3))
    return x, np.sin(2 * x[:, 0]) + 0.7 * x[:, 1] * x[:, 2]


def plane(rng: np.random.Generator) -> tuple[Any, Any]:
    x = rng.normal(size=(ROWS, 6))
    return x, x @ rng.normal(size=6) + rng.normal(0, 0.3, ROWS)


def motion(rng: np.random.Generator) -> tuple[Any, Any]:
    """Two values at once: where a thrown stone lands, and how high it flew."""
    speed, angle = rng.uniform(1, 3, ROWS), rng.uniform(0.2, 1.4, ROWS)
    x = np.stack([speed, angle, rng.normal(size=ROWS)], 1)
    return x, np.stack([speed**2 * np.sin(2 * angle), (speed * np.sin(angle)) ** 2], 1) + rng.normal(0, 0.1, (ROWS, 2))


def halves(rng: np.random.Generator) -> tuple[Any, Any]:
    """Sequences: is the first half's sum the larger one?"""
    x = rng.normal(size=(ROWS, 8, 2))
    return x, (x[:, :4, 0].sum(1) > x[:, 4:, 0].sum(1)).astype(int)


def tones(rng: np.random.Generator) -> tuple[Any, Any]:
    """Sequences of three pitches in noise."""
    y = rng.integers(0, 3, ROWS)
    t, phase = np.arange(10), rng.uniform(0, 6.28, (ROWS, 1))
    return (np.sin((0.5 + 0.5 * y)[:, None] * t + phase) + rng.normal(0, 0.3, (ROWS, 10)))[:, :, None], y


def running_mean(rng: np.random.Generator) -> tuple[Any, Any]:
    """Sequences to a value: the mean of the last four steps."""
    x = rng.normal(size=(ROWS, 8, 1))
    return x, x[:, -4:, 0].mean(1)


def words(rng: np.random.Generator) -> tuple[Any, Any]:
    """Texts of 20 words: does it have more of the first five words or of the next five?"""
    x = rng.integers(0, 20, (ROWS, 9))
    return x, ((x < 5).sum(1) > ((x >= 5) & (x < 10)).sum(1)).astype(int)


def topics(rng: np.random.Generator) -> tuple[Any, Any]:
    """Texts of 24 words, each class with words that it prefers."""
    y = rng.integers(0, 4, ROWS)
    own = y[:, None] * 6 + rng.integers(0, 6, (ROWS, 8))
    return np.where(rng.random((ROWS, 8)) < 0.5, own, rng.integers(0, 24, (ROWS, 8))), y


def tags(rng: np.random.Generator) -> tuple[Any, Any]:
    """Several labels per row, each one side of a plane of its own."""
    x = rng.normal(size=(ROWS, 8))
    return x, (x @ rng.normal(size=(8, 4)) + 0.5 * rng.normal(size=4) > 0).astype(float)


def low_rank(rng: np.random.Generator) -> tuple[Any, Any]:
    """Rows to be given back: twelve numbers that three make up."""
    x = np.tanh(rng.normal(size=(ROWS, 3)) @ rng.normal(size=(3, 12))) + rng.normal(0, 0.05, (ROWS, 12))
    return x, x


DENSE: dict[str, Maker] = {
    "moons": lambda rng: D.make_moons(ROWS, noise=rng.uniform(0.1, 0.25), random_state=state(rng)),
    "circles": lambda rng: D.make_circles(ROWS, noise=0.1, factor=0.5, random_state=state(rng)),
    "spiral": spiral,
    "board": board,
    "rings": rings,
    "blobs": blobs,
    "clusters": clusters,
    "iris": bundled("iris"),
    "wine": bundled("wine"),
    "breast_cancer": bundled("breast_cancer"),
    "digits": few_digits,
}
VALUES: dict[str, Maker] = {
    "friedman": friedman,
    "sines": sines,
    "plane": plane,
    "motion": motion,
    "diabetes": bundled("diabetes"),
}
PICTURES: dict[str, Maker] = {"pictures": pictures, "stripes": stripes}
SEQUENCES: dict[str, Maker] = {"halves": halves, "tones": tones, "running_mean": running_mean}
TEXTS: dict[str, Maker] = {"words": words, "topics": topics}
LABELS: dict[str, Maker] = {"tags": tags}
SELVES: dict[str, Maker] = {"low_rank": low_rank}
