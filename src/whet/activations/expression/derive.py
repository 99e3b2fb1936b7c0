"""The derivative of a formula, as a formula: the chain rule over the table in functions.py.

What a function and its derivative have in common stays one node, so that the result is a few times as large as the
formula, never exponentially larger, and is computed once.
"""

from __future__ import annotations

from functools import cache, lru_cache

from whet.activations.expression.functions import ALL
from whet.activations.expression.grammar import parse
from whet.activations.expression.nodes import Call, Node, Number, call, name, number, replace, walk
from whet.activations.expression.simplify import simplify

ZERO, ONE = number(0), number(1)


@lru_cache(maxsize=512)
def derive(node: Node, by: str = "x") -> Node:
    """The simplified derivative with respect to a name. A constant has the derivative 0."""
    slope: dict[Node, Node] = {}
    node = simplify(node)
    for here in walk(node):
        slope[here] = _slope(here, slope) if isinstance(here, Call) else (ONE if here is name(by) else ZERO)
    return simplify(slope[node])


def _slope(node: Call, slope: dict[Node, Node]) -> Node:
    """The sum of outer times inner derivative over the arguments."""
    if node.function == "where":
        condition, a, b = node.arguments
        return slope[a] if slope[a] is slope[b] else call("where", condition, slope[a], slope[b])
    terms = [
        times(partial, slope[argument])
        for partial, argument in zip(_partials(node), node.arguments, strict=True)
        if slope[argument] is not ZERO and partial is not ZERO
    ]
    total = ZERO
    for term in terms:
        total = term if total is ZERO else total + term
    return total


def _partials(node: Call) -> tuple[Node, ...]:
    """The outer derivatives at the node's own arguments."""
    given = dict(zip(ALL[node.function].arguments, node.arguments, strict=True))
    return tuple(replace(rule, given) for rule in _rules(node.function))


@cache
def _rules(function: str) -> tuple[Node, ...]:
    return tuple(parse(text, functions=ALL) for text in ALL[function].derivatives)


def times(outer: Node, inner: Node) -> Node:
    """Their product by the rule that an inner derivative of exactly 0 leaves nothing, whatever the outer one is.

    What the outer one is divided by divides the inner one first: (a / b)' has the term (a / b) (b' / b), in which b' / b
    stays near 1 where 1 / b^2 would overflow.
    """
    if inner is ONE:
        return outer
    if isinstance(outer, Call) and outer.function == "div":
        above, below = outer.arguments
        return times(above, call("ratio", inner, below))
    if isinstance(outer, Number):
        return outer * inner
    return call("chain", outer, inner)
