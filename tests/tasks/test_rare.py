"""Baselines on legal but awkward data."""

import numpy as np

from whet.tasks import Features, baselines


def test_a_class_with_one_training_row_of_many_breaks_no_baseline() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(12_000, 3))
    y = random.integers(0, 2, 12_000)
    y[0] = 2
    found = Features(x, np.empty((12_000, 0), np.int64))
    said = baselines(found, y, found.rows(np.arange(50)), goal="classify", outputs=3, seconds=300, threads=1)
    assert [b.name for b in said if b.predicted is not None] == ["majority", "linear", "trees"]


def test_one_class_only_is_a_skipped_baseline_and_no_error() -> None:
    x = np.random.default_rng(0).normal(size=(300, 3))
    found = Features(x, np.empty((300, 0), np.int64))
    said = baselines(found, np.zeros(300, int), found, goal="classify", outputs=2, seconds=300, threads=1)
    assert all(b.predicted is not None or b.note for b in said)
