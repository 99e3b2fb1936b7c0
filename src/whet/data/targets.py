"""The target of a table: which column it is, whether it is classes or numbers, and which rows have none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from whet.data.core import MOST_CORRUPT, Problem
from whet.data.raw import LISTED, counted
from whet.data.table_kinds import (
    MISSING_LABEL,
    best_number,
    blank_missing,
    plain_column,
    strays,
    to_float,
)
from whet.errors import DataError, UnknownName, did_you_mean, nearest

TARGET_NAMES = ("target", "label", "class", "y", "labels", "classes", "targets", "outcome", "response")
"""Names that say "I am the target", the clearest first."""
TASKS = {
    "classification": "classify",
    "classify": "classify",
    "regression": "regress",
    "regress": "regress",
    "table-classification": "classify",
    "table-regression": "regress",
    "image-classification": "classify",
    "image-regression": "regress",
}
MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are a regression target unless they count 0, 1, 2, … evenly."""

Where = Callable[[int], str]
"""What a row is called in a sentence: "train.csv line 17"."""


@dataclass(frozen=True)
class Target:
    """A target that was read."""

    y: np.ndarray
    """(kept,) int64 class indices or float64 values, of the rows in `keep`."""
    goal: str
    classes: tuple[str, ...]
    keep: np.ndarray
    """(rows,) bool: which rows of the table have a target."""
    problems: tuple[Problem, ...]
    said: tuple[str, ...]


def goal_of(task: str | None) -> str | None:
    """ "classify", "regress", or None for a task that is to be inferred. Raises UnknownName."""
    if task is None:
        return None
    if task.lower() not in TASKS:
        raise UnknownName("task for images and tables", task, TASKS)
    return TASKS[task.lower()]


def choose_target(columns: Sequence[str], given: str | None, source: str) -> tuple[str, tuple[str, ...]]:
    """The target's column and what is to be said about the choice. Raises DataError if the given one isn't there."""
    if given is not None:
        return _named_target(columns, given, source)
    lower = {c.strip().lower(): c for c in reversed(columns)}
    for name in TARGET_NAMES:
        if name in lower:
            return lower[name], (f"No target was given: {lower[name]!r} is taken for its name (--target changes it).",)
    return columns[-1], (f"No target was given: {columns[-1]!r}, the last column, is taken (--target changes it).",)


def _named_target(columns: Sequence[str], given: str, source: str) -> tuple[str, tuple[str, ...]]:
    if given in columns:
        return given, ()
    alike = [c for c in columns if c.strip().lower() == given.strip().lower()]
    if len(alike) == 1:
        return alike[0], (f"Target {given!r} is read as column {alike[0]!r}.",)
    raise DataError(
        f"{source} has no column {given!r} to be the target.", did_you_mean(nearest(given, columns), list(columns))
    )


def read_target(column: pl.Series, task: str | None, where: Where, decimal_comma: bool = False) -> Target:
    """The target's values and its goal, inferred unless `task` gives it. Rows without a target are left out."""
    goal = goal_of(task)
    name = column.name
    _refuse_infinite(column, where)
    plain = plain_column(column)
    if plain is None or plain.dtype == pl.Datetime:
        raise DataError(f"Target {name!r} holds {column.dtype} values.", "Choose a target of classes or numbers.")
    number, text, notes = _both_ways(plain, decimal_comma)
    if text is not None and (number is None or goal == "classify"):
        if goal == "regress":
            raise _text_in_numbers(text, number)
        return _classes_of_text(text, number, goal, where)
    assert number is not None
    problems = () if text is None else _stray_rows(text, number, where)
    if number.null_count() == number.len():
        raise _all_missing(name, number.len())
    inferred, why = _infer(number) if goal is None else (goal, "as asked")
    if inferred == "classify":
        return _classes_of_numbers(number, problems, why, where)
    return _values(number, problems, [*notes, _says(name, number, why, "regression", goal)], where)


def _both_ways(plain: pl.Series, decimal_comma: bool) -> tuple[pl.Series | None, pl.Series | None, list[str]]:
    """(as numbers or None, as text or None, what is to be said). Text that is nearly all numbers is given both ways."""
    if plain.dtype == pl.Boolean:
        return None, plain.cast(pl.String), []
    if plain.dtype != pl.String:
        return plain, None, []
    label, blank = blank_missing(plain, MISSING_LABEL), blank_missing(plain)
    number, notes = best_number(blank, decimal_comma)
    filled = blank.len() - blank.null_count()
    if number.len() - number.null_count() >= (1 - MOST_CORRUPT) * filled > 0:
        return number, blank, notes
    return None, label, []


def _refuse_infinite(column: pl.Series, where: Where) -> None:
    if column.dtype.is_float():
        infinite = column.is_infinite().fill_null(False)
    elif column.dtype == pl.String:
        infinite = column.str.to_lowercase().str.contains(r"^\s*[-+]?inf(inity)?\s*$").fill_null(False)
    else:
        return
    if infinite.any():
        row = int(infinite.arg_max() or 0)
        more = f" and {int(infinite.sum()) - 1:,} more rows" if infinite.sum() > 1 else ""
        raise DataError(
            f"Target {column.name!r} is infinite ({column[row]}) in {where(row)}{more}.", "Mend or remove those rows."
        )


def _text_in_numbers(text: pl.Series, number: pl.Series | None) -> DataError:
    seen = strays(text, to_float(text) if number is None else number)
    if not seen:
        return _all_missing(text.name, text.len())
    return DataError(
        f"Target {text.name!r} holds text ({', '.join(map(repr, seen))}) and regression needs numbers.",
        "Choose another --target, or --task classification.",
    )


def _all_missing(name: str, rows: int) -> DataError:
    return DataError(f"Target {name!r} is missing in all {rows:,} rows.", "Choose another --target.")


def _stray_rows(text: pl.Series, number: pl.Series, where: Where) -> tuple[Problem, ...]:
    rows = (number.is_null() & text.is_not_null()).arg_true().to_list()
    listed = tuple(Problem(where(i), f"target {text.name!r} is no number: {text[i]!r}") for i in rows[:LISTED])
    more = len(rows) - len(listed)
    return (*listed, Problem(f"target {text.name!r}", f"{more:,} more are no numbers")) if more else listed


def _infer(number: pl.Series) -> tuple[str, str]:
    """(goal, why) for numbers."""
    filled = number.drop_nulls()
    distinct = filled.n_unique()
    if not _whole(filled):
        return ("classify", "two values") if distinct <= 2 else ("regress", f"{distinct:,} distinct numbers")
    values, counts = np.unique(filled.to_numpy(), return_counts=True)
    counted = values[0] in (0, 1) and values[-1] - values[0] + 1 == distinct
    why = f"{distinct:,} distinct whole numbers"
    few = distinct <= max(2, min(MOST_CLASSES, filled.len() // (3 if counted else 10)))
    even = counted and distinct <= 1000 and counts.min() >= max(5, 0.3 * filled.len() / distinct)
    return ("classify" if few or even else "regress"), why


def _whole(number: pl.Series) -> bool:
    return number.dtype == pl.Int64 or bool(((number == number.round()) & (number.abs() < 2**53)).all())


def _says(name: str, values: pl.Series, why: str, goal: str, asked: str | None) -> str:
    kept = "as asked" if asked else "inferred; --task changes it"
    if why == "as asked":
        return f"Target {name!r} has {values.drop_nulls().n_unique():,} distinct values: {goal} (as asked)."
    return f"Target {name!r} has {why}: {goal} ({kept})."


def _values(number: pl.Series, problems: tuple[Problem, ...], said: list[str], where: Where) -> Target:
    keep = number.is_not_null().to_numpy()
    y = number.drop_nulls().cast(pl.Float64).to_numpy().copy()
    if y.size and y.min() == y.max():
        raise DataError(f"Target {number.name!r} is {y[0]:g} in all rows: nothing can be learned.", "Choose another.")
    return Target(y, "regress", (), keep, problems, (*said, *_dropped(keep, problems)))


def _dropped(keep: np.ndarray, problems: Sequence[Problem]) -> tuple[str, ...]:
    """Says how many rows have no target; raises DataError where they are more than the stated share."""
    missing = int((~keep).sum()) - len(problems)
    if missing <= 0:
        return ()
    if missing > MOST_CORRUPT * keep.size:
        raise DataError(
            f"{counted(missing, 'row')} of {keep.size:,} have no target: more than {MOST_CORRUPT:.0%}.",
            "Remove those rows, or fill in their targets.",
        )
    return (f"Left out: {counted(missing, 'row')} of {keep.size:,} without a target.",)


def _classes_of_text(text: pl.Series, number: pl.Series | None, goal: str | None, where: Where) -> Target:
    if number is not None and number.null_count() == text.null_count():
        return _classes_of_numbers(number, (), "as asked", where)
    keep = text.is_not_null().to_numpy()
    filled = text.drop_nulls()
    if not filled.len():
        raise _all_missing(text.name, text.len())
    classes = tuple(sorted(filled.unique().to_list()))
    return _classes(text.name, filled, classes, classes, "texts", goal, keep, ())


def _classes_of_numbers(number: pl.Series, problems: tuple[Problem, ...], why: str, where: Where) -> Target:
    keep = number.is_not_null().to_numpy()
    filled = number.drop_nulls()
    if _whole(filled):
        filled = filled.cast(pl.Int64)
    values = tuple(sorted(filled.unique().to_list()))
    names = tuple(str(v) for v in values)
    kind = "whole numbers" if filled.dtype == pl.Int64 else "numbers"
    asked = "classify" if why == "as asked" else None
    return _classes(number.name, filled, values, names, kind, asked, keep, problems)


def _classes(
    name: str,
    filled: pl.Series,
    values: tuple,
    classes: tuple[str, ...],
    kind: str,
    asked: str | None,
    keep: np.ndarray,
    problems: tuple[Problem, ...],
) -> Target:
    if len(classes) > 20 and len(classes) > 0.5 * filled.len():
        raise DataError(
            f"Target {name!r} has {len(classes):,} distinct {kind} in {filled.len():,} rows: too many to be classes.",
            "Choose another --target, or --task regression if it holds numbers.",
        )
    y = filled.replace_strict(list(values), list(range(len(values))), return_dtype=pl.Int64).to_numpy().copy()
    check_classes(y, classes, name)
    said = _says(name, filled, f"{len(classes):,} distinct {kind}", "classification", asked)
    return Target(y, "classify", classes, keep, problems, (said, *_dropped(keep, problems)))


def check_classes(y: np.ndarray, classes: Sequence[str], target: str) -> None:
    """Raises DataError for one class only, and for a class with one example."""
    if len(classes) < 2:
        raise DataError(
            f"Target {target!r} has one class only ({', '.join(map(repr, classes))}): there is nothing to learn.",
            "Give examples of at least two classes.",
        )
    single = np.flatnonzero(np.bincount(y, minlength=len(classes)) < 2)
    if single.size:
        names = ", ".join(repr(classes[i]) for i in single[:5]) + (", …" if single.size > 5 else "")
        which = f"Class {names} of target {target!r} has" if single.size == 1 else f"Classes {names} of {target!r} have"
        raise DataError(
            f"{which} one example{'' if single.size == 1 else ' each'}: it can't be both learned and tested.",
            "Add examples, merge classes, or remove those rows.",
        )


def known_target(column: pl.Series, goal: str, classes: Sequence[str], decimal_comma: bool) -> np.ndarray | None:
    """The target of a table to predict: as in training, or None where a value is missing or unknown."""
    plain = plain_column(column)
    if plain is None:
        return None
    number, text, _ = _both_ways(plain, decimal_comma)
    if goal == "regress":
        if number is None or number.null_count() or not number.is_finite().all():
            return None
        return number.cast(pl.Float64).to_numpy().copy()
    index = {name: i for i, name in enumerate(classes)}
    for words in (text, _number_names(number)):
        if words is not None and not words.null_count() and set(words.unique().to_list()) <= index.keys():
            return words.replace_strict(index, return_dtype=pl.Int64).to_numpy().copy()
    return None


def _number_names(number: pl.Series | None) -> pl.Series | None:
    if number is None or number.null_count():
        return None
    whole = number.cast(pl.Int64) if _whole(number) else number
    return pl.Series(number.name, [str(v) for v in whole.to_list()])
