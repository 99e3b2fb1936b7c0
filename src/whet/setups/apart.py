"""Layers that stand in several places of a network, each place with weights of its own."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class OwnWeights:
    """Weights of its own for each place of a layer that stands in several; parameters that layers share stay shared."""

    def __call__(self, model: nn.Module) -> nn.Module:
        separate(model, {model})
        return model

    def code(self) -> list[str]:
        return ["model = whet.setups.apart.OwnWeights()(model)  # each place of a repeated layer its own"]


def separate(module: nn.Module, seen: set[nn.Module]) -> None:
    """Another layer in the place of each part that was seen before."""
    for name, part in list(module._modules.items()):
        if part is None:
            continue
        if part in seen and any(True for _ in part.parameters()):
            part = another(part)
            setattr(module, name, part)
        seen.add(part)
        separate(part, seen)


def another(layer: nn.Module) -> nn.Module:
    """A layer like this one, however its weights were drawn: each matrix has the same rows in another order."""
    made = copy.deepcopy(layer)
    with torch.no_grad():
        for p in made.parameters():
            if p.dim() > 1:
                p.copy_(p[torch.randperm(len(p), device=p.device)])
    return made
