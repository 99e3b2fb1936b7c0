"""Which columns of a table say anything of the target."""

import numpy as np
import pytest

from whet.data.screening import informative


def noise(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def found(x: np.ndarray, y: np.ndarray, category: np.ndarray | None = None) -> tuple[list[int], list[int]]:
    category = np.empty((len(x), 0), np.int64) if category is None else category
    numbers, categories = informative(x, category, y, classify=y.dtype.kind == "i")
    return list(np.flatnonzero(numbers)), list(np.flatnonzero(categories))


@pytest.mark.parametrize("classify", [True, False])
def test_columns_that_matter_alone_or_only_together_are_found_among_noise(classify: bool) -> None:
    x = noise(400, 100)
    y = x[:, 7] + x[:, 11] * x[:, 42] + 0.5 * noise(400, 1, 1)[:, 0]
    assert found(x, (y > 0).astype(np.int64) if classify else y) == ([7, 11, 42], [])


def test_a_column_that_goes_up_and_down_with_the_target_is_found() -> None:
    x = noise(400, 50)
    assert 3 in found(x, np.cos(3 * x[:, 3]))[0]


def test_a_category_that_moves_the_target_is_found() -> None:
    category = np.random.default_rng(0).integers(0, 6, (300, 4))
    assert 2 in found(noise(300, 5), category[:, 2] * 1.0, category)[1]


def test_outliers_of_the_target_hide_nothing() -> None:
    x = noise(400, 50)
    y = x[:, 0] + 0.1 * noise(400, 1, 1)[:, 0]
    y[:4] *= 1e6
    assert 0 in found(x, y)[0]


def test_where_everything_is_noise_hardly_any_column_is_found() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 300)
    counts = [len(found(noise(300, 100, seed), labels)[0]) for seed in range(10)]
    assert sum(counts) <= 10


def test_constant_columns_and_few_rows_are_no_trouble() -> None:
    assert found(np.ones((5, 40)), np.arange(5.0)) == ([], [])
