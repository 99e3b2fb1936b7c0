"""One training by several processes: whichever of them is killed, it goes on, with as many processes as there are then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from crew import train
from jobs import STEPS, state

import whet
from whet import record
from whet.errors import OutputError
from whet.train import checkpoint

TOLERANCE = 1e-5


def launched(processes: int, folder: Path, *how: object) -> subprocess.CompletedProcess[str]:
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    script = [str(Path(__file__).with_name("crew.py")), str(folder), *map(str, how)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", *launch, *script], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same training by one process, to which nothing happened."""
    folder = tmp_path_factory.mktemp("straight")
    train(folder)
    return folder / "one"


@pytest.mark.parametrize(("rank", "then"), [(1, 3), (0, 1)])
def test_a_killed_process_ends_the_job_which_goes_on_with_any_number_of_them(
    rank: int, then: int, tmp_path: Path, straight: Path
) -> None:
    ended = launched(2, tmp_path, rank, STEPS // 2)
    assert ended.returncode != 0
    kept = checkpoint.checkpoints(tmp_path / "one")
    assert int(kept[0].name.split("-")[1]) == STEPS // 2
    if then > 1:
        ended = launched(then, tmp_path)
        assert ended.returncode == 0, ended.stderr[-3000:]
    else:
        train(tmp_path)
    mine, whole = state(tmp_path / "one"), state(straight)
    assert mine.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(mine[name], whole[name], atol=TOLERANCE, rtol=TOLERANCE)
    steps = [point.step for point in record.read(tmp_path / "one" / "record.jsonl").steps]
    assert steps == [point.step for point in record.read(straight / "record.jsonl").steps], "lost or doubled"
    assert not (tmp_path / "prepared").exists()


def test_fit_is_called_by_all_processes_and_gives_all_of_them_the_same_result(tmp_path: Path) -> None:
    ended = launched(2, tmp_path, "fit")
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert (tmp_path / "run" / "report.html").exists()
    assert not (tmp_path / "run" / "prepared").exists()


def test_a_folder_that_is_no_runs_keeps_what_is_in_it(tmp_path: Path) -> None:
    own = tmp_path / "prepared" / "thesis.txt"
    own.parent.mkdir()
    own.write_text("years of work")
    with pytest.raises(OutputError, match="is not empty"):
        whet.fit("iris", budget="60s", out=tmp_path)
    assert own.read_text() == "years of work"
