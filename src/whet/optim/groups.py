"""Which weights decay, which are matrices, and how fast each learns.

A parameter may carry: `no_decay = True` (weight decay leaves it alone), `lr_factor = 0.1` (its learning rate is that
much of the recipe's), `matrix = True | False` (Muon makes its step orthogonal, or not, whatever the rules below say)
and `stacked = True` (its first dimension counts members, each with a matrix of its own).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

Group = dict[str, Any]
NOT_WEIGHTS = ("Norm", "Embedding")
"""Modules with these words in the name of their class hold scales and tables rather than weights."""


def parameter_groups(model: nn.Module, weight_decay: float = 0.0, *, by_matrix: bool = False) -> list[Group]:
    """The trainable parameters, in groups of one weight decay and one learning-rate factor.

    Weights of two or more dimensions decay; biases, norms, embeddings and those flagged `no_decay` don't. With
    `by_matrix`, groups also say whether their weights are hidden matrices: such as would decay, outside the first and
    the last layer.
    """
    first_last = ends(model) if by_matrix else frozenset()
    groups: dict[tuple[Any, ...], Group] = {}
    for name, param, module in weights(model):
        if not param.requires_grad:
            continue
        decays = not is_no_decay(name, param, module)
        inside = decays and param.ndim >= 2 and id(param) not in first_last
        matrix = bool(by_matrix and getattr(param, "matrix", inside))
        stacked = bool(matrix and getattr(param, "stacked", False))
        factor = float(getattr(param, "lr_factor", 1.0))
        group: Group = {"params": [], "weight_decay": weight_decay if decays else 0.0, "lr_factor": factor}
        if by_matrix:
            group |= {"matrix": matrix, "stacked": stacked}
        groups.setdefault((decays, factor, matrix, stacked), group)["params"].append(param)
    return list(groups.values())


def is_no_decay(name: str, param: nn.Parameter, module: nn.Module) -> bool:
    """Whether weight decay leaves this parameter alone; `name` is its own name within its module."""
    holds_no_weights = any(word in type(module).__name__ for word in NOT_WEIGHTS)
    return getattr(param, "no_decay", False) or param.ndim < 2 or name.endswith("bias") or holds_no_weights


def weights(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, nn.Module]]:
    """(own name, parameter, module) of every parameter, each once, in the order in which they were registered."""
    seen: set[int] = set()
    for module in model.modules():
        for name, param in module.named_parameters(recurse=False):
            if id(param) not in seen:
                seen.add(id(param))
                yield name, param, module


def ends(model: nn.Module) -> frozenset[int]:
    """The ids of the first and the last weight, frozen ones counted: an input layer and a head are no hidden layers."""
    found = [id(p) for name, p, module in weights(model) if not is_no_decay(name, p, module)]
    return frozenset(found[:1] + found[-1:])
