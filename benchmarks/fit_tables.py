"""`whet fit` on tables as a user would run it, beside scikit-learn's boosted trees and its MLP on the same rows.

    python benchmarks/fit_tables.py --data california-housing --seeds 0 1 2
    python benchmarks/fit_tables.py --data uci-concrete          20 published splits at 20 s each, then their mean

Each run is a line of results/fit_tables.jsonl; README.md says what its columns mean.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import HERE, data_folder, installed, keep, scored, spread, surroundings, whet_fit

from whet.tasks.metrics import metric
from whet.train.horizon import parse_seconds

BUDGETS = {"california-housing": "60s", "adult-income": "60s", "uci-concrete": "20s"}
TARGETS = {
    "california-housing": "median_house_value",
    "adult-income": "income",
    "uci-concrete": "compressive_strength_mpa",
}
DOLLARS = 100_000
"""The unit of California's prices, as in the published results."""
SHOWN = (
    "data",
    "system",
    "fold",
    "budget",
    "seed",
    "value",
    "ci95",
    "metrics",
    "wall_seconds",
    "training_share",
    "load",
    "failed",
)
SHOWN_AT_END = ("data", "system", "budget", "mean", "sd", "se", "runs")


def main() -> None:
    said = arguments()
    budget = parse_seconds(said.budget or BUDGETS[said.data])
    target = TARGETS[said.data]
    values: dict[str, list[float]] = {}
    for fold, train, test in TABLES[said.data](data_folder(said.data)):
        if said.folds and fold not in said.folds:
            continue
        for seed in said.seeds:
            for record in (
                whet(train, test, target, budget, seed, said.empty_cache),
                *controls(train, test, target, seed),
            ):
                keep(said.results, {"data": said.data, "fold": fold, **record}, *SHOWN)
                if "value" in record:
                    values.setdefault(record["system"], []).append(record["value"])
    for system, found in values.items():
        if len(found) < 2:
            continue
        summary = {**spread(found), "runs": len(found), "values": found}
        keep(said.results, {"data": said.data, "system": system, "budget": budget, **summary}, *SHOWN_AT_END)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="whet fit on tables, with scikit-learn's trees and MLP as controls.")
    parser.add_argument("--data", required=True, choices=BUDGETS)
    parser.add_argument("--budget", help="such as 60s; the data's own if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", type=int, nargs="+", help="of uci-concrete's 20 published splits; all if not given")
    parser.add_argument("--empty-cache", action="store_true", help="measure the plan in each run")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_tables.jsonl")
    return parser.parse_args()


# -- the tables: (fold, rows to train and choose on, test rows) ----------------------------------------------------

Folds = Iterator[tuple[int, pl.DataFrame, pl.DataFrame]]
PART = "split"
"""A column of the training rows that says train or val, where the data set fixes that."""


def california(folder: Path) -> Folds:
    """The project split: row number % 5 is 4 for test rows and 3 for validation rows."""
    price = pl.col(TARGETS["california-housing"])
    whole = pl.read_csv(folder / "housing.csv").with_columns(price / DOLLARS)
    remainder = pl.Series(np.arange(len(whole)) % 5)
    part = pl.when(remainder == 3).then(pl.lit("val")).otherwise(pl.lit("train")).alias(PART)
    yield 0, whole.with_columns(part).filter(remainder != 4), whole.filter(remainder == 4)


def adult(folder: Path) -> Folds:
    """The official split."""
    train, test = (pl.read_csv(folder / f"{part}.csv", null_values="?") for part in ("train", "test"))
    yield 0, train, test


def concrete(folder: Path) -> Folds:
    """The 20 published splits."""
    whole, splits = pl.read_csv(folder / "concrete.csv"), pl.read_csv(folder / "splits.csv")
    for (fold,), chosen in splits.group_by("split", maintain_order=True):
        is_test = np.isin(np.arange(len(whole)), chosen["test_row"].to_numpy())
        yield int(fold), whole.filter(~is_test), whole.filter(is_test)


TABLES: dict[str, Callable[[Path], Folds]] = {
    "california-housing": california,
    "adult-income": adult,
    "uci-concrete": concrete,
}


# -- who is compared -----------------------------------------------------------------------------------------------


def whet(
    train: pl.DataFrame, test: pl.DataFrame, target: str, budget: float, seed: int, empty_cache: bool
) -> dict[str, Any]:
    """The record of `whet fit` on a folder with train.csv, test.csv and, where the data set has one, validation.csv."""
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
        folder = Path(temporary, "table")
        folder.mkdir()
        parts = {"train": train, "test": test}
        if PART in train.columns:
            parts["train"], parts["validation"] = (
                train.filter(pl.col(PART) == part).drop(PART) for part in ("train", "val")
            )
        for name, frame in parts.items():
            frame.write_csv(folder / f"{name}.csv")
        return whet_fit(folder, "--target", target, budget=budget, seed=seed, empty_cache=empty_cache)


def controls(train: pl.DataFrame, test: pl.DataFrame, target: str, seed: int) -> Iterator[dict[str, Any]]:
    """Records of scikit-learn's trees and MLP with their defaults, fitted on all rows that are not test rows."""
    columns = [c for c in test.columns if c != target]
    classify = test[target].dtype == pl.String
    X, X_test = train[columns].to_pandas(), test[columns].to_pandas()
    texts = [c for c in columns if train[c].dtype == pl.String]
    for c in texts:
        X[c] = X[c].astype("category")
        X_test[c] = X_test[c].astype(X[c].dtype)  # a category that training has not seen counts as missing
    y, y_test = train[target].to_numpy(), test[target].to_numpy()
    if classify:
        classes, y = np.unique(y, return_inverse=True)
        y_test = np.searchsorted(classes, y_test)
    for name, model in (("sklearn-trees", trees(classify, seed)), ("sklearn-mlp", mlp(classify, texts, seed))):
        record = {**surroundings(), "system": name, "seed": seed}
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the MLP's defaults often end before it has converged
            model.fit(X, y)
            predicted = model.predict_proba(X_test) if classify else model.predict(X_test)
        wall = round(time.perf_counter() - began, 2)
        names = ("accuracy", "auc", "log_loss") if classify else ("rmse", "mae", "r2")
        found = {m: metric(m).function(y_test, predicted) for m in names}
        known = scored(names[0], y_test, predicted, found[names[0]], seed)
        yield {
            **record,
            "wall_seconds": wall,
            **known,
            "metrics": found,
            "versions": installed("scikit-learn", "numpy"),
        }


def trees(classify: bool, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return (HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor)(random_state=seed)


def mlp(classify: bool, texts: list[str], seed: int) -> Any:
    """What an MLP can't do without goes before it: missing values filled, texts one-hot, columns and target scaled."""
    from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")), (OneHotEncoder(handle_unknown="ignore"), texts)
    )
    if classify:
        return make_pipeline(columns, MLPClassifier(random_state=seed))
    regressor = make_pipeline(columns, MLPRegressor(random_state=seed))
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


if __name__ == "__main__":
    main()
