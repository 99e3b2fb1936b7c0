"""Small series and tables with anomalies in them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl


def sensors(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Two sensors; from step 400 to 419 the second one stands still far up."""
    random, steps = np.random.default_rng(seed), np.arange(rows)
    wave = np.sin(2 * np.pi * steps / 24)
    a, b = wave + 0.1 * random.standard_normal(rows), 10 - 3 * wave + 0.3 * random.standard_normal(rows)
    b[400:420] = 18.0
    times = [(dt.datetime(2024, 1, 1) + dt.timedelta(minutes=5 * int(i))).isoformat() for i in steps]
    label = ((steps >= 400) & (steps < 420)).astype(int)
    return pl.DataFrame({"time": times, "flow": a, "heat": b, "label": label})


def table(rows: int = 300, strange: int = 15, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that belong together, and rows in which they don't."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, 4)) @ random.standard_normal((4, 4))
    x[:strange] = 6 * random.standard_normal((strange, 4))
    return x, (np.arange(rows) < strange).astype(int)
