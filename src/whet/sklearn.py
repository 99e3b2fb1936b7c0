"""scikit-learn estimators: `whet.fit` for those who hold arrays and want `fit` and `predict`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from whet.data.core import Data
from whet.errors import UserError
from whet.improve import train
from whet.network import Network


class _Estimator(BaseEstimator):
    """What both estimators share. The search sees all rows that `fit` is given; keep test rows to yourself."""

    network_: Network

    def __init__(self, budget: str | float = "60s", *, steps: int | None = None, seed: int = 0) -> None:
        self.budget = budget
        self.steps = steps
        self.seed = seed

    def _train(self, x: np.ndarray, y: np.ndarray, goal: str, classes: tuple[str, ...]) -> None:
        frame = pl.DataFrame({f"x{i}": x[:, i].astype(np.float64) for i in range(x.shape[1])})
        columns = [{"name": name, "kind": "number"} for name in frame.columns]
        data = Data("data", "table", frame, y, goal, classes, "y", origin={"columns": columns})
        try:
            with tempfile.TemporaryDirectory(prefix="whet-") as folder:
                self.network_ = train(data, Path(folder), budget=self.budget, steps=self.steps, seed=self.seed)
                self.network_.model.double()
        except UserError as error:
            raise ValueError(str(error)) from error

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        checked = validate_data(self, x, reset=False)
        frame = pl.DataFrame({f"x{i}": checked[:, i].astype(np.float64) for i in range(checked.shape[1])})
        # In double precision: a row's prediction must not depend on the rows beside it, not even in the last digits.
        transform: Any = self.network_.transform
        inputs = transform.apply(frame)
        return self.network_.from_tensors(tuple(t.double() if t.is_floating_point() else t for t in inputs))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.steps is None  # by the clock, a run ends where the machine lets it
        return tags


class WhetClassifier(ClassifierMixin, _Estimator):
    """A classifier for tables of numbers, trained within `budget` of wall-clock, or for exactly `steps` steps.

    After `fit`: `classes_`, `network_`.
    """

    def fit(self, X: Any, y: Any) -> WhetClassifier:
        """Train on X (n, features) and y (n,). Raises ValueError for what can't be learned from."""
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has only one class, {self.classes_[0]!r}: there is nothing to classify.")
        self._train(X, index.astype(np.int64), "classify", tuple(map(str, self.classes_)))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes), in the order of `classes_`."""
        return self._outputs(X).astype(np.float64)

    def predict(self, X: Any) -> np.ndarray:
        """(n,) the most probable class."""
        check_is_fitted(self)
        return self.classes_[self._outputs(X).argmax(1)]


class WhetRegressor(RegressorMixin, _Estimator):
    """A regressor for tables of numbers, trained within `budget` of wall-clock, or for exactly `steps` steps.

    After `fit`: `network_`.
    """

    def fit(self, X: Any, y: Any) -> WhetRegressor:
        """Train on X (n, features) and y (n,). Raises ValueError for what can't be learned from."""
        X, y = validate_data(self, X, y, y_numeric=True, ensure_min_samples=2)
        self._train(X, np.asarray(y, np.float64), "regress", ())
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(n,) values in the target's own units."""
        return self._outputs(X)
