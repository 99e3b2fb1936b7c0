"""Recommendation: who had what, when, and what it was worth to them. To rank what comes next, or to predict ratings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch

from whet import regularise
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.prepared import Prepared
from whet.errors import RecipeError
from whet.fields.base import Field, Shown, Wanted, refuse
from whet.fields.recommend import reading
from whet.fields.recommend.fair import Fair
from whet.fields.recommend.likeness import likeness
from whet.fields.recommend.splitting import parts_of
from whet.fields.recommend.transform import Moments, RatingsTransform, prepare
from whet.figures import Figure
from whet.losses import LOSSES
from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task
from whet.train.parts import Batches, Prepare

LISTED = 10
"""Items that are recommended to a user."""
NEGATIVES = 99
"""Unseen items among which the sampled metrics look for the true one."""


class RecommendField(Field):
    """Interactions of users with items."""

    name = "ratings"
    tasks = tuple(reading.TASKS)
    nouns = ("interaction", "interactions")
    roles = ("user", "item", "user_features", "item_features", "rating", "time")

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        return reading.is_mine(source, task, roles)

    def likeness(self, head: pl.DataFrame) -> str:
        return likeness(head)

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        return reading.load(source, target=target, task=task, holdout=holdout, split=split, roles=roles)

    def input_spec(self, data: Data) -> dict[str, Any]:
        known = {k: data.origin[k] for k in ("users", "items")}
        return {"domain": self.name, "goal": data.goal, "columns": dict(data.origin["columns"]), **known}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        return reading.load_inputs(source, spec)

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        return parts_of(data, seed)

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        """None: of repeated interactions one was kept."""
        return None

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.fields.recommend.profile import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        return prepare(data, parts)

    def transform_from(self, state: Mapping[str, Any]) -> RatingsTransform:
        return RatingsTransform.from_dict(state)

    def batches(self, data: Prepared, batch_size: int, seed: int) -> Batches:
        """To rank, drawn so that busy users don't drown the others; to rate, each rating once a pass."""
        known = data.transform
        assert isinstance(known, RatingsTransform)
        if known.goal != "rank":
            return super().batches(data, batch_size, seed)
        return Fair(data.inputs, data.target, data.rows["train"], torch.from_numpy(known.owner), batch_size, seed)

    def seen_by(self, recipe: Recipe, transform: Any) -> RatingsTransform:
        """A user's own network gets history and user, in training too; others as many items to compare as they ask for."""
        found: RatingsTransform = transform
        if recipe.family.name == "user":
            return dataclasses.replace(found, telling=False)
        if recipe.loss.name == "sampled_softmax":
            if found.goal != "rank":
                raise RecipeError("sampled_softmax compares items, and here ratings are predicted.", "Use --task rank.")
            entry = LOSSES[recipe.loss.name]
            return dataclasses.replace(found, sampled=int(entry.fill(recipe.loss.params)["items"]))
        return found

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse(augment, mixers, self.nouns[1])
        return Moments(transform)

    def recipes(self, facts: Facts) -> list[Candidate]:
        from whet.fields.recommend.recipes import recipes

        return recipes(facts)

    def neighbours(
        self, recipe: Recipe, seed: int, best_share: float, hinted: Sequence[Candidate]
    ) -> Iterator[Candidate]:
        from whet.fields.recommend.recipes import neighbours

        return neighbours(recipe)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        from whet.fields.recommend.baselines import baselines

        return baselines(wanted)

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        """To rank: the best items of each row, so that memory does not hold all users times all items."""
        if data.goal != "rank":
            return super().predict_rows(network, data, rows, prepared)
        from whet.tasks.rank import best

        pieces = prepared.transform.pieces(data.x[rows])
        return np.concatenate([best(without_zeros(network.from_tensors(piece))) for piece in pieces])

    def to_close(self, parts: Mapping[str, np.ndarray]) -> tuple[int, float]:
        """Sampled metrics ask for all scores once more."""
        return len(parts["test"]), 0.3

    def extra(self, shown: Shown) -> dict[str, Any]:
        if shown.task.goal != "rank":
            return {}
        from whet.fields.recommend.protocols import protocols

        return protocols(shown, NEGATIVES)

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        from whet.fields.recommend.pictures import figures

        return figures(shown)

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """Pairs: how probable the item is to come next, or its rating. Users: the items that come first."""
        asked = inputs.x["item"].to_numpy()
        if task.goal != "rank":
            return {"prediction": predicted}
        if (asked >= -1).all():
            return {"prediction": np.where(asked >= 0, predicted[np.arange(len(asked)), asked], 0.0)}
        from whet.tasks.rank import best

        first = best(predicted, LISTED)
        lists = [[task.classes[i] for i in column] for column in first.T]
        return {"prediction": lists[0], **{f"place {k + 2}": column for k, column in enumerate(lists[1:])}}


def without_zeros(shares: np.ndarray) -> np.ndarray:
    """Probabilities with -1 for 0: what a user had comes behind everything else."""
    return np.where(shares > 0, shares, -1.0)


FIELD = RecommendField()
