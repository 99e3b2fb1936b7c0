"""Residual branches of a walked network, and how they start: small, so that the sum is hardly more than its skip.

J    joins (sums of a skip and a branch) in the network          m    layers of a branch
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd

from whet.init.walk import Node


@dataclass(frozen=True)
class Branch:
    """What a join adds to its skip."""

    join: Node
    tail: Node
    """The last thing with a weight: a layer or a norm."""
    layers: tuple[Node, ...]
    has_norm: bool


def branches(nodes: list[Node]) -> list[Branch]:
    """The branch of every join that has one: the side with more layers since the two sides parted."""
    above: dict[Node, int] = {}
    for node in nodes:
        above[node] = 1 << node.index
        for source in node.inputs:
            above[node] |= above[source]
    found = [_branch(node, above, nodes) for node in nodes if node.kind == "join"]
    return [b for b in found if b is not None]


def _branch(join: Node, above: dict[Node, int], nodes: list[Node]) -> Branch | None:
    if len(join.inputs) != 2:
        return None
    sides = []
    for here, other in (join.inputs, join.inputs[::-1]):
        own = above[here] & ~above[other]
        sides.append([n for n in nodes if own >> n.index & 1])
    if not above[join.inputs[0]] & above[join.inputs[1]]:
        return None
    longer, shorter = sorted(sides, key=lambda side: sum(n.kind == "layer" for n in side), reverse=True)
    layers = tuple(n for n in longer if n.kind == "layer")
    weighted = [n for n in longer if n.kind in ("layer", "norm") and getattr(n.module, "weight", None) is not None]
    attention = [n for n in layers if isinstance(n.module, nn.MultiheadAttention)]
    if not layers or len(layers) == sum(n.kind == "layer" for n in shorter):
        return None
    return Branch(
        join, max((*weighted, *attention), key=lambda n: n.index), layers, any(n.kind == "norm" for n in longer)
    )


def starts(nodes: list[Node]) -> dict[nn.Module, tuple[float, str]]:
    """Module -> the factor on its weight, and why.

    A norm at the end of a branch starts at 0 (Goyal et al. 2017, arXiv:1706.02677, section 5.1). A layer at the end of a
    branch that has a norm is divided by sqrt(J), so that J of them add the skip's variance once (Radford et al. 2019,
    GPT-2, section 2.3). In a branch without a norm the last layer starts at 0 and the other m - 1 are multiplied by
    J^(-1 / (2m - 2)) (Zhang et al. 2019, Fixup, arXiv:1901.09321, section 3, rules 1 and 2).
    """
    found = branches(nodes)
    factors: dict[nn.Module, tuple[float, str]] = {}
    for branch in found:
        for module, start in _starts(branch, len(found)).items():
            factors.setdefault(module, start)
    return factors


def _starts(branch: Branch, joins: int) -> dict[nn.Module, tuple[float, str]]:
    tail = branch.tail.module
    assert tail is not None
    tail = tail.out_proj if isinstance(tail, nn.MultiheadAttention) else tail
    if branch.tail.kind == "norm":
        return {tail: (0.0, "its branch starts at 0")}
    if branch.has_norm:
        return {tail: (joins**-0.5, f"one of {joins} branches")}
    others = [n.module for n in branch.layers if n.module is not tail and isinstance(n.module, nn.Linear | _ConvNd)]
    damp = joins ** (-0.5 / len(others)) if others else 1.0
    damped: dict[nn.Module, tuple[float, str]] = {
        m: (damp, f"one of {joins} branches") for m in others if m is not None
    }
    return {**damped, tail: (0.0, "its branch starts at 0")}
