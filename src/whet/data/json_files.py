"""JSON as frames: an object per line, or one list of objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet.data.raw import RawTable, listed, refuse_spoilt
from whet.errors import DataError


def read_json(data: bytes, path: Path) -> RawTable:
    """A JSON object per line, or one list of objects."""
    if data.lstrip()[:1] == b"[":
        objects, bad, total = _json_list(data, path)
        places = np.arange(1, total + 1, dtype=np.int64)
        unit = "row"
    else:
        lines = data.split(b"\n")
        filled = np.array([i for i, line in enumerate(lines) if line.strip()], np.int64)
        objects, bad = _parse_objects([lines[i] for i in filled])
        places, total, unit = filled + 1, filled.size, "line"
    problems = listed(f"{path.name} {unit}", places[list(bad)], lambda i: list(bad.values())[i], len(bad))
    refuse_spoilt(path, len(bad), total, problems)
    keep = np.array([i for i in range(total) if i not in bad], np.int64)
    columns: dict[str, list[Any]] = {str(name): [] for row in objects for name in row}
    for row in objects:
        for name, column in columns.items():
            column.append(row.get(name))
    frame = pl.DataFrame([plain_series(name, values) for name, values in columns.items()])
    return RawTable(frame, path.name, unit, places[keep], keep, problems)


def _parse_objects(lines: list[bytes]) -> tuple[list[dict[str, Any]], dict[int, str]]:
    objects, bad = [], {}
    for i, line in enumerate(lines):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            bad[i] = "not JSON"
            continue
        if isinstance(value, dict):
            objects.append(value)
        else:
            bad[i] = "not a JSON object"
    return objects, bad


def _json_list(data: bytes, path: Path) -> tuple[list[dict[str, Any]], dict[int, str], int]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.", "Give a JSON object per line, or a list of objects.") from None
    bad = {i: "not a JSON object" for i, v in enumerate(values) if not isinstance(v, dict)}
    return [v for v in values if isinstance(v, dict)], bad, len(values)


def plain_series(name: str, values: list[Any]) -> pl.Series:
    """A column of plain values: booleans, integers, floats or text; mixed ones become text, nested ones JSON text."""
    kinds = {type(v) for v in values if v is not None}
    if kinds <= {bool}:
        return pl.Series(name, values, pl.Boolean if kinds else pl.String)
    if kinds == {int} and all(v is None or -(1 << 63) <= v < 1 << 63 for v in values):
        return pl.Series(name, values, pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(name, [None if v is None else _float(v) for v in values], pl.Float64)
    return pl.Series(name, [None if v is None else as_text(v) for v in values], pl.String)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def as_text(value: Any) -> str:
    """Any value as text; nested ones as JSON."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, default=str, ensure_ascii=True) if isinstance(value, dict | list) else str(value)
