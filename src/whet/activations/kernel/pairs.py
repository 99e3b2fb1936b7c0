"""What sines are taken of, as a sum of two float32: the number as it is rounded, and what rounding took from it.

u, r      such a pair; r is None where nothing was taken. Its r is itself rounded, so that 48 bits of u + r are right
wide      the same argument in float64, for where u is so large that 48 bits are too few, or overflows
product   a b, in a form of which no compiler makes part of a sum: then what it lost could not be told. After Dekker 1971,
          A floating-point technique for extending the available precision, and Knuth's sum of two
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import lru_cache, reduce

from whet.activations.expression.nodes import Call, Node, Number, call, number, walk
from whet.activations.expression.turning import TURNING, is_arithmetic, is_long

Pair = tuple[Node, Node | None]


def with_pairs(node: Node, name: Callable[[Call], str]) -> Node:
    """The formula with `sin_with(u, r, wide)` for sines whose arguments need it, and functions by the names they are given."""
    done: dict[Node, Node] = {}
    for here in walk(node):
        done[here] = here
        if isinstance(here, Call):
            arguments = tuple(done[a] for a in here.arguments)
            done[here] = call(name(here), *arguments)
            if here.function in TURNING and is_long(here.arguments[0]):
                u, r = parted(arguments[0])
                if r is None and any(isinstance(n, Call) and n.function == "product" for n in walk(u)):
                    r = number(0)  # 2 x is exact, but may overflow
                done[here] = call(f"{here.function}_with", u, r, widened(arguments[0])) if r else done[here]
    return done[node]


def widened(node: Node) -> Node:
    """A sine's argument with `wide` around what its arithmetic begins with; numbers are wide as they are."""
    if not isinstance(node, Call) or not is_arithmetic(node):
        return node if isinstance(node, Number) else call("wide", node)
    if node.function == "pow":
        base, exponent = node.arguments
        assert isinstance(exponent, Number)
        return reduce(Node.__mul__, [widened(base)] * int(exponent.value))
    return call(node.function, *map(widened, node.arguments))


@lru_cache(maxsize=4096)
def is_wide(node: Node) -> bool:
    """Whether this is computed in float64."""
    if not isinstance(node, Call):
        return False
    return node.function == "wide" or (is_arithmetic(node) and any(map(is_wide, node.arguments)))


def leaf(node: Node) -> Node:
    """What wide arithmetic begins with first."""
    return next((n.arguments[0] for n in walk(node) if isinstance(n, Call) and n.function == "wide"), node)


def parted(node: Node) -> Pair:
    """A sine's argument as a pair."""
    if isinstance(node, Number):
        (rounded,) = struct.unpack("f", struct.pack("f", node.value))
        return number(rounded), None if rounded == node.value else number(node.value - rounded)
    if not isinstance(node, Call) or not is_arithmetic(node):
        return node, None
    if node.function == "pow":
        base, exponent = node.arguments
        assert isinstance(exponent, Number)
        return reduce(_product, [parted(base)] * int(exponent.value))
    return PARTED[node.function](*map(parted, node.arguments))


def _product(a: Pair, b: Pair) -> Pair:
    (u, r), (v, s) = a, b
    lost = None if _is_power_of_2(u) or _is_power_of_2(v) else call("lost_product", u, v)
    return call("product", u, v), _sum_of(lost, r and r * v, s and u * s)


def _sum(a: Pair, b: Pair) -> Pair:
    (u, r), (v, s) = a, b
    return u + v, _sum_of(call("lost_sum", u, v), r, s)


def _quotient(a: Pair, b: Pair) -> Pair:
    (u, r), (v, s) = a, b
    if isinstance(v, Number) and v.value:
        return _product(a, parted(number(1 / (v.value + (s.value if isinstance(s, Number) else 0)))))
    left = _sum_of(call("lost_quotient", u, v), r, s and -((u / v) * s))
    return u / v, left and left / v


def _negative(a: Pair) -> Pair:
    u, r = a
    return -u, r and -r


def _size(a: Pair) -> Pair:
    u, r = a
    return call("abs", u), r and call("where", u, r, -r)


def _sum_of(*terms: Node | None) -> Node | None:
    """The sum of those that are there."""
    found = [term for term in terms if term]
    return reduce(Node.__add__, found) if found else None


def _is_power_of_2(u: Node) -> bool:
    return isinstance(u, Number) and abs(math.frexp(u.value)[0]) == 0.5


PARTED: dict[str, Callable[..., Pair]] = {
    "neg": _negative,
    "abs": _size,
    "add": _sum,
    "sub": lambda a, b: _sum(a, _negative(b)),
    "mul": _product,
    "div": _quotient,
    "square": lambda a: _product(a, a),
}
