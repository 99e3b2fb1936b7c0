"""The numbers that a caller gives, as theory uses them. UserError for what means nothing to it, with the value seen."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np

from whet.errors import UserError, shown
from whet.theory.moments import Array

LARGEST_DEVIATION = 1e100
LARGEST_LENGTH = 1e100
MOST_LAYERS = 1_000_000
MOST_UNITS = 1_000_000_000


def deviation(name: str, value: Any) -> float:
    """A standard deviation of weights or biases."""
    number = _number(value)
    if not 0 <= number <= LARGEST_DEVIATION:
        raise UserError(
            f"{name}={shown(value)} is no standard deviation.", f"Give a number from 0 to {LARGEST_DEVIATION:g}."
        )
    return number


def length(value: Any) -> float:
    """A variance of pre-activations."""
    return float(_within("q", value, "length, which is a mean of squares", 0.0, LARGEST_LENGTH, one=True))


def lengths(value: Any) -> float | Array:
    """The same, or an array of them."""
    return _within("q", value, "length, which is a mean of squares", 0.0, LARGEST_LENGTH)


def correlations(value: Any) -> float | Array:
    return _within("c", value, "correlation", -1.0, 1.0)


def layers(value: Any, name: str = "depth") -> int:
    return _whole(name, value, "number of layers", MOST_LAYERS)


def units(value: Any) -> int:
    return _whole("width", value, "number of units", MOST_UNITS)


def _within(name: str, value: Any, kind: str, least: float, most: float, one: bool = False) -> Any:
    """A float, or unless there may be `one` only, a float64 array, between two bounds."""
    numbers = np.array(_number(value)) if one or not isinstance(value, list | tuple | np.ndarray) else _array(value)
    if not ((numbers >= least) & (numbers <= most)).all():
        raise UserError(f"{name}={shown(value)} is no {kind}.", f"Give numbers from {least:g} to {most:g}.")
    return numbers if numbers.ndim else float(numbers)


def _whole(name: str, value: Any, kind: str, most: int) -> int:
    number = _number(value)
    if not (1 <= number <= most and number == int(number)):
        raise UserError(f"{name}={shown(value)} is no {kind}.", f"Give a whole number from 1 to {most:,}.")
    return int(number)


def _number(value: Any) -> float:
    """The value as a float; NaN, which lies within no bounds, for what is none."""
    if isinstance(value, str | bytes | bool) or np.ndim(value) or np.iscomplexobj(value):
        return nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return nan
    except OverflowError:
        return inf


def _array(value: Any) -> Array:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([nan])
