"""How a table's source spells what it holds - yes and no, dates, whole numbers - so that made rows are spelled the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from whet.data.core import Data
from whet.data.table_kinds import blank_missing, conform, kind_from

LOOKED_AT = 2_000
"""Values of a column at most that its spelling is read from."""
WHOLE = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
DTYPES = {str(dtype): dtype for dtype in (pl.Date, pl.Boolean, pl.Float32, pl.Float64, *WHOLE)}
"""Types of a source's columns that made ones are given again."""

Wording = Mapping[str, Mapping[str, str]]
"""By column: {"no", "yes"} words, a date's "format", or the "dtype" in a source that is no text. Others stay as they are."""


def read(raw: pl.DataFrame, data: Data) -> Wording:
    """The spelling of a table's columns, from the table as it stands in its source."""
    specs = {str(spec["name"]): spec for spec in data.origin["columns"]}
    comma = bool(data.origin.get("decimal_comma", False))
    found: dict[str, Mapping[str, str]] = {}
    for series in (raw[name] for name in data.x.columns if name in raw.columns):
        if str(series.dtype) in DTYPES:
            found[series.name] = {"dtype": str(series.dtype)}
        elif series.dtype == pl.String and series.name in specs:
            text = blank_missing(series.gather_every(-(-len(series) // LOOKED_AT) or 1))
            kind = kind_from(specs[series.name])
            value = conform(text, kind, comma)[0]
            if kind.name == "boolean":
                found[series.name] = {"no": commonest(text.filter(~value)), "yes": commonest(text.filter(value))}
            elif kind.name == "date":
                found[series.name] = {"format": date_format(text, value, kind.format)}
    return {name: said for name, said in found.items() if all(said.values())}


def commonest(text: pl.Series) -> str:
    """The word that is there most often, of several the first in the alphabet; empty where there is none."""
    return str(text.mode().sort()[0]) if len(text) else ""


def date_format(text: pl.Series, date: pl.Series, form: str) -> str:
    """The format, with days, months and hours unpadded where more of the source's dates are written so."""
    bare = form
    for part in ("%d", "%m", "%H", "%I"):
        bare = bare.replace(part, f"%-{part[1]}")
    return max((form, bare), key=lambda f: (written(date, f) == text).sum() or 0) if form else form


def written(date: pl.Series, form: str) -> pl.Series:
    """Dates as text; those of formats with a zone are in UTC, which they were read as."""
    zoned = date.dt.replace_time_zone("UTC") if form.lower().endswith("%z") else date
    return zoned.dt.strftime(form.replace("%z", "%:z"))


def spelled(made: pl.DataFrame, wording: Wording) -> pl.DataFrame:
    """Made rows in the source's own words."""
    return made.with_columns(_spelled(made[name], said) for name, said in wording.items())


def _spelled(series: pl.Series, said: Mapping[str, Any]) -> pl.Series:
    if "dtype" in said:
        boolean = said["dtype"] == "Boolean" and series.dtype == pl.String  # the classes of a target
        return series == "true" if boolean else series.cast(DTYPES[said["dtype"]], strict=False)
    if "yes" in said:
        return series.replace_strict({True: said["yes"], False: said["no"]}, default=None, return_dtype=pl.String)
    return written(series, said["format"])
