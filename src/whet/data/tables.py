"""Tables as data: files, folders of files, frames and arrays -> `Data`; and a table to predict -> `Inputs`.

The way of a table: gather (one or more raw tables) -> join -> target -> split column -> kinds of the columns -> checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet.data import checks
from whet.data.core import MOST_CORRUPT, Data, Inputs, Problem
from whet.data.labels import alike
from whet.data.raw import RawTable, counted
from whet.data.table_joining import Joined, Places, join, missing_columns, names_of
from whet.data.table_kinds import Tidy, conform, kind_from, tidy
from whet.data.table_sources import gather, is_array, name_of, raw_table
from whet.data.table_splits import official_parts, split_column
from whet.data.targets import choose_target, known_target, read_target
from whet.errors import DataError
from whet.record import Finding


def load_table(
    source: Any,
    *,
    target: str | None = None,
    task: str | None = None,
    holdout: Any = None,
    split: str | Path | None = None,
) -> Data:
    """A table as `Data`: its target found and read, its columns typed, what is odd about it named.

    `source` is a path (file or folder), a polars or pandas frame, or a pair (X, y) of arrays. `holdout` is another such
    table, whose rows become the official test part. `split` is a column with the values train, val and test, or a file
    with such a column. Raises DataError, with one clear line, for everything that can't be learned from.
    """
    if holdout is not None and split is not None:
        raise DataError("Both a holdout and a split were given.", "Give one of --holdout and --split.")
    parts, target = gather(source, holdout, target)
    chosen, said = choose_target(parts[0][1].frame.columns, target, parts[0][1].name)
    joined = join(parts, chosen, strict=holdout is not None)
    if joined.frame.width < 2:
        raise DataError(
            f"{joined.places.names[0].rsplit(' ', 1)[0]} has one column only, {chosen!r}: there is nothing to learn from.",
            "Check the separator: comma, semicolon, tab and | are known.",
        )
    goal = read_target(joined.frame.get_column(chosen), task, joined.places.__getitem__, joined.decimal_comma)
    assigned, used, split_said = split_column(joined, split, chosen)
    joined = joined.rows(goal.keep)
    official = official_parts(joined, None if assigned is None else assigned[goal.keep])
    neat = tidy(joined.frame.drop(chosen, *used), decimal_comma=joined.decimal_comma)
    x, findings = checks.clean_columns(neat.frame, is_array(source))
    _refuse_empty(x, findings, joined.places.names[0])
    findings = (*findings, *checks.check_table(x, goal.y, goal.goal, goal.classes))
    findings = (*findings, *checks.unseen_classes(goal.y, goal.classes, official))
    whole = neat.frame.drop(f.where for f in findings if f.name == "id-column")
    findings = (*findings, *checks.duplicate_rows(whole, goal.y, goal.goal), *alike(goal.classes))
    return Data(
        name=name_of(source),
        domain="table",
        x=x,
        y=goal.y,
        goal=goal.goal,
        classes=goal.classes,
        target=chosen,
        official=official,
        ids=joined.places,
        problems=(*joined.problems, *goal.problems),
        said=(
            *joined.said,
            *said,
            *goal.said,
            *split_said,
            *neat.said,
            *_count_problems(joined, goal.problems),
        ),
        findings=findings,
        fingerprint=_fingerprint(x, goal.y, official, chosen),
        origin={"columns": _column_specs(x, neat), "decimal_comma": joined.decimal_comma},
    )


def table_spec(data: Data) -> dict[str, Any]:
    """What `load_inputs` needs to know of a table, JSON-able; part of task.json."""
    return {
        "domain": "table",
        "columns": list(data.origin["columns"]),
        "decimal_comma": bool(data.origin.get("decimal_comma", False)),
        "target": data.target,
        "goal": data.goal,
        "classes": list(data.classes),
    }


def load_inputs(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """A table to predict, with the columns and kinds of the training table: see `table_spec`.

    Where `spec` says which columns are "needed", others may be absent. Raises DataError for a missing column, and for one in
    which more than 5 % of the values don't fit.
    """
    raw = raw_table(source, [c["name"] for c in spec["columns"]])
    frame, said = _wanted(raw, spec)
    comma = bool(spec.get("decimal_comma")) or raw.decimal_comma
    columns = []
    for column in spec["columns"]:
        found, odd = conform(frame.get_column(column["name"]), kind_from(column), comma)
        said += _odd_values(found, odd, column["kind"], raw)
        columns.append(found)
    x = pl.DataFrame(columns)
    y = None
    if spec["target"] in raw.frame.columns:
        y = known_target(raw.frame.get_column(spec["target"]), spec["goal"], spec["classes"], comma)
        if y is None:
            said.append(f"Target {spec['target']!r} has missing or unknown values: the predictions are not scored.")
    places = Places([f"{raw.name} {raw.unit}"], np.zeros(x.height, np.int64), raw.places)
    return Inputs(x, places, y, raw.problems, (*raw.said, *said))


# -- predicting ----------------------------------------------------------------------------------------------------


def _wanted(raw: RawTable, spec: Mapping[str, Any]) -> tuple[pl.DataFrame, list[str]]:
    """The columns that the model was trained on; says which others are ignored."""
    names = [c["name"] for c in spec["columns"]]
    absent = [n for n in names if n not in raw.frame.columns]
    if missing := [n for n in absent if n in spec.get("needed", names)]:
        raise missing_columns(raw, missing)
    extra = [c for c in raw.frame.columns if c not in names and c != spec["target"]]
    said = [f"Columns that the model does not use are ignored: {names_of(extra)}."] if extra else []
    said += [f"Absent, and not needed: {names_of(absent)}."] if absent else []
    return raw.frame.with_columns(pl.lit(None, pl.String).alias(n) for n in absent).select(names), said


def _odd_values(found: pl.Series, odd: pl.Series, kind: str, raw: RawTable) -> list[str]:
    count = odd.len() - odd.null_count()
    if not count:
        return []
    seen = ", ".join(map(repr, odd.drop_nulls().unique(maintain_order=True).head(3).to_list()))
    what = {"number": "numbers", "boolean": "yes/no values", "date": "dates"}[kind]
    if count > MOST_CORRUPT * odd.len():
        raise DataError(
            f"{raw.name}: column {odd.name!r} should hold {what} and has {seen} ({count:,} of {odd.len():,} rows).",
            "Give the column as it was in training.",
        )
    return [f"Column {odd.name!r}: {counted(count, 'value')} read as missing, being no {what} ({seen})."]


# -- small parts of load_table ---------------------------------------------------------------------------------------


def _refuse_empty(x: pl.DataFrame, findings: Sequence[Finding], name: str) -> None:
    if not x.width:
        texts = [f.where for f in findings if f.name == "free-text"]
        what = f" but free text ({names_of(texts)})" if texts else ""
        raise DataError(
            f"{name.rsplit(' ', 1)[0]} has no column to learn from besides the target{what}.",
            "Tables of numbers, dates and categories can be learned from.",
        )
    if all(column.null_count() == column.len() for column in x):
        raise DataError(f"{name.rsplit(' ', 1)[0]}: every value besides the target is missing.", "Check the file.")


def _column_specs(x: pl.DataFrame, neat: Tidy) -> list[dict[str, str]]:
    return [{"name": name, "kind": neat.kinds[name].name, "format": neat.kinds[name].format} for name in x.columns]


def _count_problems(joined: Joined, more: Sequence[Problem]) -> tuple[str, ...]:
    count = len(joined.problems) + len(more)
    return (f"Skipped: {counted(count, 'corrupt row')}.",) if count else ()


class _Digest:
    """A file that keeps nothing but the checksum of what is written to it."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha.update(data)
        return len(data)


def _fingerprint(x: pl.DataFrame, y: np.ndarray, official: Mapping[str, np.ndarray], target: str) -> str:
    """A checksum of the values, the parts and the target; of nothing that depends on how they are laid out in memory."""
    digest = _Digest()
    digest.write(repr([target, *zip(x.columns, map(str, x.dtypes), strict=True)]).encode())
    x.write_csv(digest)  # type: ignore[call-overload]
    digest.write(np.ascontiguousarray(y).tobytes())
    for part in sorted(official):
        digest.write(part.encode() + official[part].tobytes())
    return digest.sha.hexdigest()
