"""The scikit-learn estimators: scikit-learn's own checks, and what they promise beyond."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from whet import WhetClassifier, WhetRegressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    "estimator", [WhetClassifier(steps=40), WhetRegressor(steps=40)], ids=lambda e: type(e).__name__
)
def test_scikit_learns_own_checks_pass(estimator: WhetClassifier | WhetRegressor) -> None:
    check_estimator(estimator)


def test_it_learns_and_cross_validates() -> None:
    x, y = load_iris(return_X_y=True)
    assert cross_val_score(WhetClassifier(steps=150), x, y, cv=3).mean() > 0.9
    x, y = load_diabetes(return_X_y=True)
    assert WhetRegressor(steps=150).fit(x[:350], y[:350]).score(x[350:], y[350:]) > 0.35


def test_classes_keep_their_names() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    fitted = WhetClassifier(steps=100).fit(x, names)
    assert set(fitted.predict(x)) <= set(names)
    assert fitted.predict_proba(x).sum(1) == pytest.approx(np.ones(len(x)), abs=1e-5)


def test_a_budget_that_is_no_time_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="budget"):
        WhetClassifier(budget="soon").fit(np.eye(4), [0, 1, 0, 1])
