"""Augmentation of windows of series: in training only, on look-back and horizon together.

past    (B, L, C)       target      (B, H C), step by step
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from whet.entry import Entry

LEAST_SPREAD = 0.05
"""Of a window, in standard units: calmer windows are not blown up further."""


@dataclass(frozen=True)
class Reshaping:
    """How windows are changed. Zero everywhere: not at all."""

    power: float = 0.0
    """Each channel's window is divided by its look-back's standard deviation to this power."""
    mask: float = 0.0
    """The share of the frequencies of look-back and horizon that is taken out of half of the windows."""

    def __call__(self, past: Tensor, target: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        future = target.view(len(target), -1, past.shape[-1])  # (B, H, C)
        if self.power:
            past, future = evened(past, future, self.power)
        if self.mask:
            past, future = masked(past, future, self.mask, generator)
        return past, future.flatten(1)


def evened(past: Tensor, future: Tensor, power: float) -> tuple[Tensor, Tensor]:
    """Windows in units of their spread to a power.

    To a network that undoes its scaling a window's squared error then counts 1 / spread^(2 power) as much: weighted least
    squares (Aitken 1935), for errors that grow with the spread.
    """
    size = past.std(1, keepdim=True).clamp_min(LEAST_SPREAD) ** power  # (B, 1, C)
    return past / size, future / size


def masked(past: Tensor, future: Tensor, share: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Look-back and horizon without some of their common frequencies, in half of the windows (Chen et al. 2023, FrAug)."""
    whole = torch.cat([past, future], 1)
    spectrum = torch.fft.rfft(whole, dim=1)
    drawn = torch.rand(len(whole), spectrum.shape[1], 1, generator=generator) < share
    drawn &= torch.rand(len(whole), 1, 1, generator=generator) < 0.5
    drawn[:, 0] = False  # the mean stays
    changed = torch.fft.irfft(spectrum.masked_fill(drawn, 0), n=whole.shape[1], dim=1)
    back, ahead = changed.split([past.shape[1], future.shape[1]], 1)
    return back, ahead


ENTRIES: list[Entry[Any]] = [
    Entry(
        "even_out",
        lambda power: Reshaping(power=power),
        "Counts a window's error in units of its own spread, to a power: calm windows count as much as wild ones.",
        {"power": 0.75},
        domains=("series",),
        paper="Aitken 1935, On Least Squares and Linear Combination of Observations",
        cost="a standard deviation per window",
        hurts_when="errors don't grow with a window's spread",
    ),
    Entry(
        "spectrum_mask",
        lambda share: Reshaping(mask=share),
        "Takes some frequencies out of look-back and horizon, in half of the windows.",
        {"share": 0.2},
        domains=("series",),
        paper="Chen et al. 2023, FrAug: Frequency Domain Augmentation for Time Series Forecasting, arXiv:2302.09292",
        cost="a Fourier transform of the batch",
        hurts_when="there are many windows, and a linear map",
    ),
]
