"""Fixtures for tests of anomalies."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from anomaly_data import sensors


@pytest.fixture
def frame() -> pl.DataFrame:
    return sensors()


@pytest.fixture(scope="module")
def series_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sensors") / "sensors.csv"
    sensors().write_csv(path)
    return path
