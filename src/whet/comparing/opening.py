"""The test part is opened once, after everything is trained: what each network says of it, and what each row adds to that."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from whet.fields import field
from whet.model import make_model, make_spec
from whet.network import Network
from whet.run import Run
from whet.runners.trial import recipe_in
from whet.tasks import Task
from whet.tasks.metrics import auc, labels
from whet.train import checkpoint
from whet.train.loop import own_random_numbers
from whet.train.plan import running


def test(run: Run, name: str) -> tuple[float, np.ndarray | None]:
    """(score, what each test row adds to it) of the network that a training kept."""
    own, rows = field(run.data.domain), run.parts["test"]
    network = network_of(run, run.folder.trial(name))
    with running(run.plan):
        if own.calibrates:
            network.inputs = {**network.inputs, **own.calibration(network, run.prepared)}
        predicted = own.predict_rows(network, run.data, rows, run.prepared)
    truth = own.truth(run.data, rows)
    return run.task.score(truth, predicted), row_values(run.task, truth, predicted)


def network_of(run: Run, folder: Path) -> Network:
    """The network with the best weights of a training."""
    recipe = recipe_in(folder)
    own = field(run.data.domain)
    seen = own.seen_by(recipe, run.prepared.transform)
    with own_random_numbers():
        model = make_model(recipe, make_spec(recipe, run.task, seen), seed=0)
    model.load_state_dict(checkpoint.read(folder / checkpoint.BEST)[0])
    scale, inputs = run.prepared.scale, own.input_spec(run.data)
    return Network(model.eval(), recipe, run.task, seen, scale, run.plan, inputs)


# -- what each row adds ----------------------------------------------------------------------------------------------


def row_values(task: Task, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray | None:
    """(rows,) numbers whose mean is the score, and whose spread is how much it depends on the choice of rows.

    None for a metric that is no function of single rows, or of pairs of them.
    """
    metric = task.judge
    if metric.rows is not None:
        found = np.asarray(metric.rows(truth, predicted), np.float64)
        return found if np.isfinite(found).all() else None
    known = {"accuracy": _right, "mae": _off, "rmse": _squared, "auc": _ranked}
    return known[metric.name](truth, predicted) if metric.name in known and np.ndim(truth) == 1 else None


def _right(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.asarray(labels(predicted) == truth, np.float64)


def _off(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.abs(predicted.reshape(len(truth)) - truth)


def _squared(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The root's slope at the mean: r + (e^2 - r^2) / 2r, for squared errors e^2 and their root mean r."""
    squared = (predicted.reshape(len(truth)) - truth) ** 2
    root = float(np.sqrt(squared.mean()))
    return root + (squared - root**2) / (2 * root) if root else squared


def _ranked(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray | None:
    """Of two classes: a row's chance to be ranked right beside a row of the other class (DeLong et al. 1988)."""
    score = predicted if predicted.ndim == 1 else predicted[:, -1]
    positive, n = truth == 1, len(truth)
    if (predicted.ndim == 2 and predicted.shape[1] != 2) or not 0 < positive.sum() < n:
        return None
    area = auc(truth, predicted)
    ones, zeros = np.sort(score[positive]), np.sort(score[~positive])
    above = (np.searchsorted(zeros, score, "left") + np.searchsorted(zeros, score, "right")) / (2 * len(zeros))
    below = 1 - (np.searchsorted(ones, score, "left") + np.searchsorted(ones, score, "right")) / (2 * len(ones))
    share = np.where(positive, len(ones) / n, len(zeros) / n)
    return area + (np.where(positive, above, below) - area) / share
