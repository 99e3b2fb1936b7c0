"""Which column is what, which labels are for what, and one clear line for what can't be learned from."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from anomaly_data import sensors, table

from whet.data.core import Roles
from whet.errors import DataError, UserError
from whet.fields import field, load
from whet.fields.anomaly.labels import read_labels
from whet.fields.anomaly.windows import in_hindsight, period_of, places, windows


def read(source: object, **options: object) -> object:
    return load(source, task="anomaly", **options)


def test_a_column_of_dates_makes_rows_a_series(frame):
    data = read(frame)
    assert data.x.timed
    assert data.target == "label"
    assert data.x.frame.columns == ["flow", "heat"]
    assert any("labels are for scoring only" in s for s in data.said)


def test_without_a_split_everything_is_learned_from_and_scored(frame):
    data = read(frame)
    parts = field("anomaly").split(data, 0)
    assert len(parts["test"]) == 600
    assert sorted([*parts["train"], *parts["val"]]) == list(range(600))


def test_a_split_with_labels_leaves_anomalies_out_of_the_training_part(frame):
    part = pl.Series("part", ["train"] * 450 + ["test"] * 150)
    data = read(frame.with_columns(part), split="part")
    assert not set(data.official["train"]) & {*range(400, 420)}
    assert data.origin["mode"] == "clean part"


@pytest.mark.parametrize(("every", "mode", "rows"), [(10, "unsupervised", 430), (0, "clean part", 387)])
def test_training_rows_without_a_label_are_not_taken_as_normal(frame, every, mode, rows):
    """A table with a few labels and a test part: unlabelled anomalies counted as normal (AUC-PR 0.66 in place of 0.88)."""
    part = pl.Series("part", ["train"] * 450 + ["test"] * 150)
    told = pl.int_range(pl.len()) % 10 == 0
    label = pl.when((told if every else ~told) | (part == "test") | (pl.col("label") == 1)).then(pl.col("label"))
    data = read(frame.with_columns(part, label), split="part")
    assert data.origin["mode"] == mode
    assert len(data.official["train"]) == rows
    assert not set(data.official["train"]) & {*range(400, 420)}


def test_rows_without_a_label_are_said_to_be_left_out_of_a_clean_part(frame):
    """It said that they count as normal, "so are 43 rows without a label"."""
    part = pl.Series("part", ["train"] * 450 + ["test"] * 150)
    label = pl.when((pl.int_range(pl.len()) % 10 != 0) | (pl.col("label") == 1)).then(pl.col("label"))
    data = read(frame.with_columns(part, label), split="part")
    strange, blank = "20 rows labelled as strange left out of it", "43 rows without a label left out of it"
    assert any(f"count as normal; {strange}; {blank}." in s for s in data.said)


def test_a_clean_part_of_too_few_labelled_rows_is_refused_when_it_is_read():
    table = pl.DataFrame(
        {
            "x": np.arange(16.0),
            "label": [0] * 4 + [None] * 4 + [0] * 4 + [1] * 4,
            "part": ["train"] * 8 + ["test"] * 8,
        }
    )
    with pytest.raises(DataError, match=r"The training part has 4 rows labelled as normal\. Give 8 or more\."):
        read(table, split="part")


def test_a_holdout_whose_training_rows_have_no_labels_is_unsupervised():
    x, y = table()
    data = read(x, holdout=(x, y))
    assert data.origin["mode"] == "unsupervised"
    assert data.target == "y"
    assert "y" not in data.x.frame.columns


def test_blanks_among_labels_mean_few_labels(frame):
    some = frame.with_columns(pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.col("label")))
    data = read(some)
    assert data.origin["mode"] == "few labels"
    assert np.isfinite(data.y[data.official["test"]]).all()
    assert np.isfinite(data.y[data.official["train"]]).any()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 0], [0, 1, 0]),
        (["normal", "DoS", None], [0, 1, np.nan]),
        ([1, -1, 1], [0, 1, 0]),
        ([True, False, False], [1, 0, 0]),
        (["a", "b", "a"], [0, 1, 0]),
    ],
)
def test_labels_are_numbers_booleans_or_words(values, expected):
    np.testing.assert_array_equal(read_labels(pl.Series("y", values, strict=False), 3)[0], expected)


def test_values_that_are_no_labels_are_refused():
    with pytest.raises(DataError, match="which are anomalies"):
        read_labels(pl.Series("y", ["red", "green", "blue"]), 3)


def test_an_empty_column_is_left_out_and_a_constant_one_is_found(frame):
    data = read(frame.with_columns(pl.lit(None).alias("gone"), pl.lit(3.0).alias("still")))
    assert "gone" not in data.x.frame.columns
    assert any("'gone' is left out" in s for s in data.said)
    assert [f.name for f in data.findings] == ["constant"]


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (np.zeros((1, 3)), {}, "1 row"),
        (sensors(50), {"roles": {"lookback": 60}}, "lookback 60"),
        (sensors(50), {"target": "lable"}, "'label'"),
        (sensors(50).select("time"), {}, "no column to look at"),
        (sensors(50).with_columns(pl.lit("train").alias("part")), {"split": "part"}, "no training or no test rows"),
        (pl.DataFrame({"a": [1.0] * 50, "b": ["same"] * 50}), {}, "No column changes in 50 rows .'a', 'b'."),
        (
            pl.DataFrame({"a": [""] * 50, "b": [None] * 50}, schema={"a": pl.String, "b": pl.String}),
            {},
            "no column to look at",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_one_clear_line(source, options, said):
    roles = {"roles": Roles(**options.pop("roles"))} if "roles" in options else {}
    with pytest.raises(UserError, match=said) as error:
        read(source, **options, **roles)
    assert "\n" not in str(error.value)


def test_a_column_that_is_missing_later_is_named(frame):
    own = field("anomaly")
    with pytest.raises(DataError, match="no column 'heat'"):
        own.load_inputs(frame.drop("heat"), own.input_spec(read(frame)))


def test_missing_values_are_filled_from_the_past_alone(frame):
    own = field("anomaly")
    data = read(
        frame.with_columns(pl.when(pl.int_range(pl.len()) == 100).then(None).otherwise(pl.col("flow")).alias("flow"))
    )
    values = own.prepare(data, own.split(data, 0)).transform.standard(data.x)
    assert values[100, 0] == values[99, 0] != 0


def test_windows_end_at_their_row_and_stay_in_their_series():
    import torch

    values = torch.arange(10.0)[:, None]
    seen = windows(values, (0, 6, 10), 3)
    at = places(np.arange(10), (0, 6, 10), 3)
    assert seen[at, 0].tolist()[:3] == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]
    assert seen[at, 0].tolist()[6:8] == [[6, 6, 6], [6, 6, 7]]


def test_hindsight_is_the_mean_of_the_windows_that_contain_a_step():
    scores = np.random.default_rng(0).random(20)
    slow = [scores[t : t + 5].mean() for t in range(20)]
    np.testing.assert_allclose(in_hindsight(scores, 5), slow)


def test_the_period_of_a_wave_is_found_and_noise_has_none():
    random = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(1000) / 37) + 0.3 * random.standard_normal(1000)
    assert abs(period_of(wave) - 37) <= 1
    assert period_of(random.standard_normal(1000)) == 0


def test_the_profile_says_window_labels_and_far_values(frame):
    from whet.profiling import profile

    shown = {row.name: row for section in profile(frame, task="anomaly").sections for row in section.rows}
    assert "20 anomalies among 600" in shown["labels"].value
    assert shown["period"].value == "24 steps"


def test_stamps_that_give_no_order_are_refused_in_a_line():
    hours = [f"2024-01-01T{i:02d}:00:00" for i in range(20)]
    mixed = [h + "+02:00" * (i % 2) for i, h in enumerate(hours)]
    for stamps, words in ((mixed, "mixes stamps with and without a time zone"), (["soon"] * 20, "holds no times")):
        with pytest.raises(DataError, match=words) as caught:
            read(pl.DataFrame({"when": stamps, "v": range(20)}), roles=Roles(time="when"))
        assert "\n" not in str(caught.value)


def test_stamps_of_which_some_name_their_zone_are_refused_where_nobody_named_the_column_too():
    """The column was taken for texts and left out, and the rows had no order."""
    mixed = [f"2024-01-01T{i:02d}:00:00" + "+02:00" * (i % 2) for i in range(20)]
    with pytest.raises(DataError, match="mixes stamps with and without a time zone"):
        read(pl.DataFrame({"when": mixed, "v": range(20)}))
    zoned = [f"2024-01-01T{i:02d}:00:00+0{i % 2}:00" for i in range(20)]
    assert read(pl.DataFrame({"when": zoned, "v": range(20)})).x.timed
    assert not read(pl.DataFrame({"way": [f"gate {i % 3}:15+02:00" for i in range(20)], "v": range(20)})).x.timed


def test_a_column_of_clean_dates_gives_the_order_though_one_of_mixed_zones_comes_before_it():
    """Such a table was refused."""
    mixed = [f"2024-01-01T{i:02d}:00:00" + "+02:00" * (i % 2) for i in range(20)]
    clean = [f"2024-01-01T{i:02d}:00:00" for i in reversed(range(20))]
    data = read(pl.DataFrame({"logged": mixed, "when": clean, "v": range(20)}))
    assert data.origin["columns"]["time"] == "when"
    assert data.x.frame["v"].to_list() == list(reversed(range(20)))


def test_rows_without_any_value_are_not_judged(frame):
    own = field("anomaly")
    spec = own.input_spec(read(frame))
    assert len(own.load_inputs(frame.with_columns(flow=pl.lit(None, pl.Float64)), spec)) == frame.height
    empty = frame.with_columns(flow=pl.lit(None, pl.Float64), heat=pl.lit(None, pl.Float64))
    with pytest.raises(DataError, match="no value in 'flow', 'heat'"):
        own.load_inputs(empty, spec)
