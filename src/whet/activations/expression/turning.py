"""What sines are taken of has more digits than float32 holds, or else a sine of 30 x^2 is off by 1e-3 at x = 100.

Torch's operations compute such an argument in float64 (`widened`), kernels as a sum of two float32 (kernel/pairs.py).
"""

from __future__ import annotations

from functools import lru_cache

from whet.activations.expression.bounds import Interval, bounds
from whet.activations.expression.nodes import Call, Node, Number, call, free_names, walk

TURNING = ("sin", "cos", "tan")
ARITHMETIC = ("neg", "add", "sub", "mul", "div", "square", "abs")
"""What is computed with more digits, beside powers by WHOLE numbers; what else is in an argument has those of float32."""
WHOLE = range(2, 9)
SMALL = Interval(-4, 4)
"""Of numbers in it, what rounding takes is no more than a sine's own rounding."""


def is_long(argument: Node) -> bool:
    """Whether a sine's argument is computed, and may be large."""
    return isinstance(argument, Call) and is_arithmetic(argument) and not bounds(argument).within(SMALL)


def is_arithmetic(node: Call) -> bool:
    exponent = node.arguments[-1]
    power = node.function == "pow" and isinstance(exponent, Number) and exponent.value in WHOLE
    return power or node.function in ARITHMETIC


@lru_cache(maxsize=1024)
def widened(node: Node) -> Node:
    """The formula with `wide` and `narrow` around what is computed in float64."""
    done: dict[Node, Node] = {}
    for here in walk(node):
        done[here] = here
        if isinstance(here, Call):
            arguments = tuple(done[a] for a in here.arguments)
            done[here] = call(here.function, *arguments)
            if here.function in TURNING and is_long(here.arguments[0]):
                argument, like = _wide(arguments[0])
                done[here] = call("narrow", call(here.function, argument), like) if like else done[here]
    return done[node]


def _wide(argument: Node) -> tuple[Node, Node | None]:
    """The argument with its parts made wide, and one of them as it was; None where it depends on nothing."""
    if isinstance(argument, Call) and is_arithmetic(argument):
        parts = [_wide(a) for a in argument.arguments]
        return call(argument.function, *(part for part, _ in parts)), next((like for _, like in parts if like), None)
    return (call("wide", argument), argument) if free_names(argument) else (argument, None)
