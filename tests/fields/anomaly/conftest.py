"""Fixtures for tests of anomalies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from anomaly_data import sensors


@pytest.fixture(autouse=True, scope="module")
def _one_core() -> Iterator[None]:
    """Two threads on a busy machine wait for each other."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[os.getpid() % len(before)]})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def frame() -> pl.DataFrame:
    return sensors()


@pytest.fixture(scope="module")
def series_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sensors") / "sensors.csv"
    sensors().write_csv(path)
    return path
