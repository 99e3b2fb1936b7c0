"""Metrics against scikit-learn's, and their intervals against what theory says."""

import numpy as np
import pytest
from sklearn import metrics as reference

from whet.errors import UnknownName
from whet.tasks.goals import goal
from whet.tasks.metrics import METRICS, calibrated_surprise, ci95, log_loss, metric, wilson

RANDOM = np.random.default_rng(0)


def classes(n=500, c=3, ties=False):
    y = RANDOM.integers(0, c, n)
    p = RANDOM.random((n, c)) + np.eye(c)[y] * 0.5
    p = np.round(p, 1) + 0.05 if ties else p
    return y, p / p.sum(1, keepdims=True)


def test_classification_metrics_agree_with_scikit_learn():
    y, p = classes()
    assert METRICS["accuracy"].function(y, p) == reference.accuracy_score(y, p.argmax(1))
    assert METRICS["log_loss"].function(y, p) == pytest.approx(reference.log_loss(y, p))
    expected = reference.roc_auc_score(y, p, multi_class="ovr")
    assert METRICS["auc"].function(y, p) == pytest.approx(expected)


def test_calibrated_surprise_is_the_lowest_that_a_temperature_reaches():
    y, p = classes()
    tried = [log_loss(y, q / q.sum(1, keepdims=True)) for q in (p**power for power in np.geomspace(0.05, 20, 2001))]
    assert calibrated_surprise(y, p).mean() == pytest.approx(min(tried), rel=1e-4)


def test_calibrated_surprise_does_not_ask_how_sure_the_probabilities_are():
    y, p = classes()
    sure = p**3 / (p**3).sum(1, keepdims=True)
    assert calibrated_surprise(y, sure) == pytest.approx(calibrated_surprise(y, p), rel=1e-2)
    assert np.isfinite(calibrated_surprise(y, np.eye(3)[(y + 1) % 3])).all(), "certain, and always wrong"


def test_of_equal_errors_the_rows_of_a_classifier_tell_the_better_one():
    y, p = classes()
    judge = goal("classify").row_losses
    blurred = 0.5 * p + 0.5 * np.roll(p, 7, axis=0)
    same = np.where(blurred.argmax(1) == p.argmax(1))[0]
    assert judge(y[same], p[same], None).mean() < judge(y[same], blurred[same], None).mean()


def test_auc_of_two_classes_agrees_with_ties():
    y, p = classes(c=2, ties=True)
    assert METRICS["auc"].function(y, p) == pytest.approx(reference.roc_auc_score(y, p[:, 1]))
    assert METRICS["auc"].function(y, p[:, 1]) == pytest.approx(reference.roc_auc_score(y, p[:, 1]))


def test_regression_metrics_agree_with_scikit_learn():
    y = RANDOM.normal(5, 2, 300)
    p = y + RANDOM.normal(size=300)
    assert METRICS["rmse"].function(y, p) == pytest.approx(reference.root_mean_squared_error(y, p))
    assert METRICS["mae"].function(y, p) == pytest.approx(reference.mean_absolute_error(y, p))
    assert METRICS["r2"].function(y, p) == pytest.approx(reference.r2_score(y, p))
    assert METRICS["rmse"].function(y, p[:, None]) == METRICS["rmse"].function(y, p)


def test_metrics_without_a_value_are_nan():
    assert np.isnan(METRICS["auc"].function(np.zeros(3, int), np.ones((3, 2)) / 2))
    assert np.isnan(METRICS["r2"].function(np.ones(3), np.ones(3)))
    assert np.isnan(ci95("auc", np.zeros(3, int), np.ones((3, 2)) / 2)[0])


def test_a_sure_and_wrong_answer_costs_a_finite_log_loss():
    value = METRICS["log_loss"].function(np.array([0]), np.array([[0.0, 1.0]]))
    assert value == pytest.approx(reference.log_loss([0], np.array([[0.0, 1.0]]), labels=[0, 1]))


def test_better_follows_the_direction_and_nan_is_worst():
    assert METRICS["accuracy"].better(0.9, 0.8)
    assert METRICS["rmse"].better(0.8, 0.9)
    assert METRICS["rmse"].better(0.8, float("nan"))
    assert not METRICS["rmse"].better(float("nan"), 0.8)


def test_a_misspelt_metric_offers_the_nearest():
    with pytest.raises(UnknownName, match="accuracy"):
        metric("acuracy")


def test_wilson_agrees_with_a_known_value_and_stays_in_range():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10)[0] == 0
    assert 0.9999 < wilson(10, 10)[1] <= 1


@pytest.mark.parametrize("name", ["rmse", "mae", "r2", "auc", "log_loss", "accuracy"])
def test_intervals_hold_the_value_and_repeat_under_a_seed(name):
    if name in goal("classify").metrics:
        y, p = classes(c=3 if name == "auc" else 2)
    else:
        y = RANDOM.normal(size=400)
        p = y + RANDOM.normal(size=400)
    low, high = ci95(name, y, p, seed=3)
    assert low < metric(name).function(y, p) < high
    assert (low, high) == ci95(name, y, p, seed=3)


def test_a_bootstrap_interval_is_as_wide_as_theory_says():
    error = RANDOM.normal(size=4000)
    low, high = ci95("mae", np.zeros(4000), error)
    assert high - low == pytest.approx(2 * 1.96 * np.abs(error).std() / np.sqrt(4000), rel=0.1)


def test_grouping_many_rows_keeps_the_width():
    error = RANDOM.normal(size=100_000)
    low, high = ci95("mae", np.zeros(100_000), error)
    assert high - low == pytest.approx(2 * 1.96 * np.abs(error).std() / np.sqrt(100_000), rel=0.15)


def test_the_width_of_an_auc_interval_agrees_with_hanley_and_mcneil():
    y = np.repeat([0, 1], 1000)
    score = RANDOM.normal(size=2000) + y
    area = METRICS["auc"].function(y, score)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + 999 * (q1 - area**2) + 999 * (q2 - area**2)) / 1e6
    low, high = ci95("auc", y, score)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.2)
