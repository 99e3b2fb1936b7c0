"""A search survives kill -9 of its driver and its workers, any number of times."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import assert_same, begin, check, drive, killed_often

from whet.runners.serial import Serial

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="workers are found in /proc"),
    pytest.mark.timeout(900),
]
KILLS = 5


def test_kills_of_driver_and_workers_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    straight, folder = tmp_path / "straight", tmp_path / "killed"
    for one in (straight, folder):
        begin(one)
    drive(straight, Serial())
    check(straight)
    killed, ends = killed_often(folder, KILLS, seed=0)
    assert killed.total() == KILLS
    assert min(killed["driver"], killed["worker"]) > 0
    for end in ends:
        assert_same(end, straight)
