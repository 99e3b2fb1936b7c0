"""Labels of anomalies: numbers, booleans or words -> 1 strange, 0 normal, NaN not known."""

from __future__ import annotations

import numpy as np
import polars as pl

from whet.data.table_kinds import blank_missing, plain_column
from whet.errors import DataError

LABEL_NAMES = (
    "label",
    "labels",
    "anomaly",
    "is_anomaly",
    "anomalous",
    "is_anomalous",
    "outlier",
    "is_outlier",
    "attack",
)
STRANGE = ("1", "1.0", "true", "yes", "anomaly", "anomalous", "abnormal", "outlier", "attack", "fault", "fraud")
NORMAL = ("0", "0.0", "-1", "-1.0", "false", "no", "normal", "nominal", "inlier", "benign", "ok", "n")


def read_labels(column: pl.Series | None, rows: int) -> tuple[np.ndarray, list[str]]:
    """((rows,) float64, what is to be said). Of two other words the rarer one is the anomaly."""
    if column is None:
        return np.full(rows, np.nan), []
    plain = plain_column(column)
    if plain is None:
        raise DataError(
            f"Column {column.name!r} holds {column.dtype} values, no labels.", "Name another with --target."
        )
    text = blank_missing(plain.cast(pl.String)).str.to_lowercase()
    counts = dict(text.drop_nulls().value_counts(sort=True).iter_rows())
    strange, said = strange_words(column.name, counts)
    missing = text.is_null().to_numpy()
    found = text.is_in(list(strange)).fill_null(False).to_numpy().astype(np.float64)
    found[missing] = np.nan
    if counts and not strange:
        said.append(f"No row of column {column.name!r} is labelled as an anomaly: metrics are undefined.")
    elif counts and set(counts) <= strange:
        said.append(f"Every row of column {column.name!r} is labelled as an anomaly: metrics are undefined.")
    return found, said


def strange_words(name: str, counts: dict[str, int]) -> tuple[set[str], list[str]]:
    """The values that mean an anomaly. Raises DataError where that can't be told."""
    if set(counts) <= {"1", "-1", "1.0", "-1.0"} and {"-1", "-1.0"} & set(counts):
        return {"-1", "-1.0"} & set(counts), [f"Column {name!r}: -1 is an anomaly, as in scikit-learn."]
    known = {word for word in counts if word in STRANGE}
    if all(word in known or word in NORMAL for word in counts):
        return known, []
    if "normal" in counts or "benign" in counts:
        others = set(counts) - {"normal", "benign"}
        return others, [f"Column {name!r}: everything but 'normal' is an anomaly ({len(others)} kinds)."]
    if len(counts) == 2:
        rarer = min(counts, key=lambda word: counts[word])
        return {rarer}, [f"Column {name!r}: {rarer!r}, the rarer of two values, is the anomaly."]
    seen = ", ".join(map(repr, list(counts)[:5]))
    raise DataError(f"Column {name!r} has {len(counts)} values ({seen}): which are anomalies?", "Write 0 and 1.")
