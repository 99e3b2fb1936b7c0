"""Common initialisations of one plain network side by side, and what would change their fate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from whet.activations.scalar import Scalar
from whet.errors import UserError
from whet.theory.analysis import Analysis, analyse
from whet.theory.family import Shape
from whet.theory.forecast import FARTHEST, Forecast
from whet.theory.moments import Array
from whet.theory.shaping import natural_gain, shape
from whet.theory.tailoring import refuse


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
    shaped: Start | None
    shape: Shape | None
    """The scale and shift that `whet.init.auto_` gives the function in this network."""
    unshaped: str
    """Why it gives none; empty if it does."""
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
    """Forecasts for the common initialisations and the best; if `thorough`, also how far each reaches, and the shape."""
    if width < 1:
        raise UserError(f"width={width} is no number of units.", "Give 1 or more.")
    starts = [_start(t, name, w, b, depth, width, thorough) for name, w, b in standard(width)]
    best = t.best(depth)
    starts.append(_start(t, "best", best.sigma_w, best.sigma_b, depth, width, thorough))
    given, unshaped = _shape(t, depth, width) if thorough else (None, "")
    shaped = None
    if given is not None:
        shaped = _start(Analysis(reshaped(t.scalar, given)), "shaped", 1.0, 0.0, depth, width, thorough)
    growth = t.slope_second_moment / t.second_moment
    return Advice(
        t,
        depth,
        width,
        tuple(starts),
        shaped,
        given,
        unshaped,
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


def _shape(t: Analysis, depth: int, width: int) -> tuple[Shape | None, str]:
    """What `whet.init.auto_` makes of the function, or why it leaves it."""
    gain = natural_gain(t.scalar, depth)
    if gain is not None:
        return None, f"not needed: whet.init.auto_(model) leaves f as it is, with weights of gain {gain:.3g}."
    try:
        refuse(t.scalar)
    except UserError as error:
        return None, str(error)
    found = shape(t.scalar, depth, width)
    return found, "" if found else f"no scale and shift makes {t.name} linear enough for this depth and width."


def reshaped(scalar: Scalar, g: Shape) -> Scalar:
    """The function with its scale and shift as one of its own."""

    def inner(x: Array) -> Array:
        return g.alpha * np.asarray(x) + g.beta

    return Scalar(
        f"shaped {scalar.name}",
        lambda x: g.value(scalar.value, np.asarray(x)),
        lambda x: g.gamma * g.alpha * scalar.slope(inner(x)),
        lambda x: g.gamma * g.alpha**2 * scalar.curvature(inner(x)),
    )


def _capped(base: float, exponent: float) -> float:
    try:
        return float(base**exponent)
    except OverflowError:
        return float("inf")
