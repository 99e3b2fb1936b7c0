"""Residual branches of a walked network, and how they start: small, so that the sum is hardly more than its skip.

J    joins (sums of a skip and a branch) in the network          m    layers of a branch
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from whet.init.walk import Node


@dataclass(frozen=True)
class Branch:
    """What a join adds to its skip."""

    join: Node
    tail: Node
    """The last thing with a weight: a layer or a norm."""
    layers: tuple[Node, ...]


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
    return Branch(join, max((*weighted, *attention), key=lambda n: n.index), layers)


def starts(nodes: list[Node]) -> dict[nn.Module, tuple[float, str]]:
    """Module -> the factor on its weight, and why.

    A norm at the end of a branch starts at 0 (Goyal et al. 2017, arXiv:1706.02677, section 5.1). A layer at the end of a
    branch is divided by sqrt(J), so that J of them together add the skip's variance once (Radford et al. 2019, GPT-2,
    section 2.3). A join whose sum a norm takes up needs neither.
    """
    found = [b for b in branches(nodes) if not _is_normed(b.join)]
    factors: dict[nn.Module, tuple[float, str]] = {}
    for branch in found:
        if branch.tail.kind == "norm":
            factors.setdefault(tail_of(branch), (0.0, "its branch starts at 0"))
        else:
            factors.setdefault(tail_of(branch), (len(found) ** -0.5, f"one of {len(found)} branches"))
    return factors


def _is_normed(join: Node) -> bool:
    return bool(join.users) and all(user.kind == "norm" for user in join.users)


def tail_of(branch: Branch) -> nn.Module:
    """The last module of a branch with a weight of its own."""
    tail = branch.tail.module
    assert tail is not None
    return tail.out_proj if isinstance(tail, nn.MultiheadAttention) else tail
