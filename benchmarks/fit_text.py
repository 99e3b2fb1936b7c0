"""`whet fit` on texts as a user would run it, beside TF-IDF with logistic regression and a fastText-like network.

    python benchmarks/fit_text.py --data trec --seeds 0 1 2
    python benchmarks/fit_text.py --data movie-review-polarity --folds 0 1 2 3 4 5 6 7 8 9

The controls are fitted on all rows that are not test rows. clinc150: training and validation hold the 150 intents alone
(`oos_train` and `oos_validation` are left out); the 4,500 test rows give the accuracy, and with the 1,000 rows of `oos_test`
the area under the ROC curve of the highest probability. movie-review-polarity: the authors' folds, one of them the test
part and the one before it the validation part. With --first-recipe nothing depends on the clock: the first recipe's passes,
then the same on all rows, no search; for a machine that others use too. Each run is a line of results/fit_text.jsonl;
README.md says what its columns mean.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
from common import ALSO_KEPT, HERE, KEPT, data_folder, installed, keep, scored, spread, surroundings, whet_fit

from whet import fit as whet_in_process
from whet.data.core import Data
from whet.fields import load
from whet.fields.text.baselines import fast, logistic
from whet.fields.text.scope import known_auroc
from whet.tasks.metrics import accuracy
from whet.train.horizon import parse_seconds

NAMES = ("trec", "sst2", "clinc150", "movie-review-polarity")
FOLD = 9
"""Of movie-review-polarity, the project split."""
LONG = 1e9
"""Seconds for a control: as many as it needs."""
SHOWN = ("data", "system", "fold", "budget", "seed", "value", "ci95", "out_of_scope")
SHOWN += ("wall_seconds", "cpu_seconds", "load", "failed")


def main() -> None:
    said = arguments()
    budget, folder = parse_seconds(said.budget), data_folder(said.data)
    values: dict[str, list[float]] = {}
    for fold in said.folds if said.data == "movie-review-polarity" else [None]:
        for seed in said.seeds:
            with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
                source, options = laid(said.data, folder, Path(temporary), fold)
                if said.first_recipe:
                    runs = [first(source, fold, seed)]
                else:
                    runs = [whet(source, options, budget, seed, said.empty_cache)]
                if not said.no_controls:
                    runs += controls(load(source, split=options[1] if options else None), seed)
            for record in runs:
                keep(said.results, {"data": said.data, "fold": fold, **record}, *SHOWN)
                if "value" in record:
                    values.setdefault(record["system"], []).append(record["value"])
    for system, found in values.items():
        if len(found) > 1:
            summary = {**spread(found), "runs": len(found), "values": found}
            timed = {"budget": budget} if system == "whet" else {}
            keep(said.results, {"data": said.data, "system": system, **timed, **summary})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="whet fit on texts, with the usual picks as controls.")
    parser.add_argument("--data", required=True, choices=NAMES)
    parser.add_argument("--budget", default="300s", help="such as 60s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", type=int, nargs="+", default=[FOLD], help="of movie-review-polarity: test folds")
    parser.add_argument("--first-recipe", action="store_true", help="its steps alone, whatever the clock says")
    parser.add_argument("--no-controls", action="store_true")
    parser.add_argument("--empty-cache", action="store_true", help="measure the plan in each run")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_text.jsonl")
    return parser.parse_args()


def laid(name: str, folder: Path, temporary: Path, fold: int | None) -> tuple[Path, list[str]]:
    """(what `whet fit` is given, its options)"""
    if name == "movie-review-polarity":
        return folder / "reviews.csv", ["--split", f"fold={fold}"]
    if name != "clinc150":
        return folder, []
    where = temporary / "clinc150"
    where.mkdir()
    for part in ("train", "validation"):
        (where / f"{part}.csv").write_bytes((folder / f"{part}.csv").read_bytes())
    both = pl.concat([pl.read_csv(folder / "test.csv"), pl.read_csv(folder / "oos_test.csv")])
    both.write_csv(where / "test.csv")
    return where, []


def whet(source: Path, options: list[str], budget: float, seed: int, empty_cache: bool) -> dict[str, Any]:
    """The record of `whet fit`; where there are texts out of scope, with how well they were told apart."""
    also = ("out_of_scope",) if source.name == "clinc150" else ()
    return whet_fit(source, *options, budget=budget, seed=seed, empty_cache=empty_cache, also=also)


def first(source: Path, fold: int | None, seed: int) -> dict[str, Any]:
    """The record of the first recipe, trained whole, and again on all rows."""
    split = None if fold is None else f"fold={fold}"
    record = {**surroundings(), "system": "whet, first recipe", "seed": seed}
    began, worked = time.perf_counter(), time.process_time()
    searching = mock.patch("whet.tune.wanted", return_value=False)
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary, searching:
        details = whet_in_process(source, budget=LONG, seed=seed, split=split, out=Path(temporary, "run")).details
    record["wall_seconds"] = round(time.perf_counter() - began, 2)
    record["cpu_seconds"] = round(time.process_time() - worked, 2)
    return record | {k: details[k] for k in (*KEPT, *ALSO_KEPT, "out_of_scope", "findings") if k in details}


def controls(data: Data, seed: int) -> Iterator[dict[str, Any]]:
    """Records of the usual picks."""
    test, unknown = data.official["test"], np.asarray(data.origin["unknown"], np.int64)
    rows = np.setdiff1d(np.arange(len(data)), np.concatenate([test, unknown]))
    asked = np.concatenate([test, unknown])
    train_texts, asked_texts = (data.x.get_column("text").gather(r).to_list() for r in (rows, asked))
    y, truth, classes = data.y[rows], data.y[test], len(data.classes)
    fits: dict[str, Callable[[], tuple[np.ndarray, str]]] = {
        "tf-idf + logistic": lambda: logistic(train_texts, y, asked_texts, LONG, classes),
        "fasttext-like": lambda: fast(train_texts, y, asked_texts, LONG, classes, seed),
    }
    for name, fit in fits.items():
        record, began = {**surroundings(), "system": name, "seed": seed}, time.perf_counter()
        predicted, note = fit()
        wall = round(time.perf_counter() - began, 2)
        known, strange = predicted[: len(test)], predicted[len(test) :]
        value = accuracy(truth, known)
        found = {"wall_seconds": wall, **scored("accuracy", truth, known, value, seed), "note": note}
        if len(strange):
            found["out_of_scope"] = {"auroc": known_auroc(known.max(1), strange.max(1)), "n": len(strange)}
        yield {**record, **found, "versions": installed("scikit-learn", "torch", "numpy")}


if __name__ == "__main__":
    main()
