"""Generated series for the tests: seasons, trends and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from whet.data.core import Data, Roles
from whet.fields.forecast.building import load


def wave(steps: int, season: int = 12, noise: float = 0.1, slope: float = 0.0, seed: int = 0) -> np.ndarray:
    """(steps,): a sine, a straight line and noise."""
    t = np.arange(steps)
    return np.sin(2 * np.pi * t / season) + slope * t + noise * np.random.default_rng(seed).standard_normal(steps)


def hours(steps: int, first: str = "2024-01-01") -> list[str]:
    """Hourly stamps as a CSV has them."""
    stamps = np.datetime64(first, "h") + np.arange(steps)
    return [str(s).replace("T", " ") + ":00:00" for s in stamps]


def table(steps: int = 400, columns: int = 2, **more: Any) -> pl.DataFrame:
    """Hourly waves of a day, a column each."""
    values = {f"v{i}": 10.0 * i + wave(steps, 24, seed=i) for i in range(columns)}
    return pl.DataFrame({"when": hours(steps), **values, **more})


def loaded(source: Any, horizon: int = 12, target: str | None = None, split: str | None = None, **roles: Any) -> Data:
    """The data as `whet.fit` would load it."""
    return load(
        source, target=target, holdout=roles.pop("holdout", None), split=split, roles=Roles(horizon=horizon, **roles)
    )
