"""What a table can come from - files, folders of files, frames, arrays -> raw tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet.data.json_files import plain_series
from whet.data.raw import RawTable, typed, unique_names
from whet.data.table_bytes import ending
from whet.data.table_files import is_table_name, read_table
from whet.errors import DataError

PART_NAMES = {
    "train": ("train", "training", "learn"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing", "holdout"),
}
"""How files, and the values of a split column, name the parts."""


def gather(source: Any, holdout: Any, target: str | None) -> tuple[list[tuple[str, RawTable]], str | None]:
    """[(part, table)], the training table or the only one first; and the target, which arrays bring with them."""
    if isinstance(source, tuple) and target is None:
        target = "y"
    if isinstance(source, str | Path) and Path(source).is_dir():
        parts = [(part, read_table(path)) for part, path in _files_of(Path(source)).items()]
    else:
        parts = [("", raw_table(source))]
    if holdout is None:
        return parts, target
    parts = [("train" if part == "" else part, raw) for part, raw in parts if part != "test"]
    return [*parts, ("test", raw_table(holdout))], target


def _files_of(folder: Path) -> dict[str, Path]:
    """The table files of a folder by the part that they are; {"": file} if there is but one table in it."""
    try:
        files = sorted(p for p in folder.iterdir() if is_table_name(p) and p.is_file())
        files = [p for p in files if ending(p) not in (".txt", ".data")] or files
    except OSError as error:
        raise DataError(f"{folder} can't be read: {error.strerror}.", "Check its permissions.") from None
    parts: dict[str, Path] = {}
    for part, names in PART_NAMES.items():
        found = [p for p in files if p.name.split(".")[0].lower() in names]
        if found:
            parts[part] = found[0]
    if "train" in parts:
        return parts
    if len(files) == 1:
        return {"": files[0]}
    if not files:
        raise DataError(
            f"{folder} holds no table.", "Give a CSV, TSV, JSONL or Parquet file, or a folder with train.csv."
        )
    seen = ", ".join(p.name for p in files[:6])
    raise DataError(f"{folder} holds {len(files)} tables and none is train.csv: {seen}.", "Name one of them.")


def raw_table(source: Any, names: Sequence[str] | None = None) -> RawTable:
    """Any single table as it stands. `names` are the columns' names for an array without any."""
    if isinstance(source, str | Path):
        return _raw_path(Path(source))
    if isinstance(source, pl.DataFrame):
        return _checked(typed(source, "the table"))
    if isinstance(source, pl.LazyFrame):
        return _checked(typed(source.collect(), "the table"))
    if isinstance(source, tuple) and len(source) == 2:
        return _checked(_from_arrays(source[0], source[1], names))
    module = type(source).__module__.split(".")[0]
    if module == "pandas" and hasattr(source, "columns"):
        return _checked(_from_pandas(source))
    if module == "pyarrow":
        return _checked(typed(pl.DataFrame(pl.from_arrow(source)), "the table"))
    if isinstance(source, Mapping):
        return _checked(typed(pl.DataFrame(dict(source), strict=False), "the table"))
    if isinstance(source, np.ndarray) or hasattr(source, "__array__"):
        return _checked(_from_arrays(source, None, names))
    raise DataError(f"A {type(source).__name__} is no table.", "Give a path, a DataFrame, or arrays (X, y).")


def _raw_path(path: Path) -> RawTable:
    if not path.exists() and path.name == str(path):
        from whet.data.bundled import TABLES, bundled_frame

        if path.name in TABLES:
            return typed(bundled_frame(path.name), path.name)
    if path.is_dir():
        files = _files_of(path)
        return read_table(files.get("") or files.get("test") or files["train"])
    return read_table(path)


def _checked(raw: RawTable) -> RawTable:
    if not raw.frame.height or not raw.frame.width:
        raise DataError(f"{raw.name} has no rows.", "Give a table with a row per example.")
    return raw


def _from_pandas(frame: Any) -> RawTable:
    said: list[str] = []
    names = unique_names([str(c) for c in frame.columns], said)
    columns = [_pandas_column(name, frame.iloc[:, i]) for i, name in enumerate(names)]
    raw = typed(pl.DataFrame(columns), "the table")
    return RawTable(raw.frame, raw.name, raw.unit, raw.places, raw.order, said=tuple(said))


def _pandas_column(name: str, column: Any) -> pl.Series:
    if column.dtype != object:
        try:
            return pl.Series(name, pl.from_pandas(column.reset_index(drop=True), nan_to_null=True))
        except (pl.exceptions.PolarsError, TypeError, ValueError, ImportError):
            pass
    missing = column.isna().to_numpy()
    return plain_series(name, [None if gone else _plain_value(v) for v, gone in zip(column, missing, strict=True)])


def _plain_value(value: Any) -> Any:
    """A numpy scalar as a Python value."""
    return value.item() if isinstance(value, np.generic) else value


def _from_arrays(x: Any, y: Any, names: Sequence[str] | None = None) -> RawTable:
    """(n, columns) and (n,) as a table with the columns x0, x1, … and y. Frames keep their names."""
    if isinstance(x, pl.DataFrame) or (type(x).__module__.split(".")[0] == "pandas" and hasattr(x, "columns")):
        raw = raw_table(x)
    else:
        raw = typed(_frame_of_array(np.asarray(x), names), "the array")
    if y is None:
        return raw
    values = np.asarray(y)
    values = values.ravel() if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or len(values) != raw.frame.height:
        raise DataError(
            f"X has {raw.frame.height:,} rows and y has shape {np.shape(y)}.", "Give one target value per row of X."
        )
    if "y" in raw.frame.columns:
        raise DataError("X has a column named 'y' already.", "Name the target with target=… in one DataFrame.")
    return typed(raw.frame.with_columns(_series_of_array("y", values)), raw.name)


def _frame_of_array(x: np.ndarray, names: Sequence[str] | None) -> pl.DataFrame:
    if x.ndim != 2:
        raise DataError(f"X has shape {x.shape}.", "A table needs two dimensions: (rows, columns).")
    numbered = [f"x{i}" for i in range(x.shape[1])]
    if names is None or set(names) <= set(numbered):
        names = numbered  # some of the training columns may have been left out
    elif len(names) != x.shape[1]:
        raise DataError(f"The array has {x.shape[1]} columns; the model was trained on {len(names)}.", "Give those.")
    return pl.DataFrame([_series_of_array(name, x[:, i]) for i, name in enumerate(names)])


def _series_of_array(name: str, values: np.ndarray) -> pl.Series:
    if values.dtype.kind in "biuf":
        values = values.astype(np.float32) if values.dtype == np.float16 else values
        return pl.Series(name, np.ascontiguousarray(values), strict=False)
    if values.dtype.kind in "mM":
        return pl.Series(name, values.astype("datetime64[us]" if values.dtype.kind == "M" else "timedelta64[us]"))
    if values.dtype.kind == "c":
        raise DataError(f"Column {name!r} holds complex numbers.", "Give real numbers.")
    plain = [None if v is None or v != v else _plain_value(v) for v in values.tolist()]
    return plain_series(name, plain)


def is_array(source: Any) -> bool:
    """Whether the columns have no names of their own."""
    return isinstance(source, tuple) and isinstance(source[0], np.ndarray)


def name_of(source: Any) -> str:
    if not isinstance(source, str | Path):
        return "table"
    path = Path(source).resolve()
    return path.name.split(".")[0] or "table" if path.is_file() else path.name
