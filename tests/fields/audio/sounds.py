"""Recordings made here: tones with noise, a tone per class; and tunes of several tones, with what they spell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 4_000
TONES = {"low": 250.0, "middle": 600.0, "high": 1_400.0}


def tone(pitch: float, seconds: float, rate: int = RATE, seed: int = 0, noise: float = 0.02) -> np.ndarray:
    """(n,) float: a tone that begins and ends softly, in a little noise."""
    random = np.random.default_rng(seed)
    n = round(seconds * rate)
    loud = np.sin(np.pi * (np.arange(n) + 0.5) / n)
    return 0.4 * loud * np.sin(2 * np.pi * pitch * np.arange(n) / rate) + noise * random.standard_normal(n)


def write(path: Path, x: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, rate)
    return path


def class_folders(root: Path, each: int = 20, suffix: str = ".wav") -> Path:
    """root/CLASS/i.wav with lengths from 0.2 to 0.3 s."""
    for i in range(each):
        for k, (name, pitch) in enumerate(TONES.items()):
            seed = 100 * k + i
            write(root / name / f"{i}{suffix}", tone(pitch * (1 + 0.01 * (i % 5)), 0.2 + 0.01 * (i % 11), seed=seed))
    return root


def named(root: Path, speakers: Sequence[str], each: int = 4) -> Path:
    """root/LABEL_SPEAKER_i.wav"""
    for s, speaker in enumerate(speakers):
        for k, (name, pitch) in enumerate(TONES.items()):
            for i in range(each):
                seed = 1_000 * s + 100 * k + i
                write(root / f"{name}_{speaker}_{i}.wav", tone(pitch * (1 + 0.02 * s), 0.2, seed=seed))
    return root


def tune(words: Sequence[str], seed: int) -> np.ndarray:
    """Tones one after the other with pauses between them."""
    random = np.random.default_rng(seed)
    pause = [0.01 * random.standard_normal(round(0.08 * RATE)) for _ in range(len(words) + 1)]
    tones = [tone(TONES[word], 0.12, seed=seed + 7 * i) for i, word in enumerate(words)]
    return np.concatenate([pause[0], *(x for pair in zip(tones, pause[1:], strict=True) for x in pair)])


def tunes(root: Path, count: int = 24) -> Path:
    """root/x-i.wav and root/transcripts.csv"""
    random, lines = np.random.default_rng(0), ["path,transcript"]
    for i in range(count):
        words = [str(word) for word in random.choice(["low", "high"], size=1 + i % 4)]
        write(root / f"x-{i:02}.wav", tune(words, seed=i))
        lines.append(f"x-{i:02}.wav,{' '.join(words)}")
    (root / "transcripts.csv").write_text("\n".join(lines) + "\n")
    return root
