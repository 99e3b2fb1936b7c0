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
    frames = F.pad(x, (size // 2, size // 2)).unfold(1, size, hop)  # (B, T, size)
    window = torch.hann_window(size)
    if torch.onnx.is_in_onnx_export():  # for other runtimes the transform is written out as a product
        cos, sin = fourier(size)
        return ((frames @ (window[:, None] * cos)).square() + (frames @ (window[:, None] * sin)).square()) / scale(size)
    spectrum = torch.fft.rfft(frames * window)
    return (spectrum.real.square() + spectrum.imag.square()) / scale(size)


def scale(size: int) -> float:
    """What makes the power of white noise of level 1 equal to 1: the window's squares, summed."""
    return float(torch.hann_window(size).square().sum())


def fourier(size: int) -> tuple[Tensor, Tensor]:
    """(size, F) twice: the cosines and sines of the discrete Fourier transform."""
    turns = torch.outer(torch.arange(size), torch.arange(size // 2 + 1)) % size
    angles = turns.double() * (2 * math.pi / size)
    return angles.cos().float(), angles.sin().float()


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
