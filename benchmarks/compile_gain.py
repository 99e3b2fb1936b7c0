"""Whether torch.compile would pay: the seconds that it takes, and a bare step's time as a ratio to the eager one.

    python benchmarks/compile_gain.py                 all networks
    python benchmarks/compile_gain.py --case tabular mlp

A step is zero_grad, forward, loss, backward and optimiser step on one batch that stays, on one thread. The eager and the
compiled network have the same weights and take turns in one process; times are processor time, the shortest of the turns. What
was compiled before is not remembered.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # before torch reads it
import torch
from common import HERE, installed, keep, surroundings
from loop_overhead import CASES, ROWS, TINY_LR, bare_step, fastconv, tabular

from whet.build import build
from whet.data.core import Data
from whet.data.prepared import prepare
from whet.recipe import Choice, Recipe
from whet.tasks import make_task
from whet.train.loop import own_random_numbers
from whet.train.plan import first_plan, running

TURNS, SECONDS = 7, 0.7
SHOWN = ("case", "compile_seconds", "ratio", "eager_ms", "compiled_ms", "load")


def mlp() -> tuple[Recipe, Data]:
    recipe, data = tabular()
    return recipe.put("family", Choice("mlp", width=256, depth=3)).put("batch_size", 256), data


def resnet() -> tuple[Recipe, Data]:
    recipe, data = fastconv()
    sgd = Choice("sgd", lr=TINY_LR, momentum=0.9)
    plain = (
        recipe.put("family", Choice("resnet", depth=18)).put("norm", Choice("batch")).put("activation", Choice("relu"))
    )
    return plain.put("optimizer", sgd).put("batch_size", 64), data


NETWORKS: dict[str, Callable[[], tuple[Recipe, Data]]] = {**CASES, "mlp": mlp, "resnet": resnet}


def compare(recipe: Recipe, data: Data) -> dict[str, Any]:
    parts = {"train": np.arange(ROWS - 1000), "val": np.arange(ROWS - 1000, ROWS), "test": np.arange(0)}
    prepared, task = prepare(data, parts), make_task(data.domain, data.goal, data.classes, data.target)
    plan = first_plan(1)
    with running(plan), own_random_numbers():
        eager, compiled = (build(recipe, task, prepared, 0, plan) for _ in range(2))
        compiled.model.compile()
        steps = {"eager": bare_step(eager), "compiled": bare_step(compiled)}
        began = time.perf_counter()
        steps["compiled"]()
        cost = time.perf_counter() - began
        turns = {name: [milliseconds(step) for _ in range(TURNS)] for name, step in steps.items()}
    best = {name: min(times) for name, times in turns.items()}
    return {
        "compile_seconds": round(cost, 1),
        "ratio": round(best["compiled"] / best["eager"], 3),
        **{f"{name}_ms": round(value, 2) for name, value in best.items()},
        "turns": {name: [round(t, 3) for t in times] for name, times in turns.items()},
    }


def milliseconds(step: Callable[[], None]) -> float:
    """Of processor time, a step, over about SECONDS."""
    began, count = time.process_time(), 0
    while time.process_time() - began < SECONDS:
        step()
        count += 1
    return 1e3 * (time.process_time() - began) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--case", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--results", type=Path, default=HERE / "results" / "compile_gain.jsonl")
    said = parser.parse_args()
    torch.set_num_threads(1)
    for name in said.case:
        record = {**surroundings(), "case": name, **compare(*NETWORKS[name]())}
        keep(said.results, {**record, "versions": installed("whet", "torch")}, *SHOWN)


if __name__ == "__main__":
    main()
