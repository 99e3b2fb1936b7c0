"""One of several things, as a column for each: 1 for the one that is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from whet.errors import SearchError, did_you_mean, nearest, shown
from whet.search.plain import STEP, Side, When, as_plain, as_when, is_number, picked, told_when


@dataclass(frozen=True)
class Categorical:
    """One of several things: text, numbers, booleans, None, or tuples of these.

    >>> Categorical(["relu", "gelu"], weights={"gelu": 3}).shares
    (0.25, 0.75)
    """

    choices: Sequence[Any]
    _: KW_ONLY
    weights: Mapping[Any, float] | Sequence[float] | None = None
    """How often each is drawn, in proportion: a number per choice, or {choice: number} with 1 for the others."""
    when: When | None = None
    """As for numbers."""

    def __post_init__(self) -> None:
        if isinstance(self.choices, str) or not isinstance(self.choices, Sequence):  # a set has another order next time
            raise SearchError(f"choices={self.choices!r} is not a list.", 'Write Categorical(["relu", "gelu"]).')
        choices = tuple(as_plain(c) for c in self.choices)
        if not choices:
            raise SearchError("A choice among nothing.", "Give at least one.")
        twice = [c for i, c in enumerate(choices) if c in choices[:i]]
        if twice:
            raise SearchError(f"The choice {twice[0]!r} is there twice.")
        object.__setattr__(self, "choices", choices)
        object.__setattr__(self, "weights", self._weights())
        object.__setattr__(self, "when", as_when(self.when))

    def _weights(self) -> tuple[float, ...] | None:
        given = self.weights
        if given is None:
            return None
        if isinstance(given, Mapping):
            for name in given:
                self.check(as_plain(name))
            given = [given.get(c, 1.0) for c in self.choices]
        if len(given) != len(self.choices):
            raise SearchError(f"{len(given)} weights for {len(self.choices)} choices.")
        if not all(is_number(w) and w >= 0 for w in given) or not sum(given) > 0:
            raise SearchError(f"weights={list(given)!r} are not numbers from 0 on with a sum above 0.")
        return tuple(float(w) for w in given)

    @property
    def shares(self) -> tuple[float, ...]:
        """The probability of each choice."""
        weights = self.weights or (1.0,) * len(self.choices)
        return tuple(w / sum(weights) for w in weights)

    @property
    def width(self) -> int:
        return len(self.choices)

    @property
    def idle(self) -> tuple[float, ...]:
        return (0.0,) * len(self.choices)

    def encode(self, value: Any) -> tuple[float, ...]:
        return tuple(float(c == value) for c in self.choices)

    def decode(self, columns: np.ndarray) -> Any:
        return self.choices[int(np.argmax(columns))]

    def draw(self, random: np.random.Generator) -> Any:
        return self.choices[picked(self.shares, random)]

    def near(self, value: Any, random: np.random.Generator, step: float = STEP) -> Any:
        """Another choice, if there is one."""
        others = [s if c != value else 0.0 for c, s in zip(self.choices, self.shares, strict=True)]
        return self.choices[picked(others, random)] if sum(others) > 0 else value

    def beside(self, value: Any, step: float) -> list[Any]:
        """All the others."""
        return [c for c in self.choices if c != value]

    def check(self, value: Any) -> Any:
        value = as_plain(value)
        if value not in self.choices:
            known = [str(c) for c in self.choices]
            raise SearchError(
                f"{shown(value)} is none of the choices.", did_you_mean(nearest(str(value), known), known)
            )
        return self.choices[self.choices.index(value)]

    def edge(self, value: Any) -> Side | None:
        return None

    def widened(self, side: Side) -> Categorical:
        return self

    @property
    def size(self) -> float:
        return len(self.choices)

    @property
    def values(self) -> Sequence[Any]:
        return self.choices

    def describe(self) -> dict[str, Any]:
        weights = {"weights": list(self.weights)} if self.weights else {}
        return {"kind": "categorical", "choices": list(self.choices), **weights, **told_when(self.when)}
