"""How large weights may be, so that one step of the optimiser changes a network by about its own size.

Adam moves every weight by about `step`. Over N inputs that agree this adds up to step N, and over L layers to
step N L, against weights that change lengths by 1. Where that exceeds 1, weights c = step N L times larger make it 1; the
shaped activation behind them undoes c.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from torch import nn

from whet.init.graph import Runs, fan_in, near
from whet.init.isometry import Layer
from whet.init.walk import Node


@dataclass(frozen=True)
class Group:
    """Layers and shaped activations that feed each other and nothing else, so that they can share a scale."""

    layers: tuple[Node, ...]
    activations: tuple[Node, ...]
    scale: float
    """c."""


def groups(nodes: list[Node], shaped: Collection[Node], step: float) -> Iterator[Group]:
    """The groups around the shaped activations, each with its scale."""
    found = _groups(nodes, shaped)
    ways = Runs(nodes, {n: float(fan_in(n)) for layers, _ in found for n in layers})
    for layers, activations in found:
        yield Group(tuple(layers), tuple(activations), max(1.0, step * max(ways.through(n) for n in layers)))


def _groups(nodes: list[Node], shaped: Collection[Node]) -> list[tuple[list[Node], list[Node]]]:
    todo = {n for n in nodes if n.kind == "layer" and isinstance(n.module, Layer)}
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
