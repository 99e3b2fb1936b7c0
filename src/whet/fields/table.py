"""Tables: numbers, categories, dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from whet import regularise
from whet.data import input_spec, load, load_inputs
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.prepared import Prepared, prepare
from whet.data.signs import Signs, signs
from whet.data.transforms import TableTransform
from whet.fields.base import Field, Wanted, refuse
from whet.fields.mixing import Mixing
from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts, neighbours, table_recipes
from whet.tasks import Baseline, Features, Task, baselines
from whet.train.parts import Prepare


class TableField(Field):
    """Rows of a polars frame."""

    name = "table"

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """Images and tables are what is left when no other field takes a source."""
        return False

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        return load(source, target=target, task=task, holdout=holdout, split=split)

    def input_spec(self, data: Data) -> dict[str, Any]:
        return input_spec(data)

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        return load_inputs(source, spec)

    def signs(self, data: Data, rows: np.ndarray) -> Signs:
        return signs(data, rows)

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.data.profile_tables import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        return prepare(data, parts)

    def transform_from(self, state: Mapping[str, Any]) -> TableTransform:
        return TableTransform.from_dict(state)

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse(augment, (), "a table's rows")
        return Mixing.of(tuple(mixers), task)

    def recipes(self, facts: Facts) -> list[Candidate]:
        return table_recipes(facts)

    def neighbours(
        self, recipe: Recipe, seed: int, best_share: float, hinted: Sequence[Candidate]
    ) -> Iterator[Candidate]:
        return neighbours(recipe, seed, best_share, hinted)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        train = wanted.parts["train"]
        return baselines(
            columns(wanted, train),
            wanted.data.y[train],
            columns(wanted, wanted.parts["test"]),
            goal=wanted.task.goal,
            outputs=wanted.task.outputs,
            seconds=wanted.seconds,
            threads=wanted.threads,
            seed=wanted.seed,
        )


def columns(wanted: Wanted, rows: np.ndarray) -> Features:
    """What a baseline sees of these rows."""
    transform: Any = wanted.prepared.transform
    numeric, category = transform.apply(wanted.data.x[rows])
    return Features(numeric.numpy(), category.numpy(), transform.cardinalities)


FIELD = TableField()
