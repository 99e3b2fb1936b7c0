"""For all tests: one thread, a cache of their own, and no whet-runs left behind."""

import os
import sys
from pathlib import Path

import pytest

for folder in ("train", "contracts"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["WHET_CACHE"] = str(tmp_path_factory.mktemp("cache"))
