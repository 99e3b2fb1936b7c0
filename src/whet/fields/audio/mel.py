"""Log-mel spectrograms of whole batches, in torch.

    x       waveforms                              (B, L)
    h       Hann window of `size` samples, one every `hop` samples; frame t is centred at t * hop
    P       |DFT(h x_t)|^2, power per frequency    (B, T, F), F = size / 2 + 1
    W       triangles on the mel scale             (F, M)
    log P W                                        (B, 1, M, T), T = L / hop + 1

The mel scale is mel(f) = 2595 log10(1 + f / 700) (O'Shaughnessy 1987; Davis & Mermelstein 1980 for the triangles).
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

FLOOR = 1e-5
"""Added to the power of waveforms of level 1 before the logarithm: what lies 50 dB below is silence."""


def log_mel(x: Tensor, rate: int, size: int, hop: int, mels: int) -> Tensor:
    """(B, 1, M, T) of waveforms (B, L) of level 1."""
    found = power(x, size, hop) @ filters(rate, size, mels)  # (B, T, M)
    return (found + FLOOR).log().transpose(1, 2).unsqueeze(1)


def power(x: Tensor, size: int, hop: int) -> Tensor:
    """(B, T, F): the power of each frame at each frequency, divided by the window's own."""
    if torch.onnx.is_in_onnx_export():
        return power_by_products(x, size, hop)
    frames = F.pad(x, (size // 2, size // 2)).unfold(1, size, hop)  # (B, T, size)
    spectrum = torch.fft.rfft(frames * torch.hann_window(size))
    return (spectrum.real.square() + spectrum.imag.square()) / scale(size)


def power_by_products(x: Tensor, size: int, hop: int) -> Tensor:
    """The same as one convolution with sines and cosines: for runtimes that have no Fourier transform of frames."""
    turns = torch.outer(torch.arange(size // 2 + 1), torch.arange(size)) % size  # (F, size)
    angles = turns.double() * (2 * math.pi / size)
    waves = torch.cat([angles.cos(), angles.sin()]).float() * torch.hann_window(size)
    parts = F.conv1d(x.unsqueeze(1), waves.unsqueeze(1), stride=hop, padding=size // 2).square()  # (B, 2 F, T)
    cos, sin = parts.chunk(2, 1)
    return (cos + sin).transpose(1, 2) / scale(size)


def scale(size: int) -> float:
    """What makes the power of white noise of level 1 equal to 1: the window's squares, summed."""
    return float(torch.hann_window(size).square().sum())


@functools.lru_cache
def filters(rate: int, size: int, mels: int) -> Tensor:
    """(F, M): triangles of equal width on the mel scale from 20 Hz to half the rate, each summing to 1.

    The lowest may be narrower than a frequency's step: they are widened until each has a frequency in it.
    """
    frequencies = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    edges = hertz(torch.linspace(mel(20.0), mel(rate / 2), mels + 2, dtype=torch.float64))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    step = rate / size
    rise = (frequencies[:, None] - low) / (centre - low).clamp_min(step)
    fall = (high - frequencies[:, None]) / (high - centre).clamp_min(step)
    weights = torch.minimum(rise, fall).clamp_min(0)
    nearest = (frequencies[:, None] - centre).abs().argmin(0)
    empty = weights.sum(0) == 0
    weights[nearest[empty], empty.nonzero()[:, 0]] = 1.0
    return (weights / weights.sum(0)).float()


def mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def hertz(mels: Tensor) -> Tensor:
    return 700 * (10 ** (mels / 2595) - 1)
