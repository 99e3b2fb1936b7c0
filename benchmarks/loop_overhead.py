"""What the whole loop costs over a bare forward, backward and step on fixed tensors: same model, batch and plan.

    python benchmarks/loop_overhead.py                      all three networks
    python benchmarks/loop_overhead.py --case textbook --parts

"The loop" is `whet.train.loop.advance` with everything that a step of `whet fit` has: drawing the batch, augmentation,
schedule, the loss read as a number and checked, events; checkpoints and validation are off. "Bare" is zero_grad,
forward, loss, backward, step on one batch that was prepared before. Both have a model of their own with the same
initial weights, and take turns in one process, so that a noisy machine disturbs both alike. The ratio is that of
the two times per step in a pair of neighbouring turns; target: its median below 1.10.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from common import HERE, installed, keep, surroundings

from whet.build import build
from whet.data.core import Data
from whet.data.prepared import Prepared, prepare
from whet.recipe import Choice, Recipe
from whet.search.first import Facts, portfolio
from whet.tasks import Task, make_task
from whet.train.horizon import Horizon
from whet.train.loop import Training, advance, draw_from, forward_backward, own_random_numbers, train_step
from whet.train.parts import Parts
from whet.train.plan import Plan, autocast, cores, first_plan, measure, running, time_of_step

ROWS = 20_000
TINY_LR = 1e-6
"""Nothing is to be learned here; with a real rate a batch seen a thousand times gives denormal gradients, which are slow."""
SHOWN = ("case", "ratio", "ratio_low", "ratio_high", "cpu_ratio", "loop_ms", "bare_ms", "parts_ms", "load")


def main() -> None:
    said = arguments()
    for name in said.case or CASES:
        record = {**surroundings(), "case": name, "repetitions": said.repetitions, "seconds": said.seconds}
        recipe, data = CASES[name]()
        record |= compare(recipe, data, said)
        keep(said.results, {**record, "versions": installed("whet", "torch", "numpy")}, *SHOWN)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The loop against bare steps on fixed tensors.")
    parser.add_argument("--case", nargs="+", choices=CASES, help="all if not given")
    parser.add_argument("--repetitions", type=int, default=15, help="pairs of turns")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--threads", type=int, help="the plan's threads; measured if not given")
    parser.add_argument("--parts", action="store_true", help="also time the pieces that only the loop has")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "loop_overhead.jsonl")
    return parser.parse_args()


# -- the cases: (recipe, random data) ------------------------------------------------------------------------------


def fastconv() -> tuple[Recipe, Data]:
    """What `whet fit` tries first on 32x32 colour images: batch 256, mirrored and cropped."""
    facts = Facts("image", "classify", ROWS, (3, 32, 32), 10, seconds=300.0, mirror=(4.0, -3.0))
    recipe = portfolio(facts)[0].recipe
    return recipe.put("optimizer.lr", TINY_LR).put("optimizer.rest_lr", TINY_LR), random_images(32, 3)


def textbook() -> tuple[Recipe, Data]:
    """The textbook CNN on 28x28 grey images: batch 128, Adam, mirrored and cropped."""
    recipe = Recipe(
        family=Choice("textbook"),
        activation=Choice("relu"),
        norm=Choice("none"),
        optimizer=Choice("adam", lr=TINY_LR),
        augment=(Choice("flip"), Choice("crop", pad=2)),
        batch_size=128,
    )
    return recipe, random_images(28, 1)


def tabular() -> tuple[Recipe, Data]:
    """What `whet fit` tries first on a table: 8 numbers and a category, like California's houses."""
    facts = Facts("table", "regress", ROWS, (8,), 1, seconds=60.0)
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {f"x{i}": random.normal(size=ROWS) for i in range(8)}
    frame = pl.DataFrame({**columns, "kind": random.choice(list("abcde"), ROWS)})
    data = Data("random", "table", frame, random.normal(size=ROWS), "regress", (), "y")
    return portfolio(facts)[0].recipe.put("optimizer.lr", TINY_LR), data


def random_images(side: int, channels: int) -> Data:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (ROWS, side, side, channels), dtype=np.uint8)
    return Data("random", "image", x, random.integers(0, 10, ROWS), "classify", tuple("0123456789"), "label")


CASES: dict[str, Callable[[], tuple[Recipe, Data]]] = {"fastconv": fastconv, "textbook": textbook, "tabular": tabular}


# -- the comparison ------------------------------------------------------------------------------------------------


def compare(recipe: Recipe, data: Data, said: argparse.Namespace) -> dict[str, Any]:
    """Ratio of the loop's time per step to the bare one's, under the plan that `whet fit` would measure."""
    parts = {"train": np.arange(ROWS - 1000), "val": np.arange(ROWS - 1000, ROWS), "test": np.arange(0)}
    prepared, task = prepare(data, parts), make_task(data.domain, data.goal, data.classes, data.target)
    plan = plan_for(recipe, task, prepared)
    plan = replace(plan, threads=said.threads) if said.threads else plan
    with running(plan), own_random_numbers():
        training = new_training(recipe, task, prepared, plan)
        bare = bare_step(build(recipe, task, prepared, 0, plan))
        turns = {"loop": lambda: loop_turn(training, said.seconds), "bare": lambda: bare_turn(bare, said.seconds)}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
        for turn in turns.values():  # warm-up
            turn()
        for repetition in range(said.repetitions):
            for name in list(turns)[:: 1 if repetition % 2 else -1]:  # who goes first alternates
                times[name].append(turns[name]())
        pieces = parts_ms(training) if said.parts else {}
    loop, bare_ = (np.array(times[name]) for name in ("loop", "bare"))  # (repetitions, (wall, processor))
    ratios = loop / bare_
    low, middle, high = np.quantile(ratios[:, 0], [0.25, 0.5, 0.75])
    return {
        "ratio": round(middle, 4),
        "ratio_low": round(low, 4),
        "ratio_high": round(high, 4),
        "cpu_ratio": round(float(np.median(ratios[:, 1])), 4),
        "loop_ms": round(1e3 * float(np.median(loop[:, 0])), 3),
        "bare_ms": round(1e3 * float(np.median(bare_[:, 0])), 3),
        "ratios": [round(float(r), 4) for r in ratios[:, 0]],
        **({"parts_ms": pieces} if said.parts else {}),
        "batch": recipe.batch_size,
        "recipe_hash": recipe.hash,
        "plan": str(plan),
    }


def plan_for(recipe: Recipe, task: Task, prepared: Prepared) -> Plan:
    """As `whet fit` measures it, but never remembered."""

    def time_step(plan: Plan) -> float:
        with running(plan):
            training = new_training(recipe, task, prepared, plan)
            return time_of_step(lambda: train_step(training))

    with own_random_numbers():
        return measure(time_step, first_plan(cores()), "", cache=False)


def new_training(recipe: Recipe, task: Task, prepared: Prepared, plan: Plan) -> Training:
    return Training(build(recipe, task, prepared, 0, plan), Horizon(steps=1_000_000), 0)


def loop_turn(training: Training, seconds: float) -> tuple[float, float]:
    """(wall, processor) seconds per step of the whole loop, over about `seconds`."""
    steps, wall, cpu = training.step, time.perf_counter(), time.process_time()
    advance(training, seconds)
    steps = training.step - steps
    return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps


def bare_turn(step: Callable[[], None], seconds: float) -> tuple[float, float]:
    """(wall, processor) seconds per bare step, over about `seconds`."""
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        step()
        count += 1
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def bare_step(parts: Parts) -> Callable[[], None]:
    """The step of a plain PyTorch loop, on one batch that stays."""
    inputs, target = parts.prepare(*parts.train.batch(0, 0), torch.Generator().manual_seed(0))
    model, optimizer, loss = parts.model, parts.optimizer, parts.loss

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast(parts.plan):
            value = loss(model(*inputs), target)
        value.backward()
        optimizer.step()

    return step


def parts_ms(training: Training) -> dict[str, float]:
    """Milliseconds of what a step of the loop has, the shortest of many; `forward_backward` is mostly bare, too."""
    parts, counter = training.parts, iter(range(10**9))
    batch = parts.train.batch(0, 0)
    generator = torch.Generator().manual_seed(0)
    ready = parts.prepare(*batch, generator)
    pieces: dict[str, Callable[[], object]] = {
        "draw_from": lambda: draw_from(0, next(counter)),
        "batch": lambda: parts.train.batch(0, next(counter) % parts.train.batches_per_epoch),
        "prepare": lambda: parts.prepare(*batch, generator),
        "schedule": lambda: parts.schedule(training.progress),
        "forward_backward": lambda: forward_backward(training, *ready),
        "optimizer": parts.optimizer.step,
        "tick": training.tick,
    }
    return {name: round(1e3 * time_of_step(piece, 0.5), 4) for name, piece in pieces.items()}


if __name__ == "__main__":
    main()
