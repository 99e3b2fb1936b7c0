"""The contest between recipes: who is compared, who is delivered, and what a restart remembers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from setups import SMALL, images, prepared_of, same_bits, task_of

import whet
from whet import contest, improve
from whet.exporting import export
from whet.fields import field
from whet.journal import Journal
from whet.network import Network
from whet.recipe import Choice, Recipe
from whet.runners.trial import Trial, open_trial
from whet.search.first import Candidate
from whet.search.race import Score
from whet.train.horizon import Clock, Horizon
from whet.train.loop import Best
from whet.train.plan import Plan


def trial(folder: Path) -> Trial:
    data = images()
    return open_trial("one", SMALL, task_of(data), prepared_of(data), 0, Plan(), folder)


def test_what_is_compared_is_what_would_be_delivered(tmp_path: Path) -> None:
    one = trial(tmp_path)
    one.advance(Horizon(steps=60))
    training = one.training
    assert training.best is not None
    assert training.best_weights is not None
    good = one.best_score
    training.best = Best(0.99, 1, {"accuracy": 0.99, "loss": 0.0})
    spoilt = {k: torch.zeros_like(v) for k, v in training.best_weights.items()}
    training.best_weights = spoilt
    rows = one.best_score.rows
    assert rows is not None
    assert good.rows is not None
    assert one.best_score.value == 0.99
    assert rows.mean() > good.rows.mean(), "the rows are not those of the best weights"
    assert all(torch.equal(a, b) for a, b in zip(one.training.parts.model.state_dict().values(), own(one), strict=True))


def own(one: Trial) -> list[torch.Tensor]:
    return [v.clone() for v in one.training.parts.model.state_dict().values()]


def at(steps: int, done: int, seconds: float, folder: Path) -> Trial:
    """A trial that has done some of its steps in so many seconds."""
    one = open_trial("one", SMALL.put("steps", steps), task_of(images()), prepared_of(images()), 0, Plan(), folder)
    one.training.step, one.training.seconds = done, seconds
    return one


@pytest.mark.parametrize(
    ("done", "left", "crumb"),
    [
        (30, 8.0, True),  # 7 s to go: the second after that is of no use to another training
        (30, 6.0, False),  # the clock will end it anyhow
        (30, 20.0, False),  # there is time for another one
        (10, 10.0, False),  # too early to know the speed
        (60, 5.0, False),  # the learning rate is falling already
    ],
)
def test_a_training_takes_the_crumbs_of_time_too(done: int, left: float, crumb: bool, tmp_path: Path) -> None:
    assert contest.leaves_a_crumb(at(100, done, done * 0.1, tmp_path), left) is crumb


def test_a_training_that_the_clock_ends_is_one_after_a_restart_too(tmp_path: Path) -> None:
    one = at(100, 0, 0.0, tmp_path)
    one.end_by_the_clock()
    again = open_trial("one", SMALL.put("steps", 100), task_of(images()), prepared_of(images()), 0, Plan(), tmp_path)
    assert again.recipe.steps == one.recipe.steps == 0
    assert again.recipe.put("steps", 100) == SMALL.put("steps", 100)


CANDIDATE = Candidate("one", SMALL.put("steps", 100), "as it is")


@pytest.mark.parametrize(
    ("left", "steps"), [(20.0, 100), (13.0, 0), (5.0, 0), (0.5, None)], ids=["whole", "a bit longer", "cut", "too late"]
)
def test_a_candidate_fits_into_the_time_that_is_left(left: float, steps: int | None) -> None:
    found = contest.fitted(CANDIDATE, left, pace=0.1)
    assert (found and found.recipe.steps) == steps
    assert found is None or found.recipe.put("steps", 100) == CANDIDATE.recipe


def test_there_is_a_candidate_for_each_worker_until_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run: Any = SimpleNamespace(workers=2)
    for left, expected in ((50.0, 2), (3.0, 2), (0.9, 0)):
        monkeypatch.setattr(contest, "time_to_train", lambda _, left=left: left)
        assert len(contest.next_group(run, itertools.repeat(CANDIDATE), 0.1, least=1.1)) == expected


def test_the_quickest_training_leaves_off_when_the_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training of some milliseconds always fitted once more: the moment that is never counted as over was longer."""
    one = at(100, 100, 0.001, tmp_path)
    run: Any = SimpleNamespace(
        order=SimpleNamespace(steps=0, seed=0), fixed=None, winner="one", journal=Journal(tmp_path / "journal.jsonl"),
        clock=Clock(0.0), parts={"test": ()}, workers=1, candidates=[],
        runner=SimpleNamespace(trial=lambda name: one),
        delivery=SimpleNamespace(seconds_to_finish=lambda rows: 0.0, finish=lambda trial: None),
    )  # fmt: skip
    monkeypatch.setattr(contest, "nearby", lambda *_: itertools.repeat(CANDIDATE))
    monkeypatch.setattr(contest, "settle", lambda *_: pytest.fail("there was no time for it"))
    contest.explore(run)
    assert run.candidates == []


class Killed(BaseException):
    pass


def test_a_restart_keeps_the_winner_that_was_found_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    small = Choice("tabular", width=8, depth=1, members=2, bins=4)
    better = Recipe(family=small, norm=Choice("none"), batch_size=32, steps=25, optimizer=Choice("adamw", lr=0.01))
    monkeypatch.setattr(
        field("table"), "portfolio", lambda facts: [Candidate("plain", better.put("steps", 12), "plain")]
    )
    monkeypatch.setattr(contest, "nearby", lambda *_: iter([Candidate("longer", better, "longer")]))
    monkeypatch.setattr(contest, "clearly_better", lambda new, old, tries: True)

    with monkeypatch.context() as dying:
        dying.setattr(improve, "conclude", raising(Killed))
        with pytest.raises(Killed):
            whet.fit("iris", budget=40, out=tmp_path / "run")
    before = load_file(tmp_path / "run" / "model.safetensors")
    monkeypatch.setattr(contest, "AGAIN", 1e9)  # no time for another neighbour
    result = whet.fit("iris", budget=40, out=tmp_path / "run")
    assert result.details["winner"] == "longer"
    assert same_bits(load_file(tmp_path / "run" / "model.safetensors"), before)


def test_a_restart_goes_on_with_the_candidate_that_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    small = Choice("tabular", width=8, depth=1, members=2, bins=4)
    recipe = Recipe(family=small, norm=Choice("none"), batch_size=32, steps=12, optimizer=Choice("adamw", lr=0.01))
    monkeypatch.setattr(field("table"), "portfolio", lambda facts: [Candidate("plain", recipe, "plain")])
    monkeypatch.setattr(contest, "nearby", lambda *_: iter([Candidate("begun", recipe.put("steps", 10), "near")]))
    with monkeypatch.context() as dying:
        dying.setattr(contest, "settle", raising(Killed))
        with pytest.raises(Killed):
            whet.fit("iris", budget=40, out=tmp_path / "run")
    monkeypatch.setattr(contest, "nearby", lambda *_: iter([]))
    result = whet.fit("iris", budget=40, out=tmp_path / "run")
    assert result.details["trials"] == 2
    kept = [p.parent.name for p in (tmp_path / "run").glob("trials/*/checkpoint-*")]
    assert set(kept) == {result.details["winner"]}, "what is not needed any more takes space"


def raising(error: type[BaseException]) -> Callable[..., None]:
    def kill(*_: object) -> None:
        raise error

    return kill


def test_an_exported_network_that_was_trained_on_mirror_images_says_what_predict_says(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    x, y = random.integers(0, 255, (60, 12, 12, 3), dtype=np.uint8), np.arange(60) % 2
    recipe = SMALL.put("augment", (Choice("flip"),)).put("batch_size", 8)
    whet.fit((x, y), recipe=recipe, steps=6, out=tmp_path / "run")
    import onnxruntime

    session = onnxruntime.InferenceSession(str(export(tmp_path / "run")), providers=["CPUExecutionProvider"])
    network = Network.load(tmp_path / "run")
    network.plan = Plan()
    np.testing.assert_allclose(session.run(None, {"image": x})[0], network.predict(x), atol=1e-4)
    assert Score(1.0).rows is None
