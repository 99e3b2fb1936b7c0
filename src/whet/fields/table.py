"""Tables: numbers, categories, dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whet import regularise
from whet.data.core import Data, Profile
from whet.data.prepared import Prepared, prepare
from whet.data.targets import TASKS
from whet.data.transforms import TableTransform
from whet.fields.base import Wanted, refuse
from whet.fields.common import CommonField
from whet.fields.table_columns import Seen, of_use
from whet.recipe import Choice, Recipe
from whet.search import Categorical, Int
from whet.search.first import HURRIED, MEMBERS, Candidate, Facts, neighbours, table_recipes
from whet.search.recipes import around
from whet.search.space import Parameter
from whet.tasks import Baseline, Features, Task, baselines
from whet.train.parts import Prepare

MORE_ROWS = 0.15
"""A third more rows made california-housing's validation RMSE 2.5 % smaller (9,288 and 12,384 rows, a hurried recipe)."""
RIPE = 0.9
"""The share of its steps at which a recipe must have been best to be trained that long without validation."""


class TableField(CommonField):
    """Rows of a polars frame."""

    name = "table"
    tasks = tuple(t for t in TASKS if not t.startswith("image"))

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.data.profile_tables import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        return prepare(data, parts)

    def needed(self, transform: Any) -> dict[str, Any]:
        return {"needed": list(transform.sources)}

    def transform_from(self, state: Mapping[str, Any]) -> TableTransform:
        return TableTransform.from_dict(state)

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse(augment, (), "a table's rows")
        return Seen.of(transform, tuple(mixers), task)

    def seen_by(self, recipe: Recipe, transform: Any) -> TableTransform:
        """With the columns that the recipe names, where it names some."""
        return replace(transform, kept=tuple(recipe["family.columns"] or ()))

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        return {"more": {"columns": of_use(prepared, data.goal == "classify")}}

    def recipes(self, facts: Facts) -> list[Candidate]:
        return table_recipes(facts)

    def neighbours(
        self, recipe: Recipe, seed: int, best_share: float, hinted: Sequence[Candidate]
    ) -> Iterator[Candidate]:
        return neighbours(recipe, best_share, hinted) if recipe.family.name == "tabular" else iter(hinted)

    refits = True

    def gains_by_refit(self, more_rows: float, best_share: float) -> bool:
        """Many rows, and a recipe that did not over-fit: there is no validation to stop at any more."""
        return more_rows >= MORE_ROWS and best_share >= RIPE

    def hurried(self, recipe: Recipe) -> Recipe:
        """Half of the passes and of the networks: a quarter of the work (see `first.HURRIED`)."""
        if recipe["family.members"] != MEMBERS[1]:
            return recipe
        return recipe.put("family.members", MEMBERS[0]).put("steps", round(HURRIED * recipe.steps))

    def unhurried(self, recipe: Recipe) -> Recipe:
        if recipe["family.members"] != MEMBERS[0]:
            return recipe
        return recipe.put("family.members", MEMBERS[1]).put("steps", round(recipe.steps / HURRIED))

    def space(self, recipe: Recipe, hinted: Sequence[str]) -> dict[str, Parameter]:
        if recipe.family.name != "tabular":
            return super().space(recipe, hinted)
        dims = {"family.embedding_dim": Categorical(embeddings(recipe["family.embedding_dim"]))}
        return {**around(recipe, hinted), **dims, "family.bins": Int(4, 96, log=True, prior=recipe["family.bins"])}

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


def embeddings(dim: int) -> list[int]:
    """Widths of a number's learned vector; 0: straight in. The recipe's own first."""
    return [dim, *(d for d in (0, 16) if d != dim)]


def columns(wanted: Wanted, rows: np.ndarray) -> Features:
    """What a baseline sees of these rows."""
    transform: Any = wanted.prepared.transform
    numeric, category = transform.apply(wanted.data.x[rows])
    return Features(numeric.numpy(), category.numpy(), transform.cardinalities)


FIELD = TableField()
