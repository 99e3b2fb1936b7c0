"""The yardstick for tables: gradient-boosted trees with scikit-learn's defaults, but for a ridge on the leaves, and for leaves
that are smaller where rows are few."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from whet.tasks.features import Baseline, Features, Wanted
from whet.tasks.timed import fit_in_time

ROUNDS = 100
"""Rounds of boosting: scikit-learn's default."""
ROWS_PER_THREAD = 100_000
"""Another thread for each so many rows: 32,000 rows take 0.5 s on one thread, and on two beside busy processes 50 s,
because the threads wait for each other thousands of times."""
RIDGE = 1.0
"""Added to each leaf's second derivative, p (1 - p) a row of classes (Chen & Guestrin 2016, XGBoost, eq. 5; its default).
Without it a leaf that holds a row of a class of a few among thousands answers 1 / p, and later rounds follow: docs/log.md."""
LEAF, SHARE, LEAST_LEAF = 20, 1 / 6, 3
"""Rows that a leaf holds at least: scikit-learn's default, or this share of the rows where it is less, but so many. Of 25 to 80
training rows leaves of 20 leave one cut, or none; shares from a quarter to a twelfth were alike (small sets, docs/log.md)."""
MOST_CATEGORIES = 255
"""What scikit-learn's boosted trees take as a category; longer columns are read as numbers."""


def trees(train: Features, y: np.ndarray, test: Features, wanted: Wanted) -> Baseline:
    """Gradient-boosted trees, in about the wanted seconds (scikit-learn's import apart)."""
    ready()
    with _quiet(min(wanted.threads, 1 + len(train) // ROWS_PER_THREAD)):
        return fit_in_time(
            "trees", lambda rows: Trees(train.rows(rows), y[rows], wanted), y, test, wanted, ROUNDS, len(train)
        )


def ready() -> None:
    """Import what the fit needs: its time is not the fit's."""
    import sklearn.ensemble  # noqa: F401
    import threadpoolctl  # type: ignore[import-untyped,unused-ignore]  # noqa: F401


class Trees:
    """Boosted trees on these rows, fitted in stages."""

    def __init__(self, train: Features, y: np.ndarray, wanted: Wanted) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        self.outputs = wanted.outputs if wanted.goal == "classify" else 0
        kind = HistGradientBoostingClassifier if self.outputs else HistGradientBoostingRegressor
        short = np.array([c <= MOST_CATEGORIES for c in train.cardinalities], bool)
        mask = np.concatenate([np.zeros(train.numeric.shape[1], bool), short])
        self.x, self.y = _columns(train), y
        # Early stopping would set rows aside by class, which a class with one training row does not survive.
        self.model: Any = kind(
            random_state=wanted.seed % 2**32,
            warm_start=True,
            categorical_features=mask if mask.any() else None,
            early_stopping=False,
            l2_regularization=RIDGE,
            min_samples_leaf=max(LEAST_LEAF, min(LEAF, round(SHARE * len(y)))),
        )

    def until(self, rounds: int, more: int) -> None:
        self.model.set_params(max_iter=rounds).fit(self.x, self.y)

    def predict(self, test: Features) -> np.ndarray:
        if not self.outputs:
            return np.asarray(self.model.predict(_columns(test)), np.float64).ravel()
        full = np.zeros((len(test), self.outputs))  # classes that training never saw have no probability
        full[:, np.asarray(self.model.classes_, np.int64)] = self.model.predict_proba(_columns(test))
        return full


def _columns(features: Features) -> np.ndarray:
    return np.concatenate([features.numeric, features.category.astype(np.float32)], 1)


@contextlib.contextmanager
def _quiet(threads: int) -> Iterator[None]:
    """At most `threads` threads, and no word about fits that were stopped early on purpose."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    with threadpool_limits(limits=threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
