"""Convolutions that make a spectrogram short and rich, then recurrent layers over what is left of its time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.audio_common import Head, Recurrent, inside
from whet.families.recurrent import with_functions
from whet.families.spec import InputSpec


class Short(nn.Module):
    """Stages of strided convolution, norm and activation: (B, 1, M, T) -> (B, T', F); what lies after the sound is 0.

    Every stage halves the mel bands; the first ones halve the time too, until `stride` frames are one step.
    """

    def __init__(self, spec: InputSpec, widths: tuple[int, ...], stride: int) -> None:
        super().__init__()
        halvings = stride.bit_length() - 1
        if stride != 1 << halvings or halvings > len(widths):
            raise RecipeError(
                f"stride={stride} can't be had from {len(widths)} stages.", f"Use 1, 2, … {1 << len(widths)}."
            )
        channels, bands, _ = spec.shape
        self.across = [2 if i < halvings else 1 for i in range(len(widths))]
        self.stages = nn.ModuleList()
        for cin, cout, across in zip((channels, *widths), widths, self.across, strict=False):
            conv = nn.Conv2d(cin, cout, 3, stride=(2, across), padding=1, bias=False)
            self.stages.append(nn.Sequential(conv, spec.norm(cout), spec.activation()))
            bands = -(-bands // 2)
        self.features = widths[-1] * bands

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        for stage, across in zip(self.stages, self.across, strict=True):
            x = stage(x)
            if lengths is not None:
                lengths = (lengths + across - 1) // across
                x = x * inside(lengths, x.shape[3])[:, None, None, :]
        return x.flatten(1, 2).transpose(1, 2), lengths


class AudioCrnn(nn.Module):
    """Convolutions -> one layer to `2 width` numbers -> recurrent layers -> head."""

    def __init__(
        self,
        spec: InputSpec,
        cell: str,
        widths: tuple[int, ...],
        stride: int,
        width: int,
        depth: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.short = Short(spec, widths, stride)
        self.narrow = nn.Linear(self.short.features, 2 * width)
        self.recurrent = Recurrent(cell, 2 * width, width, depth, dropout)
        self.head = Head(spec, 2 * width, dropout)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        steps, lengths = self.short(x, lengths)
        steps = torch.relu(self.narrow(steps))
        out: Tensor = self.head(self.recurrent(steps, lengths), lengths)
        return out


def make(
    spec: InputSpec,
    cell: str = "gru",
    widths: tuple[int, ...] = (32, 64, 64),
    stride: int = 4,
    width: int = 96,
    depth: int = 1,
    dropout: float = 0.2,
    inner: str = "tanh",
    gate: str = "sigmoid",
) -> nn.Module:
    """`widths`: channels of the convolutions; `stride`: frames that become one step; `width` of the cell, each way.

    `inner` and `gate`: the cell's functions.
    """
    if spec.goal == "label-steps" and stride != 1:
        raise RecipeError(f"stride={stride} leaves no answer for some steps.", "Use family.stride = 1.")
    network = AudioCrnn(spec, cell, tuple(widths), stride, width, depth, dropout)
    return with_functions(network, inner, gate)
