"""Metrics of anomalies against slow twins and values known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from whet.tasks.detect import GOAL, at_threshold, average_precision, best_f1
from whet.tasks.detect_ranges import extended, nab, probation, range_areas, runs, vus


@pytest.fixture
def tied() -> tuple[np.ndarray, np.ndarray]:
    """Labels in windows, and scores with many ties."""
    random = np.random.default_rng(0)
    labels = np.zeros(300, bool)
    labels[[*range(70, 90), *range(200, 203)]] = True
    return labels, np.round(random.random(300) + 0.4 * labels, 1)


def test_auc_pr_and_auc_roc_are_scikit_learns(tied):
    labels, scores = tied
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))
    assert GOAL.metrics["auc_roc"].function(labels.astype(float), scores) == pytest.approx(
        roc_auc_score(labels, scores)
    )


def test_the_best_f1_is_the_best_over_every_threshold(tied):
    labels, scores = tied
    slow = max(at_threshold(labels.astype(float), scores, t - 1e-9)["f1"] for t in np.unique(scores))
    assert best_f1(labels, scores) == pytest.approx(slow)


def test_at_a_threshold_everything_is_counted():
    found = at_threshold(np.array([1.0, 1.0, 0.0, 0.0, np.nan]), np.array([3.0, 1.0, 2.0, 1.8, 9.0]), 1.5)
    assert found == {"f1": 0.4, "precision": 1 / 3, "recall": 0.5, "false_alarm_rate": 1.0}


def test_metrics_are_means_over_the_series_that_have_anomalies():
    truth = np.array([[1, 0], [0, 0], [0, 1], [0, 1], [0, 2], [1, 2]], float)
    scores = np.array([9.0, 1, 5, 6, 8, 2])
    assert GOAL.metrics["auc_roc"].function(truth, scores) == 0.5  # 1 and 0; the second series has no anomaly


def test_without_labels_of_both_kinds_metrics_are_undefined():
    for truth in (np.zeros(4), np.full(4, np.nan)):
        assert all(np.isnan(m.function(truth, np.arange(4.0))) for m in (GOAL.metrics[n] for n in GOAL.also))


def slow_areas(labels: np.ndarray, scores: np.ndarray, reach: int) -> tuple[float, float]:
    """The definition, threshold by threshold (Paparrizos et al. 2022, eq. 2-7)."""
    soft = np.zeros(len(labels))
    for i in range(len(labels)):
        for start, end in runs(labels):
            away = max(start - i, i - (end - 1), 0)
            soft[i] = max(soft[i], 1.0 if away == 0 else np.sqrt(1 - away / reach) if away <= reach // 2 else 0.0)
    assert np.allclose(soft, extended(labels, reach))
    positives = (labels.sum() + soft.sum()) / 2
    points = []
    for threshold in sorted(set(scores), reverse=True):
        flagged = scores >= threshold
        hits = soft[flagged].sum()
        touched = np.mean([flagged[a:b].any() for a, b in runs(soft > 0)])
        recall = min(hits / positives, 1) * touched
        points.append(((flagged.sum() - hits) / (len(labels) - positives), recall, hits / flagged.sum()))
    roc = pr = 0.0
    before = (0.0, 0.0)
    for alarms, recall, precision in points:
        roc += (alarms - before[0]) * (recall + before[1]) / 2
        pr += (recall - before[1]) * precision
        before = (alarms, recall)
    return roc + (1 - before[0]) * (1 + before[1]) / 2, pr


@pytest.mark.parametrize("reach", [0, 1, 8, 21])
def test_range_areas_are_those_of_the_definition(tied, reach):
    assert range_areas(*tied, reach) == pytest.approx(slow_areas(*tied, reach))


def test_the_volume_is_the_mean_over_reaches(tied):
    areas = np.array([range_areas(*tied, reach) for reach in range(9)])
    assert vus(*tied, 8) == pytest.approx(tuple(areas.mean(0)))


def test_a_perfect_detector_has_nab_score_100_and_a_silent_one_0():
    labels = np.zeros(200, bool)
    labels[100:120] = labels[160:170] = True
    first = np.zeros(200)
    first[[100, 160]] = 1.0
    assert nab([(labels, first)]) == (pytest.approx(100), 1.0)
    assert nab([(labels, first)], threshold=2.0)[0] == 0


def slow_nab(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """The rules of Lavin & Ahmad 2015, detection by detection."""
    start_at, windows, total = probation(len(labels)), runs(labels), 0.0

    def sigmoid(y: float) -> float:
        return 2 / (1 + np.exp(5 * y)) - 1 if y <= 3 else 2 / (1 + np.exp(15)) - 1

    for a, b in windows:
        hits = [i for i in range(max(a, start_at), b) if scores[i] > threshold]
        total += sigmoid(-(b - hits[0]) / (b - a)) / sigmoid(-1.0) if hits else -1.0
    for i in range(start_at, len(labels)):
        if scores[i] > threshold and not labels[i]:
            behind = [(a, b) for a, b in windows if b <= i]
            total += 0.11 * (sigmoid((i - behind[-1][1] + 1) / (behind[-1][1] - behind[-1][0] - 1)) if behind else -1.0)
    return float(100 * (total + len(windows)) / (2 * len(windows)))


@pytest.mark.parametrize("threshold", [0.35, 0.85, 1.15])
def test_the_nab_score_is_what_its_rules_give(tied, threshold):
    assert nab([tied], threshold)[0] == pytest.approx(slow_nab(*tied, threshold))


def test_the_best_nab_threshold_is_the_best_of_all(tied):
    labels, scores = tied
    levels = [*(np.unique(scores) - 1e-9), 9.0]
    assert nab([tied])[0] == pytest.approx(max(slow_nab(labels, scores, t) for t in levels))
