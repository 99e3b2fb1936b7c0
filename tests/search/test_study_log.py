"""Nothing is lost: a journal that is cut anywhere, or whose writer is killed at any moment, goes on to the same end."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policies import Halving

import whet.search
from whet.errors import OutputError, SearchError, UserError
from whet.search import Float, Space, Study, Trial
from whet.search.look_ahead import FIRST_LEARNED
from whet.search.view import RUNNING

SPACE = Space({"x": Float(-1.0, 1.0, limits=(-2.0, 1.0)), "kind": ["a", ("b", 2)]})
JOBS = 40


def value_of(params: Mapping[str, Any], resource: float) -> float:
    """No two trials are equal: the seconds, which nobody can repeat, decide between equal ones."""
    if (params["x"] ** 2 + resource) % 1 > 0.97:
        return float("nan")
    return (params["x"] + 0.9) ** 2 + 0.01 * (params["kind"] == "a") + 1 / resource


def opened(journal: Path | None, **changes: object) -> Study:
    usual = {
        "seed": 4,
        "journal": journal,
        "policy": Halving(),
    }  # which does not look at seconds: nobody can repeat them
    return Study(SPACE, max_resource=9, **{**usual, **changes})  # type: ignore[arg-type]


def driven(study: Study) -> tuple[Trial, ...]:
    """Two queued recipes, then jobs until so many trials are there; two jobs are out at any time."""
    study.enqueue({"x": 0.5, "kind": "a"}, because="first")
    study.enqueue({"x": -0.5, "kind": ["b", 2]})
    study.limit = JOBS
    out = []
    while True:
        job = study.ask()
        out += [job] if job else []
        if not out:
            return study.trials
        if job and len(out) < 2:
            continue
        job = out.pop(0)
        for resource in range(int(job.start) + 1, int(job.stop) + 1):
            study.tell(job.trial, resource, value_of(job.params, resource), cost=0.25, symptoms=["slow"])
        study.finish(job.trial, failed="broke" if job.trial == 7 else None)


@pytest.fixture(autouse=True)
def _quick_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What survives a power cut is not tested here; the processes that are killed sync as they should."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "journal.jsonl"
    study = opened(path)
    driven(study)
    study.close()
    return path


def test_a_journal_changes_nothing(whole: Path) -> None:
    assert repr(opened(whole).trials) == repr(driven(opened(None)))  # as text: NaN is not itself


def test_a_study_that_is_opened_again_knows_all_it_knew_and_asks_what_it_would_have_asked(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    study, memory = opened(path), opened(None)
    for turn in range(25):
        for one in (study, memory):
            job = one.ask()
            one.tell(job.trial, job.stop, value_of(job.params, job.stop))
            one.finish(job.trial)
        if turn % 5 == 0:
            study.close()
            study = opened(path)
        assert repr(study.trials) == repr(memory.trials)
        assert repr(study.best) == repr(memory.best)
        assert study.warnings() == memory.warnings()
        assert study.space.describe() == memory.space.describe()


def test_a_seed_of_numpy_is_written_as_a_number(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    study = Study(SPACE, seed=np.int64(3), journal=path)  # type: ignore[arg-type]
    study.finish(study.ask().trial, failed="no")  # type: ignore[union-attr]
    study.close()
    assert Study(SPACE, seed=3, journal=path).trials


def test_the_usual_policy_too_decides_after_a_restart_what_it_would_have_decided(tmp_path: Path) -> None:
    """It weighs seconds, predicts where curves end, and learns what they are like, here in a space that grows."""
    path = tmp_path / "journal.jsonl"
    study, memory = opened(path, policy=None), opened(None, policy=None)
    for turn in range(60):
        for one in (study, memory):
            job = one.ask()
            for resource in range(job.start + 1, job.stop + 1):
                value = math.nan if job.params["x"] > 0.9 else job.params["x"] + 0.1 / resource  # best beyond -1
                one.tell(job.trial, resource, value, cost=0.1 * (1 + job.trial % 3))
                if math.isnan(value):
                    break
            one.finish(job.trial)
        if turn % 9 == 8:
            study.close()
            study = opened(path, policy=None)
    assert repr(study.trials) == repr(memory.trials)
    assert memory.view.points > FIRST_LEARNED
    assert memory.space != SPACE


def points(trials: tuple[Trial, ...]) -> int:
    return sum(len(t.points) for t in trials)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_a_journal_cut_at_any_byte_loads_and_goes_on_without_doubling_anything(
    whole: Path, tmp_path: Path, share: float
) -> None:
    data = whole.read_bytes()
    path = tmp_path / "journal.jsonl"
    path.write_bytes(data[: round(share * len(data))])
    lines = data[: round(share * len(data))].count(b"\n")
    study = opened(path)
    told = [json.loads(line) for line in data.split(b"\n")[:lines]]
    assert points(study.trials) == sum(line["event"] == "told" for line in told)
    assert len(study.trials) == sum(line["event"] == "new" for line in told)
    trials = driven(study)
    study.close()
    assert all([r for r, _ in t.points] == list(range(1, len(t.points) + 1)) for t in trials)
    assert len(trials) == JOBS
    assert not any(t.state == RUNNING for t in trials)
    assert repr(opened(path).trials) == repr(trials)


def test_a_line_that_only_lacks_its_end_is_cut_off_and_not_half_known(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    study = opened(path)
    job = study.ask()
    study.close()
    path.write_bytes(path.read_bytes()[:-1])
    study = opened(path)
    assert study.trials == ()
    assert study.ask() == job


def test_jobs_that_were_out_are_handed_out_again_from_what_was_told_last(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    study = opened(path)
    first, second, third = study.ask(), study.ask(), study.ask()
    study.tell(second.trial, 1, 0.5)
    study.tell(third.trial, third.stop, 0.5)  # all but its last word
    study.close()
    again = opened(path)
    assert again.ask() == first
    assert again.trials[2].state == "paused"
    job = again.ask() if second.stop > 1 else None
    assert job is None or (job.trial, job.start, job.stop) == (1, 1, second.stop)


REFUSED = {
    "space": ({"space": SPACE.replace(x=Float(0, 2))}, "the space differs in x"),
    "direction": ({"direction": "maximize"}, "direction is minimize there and maximize here"),
    "seed": ({"seed": 5}, "seed is 4 there and 5 here"),
    "end": ({"max_resource": 10}, "max_resource is 9 there and 10 here"),
    "candidates": ({"space": Space.of_candidates([{"x": 0.5}, {"x": 0.25}])}, "candidates"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_another_study_does_not_get_the_journal(case: str, whole: Path) -> None:
    changes, word = REFUSED[case]
    before = whole.read_bytes()
    with pytest.raises(SearchError, match=word) as caught:
        Study(**{"space": SPACE, "max_resource": 9, "seed": 4, "journal": whole, **changes})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert whole.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ['{"event": "start", "spent": 0.0, "format": 3}\n', '{"event": "study", "format": 99, "seed": 4}\n', "hello\n"],
)
def test_what_is_no_journal_of_this_format_is_refused_in_one_line_and_kept(text: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    assert path.read_text() == text


def test_a_journal_that_somebody_else_wrote_to_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    study = opened(path)
    with path.open("a") as file:
        file.write('{"event": "new"}\n')
    with pytest.raises(SearchError, match="somebody else"):
        study.ask()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    code = f"import time; from whet.search import *; s = Study(Space({{'x': ['a']}}), journal={str(path)!r}); print(1)"
    other = subprocess.Popen([sys.executable, "-uc", f"{code}; time.sleep(600)"], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(OutputError, match="in use"):
            Study(Space({"x": ["a"]}), journal=path)
    finally:
        other.kill()
        other.communicate()
    assert Study(Space({"x": ["a"]}), journal=path).trials == ()


def test_one_study_at_a_time_within_a_program_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first = opened(path)
    with pytest.raises(OutputError, match=r"another study of this program. Close that one first: study.close\(\)"):
        opened(tmp_path / "." / "journal.jsonl")
    first.ask()
    first.close()
    assert len(opened(path).trials) == 1


def test_a_folder_is_no_journal_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="is a folder. Name a file: '.*search.jsonl'"):
        opened(tmp_path)
    assert not [*tmp_path.parent.glob(f".{tmp_path.name}*")]


DRIVER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_study_log import opened, value_of
from whet.search import run

def objective(params, start, stop, report):
    for resource in range(start + 1, stop + 1):
        time.sleep(0.002)
        with open(sys.argv[3], "a") as file:
            file.write(f"{report.trial} {resource}\\n")
        report(resource, value_of(params, resource))

run(opened(sys.argv[2]), objective, trials=40)
"""


def outcome(trials: tuple[Trial, ...]) -> str:
    """All but the seconds, which nobody can repeat."""
    return repr([(t.trial, t.params, t.points, t.state, t.error) for t in trials])


def test_twenty_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    """The killed search ends with the same trials and points as one that nobody disturbed, and trains almost nothing twice."""
    path, trained = tmp_path / "journal.jsonl", tmp_path / "trained.txt"
    command = [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(path), str(trained)]
    moments, kills = random.Random(0), 0
    while kills < 20:
        had = path.stat().st_size if path.exists() else 0
        driver = subprocess.Popen(command)
        while driver.poll() is None and (not path.exists() or path.stat().st_size == had):
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.04))
        if driver.poll() is None:
            os.kill(driver.pid, signal.SIGKILL)
            kills += 1
        assert driver.wait() in (0, -signal.SIGKILL)
        if driver.returncode == 0:
            break
    subprocess.run(command, check=True)
    calm = whet.search.run(opened(None), undisturbed, trials=40)
    assert outcome(opened(path).trials) == outcome(calm.trials)
    done = trained.read_text().split("\n")[:-1]
    assert len(set(done)) == calm.view.points
    assert len(done) - len(set(done)) <= kills
    assert kills >= 5


def undisturbed(params: Mapping[str, Any], start: int, stop: int, report: whet.search.driver.Report) -> None:
    for resource in range(start + 1, stop + 1):
        report(resource, value_of(params, resource))
