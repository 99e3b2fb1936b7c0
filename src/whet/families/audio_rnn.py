"""Recurrent networks on spectrograms: each frame is a step, read forwards and backwards, pooled by attention."""

from __future__ import annotations

from torch import Tensor, nn

from whet.families.audio_common import Head, Recurrent
from whet.families.recurrent import with_functions
from whet.families.spec import InputSpec


class AudioRnn(nn.Module):
    """(B, 1, M, T) -> T steps of M numbers -> recurrent layers -> head."""

    def __init__(self, spec: InputSpec, cell: str, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        channels, bands, _ = spec.shape
        self.recurrent = Recurrent(cell, channels * bands, width, depth, dropout)
        self.head = Head(spec, 2 * width, dropout)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        steps = x.flatten(1, 2).transpose(1, 2)  # (B, T, M)
        out: Tensor = self.head(self.recurrent(steps, lengths), lengths)
        return out


def make(
    spec: InputSpec,
    cell: str = "gru",
    width: int = 128,
    depth: int = 2,
    dropout: float = 0.2,
    inner: str = "tanh",
    gate: str = "sigmoid",
) -> nn.Module:
    """`cell`: "gru" (Cho et al. 2014) or "lstm" (Hochreiter & Schmidhuber 1997); `width` each way.

    `inner` and `gate`: the functions of its cells.
    """
    return with_functions(AudioRnn(spec, cell, width, depth, dropout), inner, gate)
