"""Signs in the data that bear on the activation function are seen, and are not seen where they are not."""

import numpy as np
import polars as pl
import pytest

from whet.data.core import Data
from whet.data.signs import signs


def table(y: np.ndarray, **columns: np.ndarray) -> Data:
    return Data("t", "table", pl.DataFrame(columns), y, "regress", (), "y")


def rows(data: Data) -> np.ndarray:
    return np.arange(len(data))


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_target_that_swings_with_a_column_is_seen(random: np.random.Generator) -> None:
    t, other = random.uniform(-3, 3, (2, 1000))
    data = table(np.sin(7 * t) + 0.3 * random.normal(size=1000), t=t, other=other)
    found = signs(data, rows(data))
    assert found.waved == "t"
    assert found.wave > 0.7


def test_a_curve_without_waves_shows_none(random: np.random.Generator) -> None:
    t = random.uniform(-3, 3, 1000)
    for y in (t**3 - t, np.tanh(t), random.normal(size=1000)):
        data = table(y, t=t)
        assert signs(data, rows(data)).wave < 0.02


def test_a_class_that_comes_and_goes_along_a_column_is_seen(random: np.random.Generator) -> None:
    t = random.uniform(0, 10, 800)
    data = Data("t", "table", pl.DataFrame({"t": t}), (np.floor(t) % 2).astype(int), "classify", ("a", "b"), "y")
    assert signs(data, rows(data)).wave > 0.5


def test_zeros_signs_and_tails_are_counted(random: np.random.Generator) -> None:
    x = random.standard_t(2.5, 4000)
    data = table(random.normal(size=4000), heavy=x, also=x[::-1].copy(), sparse=np.where(x > 1, x, 0.0))
    found = signs(data, rows(data))
    assert found.tails > 5
    assert 0.25 < found.zeros < 0.35
    assert 0.3 < found.negative < 0.4


def test_missing_constant_and_text_columns_are_no_obstacle(random: np.random.Generator) -> None:
    holes = np.where(random.random(300) < 0.5, np.nan, 1.0)
    data = table(random.normal(size=300), holes=holes, constant=np.ones(300), text=np.array(["a"] * 300))
    assert signs(data, rows(data)).wave == 0.0
    empty = table(np.zeros(5), text=np.array(list("abcde")))
    assert signs(empty, rows(empty)).zeros == 0.0


def test_only_the_given_rows_are_looked_at() -> None:
    data = table(np.zeros(400), x=np.r_[np.zeros(200), np.ones(200)])
    assert signs(data, np.arange(200)).zeros == 1.0
    assert signs(data, np.arange(200, 400)).zeros == 0.0


def test_pictures_count_black_pixels() -> None:
    x = np.zeros((10, 4, 4, 1), np.uint8)
    x[:, :2] = 9
    assert signs(Data("p", "image", x, np.zeros(10, int), "classify", ("a",), "label"), np.arange(10)).zeros == 0.5
