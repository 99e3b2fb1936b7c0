"""Generation of rows: more like those of a table, none of them a copy."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from whet import files, regularise
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.prepared import Prepared
from whet.data.splits import split
from whet.data.table_kinds import as_integers
from whet.data.table_sources import gather, raw_table
from whet.data.tables import load_table
from whet.errors import DataError, OutputError
from whet.fields.base import Field, Shown, Wanted, refuse
from whet.fields.generate import TASKS, columns, reading, wording
from whet.fields.generate.making import draw
from whet.fields.generate.pictures import no_predictions, spread
from whet.fields.generate.recipes import row_recipes
from whet.fields.generate.rows_transform import RowsTransform
from whet.fields.generate.transform import Drawing
from whet.figures import Figure
from whet.recipe import Choice
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task
from whet.train.parts import Prepare

MOST_JUDGED = 2_000
"""Validation and test rows at most that sets are compared on."""
GAPS = "Made rows have such gaps too, about as often."


class RowsField(Field):
    """Rows of a polars frame, the target among the columns."""

    name = "rows"
    tasks = TASKS

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """Only where more of them are asked for."""
        return task in TASKS and not reading.is_pictures(source)

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        """As for prediction, so that columns of ids and of free text are left out, and said."""
        data = loaded(source, target, holdout=holdout, split=split)
        if len(data) < reading.FEWEST:
            raise DataError(
                f"{data.name} has {len(data)} rows.", f"Give {reading.FEWEST} or more: fewer would be copied."
            )
        return as_generation(data, gather(source, holdout, target)[0][0][1].frame)

    def input_spec(self, data: Data) -> dict[str, Any]:
        return {"domain": "rows", "columns": data.x.columns, "target": data.target}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        raise no_predictions()

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        parts = split(data, seed=seed)
        return {"train": parts["train"], **{part: spread(parts[part], MOST_JUDGED) for part in ("val", "test")}}

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.data.profile_tables import profile

        goal, classes = data.origin["goal"], tuple(data.origin["classes"])
        found = profile(dataclasses.replace(data, x=data.x.drop(data.target), goal=goal, classes=classes), parts)
        return without_suggestions(found)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        transform = RowsTransform(columns.fit(data.x[parts["train"]]), data.origin.get("wording", {}))
        seen = np.concatenate([parts["train"], parts["val"]])
        inputs = inputs_of(transform, data.x[seen])
        at = torch.arange(len(seen))
        rows = {"train": at[: len(parts["train"])], "val": at[len(parts["train"]) :]}
        return Prepared("rows", inputs, inputs[1], data.y[seen], rows, transform)

    def transform_from(self, state: Mapping[str, Any]) -> RowsTransform:
        return RowsTransform.from_dict(state)

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse(augment, mixers, "rows that more are to be made of")
        return Drawing(as_they_are)

    def recipes(self, facts: Facts) -> list[Candidate]:
        return row_recipes(facts)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        from whet.fields.generate.rows_baselines import baselines

        return baselines(wanted)

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        said: np.ndarray = network.from_tensors(inputs_of(network.transform, data.x[rows]))
        return said

    def to_close(self, parts: Mapping[str, np.ndarray]) -> tuple[int, float]:
        from whet.fields.generate.rows_outcome import to_close

        return to_close(len(parts["train"]), len(parts["test"]))

    def extra(self, shown: Shown) -> dict[str, Any]:
        from whet.fields.generate.rows_outcome import outcome

        return outcome(shown)

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        from whet.fields.generate.rows_outcome import figures

        return figures(shown)

    def generate(self, network: Any, n: int, seed: int, label: str | None) -> pl.DataFrame:
        """New rows, with the columns of the table and in its words."""
        if label is not None:
            raise OutputError(f"Rows can't be asked for by a label ({label!r}).", "Make many and filter them.")
        made = network.transform.back(draw(network, np.zeros(n, np.int64), seed))
        return wording.spelled(made, network.transform.wording)

    def write_generated(self, made: pl.DataFrame, out: Path) -> str:
        """As .parquet, or else as .csv."""
        if out.suffix.lower() == ".parquet":
            with files.atomic(out) as file:
                made.write_parquet(file)
        else:
            out = out if out.suffix else out.with_suffix(".csv")
            files.write_text(out, made.write_csv())
        return f"{made.height:,} rows are in {out}."


def loaded(source: Any, target: str | None, **options: Any) -> Data:
    """The table; where nobody named a target and the usual one is none, with the last column in its place that can be one."""
    try:
        return load_table(source, target=target, **options)
    except DataError as error:
        if target is not None:
            raise
        table, refused = raw_table(source), error
    flat = [column for column in table.frame if not column.dtype.is_nested()]
    varied = [column.name for column in flat if column.drop_nulls().n_unique() > 1]
    if not varied:
        raise DataError(
            f"No column of {table.name} varies: there is nothing to make more of.", "Give rows that differ."
        ) from None
    for name in reversed(varied):
        with contextlib.suppress(DataError):
            return load_table(source, target=name, **options)
    raise refused


def as_generation(data: Data, raw: pl.DataFrame) -> Data:
    """The same rows, with the target as a column and the goal to make more of them in the words of the source, `raw`."""
    named = data.goal == "classify"
    y = pl.Series([data.classes[i] for i in data.y]) if named else as_integers(pl.Series(data.y, dtype=pl.Float64))
    origin = {**data.origin, "goal": data.goal, "classes": list(data.classes)}
    x = data.x.with_columns(y.alias(data.target))
    data = dataclasses.replace(data, x=x.select(sorted(x.columns, key=raw.columns.index)), origin=origin)
    origin = {**origin, "wording": wording.read(raw, data)}
    findings = tuple(dataclasses.replace(f, advice=GAPS) if f.name == "missing" else f for f in data.findings)
    return dataclasses.replace(data, domain="rows", goal="generate", classes=(), origin=origin, findings=findings)


def without_suggestions(profile: Profile) -> Profile:
    """The profile without what its values suggest to those who predict."""
    rows = [tuple(dataclasses.replace(row, suggestion="") for row in section.rows) for section in profile.sections]
    sections = (dataclasses.replace(s, rows=r) for s, r in zip(profile.sections, rows, strict=True))
    return dataclasses.replace(profile, sections=tuple(sections))


def inputs_of(transform: RowsTransform, x: pl.DataFrame) -> tuple[Tensor, ...]:
    """(rows, no label, row number)."""
    return (*transform.apply(x), torch.zeros(x.height, dtype=torch.int64), torch.arange(x.height))


def as_they_are(x: Tensor) -> Tensor:
    return x


FIELD = RowsField()
