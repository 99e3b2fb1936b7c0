"""Data that workers map from the disk, and jobs on it."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from jobs import MakeJob, make
from setups import images, prepared_of


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepared_of(images()).save(folder)
    return folder


@pytest.fixture
def job(prepared: Path, tmp_path: Path) -> MakeJob:
    """(name, …) -> a job whose folder has this name."""
    return functools.partial(make, prepared=prepared, folder=tmp_path)
