"""Sequences whose every step has a class: arrays X (n, T, F) and y (n, T), -100 where a step's class is not known."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whet.data.arrays import as_array
from whet.data.core import Data, Inputs, Profile, Roles, Row, Section
from whet.data.labels import natural
from whet.data.prepared import Prepared
from whet.data.splits import split
from whet.errors import DataError
from whet.fields.base import Field, Wanted
from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Features, Task
from whet.tasks.baselines import laid
from whet.tasks.features import Wanted as Asked
from whet.tasks.label_steps import UNKNOWN

TASKS = ("label-steps", "step-labelling", "sequence-step-labelling")
LEAST_STD = 1e-6
PIECE_BYTES = 1 << 26


@dataclass(frozen=True)
class SequenceTransform:
    """float32 (n, T, F) -> (n, 1, F, T), every feature with mean 0 and spread 1 on training rows."""

    steps: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, x: np.ndarray) -> SequenceTransform:
        std = x.std((0, 1), dtype=np.float64).clip(LEAST_STD)
        return cls(x.shape[1], tuple(x.mean((0, 1), dtype=np.float64).tolist()), tuple(std.tolist()))

    @property
    def shape(self) -> tuple[int, ...]:
        return 1, len(self.mean), self.steps

    def spec(self) -> dict[str, Any]:
        return {"domain": "sequence", "shape": self.shape}

    def apply(self, x: np.ndarray) -> tuple[Tensor]:
        scaled = (x - np.asarray(self.mean)) / np.asarray(self.std)
        return (torch.from_numpy(scaled.astype(np.float32)).transpose(1, 2).unsqueeze(1).contiguous(),)

    def pieces(self, x: np.ndarray) -> Iterator[tuple[Tensor]]:
        rows = max(1, PIECE_BYTES // (8 * self.steps * len(self.mean)))
        return (self.apply(x[at : at + rows]) for at in range(0, max(1, len(x)), rows))

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        draw = torch.Generator().manual_seed(seed)
        return {"sequence": torch.randn(rows, *self.shape, generator=draw)}

    def to_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> SequenceTransform:
        return cls(state["steps"], tuple(state["mean"]), tuple(state["std"]))


class SequenceField(Field):
    """Arrays of sequences, all of one length."""

    name = "sequence"
    tasks = TASKS
    nouns = ("sequence", "sequences")

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        return task in TASKS

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        x, y = pair(source)
        official: dict[str, np.ndarray] = {}
        if holdout is not None:
            more, truth = pair(holdout)
            if more.shape[1:] != x.shape[1:]:
                raise DataError(f"The holdout's sequences are {more.shape[1:]}, the others {x.shape[1:]}.")
            official = {"test": np.arange(len(x), len(x) + len(more))}
            x, y = np.concatenate([x, more]), np.concatenate([y, truth])
        names, places = np.unique(y[y != UNKNOWN], return_inverse=True)
        if len(names) < 2:
            raise DataError(f"The steps have {len(names)} class only.", "Learning needs two classes or more.")
        classes = sorted((str(name) for name in names), key=natural)
        rank = np.asarray([classes.index(str(name)) for name in names])
        coded = np.full(y.shape, UNKNOWN, np.int64)
        coded[y != UNKNOWN] = rank[places]
        digest = hashlib.sha256(np.ascontiguousarray(x).tobytes() + coded.tobytes()).hexdigest()
        return Data(
            "sequences", "sequence", x, coded, "label-steps", tuple(classes), "step", official, fingerprint=digest
        )

    def input_spec(self, data: Data) -> dict[str, Any]:
        return {"domain": "sequence", "shape": list(data.x.shape[1:])}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        x = as_array(source)
        if list(x.shape[1:]) != list(spec["shape"]):
            raise DataError(f"The sequences are {x.shape[1:]}; the network takes {tuple(spec['shape'])}.")
        return Inputs(x.astype(np.float32))

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """Stratified by each sequence's most frequent class."""
        known = [row[row != UNKNOWN] for row in data.y]
        most = np.asarray([np.bincount(row).argmax() if len(row) else 0 for row in known])
        return split(dataclasses.replace(data, y=most, goal="classify"), seed=seed)

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> None:
        return None

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        n, steps, features = data.x.shape
        y = data.y[parts["train"]]
        counts = np.bincount(y[y != UNKNOWN], minlength=len(data.classes))
        rows = (
            Row("sequences", f"{n:,} of {steps:,} steps with {features:,} features"),
            Row("steps without a class", f"{(data.y == UNKNOWN).mean():.1%}"),
            Row("always the most frequent class", f"{counts.max() / max(1, counts.sum()):.1%}", "the accuracy to beat"),
        )
        return Profile(data.name, (Section("Sequences", rows),), data.findings)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        train, seen = parts["train"], np.concatenate([parts["train"], parts["val"]])
        transform = SequenceTransform.fit(data.x[train])
        rows = {"train": torch.arange(len(train)), "val": torch.arange(len(train), len(seen))}
        y = data.y[seen]
        return Prepared("sequence", transform.apply(data.x[seen]), torch.from_numpy(y), y, rows, transform)

    def transform_from(self, state: Mapping[str, Any]) -> SequenceTransform:
        return SequenceTransform.from_dict(state)

    def recipes(self, facts: Facts) -> list[Candidate]:
        recipe = Recipe(
            family=Choice("audio_rnn", cell="lstm"),
            optimizer=Choice("adamw", lr=2e-3, weight_decay=0.01),
            schedule=Choice("one_cycle", warmup=0.1),
            regularise=(Choice("clip", max_norm=1.0),),
            batch_size=32,
        )
        return [Candidate("lstm", recipe, "an LSTM both ways with a softmax at every step")]

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        """The most frequent class, and a linear model that sees one step alone."""
        x, y = wanted.data.x[wanted.parts["train"]], wanted.data.y[wanted.parts["train"]]
        test = wanted.data.x[wanted.parts["test"]]
        known = y != UNKNOWN
        shares = np.bincount(y[known], minlength=wanted.task.outputs) / known.sum()
        most = Baseline("majority", np.tile(shares, (*test.shape[:2], 1)), 0.0)
        seen, unseen = (Features(v, np.empty((len(v), 0), np.int64)) for v in (x[known], test.reshape(-1, x.shape[2])))
        asked = Asked("classify", wanted.task.outputs, wanted.seconds, 1, wanted.seed)
        line = laid("linear", seen, y[known], unseen, asked)
        if line.predicted is not None:
            line = dataclasses.replace(line, predicted=line.predicted.reshape(*test.shape[:2], -1))
        return most, line

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """The classes of all steps with spaces between them."""
        best = predicted.argmax(-1)
        return {"prediction": [" ".join(task.classes[i] for i in row) for row in best]}


def pair(source: Any) -> tuple[np.ndarray, np.ndarray]:
    """(X float32 (n, T, F), y int64 (n, T)). Raises DataError for other shapes, fractions as classes, and NaN."""
    if not (isinstance(source, tuple | list) and len(source) == 2):
        raise DataError("Labelling steps takes a pair of arrays.", "Give X (n, steps, features) and y (n, steps).")
    x, y = (as_array(part) for part in source)
    if x.ndim != 3 or x.shape[:2] != y.shape:
        raise DataError(f"X has the shape {x.shape} and y {y.shape}.", "Give X (n, steps, features) and y (n, steps).")
    if y.dtype.kind not in "iub":
        raise DataError(f"The classes of steps are {y.dtype}.", f"Give whole numbers, {UNKNOWN} for unknown steps.")
    if bad := int((~np.isfinite(x)).any((1, 2)).sum()):
        raise DataError(f"{bad} of {len(x)} sequences hold NaN or infinity.", "Fill them in, or leave them out.")
    return x.astype(np.float32), y.astype(np.int64)


FIELD = SequenceField()
