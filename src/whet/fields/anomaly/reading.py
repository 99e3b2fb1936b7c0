"""Any source -> rows to look for anomalies in: which column is the time, which are the labels, and what they are for.

    no split, labels or not        everything is learned from, without labels, and everything is scored
    a split, or a holdout          the clean part: training rows that are labelled as anomalies are left out of it;
                                   where fewer than `KNOWN` of the others have labels, there may be anomalies among them
    labels with blanks             few labels: those of one half are learned from, the other half is scored

Several CSVs in a folder are several series; one network is trained on all of them, each series in its own units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet.data.checks import id_like
from whet.data.core import Data, Inputs, Roles
from whet.data.raw import RawTable, counted
from whet.data.table_files import is_table_name
from whet.data.table_kinds import blank_missing, conform, find_dates, kind_from, tidy
from whet.data.table_sources import PART_NAMES, name_of, raw_table
from whet.errors import DataError, did_you_mean, nearest
from whet.fields.anomaly.labels import LABEL_NAMES, read_labels
from whet.fields.anomaly.rows import Rows
from whet.fields.anomaly.windows import window_of
from whet.record import Finding

FEWEST = 8
"""Rows below which nothing can be said of what is normal."""
MOST_LEVELS = 30
"""A column of texts with more different ones than this says who a row is, not what it is like: it is left out."""
KNOWN = 0.5
"""Share of the training rows, without known anomalies, that must be labelled as normal for them to be a clean part: nobody said
that a row without a label is normal."""
ALONE, CLEAN, FEW = "unsupervised", "clean part", "few labels"
"""Modes, see above."""
ZONE = r"(Z|UTC|GMT|[+-]\d{2}:?\d{2})$"
"""How a stamp's zone is written."""
PART = "whet's part"
"""The column that says which rows came from the holdout, or from a folder's train and test tables."""


@dataclass(frozen=True)
class Columns:
    """What each column of a source is."""

    time: str
    """Empty: rows have no order."""
    series: str
    label: str
    part: str
    values: tuple[str, ...]


def load(source: Any, *, target: str | None, holdout: Any, split: Any, roles: Roles) -> Data:
    """The source as `Data`. Raises DataError, with one clear line, for what can't be learned from."""
    tables = tables_of(source)
    if holdout is not None:
        tables = {PART: with_holdout(first(tables), first(tables_of(holdout)))}
        split = PART
    elif set(tables) >= {"train", "test"}:
        tables, split = {PART: with_holdout(tables["train"], tables["test"])}, PART
    raw = first(tables)
    columns, said = columns_of(raw.frame, target, split, roles, arrays=are_arrays(source))
    frames = {name: table.frame for name, table in tables.items()}
    rows, labels, parts, more, findings = joined(frames, columns, raw.decimal_comma, roles.lookback is not None)
    if len(rows) < FEWEST:
        raise DataError(f"{raw.name} has {counted(len(rows), 'row')}.", f"Give {FEWEST} or more.")
    window = window_of(rows, roles.lookback) if rows.timed else 1
    official, mode, sentence = parts_of(labels, parts)
    how = f"One row is judged with the {window - 1} before it" if rows.timed else "Rows have no order"
    return Data(
        name=name_of(source),
        domain="anomaly",
        x=rows,
        y=labels,
        goal="detect",
        classes=(),
        target=columns.label,
        official=official,
        ids=None,
        problems=tuple(p for t in tables.values() for p in t.problems),
        said=(*(s for t in tables.values() for s in t.said), *said, *more, f"{how}.", sentence, *about_series(rows)),
        findings=tuple(findings),
        fingerprint=fingerprint(rows, labels, window),
        origin={
            "columns": vars(columns),
            "window": window,
            "timed": rows.timed,
            "mode": mode,
            "decimal_comma": raw.decimal_comma,
        },
    )


def are_arrays(source: Any) -> bool:
    """Whether a column y, of these rows or of the holdout's, is the array beside X."""
    if isinstance(source, str | Path):
        return Path(source).suffix.lower() == ".npz"
    return isinstance(source, tuple | np.ndarray) or hasattr(source, "detach")


def first(tables: Mapping[str, RawTable]) -> RawTable:
    return next(iter(tables.values()))


def tables_of(source: Any) -> dict[str, RawTable]:
    """name -> table: one, a folder's train and test tables, or a folder's series."""
    if isinstance(source, str | Path) and Path(source).is_dir():
        files = sorted(p for p in Path(source).rglob("*") if p.is_file() and is_table_name(p))
        if not files:
            raise DataError(f"{source} holds no table.", "Give a CSV file, or a folder of them.")
        parts = {part: p for part, names in PART_NAMES.items() for p in files if p.stem.lower() in names}
        chosen = parts if "train" in parts else {p.relative_to(source).with_suffix("").as_posix(): p for p in files}
        return {name: raw_table(path) for name, path in chosen.items()}
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".npz":
        return {Path(source).stem: from_npz(Path(source))}
    if hasattr(source, "detach"):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray) and source.ndim == 1:
        source = source[:, None]
    return {name_of(source): raw_table(source)}


def from_npz(path: Path) -> RawTable:
    """X (rows, columns), and y (rows) if it is there."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name.lower(): file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise DataError(f"{path} can't be read: {error}.", "Give an .npz with X and y, saved without pickle.") from None
    if "x" not in found:
        raise DataError(f"{path} holds {', '.join(found) or 'nothing'}, and no X.", "Name the array of rows X.")
    return raw_table((found["x"], found["y"]) if "y" in found else found["x"])


def with_holdout(train: RawTable, test: RawTable) -> RawTable:
    """One table with a column that says which rows are for training, which for the test."""
    if missing := [c for c in train.frame.columns if c not in test.frame.columns and c.lower() not in LABEL_NAMES]:
        raise DataError(f"{test.name} lacks the column {missing[0]!r}.", "Give a table with the same columns.")
    frames = [f.with_columns(pl.lit(part).alias(PART)) for f, part in ((train.frame, "train"), (test.frame, "test"))]
    both = pl.concat(frames, how="diagonal_relaxed")
    rows = np.arange(both.height)
    return RawTable(both, train.name, "row", rows + 1, rows, (*train.problems, *test.problems), train.said)


# -- which column is what ------------------------------------------------------------------------------------------


def columns_of(
    frame: pl.DataFrame, target: str | None, split: Any, roles: Roles, arrays: bool
) -> tuple[Columns, list[str]]:
    """The columns by their roles, and what was inferred."""
    said: list[str] = []
    for name in (target, roles.time, roles.series, None if split is None else str(split)):
        if name is not None and name not in frame.columns:
            raise DataError(f"There is no column {name!r}.", did_you_mean(nearest(name, frame.columns), frame.columns))
    part = str(split) if split is not None else ""
    label = target or next((c for c in frame.columns if c.lower() in LABEL_NAMES or (arrays and c == "y")), "")
    if label and not target:
        said.append(f"Column {label!r} holds labels; they are for judging, not for training.")
    time = roles.time or ""
    others = [frame[c] for c in frame.columns if c != label]
    if not time and (found := first_dates(others)):
        time = found
        said.append(f"Time: column {time!r} holds dates, so rows follow each other.")
    used = {time, roles.series or "", label, part}
    return Columns(time, roles.series or "", label, part, tuple(c for c in frame.columns if c not in used)), said


def first_dates(columns: Sequence[pl.Series]) -> str:
    """The first that holds dates; where none does, the first of which only some name their zone, which is refused when
    rows are put in order; empty if there is none."""
    return next((c.name for mixed in (False, True) for c in columns if holds_dates(c, mixed)), "")


def holds_dates(column: pl.Series, mixed: bool) -> bool:
    """Whether it does; `mixed`: with zones left out."""
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    if column.dtype != pl.String or not (filled := blank_missing(column).drop_nulls().head(200)).len():
        return False
    return find_dates(filled.str.replace(rf"(:.*?)\s?{ZONE}", "${1}") if mixed else filled)[1] is not None


# -- rows ----------------------------------------------------------------------------------------------------------


def joined(
    frames: Mapping[str, pl.DataFrame], columns: Columns, decimal_comma: bool, ordered: bool
) -> tuple[Rows, np.ndarray, np.ndarray | None, list[str], list[Finding]]:
    """(rows, labels, parts as text or None, what is to be said, findings): series after series, each in its order."""
    pieces = {name: piece for key, frame in frames.items() for name, piece in series_of(key, frame, columns)}
    whole = pl.concat(pieces.values(), how="diagonal_relaxed")
    bounds = tuple(np.cumsum([0, *(p.height for p in pieces.values())]).tolist())
    labels, said = read_labels(whole[columns.label] if columns.label else None, whole.height)
    values, more, findings = values_of(whole, columns, decimal_comma)
    stamps = whole[columns.time].cast(pl.String).fill_null("").to_numpy() if columns.time else None
    parts = whole[columns.part].cast(pl.String).str.to_lowercase().to_numpy() if columns.part else None
    timed = bool(columns.time or columns.series) or len(pieces) > 1 or ordered
    return Rows(values, bounds, tuple(pieces), timed, stamps), labels, parts, [*said, *more], findings


def series_of(name: str, frame: pl.DataFrame, columns: Columns) -> list[tuple[str, pl.DataFrame]]:
    """The series in a table, in the order of time where it is known."""
    if columns.time and columns.time not in frame.columns:
        raise DataError(f"{name} has no column {columns.time!r}.", "Give series with the same columns.")
    if columns.series:
        found = frame.partition_by(columns.series, maintain_order=True)
        return [(str(p[columns.series][0]), in_order(p, columns)) for p in found]
    return [(name, in_order(frame, columns))]


def in_order(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """By time; rows whose stamp can't be read stay where they are in a series that is in order already."""
    if not columns.time:
        return frame
    stamps = frame[columns.time]
    if stamps.dtype == pl.String:
        refuse_mixed(stamps)
        dates = find_dates(stamps)[1]
        stamps = dates if dates is not None else stamps.cast(pl.Float64, strict=False)
    if stamps.null_count() == len(stamps):
        seen = ", ".join(map(repr, frame[columns.time].head(2).to_list()))
        raise DataError(f"Column {columns.time!r} holds no times ({seen}).", "Name another with --time.")
    if stamps.null_count() or stamps.is_sorted():
        return frame
    return frame[stamps.arg_sort()]


def refuse_mixed(stamps: pl.Series) -> None:
    """Raises DataError for stamps of which only some name their zone: their order can't be known."""
    zoned = stamps.str.contains(ZONE).fill_null(False) & stamps.str.contains(":")
    if 0 < (count := int(zoned.sum())) < len(stamps) - stamps.null_count():
        examples = stamps.filter(zoned)[0], stamps.filter(~zoned).drop_nulls()[0]
        raise DataError(
            f"Column {stamps.name!r} mixes stamps with and without a time zone ({count:,} of {len(stamps):,} have one: "
            f"{examples[0]!r} and {examples[1]!r}).",
            "Give all of them a zone, or none.",
        )


def values_of(
    whole: pl.DataFrame, columns: Columns, decimal_comma: bool
) -> tuple[pl.DataFrame, list[str], list[Finding]]:
    """The columns that are looked at: numbers as Float64, categories as String; what is left out is said."""
    names = [c for c in columns.values if c in whole.columns]
    found = tidy(whole.select(names), decimal_comma=decimal_comma)
    said, kept, findings = [s for s in found.said if "holds dates" not in s], [], []
    for series in found.frame:
        why = unfit(series, bool(columns.time))
        if why:
            said.append(f"Column {series.name!r} is left out: {why}.")
            continue
        number = series.dtype.is_numeric() or series.dtype == pl.Boolean
        kept.append(series.cast(pl.Float64) if number else series.cast(pl.String))
        if series.drop_nulls().n_unique() == 1:
            findings.append(Finding("constant", f"Column {series.name!r} never changes: any other value is strange."))
    if not kept:
        raise DataError(
            f"There is no column to look at (columns {', '.join(whole.columns[:8])}).", "Give columns of numbers."
        )
    if len(findings) == len(kept):
        shown = ", ".join(repr(series.name) for series in kept[:5])
        raise DataError(
            f"No column changes in {whole.height:,} rows ({shown}): nothing can be strange there.",
            "Give rows that differ.",
        )
    return pl.DataFrame(kept), said, findings


def unfit(series: pl.Series, timed: bool) -> str:
    """Why a column can't be looked at; empty if it can."""
    if series.null_count() == len(series):
        return "it holds no value"
    if series.dtype == pl.Datetime:
        return "it holds dates"
    if series.dtype == pl.String and timed:
        return "it holds text, and rows follow each other in time"
    if series.dtype == pl.String and series.n_unique() > MOST_LEVELS:
        return f"it holds {series.n_unique():,} different texts"
    return id_like(series) if series.dtype == pl.String else ""


def parts_of(labels: np.ndarray, parts: np.ndarray | None) -> tuple[dict[str, np.ndarray], str, str]:
    """(the parts that the source has, the mode, what is to be said): see this file's beginning."""
    known, strange = np.isfinite(labels), labels > 0
    if parts is not None:
        return with_split(known, strange, parts)
    if known.any() and not known.all():
        every = [np.flatnonzero(known & (strange == kind)) for kind in (False, True)]
        test = np.sort(np.concatenate([rows[1::2] for rows in every]))
        train = np.setdiff1d(np.arange(len(labels)), test)
        few = f"Few labels: {int(known.sum()):,} of {len(labels):,} rows have one"
        return {"train": train, "test": test}, FEW, f"{few}; every second is learned from, the others are scored."
    everything = np.arange(len(labels))
    judged = "labels are for scoring only" if known.any() else "there are no labels, so metrics are undefined"
    return {"test": everything}, ALONE, f"Unsupervised: all rows are learned from and all are scored; {judged}."


def with_split(known: np.ndarray, strange: np.ndarray, parts: np.ndarray) -> tuple[dict[str, np.ndarray], str, str]:
    """The same where a column says who is for training: without known anomalies, and of a clean part only what is labelled."""
    words = {word: part for part, names in PART_NAMES.items() for word in names}
    named = np.asarray([words.get(p, "") for p in parts], object)
    if "train" not in named or "test" not in named:
        raise DataError("The split names no training or no test rows.", "Write train and test in its column.")
    found = {part: np.flatnonzero(named == part) for part in PART_NAMES if (named == part).any()}
    train = found["train"]
    usual = train[~strange[train]]
    told = known[usual]
    clean = len(told) > 0 and told.mean() >= KNOWN
    found["train"] = usual[told] if clean else usual
    if len(found["train"]) < FEWEST:
        who = "labelled as normal" if clean else "not labelled as strange"
        rows = counted(len(found["train"]), "row")
        raise DataError(f"The training part has {rows} {who}.", f"Give {FEWEST} or more.")
    out = {"labelled as strange": len(train) - len(usual), "without a label": len(usual) - len(found["train"])}
    left = "".join(f"; {counted(n, 'row')} {which} left out of it" for which, n in out.items() if n)
    if clean:
        return found, CLEAN, f"With a clean part: training rows count as normal{left}."
    who = f"have no label but for {int(told.sum()):,}" if told.any() else "have no labels"
    return found, ALONE, f"Unsupervised: training rows {who}, and may hold anomalies{left}."


def about_series(rows: Rows) -> tuple[str, ...]:
    if len(rows.names) == 1:
        return ()
    return (f"{len(rows.names)} series: one network for all of them, each series in its own units.",)


def fingerprint(rows: Rows, labels: np.ndarray, window: int) -> str:
    text = hashlib.sha256(f"{rows.names} {rows.bounds} {window}".encode())
    text.update(rows.frame.write_csv().encode())
    text.update(labels.tobytes())
    return text.hexdigest()


# -- to predict ----------------------------------------------------------------------------------------------------


def input_spec(data: Data) -> dict[str, Any]:
    """What `load_inputs` has to know of the training data."""
    kinds = {s.name: "text" if s.dtype == pl.String else "number" for s in data.x.frame}
    return {"domain": "anomaly", "kinds": kinds, **data.origin}


def load_inputs(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """Rows to score. Raises DataError where a column is missing."""
    tables = tables_of(source)
    known = Columns(**{**spec["columns"], "part": "", "values": tuple(spec["kinds"])})
    frames = {name: checked(table.frame, known, name) for name, table in tables.items()}
    pieces = {n: p for key, frame in frames.items() for n, p in series_of(key, frame, known)}
    whole = pl.concat(pieces.values(), how="diagonal_relaxed")
    label = whole[known.label] if known.label in whole.columns else None
    labels, _ = read_labels(label, whole.height)
    values = [
        conform(whole[n], kind_from({"kind": kind}), spec["decimal_comma"])[0] for n, kind in spec["kinds"].items()
    ]
    if all(column.null_count() == len(column) for column in values):
        names = ", ".join(map(repr, list(spec["kinds"])[:5]))
        raise DataError(f"There is no value in {names}: nothing can be judged.", "Check the columns.")
    stamps = whole[known.time].cast(pl.String).fill_null("").to_numpy() if known.time else None
    bounds = tuple(np.cumsum([0, *(p.height for p in pieces.values())]).tolist())
    rows = Rows(as_numbers(values), bounds, tuple(pieces), spec["timed"], stamps, dict(spec))
    return Inputs(rows, stamps_of(rows), labels if label is not None else None, said=first(tables).said)


def checked(frame: pl.DataFrame, known: Columns, name: str) -> pl.DataFrame:
    needed = [c for c in (known.time, known.series, *known.values) if c]
    if missing := [c for c in needed if c not in frame.columns]:
        near = did_you_mean(nearest(missing[0], frame.columns), frame.columns)
        raise DataError(f"{name} has no column {missing[0]!r}, which the network was trained with.", near)
    if not frame.height:
        raise DataError(f"{name} has no rows.", "Give one or more.")
    return frame


def as_numbers(values: Sequence[pl.Series]) -> pl.DataFrame:
    return pl.DataFrame([s if s.dtype == pl.String else s.cast(pl.Float64) for s in values])


def stamps_of(rows: Rows) -> list[str] | None:
    """What rows are called in predictions: the series where there are several, and the time."""
    if rows.stamps is None:
        return None
    if len(rows.names) == 1:
        return [str(s) for s in rows.stamps]
    return [f"{name} {rows.stamps[i]}" for name, start, end in rows.each() for i in range(start, end)]
