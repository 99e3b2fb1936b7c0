"""Table transforms: fitted once on training rows, plain state, bounded outputs."""

import datetime
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from whet.data.transforms import CLIP, TableTransform, TargetScale
from whet.errors import DataError


def frame(n=200, seed=0):
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "a": random.normal(10, 3, n),
            "few": random.integers(0, 3, n),
            "gaps": pl.Series(random.normal(size=n)).set(pl.Series(random.random(n) < 0.2), None),
            "flag": random.random(n) < 0.5,
            "colour": random.choice(["red", "green", "blue"], n, p=[0.5, 0.3, 0.2]),
            "when": pl.datetime_range(
                pl.datetime(2020, 1, 1), pl.datetime(2020, 1, 1) + datetime.timedelta(days=n - 1), "1d", eager=True
            ),
            "same": np.ones(n),
        }
    )


def fit(x):
    return TableTransform.fit(x, np.zeros(x.height), "regress")


def test_every_kind_of_column_has_its_outputs():
    transform = fit(frame())
    assert transform.numeric_names == (
        *("a", "few", "gaps", "flag", "when.days", "when.month", "when.day", "when.weekday"),
        "gaps.missing",
    )
    assert transform.category_names == ("colour",)
    numeric, category = transform.apply(frame())
    assert (numeric.dtype, category.dtype) == (torch.float32, torch.int64)
    assert (numeric.shape, category.shape) == ((200, 9), (200, 1))
    assert len(transform.bins) == 9


def test_numbers_are_centred_scaled_by_the_quartiles_and_clipped():
    x = frame()
    values = x["a"].to_numpy()
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    z = (values - median) / (high - low)
    numeric, _ = fit(x).apply(x)
    np.testing.assert_allclose(numeric[:, 0].numpy(), z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-5, atol=1e-6)


def test_outputs_are_finite_and_bounded_whatever_comes():
    transform = fit(frame())
    odd = pl.DataFrame(
        {
            "a": [1e308, -1e308, None, float("nan"), float("inf")],
            "few": [10**15, -5, None, 0, 1],
            "gaps": [None] * 5,
            "flag": [None, True, False, None, True],
            "colour": ["violet", None, "red", "", "blue"],
            "when": [None, datetime.datetime(1, 1, 1), datetime.datetime(9999, 1, 1), None, None],
            "same": [5.0] * 5,
        },
        schema=frame().schema,
    )
    numeric, category = transform.apply(odd)
    assert torch.isfinite(numeric).all()
    assert numeric.abs().max() <= CLIP + 1e-5
    assert category[:, 0].tolist()[:2] == [0, 0]
    assert numeric[2, 0] == 0  # missing: the median


def test_extreme_training_values_do_not_overflow():
    x = pl.DataFrame({"a": [1e308, -1e308, 0.0, 1.0] * 10, "b": [0.0, 1e-308] * 20})
    numeric, _ = fit(x).apply(x)
    assert torch.isfinite(numeric).all()


def test_categories_are_numbered_by_frequency_and_rare_and_unseen_ones_are_0():
    x = pl.DataFrame({"c": ["b"] * 5 + ["a"] * 5 + ["z"] * 9 + ["once"] + [None] * 3, "n": range(23)})
    transform = fit(x)
    _, category = transform.apply(pl.DataFrame({"c": ["z", "a", "b", "once", "new", None], "n": [0] * 6}))
    assert category[:, 0].tolist() == [1, 2, 3, 0, 0, 4]
    assert transform.cardinalities == (5,)


def test_a_missing_category_that_training_never_saw_is_0():
    transform = fit(pl.DataFrame({"c": ["a", "b"] * 10}))
    assert transform.apply(pl.DataFrame({"c": pl.Series([None], dtype=pl.String)}))[1].tolist() == [[0]]


def test_thousands_of_categories_also_say_how_frequent_they_are():
    random = np.random.default_rng(0)
    names = [f"c{int(i)}" for i in random.zipf(1.3, 20_000) % 3000]
    transform = fit(pl.DataFrame({"c": names}))
    assert transform.numeric_names == ("c.count",)
    assert transform.cardinalities[0] > 200
    numeric, category = transform.apply(pl.DataFrame({"c": [*names[:100], "new"]}))
    assert category[-1] == 0
    assert numeric[-1] == numeric.min()


def test_bins_increase_strictly_and_cover_the_values():
    x = frame(3000)
    transform = fit(x)
    numeric, _ = transform.apply(x)
    for column, edges in zip(numeric.T, transform.bins, strict=True):
        assert (edges.diff() > 0).all()
        assert 2 <= len(edges) <= 51
        assert edges[0] == column.min()
        assert edges[-1] == column.max()
    assert len(transform.bins[transform.numeric_names.index("flag")]) == 2


def test_a_value_that_most_rows_have_leaves_the_others_their_bins():
    random = np.random.default_rng(0)
    gains = np.where(random.random(5000) < 0.9, 0, random.exponential(size=5000))
    (edges,) = fit(pl.DataFrame({"gain": gains})).bins
    assert len(edges) > 40


def test_edges_never_lie_so_close_that_a_bin_explodes():
    values = np.concatenate([np.linspace(0, 1e-9, 500), np.linspace(1, 2, 500)])
    (edges,) = fit(pl.DataFrame({"a": values})).bins
    assert edges.diff().min() > 0.9e-6 * (edges[-1] - edges[0])


def test_bins_of_smooth_values_hold_equal_shares():
    values = np.random.default_rng(0).normal(size=4800)
    transform = fit(pl.DataFrame({"a": values}))
    numeric, _ = transform.apply(pl.DataFrame({"a": values}))
    counts = np.histogram(numeric.numpy(), transform.bins[0].numpy())[0]
    assert counts.max() <= 102
    assert counts.min() >= 98


def test_the_state_survives_json_exactly():
    x = frame()
    transform = fit(x)
    again = TableTransform.from_dict(json.loads(json.dumps(transform.to_dict())))
    assert again == transform
    for a, b in zip(again.apply(x), transform.apply(x), strict=True):
        assert torch.equal(a, b)


def test_a_row_is_transformed_alike_alone_and_in_company():
    x = frame()
    transform = fit(x)
    whole, alone = transform.apply(x), transform.apply(x[7:8])
    for a, b in zip(whole, alone, strict=True):
        assert torch.equal(a[7:8], b)


def test_nothing_that_varies_is_an_error():
    with pytest.raises(DataError, match="No column varies"):
        fit(pl.DataFrame({"a": [1.0] * 5, "b": ["x"] * 5}))


def test_a_target_comes_back_from_its_scale():
    y = np.random.default_rng(0).normal(1e6, 3e4, 100)
    scale = TargetScale.from_dict(TargetScale.fit(y).to_dict())
    z = scale.apply(y)
    assert abs(float(z.mean())) < 1e-5
    assert abs(float(z.std(correction=0)) - 1) < 1e-5
    np.testing.assert_allclose(scale.invert(z), y, rtol=1e-6)
    assert TargetScale.fit(np.ones(3)).std == 1


def test_a_network_is_told_of_the_columns_that_it_sees_and_the_rest_is_transformed_all_the_same():
    whole = fit(frame())
    few = replace(whole, kept=("gaps", "colour"))
    assert few.spec()["shape"] == (1,)
    assert few.spec()["cardinalities"] == whole.cardinalities
    assert torch.equal(few.spec()["bins"][0], whole.bins[whole.numeric_names.index("gaps")])
    assert few.apply(frame())[0].shape == whole.apply(frame())[0].shape
    assert TableTransform.from_dict(json.loads(json.dumps(few.to_dict()))) == few
