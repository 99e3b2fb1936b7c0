"""Texts through the whole house: fit, report, predict, export, kill and resume, bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import sentences
import torch
from commands import Commands
from safetensors.torch import load_file

import whet
from whet import cli, fields
from whet.data.prepared import Prepared
from whet.exporting import export
from whet.profiling import profile
from whet.recipe import Choice, Recipe

SMALL = Recipe(
    family=Choice("text_mix", hidden=8, bags=1, width=8, filters=8, members=2),
    activation=Choice("relu"),
    norm=Choice("none"),
    optimizer=Choice("adamw", lr=1e-2),
    augment=(Choice("word_dropout", tokens=0.1, grams=0.2),),
    batch_size=16,
)
QUICK = "10s"
"""Steps are given, so the budget says no more than that there is no time for baselines."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes to learn, and a third one in the test part alone."""
    made = tmp_path_factory.mktemp("texts") / "notes"
    made.mkdir()
    (made / "train.csv").write_text(sentences.csv(120, classes=2))
    (made / "test.csv").write_text(sentences.csv(90, seed=1))
    return made


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whet.fit(folder, recipe=SMALL, steps=40, out=tmp_path_factory.mktemp("runs") / "notes").folder


def result(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "result.json").read_text())
    return found


def test_sentences_are_told_apart_and_strange_ones_are_noticed(run: Path) -> None:
    said = result(run)
    assert said["task"] == "text-classification"
    assert said["value"] > 0.9 > said["baselines"]["majority"]
    assert said["out_of_scope"]["n"] > 10
    assert said["out_of_scope"]["auroc"] > 0.6


def test_the_report_shows_what_tells_the_classes_apart(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "What tells the classes apart" in page
    assert "How sure it is of known and of unknown texts" in page


def test_predictions_say_whether_a_text_is_known(run: Path, folder: Path, tmp_path: Path) -> None:
    found = whet.predict(run, folder / "test.csv", out=tmp_path / "p.csv")
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert list(rows[0]) == ["id", "prediction", "known", "p(food)", "p(travel)"]
    assert {row["known"] for row in rows} == {"yes", "no"}
    assert len(found) == 90


def test_a_prediction_does_not_depend_on_the_other_texts(run: Path) -> None:
    asked = [*sentences.texts(6, seed=2)[0], "", "one word", "今天天气"]
    together = whet.predict(run, asked).probabilities
    alone = np.concatenate([whet.predict(run, [text]).probabilities for text in asked])
    assert np.allclose(together, alone, atol=1e-5)


def test_the_export_says_the_same(run: Path, tmp_path: Path) -> None:
    assert export(run, out=tmp_path / "x.onnx").stat().st_size > 1_000  # refuses to write what differs


@pytest.mark.parametrize("family", ["text_bag", "text_cnn", "text_rnn", "text_transformer"])
def test_other_networks_train_and_are_exported_too(family: str, tmp_path: Path) -> None:
    params = {"text_bag": {"hidden": 4}, "text_transformer": {"width": 8, "depth": 1}}
    small = params.get(family, {"width": 8})
    recipe = SMALL.put("family", Choice(family, small)).put("batch_size", 8)
    found = whet.fit(sentences.texts(40), recipe=recipe, steps=2, budget=QUICK, out=tmp_path / "run")
    assert export(found.folder).exists()


def test_prepared_texts_go_to_other_processes_unchanged(tmp_path: Path) -> None:
    own, data = fields.field("text"), fields.load(sentences.texts(40))
    ready = own.prepare(data, own.split(data, 0))
    ready.save(tmp_path / "prepared")
    again = Prepared.load(tmp_path / "prepared", fields.transform_from)
    assert all(torch.equal(a, b) for a, b in zip(ready.inputs, again.inputs, strict=True))
    assert again.transform.to_dict() == ready.transform.to_dict()


def test_a_network_of_the_users_own_takes_tokens(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def network(spec):\n"
        "    return nn.Sequential(nn.EmbeddingBag(spec.more['vocabulary'], 8), nn.Linear(8, spec.outputs))\n"
    )
    found = whet.fit(
        sentences.texts(40), model=f"{tmp_path}/mine.py:network", steps=3, budget=QUICK, out=tmp_path / "run"
    )
    assert len(found.predict(["some text"], model=f"{tmp_path}/mine.py:network")) == 1


def test_several_labels_are_learned(tmp_path: Path) -> None:
    found, labels = sentences.texts(150)
    both = [
        [label, "late"] if "yesterday" in text or "twice" in text else [label]
        for text, label in zip(found, labels, strict=True)
    ]
    recipe = SMALL.put("loss", "auto").put("family.members", 0)
    result = whet.fit((found, both), recipe=recipe, steps=60, out=tmp_path / "run")
    assert result.task == "text-multilabel"
    assert result.value > result.baselines["majority"] + 0.2
    said = result.predict(["the cook served soup with salt yesterday"])
    assert set(said.values[0].split("|")) <= {"food", "late", "travel", "weather"}
    assert export(result.folder).exists()


def test_values_are_learned_from_texts(tmp_path: Path) -> None:
    found, labels = sentences.texts(120)
    stars = [
        {"food": 1.25, "travel": 3.5, "weather": 5.75}[label] + len(text) / 1000
        for text, label in zip(found, labels, strict=True)
    ]
    result = whet.fit((found, stars), recipe=SMALL, steps=60, out=tmp_path / "run")
    assert result.value < 0.6 * result.baselines["mean"]


def test_a_profile_says_how_long_texts_are_and_what_training_lacks(folder: Path) -> None:
    rows = {row.name: row.value for section in profile(folder).sections for row in section.rows}
    assert "on average" in rows["words in a text"]
    assert rows["out of scope"].isdecimal()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["fit", "x.csv", "--text", "txet"], "Did you mean 'text'"),
        (["fit", "one.csv"], "one class only"),
        (["fit", "same.csv", "--text", "text"], "all texts are the same"),
        (["fit", "x.csv", "--split", "nothing"], "no column and no file"),
        (["predict", "RUN", "zero.txt"], "holds binary data"),
        (["predict", "RUN", "empty"], "holds no texts"),
    ],
)
def test_bad_input_is_one_clear_line(
    words: list[str],
    why: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text(sentences.csv(40))
    Path("one.csv").write_text(
        "text,label\n" + "".join(f"{text},x\n" for text in sentences.texts(40)[0]).replace(" ,", "")
    )
    Path("same.csv").write_text("text,label\n" + "it was all the same,a\nit was all the same,b\n" * 20)
    Path("zero.txt").write_bytes(b"a\0b")
    Path("empty").mkdir()
    assert cli.run([str(run) if word == "RUN" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert why in said


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    (folder / "recipe.toml").write_text(SMALL.to_toml())
    return folder


def test_kills_change_no_bit(folder: Path, command: Commands, home: Path) -> None:
    def words(name: str) -> list[object]:
        return ["fit", folder, "--recipe", "recipe.toml", "--steps", 12, "--budget", QUICK, "--out", name]

    assert command(*words("straight")).code == 0
    for once in ("baselines.npz", "trials/*/checkpoint-*4.*", "trials/*/checkpoint-*9.*"):
        command.killed(*words("killed"), once=home / "killed" / once)
    assert command(*words("killed")).code == 0
    a, b = (load_file(home / name / "model.safetensors") for name in ("straight", "killed"))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert result(home / "straight")["value"] == result(home / "killed")["value"]
