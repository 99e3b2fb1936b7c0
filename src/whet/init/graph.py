"""Questions to the graph of a walked network: what lies before and behind a node, and how long its run is.

run        the stretch of a network between norms, joins and the ends: what a signal must survive without help
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from torch import nn
from torch.nn.modules.conv import _ConvNd

from whet.init.isometry import block_of
from whet.init.packed import Packed
from whet.init.walk import Node
from whet.surgery.vocabulary import words

STILL = words(
    "flatten reshape view permute transpose contiguous squeeze unsqueeze dropout dropout1d dropout2d dropout3d detach to "
    "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d max_pool1d max_pool2d "
    "max_pool3d adaptive_max_pool1d adaptive_max_pool2d mean amax cat stack chunk split __getitem__ clone movedim float "
    "boolean_dispatch"
)
"""Functions that a positive factor passes through."""
FACTORS = words("mul __mul__ __rmul__ __imul__ div __div__ __truediv__ __itruediv__")


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
    return node.module.in_features if isinstance(node.module, nn.Linear | Packed) else 0


def is_head(node: Node) -> bool:
    """Whether a layer makes the model's output as it is: no layer, join or norm comes after it, nor a factor."""
    after = _all(node, "users")
    return fan_in(node) > 0 and all(n.kind in ("other", "activation") and n.what not in FACTORS for n in after)


def reaches(node: Node, direction: str, kind: str) -> bool:
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


def widths(node: Node) -> list[int]:
    return [n.units for n in near(node, "inputs") if n.kind == "layer"]
