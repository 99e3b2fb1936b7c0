"""Texts to predict: a table with the columns of training, a folder or file of text, or a list of texts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet.data.core import Inputs, Problem
from whet.data.glance import table_of
from whet.data.inputs import known_labels
from whet.data.labels import listed
from whet.data.table_joining import Places
from whet.data.table_sources import raw_table
from whet.data.targets import known_target
from whet.errors import DataError, did_you_mean, nearest
from whet.fields.text.folders import ENDINGS, all_texts, read_file
from whet.fields.text.labels import delimiter_of, split_labels
from whet.fields.text.looking import text_columns
from whet.fields.text.reading import is_texts, texts_of


def load_inputs(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """Every row of the source, empty texts among them. Raises DataError where there is no text."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.is_dir() and table_of(path) is None:
            return of_folder(path, spec)
        if path.is_file() and path.suffix.lower() in ENDINGS:
            text, why = read_file(path)
            if text is None:
                raise DataError(f"{path} {why}.", "Give a text in UTF-8.")
            return Inputs(frame_of([text]), [path.name])
    elif is_texts(source):
        return Inputs(frame_of(list(source)))
    elif isinstance(source, tuple | list) and len(source) == 2 and is_texts(source[0]):
        said: list[str] = []
        y = known_labels(list(source[1]), spec, said) if spec["goal"] != "multilabel" else None
        return Inputs(frame_of(list(source[0])), None, y, (), tuple(said))
    return of_table(source, spec)


def frame_of(texts: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"text": [text.replace("\0", " ") for text in texts]}, schema={"text": pl.String})


def of_folder(folder: Path, spec: Mapping[str, Any]) -> Inputs:
    texts, names, labels, problems = all_texts(folder)
    said: list[str] = []
    y = known_labels(labels, spec, said) if labels and spec["goal"] == "classify" else None
    return Inputs(frame_of(texts), names, y, tuple(problems), tuple(said))


def of_table(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """A table with the text columns of training, or with one column of running text."""
    raw = raw_table(source)
    columns, said = columns_of(raw.frame, raw.name, spec["columns"])
    texts = texts_of(raw.frame, columns)
    empty = [text for text in texts if not text.strip()]
    if empty:
        said.append(f"{len(empty)} of the texts are empty: what is said of them is a guess.")
    y = truth(raw.frame, spec)
    if y is None and all(target in raw.frame.columns for target in spec["targets"]):
        said.append(f"Target {spec['target']!r} has missing or unknown values: the predictions are not scored.")
    places = Places([f"{raw.name} {raw.unit}"], np.zeros(len(texts), np.int64), raw.places)
    problems: tuple[Problem, ...] = raw.problems
    return Inputs(frame_of(texts), places, y, problems, (*raw.said, *said))


def columns_of(frame: pl.DataFrame, name: str, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """The columns that training had, or the only one that holds text."""
    missing = [c for c in wanted if c not in frame.columns]
    if not missing:
        return list(wanted), []
    others = text_columns(frame)
    if len(wanted) == 1 and len(others) == 1:
        return others, [f"There is no column {wanted[0]!r}: the text is read from {others[0]!r}."]
    near = nearest(missing[0], frame.columns)
    raise DataError(
        f"{name} lacks the text column {missing[0]!r}.",
        did_you_mean(near, frame.columns) if near else f"It has: {listed(frame.columns, 8)}.",
    )


def truth(frame: pl.DataFrame, spec: Mapping[str, Any]) -> np.ndarray | None:
    """The target where the table has it and all of it is known."""
    targets = spec["targets"]
    if not all(target in frame.columns for target in targets):
        return None
    if spec["goal"] != "multilabel":
        return known_target(frame.get_column(targets[0]), spec["goal"], spec["classes"], False)
    if len(targets) > 1:
        chosen = frame.select(spec["classes"]).cast(pl.Float64, strict=False)
        return None if any(c.null_count() for c in chosen) else chosen.to_numpy()
    column = frame.get_column(targets[0])
    delimiter = delimiter_of(column)
    rows = [split_labels(value, delimiter) for value in column.to_list()]
    return np.array([[float(name in row) for name in spec["classes"]] for row in rows])
