"""What the networks for sound share: sequences of known length, recurrent layers both ways, pooling by attention.

    x         (B, T, F)      a sequence of T steps
    lengths   (B,)           how many of them are sound; None: all

A network pools its sequence and gives (B, outputs); where each step is to be labelled, it gives (B, T', outputs). For a
transcription the steps after the sound are certain to be blank, which is unit 0: the loss is then the same as if it
knew the lengths, because a certain blank adds a factor of 1 to every path (Graves et al. 2006, eq. 3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.recurrent import CELLS
from whet.families.spec import InputSpec

CERTAIN = 40.0
"""Logit of the blank after the sound's end; the others have 0: what they are worth together, e^-40, is nothing."""


def labels_steps(spec: InputSpec) -> bool:
    """Whether every step gets an answer, rather than the whole."""
    return spec.goal in ("transcribe", "label-steps")


def refuse_steps(spec: InputSpec, name: str) -> None:
    """Raises RecipeError for a network that only says something of the whole."""
    if labels_steps(spec):
        raise RecipeError(
            f"{name} says one thing of a whole recording, and the goal is to {spec.goal}.",
            "Choose audio_rnn, audio_crnn or audio_transformer.",
        )


def inside(lengths: Tensor, steps: int) -> Tensor:
    """(B, T) bool: which steps are sound."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def backwards(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, T, F) with the sound's steps in reverse order, and those after it where they were."""
    if lengths is None:
        return x.flip(1)
    at = torch.arange(x.shape[1], device=x.device)
    source = torch.where(at < lengths[:, None], lengths[:, None] - 1 - at, at)
    return x.gather(1, source[:, :, None].expand(-1, -1, x.shape[2]))


class Recurrent(nn.Module):
    """`depth` recurrent layers, each forwards and backwards: (B, T, F) -> (B, T, 2 width).

    No step after the sound's end reaches one before it.
    """

    def __init__(self, cell: str, features: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        if cell not in CELLS:
            raise RecipeError(f"There is no recurrent cell named {cell!r}.", f"Use {' or '.join(CELLS)}.")
        if depth < 1:
            raise RecipeError(f"depth={depth} leaves no recurrent layer.", "Use 1 or more.")
        sizes = [features, *[2 * width] * (depth - 1)]
        self.ahead = nn.ModuleList(CELLS[cell](size, width, batch_first=True) for size in sizes)
        self.back = nn.ModuleList(CELLS[cell](size, width, batch_first=True) for size in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        for i, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            x = self.dropout(x) if i else x
            x = torch.cat([ahead(x)[0], backwards(back(backwards(x, lengths))[0], lengths)], 2)
        return x


class AttentionPool(nn.Module):
    """sum_t a_t x_t with a = softmax(v . tanh(W x_t)) (Bahdanau et al. 2015; of one sequence: Yang et al. 2016)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(features, features), nn.Tanh(), nn.Linear(features, 1))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:  # (B, T, F) -> (B, F)
        score = self.score(x).float()  # (B, T, 1)
        if lengths is not None:
            score = score.masked_fill(~inside(lengths, x.shape[1])[:, :, None], -torch.inf)
        return (score.softmax(1) * x).sum(1)


class Head(nn.Module):
    """The end of a sequence network: one answer for the whole, or one for each step."""

    def __init__(self, spec: InputSpec, features: int, dropout: float) -> None:
        super().__init__()
        self.pool = None if labels_steps(spec) else AttentionPool(features)
        self.blank = spec.goal == "transcribe"
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(features, spec.outputs)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if self.pool is not None:
            return self.linear(self.dropout(self.pool(x, lengths)))
        said: Tensor = self.linear(self.dropout(x)).float()  # (B, T, outputs)
        return end_in_blanks(said, lengths) if self.blank and lengths is not None else said


def end_in_blanks(said: Tensor, lengths: Tensor) -> Tensor:
    """Logits (B, T, outputs) that are certain of unit 0 after the sound's end."""
    certain = torch.zeros(said.shape[2], device=said.device)
    certain[0] = CERTAIN
    return torch.where(inside(lengths, said.shape[1])[:, :, None], said, certain)
