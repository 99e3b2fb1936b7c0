"""Checkpoints: the same bits after any restart, for every optimiser and everything else that has a state."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from setups import SMALL, folder_names, same_bits, training, weights

from whet.errors import CorruptCheckpoint
from whet.optim import OPTIMIZERS, SCHEDULES
from whet.recipe import Choice, Recipe
from whet.train import checkpoint
from whet.train.loop import Training, advance, train_step
from whet.train.plan import Plan

EVERYTHING = SMALL.put("regularise", (Choice("ema", decay=0.9), Choice("cutmix", alpha=1.0), Choice("clip"))).put(
    "family.dropout", 0.2
)


class Stop(Exception):
    """What takes the place of a kill."""


class SaveAndStop:
    def __init__(self, folder: Path, at: int) -> None:
        self.folder, self.at = folder, at

    def on_save(self, one: Training) -> None:
        if one.step == self.at:
            checkpoint.save(one, self.folder)
            raise Stop


def interrupted(recipe: Recipe, folder: Path, at: int, plan: Plan | None = None) -> dict[str, torch.Tensor]:
    """Train `at` steps, save, forget everything, and go on in a new training."""
    with pytest.raises(Stop):
        advance(training(recipe, plan=plan, listeners=(SaveAndStop(folder, at),)))
    again = training(recipe, plan=plan)
    assert checkpoint.resume(again, folder)
    assert again.step == at
    advance(again)
    return weights(again)


def straight(recipe: Recipe, plan: Plan | None = None) -> dict[str, torch.Tensor]:
    one = training(recipe, plan=plan)
    advance(one)
    return weights(one)


def looked_at(folder: Path, *listeners: object) -> Training:
    """A training whose second look is the best, and whose last weights are no clearly worse than that one's alone."""
    one = training(
        SMALL.put("schedule", Choice("linear")), steps=4, listeners=(*listeners, checkpoint.Checkpoints(folder))
    )
    costs = {1: 0.4, 2: 0.1, 3: 0.3, 4: 0.35}
    one.metric, one.higher_is_better = "accuracy", True
    one.validate = lambda model: {"accuracy": 0.5, "choice": costs[one.step]}
    one.level = lambda model, weights: one.best is not None and one.best.step == 2
    return one


@pytest.mark.parametrize("event", ["save", "end", "settle"])
def test_the_weights_that_are_kept_do_not_depend_on_when_the_end_was_killed(event: str, tmp_path: Path) -> None:
    class Saving:
        def on_save(self, one: Training) -> None:
            if one.step == 2:
                checkpoint.save(one, tmp_path)

    class Killing:
        def stop(self, one: Training) -> None:
            if one.step == 4:
                raise Stop

    setattr(Killing, f"on_{event}", Killing.stop)
    with pytest.raises(Stop):
        advance(looked_at(tmp_path, Saving(), Killing()))
    again = looked_at(tmp_path)
    assert checkpoint.resume(again, tmp_path)
    advance(again)
    assert checkpoint.kept_in(tmp_path)[1].step == 4


def test_an_end_without_a_value_is_passed_over_after_a_restart_too(tmp_path: Path) -> None:
    for _ in range(2):
        one = looked_at(tmp_path)
        one.validate = lambda model, one=one: {"accuracy": math.nan if one.step == 4 else 0.5, "choice": 0.1 * one.step}
        checkpoint.resume(one, tmp_path)
        advance(one)
    assert checkpoint.kept_in(tmp_path)[1].step == 1


@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_every_optimizer_goes_on_with_the_same_bits(name: str, tmp_path: Path) -> None:
    # Prodigy has one learning rate for all layers, and fastconv asks for its own: that pair warns, another does not.
    network = Choice("textbook") if name == "prodigy" else EVERYTHING.family
    recipe = EVERYTHING.put("optimizer", Choice(name)).put("family", network)
    assert same_bits(interrupted(recipe, tmp_path, 7), straight(recipe))


@pytest.mark.parametrize("name", SCHEDULES.names)
def test_every_schedule_goes_on_with_the_same_bits(name: str, tmp_path: Path) -> None:
    recipe = SMALL.put("schedule", Choice(name))
    assert same_bits(interrupted(recipe, tmp_path, 9), straight(recipe))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_the_fastest_plan_goes_on_with_the_same_bits(optimizer: str, tmp_path: Path) -> None:
    plan = Plan(channels_last=True, bfloat16=True, winograd=True, fused=True)
    recipe = EVERYTHING.put("optimizer", Choice(optimizer)).put("family.widths", (32, 32))
    assert same_bits(interrupted(recipe, tmp_path, 7, plan), straight(recipe, plan))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    one = training()
    for _ in range(4):
        train_step(one)
        checkpoint.save(one, tmp_path)
    assert [n[:20] for n in folder_names(tmp_path)] == ["checkpoint-000000003", "checkpoint-000000004"]


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    one = training()
    for _ in range(2):
        train_step(one)
        checkpoint.save(one, tmp_path)
    newest, older = checkpoint.checkpoints(tmp_path)
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(bytes(data))
    with pytest.raises(CorruptCheckpoint, match="checksum"):
        checkpoint.read(newest)
    again = training()
    assert checkpoint.resume(again, tmp_path)
    assert again.step == 1
    older.write_bytes(b"")
    assert not checkpoint.resume(training(), tmp_path)


def test_a_checkpoint_that_its_training_has_just_deleted_is_left_out(tmp_path: Path) -> None:
    kept, gone = (tmp_path / f"checkpoint-{step:09d}-{step:016x}.safetensors" for step in (1, 2))
    kept.touch()
    gone.symlink_to(tmp_path / "nothing")  # listed, and no file
    assert checkpoint.checkpoints(tmp_path) == [kept]


def test_the_best_weights_and_their_score_come_back(tmp_path: Path) -> None:
    one = training(listeners=(checkpoint.Checkpoints(tmp_path),))
    advance(one)
    again = training()
    checkpoint.resume(again, tmp_path)
    assert again.best == one.best
    assert again.best_weights is not None
    assert one.best_weights is not None
    assert same_bits(again.best_weights, one.best_weights)


KILLED = """
import os, sys, signal, time, random, hashlib, json
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from setups import SMALL, training
from whet.recipe import Choice
from whet.train import checkpoint
from whet.train.loop import advance

folder, recipe = Path(sys.argv[2]), SMALL.put("regularise", (Choice("ema", decay=0.9),)).put("family.dropout", 0.2)
steps = 240

def run(folder):
    one = training(recipe, steps=steps, listeners=(checkpoint.Checkpoints(folder, every=0.0),))
    checkpoint.resume(one, folder)
    advance(one)
    last, best = (
        hashlib.sha256(b"".join(v.numpy().tobytes() for _, v in sorted(state.items()))).hexdigest()
        for state in (one.parts.model.state_dict(), one.best_weights)
    )
    return {"last": last, "best": best, "step": one.best.step, "score": one.best.score}

def newest():  # by the names alone: a file may be gone the moment after
    names = [path.name for path in (folder / "killed").glob("checkpoint-*.safetensors")]
    return max((int(name.split("-")[1]) for name in names), default=0)

truth = run(folder / "straight")
random.seed(int(sys.argv[3]))
kills, reached = 0, []
while kills < 20:
    child = os.fork()
    if child == 0:
        run(folder / "killed")
        os._exit(0)
    goal = newest() + random.randrange(steps // 20)  # how far it comes does not depend on how fast it is
    while newest() < goal and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.002)
    time.sleep(random.uniform(0.0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
    reached.append(newest())
print(json.dumps({"truth": truth, "found": run(folder / "killed"), "reached": reached}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes that it forked")
def test_twenty_kills_at_random_moments_change_no_bit(tmp_path: Path) -> None:
    script = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path), "0"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["found"] == said["truth"]
    assert len(set(said["reached"])) > 3, f"the kills hit nothing: {said['reached']}"
    assert said["reached"] == sorted(said["reached"]), "a step was lost that had been saved"
