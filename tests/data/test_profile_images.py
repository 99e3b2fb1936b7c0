"""What a profile of pictures says."""

from __future__ import annotations

import numpy as np

from whet.data import Profile, load, split
from whet.data.profile_images import noise_of, profile


def rows_of(found: Profile) -> dict[str, tuple[str, str]]:
    return {row.name: (row.value, row.suggestion) for section in found.sections for row in section.rows}


def test_the_profile_of_digits_names_what_is_there() -> None:
    data = load("digits")
    rows = rows_of(profile(data, split(data, seed=0)))
    assert rows["pictures"][0] == "1,797"
    assert rows["classes"][0] == "10"
    assert rows["test pictures also in train"][0] == "0"


def test_imbalance_copies_wrong_labels_and_blank_pictures_become_findings() -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (200, 9, 9), dtype=np.uint8)
    y = np.asarray([0] * 180 + [1] * 20)
    x[100:120] = 7
    x[198] = x[3]
    data = load((x, y))
    parts = {"train": np.arange(0, 200), "val": np.arange(3, 4), "test": np.arange(100, 102)}
    found = profile(data, parts)
    names = {finding.name for finding in found.findings}
    assert names == {"class-imbalance", "duplicates-across-splits", "contradicting-labels", "near-constant-pictures"}


def test_regression_has_a_profile_too() -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 5, 5, 3), dtype=np.uint8)
    data = load((x, np.linspace(0, 1, 60)))
    assert "values" in rows_of(profile(data, split(data, seed=0)))


def test_noise_is_measured_and_slopes_are_none() -> None:
    slope = np.broadcast_to(np.linspace(0, 255, 64, dtype=np.float32), (1, 64, 64))
    noisy = slope + np.random.default_rng(0).normal(0, 12, slope.shape).astype(np.float32)
    assert noise_of(slope)[0] < 0.1
    assert abs(noise_of(noisy)[0] - 12) < 0.7
