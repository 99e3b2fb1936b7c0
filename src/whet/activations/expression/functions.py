"""The functions of the grammar, and the derivative of each, written in the grammar itself.

A derivative is given with respect to each argument (u, or a, b, c) and in the form that stays exact where the textbook's
does not: tanh' is sech^2, because 1 - tanh^2 is nothing but rounding from |u| = 9 on (float32). At a kink the
derivative is the one from the side on which the function is 0 or constant, as torch has it for relu.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """A function's arguments, and its derivative with respect to each as a formula in them."""

    arguments: tuple[str, ...]
    derivatives: tuple[str, ...]


def _one(derivative: str) -> Function:
    return Function(("u",), (derivative,))


OPERATORS = {
    "neg": _one("-1"),
    "add": Function(("a", "b"), ("1", "1")),
    "sub": Function(("a", "b"), ("1", "-1")),
    "mul": Function(("a", "b"), ("b", "a")),
    "div": Function(("a", "b"), ("1 / b", "-(a / b) / b")),
    "pow": Function(("a", "b"), ("b * a^(b - 1)", "xlogy(a^b, a)")),
    "gt": Function(("a", "b"), ("0", "0")),
    "ge": Function(("a", "b"), ("0", "0")),
}
"""What the symbols + - * / ^ > >= stand for. A comparison is 1 where it holds, else 0."""

FUNCTIONS = {
    "exp": _one("exp(u)"),
    "expm1": _one("exp(u)"),
    "log": _one("1 / u"),
    "log1p": _one("1 / (1 + u)"),
    "xlogy": Function(("a", "b"), ("log(b)", "a / b")),
    "sqrt": _one("0.5 / sqrt(u)"),
    "square": _one("2 * u"),
    "abs": _one("sign(u)"),
    "sign": _one("0"),
    "sin": _one("cos(u)"),
    "cos": _one("-sin(u)"),
    "tan": _one("1 + square(tan(u))"),
    "tanh": _one("square(sech(u))"),
    "sinh": _one("cosh(u)"),
    "cosh": _one("sinh(u)"),
    "sech": _one("-sech(u) * tanh(u)"),
    "arctan": _one("1 / (1 + square(u))"),
    "arcsinh": _one("1 / sqrt(1 + square(u))"),
    "sigmoid": _one("logistic(u)"),
    "logistic": _one("-logistic(u) * tanh(0.5 * u)"),
    "softplus": _one("sigmoid(u)"),
    "erf": _one("1.1283791670955126 * exp(-square(u))"),
    "Phi": _one("phi(u)"),
    "phi": _one("-u * phi(u)"),
    "relu": _one("u > 0"),
    "max": Function(("a", "b"), ("a > b", "b >= a")),
    "min": Function(("a", "b"), ("b > a", "a >= b")),
    "clip": Function(("u", "a", "b"), ("(u > a) * (b > u)", "(a >= u) * (b > a)", "max(u, a) >= b")),
    "where": Function(("c", "a", "b"), ("0", "c > 0", "0 >= c")),
}
"""What may be called by name. `Phi` and `phi` are the normal distribution's cdf and density, `sigmoid` and `logistic` the
logistic one's; `xlogy(a, b)` is a log(b), and 0 where a is 0; `where(c, a, b)` is a where c > 0, else b."""

OVER_ROOT_BY_C, OVER_ROOT_BY_U = "-0.5 * u / (root(c, u) * (c + square(u)))", "c / (root(c, u) * (c + square(u)))"
INNER = {
    "chain": Function(("a", "b"), ("b", "a")),
    "ratio": Function(("a", "b"), ("1 / b", "-ratio(a, b) / b")),
    "saturate": _one("1"),
    "root": Function(("c", "u"), ("0.5 / root(c, u)", "over_root(c, u)")),
    "over_root": Function(("c", "u"), (OVER_ROOT_BY_C, OVER_ROOT_BY_U)),
    "hinge": Function(("c", "u"), ("0.5 / root(c, u)", "gate(c, u)")),
    "gate": Function(("c", "u"), (OVER_ROOT_BY_C, OVER_ROOT_BY_U)),
    "atlu": _one("atlu_slope(u)"),
    "atlu_slope": _one("0.6366197723675814 / square(1 + square(u))"),
}
"""What only our own rewriting makes. `chain(outer, inner)` is their product and `ratio(inner, b)` their quotient, and both
are 0 wherever inner is 0, even if outer has a pole there or b is 0; `saturate(u)` keeps u at the largest finite number
where it would overflow.

Others are what cancels far from 0 in the textbook's form, or has derivatives that do: `root(c, u)` is sqrt(c + u^2),
`over_root(c, u)` u / root, `hinge(c, u)` u + root, `gate(c, u)` 1 + u / root, and `atlu(u)` u (arctan(u) / pi + 1/2)."""

ALL = {**OPERATORS, **FUNCTIONS, **INNER}

SHORT = {
    "step": "u > 0",
    "gelu": "u * Phi(u)",
    "silu": "u * sigmoid(u)",
    "swish": "u * sigmoid(u)",
    "mish": "u * tanh(softplus(u))",
    "elu": "max(u, 0) + expm1(min(u, 0))",
    "softsign": "u / (1 + abs(u))",
}
"""Names that stand for a formula of their argument u."""

ALIASES = {"atan": "arctan", "asinh": "arcsinh", "ln": "log", "arsinh": "arcsinh", "clamp": "clip"}
CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}
