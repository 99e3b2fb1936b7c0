"""Which activation trains best on which data: the first recipe of `whet fit` with one function in place of another.

A row per (data, activation, seed): the best validation value of a whole training with a fixed number of steps, the same
rows, the same initial weights and batches for all functions of a seed. relu is the control for tables, gelu for images.
No test row is opened. This is what the order in `whet.prior` was set by.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from common import HERE, data_folder, installed, keep, surroundings

import whet
from whet.data import split
from whet.data.core import Data
from whet.data.prepared import prepare
from whet.data.symmetry import NOTHING_KNOWN, mirror_gain
from whet.recipe import Choice, Recipe
from whet.runners.trial import open_trial
from whet.search.first import Facts, image_size, portfolio
from whet.tasks import make_task
from whet.train.horizon import Horizon
from whet.train.plan import Plan

FUNCTIONS = ("relu", "leaky_relu", "prelu", "squared_relu", "gelu", "silu", "mish", "elu", "tanh", "softsign", "snake")
PASSES = {"image": 6, "concrete": 80, "california-housing": 10, "adult-income": 4}
FEW_PASSES = 60
"""Over a bundled table."""


def waves() -> Data:
    """A target that swings nine times over one of five columns."""
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (1500, 5))
    y = np.sin(9 * np.pi * x[:, 0]) + x[:, 1] * x[:, 2] + 0.2 * random.normal(size=1500)
    return Data("waves", "table", pl.DataFrame({f"x{i}": x[:, i] for i in range(5)}), y, "regress", (), "y")


def concrete() -> Data:
    return whet.load(data_folder("uci-concrete") / "concrete.csv")


SETS: dict[str, Callable[[], Data]] = {
    "diabetes": lambda: whet.load("diabetes"),
    "breast-cancer": lambda: whet.load("breast-cancer"),
    "digits": lambda: whet.load("digits"),
    "waves": waves,
    "concrete": concrete,
    "california-housing": lambda: whet.load(data_folder("california-housing"), target="median_house_value"),
    "adult-income": lambda: whet.load(data_folder("adult-income")),
}


def main() -> None:
    said = arguments()
    torch.set_num_threads(said.threads)
    for name in said.data:
        data = SETS[name]()
        for seed in said.seeds:
            for function in said.functions:
                began = surroundings()
                value, metric = trained(data, name, function, seed)
                record = {**began, "data": name, "function": function, "seed": seed, "metric": metric, "value": value}
                versions = installed("torch", "numpy")
                keep(said.results, {**record, "versions": versions}, "data", "function", "seed", "value")


def trained(data: Data, name: str, function: str, seed: int) -> tuple[float, str]:
    """(best validation value, metric) of the first recipe with this function."""
    parts = split(data, seed=0)
    task = make_task(data.domain, data.goal, data.classes, data.target)
    prepared = prepare(data, parts, image_size(data.x.shape[1:3]) if data.domain == "image" else None)
    recipe = recipe_for(data, parts, prepared.shape, task.outputs).put("activation", Choice(function))
    passes = PASSES.get("image" if data.domain == "image" else name, FEW_PASSES)
    steps = passes * max(1, len(parts["train"]) // recipe.batch_size)
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as folder:
        trial = open_trial(function, recipe.put("steps", steps), task, prepared, seed, Plan(), Path(folder), [])
        trial.advance(Horizon(steps))
        return float(trial.best_score.value), task.metric


def recipe_for(data: Data, parts: dict[str, np.ndarray], shape: tuple[int, ...], outputs: int) -> Recipe:
    mirror = NOTHING_KNOWN
    if isinstance(data.x, np.ndarray):
        mirror = mirror_gain(data.x, data.y, parts["train"])
    facts = Facts(data.domain, data.goal, len(parts["train"]), shape, outputs, seconds=60.0, mirror=mirror)
    return portfolio(facts)[0].recipe


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--functions", nargs="+", default=list(FUNCTIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=HERE / "results" / "activations_by_data.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
