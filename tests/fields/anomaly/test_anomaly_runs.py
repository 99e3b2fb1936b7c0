"""Runs of the whole command's function on series and tables: result, report, predictions, export, interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from anomaly_data import sensors, table
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score
from torch import nn

import whet
from whet.errors import DataError
from whet.recipe import Choice, Recipe
from whet.train import checkpoint, loop

RECIPE = Recipe(
    family=Choice("committee", views=("directions", "neighbours", "code"), rounds=0, width=8, code=2, places=300),
    loss=Choice("surprise", trim=0.1),
    optimizer=Choice("adamw", lr=1e-3),
    batch_size=32,
)


def fit(source: object, out: Path, **options: object) -> whet.Result:
    return whet.fit(source, task="anomaly", steps=8, out=out, **{"recipe": RECIPE, **options})


@pytest.fixture(scope="module")
def run(series_file: Path, tmp_path_factory: pytest.TempPathFactory) -> whet.Result:
    return fit(str(series_file), tmp_path_factory.mktemp("run") / "run")


def test_a_series_with_a_clear_anomaly_is_scored_well(run):
    assert run.metric == "auc_pr"
    assert run.value > 0.8
    assert set(run.baselines) == {"pca", "knn", "isolation_forest", "matrix_profile"}


def test_the_result_says_threshold_f1_vus_and_nab(run):
    found = run.details["anomalies"]
    assert {"f1", "precision", "recall", "false_alarm_rate"} == set(found["at_threshold"])
    assert {"threshold", "vus_pr", "vus_roc", "nab", "nab_best", "auc_pr_at_the_moment"} <= set(found)
    assert 0 < found["flagged"] < 0.05
    assert set(found["baselines"]["pca"]) >= {"vus_pr", "nab_best"}


def test_the_report_shows_scores_columns_and_rows(run):
    page = (run.folder / "report.html").read_text()
    for title in ("Score of sensors", "Columns of sensors", "Strangest rows", "Every metric"):
        assert title in page


def test_predictions_name_the_strangest_column(run, series_file):
    found = run.predict(str(series_file))
    assert list(found.columns) == ["prediction", "score", "strangest", "strange(flow)", "strange(heat)"]
    flagged = np.flatnonzero(np.asarray(found.columns["prediction"]))
    assert len(flagged)
    assert set(flagged) <= {*range(400, 495)}  # the windows that hold some of it
    assert found.columns["strangest"][405] == "heat"
    assert found.ids[0] == "2024-01-01T00:00:00"


def test_what_is_said_of_a_step_does_not_depend_on_later_ones(run, frame, tmp_path):
    whole = run.predict(frame)
    start = run.predict(frame.head(450))
    np.testing.assert_allclose(start.columns["score"], whole.columns["score"][:450], atol=1e-5)


@pytest.fixture(scope="module")
def spiked(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, whet.Result]:
    """A series with one step that jumps and some steps at which a sensor stands still, and a run of the field's own choice."""
    steps, strange = np.arange(900), np.zeros(900, int)
    frame = sensors(900)
    flow, heat = frame["flow"].to_numpy().copy(), 10 - 3 * np.sin(steps / 4)
    heat[500] -= 5.0
    flow[700:730] = 0.5
    strange[[500, *range(700, 730)]] = 1
    frame = frame.with_columns(flow=flow, heat=heat, label=strange)
    return frame, whet.fit(frame, task="anomaly", steps=8, out=tmp_path_factory.mktemp("spiked") / "run")


def test_single_steps_and_still_stretches_are_found_where_they_are(spiked):
    _, run = spiked
    assert run.value > 0.8


def test_single_steps_are_flagged_as_soon_as_they_are_there_and_never_at_the_beginning(spiked):
    frame, run = spiked
    flagged = np.asarray(run.predict(frame).columns["prediction"])
    assert flagged[500]
    assert flagged[720:730].all()
    assert not flagged[:20].any()
    standing = frame.with_columns(
        flow=pl.when(pl.int_range(pl.len()) < 10).then(pl.col("flow").first()).otherwise("flow")
    )
    assert not np.asarray(run.predict(standing).columns["prediction"])[:20].any()


def test_a_network_that_looks_at_single_steps_is_exported(spiked):
    assert whet.export(spiked[1].folder).exists()


def test_a_network_of_series_is_exported(run):
    path = whet.export(run.folder)
    assert path.exists()


def test_an_interrupted_run_ends_with_the_same_bits(run, series_file, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint.Checkpoints.__init__, "__defaults__", (0.0,))
    step, taken = loop.train_step, []

    def stopping(training: loop.Training) -> None:
        taken.append(1)
        if len(taken) == 6:
            raise KeyboardInterrupt
        step(training)

    monkeypatch.setattr(loop, "train_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        fit(str(series_file), tmp_path / "run")
    resumed = fit(str(series_file), tmp_path / "run")
    a, b = (load_file(folder / "model.safetensors") for folder in (run.folder, resumed.folder))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert resumed.value == run.value
    assert resumed.details["anomalies"]["threshold"] == run.details["anomalies"]["threshold"]


def test_a_table_is_scored_without_its_labels(tmp_path):
    x, y = table()
    recipe = RECIPE.put("family.views", ("columns", "directions", "neighbours", "code")).put("family.rounds", 2)
    found = fit((x, y), tmp_path / "run", recipe=recipe)
    other = fit((x, np.zeros_like(y)), tmp_path / "other", recipe=recipe)
    a, b = (load_file(r.folder / "model.safetensors") for r in (found, other))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert found.details["metrics"]["auc_roc"] > 0.9
    assert set(found.baselines) == {"pca", "knn", "isolation_forest"}


def test_labels_that_are_all_0_leave_metrics_undefined_and_a_threshold(tmp_path):
    x, y = table()
    found = fit((x, np.zeros_like(y)), tmp_path / "run")
    said = json.loads((found.folder / "result.json").read_text())
    assert said["value"] is None
    assert np.isfinite(said["anomalies"]["threshold"])
    assert (found.folder / "report.html").exists()


def test_a_folder_of_series_is_one_run(tmp_path):
    for seed in (0, 1):
        sensors(300, seed).drop("label").with_columns(pl.col("heat") * (1 + 9 * seed)).write_csv(
            tmp_path / f"s{seed}.csv"
        )
    found = fit(str(tmp_path), tmp_path.with_name("run"))
    said = found.predict(str(tmp_path))
    assert len(said) == 600
    assert said.ids[300].startswith("s1 ")


def test_a_network_of_your_own_reconstructs(series_file, tmp_path):
    def mine(shape: tuple[int, ...]) -> nn.Module:
        size = int(np.prod(shape))
        return nn.Sequential(nn.Flatten(), nn.Linear(size, 4), nn.Linear(4, size), nn.Unflatten(1, shape))

    found = whet.fit(str(series_file), task="anomaly", steps=4, out=tmp_path / "run", model=mine)
    assert np.isfinite(found.value)


def test_few_labels_are_no_worse_than_none_where_rows_break_a_correlation(tmp_path):
    """Deep SAD alone was the default: AUC-PR 0.09 on a made-up table of claims, where principal components have 0.94."""
    random = np.random.default_rng(3)
    x = random.normal(size=(600, 2)) @ random.normal(size=(2, 6)) + 0.1 * random.normal(size=(600, 6))
    strange = np.zeros(600, bool)
    strange[::25] = True
    x[strange, 2] = random.permutation(x[~strange, 2])[: strange.sum()]
    known = random.random(600) < 0.2
    known[:250:25] = True
    labels = pl.Series("fraud", [int(s) if k else None for s, k in zip(strange, known, strict=True)])
    frame = pl.DataFrame({f"x{i}": x[:, i] for i in range(6)})
    run = whet.fit(frame.with_columns(labels), task="anomaly", target="fraud", steps=60, out=tmp_path / "run")
    score = run.predict(frame).columns["score"]
    assert roc_auc_score(strange[~known], score[~known]) > 0.9


def test_few_labels_are_learned_from(tmp_path):
    x, y = table(400, 30)
    labels = [str(v) if i % 3 == 0 else None for i, v in enumerate(y)]
    frame = pl.DataFrame({**{f"x{i}": x[:, i] for i in range(4)}, "label": labels})
    found = whet.fit(frame, task="anomaly", steps=8, out=tmp_path / "run")
    assert found.recipe.loss.name == "surprise"
    assert found.details["anomalies"]["strange"] == 5


def test_a_series_too_short_to_hold_rows_out_is_refused_and_one_row_more_is_not(tmp_path):
    stamps = [f"2026-01-{day:02d}" for day in range(1, 11)]
    whole = pl.DataFrame({"stamp": stamps, "value": [1.0, 4.0, 2.0, 5.0, 1.0, 3.0, 2.0, 4.0, 1.0, 2.0]})
    with pytest.raises(DataError, match="9 rows to learn from"):
        fit(whole[:9], tmp_path / "nine", time="stamp")
    assert fit(whole, tmp_path / "ten", time="stamp").folder == tmp_path / "ten"
