"""Recordings on their way to the network: windows of one length, and what was fitted to the training rows."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from whet.data import cache
from whet.data.image_transform import as_tensor
from whet.fields.audio.clips import Clips, loudest

if TYPE_CHECKING:
    from torch import Tensor

VERSION = "windows 1"
"""Of the cache's windows; a change of what they hold must change it."""
COVERED = 0.99
"""Share of the training clips that fit whole into a window …"""
LONGEST = 10.0
"""… unless that is longer than so many seconds."""
WHOLE = 30.0
"""The same where nothing may be left out: transcription."""
ROUND = 0.05
"""Windows are a multiple of so many seconds."""
SPARE = 2.0
"""Of longer clips so many windows' length is kept, for random cuts in training."""
WINDOW = 0.032
"""Seconds that a spectrogram's frame sees …"""
HOP = {"whole": 0.016, "timed": 0.01}
"""… and between two frames, where a recording is judged as a whole, and where it is written down."""
MOST_FRAMES = 256
"""Of longer windows that are judged as a whole the frames are farther apart."""
MELS = {8_000: 40, 16_000: 64}
"""Rate -> mel bands."""
PIECE_BYTES = 1 << 26
LEAST_STD = 1e-3


@dataclass(frozen=True)
class AudioTransform:
    """int16 recordings at one rate -> windows; how a window becomes a spectrogram, and the spectrograms' statistics."""

    rate: int
    window: int
    """Samples that the network sees."""
    stored: int
    """Samples that are kept of a clip, at most: longer ones are cut to their loudest part."""
    mels: int
    mean: tuple[float, ...] = ()
    """Of each mel band, on training rows."""
    std: tuple[float, ...] = ()
    timed: bool = False
    """Whether the network is told how many frames are sound (transcription)."""
    waves: bool = False
    """Whether the network takes the waveform in place of the spectrogram."""
    level: float = 0.0
    """What all waveforms are divided by, where their loudness tells classes apart; 0: each by its own."""

    @classmethod
    def sized(cls, clips: Clips, rows: np.ndarray, timed: bool) -> AudioTransform:
        """Windows that fit the training clips, statistics not yet fitted."""
        lengths = clips.lengths[rows]
        seconds = float(np.quantile(lengths, 1.0 if timed else COVERED)) / clips.rate
        seconds = min(max(ROUND, seconds), WHOLE if timed else LONGEST)
        window = round(np.ceil(round(seconds / ROUND, 6)) * ROUND * clips.rate)
        stored = window if timed else int(np.clip(clips.lengths.max(), window, SPARE * window))
        return cls(clips.rate, window, stored, mels_for(clips.rate), timed=timed)

    @property
    def size(self) -> int:
        """Samples of a frame, even; neighbours overlap by a half or more."""
        return 2 * max(round(WINDOW * self.rate / 2), self.hop)

    @property
    def hop(self) -> int:
        """Samples between two frames."""
        if self.timed:
            return round(HOP["timed"] * self.rate)
        return max(round(HOP["whole"] * self.rate), -(-self.window // MOST_FRAMES))

    @property
    def frames(self) -> int:
        return self.window // self.hop + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, mels, frames) of a spectrogram, (1, samples) of a waveform."""
        return (1, self.window) if self.waves else (1, self.mels, self.frames)

    def spec(self) -> dict[str, Any]:
        """What a network's `InputSpec` says of the inputs."""
        more = {"timed": self.timed, "rate": self.rate}
        return {"domain": "audio", "shape": self.shape, "more": more, "example": self.example}

    def example(self) -> tuple[Tensor, ...]:
        """Two examples as the network takes them."""
        numbers = torch.randn(2, *self.shape, generator=torch.Generator().manual_seed(0))
        return (numbers, torch.tensor([self.frames, self.frames // 2 + 1])) if self.timed else (numbers,)

    def apply(self, x: Clips) -> tuple[Tensor, Tensor]:
        """(samples uint8 (n, 2 stored): int16 in pairs of bytes, span int64 (n, 2)); see `spans`."""
        blocks = [*self.blocks(x)]
        samples = np.concatenate(blocks) if blocks else np.empty((0, 2 * self.stored), np.uint8)
        return torch.from_numpy(samples), torch.from_numpy(self.spans(x))

    def pieces(self, x: Clips) -> Iterator[tuple[Tensor, Tensor]]:
        """The same, so many rows at a time that they never fill the memory."""
        rows = max(1, PIECE_BYTES // (2 * self.stored))
        return (self.apply(x[at : at + rows]) for at in range(0, max(1, len(x)), rows))

    def cached(self, x: Clips, fingerprint: str) -> tuple[tuple[Tensor, Tensor], tuple[str, ...]]:
        """What `apply` gives, in the cache's memory map, and what is worth saying about it."""
        words = f"{VERSION} {fingerprint} {self.stored} {len(x)}"
        key = hashlib.sha256(words.encode()).hexdigest()[:40]
        found = cache.entry(key, (2 * self.stored,), len(x), lambda notes: self.blocks(x))
        return (as_tensor(found.x), torch.from_numpy(self.spans(x))), found.said

    def blocks(self, x: Clips) -> Iterator[np.ndarray]:
        """uint8 (k, 2 stored) blocks: every clip, or its loudest part, with zeros behind."""
        rows = max(1, (PIECE_BYTES >> 4) // (2 * self.stored))
        for at in range(0, len(x), rows):
            block = np.zeros((min(rows, len(x) - at), self.stored), np.int16)
            for i in range(len(block)):
                clip = x.clip(at + i)
                begin = loudest(clip, self.stored)
                block[i, : min(len(clip), self.stored)] = clip[begin : begin + self.stored]
            yield block.view(np.uint8)

    def spans(self, x: Clips) -> np.ndarray:
        """(n, 2) int64: where the window begins in what is stored, below 0 for short clips; samples that are stored.

        A short clip stands in the middle of its window, or, where the network is told its length, at the beginning.
        """
        span = np.empty((len(x), 2), np.int64)
        for i, length in enumerate(np.minimum(x.lengths, self.stored)):
            if length > self.window:
                clip = x.clip(i)
                kept = clip[(begin := loudest(clip, self.stored)) : begin + self.stored]
                span[i] = loudest(kept, self.window), length
            else:
                span[i] = 0 if self.timed else -((self.window - length) // 2), length
        return span

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        """Random raw inputs by name: noise of random lengths."""
        draw = torch.Generator().manual_seed(seed)
        samples = torch.randint(-9000, 9000, (rows, self.stored), dtype=torch.int16, generator=draw)
        length = torch.randint(self.window // 2, self.window + 1, (rows,), generator=draw)
        samples = samples * (torch.arange(self.stored) < length[:, None])
        start = torch.zeros_like(length) if self.timed else -((self.window - length) // 2)
        return {"samples": samples, "span": torch.stack([start, length], 1)}

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> AudioTransform:
        return cls(**{**state, "mean": tuple(state["mean"]), "std": tuple(state["std"])})


def mels_for(rate: int) -> int:
    """Mel bands for a rate: as many as its frequencies can fill."""
    return next((m for most, m in MELS.items() if rate <= most), 80)
