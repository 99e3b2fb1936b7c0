"""whet.compare from end to end, on small data."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import whet
from whet import cli, record
from whet.comparing import conduct, ending
from whet.errors import BudgetError, OutputError, RecipeError, UnknownName, UserError
from whet.recipe import Choice, Recipe

RECIPE = Recipe(family=Choice("mlp", width=8, depth=1), optimizer=Choice("adamw", lr=3e-3), batch_size=32)
OPTIONS = {"seeds": 3, "steps": 24, "recipe": RECIPE}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> whet.Comparison:
    out = tmp_path_factory.mktemp("compare") / "run"
    return whet.compare("iris", {"activation": ["relu", "tanh", "relu"]}, out=out, **OPTIONS)


def losses(found: whet.Comparison, arm: int) -> list[float]:
    """Of the validation rows, seed by seed."""
    return [t["loss"] for t in found.details["arms"][arm]["trainings"]]


def trainings(folder: Path) -> list[dict]:
    lines = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == "trained"]


def test_the_same_recipe_twice_has_the_same_scores_to_the_bit(finished: whet.Comparison) -> None:
    relu, _, again = finished.arms
    assert relu.scores == again.scores
    assert losses(finished, 0) == losses(finished, 2)
    assert losses(finished, 0) != losses(finished, 1)
    (pair,) = (p for p in finished.pairs if {p.first, p.second} == {"relu", "relu (2)"})
    assert pair.difference == 0
    assert not pair.clear


def test_every_arm_has_the_same_seeds_steps_and_a_tuned_rate(finished: whet.Comparison) -> None:
    assert finished.seeds == (0, 1, 2)
    assert {arm.steps for arm in finished.arms} == {24}
    assert all(len(arm.scores) == 3 for arm in finished.arms)
    made = trainings(finished.folder)
    assert len(made) == 3 * (5 + 3)
    assert {t["steps"] for t in made if t["name"].startswith("tune")} == {12}
    for arm, measured in zip(finished.details["arms"], finished.arms, strict=True):
        tried = [float(lr) for lr in arm["tuning"]["trials"]]
        assert min(tried) <= measured.lr * 1.001
        assert measured.lr <= max(tried) * 1.001
        assert {t["lr"] for t in arm["trainings"]} == {measured.lr}


def test_scores_are_those_of_the_best_weights_on_the_test_rows(finished: whet.Comparison) -> None:
    assert finished.n == finished.details["rows"]["test"] == 30
    assert all((np.asarray(arm.scores) * 30 % 1 < 1e-9).all() for arm in finished.arms)


def test_what_was_found_can_be_read_again(finished: whet.Comparison) -> None:
    again = whet.Comparison.read(finished.folder)
    assert replace(again, details={}) == replace(finished, details={})
    assert str(again) == "\n".join(again.said)
    assert (finished.folder / "report.html").read_text().startswith("<!doctype html>")


def test_a_finished_comparison_trains_nothing_again(finished: whet.Comparison) -> None:
    before = (finished.folder / "journal.jsonl").read_bytes()
    again = whet.compare("iris", {"activation": ["relu", "tanh", "relu"]}, out=finished.folder, **OPTIONS)
    assert again.said == finished.said
    assert (finished.folder / "journal.jsonl").read_bytes() == before


def test_another_comparison_does_not_go_into_the_same_folder(finished: whet.Comparison) -> None:
    with pytest.raises(UserError, match="started differently"):
        whet.compare("iris", {"activation": ["relu", "gelu"]}, out=finished.folder, **OPTIONS)


def test_workers_find_the_same_numbers(tmp_path: Path) -> None:
    asked, options = {"activation": ["relu", "tanh"]}, {**OPTIONS, "seeds": 2, "keep_lr": True}
    alone, beside = (whet.compare("iris", asked, workers=w, out=tmp_path / f"{w}", **options) for w in (1, 2))
    for arm in (0, 1):  # other numbers of threads round otherwise
        assert losses(alone, arm) == pytest.approx(losses(beside, arm), rel=0.02)
    assert not (tmp_path / "2" / "prepared").exists()


def test_a_grid_keeps_its_rate_where_the_rate_is_compared(tmp_path: Path) -> None:
    asked = {"optimizer.lr": [1e-3, 1e-2], "activation": ["relu", "tanh"]}
    found = whet.compare("iris", asked, out=tmp_path / "run", **{**OPTIONS, "seeds": 2})
    assert [arm.name for arm in found.arms] == [
        "lr 0.001 · relu",
        "lr 0.001 · tanh",
        "lr 0.01 · relu",
        "lr 0.01 · tanh",
    ]
    assert [arm.lr for arm in found.arms] == [1e-3, 1e-3, 1e-2, 1e-2]
    assert len(trainings(found.folder)) == 4 * 2


def test_batches_of_other_sizes_see_the_same_rows(tmp_path: Path) -> None:
    found = whet.compare("iris", {"batch_size": [16, 32]}, keep_lr=True, out=tmp_path / "run", **OPTIONS)
    assert [arm.steps for arm in found.arms] == [24, 12]


def test_a_rate_that_diverges_counts_and_is_said(tmp_path: Path) -> None:
    found = whet.compare(
        "iris", {"optimizer.lr": [1e-3, 1e30]}, out=tmp_path / "run", **{**OPTIONS, "seeds": 2},
    )  # fmt: skip
    assert (found.arms[1].diverged, found.arms[1].failed) == (2, 2)
    assert any("lr 1e+30 loses: 2 of its 2 trainings diverged" in line for line in found.said)


def test_a_budget_gives_every_training_the_same_time(tmp_path: Path) -> None:
    asked = {"activation": ["relu", "tanh"]}
    found = whet.compare("iris", asked, seeds=2, budget=12, by="seconds", out=tmp_path / "run", recipe=RECIPE)
    each = found.details["size"]["seconds"]
    ends = [record.read(path).steps[-1] for path in (tmp_path / "run").glob("trials/arm-*/record.jsonl")]
    assert len(ends) == 4
    assert all(end.progress == 1.0 and end.seconds >= each > 0 for end in ends), "schedules end when the time does"


def test_values_of_a_table_are_compared_by_their_error(tmp_path: Path) -> None:
    found = whet.compare("diabetes", {"optimizer": ["adamw", "sgd"]}, out=tmp_path / "run", **{**OPTIONS, "seeds": 2})
    assert (found.metric, found.direction) == ("rmse", "min")
    assert all(p.half_rows is not None for p in found.pairs)


def test_a_network_of_the_users_own_has_its_activations_replaced(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(
        "import torch.nn as nn\ndef make(outputs, shape):\n"
        "    return nn.Sequential(nn.Linear(shape[0], 8), nn.ReLU(), nn.Linear(8, outputs))\n"
    )
    found = whet.compare(
        "iris", {"activation": ["own", "relu", "tanh"]}, model=f"{file}:make", seeds=2, steps=12, keep_lr=True,
        out=tmp_path / "run",
    )  # fmt: skip
    assert losses(found, 0) == losses(found, 1)
    assert losses(found, 0) != losses(found, 2)


@pytest.mark.parametrize(
    ("asked", "options", "error", "said"),
    [
        ({"activation": ["relu", "mishh"]}, {}, UnknownName, "Did you mean 'mish'"),
        ({"optimizer": ["adamw", "adamww"]}, {}, UnknownName, "Did you mean"),
        ({"optimizer.lrr": [1, 2]}, {}, RecipeError, "no parameter 'lrr'"),
        ({"augment": ["none", "flip"]}, {}, RecipeError, "flip"),
        ({"activation": ["relu", "tanh"]}, {"seeds": 1}, UserError, "2 or more"),
        ({"activation": ["relu", "tanh"]}, {"by": "epochs"}, UserError, "steps or seconds"),
        ({"activation": ["relu", "tanh"]}, {"seeds": "5"}, UserError, "seeds='5' is no whole number"),
        ({"activation": ["relu", "tanh"]}, {"steps": -1}, UserError, "steps=-1 is no whole number"),
        ({"activation": ["relu", "tanh"]}, {"seed": 1.5}, UserError, "seed=1.5 is no whole number"),
        ({"activation": ["relu", "tanh"]}, {"seed": None}, UserError, "seed=None is no whole number"),
        (["relu", "tanh"], {}, UserError, "name no path"),
        ({3: ["relu", "tanh"]}, {}, UserError, "name no path"),
        ({"activation": ["relu", "tanh"]}, {"steps": None, "budget": 1.5}, BudgetError, "Give at least --budget"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(
    asked: dict, options: dict, error: type, said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said) as caught:
        whet.compare("iris", asked, out=tmp_path / "run", **{**OPTIONS, **options})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_time_that_is_up_leaves_a_balanced_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conduct, "time_for", lambda e, seeds: len(e.seeds) < 3)
    found = whet.compare("iris", {"activation": ["relu", "tanh"]}, out=tmp_path / "run", **{**OPTIONS, "seeds": 5})
    assert found.seeds == (0, 1, 2)
    assert all(len(arm.scores) == 3 for arm in found.arms)
    assert any("after 3 of 5 seeds" in note for note in found.notes)


def test_a_full_disk_at_the_end_costs_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, options = {"activation": ["relu", "tanh"]}, {**OPTIONS, "seeds": 2, "keep_lr": True, "out": tmp_path / "run"}
    with monkeypatch.context() as patch:
        patch.setattr(ending, "write", lambda *_: (_ for _ in ()).throw(OutputError("The disk is full.")))
        with pytest.raises(OutputError):
            whet.compare("iris", asked, **options)
    before = trainings(tmp_path / "run")
    assert len(before) == 4
    whet.compare("iris", asked, **options)
    assert trainings(tmp_path / "run") == before


def test_the_command_prints_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.toml").write_text(RECIPE.to_toml())
    words = "compare iris --activation relu,tanh --seeds 2 --steps 12 --keep-lr --recipe recipe.toml --out run"
    assert cli.run(words.split()) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Arms: relu, tanh." in out
    assert "seeds" in out
    assert "run/report.html" in out
    assert cli.run(["compare", "iris"]) == 2
    assert "Nothing is to be compared" in capsys.readouterr().err


def test_a_report_can_be_written_anew(finished: whet.Comparison, capsys: pytest.CaptureFixture) -> None:
    path = finished.folder / "report.html"
    before = path.read_text()
    path.unlink()
    assert cli.run(["report", str(finished.folder)]) == 0
    assert path.read_text() == before
    assert finished.arms[1].name in capsys.readouterr().out


def test_a_report_shows_every_arm_and_opens_offline(finished: whet.Comparison) -> None:
    page = (finished.folder / "report.html").read_text()
    for arm in finished.arms:
        assert arm.name in page
    assert "http" not in page.split("<body>")[1]
    for line in finished.said:
        assert line in page
