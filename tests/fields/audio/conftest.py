"""Sounds are made once; runs are small."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sounds import class_folders

    return class_folders(tmp_path_factory.mktemp("sounds") / "classes")


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sounds import tunes

    return tunes(tmp_path_factory.mktemp("sounds") / "tunes")
