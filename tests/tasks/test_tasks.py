"""Tasks are plain data; baselines answer for every row, see training rows only, and keep to their time."""

import contextlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from whet.errors import UserError
from whet.tasks import Features, Task, aside, baselines, make_task
from whet.tasks.baselines import constant
from whet.tasks.features import Wanted
from whet.tasks.linear import linear
from whet.tasks.trees import trees

RANDOM = np.random.default_rng(0)


def table(n=400):
    numeric = RANDOM.normal(size=(n, 3)).astype(np.float32)
    category = RANDOM.integers(0, 4, (n, 2))
    y = numeric[:, 0] + (category[:, 0] == 2) * 2 + 0.1 * RANDOM.normal(size=n)
    return Features(numeric, category, (4, 4)), y


def halves(features, y):
    rows = np.arange(len(y))
    return features.rows(rows[::2]), y[::2], features.rows(rows[1::2]), y[1::2]


@contextlib.contextmanager
def sklearn_unknown():
    """As in a process that has not imported scikit-learn."""
    known = sys.modules.pop("sklearn")
    try:
        yield
    finally:
        sys.modules["sklearn"] = known


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
    found = baselines(train, y_train, test, goal=goal, outputs=task.outputs, seconds=600, threads=1)
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
    found = linear(train, y_train, test, Wanted("regress", 1, 600))
    assert np.abs(found.predicted - y_test).max() < 0.1


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_baseline_is_scikit_learns_logistic_regression(classes):
    features, y = table()
    labels = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    found = linear(features, labels, features, Wanted("classify", classes, 60)).predicted
    hot = [np.eye(4)[features.category[:, k]] for k in range(2)]
    numbers = (features.numeric - features.numeric.mean(0)) / features.numeric.std(0)
    design = np.concatenate([numbers, *hot], 1)
    wanted = LogisticRegression(tol=1e-8).fit(design, labels).predict_proba(design)
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_the_linear_baseline_is_scikit_learns_ridge():
    features, y = table()
    found = linear(features, y, features, Wanted("regress", 1, 600)).predicted
    hot = [np.eye(4)[features.category[:, k]] for k in range(2)]
    numbers = (features.numeric - features.numeric.mean(0)) / features.numeric.std(0)
    design = np.concatenate([numbers, *hot], 1)
    np.testing.assert_allclose(found, Ridge().fit(design, y).predict(design), atol=2e-3 * y.std())


def test_images_and_their_linear_baseline_do_not_import_scikit_learn():
    lines = [
        "import sys, numpy as np",
        "from whet.tasks import Features, baselines",
        "x = Features.images(np.eye(8, dtype=np.uint8).reshape(8, 8, 1, 1).repeat(40, 0))",
        "baselines(x, np.arange(320) % 2, x, goal='classify', outputs=2, seconds=600, threads=1)",
        "sys.exit('sklearn' in sys.modules)",
    ]
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False).returncode == 0


@pytest.mark.parametrize("goal", ["classify", "regress"])
def test_trees_of_another_process_are_the_same_trees(goal):
    features, y = table()
    y = (y > 0).astype(np.int64) if goal == "classify" else y
    train, y_train, test, _ = halves(features, y)
    wanted = Wanted(goal, 2 if goal == "classify" else 1, 600)
    here = aside.trees(train, y_train, test, wanted)
    with sklearn_unknown():
        aside.start()
    (process,) = aside._started
    there = aside.trees(train, y_train, test, wanted)
    assert process.returncode == 0
    np.testing.assert_array_equal(here.predicted, there.predicted)


def test_a_process_that_fails_is_replaced_by_this_one(monkeypatch):
    features, y = table()
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with sklearn_unknown():
        aside.start()
    assert aside._started
    assert aside.trees(features, y, features, Wanted("regress", 1, 600)).predicted is not None


def test_a_process_that_nobody_asks_ends_by_itself():
    with sklearn_unknown():
        aside.start()
    with aside._started.pop() as process:
        process.stdin.close()
        assert process.wait(timeout=250) == 0


def test_the_other_process_is_started_for_a_text_table_only_and_ends_with_the_command(tmp_path):
    (tmp_path / "train.csv").write_text("a,b\n")
    for source, wanted in ((tmp_path, 1), (tmp_path / "train.csv", 1), (tmp_path / "none", 0), ("digits", 0)):
        with sklearn_unknown(), aside.early(str(source)):
            assert len(aside._started) == wanted
        assert not aside._started


def test_images_have_a_linear_baseline():
    y = np.arange(300) % 3
    x = RANDOM.integers(0, 80, (300, 40, 40, 1)).astype(np.uint8)
    for i, label in enumerate(y):
        x[i, :, label * 12 : label * 12 + 6] += 150
    found = baselines(
        Features.images(x[:200]), y[:200], Features.images(x[200:]), goal="classify", outputs=3, seconds=600, threads=1
    )
    assert [b.name for b in found] == ["majority", "linear"]
    assert (found[1].predicted.argmax(1) == y[200:]).mean() > 0.95


def test_a_class_that_training_never_saw_has_no_probability():
    features, y = table()
    labels = np.where(y > 0, 2, 0)
    found = trees(features, labels, features, Wanted("classify", 4, 600))
    assert found.predicted.shape == (400, 4)
    assert (found.predicted[:, [1, 3]] == 0).all()
    assert constant(labels, 2, Wanted("classify", 4, 600)).predicted[0, 1] == 0


@pytest.mark.parametrize("fit", [linear, trees])
def test_what_can_not_be_afforded_is_skipped_with_a_reason(fit):
    features, y = table()
    found = fit(features, y, features, Wanted("regress", 1, 0.0))
    assert found.predicted is None
    assert "too short" in found.note
