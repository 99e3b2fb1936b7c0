"""Anomalies: rows of a table, or steps of series, that are unlike the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.prepared import Prepared
from whet.errors import DataError
from whet.families.anomaly_steps import now
from whet.fields.anomaly import reading
from whet.fields.anomaly.recipes import recipes
from whet.fields.anomaly.thresholds import calibration
from whet.fields.anomaly.transform import AnomalyTransform
from whet.fields.anomaly.windows import in_hindsight, known_later, parted, places, settled
from whet.fields.base import Field, Shown, Wanted
from whet.figures import Figure
from whet.recipe import Recipe
from whet.record import Finding
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task
from whet.tasks.detect import COLUMNS, COST

TASKS = ("anomaly", "anomalies", "detect", "detection")
HELD, HELD_BLOCK = 10, 50
"""One block of so many rows in ten is not trained on; what rows cost is watched there."""


class AnomalyField(Field):
    """Rows, see `rows.Rows`. Nothing is chosen by labels: they are looked at once, to judge what came out."""

    name = "anomaly"
    tasks = TASKS
    roles = ("time", "series", "lookback")
    calibrates = True

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """Only where anomalies are asked for: any table could hold some."""
        return task in TASKS

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        return reading.load(source, target=target, holdout=holdout, split=split, roles=roles)

    def input_spec(self, data: Data) -> dict[str, Any]:
        return reading.input_spec(data)

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        return reading.load_inputs(source, spec)

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """Without a split of the source's own, all rows are learned from and all are scored; blocks are held out.

        Raises DataError where rows are too few for that.
        """
        official = {part: rows.astype(np.int64) for part, rows in data.official.items()}
        train = official.get("train", np.arange(len(data)))
        if "val" in official:
            return {"train": train, "val": official["val"], "test": official["test"]}
        block = min(HELD_BLOCK, max(1, len(train) // (2 * HELD)))
        held = (np.arange(len(train)) // block) % HELD == HELD - 1
        if not held.any():
            raise DataError(
                f"{data.name} has {len(train)} rows to learn from: too few to hold some out.", f"Give at least {HELD}."
            )
        return {"train": train[~held], "val": train[held], "test": official["test"]}

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        """Series repeat themselves, and without a split all rows are in two parts: there is nothing to warn of."""
        return None

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.fields.anomaly.profile import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        window = data.origin["window"] if data.x.timed else 0
        transform = AnomalyTransform.fit(data.x, parts["train"], window)
        inputs = transform.apply(data.x)
        at = {part: self.places(data, rows, window) for part, rows in parts.items()}
        told = np.zeros(len(inputs[0]), np.float32)  # 1: an anomaly that training may know
        if data.origin["mode"] == reading.FEW:
            told[at["train"]] = data.y[parts["train"]] > 0
        rows = {part: torch.from_numpy(at[part]) for part in ("train", "val")}
        return Prepared("anomaly", inputs, torch.from_numpy(told), told, rows, transform)

    def places(self, data: Data, rows: np.ndarray, window: int) -> np.ndarray:
        """Where the prepared inputs hold these rows."""
        return places(rows, data.x.bounds, window) if window else rows

    def transform_from(self, state: Mapping[str, Any]) -> AnomalyTransform:
        return AnomalyTransform.from_dict(state)

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        mode = data.origin["mode"]
        told = int((data.y[parts["train"]] > 0).sum()) if mode == reading.FEW else 0
        return {"more": {"timed": data.x.timed, "clean": mode == reading.CLEAN, "told": told}}

    def recipes(self, facts: Facts) -> list[Candidate]:
        return recipes(facts)

    def neighbours(
        self, recipe: Recipe, seed: int, best_share: float, hinted: Sequence[Candidate]
    ) -> Iterator[Candidate]:
        """None: without labels nothing says which of two networks ranks better; their costs can't be compared."""
        return iter(())

    def calibration(self, network: Any, data: Prepared) -> dict[str, Any]:
        return calibration(network, data)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        from whet.fields.anomaly.baselines import baselines

        made, window = baselines(wanted), wanted.prepared.transform.shape[1:]
        if not window:
            return made
        rows = wanted.parts["test"]
        return [self.both_ways(b, wanted.data, rows, window[0]) for b in made]

    def both_ways(self, made: Baseline, data: Data, rows: np.ndarray, window: int) -> Baseline:
        """A baseline's scores in hindsight, beside what it said at the moment itself: it is helped like the network."""
        if made.predicted is None:
            return made
        back = looking_back(data, rows, made.predicted, window)
        return replace(made, predicted=np.column_stack([back, made.predicted]))

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        """Of series the first column is the score in hindsight, and one more holds what was said at the moment itself."""
        window, features = network.transform.window, len(network.transform.features)
        at = torch.from_numpy(self.places(data, rows, window))
        said: np.ndarray = network.from_tensors(prepared.inputs, at)
        if not window:
            return said
        of_window, single = parted(said, features)
        single = settled(single, rows, data.x.bounds)
        back = looking_back(data, rows, of_window, window, single)
        return np.column_stack([back, said[:, COST : COLUMNS + features], of_window + now(single)])

    def truth(self, data: Data, rows: np.ndarray) -> np.ndarray:
        """(n, 2): the label, and the series."""
        return np.stack([data.y[rows], data.x.series[rows]], 1)

    def extra(self, shown: Shown) -> dict[str, Any]:
        from whet.fields.anomaly.outcome import outcome

        return outcome(shown)

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        from whet.fields.anomaly.pictures import pictures

        return pictures(shown)

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """1 for a row above the threshold, its score, and the column that adds most to it."""
        about = inputs.x.about
        names = about["features"]
        shares = predicted[:, COLUMNS : COLUMNS + len(names)]
        of_window, single = parted(predicted, len(names))
        scores = of_window + now(settled(single, np.arange(len(predicted)), inputs.x.bounds))
        strangest = [names[i] for i in shares.argmax(1)]
        found = {"prediction": (scores > about["threshold"]).astype(int), "score": scores, "strangest": strangest}
        several = dict.fromkeys(names)
        if len(several) > 1:
            mine = {name: [i for i, n in enumerate(names) if n == name] for name in several}
            found |= {f"strange({name})": shares[:, at].sum(1) for name, at in mine.items()}
        return found


def looking_back(
    data: Data, rows: np.ndarray, scores: np.ndarray, window: int, single: np.ndarray | None = None
) -> np.ndarray:
    """The scores of these rows in hindsight, each series by itself: of windows, and of single steps where these say more."""
    series = data.x.series[rows]
    found = np.empty(len(rows))
    for number in np.unique(series):
        mine = series == number
        found[mine] = in_hindsight(scores[mine], window)
        if single is not None:
            found[mine] = np.maximum(found[mine], known_later(single[mine], window))
    return found


FIELD = AnomalyField()
