"""Tables in a run: where a network starts, and which columns it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import whet
from whet import record
from whet.errors import DataError
from whet.train import checkpoint

RANDOM = np.random.default_rng(0)
NOISE = pd.DataFrame(RANDOM.normal(size=(200, 40)), columns=[f"x{i}" for i in range(40)])


def test_columns_of_noise_are_left_out_and_a_network_without_them_predicts(tmp_path: Path) -> None:
    frame = NOISE.assign(colour=RANDOM.choice(["red", "blue"], 200), y=np.where(NOISE.x3 + NOISE.x7 > 0, "p", "q"))
    result = whet.fit(frame, target="y", steps=20, out=tmp_path / "run")
    seen = result.recipe["family.columns"]
    assert {"x3", "x7"} <= {*seen}
    assert len(seen) < 6
    changed = frame.assign(**{name: 0.0 for name in NOISE if name not in seen}, colour="red")
    assert result.predict(frame).probabilities == pytest.approx(result.predict(changed).probabilities)


def test_a_column_that_the_network_sees_nothing_of_may_be_absent_later(tmp_path: Path) -> None:
    frame = NOISE[["x0", "x1"]].assign(same=1.0, y=2 * NOISE.x0 - NOISE.x1)
    result = whet.fit(frame, target="y", steps=3, out=tmp_path / "run")
    without = result.predict(frame.drop(columns="same"))
    assert without.values == pytest.approx(result.predict(frame).values)
    with pytest.raises(DataError, match="lacks the column 'x1'"):
        result.predict(frame.drop(columns="x1"))


def test_dates_without_a_time_are_shown_as_dates(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=200).strftime("%Y-%m-%d")
    frame = NOISE[["x0"]].assign(day=days, y=NOISE.x0)
    assert "2024-01-01 to 2024" in str(whet.profile(frame, target="y"))
    whet.fit(frame, target="y", steps=3, out=tmp_path / "run")
    assert "00:00:00" not in (tmp_path / "run" / "report.html").read_text()


def test_of_few_rows_on_a_line_the_line_itself_is_delivered_where_training_adds_nothing(tmp_path: Path) -> None:
    frame = NOISE[["x0", "x1"]].assign(y=2 * NOISE.x0 - NOISE.x1)
    result = whet.fit(frame, target="y", steps=3, out=tmp_path / "run")
    first = record.read(next((tmp_path / "run").glob("trials/*/record.jsonl"))).steps[0]
    assert first.step == 0
    assert first.metrics["val/rmse"] < 0.5 < result.baselines["mean"]


def test_the_solved_start_stays_where_validation_shows_no_clear_gain_over_it(tmp_path: Path) -> None:
    frame = NOISE[["x0", "x1", "x2"]][:60].assign(y=2 * NOISE.x0 - NOISE.x1 + 0.3 * NOISE.x5)
    whet.fit(frame, target="y", steps=60, out=tmp_path / "run")
    trial = next((tmp_path / "run").glob("trials/*"))
    assert checkpoint.read(trial / checkpoint.BEST)[1]["best"]["step"] == 0
    bent = NOISE[["x0", "x1"]].assign(y=3 * NOISE.x0.abs())
    whet.fit(bent, target="y", steps=300, out=tmp_path / "bent")
    trial = next((tmp_path / "bent").glob("trials/*"))
    assert checkpoint.read(trial / checkpoint.BEST)[1]["best"]["step"] > 0
