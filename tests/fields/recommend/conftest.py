"""Interactions, read."""

from __future__ import annotations

from pathlib import Path

import pytest
from interactions import ROLES, walks

from whet.data.core import Data
from whet.fields import load


@pytest.fixture
def ranking() -> Data:
    return load(walks(), task="rank", roles=ROLES)


@pytest.fixture
def rating() -> Data:
    return load(walks(), task="rate", roles=ROLES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    walks().write_csv(path := tmp_path / "walks.csv")
    return path
