"""From stored samples to what the network takes, on whole batches:

    read a window -> one level -> (noise, gain) -> log-mel -> normalise -> (warp, mask) -> (mixup)

What stands in brackets happens in training only, with the step's own generator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from whet import regularise
from whet.augment import AUGMENTS, audio
from whet.fields.audio.mel import log_mel
from whet.fields.audio.transform import LEAST_STD, AudioTransform
from whet.fields.mixing import Mixing
from whet.recipe import Choice
from whet.tasks import Task
from whet.train.parts import Inputs

QUIETEST = 1e-4
"""Of full scale: what is softer is not made louder than this allows, so that silence stays silence."""
STATISTICS_ROWS = 2_000
"""Training rows that mean and spread are taken from."""


@dataclass(frozen=True)
class Front:
    """A `Prepare`: (samples uint8 (B, 2 S) or int16 (B, S), span (B, 2)) -> (spectrograms (B, 1, M, T), …)."""

    transform: AudioTransform
    sound: audio.Sound
    mixing: Mixing

    @classmethod
    def of(
        cls,
        transform: AudioTransform,
        task: Task,
        augment: Sequence[Choice] = (),
        mixers: Sequence[regularise.Mix] = (),
    ) -> Front:
        """Raises RecipeError for an augmentation of pictures, or mixing where targets can't be mixed."""
        made = [AUGMENTS[c.name].make(**AUGMENTS[c.name].fill(c.params)) for c in augment]
        return cls(transform, audio.together(made), Mixing.of(tuple(mixers), task))

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]:
        samples, span = inputs
        x, heard = self.waveform(samples, span, generator)
        seen = x.unsqueeze(1) if self.transform.waves else self.spectrogram(x, generator)
        if self.transform.timed:
            frames = heard // self.transform.hop + 1
            at = torch.arange(seen.shape[-1]) < frames[:, None]
            return (seen * at[:, None, None, :], frames), target
        return self.mixing((seen,), target, generator, progress)

    def waveform(self, samples: Tensor, span: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """(waveforms (B, L) of level 1 or thereabouts, samples of sound in each)."""
        t = self.transform
        if samples.dtype == torch.uint8:
            samples = samples.view(torch.int16)
        start, length = span[:, 0], span[:, 1]
        if generator is None:
            x = read(samples, start, length, t.window)
            return levelled(x, length, t.level), length
        motion = audio.draw_motion(self.sound, len(start), t.rate, generator)
        room = (length - t.window).clamp_min(0)
        anywhere = (torch.rand(len(start), generator=generator) * (room + 1)).long()
        start = torch.where(room > 0, anywhere, start) - (0 if t.timed else motion.shift)
        x = read_at(samples, start, length, t.window, motion.speed, 0.0 if t.timed else 0.5)
        length = (length / motion.speed).long().clamp_max(t.window)
        return audio.disturb(levelled(x, length, t.level), self.sound, generator), length

    def spectrogram(self, x: Tensor, generator: Generator | None) -> Tensor:
        """(B, 1, M, T), normalised."""
        t = self.transform
        seen = log_mel(x, t.rate, t.size, t.hop, t.mels)
        mean, std = (torch.tensor(v).view(1, 1, -1, 1) for v in (t.mean, t.std))
        seen = (seen - mean) / std
        if generator is not None:
            seen = audio.mask(audio.warp(seen, self.sound, generator), self.sound, generator)
        return seen


def read(samples: Tensor, start: Tensor, length: Tensor, size: int) -> Tensor:
    """(B, size) floats in [-1, 1): the samples from `start` on, zeros where there is no sound."""
    at = start[:, None] + torch.arange(size)  # (B, size)
    inside = (at >= 0) & (at < length[:, None])
    return samples.float().gather(1, at.clamp(0, samples.shape[1] - 1)) * inside / 32768


def read_at(samples: Tensor, start: Tensor, length: Tensor, size: int, speed: Tensor, centre: float) -> Tensor:
    """The same at another speed, by linear interpolation; the place at `centre` * size stays where it is."""
    if bool((speed == 1).all()):
        return read(samples, start, length, size)
    fixed = centre * size
    at = start[:, None] + fixed + (torch.arange(size) - fixed) * speed[:, None]  # (B, size)
    low = at.floor()
    inside = (low >= 0) & (low + 1 < length[:, None])
    index, share = low.long().clamp(0, samples.shape[1] - 2), at - low
    below, above = samples.gather(1, index).float(), samples.gather(1, index + 1).float()
    return torch.lerp(below, above, share) * inside / 32768


def levelled(x: Tensor, length: Tensor, level: float = 0.0) -> Tensor:
    """Waveforms (B, L) divided by their own loudness, or by one `level`."""
    return x / (level or loudness(x, length)[:, None])


def loudness(x: Tensor, length: Tensor) -> Tensor:
    """(B,): the root mean square of waveforms (B, L) over the sound in them."""
    return (x.square().sum(1) / length.clamp(1, x.shape[1])).sqrt().clamp_min(QUIETEST)


def fitted(transform: AudioTransform, inputs: Inputs, rows: Tensor) -> AudioTransform:
    """The transform with mean and spread of each mel band, measured on these rows' sound."""
    rows = rows[:: max(1, -(-len(rows) // STATISTICS_ROWS))]
    total = torch.zeros(3, transform.mels, dtype=torch.float64)
    for some in rows.split(256):
        samples, span = (x.index_select(0, some) for x in inputs)
        t, length = transform, span[:, 1].clamp_max(transform.window)
        x = levelled(read(samples.view(torch.int16), span[:, 0], span[:, 1], t.window), length, t.level)
        seen = log_mel(x, t.rate, t.size, t.hop, t.mels)[:, 0].double()  # (B, M, T)
        total += torch.stack([torch.ones_like(seen), seen, seen.square()]).sum((1, 3))
    mean = total[1] / total[0]
    std = (total[2] / total[0] - mean.square()).clamp_min(0).sqrt().clamp_min(LEAST_STD)
    return dataclasses.replace(transform, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
