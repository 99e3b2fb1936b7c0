"""whet's own trainings: watched without a trace, rescued where they can be, and what was found is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from setups import SMALL, TABLE, images, prepared_of, rows, same_bits, task_of, training, weights

import whet
from whet import cli
from whet.diagnosis.born import born
from whet.diagnosis.rules.measures import step_of
from whet.diagnosis.trials import TrialWatch
from whet.recipe import Choice, Recipe
from whet.runners.rescue import is_sound, treat
from whet.runners.trial import Trial, findings_in, open_trial
from whet.train import checkpoint
from whet.train.horizon import Horizon
from whet.train.loop import Training, advance
from whet.train.plan import Plan

CLOCK = Horizon(steps=40, seconds=1e6)
"""An end that the clock could decide: where the training goes back to is then free."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def opened(
    folder: Path, recipe: Recipe = SMALL, *listeners: object, plan: Plan | None = None, every: float = 0.0
) -> Trial:
    data = images() if recipe.family.name == "fastconv" else rows()
    return open_trial(
        "one", recipe, task_of(data), prepared_of(data), 0, plan or Plan(), folder, listeners, every=every
    )


class At:
    """Listens, and does something once, at a step."""

    def __init__(self, event: str, step: int, do: Callable[[Training], None], times: int = 1) -> None:
        self.step, self.do, self.left = step, do, times
        setattr(self, f"on_{event}", self._heard)

    def _heard(self, training: Training) -> None:
        if training.step == self.step and self.left:
            self.left -= 1
            self.do(training)


def spoil(training: Training) -> None:
    with torch.no_grad():
        next(training.parts.model.parameters()).fill_(float("nan"))


def no_room(said: str = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.") -> Any:
    def fail(_: Training) -> None:
        raise RuntimeError(said)

    return fail


@pytest.mark.parametrize(("recipe", "data"), [(SMALL, images()), (TABLE, rows())], ids=["image", "table"])
@pytest.mark.parametrize(
    "plan", [Plan(), Plan(micro_batch=5, bfloat16=True, channels_last=True)], ids=["plain", "pieces"]
)
def test_a_watched_training_ends_with_the_same_bits(recipe: Recipe, data: Any, plan: Plan) -> None:
    watch = TrialWatch(recipe.batch_size, share=1e9)  # every step is read
    with_it = training(recipe, data, plan=plan, listeners=(watch,))
    without = training(recipe, data, plan=plan)
    advance(with_it)
    advance(without)
    evidence = watch.evidence(with_it)
    assert evidence is not None
    assert len(evidence.start.layers) >= 2
    assert all(0 < x.step < 1 and x.gradient > 0 for x in evidence.start.layers if not x.frozen)
    assert same_bits(weights(with_it), weights(without))
    assert not any(m._forward_hooks for m in with_it.parts.model.modules())


def test_a_trial_whose_weights_were_spoilt_goes_on_from_before_with_a_lower_rate(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL, At("step", 20, spoil))
    one.advance(CLOCK)
    assert one.training.step == 40
    assert not one.fate
    assert one.recipe["optimizer.lr"] == 0.02
    assert all(p.isfinite().all() for p in one.training.parts.model.parameters())
    line = json.loads((tmp_path / "retries.jsonl").read_text())
    assert (line["step"], line["back_to"]) == (20, 19)  # the newest checkpoint held the spoilt weights
    said = one.findings[0]
    assert said.name == "retried"
    assert "diverged at step 20" in said.cause
    assert "went on from step 19 with optimizer.lr: 0.05 -> 0.02" in said.cause
    assert "the weights" in said.cause
    assert findings_in(tmp_path) == one.findings


def test_the_lower_rate_is_what_it_trains_with_after_going_back_and_after_a_crash(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL.put("schedule", Choice("constant")), At("step", 20, spoil))
    one.advance(CLOCK)
    again = opened(tmp_path, SMALL)
    for trial in (one, again):
        assert trial.training.parts.optimizer.param_groups[0]["base_lr"] == 0.02
    assert again.retries == 1
    assert again.training.step == 40


def test_a_second_time_it_begins_from_fresh_weights_and_a_third_time_it_ends(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL, At("step", 20, spoil, times=3))
    one.advance(CLOCK)
    steps = [json.loads(line)["back_to"] for line in (tmp_path / "retries.jsonl").read_text().splitlines()]
    assert steps == [19, 0]
    assert one.fate
    assert [f.name for f in one.findings[:3]] == ["retried", "retried", "diverged"]


def test_a_repeatable_trial_begins_again_whatever_checkpoints_the_clock_left(tmp_path: Path) -> None:
    found = []
    for name, every in (("often", 0.0), ("never", 1e9)):
        one = opened(tmp_path / name, SMALL, At("step", 20, spoil), every=every)
        one.advance(Horizon(steps=30))
        found.append(weights(one.training))
    assert same_bits(*found)


def test_a_checkpoint_that_lost_what_was_learned_is_not_gone_back_to() -> None:
    sound = {"a": torch.ones(3), "n": torch.tensor(3)}
    assert is_sound(sound, {"loss": 0.5, "losses": [4.0, 4]}, 0.9)
    assert not is_sound(sound, {"loss": 0.5, "losses": [40.0, 4]}, 0.9)
    assert not is_sound(sound, {"loss": None, "losses": [0.0, 0]}, 0.9)
    assert not is_sound(sound | {"b": torch.tensor([float("inf")])}, {"loss": 0.5, "losses": [0.0, 0]}, None)
    assert is_sound(sound, {"loss": -3.0, "losses": [-6.0, 2]}, -2.0)


@pytest.mark.parametrize("event", ["loss", "backward"])
def test_a_trial_without_room_goes_on_with_fewer_rows_at_once(tmp_path: Path, event: str) -> None:
    one = opened(tmp_path, SMALL, At(event, 7, no_room(), times=2))
    one.advance(CLOCK)
    assert one.training.step == 40
    assert one.plan.micro_batch == 4
    assert one.training.parts.plan.micro_batch == 4
    assert one.recipe == SMALL
    assert [f.name for f in one.findings[:2]] == ["retried", "retried"]
    assert "micro_batch: 16 -> 8" in one.findings[0].cause
    assert opened(tmp_path, SMALL).plan.micro_batch == 4  # after a crash too


def test_what_has_no_room_for_a_single_row_is_an_error(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL, At("loss", 3, no_room(), times=9), plan=Plan(micro_batch=2))
    with pytest.raises(RuntimeError, match="can't allocate"):
        one.advance(CLOCK)


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL, At("loss", 3, no_room("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        one.advance(CLOCK)
    assert not (tmp_path / "retries.jsonl").exists()


def test_a_trial_that_never_learns_is_named_with_its_likely_cause(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL.put("optimizer.lr", 1e-9))
    one.watch.share = 1e9
    one.advance(Horizon(steps=240))
    graves = [f.name for f in one.findings if f.severity == "error"]
    assert graves[0] == "never learned"
    assert "learning rate too low" in graves


def test_a_trial_that_learns_nothing_begins_again_with_what_its_findings_suggest(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL.put("optimizer.lr", 1e-6))
    one.watch.share = 1e9  # on a busy machine too few steps would be read
    one.advance(Horizon(steps=300), pause=Horizon(steps=120))
    assert treat(one)
    assert one.recipe.optimizer == Choice("adamw", lr=1e-3)
    assert (one.training.step, one.training.best) == (0, None)
    one.advance(Horizon(steps=300))
    assert not treat(one)
    said = one.findings[0]
    change = "optimizer: sgd(lr=1e-06) -> adamw(lr=0.001)"
    assert said.cause == f"It had learned nothing by step 120, and was begun again with {change}."
    assert opened(tmp_path).recipe == one.recipe  # after a crash too


def test_a_trial_that_learns_is_not_treated(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL)
    one.advance(Horizon(steps=120))
    assert not treat(one)
    assert one.recipe == SMALL


def test_a_rate_that_begins_near_zero_is_not_taken_for_a_low_one(tmp_path: Path) -> None:
    one = opened(tmp_path, SMALL.put("schedule", Choice("one_cycle", warmup=0.5)))
    one.watch.share = 1e9
    one.advance(Horizon(steps=60))
    evidence = one.watch.evidence(one.training)
    assert evidence is not None
    assert step_of(evidence) > 4e-4


@pytest.mark.parametrize("recipe", [SMALL, TABLE], ids=["image", "table"])
def test_a_trial_that_learns_raises_no_alarm(tmp_path: Path, recipe: Recipe) -> None:
    one = opened(tmp_path, recipe)
    one.advance(Horizon(steps=120))
    assert [f for f in one.findings if f.severity == "error"] == []


def test_the_result_the_report_and_the_command_name_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(Choice("mlp", width=16), norm=Choice("none"), optimizer=Choice("sgd", lr=1e-9))
    result = whet.fit("iris", recipe=recipe, steps=240, budget=10, out=tmp_path / "run")
    found = {f["name"]: f for f in result.details["findings"]}
    assert found["never learned"]["severity"] == "error"
    assert "optimizer: sgd(lr=1e-09) -> adamw(lr=0.001)" in found["optimiser too slow"]["remedies"]
    page = (result.folder / "report.html").read_text()
    assert "Worth trying: optimizer: sgd(lr=1e-09)" in page.replace("-&gt;", "->")
    assert "optimiser too slow" in page.split("What was tried")[1].split("</table>")[0]
    assert cli.run(["diagnose", str(result.folder)]) == 0
    assert "optimiser too slow" in capsys.readouterr().out


def test_a_trial_that_goes_on_after_a_crash_is_watched_anew(tmp_path: Path) -> None:
    opened(tmp_path, SMALL).advance(Horizon(steps=10))
    one = opened(tmp_path, SMALL)
    one.advance(Horizon(steps=30))
    assert one.watch.steps == 20
    assert checkpoint.checkpoints(tmp_path)


def test_where_numbers_stop_being_numbers_is_named() -> None:
    class Log(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.log()

    model = torch.nn.Sequential(torch.nn.Linear(3, 4), Log(), torch.nn.Linear(4, 1))
    x = torch.randn(8, 3)
    assert born(model, (x,)) == "the output of 1"
    assert born(model[:1], (x,)) == ""
    with torch.no_grad():
        model[0].bias.fill_(float("inf"))  # type: ignore[union-attr]
    assert born(model, (x,)) == "the weights 0.bias"
