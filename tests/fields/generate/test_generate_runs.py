"""Generation through the whole house: fit, report, generate, what is refused, workers' files, kill and resume, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from commands import Commands
from drawn_bars import bars
from PIL import Image
from safetensors.torch import load_file

import whet
from whet import fields
from whet.data.prepared import Prepared
from whet.errors import DataError, OutputError, UserError
from whet.exporting import export
from whet.fields.generate.recipes import FEW, flow, recipes, row_flow
from whet.recipe import Choice
from whet.search.first import Facts

SMALL = flow(16).put("family.width", 8).put("family.steps", 2)
ROWS = row_flow(32).put("family.width", 16).put("family.depth", 1).put("family.steps", 2)


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "bars"
    return whet.fit(pictures, task="generate", recipe=SMALL, steps=24, out=out).folder


@pytest.fixture(scope="module")
def rows(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "people"
    return whet.fit(table, task="generate", recipe=ROWS, steps=24, out=out).folder


def result(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def test_pictures_that_were_made_are_nearer_than_noise(run: Path) -> None:
    said = result(run)
    assert (said["task"], said["metric"], said["direction"]) == ("pictures-generation", "frechet", "min")
    known = said["baselines"]
    assert known["training_pictures"] < known["gaussian_pixels"]
    assert set(said["metrics"]) == {"frechet", "precision", "recall"}
    assert said["memorised"]["test"] > 0
    assert "small classifier trained here" in said["judged_in"]


def test_the_report_shows_what_was_made_beside_the_nearest(run: Path) -> None:
    page = (run / "report.html").read_text()
    for words in ("Made by the network", "Is it copied?", "Every metric", "whet generate"):
        assert words in page


def test_the_floor_is_no_rival(run: Path) -> None:
    from whet.report import wording

    said = {"value": 2.0, "ci95": [1.9, 2.1], "direction": "min", "baselines": {"floor": 1.0, "rival": 4.0}}
    assert "rival" in wording.verdict({**said, "bounds": ["floor"]})
    assert result(run)["bounds"] == ["training_pictures"]


def test_the_same_seed_makes_the_same_however_many(run: Path) -> None:
    few, many, other = whet.generate(run, 4), whet.generate(run, 6), whet.generate(run, 4, seed=1)
    assert few["pictures"].shape == (4, 8, 8, 1)
    assert few["labels"] == ["lying", "standing", "lying", "standing"]
    assert (
        np.abs(few["pictures"].astype(int) - many["pictures"][:4]).max() <= 1
    )  # batches of another size round otherwise
    assert not np.array_equal(few["pictures"], other["pictures"])


def test_pictures_go_to_a_sheet_an_archive_or_a_folder(run: Path, tmp_path: Path) -> None:
    whet.generate(run, 6, out=tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[0] > 56
    whet.generate(run, 6, out=tmp_path / "made.npz", label="lying")
    with np.load(tmp_path / "made.npz") as made:
        assert made["x"].shape == (6, 8, 8, 1)
        assert set(made["y"]) == {"lying"}
    whet.generate(run, 3, out=tmp_path / "made")
    assert len(list((tmp_path / "made" / "lying").glob("*.png"))) == 2


def test_what_a_generator_can_not_do_is_said_in_one_line(run: Path, rows: Path, pictures: Path) -> None:
    for folder in (run, rows):
        with pytest.raises(DataError, match="whet generate RUN"):
            whet.predict(folder, pictures)
        with pytest.raises(OutputError, match="not exported"):
            export(folder)
        with pytest.raises(UserError, match="n=0"):
            whet.generate(folder, 0)
    with pytest.raises(OutputError, match="lying, standing"):
        whet.generate(run, label="leaning")
    with pytest.raises(OutputError, match="filter them"):
        whet.generate(rows, label="boss")


def test_a_run_that_predicts_makes_nothing(tmp_path: Path) -> None:
    found = whet.fit("iris", steps=2, out=tmp_path / "run")
    with pytest.raises(OutputError, match="makes no examples"):
        whet.generate(found.folder)


@pytest.mark.parametrize("family", ["conv_vae", "gan"])
def test_other_networks_make_pictures_too(family: str, tmp_path: Path) -> None:
    recipe = SMALL.put("family", Choice(family, width=8)).put("norm", Choice("batch"))
    found = whet.fit(bars(80), task="generate", recipe=recipe, steps=4, out=tmp_path / "run")
    assert np.isfinite(found.value)
    assert ("bits_per_dim_bound" in found.details) == (family == "conv_vae")
    assert whet.generate(found.folder, 2)["pictures"].shape == (2, 8, 8, 1)


def test_a_network_of_the_users_own_is_a_velocity(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "class Mine(nn.Module):\n"
        "    def __init__(self, shape):\n"
        "        super().__init__()\n"
        "        self.inside = nn.Conv2d(shape[0], shape[0], 3, padding=1)\n"
        "    def forward(self, x, t, label):\n"
        "        return self.inside(x) * t.view(-1, 1, 1, 1)\n"
        "def network(shape):\n"
        "    return Mine(shape)\n"
    )
    mine = f"{tmp_path}/mine.py:network"
    found = whet.fit(bars(80), task="generate", model=mine, steps=2, out=tmp_path / "run")
    assert whet.generate(found.folder, 3, model=mine)["pictures"].shape == (3, 8, 8, 1)


def test_rows_that_were_made_are_rows_of_the_table(rows: Path, table: Path, tmp_path: Path) -> None:
    whet.generate(rows, 30, out=tmp_path / "made.csv")
    made, real = pl.read_csv(tmp_path / "made.csv"), pl.read_csv(table)
    assert made.schema == real.schema
    assert made.height == 30
    assert set(made["job"]) <= set(real["job"])
    assert made["age"].is_between(18, 79).all()
    whet.generate(rows, 5, out=tmp_path / "made.parquet")
    assert pl.read_parquet(tmp_path / "made.parquet").height == 5


def test_rows_are_judged_by_what_they_teach_and_what_they_give_away(rows: Path) -> None:
    said = result(rows)
    assert set(said["baselines"]) == {"training_rows", "gaussian_copula", "columns_alone"}
    assert said["baselines"]["gaussian_copula"] < said["baselines"]["columns_alone"]
    assert said["usefulness"]["trained_on_real"] > 0.5
    assert set(said["column_distances"]) == {"age", "pay", "job"}
    assert said["privacy"]["made_copies"] == 0
    page = (rows / "report.html").read_text()
    assert "Made rows" in page
    assert "Privacy" in page


def test_pictures_without_classes_are_made_without_classes(tmp_path: Path) -> None:
    for i, x in enumerate(bars(60)[0]):
        Image.fromarray(x).save(tmp_path / f"{i}.png")
    data = fields.load(tmp_path, task="generate")
    assert data.classes == ()
    assert any("no class folders" in said for said in data.said)
    own = fields.field("pictures")
    ready = own.prepare(data, own.split(data, 0))
    assert "how they are turned" in ready.said[-1]
    assert fields.load(bars(60)[0], task="generate").classes == ()


def test_large_pictures_are_made_smaller_and_it_is_said() -> None:
    pictures = np.repeat(np.arange(60, dtype=np.uint8), 100 * 150).reshape(60, 100, 150)
    data = fields.load((pictures, np.arange(60) % 2), task="generate")
    assert any("48 x 32" in said for said in data.said)


def test_labels_that_name_pictures_are_no_classes() -> None:
    data = fields.load((bars(60)[0], np.arange(60) // 2), task="generate")
    assert data.classes == ()


@pytest.mark.parametrize("task", ["generate", "generation"])
def test_what_is_too_little_is_refused(task: str) -> None:
    with pytest.raises(DataError, match="12 pictures"):
        fields.load(bars(12), task=task)
    with pytest.raises(DataError, match="All 60 pictures of .* are the same"):
        fields.load((np.zeros((60, 8, 8), np.uint8), np.zeros(60, int)), task=task)
    with pytest.raises(DataError, match="10 rows"):
        fields.load(pl.DataFrame({"a": range(10), "b": [1.5, 2.5] * 5}), task=task)


def test_tables_of_texts_alone_are_refused() -> None:
    texts = [f"this is the {i}th of some long sentences that nobody has written before {i * 37}" for i in range(60)]
    with pytest.raises(DataError):
        fields.load(pl.DataFrame({"review": texts, "stars": [1, 2, 3] * 20}), task="generate")


def test_prepared_pictures_go_to_other_processes_with_their_judge(tmp_path: Path) -> None:
    own, data = fields.field("pictures"), fields.load(bars(60), task="generate")
    ready = own.prepare(data, own.split(data, 0))
    ready.save(tmp_path)
    again = Prepared.load(tmp_path, fields.transform_from)
    x = data.x[:5]
    assert np.array_equal(again.scale.of_pixels(x), ready.scale.of_pixels(x))
    assert again.transform == ready.transform


def test_where_time_is_short_an_autoencoder_comes_first() -> None:
    facts = Facts("pictures", "generate", FEW, (1, 28, 28), 10, seconds=60.0)
    assert recipes(facts)[0].name == "flow"
    assert recipes(Facts(**{**vars(facts), "rate": 100.0}))[0].name == "vae"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    (folder / "recipe.toml").write_text(SMALL.to_toml())
    return folder


def test_kills_change_no_bit(command: Commands, home: Path, pictures: Path) -> None:
    def words(folder: str) -> list[object]:
        return ["fit", pictures, "--task", "generate", "--recipe", "recipe.toml", "--steps", 9, "--out", folder]

    assert command(*words("straight")).code == 0
    for once in ("baselines.npz", "trials/*/checkpoint-*5.*"):
        command.killed(*words("killed"), once=home / "killed" / once)
    assert command(*words("killed")).code == 0
    a, b = (load_file(home / name / "model.safetensors") for name in ("straight", "killed"))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert result(home / "straight")["value"] == result(home / "killed")["value"]


def test_commands_make_pictures_and_say_what_they_are_for(
    command: Commands, home: Path, pictures: Path, run: Path
) -> None:
    ended = command("generate", run, "--n", 4, "--out", "made.png")
    assert ended.code == 0
    assert "4 pictures are in made.png" in ended.out
    refused = command("predict", run, pictures)
    assert refused.code == 2
    assert "whet generate RUN" in refused.err
