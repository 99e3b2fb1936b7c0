"""`whet fit` on images as a user would run it, beside the textbook CNN on TensorFlow with the same wall-clock.

    python benchmarks/fit_images.py --data fashion-mnist --budget 60 120 300 --seeds 0 1 2 --control

Each run is a line of results/fit_images.jsonl; README.md says what its columns mean.
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

import numpy as np
from common import HERE, data_folder, failure, give_up, keep, surroundings, whet_fit

from whet.data import load, split
from whet.data.core import Data
from whet.tasks import make_task
from whet.train.horizon import parse_seconds

BUDGETS = {
    "digits": ["60s"],
    "fashion-mnist": ["60s", "120s", "300s"],
    "cifar10": ["300s", "900s"],
    "trashnet-150": ["300s"],
}
"""Data sets with the budgets that are measured."""
SHOWN = (
    "data",
    "system",
    "budget",
    "seed",
    "value",
    "ci95",
    "wall_seconds",
    "training_share",
    "epochs",
    "load",
    "failed",
)


def main() -> None:
    said = arguments()
    source: Path | str = said.data if said.data == "digits" else data_folder(said.data)
    keras = keras_python(said.keras_python) if said.control else None
    known = load(source) if said.control else None  # before the first run: both find the page cache warm
    for budget in map(parse_seconds, said.budget or BUDGETS[said.data]):
        for seed in said.seeds:
            record = whet_fit(source, budget=budget, seed=seed, empty_cache=said.empty_cache)
            keep(said.results, {"data": said.data, **record}, *SHOWN)
            if known is not None:
                keep(said.results, {"data": said.data, **control(known, budget, seed, keras)}, *SHOWN)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="whet fit on images, with the textbook CNN as its control.")
    parser.add_argument("--data", required=True, choices=BUDGETS)
    parser.add_argument("--budget", nargs="+", help="such as 60s 5m; the data's own if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--control", action="store_true", help="also train the textbook CNN, after each run")
    parser.add_argument("--keras-python", metavar="PATH", help="a python that has TensorFlow; this one if not given")
    parser.add_argument("--empty-cache", action="store_true", help="decode the images and measure the plan in each run")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_images.jsonl")
    return parser.parse_args()


def keras_python(given: str | None) -> str | None:
    """The python to run Keras with; None where this one has no TensorFlow. Gives up where the one given has none."""
    python = given or sys.executable
    look = "import importlib.util as u, sys; sys.exit(not (u.find_spec('keras') and u.find_spec('tensorflow')))"
    try:
        if subprocess.run([python, "-c", look]).returncode == 0:
            return python
    except OSError as error:
        give_up(f"{python} can't be run: {error.strerror}.")
    if given:
        give_up(f"{given} has no TensorFlow: {given} -m pip install tensorflow-cpu")
    print(
        "No TensorFlow here (pip install tensorflow-cpu, or --keras-python): the control runs in PyTorch.",
        file=sys.stderr,
    )
    return None


def control(data: Data, budget: float, seed: int, keras: str | None) -> dict[str, Any]:
    """The record of the textbook CNN on the same test rows, trained for the same wall-clock on all the others."""
    rows = split(data, seed=seed)
    train = np.sort(np.concatenate([rows["train"], rows["val"]]))
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
        arrays, predictions = Path(temporary, "arrays.npz"), Path(temporary, "predictions.npy")
        x: Any = data.x
        np.savez(arrays, train_x=x[train], train_y=data.y[train], test_x=x[rows["test"]])
        backend = "keras" if keras else "torch"
        command = [keras or sys.executable, str(HERE / "textbook_cnn.py"), str(arrays), str(predictions)]
        command += ["--budget", f"{budget:g}", "--seed", str(seed), "--backend", backend]
        record = {**surroundings(), "system": f"textbook-{backend}", "budget": budget, "seed": seed}
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        wall = time.perf_counter() - began
        record["wall_seconds"] = round(wall, 2)
        if done.returncode:
            return {**record, "failed": failure(command, done.returncode, done.stderr)}
        about = json.loads(done.stdout.splitlines()[-1])
        predicted = np.load(predictions)
    truth = data.y[rows["test"]]
    task = make_task(data.domain, data.goal, data.classes, data.target)
    return {
        **record,
        "value": task.score(truth, predicted),
        "ci95": list(task.interval(truth, predicted, seed=seed)),
        "metric": task.metric,
        "n": len(truth),
        "seconds": round(about["seconds"], 2),
        "steps": about["steps"],
        "epochs": about["epochs"],
        "versions": about["versions"],
    }


if __name__ == "__main__":
    main()
