"""What a finished run's network says of other data; works from the run folder alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from whet import fields, files
from whet.asked import refuse_run
from whet.data.core import Inputs
from whet.errors import OutputError
from whet.network import Network
from whet.screen import Screen


@dataclass(frozen=True, eq=False)
class Predictions:
    """One prediction per row, in the source's order."""

    ids: Sequence[str]
    """File names, or row numbers from 0."""
    values: np.ndarray
    """(n,) the predicted class's name, the predicted value in the target's own units, …"""
    probabilities: np.ndarray | None
    """(n, C) in the order of `classes`; None where there are none."""
    classes: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """What the CSV shows behind the ids, "prediction" among it."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Metrics, where the source has labels."""
    key: str = "id"
    """What the CSV calls the ids."""
    outputs: Any = None
    """What a network of your own gives, in its own shapes: (n, …), or a tuple or a dict of such; None for other networks."""

    def __len__(self) -> int:
        return len(self.values)

    def to_csv(self) -> str:
        """A line per row: id, prediction, and what the field adds, such as the probability of each class."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self.key, *self.columns])
        columns = [(column, 8 if name == "prediction" else 6) for name, column in self.columns.items()]
        for i, name in enumerate(self.ids):
            writer.writerow([name, *(_shown(column[i], digits) for column, digits in columns)])
        return text.getvalue()


def _shown(value: Any, digits: int) -> Any:
    return f"{value:.{digits}g}" if isinstance(value, float | np.floating) else value


def predict(
    run: str | Path, data: Any, *, out: str | Path | None = None, model: Any = None, show: bool = False
) -> Predictions:
    """Apply a run's network to other data of the same kind; `out`: also write a CSV.

    `model`: the function that makes it, or "FILE.py:function", where the network is your own.

    Raises DataError for data of another kind or shape, OutputError where the folder holds no network.
    """
    if not Path(run).is_dir():
        raise OutputError(f"There is no run folder {str(run)!r}.", "Give the folder that `whet fit` wrote.")
    refuse_run(data)
    network, screen = Network.load(Path(run), model), Screen(show)
    own = fields.field(network.task.domain)
    inputs = own.load_inputs(data, {**network.inputs, **own.needed(network.transform)})
    for sentence in inputs.said:
        screen.say(sentence)
    if inputs.problems:
        screen.say(
            f"! Skipped {len(inputs.problems)} that can't be read, the first: {inputs.problems[0].where}.", "yellow"
        )
    predicted = network.predict(inputs.x)
    found = in_words(network, predicted, inputs)
    if out is not None:
        files.write_text(Path(out), found.to_csv())
        screen.say(f"{len(found):,} predictions are in {out}.")
    if found.scores:
        screen.say("The data has labels: " + ", ".join(f"{k} {v:.4f}" for k, v in found.scores.items()) + ".")
    return found


def in_words(network: Network, predicted: np.ndarray, inputs: Inputs) -> Predictions:
    """Predictions in the task's words."""
    task = network.task
    rows = inputs.ids if inputs.ids is not None else [str(i) for i in range(len(predicted))]
    own = fields.field(task.domain)
    columns = own.columns(task, predicted, inputs)
    scores = task.scores(inputs.y, predicted) if inputs.y is not None and len(inputs.y) else {}
    shares = predicted if task.goal == "classify" else None
    values = np.asarray(columns["prediction"])
    outputs = own.outputs(network, predicted)
    return Predictions(rows, values, shares, task.classes, columns, scores, own.key, outputs)
