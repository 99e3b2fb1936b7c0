"""Augmentation of 128x128 colour images beside Keras' ImageDataGenerator, and beside the training step that it feeds.

    python benchmarks/augment_speed.py --keras-python keras-env/bin/python

Four things take turns in one call, so that a noisy machine disturbs all alike:

    augment     flip, rotate, shift, zoom, crop, brightness, contrast, colour and cutout together: uint8 -> normalised floats
    keras       ImageDataGenerator.flow with rotation, shifts, zoom, flip, brightness and channel shift (keras_generator.py)
    stream      the same as augment, with batches drawn at random from a memory map on the disk, as `whet fit` reads them
    step        a training step of the default network on such a batch, augmentation included

Times are per image: the least of all turns, wall-clock and processor. The generator runs in one process, as `flow` does;
`ratio` is keras / augment by the wall-clock on all cores, `cpu_ratio` by processor time, that is core for core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import HERE, give_up, installed, keep, surroundings

from whet.build import build, make_prepare
from whet.data.core import Data
from whet.data.loader import Loader
from whet.data.prepared import Prepared, prepare
from whet.recipe import Choice, Recipe
from whet.search.first import Facts, portfolio
from whet.tasks import Task, make_task
from whet.train.horizon import Horizon
from whet.train.loop import Training, own_random_numbers, train_step
from whet.train.plan import cores, first_plan, running

SIDE = 128
ALL = (
    Choice("flip"),
    Choice("rotate", degrees=20.0),
    Choice("shift", share=0.2, pixels=0),
    Choice("zoom", share=0.2),
    Choice("crop", pad=4),
    Choice("brightness"),
    Choice("contrast"),
    Choice("colour"),
    Choice("cutout"),
)
SHOWN = ("batch", "threads", "ratio", "cpu_ratio", "milliseconds", "cpu_milliseconds", "step_share", "load")
Turn = Callable[[], tuple[float, float]]


def main() -> None:
    said = arguments()
    for batch in said.batch:
        record = {**surroundings(), "batch": batch, "threads": said.threads, "images": said.images}
        with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as folder:
            record |= compare(said, batch, Path(folder))
        record["versions"] = installed("whet", "torch", "numpy")
        keep(said.results, record, *SHOWN)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Augmentation beside ImageDataGenerator and the training step.")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--batches", type=int, default=4, help="in a turn")
    parser.add_argument("--images", type=int, default=20_000, help="in the memory map, 49 kB each")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--keras-python", required=True, help="a Python with keras and scipy")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "augment_speed.jsonl")
    return parser.parse_args()


def compare(said: argparse.Namespace, batch: int, folder: Path) -> dict[str, Any]:
    """The least times of each, and all of them."""
    with (
        Keras(said.keras_python, batch, said.batches) as keras,
        running(first_plan(said.threads)),
        own_random_numbers(),
    ):
        turns = {**our_turns(said, batch, folder), "keras": keras.turn}
        for turn in turns.values():  # warm-up
            turn()
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
        for repetition in range(said.repetitions):
            for name in list(turns)[:: 1 if repetition % 2 else -1]:  # who goes first alternates
                taken[name].append(turns[name]())
    wall, cpu = ({name: 1e3 * min(t[k] for t in times) for name, times in taken.items()} for k in (0, 1))
    return {
        "ratio": round(wall["keras"] / wall["augment"], 2),
        "cpu_ratio": round(cpu["keras"] / cpu["augment"], 2),
        "milliseconds": {name: round(t, 4) for name, t in wall.items()},
        "cpu_milliseconds": {name: round(t, 4) for name, t in cpu.items()},
        "step_share": round(cpu["augment"] / cpu["step"], 4),
        "keras_versions": keras.versions,
        "turns": taken,
    }


class Keras:
    """The generator in a process of its own, which works only when it is asked to."""

    def __init__(self, python: str, batch: int, batches: int) -> None:
        command = [python, str(HERE / "keras_generator.py"), str(batch), str(batches)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Keras:
        self.versions = self.answer()
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate()

    def turn(self) -> tuple[float, float]:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        wall, cpu = self.answer()
        return wall, cpu

    def answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        return json.loads(line) if line else give_up(f"{self.process.args} ended; it needs keras and scipy.")


# -- ours ----------------------------------------------------------------------------------------------------------


def our_turns(said: argparse.Namespace, batch: int, folder: Path) -> dict[str, Turn]:
    """A turn of each of our three, (wall, processor) seconds per image."""
    data = images_on_disk(folder / "images.npy", said.images)
    rows = np.arange(said.images - 100)
    parts = {"train": rows, "val": np.arange(said.images - 100, said.images), "test": rows[:0]}
    prepared, task = prepare(data, parts), make_task("image", "classify", data.classes, "label")
    recipe = default_recipe(said.images, batch)
    prepared_batch = make_prepare(Recipe(augment=ALL), task, prepared)
    loader = Loader(prepared.inputs, prepared.target, prepared.rows["train"], batch, seed=0)
    same, generator = loader.batch(0, 0), torch.Generator().manual_seed(0)
    count = iter(range(10**9))
    training = new_training(recipe, task, prepared, said.threads)
    works: dict[str, Callable[[], object]] = {
        "augment": lambda: prepared_batch(*same, generator),
        "stream": lambda: prepared_batch(*loader.batch(0, next(count) % loader.batches_per_epoch), generator),
        "step": lambda: train_step(training),
    }
    return {name: timed(work, batch, said.batches) for name, work in works.items()}


def timed(work: Callable[[], object], batch: int, batches: int) -> Turn:
    def turn() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(batches):
            work()
        n = batch * batches
        return (time.perf_counter() - wall) / n, (time.process_time() - cpu) / n

    return turn


def images_on_disk(path: Path, n: int) -> Data:
    """Random images in a memory map: at the default number ten times what fits into a processor's cache."""
    x = np.lib.format.open_memmap(path, "w+", np.uint8, (n, SIDE, SIDE, 3))
    random = np.random.default_rng(0)
    for start in range(0, n, 1000):
        x[start : start + 1000] = random.integers(0, 256, x[start : start + 1000].shape, dtype=np.uint8)
    x.flush()
    mapped = np.load(path, mmap_mode="r")
    return Data("random", "image", mapped, random.integers(0, 10, n), "classify", tuple("0123456789"), "label")


def default_recipe(n: int, batch: int) -> Recipe:
    """What `whet fit` tries first on so many such images in five minutes, with all augmentations."""
    facts = Facts("image", "classify", n, (3, SIDE, SIDE), 10, seconds=300.0, mirror=(1.0, 0.0))
    recipe = portfolio(facts)[0].recipe
    return recipe.put("batch_size", batch).put("augment", ALL)


def new_training(recipe: Recipe, task: Task, data: Prepared, threads: int) -> Training:
    return Training(build(recipe, task, data, 0, first_plan(threads)), Horizon(steps=1_000_000), 0)


if __name__ == "__main__":
    main()
