"""A convolutional network on the waveform itself: the first layer learns its own filters (Dai et al. 2017, "M5")."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from whet.families.audio_common import refuse_steps
from whet.families.spec import InputSpec

FIRST = 0.01
"""Seconds that a filter of the first layer sees: one period of 100 Hz."""
STRIDE = 4


class AudioWave(nn.Module):
    """(B, 1, L) -> long filters with a stride -> stages of conv, norm, activation, pool by 4 -> mean -> linear."""

    def __init__(self, spec: InputSpec, widths: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        size = 2 * round(FIRST * spec.more["rate"] / 2) + 1
        first = nn.Conv1d(1, widths[0], size, stride=STRIDE, padding=size // 2, bias=False)
        stages = [nn.Sequential(first, spec.norm(widths[0]), spec.activation(), nn.MaxPool1d(4))]
        for cin, cout in pairwise(widths):
            conv = nn.Conv1d(cin, cout, 3, padding=1, bias=False)
            stages.append(nn.Sequential(conv, spec.norm(cout), spec.activation(), nn.MaxPool1d(4, ceil_mode=True)))
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], spec.outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.dropout(self.stages(x).mean(2)))
        return out  # (B, outputs)


def make(spec: InputSpec, widths: tuple[int, ...] = (64, 64, 128, 256), dropout: float = 0.2) -> nn.Module:
    """`widths`: channels of each stage."""
    refuse_steps(spec, "audio_wave")
    return AudioWave(spec, tuple(widths), dropout)
