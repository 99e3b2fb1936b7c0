"""What rows look like before anomalies are looked for in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from whet.data.core import Data, Profile, Row, Section
from whet.fields.anomaly.windows import PERIODS, period_of

SHOWN = 20
"""Columns that are listed."""
FAR = 6.0
"""Robust standard deviations from the median beyond which a value is counted as far off."""


def profile(data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
    columns = tuple(column_row(s) for s in data.x.frame)[:SHOWN]
    sections = [Section("Rows", whole(data, parts)), Section("Columns", columns)]
    return Profile(data.name, tuple(sections), data.findings)


def whole(data: Data, parts: Mapping[str, np.ndarray]) -> tuple[Row, ...]:
    x, known = data.x, np.isfinite(data.y)
    rows = [
        Row("rows", f"{len(x):,}"),
        Row("columns", f"{x.frame.width:,}"),
        Row("parts", ", ".join(f"{len(rows):,} {name}" for name, rows in parts.items())),
    ]
    if x.timed:
        rows += [Row("series", f"{len(x.names):,}"), period_row(data)]
    rows.append(labels_row(data, known))
    return tuple(rows)


def period_row(data: Data) -> Row:
    numbers = [s for s in data.x.frame if s.dtype != pl.String]
    period = period_of(numbers[0][: data.x.bounds[1]].to_numpy()) if numbers else 0
    value = f"{period} steps" if period else f"none between {PERIODS[0]} and {PERIODS[1]} steps"
    return Row("period", value, f"each step is judged with the {data.origin['window'] - 1} before it")


def labels_row(data: Data, known: np.ndarray) -> Row:
    if not known.any():
        return Row("labels", "none", "metrics are undefined; the threshold is not")
    strange = int((data.y > 0).sum())
    share = f"{strange:,} anomalies among {int(known.sum()):,} labelled rows ({strange / known.sum():.1%})"
    absent = "" if 0 < strange < known.sum() else "normal" if strange else "an anomaly"
    return Row("labels", share, f"metrics are undefined: nothing is labelled as {absent}" if absent else "")


def column_row(series: pl.Series) -> Row:
    missing = f", {series.null_count() / len(series):.1%} missing" if series.null_count() else ""
    if series.dtype == pl.String:
        return Row(series.name, f"{series.n_unique()} different texts{missing}")
    x = series.drop_nulls().to_numpy()
    middle = float(np.median(x))
    spread = 1.4826 * float(np.median(np.abs(x - middle)))  # of a normal distribution: its standard deviation
    far = int((np.abs(x - middle) > FAR * spread).sum()) if spread else 0
    hint = f"{far:,} values are far off ({FAR:g} robust standard deviations)" if far else ""
    return Row(series.name, f"{x.min():.4g} to {x.max():.4g}, median {middle:.4g}{missing}", hint)
