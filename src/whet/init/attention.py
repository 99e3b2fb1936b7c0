"""Where a network attends, whoever wrote it: torch's own layer, or linear layers around a product with a softmax.

queries, keys ---> softmax --+
values ----------------------+--> product ---> output        a linear layer for each, or one for all three
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from whet.init.draw import layers, parameter_of
from whet.init.walk import Node
from whet.surgery import vocabulary

ATTENDS = vocabulary.plain_name(F.scaled_dot_product_attention)
FUSED = 3
"""Matrices in a layer that makes queries, keys and values, in this order."""
FEED_FORWARD = 2
"""Layers behind an attention's output, in a block."""
MOST = 2
"""Attentions of a block: a decoder's has one of its own and one to what it reads."""


@dataclass(frozen=True, eq=False)
class Attention:
    """One place where it attends."""

    owner: str
    """The path of the module in whose forward that is."""
    asking: frozenset[nn.Module]
    """The linear layers with its queries and keys."""
    values: tuple[Tensor, ...]
    """The weights that make values, or the part of a weight that does."""
    fused: tuple[Tensor, ...]
    """The weight that makes queries, keys and values at once."""


def attentions(model: nn.Module, nodes: Sequence[Node]) -> list[Attention]:
    """Torch's own layers, and what a run of the model showed of others."""
    own = [(path, m) for path, m in model.named_modules() if isinstance(m, nn.MultiheadAttention)]
    return [*(of_torch(path.rpartition(".")[0], m) for path, m in own), *handwritten(nodes)]


def of_torch(owner: str, layer: nn.MultiheadAttention) -> Attention:
    packed = layer.in_proj_weight
    values = layer.v_proj_weight if packed is None else packed[2 * layer.embed_dim :]
    fused = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight) if packed is None else (packed,)
    return Attention(owner, frozenset(), (values,), fused)


def handwritten(nodes: Sequence[Node]) -> Iterator[Attention]:
    """Products with a softmax, and torch's function for the same, whose values come from linear layers."""
    for node in nodes:
        asked, given = (set[Node]().union(*map(before, some)) for some in parts_of(node))
        if given and all(is_of(node, n) for n in given):  # those of a pooling are made elsewhere
            yield from of_layers(node.owner, modules_of(asked), modules_of(given))


def of_layers(owner: str, asked: set[nn.Module], given: set[nn.Module]) -> Iterator[Attention]:
    """Of linear layers with queries and keys, and with values; nothing where none is linear."""
    weights = tuple(w for m in given if (w := parameter_of(m)) is not None)
    fused = given <= asked and len(weights) == 1 and len(weights[0]) % FUSED == 0
    values = (weights[0].split(len(weights[0]) // FUSED)[-1],) if fused else weights
    if weights:
        yield Attention(owner, frozenset(asked if fused else asked - given), values, weights if fused else ())


def is_of(node: Node, layer: Node) -> bool:
    """Whether a layer belongs to the module in whose forward a node is computed."""
    return not node.owner or layer.what.startswith(f"{node.owner}.")


def modules_of(nodes: set[Node]) -> set[nn.Module]:
    return {n.module for n in nodes if isinstance(n.module, nn.Linear)}


def parts_of(node: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """(where queries and keys come from, where values do) of a place that attends; nothing of another."""
    if node.what == ATTENDS and node.module is None:
        return node.inputs[:2], node.inputs[2:3] or node.inputs[:1]
    if node.kind == "product" and len(node.inputs) == 2 and is_softmax(node.inputs[0]):
        return node.inputs[:1], node.inputs[1:]
    return (), ()


def is_softmax(node: Node) -> bool:
    """Whether it is one, or one that dropout or a change of shape handed on."""
    if "softmax" in node.what.lower():
        return True
    return node.kind == "other" and len(node.inputs) == 1 and is_softmax(node.inputs[0])


def before(node: Node) -> set[Node]:
    """The nearest layers that a node's numbers come from."""
    found, todo, seen = set[Node](), [node], set[Node]()
    while todo:
        n = todo.pop()
        if n.kind == "layer":
            found.add(n)
        elif n not in seen:
            todo += n.inputs
        seen.add(n)
    return found


def blocks(model: nn.Module, found: Sequence[Attention]) -> list[tuple[nn.Module, list[Attention]]]:
    """Each block with its attentions: the nearest module around one that has feed-forward layers too."""
    table: dict[str, list[Attention]] = {}
    for one in found:
        table.setdefault(block_of(model, one, found), []).append(one)
    return [(model.get_submodule(path), own) for path, own in table.items()]


def block_of(model: nn.Module, one: Attention, found: Sequence[Attention]) -> str:
    """The path of the block; the owner's where none short of the whole model has feed-forward layers of its own."""
    path = one.owner
    while path:
        inside = [a for a in found if f"{a.owner}.".startswith(f"{path}.")]
        if len(inside) > MOST:
            break
        asking = frozenset[nn.Module]().union(*(a.asking for a in inside))
        if sum(m not in asking for m in layers(model.get_submodule(path))) >= len(inside) + FEED_FORWARD:
            return path
        path = path.rpartition(".")[0]
    return one.owner
