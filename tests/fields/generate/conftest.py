"""Pictures of bars, lying and standing, and a table whose columns hang together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from drawn_bars import bars
from PIL import Image


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each class."""
    folder = tmp_path_factory.mktemp("pictures") / "bars"
    for i, (x, y) in enumerate(zip(*bars(120), strict=True)):
        path = folder / ("lying", "standing")[y] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(path)
    return folder


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = np.random.default_rng(0)
    age = draw.integers(18, 80, 200)
    pay = draw.normal(age * 100, 500)
    job = np.where(pay > 5000, "boss", np.where(draw.random(200) < 0.5, "clerk", "cook"))
    path = tmp_path_factory.mktemp("tables") / "people.csv"
    pl.DataFrame({"age": age, "pay": pay, "job": job}).write_csv(path)
    return path
