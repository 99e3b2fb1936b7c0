"""Formulas made shorter and safer without changing what they are worth: constants folded, the rules of rules.py applied."""

from __future__ import annotations

import math
from functools import lru_cache

from whet.activations.expression.functions import ALL
from whet.activations.expression.nodes import Call, Node, Number, call, number, walk
from whet.activations.expression.points import at_point
from whet.activations.expression.rewrite import Rules
from whet.activations.expression.rules import RULES

SIMPLER = Rules(RULES, ALL)
Done = dict[Node, Node]


@lru_cache(maxsize=1024)
def simplify(node: Node) -> Node:
    """The simplest equal formula that the rules lead to."""
    return _simplify(node, {})


def _simplify(node: Node, done: Done) -> Node:
    """Arguments first; what is rewritten is looked at again. `done` remembers every node seen, also what came out."""
    for here in walk(node, done):
        better = here
        if isinstance(here, Call):
            better = call(here.function, *(done[a] for a in here.arguments))
            rewritten = _rewrite(better) if isinstance(better, Call) else better
            better = better if rewritten is better else _simplify(rewritten, done)
        done[here] = done[better] = better
    return done[node]


def _rewrite(node: Call) -> Node:
    """One step: a constant computed, or the first rule that fits."""
    if all(isinstance(a, Number) for a in node.arguments):
        value = _constant(node)
        return node if value is None else number(value)
    if node.function == "where" and isinstance(node.arguments[0], Number):
        return node.arguments[1 if node.arguments[0].value > 0 else 2]
    better = SIMPLER.rewrite(node)
    return better if better is not node else _reciprocal(node)


def _constant(node: Call) -> float | None:
    """What a call of numbers is worth, None where it is not a finite number."""
    value = at_point(node, {})
    return value if math.isfinite(value) else None


def _reciprocal(node: Call) -> Node:
    """Division by a constant is multiplication by its inverse."""
    if node.function == "div" and isinstance(node.arguments[1], Number):
        value = node.arguments[1].value
        if 1e-30 < abs(value) < 1e30:
            return number(1 / value) * node.arguments[0]
    return node
