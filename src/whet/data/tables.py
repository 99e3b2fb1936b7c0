"""Tables as data: files, folders of files, frames and arrays -> `Data`; and a table to predict -> `Inputs`.

The way of a table: gather (one or more raw tables) -> join -> target -> split column -> kinds of the columns -> checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl

from whet.data import checks
from whet.data.core import MOST_CORRUPT, Data, Inputs, Problem
from whet.data.json_files import as_text
from whet.data.labels import alike
from whet.data.raw import RawTable, counted
from whet.data.table_files import read_table
from whet.data.table_kinds import Tidy, conform, kind_from, plain_column, tidy
from whet.data.table_sources import PART_NAMES, gather, is_array, name_of, raw_table
from whet.data.targets import choose_target, known_target, read_target
from whet.errors import DataError, did_you_mean, nearest
from whet.record import Finding

SPLIT_COLUMNS = ("split", "part", "subset", "partition", "set")
ROW_COLUMNS = ("row", "index", "row_index", "test_row", "id")


class Places(Sequence[str]):
    """What each row is called: "train.csv line 17". Made when asked for: tables are long."""

    def __init__(self, names: Sequence[str], table: np.ndarray, place: np.ndarray) -> None:
        self.names, self.table, self.place = tuple(names), table, place

    def __len__(self) -> int:
        return len(self.place)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        if isinstance(row, slice):
            return [self[i] for i in range(len(self))[row]]
        return f"{self.names[self.table[row]]} {self.place[row]}"

    def at(self, rows: np.ndarray) -> Places:
        """The places of some rows."""
        return Places(self.names, self.table[rows], self.place[rows])


@dataclass(frozen=True)
class Joined:
    """Several raw tables as one; the parts that they are in `part` and `names`."""

    frame: pl.DataFrame
    places: Places
    part: np.ndarray
    """(rows,) the index into `names` of the table that each row comes from."""
    names: tuple[str, ...]
    """The part that each table is: "" for a table that is no part."""
    order: np.ndarray
    problems: tuple[Problem, ...]
    said: tuple[str, ...]
    decimal_comma: bool

    def rows(self, keep: np.ndarray) -> Joined:
        """The table with the rows where `keep` is true."""
        at = np.flatnonzero(keep)
        return Joined(
            self.frame.filter(pl.Series(keep)),
            self.places.at(at),
            self.part[at],
            self.names,
            self.order[at],
            self.problems,
            self.said,
            self.decimal_comma,
        )


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
    x, findings, left_out = checks.clean_columns(neat.frame, is_array(source))
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
            *left_out,
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

    Raises DataError for a missing column, and for one in which more than 5 % of the values don't fit.
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


# -- joining -------------------------------------------------------------------------------------------------------


def join(parts: list[tuple[str, RawTable]], target: str, strict: bool) -> Joined:
    """One table of all, with the columns of the first in their order. A test part without the target can't be scored:
    it is left out, and that is said; `strict`: refused, since it was asked for."""
    first = parts[0][1]
    kept, said = [parts[0]], list(first.said)
    for part, raw in parts[1:]:
        if target not in raw.frame.columns:
            if part == "test" and not strict:
                said.append(f"{raw.name} has no column {target!r}: it can't be scored and is left out.")
                continue
            raise DataError(
                f"{raw.name} has no column {target!r}.",
                did_you_mean(nearest(target, raw.frame.columns), raw.frame.columns),
            )
        extra = [c for c in raw.frame.columns if c not in first.frame.columns]
        if extra:
            said.append(f"{raw.name} has columns that {first.name} lacks; they are ignored: {_names(extra)}.")
        kept.append((part, raw))
        said += raw.said
    frames = _same_types([_select(raw, first) for _, raw in kept])
    tables = [np.full(f.height, i, np.int64) for i, f in enumerate(frames)]
    table = np.concatenate(tables)
    return Joined(
        pl.concat(frames),
        Places([f"{raw.name} {raw.unit}" for _, raw in kept], table, np.concatenate([r.places for _, r in kept])),
        table,
        tuple(part for part, _ in kept),
        np.concatenate([r.order for _, r in kept]),
        tuple(p for _, r in kept for p in r.problems),
        tuple(said),
        any(r.decimal_comma for _, r in kept),
    )


def _select(raw: RawTable, first: RawTable) -> pl.DataFrame:
    missing = [c for c in first.frame.columns if c not in raw.frame.columns]
    if missing:
        raise _missing_columns(raw, missing)
    return raw.frame.select(first.frame.columns)


def _missing_columns(raw: RawTable, missing: Sequence[str]) -> DataError:
    columns = raw.frame.columns
    near = nearest(missing[0], columns)
    return DataError(
        f"{raw.name} lacks the column{'s' * (len(missing) > 1)} {_names(missing)}.",
        did_you_mean(near, columns) if near else f"It has: {_names(columns)}.",
    )


def _names(columns: Sequence[str], show: int = 8) -> str:
    more = f" and {len(columns) - show} more" if len(columns) > show else ""
    return ", ".join(repr(c) for c in columns[:show]) + more


def _same_types(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """The frames with equal column types: numbers widen, anything else that differs becomes text."""
    for name in frames[0].columns:
        types = {f.schema[name] for f in frames}
        if len(types) == 1:
            continue
        wanted: Any = pl.Float64 if all(t.is_numeric() for t in types) else pl.String
        frames = [f.with_columns(_as_type(f.get_column(name), wanted)) for f in frames]
    return frames


def _as_type(series: pl.Series, wanted: Any) -> pl.Series:
    plain = plain_column(series)
    if plain is None:
        return pl.Series(series.name, [None if v is None else as_text(v) for v in series.to_list()], pl.String)
    return plain.cast(wanted, strict=False)


# -- the split -----------------------------------------------------------------------------------------------------


def split_column(
    joined: Joined, split: str | Path | None, target: str
) -> tuple[np.ndarray | None, list[str], tuple[str, ...]]:
    """(part of every row or None, columns that are used up by it, what is to be said)."""
    if split is None:
        return _own_split_column(joined, target)
    if str(split) in joined.frame.columns:
        return _parts_of(joined.frame.get_column(str(split)), str(split)), [str(split)], ()
    if Path(split).is_file():
        return _split_file(Path(split), joined), [], ()
    raise DataError(
        f"There is no column and no file {str(split)!r} to split by.",
        did_you_mean(nearest(str(split), joined.frame.columns), joined.frame.columns),
    )


def _own_split_column(joined: Joined, target: str) -> tuple[np.ndarray | None, list[str], tuple[str, ...]]:
    """A column named "split" that holds nothing but train, val and test is the table's own split."""
    for name in joined.frame.columns:
        if name.lower() in SPLIT_COLUMNS and name != target and joined.names == ("",):
            try:
                parts = _parts_of(joined.frame.get_column(name), name)
            except DataError:
                continue
            return parts, [name], (f"Column {name!r} is the table's own split into train, val and test.",)
    return None, [], ()


def _parts_of(column: pl.Series, name: str) -> np.ndarray:
    words = {word: part for part, names in PART_NAMES.items() for word in names}
    plain = plain_column(column)
    text = (column if plain is None else plain).cast(pl.String).str.strip_chars().str.to_lowercase()
    other = [v for v in text.unique(maintain_order=True).to_list() if v not in words]
    if other:
        seen = ", ".join(map(repr, other[:5]))
        raise DataError(f"Split column {name!r} has values other than train, val and test: {seen}.", "Choose another.")
    parts = np.array([words[v] for v in text.to_list()], dtype=object)
    if not (parts == "train").any():
        raise DataError(f"Split column {name!r} gives no row to train on.", "Mark some rows with 'train'.")
    return parts


def _split_file(path: Path, joined: Joined) -> np.ndarray:
    """The part of every row from a file: a split column as long as the table, or with a column of row numbers from 0."""
    raw = read_table(path)
    frame = raw.frame
    column = next((c for c in frame.columns if c.lower() in SPLIT_COLUMNS), frame.columns[-1])
    total = int(joined.order.max()) + 1
    row_column = next((c for c in frame.columns if c.lower() in ROW_COLUMNS and c != column), None)
    if row_column is not None:
        rows = frame.get_column(row_column).cast(pl.Int64, strict=False)
        if rows.null_count() or rows.min() < 0 or rows.max() >= total:  # type: ignore[operator]
            raise DataError(
                f"{path}: column {row_column!r} is not made of row numbers below {total:,}.", "Count from 0."
            )
        assigned = np.full(total, "train", dtype=object)
        assigned[rows.to_numpy()] = _parts_of(frame.get_column(column), column)
        return assigned[joined.order]
    parts = _parts_of(frame.get_column(column), column)
    if len(parts) < total:
        raise DataError(f"{path} splits {len(parts):,} rows; the table has {total:,}.", "Give one line per row.")
    return parts[joined.order]


def official_parts(joined: Joined, assigned: np.ndarray | None) -> dict[str, np.ndarray]:
    """part -> row indices; {} if the source has no parts of its own."""
    if assigned is None:
        named = {part: np.flatnonzero(joined.part == i) for i, part in enumerate(joined.names) if part}
    else:
        named = {part: np.flatnonzero(assigned == part) for part in PART_NAMES}
    named = {part: rows.astype(np.int64) for part, rows in named.items() if rows.size}
    if not named or set(named) == {"train"}:
        return {}
    if "train" not in named:
        raise DataError("No row with a target is left to train on.", "Check the training part.")
    return named


# -- predicting ----------------------------------------------------------------------------------------------------


def _wanted(raw: RawTable, spec: Mapping[str, Any]) -> tuple[pl.DataFrame, list[str]]:
    """The columns that the model was trained on; says which others are ignored."""
    names = [c["name"] for c in spec["columns"]]
    missing = [n for n in names if n not in raw.frame.columns]
    if missing:
        raise _missing_columns(raw, missing)
    extra = [c for c in raw.frame.columns if c not in names and c != spec["target"]]
    said = [f"Columns that the model does not use are ignored: {_names(extra)}."] if extra else []
    return raw.frame.select(names), said


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
        what = f" but free text ({_names(texts)})" if texts else ""
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
