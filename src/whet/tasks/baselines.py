"""What simple models reach on the same rows: the yardsticks beside a network's score.

Each is fitted on training rows only, within a number of seconds: a small fit tells how many rows, and how many rounds, there
is time for. What can't be afforded is skipped, with the reason.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from whet.rng import generator

PILOT_ROWS = 2000
FEWEST_ROWS = 200
"""With fewer affordable rows a baseline is skipped."""
FEW_ROUNDS = 10
"""Rounds of the pilot and of the first stage."""
DENSE = 1000
"""Columns up to which one-hot features are a dense array."""
PIXELS = 32
"""Images are thinned out to at most so many pixels a side for the linear baseline."""
IMAGE_ROWS = 10_000
TREE_ROUNDS = 100
"""Rounds of boosting: scikit-learn's default."""
LINEAR_ROUNDS = 200
"""Steps of the solver (L-BFGS); it stops by itself when it has converged."""
MOST_CATEGORIES = 255
"""What scikit-learn's boosted trees take as a category; longer columns are read as numbers."""


@dataclass(frozen=True, eq=False)
class Features:
    """What a baseline sees: a table's transformed columns, or images."""

    numeric: np.ndarray
    """(n, F) float, without missing values. Images: uint8 (n, height, width, channels)."""
    category: np.ndarray
    """(n, K) int64 indices, 0 for unseen; (n, 0) for images."""
    cardinalities: tuple[int, ...] = ()

    @classmethod
    def images(cls, x: np.ndarray) -> Features:
        """Images as features."""
        return cls(x, np.empty((len(x), 0), np.int64))

    def __len__(self) -> int:
        return len(self.numeric)

    def rows(self, rows: np.ndarray) -> Features:
        """Some of the rows."""
        return Features(self.numeric[rows], self.category[rows], self.cardinalities)


@dataclass(frozen=True, eq=False)
class Baseline:
    """What a simple model predicts for the test rows."""

    name: str
    """"majority", "mean", "linear" or "trees"."""
    predicted: np.ndarray | None
    """(n, C) probabilities or (n,) values; None if it was skipped."""
    seconds: float
    note: str = ""
    """What was cut short, or why it was skipped; empty: nothing."""


def baselines(
    train: Features,
    y: np.ndarray,
    test: Features,
    *,
    goal: str,
    outputs: int,
    seconds: float,
    threads: int,
    seed: int = 0,
) -> tuple[Baseline, ...]:
    """All baselines that make sense for this kind of data, in about `seconds` together (scikit-learn's import apart)."""
    image = train.numeric.ndim == 4
    shares = {"linear": 0.9} if image else {"linear": 0.35, "trees": 0.6}
    made = [constant(y, len(test), goal=goal, outputs=outputs)]
    left = seconds
    for name, share in shares.items():
        cap = left if name == "trees" else seconds * share
        fit = linear if name == "linear" else trees
        try:
            found = fit(train, y, test, goal=goal, outputs=outputs, seconds=cap, threads=threads, seed=seed)
        except ValueError as error:  # a yardstick that can't be laid is no reason to stop
            found = Baseline(name, None, 0.0, f"skipped: {str(error).splitlines()[0]}")
        left -= found.seconds
        made.append(found)
    return tuple(made)


def constant(y: np.ndarray, n_test: int, *, goal: str, outputs: int) -> Baseline:
    """The same answer for every row: the class shares (so the majority wins), or the mean."""
    if goal == "regress":
        return Baseline("mean", np.full(n_test, float(np.mean(y))), 0.0)
    shares = np.bincount(y.astype(np.int64), minlength=outputs) / len(y)
    return Baseline("majority", np.tile(shares, (n_test, 1)), 0.0)


def linear(
    train: Features,
    y: np.ndarray,
    test: Features,
    *,
    goal: str,
    outputs: int,
    seconds: float,
    threads: int,
    seed: int = 0,
) -> Baseline:
    """Logistic regression or ridge on standardised numbers and one-hot categories, or on pixels."""
    from sklearn.linear_model import LogisticRegression, Ridge

    def begin(rows: np.ndarray) -> _Fit:
        seen = train.rows(rows)
        design = _Design(seen)
        model = LogisticRegression(warm_start=True) if goal == "classify" else Ridge()
        return _Fit(model, design(seen), y[rows], design)

    rounds = LINEAR_ROUNDS if goal == "classify" else 1
    most = IMAGE_ROWS if train.numeric.ndim == 4 else len(train)
    return _fit_in_time("linear", begin, y, test, goal, outputs, rounds, most, seconds, threads, seed)


def trees(
    train: Features,
    y: np.ndarray,
    test: Features,
    *,
    goal: str,
    outputs: int,
    seconds: float,
    threads: int,
    seed: int = 0,
) -> Baseline:
    """Gradient-boosted trees with scikit-learn's defaults. Tables only."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if goal == "classify" else HistGradientBoostingRegressor
    short = np.array([c <= MOST_CATEGORIES for c in train.cardinalities], bool)
    mask = np.concatenate([np.zeros(train.numeric.shape[1], bool), short])

    def design(features: Features) -> np.ndarray:
        return np.concatenate([features.numeric, features.category.astype(np.float32)], 1)

    def begin(rows: np.ndarray) -> _Fit:
        chosen = mask if mask.any() else None
        # Early stopping would set rows aside by class, which a class with one training row does not survive.
        model = kind(random_state=seed % 2**32, warm_start=True, categorical_features=chosen, early_stopping=False)
        return _Fit(model, design(train.rows(rows)), y[rows], design)

    return _fit_in_time("trees", begin, y, test, goal, outputs, TREE_ROUNDS, len(train), seconds, threads, seed)


@dataclass(eq=False)
class _Fit:
    """A model that is fitted in stages, each going on where the one before stopped."""

    model: Any
    x: Any
    y: np.ndarray
    design: Callable[[Features], Any]

    def until(self, rounds: int, *, more: int) -> float:
        """Go on to `rounds` rounds in all, `more` than before; gives the seconds it took."""
        began = time.perf_counter()
        if hasattr(self.model, "early_stopping"):
            self.model.set_params(max_iter=rounds)
        elif hasattr(self.model, "warm_start"):
            self.model.set_params(max_iter=more)
        self.model.fit(self.x, self.y)
        return time.perf_counter() - began


def _fit_in_time(
    name: str,
    begin: Callable[[np.ndarray], _Fit],
    y: np.ndarray,
    test: Features,
    goal: str,
    outputs: int,
    rounds: int,
    most: int,
    seconds: float,
    threads: int,
    seed: int,
) -> Baseline:
    """Pilot on few rows -> as many rows as there is time for, a few rounds -> as many rounds as there is time for."""
    order = generator(seed, "baseline").permutation(len(y))
    if goal == "classify":
        order = _every_class_first(order, y)
    with _quiet(threads):
        begin(order[:FEWEST_ROWS]).until(1, more=1)  # what only the first call costs is not ours to count
        began = time.perf_counter()

        def left() -> float:
            return seconds - (time.perf_counter() - began)

        few = min(rounds, FEW_ROUNDS)
        pilot = order[:PILOT_ROWS]
        cost = begin(pilot).until(few, more=few)
        rows = min(most, len(y), int(len(pilot) * left() / (2 * cost)))
        if rows < min(FEWEST_ROWS, len(y)):
            return Baseline(name, None, seconds - left(), f"skipped: {max(0.0, seconds):.2g} s are too short for it")
        fit = begin(order[:rows])
        cost = fit.until(few, more=few)
        done = few
        if rounds > few and (more := min(rounds - few, int(few * left() / (1.2 * cost)))) >= few:
            fit.until(few + more, more=more)
            done += more
        predicted = _predict(fit.model, fit.design(test), goal, outputs)
    return Baseline(name, predicted, seconds - left(), _cut(rows, len(y), done if done < rounds else 0))


def _every_class_first(order: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The order with a row of each class at its start, so that every small fit knows all classes."""
    shuffled = y[order]
    first = np.unique(shuffled, return_index=True)[1]
    rest = np.ones(len(order), bool)
    rest[first] = False
    return np.concatenate([order[first], order[rest]])


def _predict(model: Any, features: Any, goal: str, outputs: int) -> np.ndarray:
    if goal == "regress":
        return np.asarray(model.predict(features), np.float64).ravel()
    known = model.predict_proba(features)
    full = np.zeros((len(known), outputs))
    full[:, np.asarray(model.classes_, np.int64)] = known
    return full


def _cut(rows: int, of: int, rounds: int) -> str:
    parts = [f"{rows:,} of {of:,} rows"] * (rows < of) + [f"{rounds} rounds"] * (rounds > 0)
    return f"cut to {' and '.join(parts)}" if parts else ""


class _Design:
    """Features -> standardised columns and one-hot categories: dense, or sparse where there are many columns."""

    def __init__(self, train: Features) -> None:
        self.cardinalities = train.cardinalities
        numeric = self._numbers(train)
        self.mean = numeric.mean(0)
        spread = numeric.std(0)
        # Pixels share one scale: the dark ones at the rim would be blown up otherwise.
        self.spread = np.full_like(spread, max(float(spread.mean()), 1e-6)) if train.numeric.ndim == 4 else spread
        self.spread[self.spread < 1e-6] = 1

    def __call__(self, features: Features) -> Any:
        numeric = (self._numbers(features) - self.mean) / self.spread
        if not self.cardinalities:
            return numeric
        width = sum(self.cardinalities)
        offsets = np.cumsum([0, *self.cardinalities[:-1]])
        columns = features.category + offsets
        if numeric.shape[1] + width <= DENSE:
            hot = np.zeros((len(features), width), np.float32)
            np.put_along_axis(hot, columns, 1, 1)
            return np.concatenate([numeric, hot], 1)
        from scipy import sparse

        n, k = columns.shape
        ones = np.ones(n * k, np.float32)
        hot = sparse.csr_array((ones, columns.ravel(), np.arange(0, n * k + 1, k)), (n, width))
        return sparse.csr_matrix(sparse.hstack([sparse.csr_array(numeric), hot]))

    @staticmethod
    def _numbers(features: Features) -> np.ndarray:
        x = features.numeric
        if x.ndim == 4:
            rows, columns = (max(1, -(-side // PIXELS)) for side in x.shape[1:3])
            x = x[:, ::rows, ::columns].reshape(len(x), -1).astype(np.float32) / 255
        return x.astype(np.float32, copy=False)


@contextlib.contextmanager
def _quiet(threads: int) -> Iterator[None]:
    """At most `threads` threads, and no word about fits that were stopped early on purpose."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    with threadpool_limits(limits=threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
