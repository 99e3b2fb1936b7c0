"""The nouns of data: `Data` as it was read, with nothing fitted; `Inputs` for prediction; a `Profile` to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whet.record import Finding

PARTS = ("train", "val", "test")
"""The names of the parts of a split, in the order in which they are shown."""

MOST_CORRUPT = 0.05
"""Up to this share of corrupt images or rows is skipped and listed; above it the data is refused."""


@dataclass(frozen=True)
class Roles:
    """What the user said of columns, where a field needs to know more than the target; None: nothing was said."""

    text: str | None = None
    """The column, or columns with commas between them, that holds text."""
    vectors: str | None = None
    """A file of words' vectors, learned elsewhere."""
    user: str | None = None
    item: str | None = None
    user_features: Any = None
    """What describes users: columns with commas between them, or a table's file or frame with a row per user."""
    item_features: Any = None
    """The same of items."""
    rating: str | None = None
    time: str | None = None
    """The column of time stamps."""
    series: str | None = None
    """The column that names the series which a row belongs to."""
    horizon: int | None = None
    """Steps to forecast."""
    lookback: int | None = None
    """Steps that a forecast looks back."""
    pattern: str | None = None
    """How a file's name says its label, such as "{label}_{speaker}_{index}"."""

    def given(self) -> dict[str, Any]:
        """Only what was said."""
        return {k: v for k, v in vars(self).items() if v is not None}


@dataclass(frozen=True)
class Problem:
    """An image or a row that could not be read and was skipped."""

    where: str
    """A file, or a file and a line."""
    why: str


@dataclass(frozen=True, eq=False)
class Data:
    """What a source holds, raw: nothing is scaled, filled in or split here."""

    name: str
    """Short; for folder names and headings."""
    domain: str
    """The field's name: "image", "table", …"""
    x: Any
    """Rows in the field's own form. Image: uint8 (n, height, width, channels), channels 1 or 3, possibly a read-only
    memory map.
    Table: a polars frame, a row per example, without the target."""
    y: np.ndarray
    """(n, …), rows first: int64 class indices, float64 values, …"""
    goal: str
    """"classify", "regress", …: a name in `whet.tasks.goals`."""
    classes: tuple[str, ...]
    """The classes' names in the order of their indices; () for regression."""
    target: str
    """The target's name; "label" for images."""
    official: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The source's own parts, a subset of `PARTS` -> int64 row indices; {} if it has none."""
    ids: Sequence[str] | None = None
    """What each row is called in a report (a file's name); None: its number."""
    problems: tuple[Problem, ...] = ()
    """What was skipped."""
    said: tuple[str, ...] = ()
    """What was inferred, a sentence each, to be printed."""
    findings: tuple[Finding, ...] = ()
    fingerprint: str = ""
    """Hexadecimal sha256 of the content: the same data gives the same fingerprint wherever it lies."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What the source looked like before it was decoded (sizes, modes, …), for the profile; JSON-able."""

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a trained model is asked about. `x` is as in `Data`; `y` is None where the source has no labels."""

    x: Any
    ids: Sequence[str] | None = None
    y: np.ndarray | None = None
    problems: tuple[Problem, ...] = ()
    said: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Row:
    """A line of a profile."""

    name: str
    value: str
    suggestion: str = ""
    """What the value suggests; empty: nothing."""


@dataclass(frozen=True)
class Section:
    """Lines that belong together under a title."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Profile:
    """What the data looks like and what that suggests; rendering is the reader's."""

    name: str
    sections: tuple[Section, ...]
    findings: tuple[Finding, ...] = ()
    said: tuple[str, ...] = ()
    """How the source was read, in sentences."""
