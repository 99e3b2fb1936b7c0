"""A formula in terms of the few functions that prelude.h has.

What a value and its derivative have in common comes out as one node: sigmoid(u), sigmoid(-u) and softplus(u) share
exp(-|u|), tanh and sech^2 share exp(-2 |u|), Phi and phi share exp(-u^2 / 2). So forward and backward of nearly every
activation cost one exponential each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from whet.activations.expression.bounds import Interval, bounds
from whet.activations.expression.functions import ALL, Function
from whet.activations.expression.nodes import Call, Node, call, walk
from whet.activations.expression.rewrite import Rules
from whet.activations.kernel.pairs import leaf, with_pairs

PRELUDE = {
    **{
        name: Function(("u",), ("0",))
        for name in (
            *("decay", "decay_expm1", "exp_within", "exp_brief", "log1p_unit", "tail", "gauss", "mills"),
            *("rational_tanh", "tanh_within", "erf_log", "erf_log_slope", "paired_sin", "paired_cos"),
            *("absolute_gelu", "absolute_gelu_slope", "phish", "phish_slope"),
            *("tanh_soft", "tanh_soft_slope", "tanh_exp_slope", "serf_slope"),
        )
    },
    "with_sign": Function(("size", "u"), ("0", "0")),
}
"""Functions of prelude.h that the grammar does not have; see there."""

NARROW = {
    "exp": (("decay", Interval(-math.inf, 0)), ("exp_within", Interval(-87, 88))),
    "expm1": (("decay_expm1", Interval(-math.inf, 0)),),
    "log1p": (("log1p_unit", Interval(0, 1)),),
}
"""Forms for a part of the line."""

OTHERS = {"sin": "cos", "cos": "sin", "sin_with": "cos_with", "cos_with": "sin_with", "tanh": "sech"}
COMPANY = {(name, True): f"paired_{name}" for name in OTHERS if name != "tanh"} | {("tanh", False): "rational_tanh"}
"""What a function is called where the other one of the same number is needed too, or is not."""

TURNED = ("sin", "cos", "paired_sin", "paired_cos", "tan")
TURNING = (*TURNED, *(f"{name}_with" for name in TURNED))
"""Functions that prelude.h has in two forms: for numbers near 0, and with far_ before the name for all."""

E = "decay(-abs(u))"
T, M = "decay(-2 * abs(u))", "decay_expm1(-2 * abs(u))"
D = f"where(u >= 0, 1 + 2 * {E} * (1 + {E}), {E} * (2 + {E}) + 2)"
"""1 + (1 + exp(u))^2, over exp(2 u) where u > 0."""
H = "gauss(tail(u)) * mills(tail(u))"
K = "gauss(tail(u)) * (mills(tail(u)) - 0.3989422804014327 * tail(u))"
"""The slope of u Phi(u) at -|u|."""

ENTIRE = Rules(
    """
    u * rational_tanh(u * Phi(u))            phish(u)
    rational_tanh(0.87 * u) * softplus(u)    tanh_soft(u)
    tanh(u * Phi(u)) + u * (square(sech(u * Phi(u))) * (Phi(u) + u * phi(u)))          phish_slope(u)
    0.87 * (softplus(u) * square(sech(0.87 * u))) + tanh(0.87 * u) * sigmoid(u)        tanh_soft_slope(u)
    erf(softplus(u)) + 1.1283791670955126 * (u * (decay(-square(softplus(u))) * sigmoid(u)))    serf_slope(u)
    tanh(saturate(exp(u))) + saturate(u * (square(sech(saturate(exp(u)))) * saturate(exp(u))))  tanh_exp_slope(u)
    """,
    {**ALL, **PRELUDE},
)
"""For functions and slopes that cost less as a whole than by their parts. Looked for first."""

Z = "decay(min(u, 4.2484952420493586))"
"""exp(u), 70 at most."""
EXP = "decay(min(u, 5))"
B = "exp_within(-max(min(-u, 87), -4.4777))"
"""exp(u), 88.03 at most: exp(-B) is 0 then, and needs no limits of its own, which were a tenth of golu's time."""
TOWERS = Rules(
    f"""
    tanh(saturate(exp(u)))                                     tanh({EXP})
    rational_tanh(saturate(exp(u)))                            tanh_within(decay(min(u, 2.1972245773362196)))
    decay(-saturate(exp(u)))                                   exp_brief(-{B})
    exp_brief(-{B}) * saturate(exp(u))                        exp_brief(-{B}) * {B}
    sech(saturate(exp(u)))                                     sech({EXP})
    saturate(v * (exp_brief(-{B}) * {B}))                     v * (exp_brief(-{B}) * {B})
    saturate(v * (square(sech({EXP})) * saturate(exp(u))))     v * (square(sech({EXP})) * {EXP})
    """,
    {**ALL, **PRELUDE},
)
"""For exponentials of exponentials, which reach their limits below exp(5): nothing can overflow. Looked for next."""
WHOLES = Rules(
    f"""
    rational_tanh(softplus(u))    tanh(softplus(u))
    tanh(softplus(u))    where(u >= 0, 1 + 2 * {E}, {E} * (2 + {E})) * (1 / {D})
    sech(softplus(u))    where(u >= 0, 2 * {E} * (1 + {E}), 2 * (1 + {E})) * (1 / {D})
    square(sech(u))      4 * {T} * square(1 / (2 + {M}))
    saturate(exp(u))     exp(u)
    where(u >= 0, v, decay_expm1(min(u, 0)))             where(u >= 0, v, decay_expm1(-abs(u)))
    where(u >= 0, v, decay(min(u, 0)) * (0 > u))         where(u >= 0, v, decay(-abs(u)))
    decay(-1.5 * softplus(u))    sigmoid(-u) * sqrt(sigmoid(-u))
    erf(softplus(u))             erf_log({Z})
    decay(-square(softplus(u))) * sigmoid(u)    {Z} * erf_log_slope({Z})
    logistic(u) / (1 + sigmoid(u))    {E} * (1 / ((1 + {E}) * where(u >= 0, 2 + {E}, 1 + 2 * {E})))
    u * Phi(u)                   relu(u) - tail(u) * ({H})
    Phi(u) + u * phi(u)          where(u > 0, 1 - {K}, {K})
    relu(u) - tail(u) * ({H}) + c * sin(u)      absolute_gelu(u) + c * sin(u)
    where(u > 0, 1 - {K}, {K}) + c * cos(u)     absolute_gelu_slope(u) + c * cos(u)
    """,
    {**ALL, **PRELUDE},
)
"""For what takes several functions at once; looked for before the parts are taken apart."""
PARTS = Rules(
    f"""
    abs(-u)           abs(u)
    abs(decay(u))     decay(u)
    with_sign(u, decay(v))    abs(u)
    sigmoid(u)        where(u >= 0, 1, {E}) * (1 / (1 + {E}))
    logistic(u)       {E} * square(1 / (1 + {E}))
    softplus(u)       relu(u) + log1p_unit({E})
    tanh(u)           with_sign({M} * (1 / (2 + {M})), u)
    sech(u)           2 * {E} * (1 / (1 + square({E})))
    cosh(u)           0.5 * exp(abs(u)) + 0.5 / exp(abs(u))
    Phi(u)            where(u > 0, 1 - {H}, {H})
    phi(u)            0.3989422804014327 * gauss(tail(u))
    clip(u, v, w)     min(max(u, v), w)
    u^3               u * square(u)
    u^4               square(square(u))
    u^5               u * square(square(u))
    u^6               square(u * square(u))
    u^8               square(square(square(u)))
    u^1.5             u * sqrt(u)
    u^2.5             square(u) * sqrt(u)
    u^-0.5            1 / sqrt(u)
    u^-2              1 / square(u)
    u^-3              1 / (u * square(u))
    """,
    {**ALL, **PRELUDE},
)


@lru_cache(maxsize=512)
def lowered(node: Node) -> Node:
    """The formula without any function that the prelude lacks."""
    node = _in_company(with_pairs(node, _narrow))
    for rules in (ENTIRE, TOWERS, WHOLES, PARTS):
        node = _apply(rules, node, {})
    return node


def _narrow(here: Call) -> str:
    """The cheapest form of a function whose argument is known to stay in a part of the line."""
    for narrow, part in NARROW.get(here.function, ()):
        if bounds(here.arguments[0]).within(part):
            return narrow
    return here.function


def _in_company(node: Node) -> Node:
    """With the forms that suit what else is asked of a number: sin and cos of it share a range, tanh and sech an exponential,
    but tanh alone costs less without."""
    calls = {here for here in walk(node) if isinstance(here, Call)}

    def name(here: Call) -> str:
        with_other = here.function in OTHERS and call(OTHERS[here.function], *here.arguments) in calls
        return COMPANY.get((here.function, with_other), here.function)

    return _renamed(node, name)


def _renamed(node: Node, name: Callable[[Call], str]) -> Node:
    """With each function by the name that it is given."""
    done: dict[Node, Node] = {}
    for here in walk(node):
        done[here] = call(name(here), *(done[a] for a in here.arguments)) if isinstance(here, Call) else here
    return done[node]


def turned(nodes: Sequence[Node]) -> list[tuple[Node, Node]]:
    """What sines and their like are taken of, each with what that was computed from."""
    calls = (here for node in nodes for here in walk(node) if isinstance(here, Call) and here.function in TURNING)
    return list(dict.fromkeys((here.arguments[0], leaf(here.arguments[-1])) for here in calls))


def for_far(nodes: Sequence[Node]) -> list[Node]:
    """The formulas with the forms of those functions that are right for all numbers."""
    return [
        _renamed(node, lambda here: f"far_{here.function}" if here.function in TURNING else here.function)
        for node in nodes
    ]


def _apply(rules: Rules, node: Node, done: dict[Node, Node]) -> Node:
    for here in walk(node, done):
        better = here
        if isinstance(here, Call):
            better = call(here.function, *(done[a] for a in here.arguments))
            assert isinstance(better, Call)
            rewritten = rules.rewrite(better)
            better = better if rewritten is better else _apply(rules, rewritten, done)
        done[here] = done[better] = better
    return done[node]
