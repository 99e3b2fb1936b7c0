"""Tables in a run: where a network starts, and which columns it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import whet
from whet import record

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


def test_of_few_rows_on_a_line_the_line_itself_is_delivered_where_training_adds_nothing(tmp_path: Path) -> None:
    frame = NOISE[["x0", "x1"]].assign(y=2 * NOISE.x0 - NOISE.x1)
    result = whet.fit(frame, target="y", steps=3, out=tmp_path / "run")
    first = record.read(next((tmp_path / "run").glob("trials/*/record.jsonl"))).steps[0]
    assert first.step == 0
    assert first.metrics["val/rmse"] < 0.5 < result.baselines["mean"]
