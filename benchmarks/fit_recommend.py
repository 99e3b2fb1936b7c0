"""`whet fit` on MovieLens as a user would run it, beside EASE^R, ALS, item-item and popularity on the same rows.

    python benchmarks/fit_recommend.py --seeds 0 1 2 --budget 60s
    python benchmarks/fit_recommend.py --task rate

Leave-one-out in time order: a user's newest interaction is tested, among all items that they had not rated, and the one
before it is for choosing. The controls are fitted on everything but the test rows; EASE^R's ridge is chosen by the rows for
choosing. Each run is a line of results/fit_recommend.jsonl; README.md says what its columns mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import HERE, data_folder, installed, keep, spread, surroundings, whet_fit

from whet.asked import roles_of
from whet.data.core import Data
from whet.fields import field, load
from whet.fields.base import Wanted
from whet.fields.recommend import baselines
from whet.train.horizon import parse_seconds

NAME = "movielens-latest-small"
ROLES = {"user": "userId", "item": "movieId", "rating": "rating", "time": "timestamp"}
LONG = 300.0
"""Seconds that the controls may take together: more than they need."""
SHOWN = ("system", "seed", "budget", "value", "ci95", "metrics", "baselines", "wall_seconds", "load", "failed")


def main() -> None:
    said = arguments()
    path, budget = data_folder(NAME) / "ratings.csv", parse_seconds(said.budget)
    data = load(path, task=said.task, roles=roles_of(ROLES))
    options = ["--task", said.task, *(word for role, name in ROLES.items() for word in (f"--{role}", name))]
    values: dict[str, list[float]] = {}
    for seed in said.seeds:
        runs = [whet_fit(path, *options, budget=budget, seed=seed, empty_cache=said.empty_cache)]
        for record in [*runs, *controls(data, seed)]:
            keep(said.results, {"data": NAME, "task": said.task, **record}, *SHOWN)
            if "value" in record:
                values.setdefault(record["system"], []).append(record["value"])
    for system, found in values.items():
        if len(found) > 1:
            summary = {**spread(found), "runs": len(found), "values": found}
            keep(said.results, {"data": NAME, "task": said.task, "system": system, "budget": budget, **summary})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="whet fit on MovieLens, with the usual recommenders as controls.")
    parser.add_argument("--task", default="rank", choices=("rank", "rate"))
    parser.add_argument("--budget", default="60s", help="such as 60s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--empty-cache", action="store_true", help="measure the plan in each run")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_recommend.jsonl")
    return parser.parse_args()


def controls(data: Data, seed: int) -> Iterator[dict[str, Any]]:
    """Records of the field's own baselines with all the time that they need."""
    own = field(data.domain)
    parts = own.split(data, seed)
    wanted = Wanted(data, parts, own.prepare(data, parts), own.task(data), LONG, 1, seed)
    around = surroundings()
    for found in baselines.baselines(wanted):
        yield {**around, **judged(wanted, found.name, found.predicted, found.seconds), "note": found.note}


def judged(wanted: Wanted, name: str, predicted: Any, seconds: float) -> dict[str, Any]:
    task, truth = wanted.task, wanted.data.y[wanted.parts["test"]]
    value = task.score(truth, predicted)
    interval = list(task.interval(truth, predicted, seed=wanted.seed))
    record = {"system": name, "seed": wanted.seed, "metric": task.metric, "value": value, "ci95": interval}
    more = {"n": len(truth), "metrics": task.scores(truth, predicted), "versions": installed("numpy")}
    return {**record, **more, "wall_seconds": round(seconds, 2)}


if __name__ == "__main__":
    main()
