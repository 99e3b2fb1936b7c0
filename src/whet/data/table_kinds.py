"""What the columns of a table mean: numbers, booleans, dates or text, found in the values and written down as kinds.

`tidy` finds the kinds of a training table; `conform` brings another table to kinds that are already known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Any

import polars as pl

from whet.data.core import MOST_CORRUPT
from whet.data.json_files import as_text
from whet.data.raw import counted

MISSING = ("", "?", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "<na>", "nat")
"""Texts that stand for a missing value, in lower case."""
MISSING_LABEL = ("", "?", "na", "n/a", "#n/a", "nan", "null", "<na>", "nat")
"""The same for a target made of texts, where "none" and "-" may be classes."""
MOST = 1 - MOST_CORRUPT
"""Share of a column's values that must fit for the column to be of a kind."""
TRUE, FALSE = ("true", "yes", "t", "y"), ("false", "no", "f", "n")
NUMBER = r"([-+]?(?:\d{1,3}(?:[, ]\d{3})+|\d+)(?:\.\d*)?|[-+]?\.\d+)"
DECORATED = rf"^([$€£¥#~≈]?)\s?{NUMBER}\s?(%|[A-Za-z°µ][A-Za-z°µ/²³0-9]{{0,7}}|[$€£¥])?$"
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y")
NAMED_DATES = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%Y-%b-%d", "%a, %d %b %Y")
SHORT_DATES = ("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y")
MONTHS = "%Y-%m"
CLOCKS = ("", " %H:%M", " %H:%M:%S%.f", "T%H:%M", "T%H:%M:%S%.f", "T%H:%M:%S%.fZ", " %I:%M %p", " %I:%M:%S %p", "T%H")
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S %Z")


@dataclass(frozen=True)
class Kind:
    """What a column holds."""

    name: str
    """"number", "boolean", "date" or "text"."""
    format: str = ""
    """How dates are written; empty for columns that hold dates already."""


@dataclass(frozen=True)
class Tidy:
    """A table whose columns are Int64, Float64, Boolean, Datetime or String, with null for everything missing."""

    frame: pl.DataFrame
    kinds: Mapping[str, Kind]
    said: tuple[str, ...] = ()
    stray: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Per column the first few values that were no numbers (or dates) and became missing."""


def tidy(frame: pl.DataFrame, *, decimal_comma: bool = False) -> Tidy:
    """The table with its kinds found; nested columns are left out, and that is said."""
    columns, kinds, said, stray = [], {}, [], {}
    for series in frame:
        plain = plain_column(series)
        if plain is None:
            said.append(f"Column {series.name!r} holds {series.dtype} values; it is left out.")
            continue
        if plain.dtype == pl.String:
            plain, kind, note, odd = _read_text(blank_missing(plain), decimal_comma)
            said += note
            if odd:
                stray[series.name] = odd
        else:
            kind = Kind({"Boolean": "boolean", "Datetime": "date"}.get(str(plain.dtype).split("(")[0], "number"))
        columns.append(plain)
        kinds[series.name] = kind
    return Tidy(pl.DataFrame(columns), kinds, tuple(said), stray)


def plain_column(series: pl.Series) -> pl.Series | None:
    """The column as Int64, Float64, Boolean, Datetime("us") or String; None if it is nested. NaN and infinity: null."""
    dtype = series.dtype
    if dtype.is_integer():
        narrow = dtype in (pl.UInt64, pl.Int128) or "128" in str(dtype)
        return series.cast(pl.Float64 if narrow else pl.Int64)
    if dtype.is_float() or dtype.is_decimal():
        number = series.cast(pl.Float64)
        return number.set(~number.is_finite().fill_null(True), None)
    if dtype == pl.Boolean:
        return series
    if dtype in (pl.Date, pl.Datetime):
        naive = series.dt.replace_time_zone(None) if getattr(dtype, "time_zone", None) else series
        return naive.cast(pl.Datetime("us"))
    if dtype == pl.Duration:
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6
    if dtype == pl.Time:
        return series.cast(pl.Int64).cast(pl.Float64) / 3.6e12
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return series.cast(pl.String)
    if dtype == pl.Object:
        return pl.Series(series.name, [None if v is None else as_text(v) for v in series.to_list()], pl.String)
    return None


def blank_missing(series: pl.Series, markers: Sequence[str] = MISSING) -> pl.Series:
    """A text column, stripped, with null for every marker of a missing value."""
    stripped = series.str.strip_chars()
    return stripped.set(stripped.str.to_lowercase().is_in(list(markers)).fill_null(False), None)


def _read_text(text: pl.Series, decimal_comma: bool) -> tuple[pl.Series, Kind, list[str], tuple[str, ...]]:
    """A text column as what it stands for: (column, kind, what is to be said, stray values)."""
    filled = text.drop_nulls()
    if not filled.len() or _is_code(filled):
        return text, Kind("text"), [], ()
    number, note = best_number(text, decimal_comma)
    if _mostly(number, text) or _few_strays(number, text):
        odd = strays(text, number)
        if odd:
            count = counted(number.null_count() - text.null_count(), "value")
            note = [*note, f"Column {text.name!r}: {count} read as missing, being no numbers ({_list(odd)})."]
        return as_integers(number), Kind("number"), note, odd
    boolean = as_boolean(text)
    if boolean is not None:
        return boolean, Kind("boolean"), [], ()
    date_format, date = find_dates(text)
    if date is not None:
        odd = strays(text, date)
        note = [f"Column {text.name!r} holds dates ({date_format})."]
        if odd:
            note.append(f"Column {text.name!r}: values read as missing, being no dates ({_list(odd)}).")
        return date, Kind("date", date_format), note, odd
    return text, Kind("text"), [], ()


def _mostly(found: pl.Series, text: pl.Series) -> bool:
    filled = text.len() - text.null_count()
    return found.len() - found.null_count() >= MOST * filled > 0


def _few_strays(number: pl.Series, text: pl.Series) -> bool:
    """Whether a column of many different numbers has one to three words in it, such as "unknown"."""
    filled, found = text.len() - text.null_count(), number.len() - number.null_count()
    if found < 0.5 * filled or number.n_unique() <= 20:
        return False
    return text.filter(number.is_null()).drop_nulls().n_unique() <= 3


def _is_code(filled: pl.Series) -> bool:
    """Whether digits are a code, such as a postcode: all of one length, some with a leading zero."""
    if filled[0][:1].isdigit() is False or not filled.str.contains(r"^\d{2,}$").all():
        return False
    return filled.str.len_chars().n_unique() == 1 and bool(filled.str.starts_with("0").any())


def best_number(text: pl.Series, decimal_comma: bool = False) -> tuple[pl.Series, list[str]]:
    """The column as Float64, null where a value is no number; thousands separators, currencies and units are read."""
    plain = to_float(text)
    if plain.null_count() == text.null_count():
        return plain, []
    if (
        _mostly(plain, text)
        and not decimal_comma
        and (text.filter(plain.is_null()).str.contains(r"\d").sum() or 0) == 0
    ):
        return plain, []
    best, note = plain, []
    for read in (_decimal_comma,) * decimal_comma + (_decorated,):
        number, said = read(text)
        if number.null_count() < best.null_count() and _mostly(number, text):
            best, note = number, said
    return best, note


def to_float(text: pl.Series) -> pl.Series:
    """Plain numbers as Float64; anything else, NaN included, is null. Infinity stays."""
    number = text.cast(pl.Float64, strict=False)
    return number.fill_nan(None)


def _decimal_comma(text: pl.Series) -> tuple[pl.Series, list[str]]:
    pattern = r"^[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$"
    fits = text.str.contains(pattern)
    swapped = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return to_float(swapped.set(~fits.fill_null(False), None)), [f"Column {text.name!r} has decimal commas."]


def _decorated(text: pl.Series) -> tuple[pl.Series, list[str]]:
    """Numbers with thousands separators, and with one and the same currency or unit around them."""
    if text.drop_nulls().head(200).str.contains(r"\d").mean() < MOST:  # type: ignore[operator]
        return to_float(text), []
    parts = text.str.extract_groups(DECORATED).struct.unnest()
    prefix, middle, suffix = (parts.to_series(i) for i in range(3))
    around = {p for s in (prefix, suffix) for p in s.drop_nulls().unique().to_list() if p}
    number = to_float(middle.str.replace_all("[, ]", ""))
    if prefix.drop_nulls().n_unique() > 2 or suffix.drop_nulls().n_unique() > 1:
        number = number.set((prefix.fill_null("") != "") | (suffix.fill_null("") != ""), None)
        around = set()
    units = f" without {_list(sorted(around))}" if around else ""
    return number.alias(text.name), [f"Column {text.name!r} is read as numbers{units or ' with thousands separators'}."]


def as_integers(number: pl.Series) -> pl.Series:
    """Int64 if every value is whole and exact in a float, else the finite values as Float64."""
    finite = number.set(~number.is_finite().fill_null(True), None)
    whole = ((finite == finite.round()) & (finite.abs() < 2**53)).all()
    return finite.cast(pl.Int64) if whole and finite.null_count() < finite.len() else finite


def as_boolean(text: pl.Series) -> pl.Series | None:
    """The column as Boolean if it holds nothing but one pair such as yes/no; else None."""
    lower = text.str.to_lowercase()
    values = set(lower.drop_nulls().unique().to_list())
    for yes, no in zip(TRUE, FALSE, strict=True):
        if values and values <= {yes, no} and len(values) == 2:
            return (lower == yes).alias(text.name)
    return None


def find_dates(text: pl.Series) -> tuple[str, pl.Series | None]:
    """(format, column as Datetime) if nearly all values are dates in one format; else ("", None)."""
    filled = text.drop_nulls()
    sample = filled.gather_every(max(1, filled.len() // 200))
    if sample.str.contains(r"^\d{4}-(0[1-9]|1[0-2])$").all():
        return MONTHS, to_date(text, MONTHS)
    plausible = sample.str.contains(r"^[A-Za-z0-9,:./+\- ]{6,36}$") & sample.str.contains(r"\d[-/. ,]|[-/. ]\d")
    if plausible.mean() < MOST:  # type: ignore[operator]
        return "", None
    for form in _date_formats(sample):
        if _mostly(to_date(sample, form), sample):
            date = to_date(text, form)
            if _mostly(date, text):
                return form, date
    return "", None


def _date_formats(sample: pl.Series) -> list[str]:
    """Candidate formats. Two-digit years come first where years can't have four digits: %Y would accept them."""
    days = (*NAMED_DATES, *SHORT_DATES) if not sample.str.contains(r"\d{4}").all() else (*DATES, *NAMED_DATES)
    return [*(day + clock for day in days for clock in CLOCKS), *ZONED]


def to_date(text: pl.Series, form: str) -> pl.Series:
    """The column as Datetime("us") in one format; what doesn't fit is null. Zones are turned into UTC."""
    if form == MONTHS:
        text, form = text + "-01", MONTHS + "-%d"
    if form.endswith("%H"):  # nothing is read without its minutes
        text, form = text + ":00", form + ":%M"
    try:
        date = text.str.strptime(pl.Datetime("us"), form, strict=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return pl.Series(text.name, [None] * text.len(), pl.Datetime("us"))
    return date.dt.replace_time_zone(None).cast(pl.Datetime("us"))


def strays(text: pl.Series, found: pl.Series, show: int = 3) -> tuple[str, ...]:
    """The first few different values that are in `text` and not in `found`."""
    if found.null_count() == text.null_count():
        return ()
    left = text.filter(found.is_null()).drop_nulls().unique(maintain_order=True)
    return tuple(left.head(show).to_list())


def _list(values: Sequence[str]) -> str:
    return ", ".join(repr(v if len(v) <= 40 else v[:37] + "…") for v in values)


def conform(series: pl.Series, kind: Kind, decimal_comma: bool = False) -> tuple[pl.Series, pl.Series]:
    """A column brought to a known kind: (column, text that didn't fit or null). What doesn't fit is null in the column."""
    plain = plain_column(series)
    if plain is None:
        plain = pl.Series(series.name, [None if v is None else as_text(v) for v in series.to_list()], pl.String)
    if kind.name == "text":
        text = _plain_text(plain)
        return blank_missing(text), pl.Series(series.name, [None] * text.len(), pl.String)
    if plain.dtype != pl.String:
        converted = _convert(plain, kind)
        if converted is not None:
            return converted, pl.Series(series.name, [None] * plain.len(), pl.String)
        plain = plain.cast(pl.String)
    text = blank_missing(plain)
    found = READERS[kind.name](text, kind, decimal_comma)
    return found, text.set(found.is_not_null(), None)


def _plain_text(plain: pl.Series) -> pl.Series:
    """Numbers and booleans as the text that a CSV would show."""
    if plain.dtype == pl.Boolean:
        return plain.cast(pl.String)
    if plain.dtype == pl.Float64:
        whole = ((plain == plain.round()) & (plain.abs() < 2**53)).all()
        return (plain.cast(pl.Int64) if whole else plain).cast(pl.String)
    return plain.cast(pl.String)


def _convert(plain: pl.Series, kind: Kind) -> pl.Series | None:
    if kind.name == "number" and plain.dtype in (pl.Int64, pl.Float64, pl.Boolean):
        return plain.cast(pl.Float64)
    if kind.name == "boolean" and plain.dtype == pl.Boolean:
        return plain
    if kind.name == "boolean" and plain.dtype in (pl.Int64, pl.Float64):
        return (plain != 0) if plain.drop_nulls().is_in([0, 1]).all() else None
    return plain if kind.name == "date" and plain.dtype == pl.Datetime else None


def _read_number(text: pl.Series, kind: Kind, decimal_comma: bool) -> pl.Series:
    number = best_number(text, decimal_comma)[0]
    return number.set(~number.is_finite().fill_null(True), None)


def _read_boolean(text: pl.Series, kind: Kind, decimal_comma: bool) -> pl.Series:
    lower = text.str.to_lowercase()
    yes, no = lower.is_in([*TRUE, "1", "1.0"]), lower.is_in([*FALSE, "0", "0.0"])
    return yes.set(~(yes | no).fill_null(False), None)


def _read_date(text: pl.Series, kind: Kind, decimal_comma: bool) -> pl.Series:
    known = to_date(text, kind.format) if kind.format else None
    if known is not None and _mostly(known, text):
        return known
    other = find_dates(text)[1] if text.null_count() < text.len() else None
    if other is not None:
        return other
    return known if known is not None else pl.Series(text.name, [None] * text.len(), pl.Datetime("us"))


READERS: Mapping[str, Callable[[pl.Series, Kind, bool], pl.Series]] = {
    "number": _read_number,
    "boolean": _read_boolean,
    "date": _read_date,
}


def kind_from(spec: Mapping[str, Any]) -> Kind:
    """The kind in a column's entry of a spec."""
    return Kind(str(spec["kind"]), str(spec.get("format", "")))


def in_days(x: pl.DataFrame) -> pl.DataFrame:
    """The frame with dates in place of times that are all at midnight: what a person is shown."""
    times = [s for s in x if s.dtype == pl.Datetime and s.null_count() < s.len()]
    return x.with_columns(s.dt.date() for s in times if bool((s.dt.time() == time()).all()))
