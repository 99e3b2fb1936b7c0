"""Sounds are made once; runs are small."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope="module")
def _one_core() -> Iterator[None]:
    """Two threads on a busy machine wait for each other: a step of a small network took 0.4 s of them, not 0.01."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[os.getpid() % len(before)]})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sounds import class_folders

    return class_folders(tmp_path_factory.mktemp("sounds") / "classes")


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sounds import tunes

    return tunes(tmp_path_factory.mktemp("sounds") / "tunes")
