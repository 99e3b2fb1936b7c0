"""Common initialisations of one plain network side by side, and what would change their fate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from whet.activations.scalar import Scalar
from whet.errors import UserError
from whet.theory.analysis import Analysis, analyse
from whet.theory.forecast import FARTHEST, Forecast
from whet.theory.moments import Array
from whet.theory.tailoring import Tailored


@dataclass(frozen=True)
class Start:
    """An initialisation, and what it makes of the network."""

    name: str
    forecast: Forecast
    reach: int | None
    """The most layers that would still carry signal and gradient; None if it was not asked for."""

    @property
    def endless(self) -> bool:
        return self.reach is not None and self.reach >= FARTHEST


@dataclass(frozen=True)
class Advice:
    """What a person wants to know who builds a plain network of this function."""

    analysis: Analysis
    depth: int
    width: int
    starts: tuple[Start, ...]
    """PyTorch's own, Xavier, He, and the best."""
    tailored: Start | None
    transform: Tailored | None
    why_not: str
    """Why the function can't be tailored; empty if it can."""
    with_norm: float
    """The gradient over the whole depth with an RMS or layer norm in front of each f, and any weights."""
    with_skips: float
    """The same with x + f(...) / sqrt(depth), the branches at length 1."""

    @property
    def best(self) -> Start:
        return self.starts[-1]


COMMON = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "tanh", "sigmoid", "sin")
"""Compared when nothing is named."""


def compare(
    names: Sequence[str] = (), depth: int = 50, width: int = 256, told: Callable[[str], None] = lambda name: None
) -> list[Advice]:
    """Advice on one function in full, or on several in short; on the COMMON ones if none is named.

    All are read before the first is computed, so that a misspelt one is said at once; `told` hears whose turn it is.
    """
    found = []
    for t in [analyse(name) for name in names or COMMON]:
        told(t.name)
        found.append(advise(t, depth, width, thorough=len(names) == 1))
    return found


def advise(t: Analysis, depth: int, width: int, *, thorough: bool = True) -> Advice:
    """Forecasts for the common initialisations and the best; if `thorough`, also how far each reaches, and tailoring."""
    if width < 1:
        raise UserError(f"width={width} is no number of units.", "Give 1 or more.")
    starts = [_start(t, name, w, b, depth, width, thorough) for name, w, b in standard(width)]
    best = t.best(depth)
    starts.append(_start(t, "best", best.sigma_w, best.sigma_b, depth, width, thorough))
    transform, why_not = _transform(t, depth) if thorough else (None, "")
    tailored = None
    if transform is not None:
        tailored = _start(Analysis(reshaped(t.scalar, transform)), "tailored", 1.0, 0.0, depth, width, thorough)
    growth = t.slope_second_moment / t.second_moment
    return Advice(
        t,
        depth,
        width,
        tuple(starts),
        tailored,
        transform,
        why_not,
        with_norm=_capped(growth, depth / 2),
        with_skips=_capped(1 + growth / depth, depth / 2),
    )


def standard(width: int) -> list[tuple[str, float, float]]:
    """Name, sigma_w, sigma_b of what people use. PyTorch's layers draw weights and biases uniform in
    +-1 / sqrt(fan_in); Xavier's and LeCun's are the same where layers are equally wide."""
    return [
        ("PyTorch", 1 / sqrt(3), 1 / sqrt(3 * width)),
        ("Xavier", 1.0, 0.0),
        ("He", sqrt(2), 0.0),
    ]


def _start(t: Analysis, name: str, w: float, b: float, depth: int, width: int, thorough: bool) -> Start:
    return Start(name, t.forecast(depth, w, b, width), t.reach(w, b) if thorough else None)


def _transform(t: Analysis, depth: int) -> tuple[Tailored | None, str]:
    try:
        return t.tailored(depth), ""
    except UserError as error:
        return None, str(error)


def reshaped(scalar: Scalar, t: Tailored) -> Scalar:
    """The tailored function as one of its own."""

    def inner(x: Array) -> Array:
        return t.alpha * np.asarray(x) + t.beta

    return Scalar(
        f"tailored {scalar.name}",
        lambda x: t.gamma * (scalar.value(inner(x)) + t.delta),
        lambda x: t.gamma * t.alpha * scalar.slope(inner(x)),
        lambda x: t.gamma * t.alpha**2 * scalar.curvature(inner(x)),
    )


def _capped(base: float, exponent: float) -> float:
    try:
        return float(base**exponent)
    except OverflowError:
        return float("inf")
