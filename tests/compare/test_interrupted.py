"""Whatever happens in between, no training is lost or done twice, and Ctrl-C says what can be said."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))
from commands import Commands

from whet.recipe import Choice, Recipe

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="commands are forked")
RECIPE = Recipe(family=Choice("mlp", width=8, depth=1), optimizer=Choice("adamw", lr=3e-3), batch_size=32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "recipe.toml").write_text(RECIPE.to_toml())
    return folder


@pytest.fixture(scope="module")
def whet(home: Path) -> Iterator[Commands]:
    commands = Commands(home)
    yield commands
    commands.close()


def compare(folder: str) -> list[object]:
    words = "compare iris --activation relu,tanh --seeds 4 --steps 12 --recipe recipe.toml --out"
    return [*words.split(), folder]


@pytest.fixture(scope="module")
def straight(whet: Commands, home: Path) -> dict:
    ended = whet(*compare("straight"))
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
    "once", ["tune-1-lr-0.003/best*", "tune-2-*/best*", "arm-1-seed-0/record*", "arm-2-seed-3/best*"]
)
def test_a_killed_comparison_goes_on_and_ends_the_same(once: str, whet: Commands, home: Path, straight: dict) -> None:
    run = home / f"killed-{once.partition(chr(47))[0].strip(chr(42))}"
    assert whet.killed(*compare(run.name), once=run / "trials" / once).code == -signal.SIGKILL
    done = set(names_trained(run)) if (run / "journal.jsonl").exists() else set()
    assert whet(*compare(run.name)).code == 0
    trained = names_trained(run)
    assert done <= set(trained)
    assert set(trained.values()) == {1}, "a training was done twice"
    assert numbers(result(run)) == numbers(straight)


def test_an_interrupt_keeps_what_is_done_and_says_what_it_shows(whet: Commands, home: Path, straight: dict) -> None:
    run = home / "interrupted"
    ended = whet(*compare("interrupted"), once=run / "trials" / "arm-2-seed-3" / "recipe.toml", send=signal.SIGINT)
    assert ended.code == 130
    assert ended.err == "whet: Interrupted. The same command goes on where this stopped.\n"
    assert "So far, after 3 of 4 seeds, on the validation rows:" in ended.out
    assert not (run / "compare.json").exists()
    assert whet(*compare("interrupted")).code == 0
    assert numbers(result(run)) == numbers(straight)
