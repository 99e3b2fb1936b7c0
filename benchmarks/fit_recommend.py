"""`whet fit` on MovieLens as a user would run it, beside EASE^R, ALS, BPR, item-item and popularity on the same rows.

    python benchmarks/fit_recommend.py --seeds 0 1 2 --budget 60s
    python benchmarks/fit_recommend.py --task rate

Leave-one-out in time order: a user's newest interaction is tested, among all items that they had not rated, and the one
before it is for choosing. The controls are fitted on everything but the test rows; EASE^R's ridge and BPR's number of
passes are chosen by the rows for choosing. Each run is a line of results/fit_recommend.jsonl; README.md says what its
columns mean.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE, data_folder, installed, keep, spread, surroundings, whet_fit

from whet.data.core import Data
from whet.fields import field, load
from whet.fields.base import Wanted
from whet.fields.recommend import baselines
from whet.fields.recommend.transform import RatingsTransform
from whet.improve import roles_of
from whet.tasks.rank import gains, ranks
from whet.train.horizon import parse_seconds

NAME = "movielens-latest-small"
ROLES = {"user": "userId", "item": "movieId", "rating": "rating", "time": "timestamp"}
LONG = 300.0
"""Seconds that the controls may take together: more than they need."""
BPR = {"width": 64, "lr": 0.05, "ridge": 0.01, "passes": 15}
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
    """Records of the field's own baselines with all the time that they need, and of BPR."""
    own = field(data.domain)
    parts = own.split(data, seed)
    wanted = Wanted(data, parts, own.prepare(data, parts), own.task(data), LONG, 1, seed)
    around = surroundings()
    for found in baselines.baselines(wanted):
        yield {**around, **judged(wanted, found.name, found.predicted, found.seconds), "note": found.note}
    if data.goal == "rank":
        began = time.perf_counter()
        said = bpr(wanted)
        yield {**around, **judged(wanted, "BPR", said, time.perf_counter() - began), "note": str(BPR)}


def judged(wanted: Wanted, name: str, predicted: Any, seconds: float) -> dict[str, Any]:
    task, truth = wanted.task, wanted.data.y[wanted.parts["test"]]
    value = task.score(truth, predicted)
    interval = list(task.interval(truth, predicted, seed=wanted.seed))
    record = {"system": name, "seed": wanted.seed, "metric": task.metric, "value": value, "ci95": interval}
    more = {"n": len(truth), "metrics": task.scores(truth, predicted), "versions": installed("numpy")}
    return {**record, **more, "wall_seconds": round(seconds, 2)}


# -- Bayesian personalised ranking (Rendle et al. 2009, arXiv:1205.2618, section 4 and 5.1) ------------------------


def bpr(wanted: Wanted) -> np.ndarray:
    """The best items of matrix factorisation by BPR; its passes are those that ranked the rows for choosing best."""
    known: RatingsTransform = wanted.prepared.transform  # type: ignore[assignment]
    val, every = np.flatnonzero(~known.trained), np.ones(len(known.had), bool)
    seen = baselines.matrix(known, known.trained)[known.owner[val]]

    def gain(scores: np.ndarray) -> float:
        return float(gains(ranks(known.had[val], baselines.top(scores[known.owner[val]], seen)), 100).mean())

    curve = [gain(scores) for scores in trained(known, known.trained, wanted.seed)]
    scores = next(itertools.islice(trained(known, every, wanted.seed), int(np.argmax(curve)), None))
    users = wanted.data.x["user"].to_numpy()[wanted.parts["test"]]
    return baselines.top(scores[users], baselines.matrix(known, every)[users])


def trained(known: RatingsTransform, rows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """(users, items) scores after each pass, by stochastic gradients on batches of (user, had, not had)."""
    random, width, lr, ridge = np.random.default_rng(seed), BPR["width"], BPR["lr"], BPR["ridge"]
    user, item = (0.1 * random.standard_normal((n, int(width))) for n in (known.users, known.items))
    bias, owner, had = np.zeros(known.items), known.owner[rows], known.had[rows]
    held = baselines.matrix(known, rows) > 0
    for _ in range(int(BPR["passes"])):
        for at in np.array_split(random.permutation(len(owner)), max(1, len(owner) // 256)):
            u, i, j = owner[at], had[at], random.integers(0, known.items, len(at))
            fair = ~held[u, j]
            u, i, j = u[fair], i[fair], j[fair]
            vector, difference = user[u], item[i] - item[j]
            slope = 1 / (1 + np.exp(bias[i] - bias[j] + (vector * difference).sum(1)))[:, None]
            np.add.at(user, u, lr * (slope * difference - ridge * vector))
            np.add.at(item, i, lr * (slope * vector - ridge * item[i]))
            np.add.at(item, j, lr * (-slope * vector - ridge * item[j]))
            np.add.at(bias, i, lr * (slope[:, 0] - ridge * bias[i]))
            np.add.at(bias, j, lr * (-slope[:, 0] - ridge * bias[j]))
        yield user @ item.T + bias


if __name__ == "__main__":
    main()
