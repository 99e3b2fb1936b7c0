"""Generation of pictures: more like those in a folder or an array."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from whet import regularise
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.image_transform import ImageTransform, as_tensor
from whet.data.judge import train_judge
from whet.data.prepared import Prepared, at_size
from whet.data.splits import split
from whet.errors import DataError, OutputError
from whet.fields.base import Field, Shown, Wanted, refuse
from whet.fields.generate import TASKS, reading
from whet.fields.generate.making import make
from whet.fields.generate.recipes import recipes
from whet.fields.generate.transform import Drawing, PictureTransform, pixels
from whet.figures import Figure
from whet.recipe import Choice
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task
from whet.train.parts import Prepare

MOST_JUDGED = 1_000
"""Validation and test rows at most that sets are compared on: each costs several passes of the network."""
MOST_WATCHED = 500


class PicturesField(Field):
    """uint8 pictures of one size."""

    name = "pictures"
    tasks = TASKS
    nouns = ("picture", "pictures")

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """Only where more of them are asked for."""
        return task in TASKS and reading.is_pictures(source)

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        return reading.load(source, target=target, holdout=holdout, split=split)

    def input_spec(self, data: Data) -> dict[str, Any]:
        return {"domain": "pictures", "shape": list(data.x.shape[1:]), "classes": list(data.classes)}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        raise no_predictions()

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """What is too much to be compared is left out of the test part, and goes from validation to training."""
        parts = split(data, seed=seed)
        kept = spread(parts["val"], MOST_WATCHED)
        train = np.union1d(parts["train"], np.setdiff1d(parts["val"], kept))
        return {"train": train, "val": kept, "test": spread(parts["test"], MOST_JUDGED)}

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.data.profile_images import profile

        named = dataclasses.replace(data, classes=data.classes or ("any",))
        return profile(named, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        size = reading.size_of(data.x.shape[1:3])
        plain = ImageTransform.fit(data.x, parts["train"], size)
        images = at_size(data, size)
        judge = train_judge(images.x, data.y, parts["train"], parts["val"], len(data.classes))
        inputs = (as_tensor(images.x), torch.from_numpy(data.y), torch.arange(len(data.y)))
        rows = {part: torch.from_numpy(parts[part]) for part in ("train", "val")}
        said = (*images.said, f"Sets of pictures are compared in the features of {judge.described()}.")
        transform = PictureTransform(**vars(plain))
        return Prepared("pictures", inputs, inputs[1], data.y, rows, transform, judge, said)

    def transform_from(self, state: Mapping[str, Any]) -> ImageTransform:
        return PictureTransform.from_dict(state)

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse(augment, mixers, "pictures that more are to be made of")
        return Drawing(pixels)

    def recipes(self, facts: Facts) -> list[Candidate]:
        return recipes(facts)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        from whet.fields.generate.baselines import baselines

        return baselines(wanted)

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        said: np.ndarray = network.from_tensors(prepared.inputs, torch.from_numpy(rows))
        return said

    def to_close(self, parts: Mapping[str, np.ndarray]) -> tuple[int, float]:
        from whet.fields.generate.outcome import BOUNDED, CHECKED

        return min(CHECKED + BOUNDED, 2 * len(parts["test"])), 0.3

    def extra(self, shown: Shown) -> dict[str, Any]:
        from whet.fields.generate.outcome import outcome

        return outcome(shown)

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        from whet.fields.generate.outcome import figures

        return figures(shown)

    def generate(self, network: Any, n: int, seed: int, label: str | None) -> dict[str, Any]:
        """{"pictures": uint8 (n, H, W, C), "labels": their classes' names}."""
        codes = codes_of(network.task, n, label)
        names = [network.task.classes[c] for c in codes] if network.task.classes else [""] * n
        return {"pictures": make(network, codes, seed), "labels": names}

    def write_generated(self, made: Mapping[str, Any], out: Path) -> str:
        """A sheet as .png, all as .npz, or a folder of .png files; what was written, in words."""
        from whet.fields.generate.writing import write

        return write(made, out)


def codes_of(task: Task, n: int, label: str | None) -> np.ndarray:
    """(n,) int64: all classes in turn, or one."""
    if label is None:
        return np.arange(n) % max(1, len(task.classes))
    if label not in task.classes:
        known = ", ".join(task.classes) or "none"
        raise OutputError(f"There is no class {label!r}.", f"Its classes: {known}.")
    return np.full(n, task.classes.index(label))


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly spread."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def no_predictions() -> DataError:
    return DataError("This run makes examples and predicts nothing.", "Use `whet generate RUN --n 64 --out FILE`.")


FIELD = PicturesField()
