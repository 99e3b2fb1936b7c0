"""Labels of images and arrays -> class indices or values, with the checks that every source goes through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whet.data.core import MOST_CORRUPT, Problem
from whet.errors import DataError, UnknownName
from whet.record import Finding

GOALS = {
    "classification": "classify",
    "classify": "classify",
    "regression": "regress",
    "regress": "regress",
}
MOST_NUMBER_CLASSES = 100
"""Whole-numbered floats with more distinct values than this are values, not classes."""


def goal_for(task: str | None) -> str | None:
    """ "classify", "regress", or None for None. Raises UnknownName."""
    if task is None:
        return None
    name = task.lower().removeprefix("image-").removeprefix("table-")
    if name not in GOALS:
        raise UnknownName("task", task, ("classification", "regression"))
    return GOALS[name]


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which "10" comes after "9" and "b2" before "b10"."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in parts if part)


def printable(text: str) -> str:
    """`text` fit for a line of output and for JSON: no control characters, no half-decoded bytes."""
    if text.isprintable():  # nearly always, and much faster
        return text
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "�" for c in clean)


def encode(labels: Sequence[Any] | np.ndarray, goal: str | None) -> tuple[np.ndarray, str, tuple[str, ...], list[str]]:
    """(y, goal, classes, said): int64 class indices, or float64 values with no classes.

    Text, whole numbers and booleans are classes, unless the goal says otherwise; fractions are values.
    Raises DataError for NaN and infinity, and for text where values are asked for.
    """
    values = np.asarray(labels)
    if values.ndim > 1 and values.size == len(values):
        values = values.reshape(-1)
    if values.ndim == 2 and goal != "regress" and _is_one_hot(values):
        values = values.argmax(axis=1)
    if values.ndim != 1:
        raise DataError(f"The labels have the shape {values.shape}.", "Give one label per example: shape (n,).")
    if values.dtype.kind == "f":
        _check_finite(values)
    inferred = goal or _guess(values)
    said = [] if goal else [_sentence(values, inferred)]
    if inferred == "regress":
        return _values(values), inferred, (), said
    distinct, y = np.unique(values, return_inverse=True)
    names = [_name(v) for v in distinct.tolist()]
    order = sorted(range(len(names)), key=lambda i: distinct[i] if distinct.dtype.kind in "iufb" else natural(names[i]))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[y.reshape(-1)], inferred, tuple(names[i] for i in order), said


def _is_one_hot(values: np.ndarray) -> bool:
    return bool(values.shape[1] > 1 and np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _check_finite(values: np.ndarray) -> None:
    if bad := int((~np.isfinite(values)).sum()):
        raise DataError(f"{bad} of {len(values)} targets are NaN or infinite.", "Remove or repair those examples.")


def _guess(values: np.ndarray) -> str:
    if values.dtype.kind != "f":
        return "classify"
    whole = bool((values == np.round(values)).all())
    return "classify" if whole and len(np.unique(values)) <= MOST_NUMBER_CLASSES else "regress"


def _sentence(values: np.ndarray, goal: str) -> str:
    distinct = len(np.unique(values))
    if values.dtype.kind in "US":
        return f"The labels are text with {distinct} distinct values: a classification."
    if goal == "classify":
        return f"The labels have {distinct} distinct values: a classification (--task regression overrides this)."
    return f"The labels are numbers with {distinct} distinct values: a regression (--task classification overrides)."


def _values(values: np.ndarray) -> np.ndarray:
    try:
        y = values.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"A regression needs numbers as labels, but there are labels such as {str(values[0])!r}.",
            "Use --task classification.",
        ) from None
    _check_finite(y)
    return y


def _name(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return printable(str(value))


def check_classes(y: np.ndarray, classes: tuple[str, ...], official: Mapping[str, np.ndarray]) -> None:
    """Raises DataError where nothing can be learned: no example, one class only, a class with one example,
    or one that the source's own training part lacks."""
    if len(y) == 0:
        raise DataError("There is no example that can be read.", "Look at the data.")
    counts = np.bincount(y, minlength=len(classes))
    if len(classes) < 2:
        raise DataError(
            f"There is one class only: {classes[0]!r} with {len(y)} examples.", "Learning needs two classes or more."
        )
    train = official.get("train")
    if train is None or "test" not in official:
        single = [classes[i] for i in np.flatnonzero(counts < 2)]
        if single:
            _refuse_single(single, classes)
    if train is not None:
        seen = np.bincount(y[train], minlength=len(classes))
        unseen = [classes[i] for i in np.flatnonzero((seen == 0) & (counts > 0))]
        if unseen:
            raise DataError(
                f"The training part has no example of {listed(unseen)}, which other parts hold.",
                "Add training examples, or remove the class.",
            )


def _refuse_single(single: list[str], classes: tuple[str, ...]) -> None:
    numbers = all(re.fullmatch(r"-?[0-9.]+", name) for name in classes)
    also = " If the labels are values, use --task regression." if numbers else ""
    if len(single) == 1:
        what = f"Class {single[0]!r} has one example only"
    else:
        what = f"{len(single)} of {len(classes)} classes have one example only: {listed(single)}"
    raise DataError(
        f"{what}; one can't be split into a training and a test part.",
        f"Add examples, or remove the class.{also}",
    )


def check_problems(problems: Sequence[Problem], total: int, what: str) -> None:
    """Raises DataError where more than `MOST_CORRUPT` of `total` could not be read."""
    if len(problems) <= MOST_CORRUPT * total:
        return
    shown = "; ".join(f"{p.where}: {p.why}" for p in problems[:3])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    raise DataError(
        f"{len(problems)} of {total} {what} can't be read ({shown}{more}).",
        f"Up to {MOST_CORRUPT:.0%} are skipped; repair or remove the others.",
    )


def alike(classes: Sequence[str]) -> tuple[Finding, ...]:
    """A finding for each group of classes that differ in nothing but case or spaces."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(" ".join(name.lower().split()), []).append(name)
    return tuple(
        Finding(
            "labels-alike",
            f"The classes {listed(names)} differ in nothing but case or spaces; they are learned as {len(names)} classes.",
            evidence={"classes": names},
            severity="warning",
            advice="Write them alike if they are one class.",
        )
        for names in groups.values()
        if len(names) > 1
    )


def listed(names: Sequence[str], show: int = 5) -> str:
    """'a', 'b' and 3 more."""
    rest = f" and {len(names) - show} more" if len(names) > show else ""
    return ", ".join(repr(name) for name in names[:show]) + rest
