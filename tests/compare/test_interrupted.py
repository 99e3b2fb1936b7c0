"""Whatever happens in between, no training is lost or done twice, and Ctrl-C says what can be said."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest
from commands import Commands

from whet.recipe import Choice, Recipe

RECIPE = Recipe(family=Choice("mlp", width=8, depth=1), optimizer=Choice("adamw", lr=3e-3), batch_size=32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "recipe.toml").write_text(RECIPE.to_toml())
    return folder


def compare(folder: str) -> list[object]:
    words = "compare iris --activation relu,tanh --seeds 3 --steps 8 --recipe recipe.toml --out"
    return [*words.split(), folder]


@pytest.fixture(scope="module")
def straight(command: Commands, home: Path) -> dict:
    ended = command(*compare("straight"))
    assert ended.code == 0, ended.err
    return result(home / "straight")


def result(run: Path) -> dict:
    return json.loads((run / "compare.json").read_text())


def names_trained(run: Path) -> Counter[str]:
    lines = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    return Counter(line["name"] for line in lines if line["event"] == "trained")


def numbers(found: dict) -> list[object]:
    """All but the clock's."""
    arms = [(arm["name"], arm["scores"], arm["lr"], [t["loss"] for t in arm["trainings"]]) for arm in found["arms"]]
    return [arms, found["said"], [(p["difference"], p["half"]) for p in found["pairs"]]]


@pytest.mark.parametrize(
    "once", ["tune-1-lr-0.003/best*", "tune-2-*/best*", "arm-1-seed-0/record*", "arm-2-seed-2/best*"]
)
def test_a_killed_comparison_goes_on_and_ends_the_same(
    once: str, command: Commands, home: Path, straight: dict
) -> None:
    run = home / f"killed-{once.partition(chr(47))[0].strip(chr(42))}"
    assert command.killed(*compare(run.name), once=run / "trials" / once).code == -signal.SIGKILL
    done = set(names_trained(run)) if (run / "journal.jsonl").exists() else set()
    assert command(*compare(run.name)).code == 0
    trained = names_trained(run)
    assert done <= set(trained)
    assert set(trained.values()) == {1}, "a training was done twice"
    assert numbers(result(run)) == numbers(straight)


def test_an_interrupt_keeps_what_is_done_and_says_what_it_shows(command: Commands, home: Path, straight: dict) -> None:
    run = home / "interrupted"
    ended = command(*compare("interrupted"), once=run / "trials" / "arm-2-seed-2" / "recipe.toml", send=signal.SIGINT)
    assert ended.code == 130
    assert ended.err == "whet: Interrupted. The same command goes on where this stopped.\n"
    assert "So far, after 2 of 3 seeds, on the validation rows:" in ended.out
    assert not (run / "compare.json").exists()
    assert command(*compare("interrupted")).code == 0
    assert numbers(result(run)) == numbers(straight)
