"""Columns as numbers that look normal, and back."""

from __future__ import annotations

import datetime
import json

import numpy as np
import polars as pl
import pytest

from whet.errors import DataError
from whet.fields import field, load
from whet.fields.generate import columns
from whet.fields.generate.rows_transform import RowsTransform

DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(200)]


@pytest.fixture
def frame() -> pl.DataFrame:
    random = np.random.default_rng(0)
    price = [None if i % 10 == 0 else float(v) for i, v in enumerate(random.lognormal(size=200))]
    return pl.DataFrame(
        {
            "age": random.integers(18, 80, 200),
            "price": price,
            "gain": np.where(np.arange(200) < 180, 0, np.arange(200)),
            "member": random.random(200) < 0.3,
            "day": DAYS,
            "town": [None if i % 7 == 0 else "AB"[i % 2] for i in range(200)],
        }
    )


def test_rows_come_back_as_they_were(frame: pl.DataFrame) -> None:
    transform = RowsTransform(columns.fit(frame))
    back = transform.back(transform.apply(frame)[0].numpy())
    assert back.columns == frame.columns
    for name in ("gain", "member", "town"):
        assert back[name].to_list() == frame[name].to_list()
    assert back["day"].cast(pl.Date).to_list() == DAYS
    assert back["price"].is_null().to_list() == frame["price"].is_null().to_list()
    assert back["price"].drop_nulls().to_numpy() == pytest.approx(frame["price"].drop_nulls().to_numpy(), rel=0.02)
    assert (back["age"] - frame["age"]).abs().max() <= 1


def test_numbers_of_any_shape_look_normal(frame: pl.DataFrame) -> None:
    price = columns.Numbers.fit(frame["price"])
    score = price.encode(frame["price"])[:, 0][~frame["price"].is_null().to_numpy()]
    assert abs(score.mean()) < 0.02
    assert score.std() == pytest.approx(1, abs=0.05)


def test_a_spike_keeps_its_share(frame: pl.DataFrame) -> None:
    gain = columns.Numbers.fit(frame["gain"])
    drawn = gain.decode(np.random.default_rng(0).standard_normal((2000, 1)))
    assert (drawn == 0).mean() == pytest.approx(0.9, abs=0.03)
    assert set(drawn.to_list()) <= set(frame["gain"].to_list())


def test_values_that_training_has_not_seen_are_counted_as_the_rest(frame: pl.DataFrame) -> None:
    many = pl.Series("id", [f"v{i}" for i in range(200)])
    levels = columns.Levels.fit(many)
    assert len(levels.levels) == columns.MOST_LEVELS
    assert levels.decode(levels.encode(pl.Series("id", ["new"]))).to_list() == [columns.REST]


def test_the_transform_is_written_as_json(frame: pl.DataFrame) -> None:
    transform = RowsTransform(columns.fit(frame))
    assert RowsTransform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform
    assert transform.shape == (transform.apply(frame)[0].shape[1],)


def test_a_last_column_that_is_the_same_in_each_row_stops_nobody() -> None:
    frame = pl.DataFrame({"size": np.arange(60) / 7, "town": ["a", "b", "c"] * 20, "country": ["NL"] * 60})
    assert load(frame, task="generate").target == "town"
    with pytest.raises(DataError, match="No column of the table varies: there is nothing to make more of. Give rows"):
        load(frame.select("country", pl.lit(1.0).alias("one")), task="generate")


@pytest.mark.parametrize("last", ["day", "note", "code"])
def test_a_last_column_that_can_be_no_target_stops_nobody(last: str, frame: pl.DataFrame) -> None:
    texts = frame.with_columns(
        pl.col("day").cast(pl.String),
        note=pl.Series([f"said {i} and {i * 7 % 31}" for i in range(200)]),
        code=pl.Series([f"K{i * 37 % 200:03d}" for i in range(200)]),
    )
    data = load(texts.select("age", "member", last), task="generate")
    assert data.target == "member"
    assert data.x.columns[:2] == ["age", "member"]


def test_nobody_who_wants_more_rows_is_told_how_to_predict(frame: pl.DataFrame) -> None:
    data = load(frame.select("age", "price", "day", "member"), task="generate")
    found = field("rows").profile(data, field("rows").split(data, 0))
    assert [f.advice for f in found.findings if f.name == "missing"] == [
        "Made rows have such gaps too, about as often."
    ]
    assert {row.suggestion for section in found.sections for row in section.rows} == {""}
