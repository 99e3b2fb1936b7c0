"""What the rule decides from a walk: how each activation is shaped, how each layer is scaled, which branches start at 0.

L          activations along the longest way through a run (`whet.init.graph`)
c          scale of the weights in front of a shaped activation, undone inside it (`whet.init.step`)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from whet.activations.scalar import Scalar, as_scalar
from whet.errors import WhetError
from whet.init.branches import branches, starts
from whet.init.graph import Runs, fan_in, is_head, near, reaches, widths
from whet.init.step import groups
from whet.init.walk import Node, without_hooks
from whet.quadrature import gaussian_mean
from whet.theory.family import Shape
from whet.theory.shaping import NOISE, STRETCH, natural_gain, shape

CALLED = "it should be shaped, but is called as a function that could not be replaced"
DEEP = 4
"""Activations in a row from which gates among them are shaped."""
GATE_STRETCH = 1.03
"""How nearly straight a gate's function is made: one that is even in part opens further the longer its input."""
PROBES = np.linspace(-4.1, 3.9, 33)
"""Functions with the same values here count as the same."""


@dataclass
class Activation:
    """One activation function of the model, at all the places where it is computed."""

    nodes: list[Node]
    scalar: Scalar | None
    depth: int = 1
    width: int = 1
    shape: Shape | None = None
    gain: float = 1.0
    """What the next layer makes up for, where the function stays as it is."""
    scale: float = 1.0
    """c of what comes in."""
    left: str = ""
    """Why it stays as it is; empty if it is shaped."""

    @property
    def asks_for_surgery(self) -> bool:
        """Whether it is called as a function, and should be a module that can be shaped."""
        called = self.nodes[0].module is None
        return called and (self.left == CALLED or (self.depth > 1 and any(map(_is_spelt_out, self.nodes))))


@dataclass
class Plan:
    """Decisions, by module."""

    activations: list[Activation] = field(default_factory=list)
    gains: dict[nn.Module, float] = field(default_factory=dict)
    scales: dict[nn.Module, float] = field(default_factory=dict)
    """c of the layers whose output goes into shaped activations alone."""
    before_shaped: list[nn.Module] = field(default_factory=list)
    """Layers whose output goes into shaped activations alone."""
    starts: dict[nn.Module, tuple[float, str]] = field(default_factory=dict)
    """Further factors of what stands in residual branches, with the reason."""


def make(nodes: list[Node], step: float) -> Plan:
    """The plan for these nodes; `step` is how far an optimiser moves one weight in one step."""
    plan = Plan(_activations(nodes))
    bending = {n: 1.0 for a in plan.activations for n in a.nodes if reaches(n, "users", "layer")}
    depths = Runs(nodes, bending)
    known: dict[Hashable, tuple[Shape | None, float, str]] = {}
    for activation in plan.activations:
        activation.depth = max(1, round(max(depths.through(n) for n in activation.nodes)))
        activation.width = min((w for n in activation.nodes for w in widths(n)), default=1)
        _decide(activation, known)
    _scale(plan, nodes, step)
    plan.starts = starts(nodes)
    small = not plan.scales and not _adds_products(nodes)
    for node in nodes:
        if node.kind == "layer" and node.module is not None:
            plan.gains.setdefault(node.module, _gain(node, plan))
            if is_head(node) and small:
                plan.starts.setdefault(node.module, (fan_in(node) ** -0.5, "the output starts small"))
    return plan


def _adds_products(nodes: list[Node]) -> bool:
    """Whether branches that end in a product of two signals are added up, with no norm anywhere: the sum grows faster than
    what comes in, and an output that starts small lets it. Measured on 20 branches W (silu(U x) * (G x)) of 40 units
    (digits, 8 epochs, five seeds): accuracy 0.944 with an output of full size, 0.870 with a small one.
    """
    ends = [n for b in branches(nodes) for n in near(b.tail, "inputs")]
    return any(n.kind == "product" for n in ends) and not any(n.kind == "norm" for n in nodes)


def _activations(nodes: list[Node]) -> list[Activation]:
    by_function: dict[object, list[Node]] = {}
    for node in nodes:
        if node.kind == "activation":
            by_function.setdefault(node.module or node, []).append(node)
    return [Activation(places, scalar_of(places[0])) for places in by_function.values()]


def scalar_of(node: Node) -> Scalar | None:
    """The function of one number that an activation computes; of its first channel, if the channels differ."""
    if node.module is None:
        function, args, kwargs = node.call or (None, (), {})
        return _scalar(lambda x: function(x.clone(), *args, **kwargs)) if function else None
    bare = without_hooks(node.module)
    for part in bare.modules():
        if getattr(part, "inplace", False):
            vars(part)["inplace"] = False  # what it overwrites here is asked for its gradient
    if (found := _scalar(bare)) is not None:
        return found
    channels = node.shape[1] if len(node.shape) > 1 else 1
    many = bare.double().cpu()

    def first_channel(z: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = many(z.reshape(-1, 1).expand(-1, channels))[:, 0]
        return out.reshape(z.shape)

    return _scalar(first_channel)


def _scalar(function: Callable[..., torch.Tensor]) -> Scalar | None:
    try:
        return as_scalar(function)
    except (WhetError, RuntimeError):
        return None


def _decide(activation: Activation, known: dict[Hashable, tuple[Shape | None, float, str]]) -> None:
    """Whether a function is shaped, and how; equal functions in equal positions are decided once."""
    activation.left = _place_speaks_against(activation)
    if activation.left or activation.scalar is None:
        return
    opens = any(_multiplied(n) for n in activation.nodes)
    if opens:
        activation.width = min(activation.width, *(fan_in(n) for gate in activation.nodes for n in _around(gate)))
    key = (tuple(activation.scalar.value(PROBES).tolist()), activation.depth, activation.width, opens)
    if key not in known:
        known[key] = (_shaped_gate if opens else _shaped)(activation.scalar, activation.depth, activation.width)
    activation.shape, activation.gain, activation.left = known[key]
    if activation.shape is not None and activation.nodes[0].module is None:
        activation.shape, activation.left = None, CALLED


def _is_spelt_out(node: Node) -> bool:
    """Whether its result is multiplied by what it was computed from, as in x * sigmoid(x)."""
    own = {n for n in node.inputs if n.what not in ("chunk", "split", "unbind")}  # whose parts are different numbers
    return any(u.kind == "product" and own & set(u.inputs) for u in node.users)


def _place_speaks_against(activation: Activation) -> str:
    nodes = activation.nodes
    if activation.scalar is None:
        return "not a function of one number"
    if not all(reaches(n, "inputs", "layer") for n in nodes):
        return "no layer before it"
    if not all(reaches(n, "users", "layer") for n in nodes):
        return "it makes the output"
    gates = [n for n in nodes if _multiplied(n)]
    stays = len(gates) < len(nodes) or activation.depth < DEEP or not all(map(_carries, gates))
    return "a gate" if gates and stays else ""


def _multiplied(node: Node) -> bool:
    return any(u.kind == "product" for u in near(node, "users"))


def _around(gate: Node) -> list[Node]:
    """The layers before a gate, and those that take its product."""
    return [*near(gate, "inputs"), *(n for p in near(gate, "users") for n in near(p, "users"))]


def _carries(gate: Node) -> bool:
    """Whether all that goes on is the product of the gate and other units of layers, as in W (f(U x) * V x)."""
    products = near(gate, "users")
    factors = [n for p in products for n in near(p, "inputs") if n is not gate]
    after = [n for p in products for n in near(p, "users")]
    return (
        len(gate.users) == len(products) == 1
        and bool(factors and after)
        and all(n.kind == "layer" for n in (*factors, *after))
        and not _is_spelt_out(gate)
    )


def _shaped(scalar: Scalar, depth: int, width: int) -> tuple[Shape | None, float, str]:
    """The shape, the gain that the next layer must have, and why there is no shape."""
    gain = natural_gain(scalar, depth)
    if gain is not None:
        return None, gain, "it carries this depth as it is"
    found = shape(scalar, depth, width)
    return found, 1.0 if found else _gain_of(scalar), "" if found else "no scale makes it linear enough"


def _shaped_gate(scalar: Scalar, depth: int, width: int) -> tuple[Shape | None, float, str]:
    """The same for a gate: r + e g, with the shaped g of mean 0 and variance 1, and r^2 + e^2 = 1.

    The product with V x then keeps the length. Where two inputs have the correlation c it has c (r^2 + e^2 C(c)), C the map
    of g, so that a layer stretches by 1 + e^2 C'(1): together by STRETCH at most. By chance the square of a product's length
    has the relative variance 4 e^2 E v^4 / N = 12 e^2 / N in each layer: together NOISE at most, because a length that has
    grown opens the gates further.
    """
    found = shape(scalar, depth, width, stretch=GATE_STRETCH)
    if found is None:
        return None, _gain_of(scalar), "a gate"
    part = math.sqrt(min((STRETCH ** (1 / depth) - 1) / found.c_slope, NOISE * width / (12 * depth)))
    gamma = found.gamma * part
    return replace(found, gamma=gamma, delta=found.delta + math.sqrt(1 - part**2) / gamma), 1.0, ""


def _gain_of(scalar: Scalar) -> float:
    """1 / sqrt(E f^2); 1 where that is no number."""
    square = gaussian_mean(lambda x: scalar.value(x) ** 2, kinks=scalar.kinks).value
    return 1 / math.sqrt(square) if math.isfinite(square) and square > 0 else 1.0


def _gain(node: Node, plan: Plan) -> float:
    """1 / sqrt of the second moment of what a layer gets."""
    gains = {n: a.gain for a in plan.activations if a.shape is None for n in a.nodes}
    sources = near(node, "inputs")
    sources += [s for n in sources if n.kind == "product" for s in near(n, "inputs")]
    return max((gains[s] for s in sources if s in gains), default=1.0)


def _scale(plan: Plan, nodes: list[Node], step: float) -> None:
    """Larger weights in front of shaped activations, undone inside them."""
    shaped = {n: a for a in plan.activations if a.shape is not None for n in a.nodes}
    for group in groups(nodes, shaped, step):
        modules = [n.module for n in group.layers if n.module is not None]
        plan.before_shaped += dict.fromkeys(modules)
        plan.scales |= {m: group.scale for m in modules if group.scale > 1}
        for node in group.activations:
            shaped[node].scale = group.scale
    for gate in filter(_multiplied, shaped):
        around = (*near(gate, "inputs"), *(n for p in near(gate, "users") for n in near(p, "inputs")))
        plan.before_shaped += dict.fromkeys(n.module for n in around if n.kind == "layer" and n.module is not None)
