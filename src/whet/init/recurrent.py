"""Weights of recurrent layers: orthogonal from step to step, so that a state neither dies nor grows; forget gates open."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from whet.init.draw import redraw, zero
from whet.init.isometry import orthogonal_matrix

FORGET = 1.0
"""Bias of an LSTM's forget gate (Gers et al. 2000; Jozefowicz et al. 2015, section 3)."""


def draw_recurrent(layer: nn.RNNBase | nn.RNNCellBase, generator: Generator) -> None:
    """Each gate's matrix orthogonal (Saxe et al. 2014, arXiv:1312.6120), biases 0, a forget gate's 1 in all."""
    gates = {"LSTM": 4, "GRU": 3}.get(type(layer).__name__.removesuffix("Cell"), 1)
    for name, param in layer.named_parameters(recurse=False):
        if name.startswith("weight"):
            redraw(param, lambda w, g: w.copy_(_stacked(w, gates, g)), generator)
        else:
            redraw(param, _open_gate if gates == 4 and name.startswith("bias_ih") else zero, generator)


def _stacked(weight: Tensor, gates: int, g: Generator) -> Tensor:
    if weight.shape[0] % gates:
        return orthogonal_matrix(weight.shape[0], weight[0].numel(), g).view(weight.shape)
    rows = weight.shape[0] // gates
    return torch.cat([orthogonal_matrix(rows, weight.shape[1], g) for _ in range(gates)])


def _open_gate(bias: Tensor, g: Generator) -> None:
    bias.view(4, -1)[1] = FORGET  # torch's order: input, forget, cell, output
