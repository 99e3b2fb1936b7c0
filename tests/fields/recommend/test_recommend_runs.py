"""Recommendation through the whole house: fit, report, predict, export, kill and resume, a network of one's own."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from interactions import walks
from safetensors.torch import load_file

import whet
from whet.cli import run as command
from whet.report.stored import load as stored
from whet.train import checkpoint, loop

ASKED = {"user": "who", "item": "what", "rating": "stars", "time": "when"}


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """Threads of small networks on a busy machine wait for each other."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {random.choice([*before])})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    walks().write_csv(path := tmp_path_factory.mktemp("walks") / "walks.csv")
    return path


@pytest.fixture(scope="module")
def ranked(source: Path) -> whet.Result:
    return whet.fit(source, steps=30, budget="300s", out=source.parent / "ranked", **ASKED)


@pytest.fixture(scope="module")
def rated(source: Path) -> whet.Result:
    return whet.fit(source, task="rate", steps=30, budget="300s", out=source.parent / "rated", **ASKED)


def test_a_ranking_beats_the_baselines_where_one_thing_follows_another(ranked):
    assert ranked.task == "ratings-ranking"
    assert set(ranked.baselines) == {"popularity", "item-item", "EASE^R", "ALS"}
    assert ranked.metric == "ndcg@10"
    assert ranked.value > max(ranked.baselines.values())


def test_the_result_holds_all_metrics_and_the_sampled_ones_beside_them(ranked):
    assert {"hr@10", "ndcg@10", "ndcg@100", "hr@50"} <= set(ranked.details["metrics"])
    sampled = ranked.details["sampled_metrics_99_negatives"]
    assert sampled["hr@10"] >= ranked.details["metrics"]["hr@10"]
    assert ranked.details["cold"] == {"users": 0, "items": 0}


def test_the_report_shows_users_and_is_drawn_again_from_what_is_stored(ranked):
    page = (ranked.folder / "report.html").read_text()
    for title in ("Some users", "For users with few and with many interactions", "How popular what it recommends is"):
        assert title in page
    assert len(stored(ranked.folder, ranked.details).figures) == 3


def test_each_user_gets_ten_items_that_they_have_not_had(ranked, tmp_path):
    users = pl.DataFrame({"who": ["u3", "u7", "nobody", "u3"]})
    users.write_csv(tmp_path / "users.csv")
    assert (
        command(["predict", str(ranked.folder), str(tmp_path / "users.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    )
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "prediction", *(f"place {k}" for k in range(2, 11))]
    assert [row[0] for row in rows[1:]] == ["u3", "u7", "nobody"]
    had = set(walks().filter(pl.col("who") == "u3")["what"][:-1])
    assert len(set(rows[1][1:])) == 10
    newest = walks().filter(pl.col("who") == "u3").sort("when")["what"][-1]
    assert not set(rows[1][1:]) & (set(walks().filter(pl.col("who") == "u3")["what"]) - {newest})
    assert had


def test_a_cold_user_is_said_and_answered_with_what_is_popular(ranked, capsys):
    found = whet.predict(ranked.folder, pl.DataFrame({"who": ["nobody"]}), show=True)
    assert "did not know" in capsys.readouterr().out
    often = walks()["what"].value_counts().sort("count", descending=True)["what"].to_list()
    assert often.index(found.values[0]) < 15


def test_pairs_of_user_and_item_get_a_probability_and_cold_items_none(ranked):
    pairs = pl.DataFrame({"who": ["u3", "u3", "u3"], "what": ["m1", "m2", "never"]})
    found = whet.predict(ranked.folder, pairs)
    assert found.values[2] == 0
    assert ((found.values[:2] >= 0) & (found.values[:2] < 1)).all()
    assert list(found.ids) == ["u3 m1", "u3 m2", "u3 never"]


def test_a_table_without_users_is_refused_in_a_line(ranked, tmp_path, capsys):
    (tmp_path / "x.csv").write_text("whom\nu3\n")
    assert command(["predict", str(ranked.folder), str(tmp_path / "x.csv")]) == 2
    assert "'who'" in capsys.readouterr().err


def test_ratings_are_predicted_better_than_the_mean(rated):
    assert (rated.task, rated.metric, rated.direction) == ("ratings-regression", "rmse", "min")
    assert set(rated.baselines) == {"mean", "biases", "ALS"}
    assert rated.value < 1.05 * rated.baselines["mean"]
    assert "For low and for high ratings" in (rated.folder / "report.html").read_text()


def test_a_rating_of_unknown_user_and_item_is_near_the_mean(rated):
    pairs = pl.DataFrame({"who": ["u1", "nobody"], "what": ["m1", "never"]})
    values = whet.predict(rated.folder, pairs).values
    assert abs(values[1] - walks()["stars"].mean()) < 1
    assert np.isfinite(values).all()


@pytest.mark.parametrize("which", ["ranked", "rated"])
def test_networks_go_to_onnx(which, request):
    pytest.importorskip("onnxruntime")
    assert whet.export(request.getfixturevalue(which).folder).exists()


@pytest.mark.parametrize("family", ["chains", "sasrec"])
def test_a_killed_run_goes_on_to_the_same_bits(family, source, tmp_path, monkeypatch):
    recipe = whet.Recipe(
        family=whet.Choice(family),
        activation=whet.Choice("gelu"),
        optimizer=whet.Choice("adamw", lr=1e-3),
        batch_size=16,
    )
    monkeypatch.setattr(checkpoint.Checkpoints.__init__, "__defaults__", (0.0,))

    def fit(folder: str) -> Path:
        return whet.fit(source, recipe=recipe, steps=8, budget="300s", out=tmp_path / folder, **ASKED).folder

    straight = load_file(fit("straight") / "model.safetensors")
    real, calls = loop.train_step, []

    def killed(training: loop.Training) -> None:
        calls.append(training.step)
        if len(calls) == 6:
            raise KeyboardInterrupt
        real(training)

    monkeypatch.setattr(loop, "train_step", killed)
    with pytest.raises(KeyboardInterrupt):
        fit("killed")
    monkeypatch.setattr(loop, "train_step", real)
    again = load_file(fit("killed") / "model.safetensors")
    assert all(torch.equal(again[name], straight[name]) for name in straight)


OWN = """
import torch
from torch import nn
from whet.families.recommend import without

class Mine(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.item = nn.Embedding(spec.more["items"] + 1, 8, padding_idx=0)

    def forward(self, history, user):
        return without(self.item(history).mean(1) @ self.item.weight[1:].T, history)

def make(spec):
    return Mine(spec)
"""


def test_a_network_of_ones_own_is_trained(source, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    found = whet.fit(source, model=f"{tmp_path}/mine.py:make", steps=5, budget="300s", out=tmp_path / "run", **ASKED)
    assert found.recipe.family.name == "user"
    assert np.isfinite(found.value)


def test_profile_says_how_many_users_items_and_times(source):
    found = whet.profile(source, **ASKED)
    said = {row.name: row.value for section in found.sections for row in section.rows}
    assert (said["users"], said["items"]) == ("40", "30")
    assert said["span"] == "2001-09-09 to 2001-09-13"
    assert [s.title for s in found.sections] == ["Size", "Users", "Items", "Time", "Ratings"]


def test_the_command_says_what_it_decided(source, tmp_path, capsys):
    words = ["fit", str(source), "--user", "woh", "--item", "what", "--out", str(tmp_path / "x")]
    assert command(words) == 2
    assert "Did you mean 'who'" in capsys.readouterr().err


def test_a_split_column_is_kept_to(tmp_path):
    frame = walks().sort("when").with_row_index("row")
    part = pl.when(pl.col("row") >= 250).then(pl.lit("test")).otherwise(pl.lit("train"))
    frame.with_columns(part.alias("part")).drop("row").write_csv(tmp_path / "parts.csv")
    found = whet.fit(tmp_path / "parts.csv", split="part", steps=3, budget="300s", out=tmp_path / "run", **ASKED)
    assert found.n == frame.height - 250
    assert found.details["cold"]["users"] > 0
    assert json.loads((tmp_path / "run" / "result.json").read_text())["n"] == found.n
