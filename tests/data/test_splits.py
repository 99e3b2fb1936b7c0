"""Which rows go where."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from whet.data.core import Data
from whet.data.splits import MOST_VAL, duplicates, quotas, row_groups, split
from whet.errors import DataError


def data_of(y: np.ndarray, official: dict[str, np.ndarray] | None = None, goal: str = "classify") -> Data:
    x = np.arange(len(y) * 12, dtype=np.uint8).reshape(-1, 2, 2, 3)
    x[:, 0, 0] = np.stack([np.arange(len(y)) >> 16, np.arange(len(y)) >> 8, np.arange(len(y))], axis=1) & 255
    classes = tuple(str(c) for c in range(int(y.max()) + 1)) if goal == "classify" else ()
    return Data("d", "image", x, y, goal, classes, "label", official or {})


def test_every_row_is_in_one_part_and_the_seed_decides() -> None:
    data = data_of(np.arange(1000) % 7)
    parts = split(data, seed=3)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(1000))
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 680, "val": 120, "test": 200}
    again, other = split(data, seed=3), split(data, seed=4)
    assert all(np.array_equal(parts[p], again[p]) for p in parts)
    assert not np.array_equal(parts["test"], other["test"])


def test_classes_keep_their_shares_and_rare_ones_are_everywhere() -> None:
    y = np.repeat([0, 1, 2], [900, 95, 5])
    parts = split(data_of(y), seed=0)
    assert np.bincount(y[parts["test"]]).tolist() == [180, 19, 1]
    assert np.bincount(y[parts["train"]]).min() >= 1


def test_two_examples_of_every_class_are_enough() -> None:
    y = np.repeat(np.arange(10), 2)
    parts = split(data_of(y), seed=0)
    assert set(y[parts["train"]]) == set(range(10))
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 10, "val": 5, "test": 5}


def test_official_parts_are_kept() -> None:
    y = np.arange(200) % 2
    official = {"test": np.arange(150, 200)}
    parts = split(data_of(y, official), seed=0)
    assert np.array_equal(parts["test"], official["test"])
    assert not np.isin(parts["train"], official["test"]).any()
    every = {"train": np.arange(0, 100), "val": np.arange(100, 150), "test": np.arange(150, 200)}
    parts = split(data_of(y, every), seed=0)
    assert all(np.array_equal(parts[p], every[p]) for p in every)


def test_validation_of_large_data_is_capped() -> None:
    y = np.arange(80_000) % 10
    parts = split(data_of(y, {"test": np.arange(70_000, 80_000)}), seed=0)
    assert len(parts["val"]) == MOST_VAL == 3_000
    assert len(split(data_of(y), seed=0, val_share=0.5)["val"]) == 32_000


def test_regression_is_stratified_by_the_target() -> None:
    y = np.random.default_rng(0).exponential(size=1000)
    parts = split(data_of(y, goal="regress"), seed=0)
    means = [np.sort(y[parts[p]]).mean() for p in ("train", "test")]
    assert abs(means[0] - means[1]) < 0.1


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        split(data_of(np.asarray([0, 0, 1])), seed=0)


@pytest.mark.parametrize("wanted", [1, 5, 20])
def test_quotas_leave_one_of_each(wanted: int) -> None:
    sizes = np.asarray([1, 2, 3, 50])
    counts = quotas(sizes, wanted, at_least_one=True)
    assert (counts <= sizes - 1).all()
    assert (counts >= np.asarray([0, 1, 1, 1])).all()
    assert wanted <= counts.sum() <= wanted + 3


def test_copies_across_parts_are_counted() -> None:
    data = data_of(np.arange(40) % 2)
    parts = {"train": np.arange(0, 20), "val": np.arange(20, 30), "test": np.arange(30, 40)}
    assert duplicates(data, parts) is None
    assert isinstance(data.x, np.ndarray)
    data.x[35] = data.x[3]
    data.x[36] = data.x[3]
    finding = duplicates(data, parts)
    assert finding is not None
    assert finding.evidence["test_copies"] == 2
    assert finding.evidence["val_copies"] == 0
    assert "2 of the 10 test rows" in finding.cause


def test_pictures_that_differ_in_one_corner_are_no_copies() -> None:
    x = np.zeros((6, 40, 40, 3), np.uint8)
    x[1, 0, 0, 0] = 1
    x[2, -1, -1, -1] = 1
    x[4, 20, 20] = 9
    groups = row_groups(x)
    assert groups[0] == groups[3] == groups[5]
    assert len(set(groups[[0, 1, 2, 4]])) == 4


def test_copies_in_tables_are_found() -> None:
    x = pl.DataFrame({"a": [1.0, 2.0, 1.0, None, None], "b": ["x", "y", "x", None, "x"]})
    groups = row_groups(x)
    assert groups[0] == groups[2]
    assert len(set(groups)) == 4
