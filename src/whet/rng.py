"""One seed gives every random number, by name.

A stream is named by what it is for (`init`, `data`, `augment`, `search`, …) and, where it is drawn many times,
by a counter (the epoch, the step). Adding a stream never shifts the numbers of another one, and a run that is
resumed at step 1,234 draws what it would have drawn: nothing has to be replayed.
"""

from __future__ import annotations

import hashlib

import numpy as np


def seed_for(seed: int, name: str, *counters: int) -> int:
    """A 63-bit seed for the stream `name`, the same on every machine and in every process."""
    words = ":".join(str(c) for c in (seed, name, *counters))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def generator(seed: int, name: str, *counters: int) -> np.random.Generator:
    """A numpy generator on the stream `name`."""
    return np.random.default_rng(seed_for(seed, name, *counters))
