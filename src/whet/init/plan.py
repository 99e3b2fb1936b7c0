"""What the rule decides from a walk: how each activation is shaped, how each layer is scaled, which branches start at 0.

run        the stretch of a network between norms, joins and the ends: what a signal must survive without help
L          activations along the longest way through a run
c          scale of the weights in front of a shaped activation, undone inside it
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from whet.activations.scalar import Scalar, as_scalar
from whet.errors import WhetError
from whet.init.branches import starts
from whet.init.isometry import block_of
from whet.init.walk import Node, without_hooks
from whet.quadrature import gaussian_mean
from whet.surgery.vocabulary import words
from whet.theory.family import Shape
from whet.theory.shaping import natural_gain, shape

STILL = words(
    "flatten reshape view permute transpose contiguous squeeze unsqueeze dropout dropout1d dropout2d dropout3d detach to "
    "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d max_pool1d max_pool2d "
    "max_pool3d adaptive_max_pool1d adaptive_max_pool2d mean amax cat stack chunk split __getitem__ clone movedim float "
    "boolean_dispatch"
)
"""Functions that a positive factor passes through."""
FACTORS = words("mul __mul__ __rmul__ __imul__ div __div__ __truediv__ __itruediv__")
CALLED = "it should be shaped, but is called as a function that could not be replaced"
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


class Runs:
    """Sums along the longest way through each node's run, of something that its nodes count."""

    def __init__(self, nodes: list[Node], count: dict[Node, float]) -> None:
        self.count = count
        self.up: dict[Node, float] = {}
        self.down: dict[Node, float] = {}
        for node in nodes:
            before = [self.up[n] for n in node.inputs]
            start = 0.0 if _ends_run(node) or not before else min(before) if node.kind == "join" else max(before)
            self.up[node] = start + count.get(node, 0)
        for node in reversed(nodes):
            after = [0.0 if _ends_run(n) or n.kind == "join" else self.down[n] + count.get(n, 0) for n in node.users]
            self.down[node] = max(after, default=0.0)

    def through(self, node: Node) -> float:
        """Along the longest way, this node included."""
        return self.up[node] + self.down[node]


def _ends_run(node: Node) -> bool:
    return node.kind == "norm" or isinstance(node.module, nn.RNNBase | nn.RNNCellBase | nn.MultiheadAttention)


def fan_in(node: Node) -> int:
    """How many inputs reach one output of a fresh layer; a convolution's kernel starts with a block of its taps."""
    if isinstance(node.module, _ConvNd):
        return node.module.in_channels // node.module.groups * math.prod(block_of(node.module))
    return node.module.in_features if isinstance(node.module, nn.Linear) else 0


def make(nodes: list[Node], step: float) -> Plan:
    """The plan for these nodes; `step` is how far an optimiser moves one weight in one step."""
    plan = Plan(_activations(nodes))
    bending = {n: 1.0 for a in plan.activations for n in a.nodes if _reaches(n, "users", "layer")}
    depths = Runs(nodes, bending)
    known: dict[Hashable, tuple[Shape | None, float, str]] = {}
    for activation in plan.activations:
        activation.depth = max(1, round(max(depths.through(n) for n in activation.nodes)))
        activation.width = min((w for n in activation.nodes for w in _widths(n)), default=1)
        _decide(activation, known)
    _scale(plan, nodes, step)
    plan.starts = starts(nodes)
    for node in nodes:
        if node.kind == "layer" and node.module is not None:
            plan.gains.setdefault(node.module, _gain(node, plan))
            if is_head(node) and not plan.scales:
                plan.starts.setdefault(node.module, (fan_in(node) ** -0.5, "the output starts small"))
    return plan


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
    key = (tuple(activation.scalar.value(PROBES).tolist()), activation.depth, activation.width)
    if key not in known:
        known[key] = _shaped(activation.scalar, activation.depth, activation.width)
    activation.shape, activation.gain, activation.left = known[key]
    if activation.shape is not None and activation.nodes[0].module is None:
        activation.shape, activation.left = None, CALLED


def _is_spelt_out(node: Node) -> bool:
    """Whether its result is multiplied by what it was computed from, as in x * sigmoid(x)."""
    return any(u.kind == "product" and set(node.inputs) & set(u.inputs) for u in node.users)


def _place_speaks_against(activation: Activation) -> str:
    nodes = activation.nodes
    if activation.scalar is None:
        return "not a function of one number"
    if not all(_reaches(n, "inputs", "layer") for n in nodes):
        return "no layer before it"
    if not all(_reaches(n, "users", "layer") for n in nodes):
        return "it makes the output"
    gates = any(u.kind == "product" for n in nodes for u in near(n, "users"))
    return "a gate" if gates else ""


def _shaped(scalar: Scalar, depth: int, width: int) -> tuple[Shape | None, float, str]:
    """The shape, the gain that the next layer must have, and why there is no shape."""
    gain = natural_gain(scalar, depth)
    if gain is not None:
        return None, gain, "it carries this depth as it is"
    found = shape(scalar, depth, width)
    return found, 1.0 if found else _gain_of(scalar), "" if found else "no scale makes it linear enough"


def _gain_of(scalar: Scalar) -> float:
    """1 / sqrt(E f^2); 1 where that is no number."""
    square = gaussian_mean(lambda x: scalar.value(x) ** 2, kinks=scalar.kinks).value
    return 1 / math.sqrt(square) if math.isfinite(square) and square > 0 else 1.0


def is_head(node: Node) -> bool:
    """Whether a layer makes the model's output as it is: no layer, join or norm comes after it, nor a factor."""
    after = _all(node, "users")
    return fan_in(node) > 0 and all(n.kind in ("other", "activation") and n.what not in FACTORS for n in after)


def _reaches(node: Node, direction: str, kind: str) -> bool:
    return any(n.kind == kind for n in _all(node, direction))


def _all(node: Node, direction: str) -> Iterator[Node]:
    """Every node in a direction, the nearest first: "inputs" or "users"."""
    seen, todo = set[Node](), deque(getattr(node, direction))
    while todo:
        n = todo.popleft()
        if n not in seen:
            seen.add(n)
            yield n
            todo.extend(getattr(n, direction))


def near(node: Node, direction: str) -> list[Node]:
    """The next nodes in a direction that do more than hand on: "inputs" or "users"."""
    found, todo, seen = [], list(getattr(node, direction)), set()
    while todo:
        n = todo.pop()
        if n in seen:
            continue
        seen.add(n)
        if is_still(n):
            todo += getattr(n, direction)
        else:
            found.append(n)
    return found


def is_still(node: Node) -> bool:
    """Whether a positive factor passes through."""
    return node.kind == "other" and (node.module is not None or node.what in STILL)


def _widths(node: Node) -> list[int]:
    return [n.units for n in near(node, "inputs") if n.kind == "layer"]


def _gain(node: Node, plan: Plan) -> float:
    """1 / sqrt of the second moment of what a layer gets."""
    gains = {n: a.gain for a in plan.activations if a.shape is None for n in a.nodes}
    sources = near(node, "inputs")
    sources += [s for n in sources if n.kind == "product" for s in near(n, "inputs")]
    return max((gains[s] for s in sources if s in gains), default=1.0)


# -- the size of a step --------------------------------------------------------------------------------------------------


def _scale(plan: Plan, nodes: list[Node], step: float) -> None:
    """c: larger weights, undone inside the activation, so that one step changes the network by about its own size.

    Adam moves every weight by about `step`. Over N inputs that agree this adds up to step N, and over L layers to
    step N L, against weights that change lengths by 1. Where that exceeds 1, weights c = step N L times larger make it 1.
    """
    shaped = {n: a for a in plan.activations if a.shape is not None for n in a.nodes}
    groups = _groups(nodes, shaped)
    ways = Runs(nodes, {n: float(fan_in(n)) for layers, _ in groups for n in layers})
    for layers, activations in groups:
        c = max(1.0, step * max(ways.through(n) for n in layers))
        plan.before_shaped += dict.fromkeys(n.module for n in layers if n.module is not None)
        plan.scales |= {n.module: c for n in layers if n.module is not None and c > 1}
        for node in activations:
            shaped[node].scale = c


def _groups(nodes: list[Node], shaped: dict[Node, Activation]) -> list[tuple[list[Node], list[Node]]]:
    """Layers and shaped activations that feed each other and nothing else, so that they can share a scale."""
    todo = {n for n in nodes if n.kind == "layer" and isinstance(n.module, nn.Linear | _ConvNd)}
    uses: dict[nn.Module, list[Node]] = {}
    for node in nodes:
        if node.module is not None:
            uses.setdefault(node.module, []).append(node)
    groups = []
    while todo:
        layers, activations, sound, queue = set[Node](), set[Node](), True, [next(iter(sorted(todo, key=_index)))]
        while queue:
            node = queue.pop()
            if node in layers or node in activations:
                continue
            is_layer = node in todo
            (layers if is_layer else activations).add(node)
            around = near(node, "users" if is_layer else "inputs")
            sound &= bool(around) and all(n in (shaped if is_layer else todo) for n in around)
            queue += [n for n in (*around, *uses.get(node.module, ())) if n in shaped or n in todo]  # type: ignore[arg-type]
        todo -= layers
        if sound and activations:
            groups.append((sorted(layers, key=_index), sorted(activations, key=_index)))
    return groups


def _index(node: Node) -> int:
    return node.index
