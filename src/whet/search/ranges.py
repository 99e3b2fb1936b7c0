"""A number from a range. u is a value's place in its range, in [0, 1]: by the logarithm where `log` says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from whet.errors import SearchError, shown
from whet.search.plain import STEP, Side, When, as_when, is_number, reflected, told_when

NEAR = 0.15
"""Standard deviation, in u, of what is drawn near a preferred value. Assumed."""
EDGE = 0.05
"""A value within this share of its range from one end lies on an edge."""
WIDER = 0.5
"""The share of its range by which a range grows where the best lies on its edge."""


@dataclass(frozen=True)
class Number:
    """What `Float` and `Int` share: a range, a scale, a preferred value."""

    low: float
    high: float
    _: KW_ONLY
    log: bool = False
    """Spaced by the logarithm: learning rates, widths."""
    prior: float | None = None
    """A value that is probably good."""
    strength: float = 0.5
    """The share of draws that come from near the prior; the rest come from the whole range."""
    limits: tuple[float, float] | None = None
    """How far the search may widen the range when the best lies on its edge; None: not at all."""
    when: When | None = None
    """Only chosen when other parameters have one of these values: {"optimizer": ("sgd", "adamw")}."""

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            if not is_number(value):
                raise SearchError(
                    f"{name}={shown(value)} is not a finite number.", f"Write {type(self).__name__}(low, high)."
                )
        if not self.low < self.high:
            raise SearchError(
                f"low={shown(self.low)} is not below high={shown(self.high)}.", "Swap them, or leave it out."
            )
        if self.log and self.low <= 0:
            raise SearchError(
                f"A range by the logarithm can't begin at {shown(self.low)}.", "Give a low above 0, or log=False."
            )
        if not 0 <= self.strength <= 1:
            raise SearchError(f"strength={shown(self.strength)} is not in [0, 1].")
        if self.prior is not None:
            object.__setattr__(self, "prior", self.check(self.prior))
        if self.limits is not None and not (self.limits[0] <= self.low and self.limits[1] >= self.high):
            raise SearchError(
                f"limits={shown(self.limits)} do not hold the range {shown(self.low)} to {shown(self.high)}."
            )
        object.__setattr__(self, "when", as_when(self.when))

    width = 1
    idle = (0.5,)
    """Columns of a parameter that is not chosen."""

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return self._scaled(self.low), self._scaled(self.high)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value

    def _unscaled(self, scaled: float) -> float:
        return math.exp(scaled) if self.log else scaled

    def unit(self, value: float) -> float:
        """u of a value."""
        low, high = self._ends
        return min(1.0, max(0.0, (self._scaled(value) - low) / (high - low)))

    def at(self, u: float) -> Any:
        """The value at u."""
        low, high = self._ends
        return self._whole(self._unscaled(low + min(1.0, max(0.0, u)) * (high - low)))

    def _whole(self, value: float) -> Any:
        return min(float(self.high), max(float(self.low), value))

    def encode(self, value: Any) -> tuple[float, ...]:
        return (self.unit(value),)

    def decode(self, columns: np.ndarray) -> Any:
        return self.at(float(columns[0]))

    def draw(self, random: np.random.Generator) -> Any:
        """A value: from near the prior, if there is one and chance says so, else from anywhere."""
        if self.prior is not None and random.random() < self.strength:
            return self.tidy(reflected(self.unit(self.prior) + NEAR * random.standard_normal()))
        return self.tidy(random.random())

    def near(self, value: Any, random: np.random.Generator, step: float = STEP) -> Any:
        """Another value, not far away."""
        return self.tidy(reflected(self.unit(value) + step * random.standard_normal()))

    def beside(self, value: Any, step: float) -> list[Any]:
        """The values one step below and above, or the ends of the range."""
        u = self.unit(value)
        return [v for v in (self.tidy(u - step), self.tidy(u + step)) if v != value]

    def tidy(self, u: float) -> Any:
        """The value at u with six digits, which is what a person can read."""
        return self._whole(float(f"{self.at(u):.6g}"))

    def check(self, value: Any) -> Any:
        """`value` as it is stored. Raises SearchError where it is not one of this range."""
        if not is_number(value):
            raise SearchError(f"{shown(value)} is not a finite number.")
        if not self.low <= value <= self.high:
            raise SearchError(f"{shown(value)} lies outside {shown(self.low)} to {shown(self.high)}.")
        return float(value)

    def edge(self, value: Any) -> Side | None:
        """On which end of the range the value lies."""
        u = self.unit(value)
        return "low" if u <= EDGE else "high" if u >= 1 - EDGE else None

    def widened(self, side: Side) -> Any:
        """The range, wider by WIDER on one side where `limits` allow it; else as it is."""
        if self.limits is None:
            return self
        low, high = self._ends
        grown = WIDER * (high - low)
        if side == "low":
            end = max(self.limits[0], self._rounded(self._unscaled(max(low - grown, self._scaled(self.limits[0])))))
            return replace(self, low=min(self.low, end))
        end = min(self.limits[1], self._rounded(self._unscaled(min(high + grown, self._scaled(self.limits[1])))))
        return replace(self, high=max(self.high, end))

    def _rounded(self, value: float) -> float:
        return float(f"{value:.3g}")

    @property
    def size(self) -> float:
        """How many values there are."""
        return math.inf

    @property
    def values(self) -> Sequence[Any]:
        """All of them, where they can be counted."""
        raise TypeError("a range of real numbers can't be listed")

    def describe(self) -> dict[str, Any]:
        """Plain data: for the journal, and for the table."""
        said = {"kind": type(self).__name__.lower(), "low": self.low, "high": self.high, "log": self.log}
        more = {"prior": self.prior, "strength": self.strength} if self.prior is not None else {}
        limits = {"limits": list(self.limits)} if self.limits else {}
        return {**said, **more, **limits, **told_when(self.when)}


@dataclass(frozen=True)
class Float(Number):
    """A number between `low` and `high`, both included.

    >>> round(Float(1e-4, 1e-1, log=True).at(1 / 3), 6)
    0.001
    """

    to_one: bool = False
    """Spaced by the logarithm of 1 - value: momenta such as 0.9, 0.99 and 0.999."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if self.to_one and (self.log or self.high >= 1):
            raise SearchError(f"to_one needs a range below 1 and no log, not {shown(self.low)} to {shown(self.high)}.")

    def _scaled(self, value: float) -> float:
        return -math.log1p(-value) if self.to_one else super()._scaled(value)

    def _unscaled(self, scaled: float) -> float:
        return -math.expm1(-scaled) if self.to_one else super()._unscaled(scaled)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), **({"to_one": True} if self.to_one else {})}


class Int(Number):
    """A whole number from `low` to `high`, both included.

    >>> [Int(1, 4).at(u) for u in (0.0, 0.3, 1.0)]
    [1, 2, 4]
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            if getattr(self, name) != int(getattr(self, name)):
                raise SearchError(
                    f"{name}={shown(getattr(self, name))} is not a whole number.", "Use Float for others."
                )
            object.__setattr__(self, name, int(getattr(self, name)))

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return self._scaled(self.low - 0.5), self._scaled(self.high + 0.5)

    def _whole(self, value: float) -> int:
        return int(min(self.high, max(self.low, round(value))))

    def tidy(self, u: float) -> int:
        return int(self.at(u))

    def near(self, value: Any, random: np.random.Generator, step: float = STEP) -> int:
        found = int(super().near(value, random, step))
        if found != value:
            return found
        up = value < self.high and (value == self.low or random.random() < 0.5)
        return int(value + 1 if up else value - 1)

    def check(self, value: Any) -> int:
        found = super().check(value)
        if found != int(found):
            raise SearchError(f"{shown(value)} is not a whole number.")
        return int(found)

    def edge(self, value: Any) -> Side | None:
        if self.size < 3:
            return None  # both are ends: that the best is one of them says nothing
        return "low" if value <= self.low else "high" if value >= self.high else super().edge(value)

    def _rounded(self, value: float) -> int:
        return round(value)

    @property
    def size(self) -> float:
        return self.high - self.low + 1

    @property
    def values(self) -> Sequence[Any]:
        return range(int(self.low), int(self.high) + 1)
