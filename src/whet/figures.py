"""Pictures of a result as plain data: a field says what is to be seen, the report draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Lines:
    """Curves over one axis, with bands around them and marked spans."""

    title: str
    x: np.ndarray | Sequence[str]
    """(n,) numbers, or what stands below each point."""
    series: Mapping[str, np.ndarray]
    """name -> (n,) values; NaN where there is none."""
    x_label: str = ""
    y_label: str = ""
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """name -> (low, high), (n,) each, drawn behind the curve of that name."""
    spans: Sequence[tuple[float, float, str]] = ()
    """(from, to, what it is) on the axis."""
    note: str = ""
    """A sentence below the title: how to read it."""


@dataclass(frozen=True, eq=False)
class Bars:
    """A bar per label and series."""

    title: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]
    y_label: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Heat:
    """A matrix of values as shades, such as a log-mel spectrogram."""

    title: str
    values: np.ndarray
    """(rows, columns); row 0 is drawn at the top."""
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    x_label: str = ""
    y_label: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images in a grid, row by row."""

    title: str
    images: Sequence[np.ndarray]
    """uint8 (height, width, 1 or 3) each."""
    captions: Sequence[str] = ()
    columns: int = 8
    note: str = ""


@dataclass(frozen=True, eq=False)
class Grid:
    """A table of texts and numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""


Figure = Lines | Bars | Heat | Pictures | Grid
