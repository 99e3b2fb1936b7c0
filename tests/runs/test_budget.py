"""Who is done and who is not, whatever the clock says; timings themselves live in the benchmarks."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from setups import PARTS, SMALL, images, prepared_of, task_of
from torch import nn

import whet
from whet import cli, record
from whet.choosing import slowed
from whet.contest import is_done
from whet.delivery import Delivery
from whet.errors import BudgetError, RecipeError
from whet.fields import field
from whet.recipe import Choice, Recipe
from whet.run_folder import RunFolder
from whet.runners.rescue import RETRIES
from whet.runners.trial import Trial, open_trial
from whet.train.horizon import Horizon
from whet.train.plan import Plan


def trial(folder: Path, recipe: Recipe = SMALL) -> Trial:
    data = images()
    assert len(PARTS["train"]) > recipe.batch_size
    return open_trial("one", recipe, task_of(data), prepared_of(data), 0, Plan(), folder)


def test_a_slice_of_a_race_that_is_over_is_not_the_end_of_the_training(tmp_path: Path) -> None:
    one = trial(tmp_path)
    one.advance(Horizon(seconds=0.01), 0.01)
    assert one.training.over
    assert not is_done(one)
    before = one.training.step
    one.advance(Horizon(seconds=one.training.seconds + 0.05))
    assert one.training.step > before


def test_a_recipes_own_steps_are_its_end(tmp_path: Path) -> None:
    one = trial(tmp_path, SMALL.put("steps", 5))
    one.advance(Horizon(steps=5, seconds=1000.0))
    assert one.training.step == 5
    assert is_done(one)


def test_early_stopping_is_an_end_too(tmp_path: Path) -> None:
    calm = SMALL.put("regularise", (Choice("early_stop", patience=0.1),)).put("optimizer.lr", 1e-9)
    one = trial(tmp_path, calm)
    one.advance(Horizon(steps=100))
    assert is_done(one)
    assert one.training.step < 100


def test_a_trial_that_diverges_is_retried_more_carefully_and_says_so(tmp_path: Path) -> None:
    one = trial(tmp_path, SMALL.put("optimizer", Choice("gd", lr=1e20)))
    score = one.advance(Horizon(steps=10))
    assert score.value != score.value  # still too high after its retries
    assert one.fate
    assert (tmp_path / "retries.jsonl").read_text().count("optimizer.lr") == RETRIES


def test_a_busy_machine_keeps_more_time_for_the_end(tmp_path: Path) -> None:
    """Metrics and pictures took 0.3 s alone, and 3 s where eight other programs ran: commands ended late by the rest."""
    data = images()
    delivery = Delivery(RunFolder(tmp_path), task_of(data), prepared_of(data), Plan(), {})
    alone = delivery.seconds_to_finish()
    delivery.slowed = slowed(seconds=16.0, worked=2.0)
    assert delivery.seconds_to_finish() == pytest.approx(8 * alone)


def test_what_a_field_does_at_its_end_is_counted(tmp_path: Path) -> None:
    """Made rows are drawn anew and trees are taught with them: 7 s that a budget of 40 s had nothing left for."""
    data = images()
    delivery = Delivery(RunFolder(tmp_path), task_of(data), prepared_of(data), Plan(), {})
    before, delivery.seconds_per_row = delivery.seconds_to_finish(), 0.001
    delivery.asked, delivery.closing = field("rows").to_close({"train": np.arange(9_000), "test": np.arange(2_000)})
    assert delivery.seconds_to_finish() > before + 5.0 + 8.0


def test_two_threads_and_a_moments_work_slow_nothing_down() -> None:
    assert slowed(seconds=1.0, worked=2.0) == 1.0
    assert slowed(seconds=1.0, worked=0.01) == 1.0


def test_a_resumed_trial_is_compared_by_the_same_rows(tmp_path: Path) -> None:
    first = trial(tmp_path)
    rows = first.advance(Horizon(steps=6)).rows
    again = trial(tmp_path)
    assert rows is not None
    assert again.score.rows is not None
    assert (again.score.rows == rows).all()


@pytest.fixture
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.usefixtures("_one_thread")
def test_the_finished_run_gives_the_same_result_again(tmp_path: Path) -> None:
    result = whet.fit("iris", steps=20, out=tmp_path / "run")
    assert whet.fit("iris", steps=20, out=tmp_path / "run").details == result.details


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("data", ["digits", "diabetes"])
def test_a_report_is_drawn_again_from_what_is_stored(tmp_path: Path, data: str) -> None:
    folder = whet.fit(data, steps=5, out=tmp_path / "run").folder
    page = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert cli.run(["report", str(folder)]) == 0
    again = (folder / "report.html").read_text()
    seconds = re.compile(r"[\d.]+\ss\b")  # the result's seconds count the report
    assert seconds.sub("", again) == seconds.sub("", page)
    (folder / "details.npz").unlink()
    assert cli.run(["report", str(folder)]) == 2


@pytest.mark.usefixtures("_one_thread")
def test_records_and_result_say_the_same_versions(tmp_path: Path) -> None:
    result = whet.fit("iris", steps=5, out=tmp_path / "run")
    (path,) = (tmp_path / "run" / "trials").glob("*/record.jsonl")
    versions = record.read(path).versions
    assert versions == result.details["versions"]
    assert versions["torch"] == torch.__version__


@pytest.mark.usefixtures("_one_thread")
def test_a_run_that_diverges_keeps_what_was_best_and_says_so(tmp_path: Path) -> None:
    wild = Recipe(family=Choice("linear"), optimizer=Choice("gd", lr=1e30))
    result = whet.fit("diabetes", recipe=wild, steps=30, out=tmp_path / "run")
    assert "diverged" in [f.name for f in result.findings]


@pytest.mark.usefixtures("_one_thread")
def test_a_network_that_can_never_be_measured_ends_in_one_line(tmp_path: Path) -> None:
    def broken() -> nn.Module:
        class Nan(nn.Linear):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return super().forward(x) * float("nan")

        return Nan(10, 1)

    with pytest.raises(RecipeError, match="no network that could be measured"):
        whet.fit("diabetes", model=broken, steps=5, out=tmp_path / "run")


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("busy", [True, False])
def test_a_busy_machine_that_spends_the_budget_on_getting_ready_still_trains_a_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    monkeypatch.setattr("whet.contest.process_time", lambda: 1.0 if busy else 500.0)
    late = {"budget": "20s", "started": time.monotonic() - 500, "out": tmp_path / "run"}
    if not busy:
        with pytest.raises(BudgetError, match="too short"):
            whet.fit("iris", **late)
        return
    assert whet.fit("iris", **late).details["metrics"]["accuracy"] > 0.5
