"""The tree of a formula: numbers, names, and calls of functions. Operators are calls too: `x + 1` is `add(x, 1)`.

Nodes are frozen and made once: two equal formulas are one object, so that equality is identity, what a derivative
shares with its function is shared in memory, and every walk can remember what it did per node.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from typing import Any
from weakref import WeakValueDictionary

_made: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
_making = threading.Lock()


class Node:
    """A part of a formula. Combine nodes with + - * / and unary minus, compare with `is` or ==, print with str."""

    __slots__ = ("__weakref__",)

    def __add__(self, other: Node) -> Node:
        return call("add", self, other)

    def __sub__(self, other: Node) -> Node:
        return call("sub", self, other)

    def __mul__(self, other: Node) -> Node:
        return call("mul", self, other)

    def __truediv__(self, other: Node) -> Node:
        return call("div", self, other)

    def __neg__(self) -> Node:
        return call("neg", self)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        return to_text(self)

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return self


class Number(Node):
    """A constant."""

    __slots__ = ("value",)
    value: float

    def __reduce__(self) -> tuple[Any, ...]:
        return number, (self.value,)


class Name(Node):
    """The input `x`, or a parameter."""

    __slots__ = ("name",)
    name: str

    def __reduce__(self) -> tuple[Any, ...]:
        return name, (self.name,)


class Call(Node):
    """A function or an operator, applied to its arguments."""

    __slots__ = ("arguments", "function")
    function: str
    arguments: tuple[Node, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return call, (self.function, *self.arguments)


def number(value: float) -> Node:
    return _made_once((Number, float(value), str(value)[0] == "-"), Number, value=float(value))


def name(name: str) -> Node:
    return _made_once((Name, name), Name, name=name)


def call(function: str, *arguments: Node) -> Node:
    return _made_once((Call, function, *arguments), Call, function=function, arguments=arguments)


def _made_once(key: tuple[Any, ...], kind: type[Node], **fields: Any) -> Node:
    with _making:
        node = _made.get(key)
        if node is None:
            node = kind.__new__(kind)
            for field, value in fields.items():
                object.__setattr__(node, field, value)
            _made[key] = node
        return node


def walk(node: Node, known: Collection[Node] = ()) -> Iterator[Node]:
    """Every different node once, arguments before the calls that need them, `node` itself last; not what is known."""
    seen: set[Node] = set()
    waiting: list[tuple[Node, bool]] = [(node, False)]
    while waiting:
        here, ready = waiting.pop()
        if here in seen or here in known:
            continue
        if ready or not isinstance(here, Call):
            seen.add(here)
            yield here
            continue
        waiting.append((here, True))
        waiting.extend((argument, False) for argument in reversed(here.arguments))


def free_names(node: Node) -> tuple[str, ...]:
    """The names in a formula, `x` included, sorted."""
    return tuple(sorted(n.name for n in walk(node) if isinstance(n, Name)))


def replace(node: Node, values: dict[str, Node]) -> Node:
    """The formula with nodes put in place of some of its names."""
    done: dict[Node, Node] = {}
    for here in walk(node):
        if isinstance(here, Call):
            done[here] = call(here.function, *(done[a] for a in here.arguments))
        else:
            done[here] = values.get(here.name, here) if isinstance(here, Name) else here
    return done[node]


OPERATORS = {"gt": (">", 1), "ge": (">=", 1), "add": ("+", 2), "sub": ("-", 2), "mul": ("*", 3), "div": ("/", 3)}
"""Symbol and strength of the operators that group to the left."""
NEGATIVE, POWER, ATOM = 4, 5, 6


def to_text(node: Node) -> str:
    """The formula as text that parses to the same node. A derivative may be long: what it shares is written out."""
    done: dict[Node, tuple[str, int]] = {}
    for here in walk(node):
        done[here] = _text_of(here, done)
    return done[node][0]


def _text_of(node: Node, done: dict[Node, tuple[str, int]]) -> tuple[str, int]:
    """A node's text and how strongly it holds together."""
    if isinstance(node, Number):
        text = repr(node.value).removesuffix(".0")
        return text, NEGATIVE if text.startswith("-") else ATOM
    if isinstance(node, Name):
        return node.name, ATOM
    assert isinstance(node, Call)

    def within(argument: Node, least: int) -> str:
        text, strength = done[argument]
        return text if strength >= least else f"({text})"

    if node.function in OPERATORS:
        symbol, strength = OPERATORS[node.function]
        left, right = node.arguments
        return f"{within(left, strength + (strength == 1))} {symbol} {within(right, strength + 1)}", strength
    if node.function == "neg":
        return f"-{within(node.arguments[0], POWER)}", NEGATIVE
    if node.function == "pow":
        base, exponent = node.arguments
        return f"{within(base, ATOM)}^{within(exponent, POWER)}", POWER
    return f"{node.function}({', '.join(done[a][0] for a in node.arguments)})", ATOM
