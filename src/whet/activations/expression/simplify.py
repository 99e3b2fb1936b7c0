"""Formulas made shorter and safer without changing what they are worth: constants folded, the rules of rules.py applied."""

from __future__ import annotations

import math
from functools import cache, lru_cache

from whet.activations.expression.grammar import parse
from whet.activations.expression.nodes import Call, Name, Node, Number, call, number, walk
from whet.activations.expression.points import at_point
from whet.activations.expression.rules import RULES

Binding = dict[str, Node]
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
    for left, right in _rules().get(node.function, ()):
        bound: Binding = {}
        if _fits(left, node, bound):
            return _fill(right, bound)
    return _reciprocal(node)


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


def _fits(pattern: Node, node: Node, bound: Binding) -> bool:
    """Whether the node has the pattern's form; fills `bound` on the way."""
    if isinstance(pattern, Name):
        if pattern.name in "cd" and not isinstance(node, Number):
            return False
        return bound.setdefault(pattern.name, node) is node
    if isinstance(pattern, Number):
        return pattern is node
    assert isinstance(pattern, Call)
    return (
        isinstance(node, Call)
        and node.function == pattern.function
        and all(_fits(p, n, bound) for p, n in zip(pattern.arguments, node.arguments, strict=True))
    )


def _fill(pattern: Node, bound: Binding) -> Node:
    if isinstance(pattern, Name):
        return bound[pattern.name]
    if isinstance(pattern, Call):
        return call(pattern.function, *(_fill(a, bound) for a in pattern.arguments))
    return pattern


@cache
def _rules() -> dict[str, list[tuple[Node, Node]]]:
    """The rules by the function at the left side's root."""
    found: dict[str, list[tuple[Node, Node]]] = {}
    for line in RULES.strip().splitlines():
        if line.strip():
            left, right = (parse(side, inner=True) for side in _two_sides(line))
            assert isinstance(left, Call)
            found.setdefault(left.function, []).append((left, right))
    return found


def _two_sides(line: str) -> list[str]:
    return [side.strip() for side in line.split("  ", 1)]
