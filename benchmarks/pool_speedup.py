"""What two workers bring over one after the other: small networks, one thread each.

    python benchmarks/pool_speedup.py

The same jobs are done by a `Pool` of one worker and by a `Pool` of so many as there are cores (or --workers), one thread
each, in turn, so that a noisy machine disturbs both alike. Every job trains for a fixed number of steps, and writes its
checkpoint and its record as in `whet fit`. The clock covers everything from the first job's hand-in to the last outcome;
workers have started and imported torch before. Target: a speed-up within 15 % of the number of workers, in the median.

`cpu` is what the workers had of the cores in the same turns. Where other programs take their part of them, the speed-up says
little, and the ratio of the two still says whether the workers are in each other's way: it is 1 where they are not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import HERE, installed, keep, surroundings

from whet.data.core import Data
from whet.data.prepared import prepare
from whet.recipe import Choice, Recipe
from whet.runners.job import Job
from whet.runners.pool import Pool
from whet.tasks import make_task
from whet.train.horizon import Horizon
from whet.train.plan import Plan, cores

ROWS = 4_000
JOBS = 8
"""A multiple of the workers: the last ones end together."""
TABULAR = Recipe(
    family=Choice("tabular", width=32, depth=2, members=4), optimizer=Choice("adamw", lr=1e-3), batch_size=128
)
CONVOLUTIONS = Recipe(family=Choice("textbook", width=8, depth=1), optimizer=Choice("adamw", lr=1e-3), batch_size=64)


def table() -> Data:
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 12))
    y = x @ random.normal(size=12) + np.sin(3 * x[:, 0])
    return Data("table", "table", pl.DataFrame({f"c{i}": x[:, i] for i in range(12)}), y, "regress", (), "y")


def images() -> Data:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (ROWS, 16, 16, 3), dtype=np.uint8)
    y = random.integers(0, 10, ROWS)
    return Data("images", "image", x, y.astype(np.int64), "classify", tuple("abcdefghij"), "label")


CASES: dict[str, tuple[Recipe, Callable[[], Data], int]] = {
    "table": (TABULAR, table, 600),
    "images": (CONVOLUTIONS, images, 300),
}
"""name -> (recipe, data, steps): about two seconds a job on an idle core."""


def jobs_of(case: str, folder: Path) -> Callable[[str], list[Job]]:
    """(name of the turn) -> its jobs, each in a folder of its own."""
    recipe, make, steps = CASES[case]
    data, cut = make(), ROWS * 9 // 10
    prepare(data, {"train": np.arange(cut), "val": np.arange(cut, ROWS)}).save(folder / "prepared")
    task = make_task(data.domain, data.goal, data.classes, data.target)

    def jobs(turn: str) -> list[Job]:
        return [
            Job(
                name=f"{turn}-{i}",
                recipe=recipe,
                task=task,
                prepared=folder / "prepared",
                folder=folder / f"{turn}-{i}",
                seed=i,
                plan=Plan(),
                horizon=Horizon(steps=steps),
            )
            for i in range(JOBS)
        ]

    return jobs


def had(pool: Pool) -> float:
    """Seconds that the workers have had of the cores so far; NaN where the system does not say."""
    try:
        stats = [Path(f"/proc/{w.process.pid}/stat").read_text().rsplit(")", 1)[1].split() for w in pool._processes]
    except OSError:
        return float("nan")
    return sum(int(words[11]) + int(words[12]) for words in stats) / os.sysconf("SC_CLK_TCK")


def turn(pool: Pool, jobs: list[Job]) -> tuple[float, float]:
    """Seconds by the clock, and of the cores, that these jobs take."""
    began, before = time.perf_counter(), had(pool)
    for job in jobs:
        pool.submit(job)
    for _ in jobs:
        outcome = pool.next()
        assert outcome.failure is None, outcome.failure.text
    return time.perf_counter() - began, had(pool) - before


def measured(case: str, workers: int, repeats: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary,
        Pool(1, 1) as one,
        Pool(workers, 1) as many,
    ):
        jobs = jobs_of(case, Path(temporary))
        for pool, name in ((one, "warm"), (many, "warmer")):
            turn(pool, jobs(name)[: 2 * workers])
        pairs = [(turn(one, jobs(f"one-{i}")), turn(many, jobs(f"many-{i}"))) for i in range(repeats)]
    ratios = [a[0] / b[0] for a, b in pairs]
    return {
        "case": case,
        "workers": workers,
        "jobs": JOBS,
        "speed_up": round(statistics.median(ratios), 3),
        "speed_ups": [round(r, 3) for r in ratios],
        "seconds": [[round(a[0], 2), round(b[0], 2)] for a, b in pairs],
        "cpu": [[round(a[1], 2), round(b[1], 2)] for a, b in pairs],
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--case", choices=CASES, action="append")
    asked.add_argument("--workers", type=int, default=cores())
    asked.add_argument("--repeats", type=int, default=3)
    asked.add_argument("--out", type=Path, default=HERE / "results" / "pool_speedup.jsonl")
    said = asked.parse_args()
    for case in said.case or CASES:
        record = {**surroundings(), **measured(case, said.workers, said.repeats), **installed("whet", "torch")}
        keep(said.out, record, "case", "workers", "speed_up", "speed_ups", "seconds", "cpu", "load")


if __name__ == "__main__":
    main()
