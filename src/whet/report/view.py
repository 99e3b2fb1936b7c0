"""Everything that a report shows, as plain data: no models, no tensors, nothing to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.figures import Figure
from whet.recipe import Edit, Recipe
from whet.record import Finding, Record

if TYPE_CHECKING:
    from whet.data.core import Problem, Section


@dataclass(frozen=True)
class Tried:
    """One trial, as a row of what was tried."""

    trial: str
    label: str
    """The recipe in a few words."""
    seconds: float
    """Training time."""
    score: float | None
    """The last validation score; None or NaN if there is none."""
    fate: str
    """"won", "paused", "diverged", …"""
    why: str = ""


@dataclass(frozen=True, eq=False)
class PictureMistake:
    """An image that the network got wrong."""

    pixels: np.ndarray
    """uint8 (height, width, 1 or 3)."""
    true: str
    predicted: str
    confidence: float
    """The probability of what it said, in [0, 1]; for values: how far off it is."""
    id: str = ""
    """The file's name or the row's number."""


@dataclass(frozen=True)
class RowMistake:
    """A table's row that the network got wrong."""

    row: Mapping[str, Any]
    true: str | float
    predicted: str | float
    confidence: float | None = None
    """The probability of what it said, in [0, 1]; None for values."""
    id: str = ""


@dataclass(frozen=True, eq=False)
class RunView:
    """A finished run. Only `name`, `folder` and `result` are needed; a section without content is left out."""

    name: str
    """The data's name."""
    folder: Path
    """Where report.html goes."""
    result: Mapping[str, Any]
    """The content of result.json."""
    records: tuple[Record, ...] = ()
    """One per trial."""
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    """trial -> its recipe."""
    winner: str = ""
    """The trial that won."""
    why: str = ""
    """Why it won, in a sentence."""
    tried: tuple[Tried, ...] = ()
    edits: tuple[Edit, ...] = ()
    """From the default recipe to the winner's, with reasons where there are any."""
    findings: tuple[Finding, ...] = ()
    profile: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Corrupt files or rows that were skipped."""
    classes: tuple[str, ...] = ()
    """Class names in the order of `confusion`; () for regression."""
    confusion: np.ndarray | None = None
    """int (true class, predicted class): test rows."""
    values: tuple[np.ndarray, np.ndarray] | None = None
    """Regression: (true, predicted) of the test rows, float (n,) each."""
    pictures: tuple[PictureMistake, ...] = ()
    rows: tuple[RowMistake, ...] = ()
    figures: tuple[Figure, ...] = ()
    """What the field has to show of the result."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """What the seconds went into, in the order in which they were spent."""
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
