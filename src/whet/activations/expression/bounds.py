"""Where a formula could overflow or meet a pole, by interval arithmetic; and a form of it that stays finite there.

    reach       |x| <= 1e4 is what must work, |parameter| <= 100 what is expected
    saturate    put around what may exceed the largest float32, at a pole too: it stays there instead of becoming infinite,
                and an exact 0 times it is 0, not NaN. The slope of x * tanh(exp(x)) is tanh(exp(x)) + x sech^2(exp(x)) exp(x),
                in which 0 meets 3e38 at x = 1e4
    chain       an outer derivative times an inner one; where the outer one has no pole within reach it is plain `mul`
    ratio       … divided by something; where that can't be 0 within reach it is plain `div`

Intervals know nothing of how two parts of a formula hang together, so they are too wide rather than too narrow: a
needless `saturate` costs a little time, never a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from whet.activations.expression.nodes import Call, Name, Node, Number, call, free_names, number, walk
from whet.activations.expression.points import value_of

REACH, PARAMETER_REACH = 1e4, 100.0
MOST = 3.4028234663852886e38
"""The largest float32."""
LARGEST_CONSTANT = 3.38e38
"""A derivative's constants beyond it are cut: bfloat16 has it too. A formula's own are refused when it is read."""
EXPECTED = 1e18
"""Quotients by a parameter stay below this: parameters keep away from 0."""


@dataclass(frozen=True)
class Interval:
    """All values between low and high, ends included; `pole`: or infinite, or none at all, somewhere within reach."""

    low: float
    high: float
    pole: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def within(self, other: Interval) -> bool:
        return other.low <= self.low and self.high <= other.high and not self.pole

    def limited(self, most: float) -> Interval:
        return Interval(max(self.low, -most), min(self.high, most), self.pole)


@lru_cache(maxsize=1024)
def guarded(node: Node) -> Node:
    """The formula with `saturate` where it is needed, and `chain` only where it is needed."""
    return _examine(node)[0]


def bounds(node: Node) -> Interval:
    """An interval that holds every value of the formula within reach."""
    return _examine(node)[1]


def _examine(node: Node) -> tuple[Node, Interval]:
    done: dict[Node, tuple[Node, Interval]] = {}
    for here in walk(node):
        done[here] = _one(here, done)
    return done[node]


def _one(node: Node, done: dict[Node, tuple[Node, Interval]]) -> tuple[Node, Interval]:
    if isinstance(node, Number):
        value = max(-LARGEST_CONSTANT, min(LARGEST_CONSTANT, node.value))
        return (node if value == node.value else number(value)), Interval(value, value)
    if isinstance(node, Name):
        reach = REACH if node.name == "x" else PARAMETER_REACH
        return node, Interval(-reach, reach)
    assert isinstance(node, Call)
    arguments, intervals = zip(*(done[a] for a in node.arguments), strict=True)
    function = node.function
    if function == "chain" and not intervals[0].pole:
        function = "mul"
    if function == "ratio" and not intervals[1].pole and 0.0 not in intervals[1]:
        function = "div"
    found = _interval(function, intervals)
    safe = call(function, *arguments)
    if function in ("div", "ratio") and "x" not in free_names(node.arguments[1]):
        found = found.limited(EXPECTED)
    if max(-found.low, found.high) <= MOST:
        return safe, found
    return call("saturate", safe), found.limited(MOST)


def _interval(function: str, given: tuple[Interval, ...]) -> Interval:
    pole = any(i.pole for i in given)
    if function in RANGES:
        return Interval(*RANGES[function], pole)
    if function in RISING:
        return _at_the_ends(function, given[0], pole)
    found = SPECIAL[function](*given)
    return Interval(found.low, found.high, found.pole or pole)


def _at_the_ends(function: str, u: Interval, pole: bool) -> Interval:
    """A rising function; below the edge of its domain there is a pole."""
    edge = DOMAINS.get(function, -math.inf)
    outside = u.low < edge or (u.low == edge and function != "sqrt")
    low = -math.inf if outside else value_of(function, u.low)
    return Interval(low, value_of(function, u.high) if u.high > edge else low, pole or outside)


def _corners(function: str) -> Callable[[Interval, Interval], Interval]:
    def of(a: Interval, b: Interval) -> Interval:
        found = [value_of(function, p, q) for p in (a.low, a.high) for q in (b.low, b.high)]
        return Interval(min(found), max(found)) if all(f == f for f in found) else Interval(-math.inf, math.inf)

    return of


def _div(a: Interval, b: Interval) -> Interval:
    return Interval(-math.inf, math.inf, True) if 0.0 in b else _corners("div")(a, b)


def _even(function: str) -> Callable[[Interval], Interval]:
    def of(u: Interval) -> Interval:
        ends = value_of(function, u.low), value_of(function, u.high)
        return Interval(value_of(function, 0.0) if 0.0 in u else min(ends), max(ends))

    return of


def _pow(a: Interval, b: Interval) -> Interval:
    whole = b.low == b.high and b.low.is_integer()
    if (a.low < 0 and not whole) or (0.0 in a and b.low < 0):
        return Interval(-math.inf, math.inf, True)
    if whole and a.low < 0:
        high = max(value_of("pow", a.low, b.low), value_of("pow", a.high, b.low))
        return Interval(0.0 if b.low % 2 == 0 else value_of("pow", a.low, b.low), high)
    return _corners("pow")(a, b)


def _xlogy(a: Interval, b: Interval) -> Interval:
    if b.low <= 0:
        return Interval(-math.inf, math.inf, True)
    return _corners("mul")(a, Interval(math.log(b.low), math.log(b.high)))


def _clip(u: Interval, a: Interval, b: Interval) -> Interval:
    low, high = max(u.low, a.low), max(u.high, a.high)
    return Interval(min(low, b.low), min(high, b.high))


def _root(c: Interval, u: Interval) -> Interval:
    squares = _even("square")(u)
    return _at_the_ends("sqrt", Interval(c.low + squares.low, c.high + squares.high), False)


def _rising_in_u(function: str) -> Callable[[Interval, Interval], Interval]:
    def of(c: Interval, u: Interval) -> Interval:
        return _corners(function)(c, u) if c.low > 0 else Interval(-math.inf, math.inf, True)

    return of


RISING = {"exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "arctan", "arcsinh"}
RISING |= {"sigmoid", "softplus", "erf", "Phi", "relu", "sign", "saturate", "atlu", "atlu_slope"}
DOMAINS = {"log": 0.0, "log1p": -1.0, "sqrt": 0.0}
RANGES = {
    "sin": (-1, 1),
    "cos": (-1, 1),
    "sech": (0, 1),
    "phi": (0, 0.4),
    "logistic": (0, 0.25),
    "gt": (0, 1),
    "ge": (0, 1),
}
SPECIAL: dict[str, Callable[..., Interval]] = {
    "neg": lambda u: Interval(-u.high, -u.low),
    "add": lambda a, b: Interval(a.low + b.low, a.high + b.high),
    "sub": lambda a, b: Interval(a.low - b.high, a.high - b.low),
    "mul": _corners("mul"),
    "chain": _corners("mul"),
    "div": _div,
    "ratio": _div,
    "pow": _pow,
    "xlogy": _xlogy,
    "abs": _even("abs"),
    "square": _even("square"),
    "cosh": _even("cosh"),
    "tan": lambda u: Interval(-math.inf, math.inf, True),
    "max": lambda a, b: Interval(max(a.low, b.low), max(a.high, b.high)),
    "min": lambda a, b: Interval(min(a.low, b.low), min(a.high, b.high)),
    "clip": _clip,
    "root": _root,
    "over_root": _rising_in_u("over_root"),
    "hinge": _rising_in_u("hinge"),
    "gate": _rising_in_u("gate"),
    "where": lambda c, a, b: Interval(min(a.low, b.low), max(a.high, b.high)),
}
