"""For all tests: one thread, a cache of their own, one core for whole runs, and commands that cost no second to start."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from commands import Commands, Server

HERE = Path(__file__).parent
for folder in ("train", "contracts", "runs"):
    sys.path.insert(0, str(HERE / folder))
os.environ.setdefault("OMP_NUM_THREADS", "1")
hypothesis.settings.register_profile(  # a busy machine is slow, not wrong
    "whet", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("whet")
ON_ONE_CORE = ("runs", "fields")
"""Runs of a few steps: two threads on a busy machine wait for each other, 0.4 s in a step of 0.01."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with one_core() if item.path.relative_to(HERE).parts[0] in ON_ONE_CORE else contextlib.nullcontext():
        return (yield)  # type: ignore[return-value]


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Within the block this process has one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[os.getpid() % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["WHET_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_disks() -> Iterator[None]:
    """Syncing matters when the power fails, which no test does; a run of forty steps syncs a hundred files, 1 to 10 ms each."""
    fsync, os.fsync = os.fsync, lambda handle: None
    yield
    os.fsync = fsync


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if not hasattr(os, "fork"):
        pytest.skip("commands are forked")
    from commands import Server

    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a module's commands run."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def command(server: Server, home: Path) -> Commands:
    """Runs `whet` in a process of its own, in `home`."""
    from commands import Commands

    return Commands(server, home)
