"""Rules that turn one form of formula into another, written as pairs of formulas.

In a rule u, v, w stand for any part, c and d for any number, p for one above 0: `c * u + c * v    c * (u + v)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from whet.activations.expression.functions import Function
from whet.activations.expression.grammar import parse
from whet.activations.expression.nodes import Call, Name, Node, Number, call

Binding = dict[str, Node]


class Rules:
    """A rule per line, left and right two spaces or more apart; the first that fits counts. Read when first used."""

    def __init__(self, text: str, functions: Mapping[str, Function]) -> None:
        self.text, self.functions = text, functions

    def rewrite(self, node: Call) -> Node:
        """The node by the first rule that fits its root, or the node itself."""
        for left, right in self._by_root.get(node.function, ()):
            bound: Binding = {}
            if _fits(left, node, bound):
                return _fill(right, bound)
        return node

    @cached_property
    def _by_root(self) -> dict[str, list[tuple[Node, Node]]]:
        found: dict[str, list[tuple[Node, Node]]] = {}
        for line in filter(str.strip, self.text.splitlines()):
            left, right = (parse(side, functions=self.functions) for side in line.strip().split("  ", 1))
            assert isinstance(left, Call)
            found.setdefault(left.function, []).append((left, right))
        return found


def _fits(pattern: Node, node: Node, bound: Binding) -> bool:
    """Whether the node has the pattern's form; fills `bound` on the way."""
    if isinstance(pattern, Name):
        if pattern.name in "cdp" and not (isinstance(node, Number) and (pattern.name != "p" or node.value > 0)):
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
