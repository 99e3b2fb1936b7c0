"""The tables of portfolio.py: from the shared data, from scikit-learn, and made up; and the tasks that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from common import data_folder
from sklearn import datasets

from whet.data.bundled import bundled_frame

HOUSES = ["longitude", "latitude", "housing_median_age", "median_income", "median_house_value", "ocean_proximity"]


# -- the tables ----------------------------------------------------------------------------------------------------


def california() -> pl.DataFrame:
    """The project split's training rows; two counts of a block as averages of a household."""
    whole = pl.read_csv(data_folder("california-housing") / "housing.csv")
    averages = [(pl.col(c) / pl.col("households")).alias(f"{c}_each") for c in ("total_rooms", "population")]
    return whole.filter(pl.int_range(pl.len()) % 5 < 3).select(*HOUSES, *averages)


def adult() -> pl.DataFrame:
    """The official training rows; a column that says what another one does is left out."""
    return pl.read_csv(data_folder("adult-income") / "train.csv", null_values="?").drop("education", "relationship")


def electricity() -> pl.DataFrame:
    """ETTh1's training rows: loads of a transformer, its oil's temperature, and the hour, in no order."""
    whole = pl.read_csv(data_folder("etth1") / "ETTh1.csv")[:8_640]
    return whole.select(pl.col("date").str.slice(11, 2).cast(pl.Int64).alias("hour"), pl.exclude("date"))


def concrete() -> pl.DataFrame:
    """The first published split's training rows."""
    folder = data_folder("uci-concrete")
    test = pl.read_csv(folder / "splits.csv").filter(pl.col("split") == 0)["test_row"].to_list()
    return pl.read_csv(folder / "concrete.csv").filter(~pl.int_range(pl.len()).is_in(test))


def outliers(name: str) -> pl.DataFrame:
    found = np.load(data_folder("adbench") / name)
    return frame(found["X"], np.where(found["y"].ravel() == 1, "yes", "no"))


def frame(x: np.ndarray, y: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({**{f"x{i}": column for i, column in enumerate(np.asarray(x).T)}, "y": y})


def digits() -> pl.DataFrame:
    x, y = datasets.load_digits(return_X_y=True)
    return frame(x, np.char.add("digit ", y.astype(str)))


def classes(**how: Any) -> pl.DataFrame:
    x, y = datasets.make_classification(9_000, random_state=0, **how)
    return frame(x, np.char.add("class ", y.astype(str)))


SOURCES: dict[str, Callable[[], pl.DataFrame]] = {
    "california": california,
    "adult": adult,
    "electricity": electricity,
    "concrete": concrete,
    "thyroid": lambda: outliers("38_thyroid.npz"),
    "cardio": lambda: outliers("6_cardio.npz"),
    "digits": digits,
    **{name: lambda name=name: bundled_frame(name) for name in ("diabetes", "breast-cancer", "wine")},
    "friedman1": lambda: frame(*datasets.make_friedman1(9_000, noise=1.0, random_state=0)),
    "friedman2": lambda: frame(*datasets.make_friedman2(9_000, noise=50.0, random_state=0)),
    "friedman3": lambda: frame(*datasets.make_friedman3(9_000, noise=0.1, random_state=0)),
    "clusters": lambda: classes(n_features=20, n_informative=6, n_redundant=4, n_classes=3, flip_y=0.05),
    "noise": lambda: classes(n_features=40, n_informative=5, n_redundant=0, n_clusters_per_class=4, flip_y=0.1),
}
TASKS: list[tuple[str, str, int]] = [  # (table, target, rows to train and choose on)
    ("concrete", "compressive_strength_mpa", 700),
    ("adult", "income", 800),
    ("friedman1", "y", 400),
    ("california", "median_house_value", 400),
    ("noise", "y", 800),
    ("diabetes", "progression", 300),
    ("electricity", "OT", 400),
    ("clusters", "y", 400),
    ("adult", "income", 3_600),
    ("wine", "alcohol", 120),
    ("breast-cancer", "diagnosis", 390),
    ("california", "ocean_proximity", 3_600),
    ("cardio", "y", 1_200),
    ("friedman2", "y", 400),
    ("noise", "y", 3_600),
    ("adult", "age", 400),
    ("clusters", "y", 3_600),
    ("concrete", "water", 700),
    ("california", "ocean_proximity", 500),
    ("adult", "occupation", 3_600),
    ("friedman3", "y", 1_000),
    ("diabetes", "bmi", 300),
    ("thyroid", "y", 2_500),
    ("digits", "y", 1_200),
    ("california", "median_house_value", 3_600),
    ("electricity", "OT", 3_600),
    ("adult", "hours-per-week", 3_600),
    ("friedman1", "y", 3_600),
]


@cache
def table(name: str) -> pl.DataFrame:
    """The whole table, but for the test rows of one that has an official split."""
    return SOURCES[name]()
