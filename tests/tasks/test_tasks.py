"""Tasks are plain data; baselines answer for every row, see training rows only, and keep to their time."""

import importlib
import json

import numpy as np
import pytest

from whet.errors import UserError
from whet.tasks import Features, Task, baselines, make_task
from whet.tasks.baselines import constant, linear, trees

RANDOM = np.random.default_rng(0)


def table(n=400):
    numeric = RANDOM.normal(size=(n, 3)).astype(np.float32)
    category = RANDOM.integers(0, 4, (n, 2))
    y = numeric[:, 0] + (category[:, 0] == 2) * 2 + 0.1 * RANDOM.normal(size=n)
    return Features(numeric, category, (4, 4)), y


def halves(features, y):
    rows = np.arange(len(y))
    return features.rows(rows[::2]), y[::2], features.rows(rows[1::2]), y[1::2]


def test_a_task_survives_json():
    task = make_task("table", "classify", ("a", "b"), "label")
    assert (task.name, task.outputs, task.metric, task.direction) == ("table-classification", 2, "accuracy", "max")
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


def test_a_regression_task_scores_in_the_targets_unit():
    task = make_task("table", "regress", (), "price")
    assert (task.name, task.outputs, task.metric, task.direction) == ("table-regression", 1, "rmse", "min")
    y, p = np.array([1.0, 2.0]), np.array([2.0, 3.0])
    assert task.score(y, p) == 1
    assert set(task.scores(y, p)) == {"rmse", "mae", "r2"}
    assert task.better(0.5, 1.0)


def test_a_metric_of_the_other_goal_is_refused():
    with pytest.raises(UserError, match="does not fit"):
        make_task("table", "regress", (), "price", metric_name="accuracy")


@pytest.mark.parametrize("goal", ["classify", "regress"])
def test_baselines_beat_the_constant_answer(goal):
    features, y = table()
    y = (y > 0).astype(np.int64) if goal == "classify" else y
    task = make_task("table", goal, ("n", "p") if goal == "classify" else (), "t")
    train, y_train, test, y_test = halves(features, y)
    found = baselines(train, y_train, test, goal=goal, outputs=task.outputs, seconds=60, threads=1)
    scores = {b.name: task.score(y_test, b.predicted) for b in found}
    assert list(scores) == ["majority" if goal == "classify" else "mean", "linear", "trees"]
    first, linear_score, trees_score = scores.values()
    assert task.better(linear_score, first)
    assert task.better(trees_score, first)
    if goal == "classify":
        np.testing.assert_allclose(found[2].predicted.sum(1), 1, rtol=1e-6)


def test_ridge_on_exactly_linear_data_is_exact():
    features, _ = table(600)
    y = features.numeric @ np.array([1.0, -2.0, 0.5]) + 3 * (features.category[:, 1] == 1)
    train, y_train, test, y_test = halves(features, y)
    found = linear(train, y_train, test, goal="regress", outputs=1, seconds=60, threads=1)
    assert np.abs(found.predicted - y_test).max() < 0.1


def test_many_categories_take_the_sparse_way_to_the_same_answer(monkeypatch):
    features, y = table()
    train, y_train, test, _ = halves(features, y)
    dense = linear(train, y_train, test, goal="regress", outputs=1, seconds=60, threads=1)
    monkeypatch.setattr(importlib.import_module("whet.tasks.baselines"), "DENSE", 1)
    sparse = linear(train, y_train, test, goal="regress", outputs=1, seconds=60, threads=1)
    np.testing.assert_allclose(dense.predicted, sparse.predicted, atol=1e-3)


def test_images_have_a_linear_baseline():
    y = np.arange(300) % 3
    x = RANDOM.integers(0, 80, (300, 40, 40, 1)).astype(np.uint8)
    for i, label in enumerate(y):
        x[i, :, label * 12 : label * 12 + 6] += 150
    found = baselines(
        Features.images(x[:200]), y[:200], Features.images(x[200:]), goal="classify", outputs=3, seconds=60, threads=1
    )
    assert [b.name for b in found] == ["majority", "linear"]
    assert (found[1].predicted.argmax(1) == y[200:]).mean() > 0.95


def test_a_class_that_training_never_saw_has_no_probability():
    features, y = table()
    labels = np.where(y > 0, 2, 0)
    found = trees(features, labels, features, goal="classify", outputs=4, seconds=60, threads=1)
    assert found.predicted.shape == (400, 4)
    assert (found.predicted[:, [1, 3]] == 0).all()
    assert constant(labels, 2, goal="classify", outputs=4).predicted[0, 1] == 0


@pytest.mark.parametrize("fit", [linear, trees])
def test_what_can_not_be_afforded_is_skipped_with_a_reason(fit):
    features, y = table()
    found = fit(features, y, features, goal="regress", outputs=1, seconds=0.0, threads=1)
    assert found.predicted is None
    assert "too short" in found.note
