"""Augmentation of sound: of waveforms before the spectrogram, and of spectrograms afterwards.

    B, L        rows, samples                        waveforms, float
    M, T        mel bands, frames                    log-mel spectrograms (B, 1, M, T), normalised: 0 is the mean

`draw_motion` says where in its recording each waveform is read from, and how fast: shift and speed cost nothing
beyond the reading. `disturb` changes level and adds noise, `warp` stretches time and the mel scale, `mask` hides
bands and stretches of time. Every number comes from the passed generator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from whet.entry import Entry
from whet.errors import RecipeError


@dataclass(frozen=True)
class Sound:
    """How far sounds may be changed. Zero everywhere: not at all."""

    shift: float = 0.0
    """Seconds, earlier or later."""
    speed: float = 0.0
    """Played faster or slower by a factor within 1 +- this: pitch and length change together."""
    gain: float = 0.0
    """Decibels, up or down."""
    noise: float = 0.0
    """White noise of up to this share of the sound's own level."""
    stretch: float = 0.0
    """Time is stretched by a factor within 1 +- this, and the pitch stays."""
    tract: float = 0.0
    """The mel scale is stretched likewise: a longer or shorter vocal tract."""
    time_mask: float = 0.0
    """Share of the frames that a mask in time may hide."""
    time_masks: int = 0
    mel_mask: float = 0.0
    """Share of the mel bands that a mask in frequency may hide."""
    mel_masks: int = 0

    def __post_init__(self) -> None:
        for name in ("speed", "stretch", "tract", "time_mask", "mel_mask"):
            if not 0 <= getattr(self, name) <= 0.9:
                raise RecipeError(f"{name}={getattr(self, name)} is out of range.", "Use 0 to 0.9.")
        for name in ("shift", "gain", "noise", "time_masks", "mel_masks"):
            if getattr(self, name) < 0:
                raise RecipeError(f"{name}={getattr(self, name)} is negative.", "Use 0 or more.")

    def __add__(self, other: Sound) -> Sound:
        """The ranges of both together; of masks the wider one, as often as both say."""
        both = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in dataclasses.fields(self)}
        widest = {k: max(getattr(self, k), getattr(other, k)) for k in ("time_mask", "mel_mask")}
        return Sound(**{**both, **widest})


def together(made: Sequence[object]) -> Sound:
    """The sum of several settings. Raises RecipeError for an augmentation of pictures."""
    total = Sound()
    for one in made:
        if not isinstance(one, Sound):
            raise RecipeError("An augmentation of pictures can't change sounds.", "See: whet list augmentations")
        total = total + one
    return total


# -- waveforms -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Motion:
    """What was drawn for one batch of waveforms; every tensor is (B,)."""

    shift: Tensor
    """Samples, whole."""
    speed: Tensor
    """Factor."""


def draw_motion(sound: Sound, rows: int, rate: int, generator: Generator) -> Motion:
    """One motion per row, uniform within the ranges."""
    spread = 2 * torch.rand(2, rows, generator=generator) - 1  # (2, B) in [-1, 1)
    return Motion((spread[0] * sound.shift * rate).round().long(), 1 + spread[1] * sound.speed)


def disturb(x: Tensor, sound: Sound, generator: Generator) -> Tensor:
    """Waveforms (B, L) of level 1, louder or softer and with noise."""
    if sound.noise:
        level = torch.rand(len(x), 1, generator=generator) * sound.noise
        x = x + level * torch.randn(x.shape, generator=generator)
    if sound.gain:
        decibels = (2 * torch.rand(len(x), 1, generator=generator) - 1) * sound.gain
        x = x * 10 ** (decibels / 20)
    return x


# -- spectrograms --------------------------------------------------------------------------------------------------


def warp(x: Tensor, sound: Sound, generator: Generator) -> Tensor:
    """Spectrograms (B, 1, M, T) with time stretched around the middle and the mel scale from its lower end."""
    if not (sound.stretch or sound.tract):
        return x
    spread = 2 * torch.rand(2, len(x), generator=generator) - 1
    across, down = 1 + spread[0] * sound.stretch, 1 + spread[1] * sound.tract
    affine = torch.zeros(len(x), 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = across, down
    affine[:, 1, 2] = down - 1  # the lowest band stays where it is
    grid = F.affine_grid(affine, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def mask(x: Tensor, sound: Sound, generator: Generator) -> Tensor:
    """Spectrograms (B, 1, M, T) with some stretches of time and some bands set to the mean, which is 0."""
    _, _, mels, frames = x.shape
    for side, share, count in ((3, sound.time_mask, sound.time_masks), (2, sound.mel_mask, sound.mel_masks)):
        size = frames if side == 3 else mels
        for _ in range(count if share else 0):
            hidden = draw_spans(len(x), size, share, generator)  # (B, size)
            x = x.masked_fill(hidden[:, None, None, :] if side == 3 else hidden[:, None, :, None], 0.0)
    return x


def draw_spans(rows: int, size: int, share: float, generator: Generator) -> Tensor:
    """(B, size) bool: a span per row of 0 to share * size places, anywhere (SpecAugment's f and f0)."""
    u = torch.rand(2, rows, 1, generator=generator)
    length = (u[0] * (share * size + 1)).floor()
    start = (u[1] * (size - length + 1)).floor()
    at = torch.arange(size)
    return (at >= start) & (at < start + length)


# -- entries -------------------------------------------------------------------------------------------------------

PARK = "Park et al. 2019, SpecAugment, arXiv:1904.08779, section 2"
ENTRIES: list[Entry[Any]] = [
    Entry(
        "time_shift",
        lambda seconds: Sound(shift=seconds),
        "Begins up to so many seconds earlier or later.",
        {"seconds": 0.1},
        domains=("audio",),
        paper="Salamon & Bello 2017, arXiv:1608.04363, section II",
        cost="none: another place to read from",
        hurts_when="sounds fill their window: their ends are cut off",
    ),
    Entry(
        "speed",
        lambda share: Sound(speed=share),
        "Plays faster or slower by a factor within 1 +- share; the pitch changes with it.",
        {"share": 0.1},
        domains=("audio",),
        paper="Ko et al. 2015, Audio Augmentation for Speech Recognition, section 2",
        cost="a second look at every sample",
        hurts_when="pitch or tempo is what is asked for",
    ),
    Entry(
        "gain",
        lambda decibels: Sound(gain=decibels),
        "Makes louder or softer, within +-decibels, after levels have been made equal.",
        {"decibels": 6.0},
        domains=("audio",),
        cost="one multiplication",
        hurts_when="loudness is what is asked for",
    ),
    Entry(
        "noise",
        lambda share: Sound(noise=share),
        "Adds white noise of up to `share` of the sound's own level.",
        {"share": 0.1},
        domains=("audio",),
        paper="Sietsma & Dow 1991, Creating artificial neural networks that generalize",
        cost="a random number per sample",
        hurts_when="recordings are clean and will stay so: it hides what is soft",
    ),
    Entry(
        "stretch",
        lambda share: Sound(stretch=share),
        "Stretches the spectrogram's time by a factor within 1 +- share; the pitch stays.",
        {"share": 0.1},
        domains=("audio",),
        paper="Salamon & Bello 2017, arXiv:1608.04363, section II (time stretching, there of the waveform)",
        cost="one warp of the spectrogram, shared with tract",
        hurts_when="tempo is what is asked for",
    ),
    Entry(
        "tract",
        lambda share: Sound(tract=share),
        "Stretches the spectrogram's mel scale by a factor within 1 +- share: other voices.",
        {"share": 0.1},
        domains=("audio",),
        paper="Jaitly & Hinton 2013, Vocal Tract Length Perturbation improves speech recognition, section 3",
        cost="one warp of the spectrogram, shared with stretch",
        hurts_when="the pitch, or who speaks, is what is asked for",
    ),
    Entry(
        "time_mask",
        lambda share, count: Sound(time_mask=share, time_masks=count),
        "Hides `count` stretches of up to `share` of the time.",
        {"share": 0.15, "count": 2},
        domains=("audio",),
        paper=PARK,
        cost="a pass over the spectrogram per mask",
        hurts_when="time is short, or the class is decided by a moment",
    ),
    Entry(
        "mel_mask",
        lambda share, count: Sound(mel_mask=share, mel_masks=count),
        "Hides `count` bands of up to `share` of the mel scale.",
        {"share": 0.15, "count": 2},
        domains=("audio",),
        paper=PARK,
        cost="a pass over the spectrogram per mask",
        hurts_when="time is short, or the class is decided by one band",
    ),
]
