"""How far a training goes: a number of steps, or seconds. Schedules only ever see the progress, in [0, 1]."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass

from whet.errors import BudgetError


@dataclass(frozen=True)
class Horizon:
    """The end of a training: after `steps` steps (0: no limit) or `seconds` of training time, whichever comes first."""

    steps: int = 0
    seconds: float = math.inf

    def progress(self, step: int, seconds: float) -> float:
        """The share that is done, in [0, 1]."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / self.seconds if self.seconds > 0 else 1.0
        return min(1.0, max(by_steps, by_time))

    def over(self, step: int, seconds: float) -> bool:
        return bool(self.steps and step >= self.steps) or seconds >= self.seconds


_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT_NAMES = "s, m, h or d"


def parse_seconds(text: str | float) -> float:
    """Seconds from "60s", "5m", "1h30m", "90" or a number. Raises BudgetError for anything else."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return _positive(float(text), text)
    words = str(text).strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", words):
        return _positive(float(words), text)
    pieces = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]+)", words)
    if not pieces or "".join(a + b for a, b in pieces) != re.sub(r"\s", "", words):
        raise BudgetError(f"The budget {text!r} is not a time.", "Write it like 60s, 5m or 1h30m.")
    for _, unit in pieces:
        if unit not in _UNITS:
            raise BudgetError(f"The budget {text!r} has the unknown unit {unit!r}.", f"Units are {_UNIT_NAMES}.")
    return _positive(sum(float(n) * _UNITS[u] for n, u in pieces), text)


def _positive(seconds: float, text: object) -> float:
    if not 0 < seconds < math.inf:
        raise BudgetError(f"The budget {text!r} is not a positive time.", "Write it like 60s, 5m or 1h30m.")
    return seconds


class Clock:
    """The wall-clock of one command: what of its budget is spent, including what was spent before a restart."""

    def __init__(self, budget: float, spent_before: float = 0.0, started: float | None = None) -> None:
        self.budget = budget
        self._zero = (time.monotonic() if started is None else started) - spent_before

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._zero

    @property
    def left(self) -> float:
        """Seconds until the budget is spent; negative afterwards."""
        return self.budget - self.spent
