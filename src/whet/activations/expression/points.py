"""What a formula is worth at a single point, in Python's own floats: for folding constants and for the ends of intervals.

Never raises: beyond the largest float there is infinity, outside a domain NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from whet.activations.expression.nodes import Call, Name, Node, Number, walk


def at_point(node: Node, values: Mapping[str, float]) -> float:
    """The formula in float64 at one point."""
    done: dict[Node, float] = {}
    for here in walk(node):
        if isinstance(here, Call):
            done[here] = value_of(here.function, *(done[a] for a in here.arguments))
        elif isinstance(here, Number):
            done[here] = here.value
        elif isinstance(here, Name):
            done[here] = float(values[here.name])
    return done[node]


def value_of(function: str, *given: float) -> float:
    """A function of numbers."""
    try:
        return float(PLAIN[function](*given))
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError):
        return math.nan


def _div(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _exp(u: float) -> float:
    return math.exp(u) if u < 709.78 else math.exp(u) if u != u else math.inf


def _pow(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf


def _log(u: float) -> float:
    return math.log(u) if u != 0 else -math.inf


def _chain(outer: float, inner: float) -> float:
    return outer * inner if inner != 0 else 0.0


def _sech(u: float) -> float:
    e = math.exp(-abs(u))
    return 2 * e / (1 + e * e)


def _sigmoid(u: float) -> float:
    e = math.exp(-abs(u))
    return (1 if u >= 0 else e) / (1 + e)


def _sinh(u: float) -> float:
    return math.sinh(u) if abs(u) < 710 else math.copysign(math.inf, u)


def _root(c: float, u: float) -> float:
    return math.sqrt(c + u * u)


def _hinge(c: float, u: float) -> float:
    r = _root(c, u)
    return r + u if u >= 0 else c / (r - u)


def _atlu_slope(u: float) -> float:
    """From 100 on by its series: what is subtracted is nearly all of it."""
    v = 1 / max(abs(u), 1)
    left = v**3 * (2 / 3 - 4 / 5 * v * v) if v < 0.01 else math.atan2(1, abs(u)) - abs(u) / (1 + u * u)
    return (left if u < 0 else math.pi - left) / math.pi


PLAIN: dict[str, Callable[..., float]] = {
    "neg": lambda u: -u,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _div,
    "pow": _pow,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "exp": _exp,
    "expm1": lambda u: math.expm1(u) if u < 709 else _exp(u),
    "log": _log,
    "log1p": lambda u: math.log1p(u) if u != -1 else -math.inf,
    "xlogy": lambda a, b: a * _log(b) if a != 0 else 0.0,
    "sqrt": math.sqrt,
    "square": lambda u: u * u,
    "abs": abs,
    "sign": lambda u: (u > 0) - (u < 0),
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "tanh": math.tanh,
    "sinh": _sinh,
    "cosh": math.cosh,
    "sech": _sech,
    "arctan": math.atan,
    "arcsinh": math.asinh,
    "sigmoid": _sigmoid,
    "logistic": lambda u: _sigmoid(u) * _sigmoid(-u),
    "softplus": lambda u: max(u, 0) + math.log1p(math.exp(-abs(u))),
    "erf": math.erf,
    "Phi": lambda u: 0.5 * math.erfc(-u * math.sqrt(0.5)),
    "phi": lambda u: math.exp(-0.5 * u * u) / math.sqrt(2 * math.pi),
    "relu": lambda u: max(u, 0),
    "max": max,
    "min": min,
    "clip": lambda u, a, b: min(max(u, a), b),
    "where": lambda c, a, b: a if c > 0 else b,
    "chain": _chain,
    "ratio": lambda a, b: _div(a, b) if a != 0 else 0.0,
    "saturate": lambda u: u,
    "root": _root,
    "over_root": lambda c, u: u / _root(c, u),
    "hinge": _hinge,
    "gate": lambda c, u: _hinge(c, u) / _root(c, u),
    "atlu": lambda u: u * math.atan2(1, -u) / math.pi,
    "atlu_slope": _atlu_slope,
}
