"""Time on a grid: stamps as whole numbers, the step between them, and the calendar's features.

A stamp is an int64 in its scale's ticks: microseconds since 1970, months since year 0, or a plain number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
NAMES = ((7 * DAY, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))
CYCLES = {"day": DAY, "week": 7 * DAY}
YEAR_MONTHS = 12
YEARS = 2
"""Of training from which on the place in the year is told."""


@dataclass(frozen=True)
class Step:
    """The distance between neighbouring stamps."""

    ticks: int
    scale: str
    """"time": microseconds; "month": months, or their ends; "number": steps without a calendar."""
    at: int = 0
    """Months: microseconds of a stamp after its month's first moment; -1: stamps are the months' last days."""

    def __str__(self) -> str:
        if self.scale == "month":
            years, months = divmod(self.ticks, YEAR_MONTHS)
            return _count(years, "year") if not months else _count(self.ticks, "month")
        if self.scale == "number":
            return f"{self.ticks:g}"
        unit, name = next(((u, n) for u, n in NAMES if self.ticks % u == 0), (SECOND, "second"))
        return f"{self.ticks / unit:g} {name}s" if self.ticks != unit else f"1 {name}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


@dataclass(frozen=True)
class Clock:
    """When the steps of a series are: first, first + step, …"""

    first: int
    """In the step's ticks."""
    step: Step

    def later(self, steps: int) -> Clock:
        """The clock of the same series from so many steps on."""
        return Clock(self.first + steps * self.step.ticks, self.step)

    def ticks(self, n: int) -> np.ndarray:
        """int64 (n,): the first n stamps."""
        found: np.ndarray = self.first + np.arange(n, dtype=np.int64) * self.step.ticks
        return found

    def stamps(self, n: int) -> np.ndarray:
        """(n,) datetime64[us], or whole numbers where there is no calendar."""
        ticks = self.ticks(n)
        return ticks if self.step.scale == "number" else moments(ticks, self.step)

    def written(self, n: int) -> list[str]:
        """The stamps as text, as short as they can be."""
        stamps = self.stamps(n)
        if self.step.scale == "number":
            return [str(s) for s in stamps.tolist()]
        whole_days = self.step.scale == "month" or (self.step.ticks % DAY == 0 and self.first % DAY == 0)
        return [
            str(s)
            for s in np.datetime_as_string(stamps, "D" if whole_days else "s" if not self.first % SECOND else "us")
        ]


def moments(ticks: np.ndarray, step: Step) -> np.ndarray:
    """datetime64[us] of ticks of time or months."""
    if step.scale == "time":
        return ticks.astype("datetime64[us]")
    months = (ticks - 1970 * YEAR_MONTHS).astype("datetime64[M]")
    if step.at < 0:
        return ((months + 1).astype("datetime64[D]") - 1).astype("datetime64[us]")
    return months.astype("datetime64[us]") + np.timedelta64(step.at, "us")


def find_step(moments_by_series: list[np.ndarray]) -> Step:
    """The commonest step between sorted, different datetime64[us] stamps; months where stamps are a month's same moment."""
    every = np.concatenate(moments_by_series)
    months = every.astype("datetime64[M]")
    into = (every - months.astype("datetime64[us]")).astype(np.int64)
    last = (months + 1).astype("datetime64[D]") - 1 == every.astype("datetime64[D]")
    ends = bool(last.all()) and not bool((into % DAY).any())
    if len(every) > 1 and (len(np.unique(into)) == 1 or ends):
        whole = [m.astype("datetime64[M]").astype(np.int64) for m in moments_by_series]
        return Step(commonest(whole), "month", -1 if ends else int(into[0]))
    return Step(commonest([m.astype(np.int64) for m in moments_by_series]), "time")


def in_ticks(stamps: np.ndarray, step: Step) -> np.ndarray:
    """int64 ticks of datetime64[us] stamps, or of whole numbers."""
    if step.scale == "month":
        return stamps.astype("datetime64[M]").astype(np.int64) + 1970 * YEAR_MONTHS
    return stamps.astype(np.int64)


def commonest(ticks_by_series: list[np.ndarray]) -> int:
    """The commonest distance between neighbours; the shortest of those that are as common."""
    gaps = np.concatenate([np.diff(t) for t in ticks_by_series])
    gaps = gaps[gaps > 0]
    if not len(gaps):
        return 1
    found, counts = np.unique(gaps, return_counts=True)
    return int(found[counts.argmax()])


def seasons(step: Step) -> tuple[int, ...]:
    """Lengths in steps that the calendar suggests for a season, the shortest first."""
    if step.scale == "month":
        return (YEAR_MONTHS // step.ticks,) if YEAR_MONTHS % step.ticks == 0 and step.ticks < YEAR_MONTHS else ()
    if step.scale == "number":
        return ()
    lengths = [HOUR, DAY, 7 * DAY, 365.25 * DAY]
    return tuple(round(n / step.ticks) for n in lengths if 2 <= n / step.ticks <= 10_000)


def features(ticks: np.ndarray, step: Step, most: int = 6) -> np.ndarray:
    """float32 (n, K): sine and cosine of the day, the week and the year where the step is shorter than half of them.

    `most`: of these columns; the year, which comes last, is only known to who has seen some of them.
    """
    if step.scale == "number":
        return np.empty((len(ticks), 0), np.float32)
    stamps = moments(ticks, step)
    year = stamps.astype("datetime64[Y]")
    begin, end = year.astype("datetime64[us]"), (year + 1).astype("datetime64[us]")
    phases = []
    if step.scale == "time":
        monday = 4 * DAY  # 1970-01-05
        phases = [((ticks - monday) % cycle) / cycle for cycle in CYCLES.values() if step.ticks <= cycle / 2]
    short = step.ticks <= (6 if step.scale == "month" else 183 * DAY)
    phases += [(stamps - begin) / (end - begin)] if short else []
    waves = [f(2 * np.pi * phase) for phase in phases for f in (np.sin, np.cos)]
    return np.stack(waves, 1).astype(np.float32)[:, :most] if waves else np.empty((len(ticks), 0), np.float32)


def calendar_columns(ticks: np.ndarray, step: Step) -> int:
    """How many of the features so long a training part can teach: the year's only after two of them."""
    whole = features(ticks[:1], step).shape[1]
    if not whole:
        return 0
    years = float((moments(ticks[-1:], step) - moments(ticks[:1], step))[0] / np.timedelta64(1, "s")) / 31_557_600
    return whole if years >= YEARS or step.ticks > (6 if step.scale == "month" else 183 * DAY) else whole - 2


def step_from(said: Mapping[str, Any]) -> Step:
    """The step that `to_dict` wrote."""
    return Step(**said)
