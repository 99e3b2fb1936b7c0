"""Recurrent networks over the tokens of a text: read both ways and pooled by attention, or a label for each token, or,
forwards alone, what comes next.

The way back reads every text from its own end, so what lies behind the end of a shorter text is never seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from whet.errors import UnknownName
from whet.families.recurrent import CELLS, with_functions
from whet.families.tabular import Dropout
from whet.families.text_common import Attention, Tokens, check_sizes, written
from whet.families.text_next import Next

if TYPE_CHECKING:
    from whet.families import InputSpec


class Layer(nn.Module):
    """One recurrent layer, forwards or both ways: (B, T, D) -> (B, T, H) or (B, T, 2 H)."""

    def __init__(self, cell: str, inputs: int, width: int, both: bool) -> None:
        super().__init__()
        self.forwards = CELLS[cell](inputs, width, batch_first=True)
        self.backwards = CELLS[cell](inputs, width, batch_first=True) if both else None

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        on: Tensor = self.forwards(x)[0]
        if self.backwards is None:
            return on
        back = turned(self.backwards(turned(x, there))[0], there)
        return torch.cat([on, back], 2)


def turned(x: Tensor, there: Tensor) -> Tensor:
    """Each text of (B, T, D) from its end to its beginning; what lies behind the end stays where it is."""
    time = torch.arange(x.shape[1], device=x.device)
    lengths = there.sum(1, keepdim=True)
    place = torch.where(time < lengths, lengths - 1 - time, time)  # (B, T)
    return x.gather(1, place[..., None].expand(-1, -1, x.shape[2]))


class TextRnn(nn.Module):
    """tokens (B, T) -> (B, outputs), or (B, T, outputs) where tokens are labelled."""

    def __init__(self, spec: InputSpec, cell: str, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        ahead = spec.goal == "language-model"
        across = width if ahead else 2 * width
        self.tokens, self.dropout = Tokens(spec, width), Dropout(dropout)
        self.layers = nn.ModuleList(Layer(cell, across if i else width, width, not ahead) for i in range(depth))
        self.pool = Attention(across) if spec.goal not in ("tag", "language-model") else None
        self.head: nn.Module = Next(spec, across) if ahead else nn.Linear(across, spec.outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        there = written(tokens)
        steps = self.dropout(self.tokens(tokens))
        for layer in self.layers:
            steps = self.dropout(layer(steps, there))
        out: Tensor
        if isinstance(self.head, Next):
            out = self.head(steps, tokens)
        else:
            out = self.head(steps if self.pool is None else self.pool(steps, there))
        return out


def make(
    spec: InputSpec,
    cell: str = "gru",
    width: int = 128,
    depth: int = 1,
    dropout: float = 0.3,
    inner: str = "tanh",
    gate: str = "sigmoid",
) -> nn.Module:
    """`cell`: "gru" (Cho et al. 2014) or "lstm" (Hochreiter & Schmidhuber 1997); `width` each way.

    `inner` and `gate`: the functions of its cells.
    """
    check_sizes("text_rnn", width=width, depth=depth, dropout=dropout)
    if cell not in CELLS:
        raise UnknownName("recurrent cell", cell, CELLS)
    return with_functions(TextRnn(spec, cell, width, depth, dropout), inner, gate)
