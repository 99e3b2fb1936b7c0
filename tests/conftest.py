"""For all tests: one thread, a cache of their own, and no whet-runs left behind."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

for folder in ("train", "contracts"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
os.environ.setdefault("OMP_NUM_THREADS", "1")
hypothesis.settings.register_profile(  # a busy machine is slow, not wrong
    "whet", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("whet")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["WHET_CACHE"] = str(tmp_path_factory.mktemp("cache"))
