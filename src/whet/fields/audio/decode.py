"""One recording, whatever its format, rate and channels -> int16 samples of one channel at one rate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from whet.errors import DataError, MissingExtra

MOST_RATE = 16_000
"""Samples per second: recordings with more are brought down to it, which keeps everything below 8 kHz."""
MOST_SECONDS = 600.0
"""What is read of a recording, at most."""
LEAST_SECONDS = 0.02
SILENT = 3
"""A recording whose samples all lie within so many steps of 16 bits around their mean holds no sound (-80 dB)."""


class Unreadable(Exception):
    """A recording that can't be used, and why."""


@dataclass(frozen=True)
class Header:
    """What a recording was before it was decoded."""

    rate: int
    channels: int
    format: str
    """"WAV PCM_16", "FLAC PCM_24", …"""
    seconds: float


def soundfile() -> Any:
    """The package. Raises MissingExtra."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtra("soundfile", "audio", "Reading recordings") from error
    return soundfile


def samples(path: str, rate: int) -> tuple[np.ndarray, Header]:
    """(int16 (n,) at this rate, what the file was). Raises Unreadable for what is empty, torn, silent or no recording."""
    package = soundfile()
    try:
        refuse_empty(path)
        with package.SoundFile(path) as file:
            promised = file.frames
            x = file.read(min(promised, int(MOST_SECONDS * file.samplerate)), dtype="float32", always_2d=True)
            head = Header(file.samplerate, file.channels, f"{file.format} {file.subtype}", promised / file.samplerate)
    except (package.SoundFileError, OSError, ValueError) as error:
        raise Unreadable(reason(error, path)) from None
    if len(x) < min(promised, int(MOST_SECONDS * head.rate)) or is_cut(path):
        raise Unreadable(f"is truncated: {len(x) / head.rate:.2f} s are left")
    if not np.isfinite(x).all():
        raise Unreadable("holds NaN or infinite samples")
    return checked(resampled(x.mean(1), head.rate, rate), rate), head


def refuse_empty(path: str) -> None:
    if Path(path).stat().st_size == 0:
        raise Unreadable("is empty")


def reason(error: Exception, path: str) -> str:
    """What libsndfile says, without the file's name."""
    said = str(getattr(error, "error_string", "") or error).strip().rstrip(".").replace(path, "the file")
    return f"can't be read: {said[:1].lower()}{said[1:]}" if said else "can't be read"


def is_cut(path: str) -> bool:
    """Whether a WAV file is shorter than its own header says; libsndfile reads such files without a word."""
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return False
        promised = int.from_bytes(head[4:8], "little")
        return promised < 0x7FFFF000 and Path(path).stat().st_size < promised + 8 - 1  # streams promise the most


def resampled(x: np.ndarray, old: int, new: int) -> np.ndarray:
    """The waveform at another rate: a polyphase filter (Kaiser window), which cuts off what the new rate can't hold."""
    if old == new:
        return x
    from scipy.signal import resample_poly

    common = math.gcd(old, new)
    found: np.ndarray = resample_poly(x, new // common, old // common)
    return found


def checked(x: np.ndarray, rate: int) -> np.ndarray:
    """int16 samples. Raises Unreadable where there is nothing to be heard."""
    if len(x) < LEAST_SECONDS * rate:
        raise Unreadable(f"lasts {len(x) / rate:.3f} s only" if len(x) else "is empty")
    found = np.clip(np.round(x * 32768), -32768, 32767).astype(np.int16)
    if np.abs(found - found.mean()).max() <= SILENT:
        raise Unreadable("is silent")
    return found


def common_rate(paths: Sequence[str]) -> int:
    """The most frequent rate of a sample, at most `MOST_RATE`. Raises DataError where none can be read."""
    package, rates, why = soundfile(), Counter[int](), ""
    for path in paths:
        try:
            rates[package.info(path).samplerate] += 1
        except (package.SoundFileError, OSError, ValueError) as error:
            why = f"{Path(path).name} {reason(error, path)}"
    if not rates:
        raise DataError(f"None of the recordings can be read (the last one tried: {why}).", "Look at the files.")
    return min(MOST_RATE, rates.most_common(1)[0][0])
