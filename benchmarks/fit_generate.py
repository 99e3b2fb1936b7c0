"""`whet fit --task generate` as a user would run it; its baselines run beside it and are in the record.

    python benchmarks/fit_generate.py --data fashion-mnist --seeds 0 1 2
    python benchmarks/fit_generate.py --data adult-income --budget 120s
    python benchmarks/fit_generate.py --data fashion-mnist --sheet made.png       also 80 pictures to look at

Each run is a line of results/fit_generate.jsonl; README.md says what its columns mean.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import HERE, data_folder, give_up, keep, surroundings

SOURCES = {"fashion-mnist": "", "adult-income": "", "california-housing": "housing.csv"}
"""Data set -> what of its folder is given."""
TARGETS = {"adult-income": "income", "california-housing": "median_house_value"}
KEPT = (
    "value",
    "ci95",
    "metric",
    "n",
    "metrics",
    "baselines",
    "steps",
    "epochs",
    "winner",
    "plan",
    "versions",
    "timings",
)
MORE = ("judged_in", "memorised", "bits_per_dim_bound", "column_distance", "usefulness", "privacy")
SHOWN = ("data", "budget", "seed", "value", "ci95", "baselines", "wall_seconds", "steps", "load")


def main() -> None:
    said = arguments()
    source = data_folder(said.data) / SOURCES[said.data]
    for seed in said.seeds:
        with tempfile.TemporaryDirectory() as home:
            record = surroundings() | {"data": said.data, "budget": said.budget, "seed": seed}
            record |= fitted(source, TARGETS.get(said.data), said.budget, seed, Path(home) / "run")
            keep(said.results, record, *SHOWN)
            if said.sheet:
                whet("generate", Path(home) / "run", "--n", 80, "--out", said.sheet)


def fitted(source: Path, target: str | None, budget: str, seed: int, out: Path) -> dict[str, Any]:
    """What the command said, and how long it took from outside."""
    began = time.perf_counter()
    aimed = ("--target", target) if target else ()
    whet("fit", source, "--task", "generate", "--budget", budget, "--seed", seed, "--out", out, *aimed)
    wall = time.perf_counter() - began
    result = json.loads((out / "result.json").read_text())
    return {"wall_seconds": round(wall, 1), **{k: result[k] for k in (*KEPT, *MORE) if k in result}}


def whet(*words: object) -> None:
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("whet")), *map(str, words)], capture_output=True, text=True
    )
    if ended.returncode:
        give_up(ended.stderr.strip())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=SOURCES, default="fashion-mnist")
    parser.add_argument("--budget", default="300s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sheet", type=Path, help="a .png of 80 made pictures")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_generate.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    main()
