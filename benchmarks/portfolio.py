"""Which changes of a table's first recipe are worth trying first: many tasks, the same candidates on each.

    python benchmarks/portfolio.py                train what is missing in results/portfolio.jsonl; it can be killed at any time
    python benchmarks/portfolio.py --minutes 10   no new task after so many minutes
    python benchmarks/portfolio_tables.py         what follows from it: the list in search/first.py, and how good it is

A task is a column of a table as the target, and a number of rows. Of these `whet.data.split` keeps validation rows as
`whet fit` does; up to CHECK other rows judge what validation has chosen. Each candidate is trained as a hurried trial of
`whet fit` is: a whole training of a fixed number of steps, on one thread.

A line per task and candidate: on validation and on check rows [the deciding metric as a loss (RMSE, or the share of wrong
classes), the goal's loss] of the weights that were best in validation; when that was, as a share of the steps; seconds of
processor time.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import HERE, keep, surroundings
from portfolio_tasks import TASKS, table

from whet.data.core import Data, Roles
from whet.errors import UserError
from whet.fields import field as field_of
from whet.fields import load
from whet.recipe import Choice, Recipe
from whet.runners.trial import holding, open_trial
from whet.search.first import Facts, changed, neighbours
from whet.tasks import goal
from whet.train.evaluate import outputs
from whet.train.horizon import Horizon
from whet.train.plan import Plan, first_plan

CHECK = 3_000
"""Rows that judge, at most …"""
CHECK_SHARE = 0.3
"""… and at most this share of the table."""

# -- the candidates ------------------------------------------------------------------------------------------------

EDITS: dict[str, dict[str, Any]] = {  # as `changed` takes them; promising ones first
    "vectors": {"family.embedding_dim": 16},
    "layer norm": {"norm": Choice("layer")},
    "bins 12": {"family.bins": 12},
    "vectors, layer norm": {"family.embedding_dim": 16, "norm": Choice("layer")},
    "layer norm, bins 12": {"norm": Choice("layer"), "family.bins": 12},
    "width x1/2": {"family.width": "x0.5"},
    "again": {},
    "lr x1/2": {"optimizer.lr": "x0.5"},
    "lr x2": {"optimizer.lr": "x2"},
    "width x2": {"family.width": "x2"},
    "depth 1": {"family.depth": 1},
    "depth 3": {"family.depth": 3},
    "dropout 0": {"family.dropout": 0.0},
    "dropout 0.2": {"family.dropout": 0.2},
    "decay 0.3": {"optimizer.weight_decay": 0.3},
    "passes x1/2": {"steps": "x0.5"},
    "passes x2": {"steps": "x2"},
    "tanh": {"activation": Choice("tanh")},
    "calmer": {"family.dropout": 0.3, "steps": "x0.5"},
    "narrow, slower": {"family.width": "x0.5", "optimizer.lr": "x0.5"},
    "smaller": {"family.width": 32, "family.depth": 1, "family.bins": 8, "optimizer.lr": 5e-3},
    "linear": {"family": Choice("linear"), "optimizer.lr": 1e-2, "steps": "x0.5"},
    "lr x1/4": {"optimizer.lr": "x0.25"},
    "lr x4": {"optimizer.lr": "x4"},
    "dropout 0.3": {"family.dropout": 0.3},
    "dropout 0.5": {"family.dropout": 0.5},
    "decay 3": {"optimizer.weight_decay": 3.0},
    "gelu": {"activation": Choice("gelu")},
    "silu": {"activation": Choice("silu")},
    "squared relu": {"activation": Choice("squared_relu")},
    "batch norm": {"norm": Choice("batch")},
    "passes x1/4": {"steps": "x0.25"},
    "batch x1/2": {"batch_size": "x0.5", "steps": "x2"},
    "batch x2": {"batch_size": "x2", "steps": "x0.5"},
    "no bins": {"family.embedding": "none", "family.embedding_dim": 0},
    "no vectors": {"family.embedding_dim": 0},
    "periodic": {"family.embedding": "periodic", "family.embedding_dim": 16},
    "linear fall": {"schedule": Choice("linear")},
    "muon": {"optimizer": Choice("muon", lr=0.02, weight_decay=0.01)},
    "members 8": {"family.members": 8},
    "smooth labels": {"loss": Choice("cross_entropy", label_smoothing=0.1)},
    "huber": {"loss": Choice("huber")},
    "average": {"regularise": (Choice("ema"),)},
    "mixup": {"regularise": (Choice("mixup", alpha=0.2),)},
    "longer, calmer": {"family.dropout": 0.3, "steps": "x2"},
    "wider, calmer": {"family.width": "x2", "family.dropout": 0.4},
    "deeper, slower": {"family.depth": 3, "optimizer.lr": "x0.5"},
    "faster, shorter": {"optimizer.lr": "x2", "steps": "x0.5"},
    "vectors, decay 1": {"family.embedding_dim": 16, "optimizer.weight_decay": 1.0},
    "decay 1, calmer": {"optimizer.weight_decay": 1.0, "family.dropout": 0.2},
    "layer norm, calmer": {"norm": Choice("layer"), "family.dropout": 0.2},
    "silu, no bins": {"activation": Choice("silu"), "family.embedding": "none", "family.embedding_dim": 0},
}
BY_HAND = "by hand"
"""The name of a line that says which recipes `whet fit` tried until now, in which order."""
GOALS = {"smooth labels": "classify", "mixup": "classify", "huber": "regress"}
"""Changes that make sense for one goal only."""


def candidates(first: Recipe, kind: str, most: int = len(EDITS)) -> dict[str, Recipe]:
    """name -> recipe, each recipe once but for "again", which is the first one from another seed."""
    found, seen = {"first": first}, {first.hash}
    for name, edit in itertools.islice(EDITS.items(), most):
        recipe = changed(first, edit)
        if GOALS.get(name, kind) == kind and (not edit or recipe.hash not in seen):
            found[name] = recipe
            seen.add(recipe.hash)
    return found


# -- training ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Bench:
    """A task, ready to train on."""

    name: str
    data: Data
    parts: Mapping[str, np.ndarray]
    prepared: Any
    task: Any
    first: Recipe
    plan: Plan

    def train(self, recipe: Recipe, seed: int) -> dict[str, Any]:
        """A whole training: (deciding metric as a loss, the goal's loss) on validation and on check rows, and its cost."""
        began = time.process_time()
        with tempfile.TemporaryDirectory(prefix="whet-portfolio-") as folder:
            trial = open_trial("trial", recipe, self.task, self.prepared, seed, self.plan, Path(folder))
            trial.advance(Horizon(recipe.steps))
        cost, training = round(time.process_time() - began, 3), trial.training
        if trial.fate or training.best is None or training.best_weights is None:
            return {"seconds": cost, "failed": trial.fate or "no value"}
        with holding(training.parts.model, training.best_weights) as model:
            val, check = (
                self.losses(model, training.parts.prepare, rows) for rows in (self.parts["val"], self.parts["test"])
            )
        share = round(training.best.step / max(1, training.step), 3)
        return {"seconds": cost, "val": val, "check": check, "share": share}

    def losses(self, model: Any, prepare: Any, rows: np.ndarray) -> tuple[float, float]:
        asked, scale = goal(self.task.goal), self.prepared.scale
        said = outputs(model, prepare, self.prepared.transform.apply(self.data.x[rows]), None, self.plan)
        truth, predicted = self.data.y[rows], asked.predictions(said, scale)
        score, rows_losses = self.task.score(truth, predicted), asked.row_losses(truth, predicted, scale)
        loss = asked.fit_loss(truth, predicted, scale) if asked.fit_loss else float(rows_losses.mean())
        return (1 - score if self.task.direction == "max" else score), loss


def bench(source: str, target: str, rows: int) -> Bench:
    """The rows that train and choose are drawn first, the check rows from what is left."""
    whole = table(source).drop_nulls(target)
    check = min(CHECK, round(CHECK_SHARE * len(whole)))
    drawn = whole.sample(min(len(whole), rows + check), shuffle=True, seed=0)
    kind = "regression" if drawn[target].dtype.is_numeric() else "classification"
    data = load(drawn, target=target, task=kind, roles=Roles())
    data = dataclasses.replace(data, official={"test": np.arange(len(data) - check, len(data))})
    own = field_of("table")
    parts, task = own.split(data, 0), own.task(data)
    prepared = own.prepare(data, parts)
    facts = Facts("table", data.goal, len(parts["train"]), prepared.shape, task.outputs, seconds=60.0)
    first = own.hurried(own.portfolio(facts)[0].recipe)
    return Bench(f"{source}/{target}/{rows}", data, parts, prepared, task, first, first_plan(1))


def main() -> None:
    said = arguments()
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * said.minutes
    for source, target, rows in TASKS:
        if time.monotonic() < end:
            trained(bench(source, target, rows), said)


def trained(on: Bench, said: argparse.Namespace) -> None:
    """Train what is missing of a task: the candidates, and what `whet fit` would change in the first one by hand."""
    own, results = candidates(on.first, on.data.goal, said.most), said.results
    for name, recipe in own.items():
        write(on, results, name, recipe)
    share = next(r["share"] for r in records(results) if (r["task"], r["name"]) == (on.name, "first"))
    by_hand = list(itertools.islice(neighbours(on.first, share), said.by_hand))
    for change in by_hand:
        if all((r["task"], r.get("recipe")) != (on.name, change.recipe.hash) for r in records(results)):
            write(on, results, f"{BY_HAND}: {change.name}", change.recipe)
    line = {"task": on.name, "name": BY_HAND, "order": [change.recipe.hash for change in by_hand]}
    if line not in records(results):
        keep(results, line)


def write(on: Bench, results: Path, name: str, recipe: Recipe) -> None:
    """Train a candidate and keep what came out, unless that is known."""
    if any((r["task"], r["name"]) == (on.name, name) for r in records(results)):
        return
    rows = {"rows": len(on.parts["train"]), "check_rows": len(on.parts["test"])}
    try:
        found = on.train(recipe, seed=int(name == "again"))
    except UserError as error:
        found = {"failed": str(error)}
    about = {**surroundings(), "task": on.name, "goal": on.data.goal, **rows, "name": name, "recipe": recipe.hash}
    keep(results, {**about, **found}, "task", "name", "val", "check", "share", "seconds", "failed")


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=600.0, help="no new task is begun after them")
    parser.add_argument("--most", type=int, default=len(EDITS), help="only so many candidates, the first of the list")
    parser.add_argument("--by-hand", type=int, default=8, help="changes that `whet fit` makes by hand")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "portfolio.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    main()
