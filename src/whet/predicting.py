"""What a finished run's network says of other data; works from the run folder alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from whet import files
from whet.data import load_inputs
from whet.errors import OutputError
from whet.network import Network
from whet.screen import Screen


@dataclass(frozen=True, eq=False)
class Predictions:
    """One prediction per row, in the source's order."""

    ids: Sequence[str]
    """File names, or row numbers from 0."""
    values: np.ndarray
    """(n,) the predicted class's name, or the predicted value in the target's own units."""
    probabilities: np.ndarray | None
    """(n, C) in the order of `classes`; None for values."""
    classes: tuple[str, ...]
    scores: Mapping[str, float] = field(default_factory=dict)
    """Metrics, where the source has labels."""

    def __len__(self) -> int:
        return len(self.values)

    def to_csv(self) -> str:
        """A line per row: id, prediction, and the probability of each class."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["id", "prediction", *(f"p({name})" for name in self.classes)])
        for i, name in enumerate(self.ids):
            shares = [] if self.probabilities is None else [f"{p:.6g}" for p in self.probabilities[i]]
            value = self.values[i]
            writer.writerow([name, value if isinstance(value, str) else f"{value:.8g}", *shares])
        return text.getvalue()


def predict(
    run: str | Path, data: Any, *, out: str | Path | None = None, model: Any = None, show: bool = False
) -> Predictions:
    """Apply a run's network to other data of the same kind; `out`: also write a CSV.

    `model`: the function that makes it, or "FILE.py:function", where the network is your own.

    Raises DataError for data of another kind or shape, OutputError where the folder holds no network.
    """
    if not Path(run).is_dir():
        raise OutputError(f"There is no run folder {str(run)!r}.", "Give the folder that `whet fit` wrote.")
    network, screen = Network.load(Path(run), model), Screen(show)
    inputs = load_inputs(data, network.inputs)
    for sentence in inputs.said:
        screen.say(sentence)
    if inputs.problems:
        screen.say(
            f"! Skipped {len(inputs.problems)} that can't be read, the first: {inputs.problems[0].where}.", "yellow"
        )
    predicted = network.predict(inputs.x)
    found = in_words(network, predicted, inputs.ids, inputs.y)
    if out is not None:
        files.write_text(Path(out), found.to_csv())
        screen.say(f"{len(found):,} predictions are in {out}.")
    if found.scores:
        screen.say("The data has labels: " + ", ".join(f"{k} {v:.4f}" for k, v in found.scores.items()) + ".")
    return found


def in_words(network: Network, predicted: np.ndarray, ids: Sequence[str] | None, y: np.ndarray | None) -> Predictions:
    """Predictions in the task's words."""
    task = network.task
    rows = ids if ids is not None else [str(i) for i in range(len(predicted))]
    scores = task.scores(y, predicted) if y is not None and len(y) else {}
    if task.goal == "regress":
        return Predictions(rows, predicted, None, (), scores)
    values = np.asarray(task.classes, dtype=object)[predicted.argmax(1)]
    return Predictions(rows, values, predicted, task.classes, scores)
