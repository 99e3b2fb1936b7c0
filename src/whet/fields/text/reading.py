"""Tables and lists of texts -> `Data`: which columns are text, what is to be learned, which rows are which part.

The rows of `Data.x` are a polars frame with one column, "text". Rows of a class that the training part lacks belong to no
part: they are out of scope, and their numbers stand in `origin["unknown"]`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet.data.core import MOST_CORRUPT, Data, Problem, Roles
from whet.data.json_files import as_text
from whet.data.labels import alike, listed
from whet.data.raw import counted
from whet.data.table_joining import Joined, join
from whet.data.table_sources import gather, name_of
from whet.data.table_splits import official_parts, split_column
from whet.data.targets import Target, read_target
from whet.errors import DataError, did_you_mean, nearest
from whet.fields.text.labels import delimiter_of, many_labels, stand_together
from whet.fields.text.looking import FOLDS, label_column, text_columns

GOALS = {"text-classification": "classification", "text-regression": "regression", "text": None}
MULTILABEL = ("multilabel", "multi-label", "text-multilabel")
BETWEEN = " \n "
"""What stands between the texts of several columns."""


@dataclass(frozen=True)
class Columns:
    """Who is what."""

    texts: tuple[str, ...]
    targets: tuple[str, ...]
    said: tuple[str, ...]


def read(source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles) -> Data:
    """A table of texts, or a pair (texts, labels). Raises DataError, in one clear line, for what can't be learned from."""
    if holdout is not None and split is not None:
        raise DataError("Both a holdout and a split were given.", "Give one of --holdout and --split.")
    source, holdout, target, roles = as_tables(source, holdout, target, roles)
    parts, _ = gather(source, holdout, target)
    first = parts[0][1]
    columns = columns_of(first.frame, first.name, target, roles)
    joined = join(parts, columns.targets[0], strict=holdout is not None)
    name = name_of(source) if isinstance(source, str | Path) else "texts"
    return assembled(name, joined, columns, task, split)


def assembled(name: str, joined: Joined, columns: Columns, task: str | None, split: Any) -> Data:
    """`Data` of one joined table whose columns are known."""
    goal = target_of(joined, columns, task)
    assigned, split_said = parts_of(joined, split, columns.targets[0])
    texts = texts_of(joined.frame, columns.texts)
    filled = np.array([bool(text.strip()) for text in texts]) if texts else np.empty(0, bool)
    empty = tuple(Problem(joined.places[int(i)], "an empty text") for i in np.flatnonzero(~filled & goal.keep))
    refuse_many(empty, len(texts), columns.texts[0])
    keep = filled & goal.keep
    y = goal.y[filled[goal.keep]]
    joined = joined.rows(keep)
    official = official_parts(joined, None if assigned is None else assigned[keep])
    x = pl.DataFrame(
        {"text": [text for text, kept in zip(texts, keep, strict=True) if kept]}, schema={"text": pl.String}
    )
    if x.get_column("text").n_unique() < 2:
        raise DataError(f"{name}: all texts are the same; nothing can be learned.", "Check --text.")
    y, classes, official, unknown, scope_said = scoped(y, goal, official)
    return Data(
        name=name,
        domain="text",
        x=x,
        y=y,
        goal=goal.goal,
        classes=classes,
        target=", ".join(columns.targets) if len(columns.targets) < 4 else f"{len(columns.targets)} columns",
        official=official,
        ids=joined.places,
        problems=(*joined.problems, *goal.problems, *empty),
        said=(*joined.said, *columns.said, *goal.said, *split_said, *scope_said),
        findings=alike(classes),
        fingerprint=fingerprint(x, y, official, classes),
        origin={"columns": list(columns.texts), "targets": list(columns.targets), "unknown": unknown.tolist()},
    )


# -- sources that are no tables ------------------------------------------------------------------------------------


def is_texts(values: Any) -> bool:
    """Whether this is a list (or array, or column) of texts."""
    if isinstance(values, str | bytes) or not hasattr(values, "__len__") or not hasattr(values, "__getitem__"):
        return False
    if hasattr(values, "columns") or isinstance(values, dict) or not len(values):
        return False
    first = values.iloc[0] if hasattr(values, "iloc") else values[0]
    return isinstance(first, str)


def as_tables(source: Any, holdout: Any, target: str | None, roles: Roles) -> tuple[Any, Any, str | None, Roles]:
    """Pairs (texts, labels) as frames with the columns "text" and "label"."""
    if not (isinstance(source, tuple | list) and len(source) == 2 and is_texts(source[0])):
        return source, holdout, target, roles
    source = frame_of(source)
    holdout = frame_of(holdout) if isinstance(holdout, tuple | list) else holdout
    return source, holdout, target or "label", Roles(**{**roles.given(), "text": "text"})


def frame_of(pair: Any) -> pl.DataFrame:
    texts, labels = list(pair[0]), list(pair[1])
    if len(texts) != len(labels):
        raise DataError(f"There are {len(texts):,} texts and {len(labels):,} labels.", "Give one label per text.")
    strange = next((text for text in texts if text is not None and not isinstance(text, str)), None)
    if strange is not None:
        raise DataError(f"Among the texts is {strange!r}, a {type(strange).__name__}.", "Give texts.")
    values = [value.item() if isinstance(value, np.generic) else value for value in labels]
    if any(isinstance(value, list | tuple | set | str) for value in values):
        values = [as_text(sorted(v) if isinstance(v, set) else list(v) if isinstance(v, tuple) else v) for v in values]
    return pl.DataFrame({"text": texts, "label": values}, schema_overrides={"text": pl.String}, strict=False)


# -- columns -------------------------------------------------------------------------------------------------------


def columns_of(frame: pl.DataFrame, name: str, target: str | None, roles: Roles) -> Columns:
    """Which columns are text and which the target; what nobody said is found by looking, and said."""
    said = []
    targets = tuple(known_columns(frame, name, target, "target")) if target else ()
    if roles.text:
        texts = tuple(known_columns(frame, name, roles.text, "text"))
    else:
        texts = tuple(c for c in text_columns(frame) if c not in targets)
        if not texts:
            raise DataError(
                f"{name} has no column of running text: {listed(frame.columns)}.", "Name it with --text COLUMN."
            )
        said.append(about_texts(frame, texts))
    if not targets:
        found = label_column(frame, texts)
        if found is None:
            raise DataError(f"{name} has no column besides {listed(texts)} that could be the target.", "Add labels.")
        targets = (found,)
        said.append(f"No target was given: {found!r} is taken (--target changes it).")
    if both := [c for c in texts if c in targets]:
        raise DataError(f"Column {both[0]!r} can't be the text and the target.", "Give another --target or --text.")
    unused = [c for c in frame.columns if c not in (*texts, *targets)]
    if unused:
        said.append(f"Not used: {listed(unused)}.")
    return Columns(texts, targets, tuple(said))


def known_columns(frame: pl.DataFrame, name: str, wanted: str, what: str) -> list[str]:
    """The columns that "a,b" names. Raises DataError, with the nearest names, where there is none."""
    if wanted in frame.columns:
        return [wanted]
    asked = [part.strip() for part in wanted.split(",") if part.strip()]
    lower = {c.strip().lower(): c for c in frame.columns}
    for column in asked:
        if column.lower() not in lower:
            near = nearest(column, frame.columns)
            raise DataError(
                f"{name} has no column {column!r} to be the {what}.", did_you_mean(near, list(frame.columns))
            )
    return [lower[column.lower()] for column in asked]


def about_texts(frame: pl.DataFrame, texts: Sequence[str]) -> str:
    column = frame.get_column(texts[0]).drop_nulls()
    mean, distinct = column.str.count_matches(r"\S+").to_numpy().mean(), column.n_unique() / column.len()
    seen = f"{mean:.1f} words a row, {distinct:.0%} of them different"
    which = f"Column {texts[0]!r} holds" if len(texts) == 1 else f"Columns {listed(texts)} hold"
    return f"{which} running text ({seen}); --text names another one."


def texts_of(frame: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """One text for each row; several columns behind one another."""
    parts = [[as_text(v) if v is not None else "" for v in frame.get_column(c).to_list()] for c in columns]
    return [BETWEEN.join(row).replace("\0", " ") for row in zip(*parts, strict=True)]


def refuse_many(empty: Sequence[Problem], total: int, column: str) -> None:
    if len(empty) > MOST_CORRUPT * total:
        raise DataError(
            f"{counted(len(empty), 'text')} of {total:,} in column {column!r} are empty (the first: {empty[0].where}).",
            f"Up to {MOST_CORRUPT:.0%} are left out; remove those rows, or name another --text.",
        )


# -- target, split, scope ------------------------------------------------------------------------------------------


def target_of(joined: Joined, columns: Columns, task: str | None) -> Target:
    """The target's values: classes, numbers, or several labels for each row."""
    column = joined.frame.get_column(columns.targets[0])
    several = len(columns.targets) > 1 or (task or "").lower() in MULTILABEL
    if several or delimiter_of(column) == "[":
        return many_labels(joined.frame.select(columns.targets), joined.places.__getitem__)
    if (task or "text").lower() == "text" and stand_together(column):
        found = many_labels(joined.frame.select(columns.targets), joined.places.__getitem__)
        return replace(found, said=(*found.said, "(Inferred; --task classification takes each value as one class.)"))
    return read_target(column, GOALS.get((task or "text").lower(), task), joined.places.__getitem__)


def parts_of(joined: Joined, split: Any, target: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The part of every row; "fold" or "fold=3" makes one fold the test part and the one before it the validation part."""
    name, _, chosen = str(split or "").partition("=")
    if name in joined.frame.columns and (name.lower() in FOLDS or chosen):
        return by_fold(joined.frame.get_column(name), chosen)
    assigned, _, said = split_column(joined, split, target)
    return assigned, said


def by_fold(column: pl.Series, chosen: str) -> tuple[np.ndarray, tuple[str, ...]]:
    folds = [str(v) for v in column.unique().sort().to_list()]
    folds = sorted(folds, key=lambda f: (not f.isdecimal(), int(f) if f.isdecimal() else 0, f))
    if len(folds) < 3:
        raise DataError(f"Column {column.name!r} has {len(folds)} folds.", "Three or more are needed.")
    test = chosen or folds[-1]
    if test not in folds:
        raise DataError(f"Column {column.name!r} has no fold {test!r}.", f"It has {listed(folds, 12)}.")
    val = folds[folds.index(test) - 1]
    values = column.cast(pl.String).to_list()
    parts = np.array(["test" if v == test else "val" if v == val else "train" for v in values], dtype=object)
    return parts, (f"By {column.name!r}: fold {test} is the test part, fold {val} the validation part.",)


def scoped(
    y: np.ndarray, goal: Target, official: dict[str, np.ndarray]
) -> tuple[np.ndarray, tuple[str, ...], dict[str, np.ndarray], np.ndarray, tuple[str, ...]]:
    """(y, classes, parts, out-of-scope rows, what is to be said): classes that training lacks are no classes."""
    none = np.empty(0, np.int64)
    if goal.goal != "classify" or "train" not in official:
        return y, goal.classes, official, none, ()
    seen = np.bincount(y[official["train"]], minlength=len(goal.classes)) > 0
    if seen.all():
        return y, goal.classes, official, none, ()
    outside = ~seen[y]
    rank = np.where(seen, np.cumsum(seen) - 1, -1)
    inside = {part: rows[~outside[rows]] for part, rows in official.items()}
    unknown = np.concatenate([rows[outside[rows]] for part, rows in official.items() if part == "test"] or [none])
    names = listed([c for c, known in zip(goal.classes, seen, strict=True) if not known], 3)
    said = (
        f"Training has no example of {names}: {counted(len(unknown), 'test row')} of it measure what is out of scope."
    )
    classes = tuple(c for c, known in zip(goal.classes, seen, strict=True) if known)
    return rank[y], classes, {part: rows for part, rows in inside.items() if len(rows)}, unknown, (said,)


def fingerprint(x: pl.DataFrame, y: np.ndarray, official: dict[str, np.ndarray], classes: Sequence[str]) -> str:
    """sha256 of texts, labels and parts."""
    digest = hashlib.sha256("\0".join(classes).encode())
    for text in x.get_column("text").to_list():
        digest.update(text.encode("utf-8", "replace") + b"\0")
    digest.update(np.ascontiguousarray(y).tobytes())
    for part in sorted(official):
        digest.update(part.encode() + official[part].tobytes())
    return digest.hexdigest()
