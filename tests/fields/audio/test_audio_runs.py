"""Sound through the whole house: fit, report, predict, export, workers' files, kill and resume, bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sounds import RATE, named, tone, tunes, write

import whet
from whet import cli, fields
from whet.data.core import Roles
from whet.data.prepared import Prepared
from whet.exporting import export
from whet.fields.base import Wanted
from whet.network import Network
from whet.recipe import Choice, Recipe

SMALL = Recipe(
    family=Choice("audio_cnn", widths=(8, 16)),
    optimizer=Choice("adamw", lr=1e-2),
    schedule=Choice("linear"),
    augment=(Choice("time_shift", seconds=0.02), Choice("speed", share=0.02), Choice("time_mask"), Choice("noise")),
    regularise=(Choice("mixup", until=0.5),),
    batch_size=8,
)
WRITING = Recipe(
    family=Choice("audio_crnn", widths=(8, 16), width=24, dropout=0.0),
    optimizer=Choice("adamw", lr=1e-2),
    regularise=(Choice("clip"),),
    augment=(Choice("speed", share=0.05),),
    batch_size=8,
)


@pytest.fixture(scope="module")
def run(classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whet.fit(classes, recipe=SMALL, steps=60, out=tmp_path_factory.mktemp("runs") / "classes").folder


@pytest.fixture(scope="module")
def written(spoken: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whet.fit(spoken, recipe=WRITING, steps=70, out=tmp_path_factory.mktemp("runs") / "tunes").folder


def result(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def test_tones_are_told_apart(run: Path) -> None:
    said = result(run)
    assert said["task"] == "audio-classification"
    assert said["value"] > 0.9
    assert said["baselines"]["majority"] < 0.5


def test_the_report_shows_recordings_before_and_after_augmentation(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "Before and after augmentation" in page
    assert "Changed by: time_shift, speed, time_mask, noise." in page


def test_files_and_folders_are_predicted(run: Path, classes: Path, tmp_path: Path) -> None:
    alone = whet.predict(run, classes / "low" / "3.wav")
    assert list(alone.values) == ["low"]
    x = tone(600, 0.25, rate=8_000)
    write(tmp_path / "other" / "stereo.flac", np.stack([x, x], 1), 8_000)
    assert list(whet.predict(run, tmp_path / "other").values) == ["middle"]
    whole = whet.predict(run, classes, out=tmp_path / "p.csv")
    assert whole.scores["accuracy"] > 0.9
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert set(rows[0]) == {"id", "prediction", "p(high)", "p(low)", "p(middle)"}


def test_the_export_hears_samples_and_says_the_same(run: Path, written: Path, tmp_path: Path) -> None:
    for folder in (run, written):  # refuses to write what differs
        assert export(folder, out=tmp_path / f"{folder.name}.onnx").stat().st_size > 1_000


def test_tunes_are_written_down(written: Path, spoken: Path, tmp_path: Path) -> None:
    said = result(written)
    assert (said["task"], said["metric"], said["direction"]) == ("audio-transcription", "word_error_rate", "min")
    assert said["value"] < 0.2 < said["baselines"]["majority"]
    found = whet.predict(written, spoken, out=tmp_path / "p.csv")
    assert found.scores["word_error_rate"] < 0.2
    assert "written down" in (written / "report.html").read_text()


@pytest.mark.parametrize("family", ["audio_wave", "audio_rnn", "audio_transformer", "resnet"])
def test_other_networks_train_too(family: str, classes: Path, tmp_path: Path) -> None:
    params = {"audio_wave": {"widths": (8, 8)}, "audio_rnn": {"width": 8}, "resnet": {"depth": 10, "width": 0.25}}
    recipe = Recipe(family=Choice(family, params.get(family, {"width": 16, "depth": 1})), batch_size=8)
    found = whet.fit(classes, recipe=recipe, steps=2, out=tmp_path / "run")
    assert found.n > 0
    assert len(whet.predict(found.folder, classes / "low")) == 20


def test_a_network_of_the_users_own_takes_spectrograms(classes: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def network():\n"
        "    return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3))\n"
    )
    found = whet.fit(classes, model=f"{tmp_path}/mine.py:network", steps=2, out=tmp_path / "run")
    assert len(found.predict(classes / "low", model=f"{tmp_path}/mine.py:network")) == 20


def test_prepared_recordings_go_to_other_processes_unchanged(classes: Path, spoken: Path, tmp_path: Path) -> None:
    for source in (classes, spoken):
        data, own = fields.load(source), fields.field("audio")
        ready = own.prepare(data, own.split(data, 0))
        ready.save(tmp_path / source.name)
        again = Prepared.load(tmp_path / source.name, fields.transform_from)
        assert all(torch.equal(a, b) for a, b in zip(ready.inputs, again.inputs, strict=True))
        assert again.transform == ready.transform
        assert type(again.scale) is type(ready.scale)
        assert np.array_equal(again.raw_target, ready.raw_target)


def test_the_baselines_are_an_experts_and_keep_to_their_time(classes: Path) -> None:
    data, own = fields.load(classes), fields.field("audio")
    parts = own.split(data, 0)
    ready, task = own.prepare(data, parts), own.task(data)
    made = {b.name: b for b in own.baselines(Wanted(data, parts, ready, task, 60.0, 1, 0))}
    truth = data.y[parts["test"]]
    assert list(made) == ["majority", "linear", "svm"]
    assert task.score(truth, made["linear"].predicted) == task.score(truth, made["svm"].predicted) == 1.0
    hurried = {b.name: b for b in own.baselines(Wanted(data, parts, ready, task, 0.01, 1, 0))}
    assert hurried["svm"].predicted is None
    assert hurried["svm"].note.startswith("skipped")


def test_the_profile_says_what_was_recorded_and_by_whom(tmp_path: Path) -> None:
    from whet.profiling import profile

    found = profile(named(tmp_path, ["ann", "bob", "cid"]), pattern="{label}_{speaker}_{index}")
    rows = {row.name: row.value for section in found.sections for row in section.rows}
    assert rows["recordings"] == "36"
    assert rows["rate"] == f"{RATE:,} Hz (36)"
    assert rows["speakers"] == "3"
    assert any(
        row.value == "drawn, speakers of its own" or "own" in row.suggestion for s in found.sections for row in s.rows
    )


def test_values_are_learned_from_a_table(tmp_path: Path) -> None:
    lines = ["path,label"]
    for i in range(40):
        pitch = 200 + 40 * i
        write(tmp_path / f"{i}.wav", tone(pitch, 0.2, seed=i))
        lines.append(f"{i}.wav,{pitch}.5")
    (tmp_path / "pitch.csv").write_text("\n".join(lines) + "\n")
    recipe = Recipe(family=Choice("audio_cnn", widths=(8, 16)), optimizer=Choice("adamw", lr=1e-2), batch_size=8)
    found = whet.fit(tmp_path / "pitch.csv", task="regression", recipe=recipe, steps=60, out=tmp_path / "run")
    assert found.value < 0.5 * found.baselines["mean"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["predict", "RUN", "silent.wav"], "is silent"),
        (["predict", "RUN", "torn.wav"], "truncated"),
        (["predict", "RUN", "nothing"], "holds no recordings"),
        (["fit", "nowhere/sounds", "--pattern", "{label}"], "no file or folder"),
        (["predict", "RUN", "nowhere"], "no file or folder 'nowhere'. Check the path"),
        (["fit", "nothing", "--pattern", "{label}_{index}"], "holds no recordings"),
        (["fit", "torn.wav"], "says nothing of its recordings"),
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
    write(Path("silent.wav"), np.zeros(2_000))
    whole = write(Path("torn.wav"), tone(500, 0.3)).read_bytes()
    Path("torn.wav").write_bytes(whole[:900])
    Path("nothing").mkdir()
    assert cli.run([str(run) if word == "RUN" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert why in said


def test_steps_are_labelled_by_what_came_before(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((100, 12, 2)).astype(np.float32)
    y = (x[..., 0].cumsum(1) > 0).astype(np.int64)
    y[:, 0] = -100
    found = whet.fit((x, y), task="label-steps", steps=80, out=tmp_path / "run")
    assert found.value > max(found.baselines.values()) + 0.05
    said = found.predict(x[:2])
    assert len(said.columns["prediction"][0].split()) == 12
    assert export(tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.zeros((4, 5)), np.zeros((4, 5), int), "X has the shape"),
        (np.zeros((4, 5, 2)), np.zeros((4, 5)), "Give whole numbers"),
        (np.full((4, 5, 2), np.nan), np.zeros((4, 5), int), "NaN"),
        (np.zeros((4, 5, 2)), np.full((4, 5), -100), "0 class only"),
    ],
)
def test_sequences_that_cannot_be_learned_from_are_refused(x: np.ndarray, y: np.ndarray, why: str) -> None:
    with pytest.raises(whet.DataError, match=why):
        fields.load((x, y), task="label-steps")


def test_the_same_clip_in_two_parts_is_found(tmp_path: Path) -> None:
    for i in range(12):
        for name, pitch in (("low", 300), ("high", 900)):
            write(tmp_path / name / f"{i}.wav", tone(pitch, 0.2, seed=0 if i > 4 else i))
    data, own = fields.load(tmp_path, roles=Roles()), fields.field("audio")
    found = own.copies(data, own.split(data, 0))
    assert found is not None
    assert found.name == "duplicates-across-splits"


def test_a_network_is_loaded_as_it_was(run: Path, classes: Path) -> None:
    clips = fields.load(classes).x[np.arange(5)]
    one, two = (Network.load(run).predict(clips) for _ in range(2))
    assert np.array_equal(one, two)


def test_tunes_in_a_table_can_be_split_by_another(tmp_path: Path) -> None:
    tunes(tmp_path, count=8)
    lines = ["path,split", *(f"x-{i:02}.wav,{'test' if i > 5 else 'train'}" for i in range(8))]
    (tmp_path / "parts.csv").write_text("\n".join(lines) + "\n")
    data = fields.load(tmp_path / "transcripts.csv", split=str(tmp_path / "parts.csv"))
    assert (data.goal, data.target) == ("transcribe", "transcript")
    assert data.official["test"].tolist() == [6, 7]
