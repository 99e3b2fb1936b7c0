"""Crashes of the whole command: whatever happens, the same command goes on, and ends with the same bits."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from commands import Commands
from safetensors.torch import load_file

from whet.recipe import Choice, Recipe
from whet.train import checkpoint

RECIPE = Recipe(
    family=Choice("textbook", width=8, depth=1, dropout=0.2),
    optimizer=Choice("adamw", lr=3e-3),
    schedule=Choice("cosine"),
    regularise=(Choice("ema", decay=0.9), Choice("cutmix", alpha=1.0)),
    augment=(Choice("shift", share=0.1),),
    batch_size=32,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crashes")
    (folder / "recipe.toml").write_text(RECIPE.to_toml())
    return folder


TINY = Recipe(
    family=Choice("tabular", width=8, depth=1, members=2),
    optimizer=Choice("adamw", lr=0.01),
    batch_size=32,
    steps=24,
)
STEPS = 18


def fit(folder: Path | str) -> list[object]:
    return ["fit", "digits", "--recipe", "recipe.toml", "--steps", STEPS, "--out", folder]


@pytest.fixture(scope="module")
def straight(command: Commands, home: Path) -> Path:
    """The run that nothing happened to."""
    ended = command(*fit("straight"))
    assert ended.code == 0, ended.err
    return home / "straight"


def assert_same_bits(run: Path, straight: Path) -> None:
    a, b = load_file(run / "model.safetensors"), load_file(straight / "model.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    said, truth = (json.loads((folder / "result.json").read_text()) for folder in (run, straight))
    for key in ("value", "ci95", "metrics", "steps", "recipe_hash", "validation", "baselines", "rows"):
        assert said[key] == truth[key], key


def steps_saved(run: Path) -> int:
    found = [p for folder in (run / "trials").glob("*") for p in checkpoint.checkpoints(folder)]
    return max((int(p.name.split("-")[1]) for p in found), default=0)


def test_kills_at_random_moments_of_the_whole_command_change_no_bit(
    command: Commands, home: Path, straight: Path
) -> None:
    draw, kills, runs, reached = random.Random(0), 0, 0, [0]
    whole = min(command(*fit(home / f"timed-{i}")).seconds for i in range(2))
    while kills < 20:
        run = home / f"killed-{runs}"
        code = command.killed(*fit(run), after=draw.uniform(0.0, 0.5 * whole)).code
        if code == 0:  # it was done before the kill came: the next folder
            assert_same_bits(run, straight)
            assert not [*run.rglob("*.part")]
            runs, reached = runs + 1, [0]
            continue
        assert code == -signal.SIGKILL
        kills += 1
        reached.append(steps_saved(run))
        assert reached == sorted(reached), "a step was lost that had been saved"
    assert command(*fit(run)).code == 0
    assert_same_bits(run, straight)


@pytest.mark.parametrize(
    "once",
    [
        "journal.jsonl",
        "baselines.npz",
        "trials/*/.checkpoint*.part",
        f"trials/*/checkpoint-{STEPS:09d}*",
        "report.html",
    ],
)
def test_a_kill_at_each_file_changes_no_bit(once: str, command: Commands, home: Path, straight: Path) -> None:
    run = home / f"at-{once.replace('/', '-').replace('*', 'x')}"
    command.killed(*fit(run), once=run / once)
    assert command(*fit(run)).code == 0
    assert_same_bits(run, straight)


def test_kills_during_a_search_lose_no_trial_and_begin_none_twice(command: Commands, home: Path) -> None:
    run, draw = home / "searched", random.Random(1)
    (home / "tiny.toml").write_text(TINY.to_toml())
    finite = "activation=relu,gelu,mish,silu,tanh,elu"  # the search ends when all are tried, however long that takes
    words = ["fit", "iris", "--recipe", "tiny.toml", "--search", finite, "--budget", "1h", "--out", run]
    command.killed(*words, once=run / "study.jsonl")
    for _ in range(3):
        command.killed(*words, after=draw.uniform(0.3, 1.5))
    assert command(*words).code == 0
    events = [json.loads(line) for line in (run / "study.jsonl").read_text().splitlines()]
    begun = [e["trial"] for e in events if e["event"] == "new"]
    assert begun == list(range(6))
    for trial in begun:
        points = [e["resource"] for e in events if e["event"] == "told" and e["trial"] == trial]
        assert points == sorted(set(points)), "a point was told twice"
    said = json.loads((run / "result.json").read_text())
    assert said["trials"] >= len({e["trial"] for e in events if e["event"] == "told"})


def test_an_interrupted_run_says_so_predicts_and_goes_on(command: Commands, home: Path, straight: Path) -> None:
    run = home / "interrupted"
    ended = command(*fit(run), once=run / "model.safetensors", send=signal.SIGINT)
    assert ended.code == 130
    assert ended.err == "whet: Interrupted. The same command goes on where this stopped.\n"
    assert command("predict", run, "digits").code == 0
    assert steps_saved(run) < STEPS
    assert command(*fit(run)).code == 0
    assert_same_bits(run, straight)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1])
def test_an_early_interrupt_is_one_line_too(after: float, command: Commands, home: Path) -> None:
    ended = command(*fit(home / f"early-{after}"), after=after, send=signal.SIGINT)
    assert (ended.code, ended.err.count("\n")) == (130, 1), ended.err
    assert ended.err.startswith("whet: Interrupted.")


def test_a_finished_command_prints_its_result_at_once(command: Commands, straight: Path) -> None:
    def everything() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in straight.rglob("*") if p.is_file()}

    before = everything()
    ended = command(*fit(straight))
    assert ended.code == 0
    assert "finished" in ended.out
    assert everything() == before, "something was trained or written again"


def test_a_second_process_is_refused_in_one_line(command: Commands, straight: Path) -> None:
    with open(straight / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended = command(*fit(straight))
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "in use by another whet process" in ended.err


def half_done(command: Commands, run: Path) -> Path:
    """The trial's folder of a run that was killed in the middle of its training."""
    command.killed(*fit(run), once=run / "trials" / "*" / f"checkpoint-{STEPS // 3:09d}*")
    return next((run / "trials").iterdir())


@pytest.mark.parametrize("damage", ["empty", "torn", "both"])
def test_damaged_checkpoints_cost_time_and_no_bit(damage: str, command: Commands, home: Path, straight: Path) -> None:
    run = home / f"damaged-{damage}"
    newest, *older = checkpoint.checkpoints(half_done(command, run))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"empty": b"", "torn": data[: len(data) // 2]}.get(damage, bytes(data)))
    if damage == "both":
        for path in older:
            path.write_bytes(b"nonsense")
    assert command(*fit(run)).code == 0
    assert_same_bits(run, straight)


@pytest.mark.parametrize("name", ["journal.jsonl", "trials/given/record.jsonl", "trials/given/best.safetensors"])
def test_torn_files_cost_time_and_no_bit(name: str, command: Commands, home: Path, straight: Path) -> None:
    run = home / f"torn-{Path(name).stem}"
    half_done(command, run)
    data = (run / name).read_bytes()
    (run / name).write_bytes(data[:-20])
    assert command(*fit(run)).code == 0
    assert_same_bits(run, straight)


def test_a_first_line_that_was_never_finished_is_begun_again(command: Commands, home: Path, straight: Path) -> None:
    run = home / "first-line"
    run.mkdir()
    (run / "journal.jsonl").write_bytes((straight / "journal.jsonl").read_bytes()[:30])
    assert command(*fit(run)).code == 0
    assert_same_bits(run, straight)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("needs a small tmpfs")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("this user may not mount a small tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """A file that takes all space of the disk but `leave` bytes."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(path, path.stat().st_size - leave)
    return path


@pytest.mark.parametrize("leave", [0, 8 << 10])
def test_a_full_disk_keeps_the_checkpoint_and_goes_on_when_there_is_space(
    leave: int, command: Commands, small_disk: Path, straight: Path
) -> None:
    run = small_disk / "run"
    trial = half_done(command, run)
    kept = checkpoint.checkpoints(trial)[0]
    filler = fill(small_disk, leave)
    ended = command(*fit(run))
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert "the disk is full" in ended.err
    assert [p for p in checkpoint.checkpoints(trial) if checkpoint.read(p)], "no checkpoint is whole"
    assert int(checkpoint.checkpoints(trial)[0].name.split("-")[1]) >= int(kept.name.split("-")[1])
    filler.unlink()
    assert command(*fit(run)).code == 0
    assert_same_bits(run, straight)


def test_a_disk_that_is_full_from_the_start_leaves_nothing_half_written(command: Commands, small_disk: Path) -> None:
    filler = fill(small_disk, 0)
    ended = command(*fit(small_disk / "run"))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "the disk is full" in ended.err
    assert [p for p in small_disk.rglob("*") if p.is_file()] == [filler]
