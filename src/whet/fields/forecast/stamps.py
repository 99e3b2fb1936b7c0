"""A column of time stamps: which one it is, and what it says - dates with and without zones, seconds, step numbers."""

from __future__ import annotations

import numpy as np
import polars as pl

from whet.data.raw import counted
from whet.data.table_kinds import blank_missing, find_dates, plain_column, strays, to_float
from whet.errors import DataError, did_you_mean, nearest

ZONE = r"(?i)(?:\dT\d{2}|[T ]\d{1,2}:\d{2}.*?)\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2})$"
SECONDS = (3e8, 5e9)
"""Numbers between these are seconds since 1970 (years 1979 to 2128); 1,000 times as large, milliseconds."""
MOST_LOST = 0.05
"""Share of rows whose stamps may be missing or unreadable: they are left out."""


def time_column(frame: pl.DataFrame, given: str | None) -> tuple[str, str]:
    """(the column of time stamps, what is to be said). Raises DataError where it can't be told."""
    if given is not None:
        if given not in frame.columns:
            near = nearest(given, frame.columns)
            raise DataError(f"There is no column {given!r} for the time.", did_you_mean(near, frame.columns))
        return given, ""
    found = [name for name in frame.columns if _holds_dates(frame[name])]
    if len(found) == 1:
        return found[0], f"Time: column {found[0]!r}, the only one with dates."
    seen = f"columns {', '.join(map(repr, found))} hold dates" if found else "no column holds dates"
    raise DataError(
        f"A forecast needs to know when its rows are, and {seen}.",
        f"Say which: --time {(found or frame.columns)[0]}.",
    )


def _holds_dates(column: pl.Series) -> bool:
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    if column.dtype != pl.String or not (filled := blank_missing(column).drop_nulls().head(200)).len():
        return False
    return _dates(filled) is not None


def read_stamps(column: pl.Series, said: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(datetime64[us] in UTC or as written, or float64 numbers; bool, which rows have one). Raises DataError."""
    zone = getattr(column.dtype, "time_zone", None)
    if zone not in (None, "UTC"):
        column = column.dt.convert_time_zone("UTC")
        said.append(f"Time stamps of {zone} are read as UTC, where no hour is missing or doubled.")
    plain = plain_column(column)
    if plain is None or plain.dtype == pl.Boolean:
        raise DataError(f"Column {column.name!r} holds {column.dtype} values, no time.", "Name another with --time.")
    if plain.dtype == pl.String:
        return _from_text(blank_missing(plain), said)
    if plain.dtype == pl.Datetime:
        return _moments(plain), plain.is_not_null().to_numpy()
    return _from_numbers(plain.cast(pl.Float64).fill_null(np.nan).to_numpy(), column.name, said)


def _from_text(text: pl.Series, said: list[str]) -> tuple[np.ndarray, np.ndarray]:
    dates = _dates(text)
    if dates is not None:
        _say_zones(text, said)
        lost = dates.is_null()
        _refuse_lost(text, lost, said)
        return _moments(dates), (~lost).to_numpy()
    number = to_float(text)
    if number.null_count() <= MOST_LOST * len(text):
        return _from_numbers(number.fill_null(np.nan).to_numpy(), text.name, said)
    shown = ", ".join(map(repr, text.drop_nulls().head(3).to_list()))
    raise DataError(
        f"Column {text.name!r} holds no dates ({shown}).", "Write them like 2024-01-31 or 2024-01-31 18:00."
    )


def _moments(dates: pl.Series) -> np.ndarray:
    """datetime64[us]; 1970 in place of what is missing."""
    found: np.ndarray = dates.to_physical().fill_null(0).to_numpy().astype("datetime64[us]")
    return found


def _dates(text: pl.Series) -> pl.Series | None:
    """`find_dates`, with colons in zones taken care of; zoned stamps become UTC."""
    zoned = text.str.contains(ZONE).fill_null(False)
    if zoned.any():
        some, of = int(zoned.sum()), len(text) - text.null_count()
        if some < of:
            bare, with_zone = text.filter(~zoned).drop_nulls()[0], text.filter(zoned)[0]
            raise DataError(
                f"Column {text.name!r} mixes stamps with and without a time zone ({some:,} of {of:,} have one: {with_zone!r} "
                f"and {bare!r}).",
                "Give all of them a zone, or none.",
            )
        even = text.str.replace(r"(?i)\s?(Z|UTC|GMT)$", "+0000").str.replace(r"([+-]\d{2}):(\d{2})$", "${1}${2}")
        even = even.str.replace(r"(\dT\d{2})([+-]\d{4})$", "${1}:00${2}")  # 2024-01-31T18Z
        for form in ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M%z"):
            dates = even.str.strptime(pl.Datetime("us", "UTC"), form, strict=False)
            if dates.null_count() <= even.null_count() + MOST_LOST * len(even):
                return dates.dt.replace_time_zone(None)
    return find_dates(text)[1]


def _say_zones(text: pl.Series, said: list[str]) -> None:
    """Stamps of several zones are moments all the same: they are put on one clock."""
    zones = text.str.extract(ZONE, 1).drop_nulls().value_counts(sort=True)
    if len(zones) > 1:
        shown = ", ".join(f"{zone} ({count:,} rows)" for zone, count in zones.head(4).iter_rows())
        said.append(f"Column {text.name!r} has stamps of {len(zones)} time zones: {shown}. All are read as UTC.")


def _refuse_lost(text: pl.Series, lost: pl.Series, said: list[str]) -> None:
    count = int(lost.sum())
    if not count:
        return
    odd = ", ".join(map(repr, strays(text, text.set(lost, None)))) or "empty"
    if count > MOST_LOST * len(text):
        raise DataError(f"Column {text.name!r}: {count:,} of {len(text):,} stamps are no dates ({odd}).", "Mend them.")
    said.append(f"{counted(count, 'row')} without a readable time stamp left out ({odd}).")


def _from_numbers(numbers: np.ndarray, name: str, said: list[str]) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(numbers)
    if not known.any():
        raise DataError(f"Column {name!r} holds no time stamps: all are missing.", "Name another with --time.")
    low, high = numbers[known].min(), numbers[known].max()
    if (lost := int((~known).sum())) and lost > MOST_LOST * len(numbers):
        raise DataError(f"Column {name!r}: {lost:,} of {len(numbers):,} stamps are missing.", "Mend them.")
    for unit, micro in (("seconds", 1e6), ("milliseconds", 1e3)):
        scale = micro / 1e6
        if SECONDS[0] / scale <= low and high <= SECONDS[1] / scale:
            said.append(f"Time: column {name!r} counts {unit} since 1970.")
            return np.where(known, numbers * micro, 0).round().astype(np.int64).astype("datetime64[us]"), known
    return np.where(known, numbers, 0.0), known
