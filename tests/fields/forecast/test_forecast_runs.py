"""Forecasts through the whole house: fit, report, predict, export, a kill, a user's own network."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from series_made import hours, loaded, table, wave
from torch import Tensor, nn

import whet
from whet.data.prepared import Prepared
from whet.errors import DataError
from whet.fields import field, transform_from
from whet.network import Network
from whet.recipe import Choice, Recipe
from whet.train import checkpoint, loop

FIELD = field("series")
STEPS = 60


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "load.csv"
    table(500).write_csv(path)
    return path


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> whet.Result:
    """A finished run on two channels."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return whet.fit(source, time="when", horizon=12, lookback=48, steps=STEPS, budget="10m", out=out)


def test_a_forecast_is_learned_and_beats_the_last_value(run: whet.Result) -> None:
    assert run.metric == "mse"
    assert run.value < 0.5 * run.baselines["last value"]
    assert {"seasonal naive", "linear", "theta", "ets"} <= set(run.baselines)


def test_the_result_tells_metrics_and_how_much_the_intervals_cover(run: whet.Result) -> None:
    assert set(run.details["metrics"]) == {"mse", "mae", "mase", "smape"}
    assert run.details["intervals"]["wanted"] == 0.9
    assert 0.75 < run.details["intervals"]["covered_on_test"] <= 1
    assert set(run.details["rmse_own_units"]) == {"v0", "v1"}


def test_the_report_shows_forecasts_their_errors_by_step_and_by_series(run: whet.Result) -> None:
    page = (run.folder / "report.html").read_text()
    for title in ("Forecast of v0", "Error by step", "Error by series", "Shape of each series"):
        assert title in page


def test_predict_goes_on_where_the_data_ends(run: whet.Result, source: Path, tmp_path: Path) -> None:
    whet.predict(run.folder, source, out=tmp_path / "said.csv")
    lines = list(csv.DictReader((tmp_path / "said.csv").read_text().splitlines()))
    assert list(lines[0]) == ["time", "series", "step", "prediction", "low", "high"]
    assert len(lines) == 12 * 2
    assert lines[0]["time"] == "2024-01-21T20:00:00"
    assert [(r["series"], r["step"]) for r in lines[:3]] == [("v0", "1"), ("v1", "1"), ("v0", "2")]
    later = np.sin(2 * np.pi * np.arange(500, 512) / 24)
    said = np.array([float(r["prediction"]) for r in lines if r["series"] == "v0"])
    assert np.abs(said - later).mean() < 0.3
    assert all(float(r["low"]) < float(r["prediction"]) < float(r["high"]) for r in lines)


def test_predict_refuses_what_it_was_not_trained_on(run: whet.Result) -> None:
    with pytest.raises(DataError, match="no column 'v1'"):
        whet.predict(run.folder, table(100, 1))
    with pytest.raises(DataError, match="looks back on 48 steps, and the data has 30"):
        whet.predict(run.folder, table(30))
    with pytest.raises(DataError, match="time stamps"):
        whet.predict(run.folder, np.zeros((100, 2)))


def test_the_delivered_network_says_the_same_of_raw_windows_and_of_prepared_ones(
    run: whet.Result, source: Path
) -> None:
    data = loaded(source, time="when", lookback=48)
    rows = data.official["test"]
    network = Network.load(run.folder)
    prepared = FIELD.prepare(data, FIELD.split(data, 0))
    np.testing.assert_allclose(
        network.predict(data.x[rows]), FIELD.predict_rows(network, data, rows, prepared), atol=1e-6
    )


def test_the_network_is_exported_and_agrees_with_torch(run: whet.Result, tmp_path: Path) -> None:
    assert whet.export(run.folder, out=tmp_path / "x.onnx").exists()


def test_prepared_windows_come_back_from_the_disk_without_copies(source: Path, tmp_path: Path) -> None:
    data = loaded(source, time="when", lookback=48)
    prepared = FIELD.prepare(data, FIELD.split(data, 0))
    prepared.save(tmp_path / "shared")
    assert sum(p.stat().st_size for p in (tmp_path / "shared").iterdir()) < 40_000
    again = Prepared.load(tmp_path / "shared", transform_from)
    rows = prepared.rows["val"]
    for mine, theirs in zip((*prepared.inputs, prepared.target), (*again.inputs, again.target), strict=True):
        assert torch.equal(mine[rows], theirs[rows])
    truth, copy = prepared.raw_target[rows.numpy()], again.raw_target[rows.numpy()]
    np.testing.assert_array_equal(truth.values, copy.values)
    np.testing.assert_array_equal(truth.units.naive, copy.units.naive)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_a_kill_changes_no_bit(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(
        Choice("series_mlp", width=8, members=2, dropout=0.5),
        optimizer=Choice("adamw", lr=1e-3),
        regularise=(Choice("ema", decay=0.9),),
        batch_size=16,
    )
    monkeypatch.setattr(checkpoint.Checkpoints.__init__, "__defaults__", (0.0,))

    def fit(out: Path) -> whet.Result:
        return whet.fit(source, time="when", horizon=12, lookback=48, recipe=recipe, steps=12, budget=20, out=out)

    straight = fit(tmp_path / "straight")
    step = loop.train_step

    def killed(training: Any) -> None:
        if training.step == 7:
            raise Killed
        step(training)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "train_step", killed)
        with pytest.raises(Killed):
            fit(tmp_path / "killed")
    resumed = fit(tmp_path / "killed")
    a, b = (load_file(r.folder / "model.safetensors") for r in (straight, resumed))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert straight.value == resumed.value
    assert straight.details["intervals"] == resumed.details["intervals"]


def test_many_series_are_learned_together_and_new_ones_are_forecast(tmp_path: Path) -> None:
    frames = [
        pl.DataFrame({"when": hours(300), "site": [name] * 300, "load": 100 * i + (i + 1) * wave(300, 24, seed=i)})
        for i, name in enumerate(("north", "south", "east"))
    ]
    fitted = whet.fit(
        pl.concat(frames),
        time="when",
        series="site",
        horizon=6,
        lookback=48,
        steps=STEPS,
        budget=20,
        out=tmp_path / "r",
    )
    assert fitted.metric == "mase"
    assert set(fitted.details["rmse_own_units"]) == {"north", "south", "east"}
    asked = pl.concat([frames[0].with_columns(pl.lit("west").alias("site")), frames[2]])
    said = whet.predict(fitted.folder, asked)
    assert list(said.columns["series"][:6]) == ["east"] * 6
    assert np.asarray(said.values[:6]) == pytest.approx(200, abs=8)
    assert np.asarray(said.values[6:]) == pytest.approx(0, abs=4)


def test_other_columns_help_to_forecast_a_target(tmp_path: Path) -> None:
    cause = np.random.default_rng(0).standard_normal(600).cumsum()
    cause -= np.linspace(0, cause[-1], 600)
    frame = pl.DataFrame({"when": hours(600), "cause": cause, "load": np.roll(cause, 4)})
    recipe = Recipe(Choice("series_linear"), optimizer=Choice("adamw", lr=1e-2), batch_size=32)
    options: dict[str, Any] = {"target": "load", "time": "when", "horizon": 4, "lookback": 12, "budget": 20}
    helped = whet.fit(frame, **options, recipe=recipe, steps=200, out=tmp_path / "a")
    alone = whet.fit(frame.drop("cause"), **options, recipe=recipe, steps=200, out=tmp_path / "b")
    assert helped.value < 0.7 * alone.value
    assert len(whet.predict(helped.folder, frame)) == 4


@pytest.mark.parametrize("source", [wave(300, 24), np.stack([wave(300, 24), wave(300, 12)], 1)], ids=["one", "two"])
def test_arrays_are_forecast(source: np.ndarray, tmp_path: Path) -> None:
    fitted = whet.fit(source, horizon=8, lookback=24, steps=20, budget=20, out=tmp_path / "run")
    said = whet.predict(fitted.folder, source[-40:])
    assert len(said) == 8 * (1 if source.ndim == 1 else 2)


def test_a_pandas_series_with_dates_as_its_index_is_forecast() -> None:
    index = pd.date_range("2024-01-01", periods=300, freq="h")
    data = FIELD.load(
        pd.Series(wave(300, 24), index=index, name="load"),
        target=None, task=None, holdout=None, split=None, roles=whet.data.core.Roles(horizon=8),
    )  # fmt: skip
    assert data.x.panel.channels == ("load",)
    assert str(data.x.more["step"]) == "1 hour"


def own() -> nn.Module:
    """A network of a user's own: look-back (B, 48, 2) -> (B, 24)."""
    return nn.Sequential(nn.Flatten(), nn.Linear(96, 24))


class OwnWithDates(nn.Module):
    """One that wants all that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(96 + 60 * 4, 24)

    def forward(self, past: Tensor, covariates: Tensor, calendar: Tensor) -> Tensor:
        out: Tensor = self.line(torch.cat([past.flatten(1), calendar.flatten(1)], 1))
        return out


@pytest.mark.parametrize("make", [own, OwnWithDates])
def test_a_network_of_your_own_forecasts(make: Any, source: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"time": "when", "horizon": 12, "lookback": 48, "steps": 5, "budget": 20}
    fitted = whet.fit(source, model=make, **options, out=tmp_path / "run")
    assert len(whet.predict(fitted.folder, source, model=make)) == 24


def test_the_profile_says_what_the_series_look_like() -> None:
    found = whet.profile(table(500), time="when", horizon=12)
    said = {row.name: row for section in found.sections for row in section.rows}
    assert said["season"].value.startswith("24 steps (by calendar")
    assert "strongly seasonal" in said["v0"].suggestion
    assert said["step"].value == "1 hour"


def test_what_task_json_holds_is_plain(run: whet.Result) -> None:
    said = json.loads((run.folder / "task.json").read_text())["inputs"]
    assert (said["domain"], said["lookback"], said["horizon"], said["season"]) == ("series", 48, 12, 24)
    assert np.shape(said["intervals"]["half"]) == (12, 2)
