"""Idle threads give their cores away, from the command line and from Python, and nobody's own settings change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whet import openmp

SEEN = """
import os, sys
seen = []
def look(event, given):
    if event == "import" and given[0] == "torch":
        seen.append(os.environ.get("GOMP_SPINCOUNT"))
sys.addaudithook(look)
try:
    {how}
except ImportError:  # torch is an empty file here, which loads in no time
    pass
print(seen[0], os.environ.get("GOMP_SPINCOUNT"))
"""


def seen(how: str, folder: Path, **environment: str) -> list[str]:
    """GOMP_SPINCOUNT when torch was imported, and afterwards."""
    (folder / "torch.py").touch()
    environment = {**environment, "PYTHONPATH": str(folder)}
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", SEEN.format(how=how)]
    said = subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, check=True).stdout
    return said.split()


@pytest.mark.parametrize(
    ("how", "environment", "expected"),
    [
        ("import whet; whet.surgery", {}, [openmp.SPINS, "None"]),
        ("import whet; whet.surgery", {"GOMP_SPINCOUNT": "7"}, ["7", "7"]),
        ("import whet; whet.surgery", {"OMP_WAIT_POLICY": "active"}, ["None", "None"]),
        ("import torch, whet; whet.surgery", {}, ["None", "None"]),
    ],
)
def test_threads_wait_as_they_should_and_the_environment_stays(
    how: str, environment: dict[str, str], expected: list[str], tmp_path: Path
) -> None:
    assert seen(how, tmp_path, **environment) == expected


def test_a_worker_is_told_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    told = openmp.of_a_worker(3)
    assert {told[name] for name in openmp.COUNTS} == {"3"}
