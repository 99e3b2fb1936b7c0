"""The end of a run: the test part is opened once, and everything that was learned is written down."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from whet import files
from whet.data.core import Data, Profile
from whet.data.prepared import Prepared
from whet.errors import CorruptCheckpoint
from whet.families.ensemble import NAME as ENSEMBLE
from whet.fields import field as field_of
from whet.fields.base import Shown
from whet.network import Network
from whet.recipe import Recipe
from whet.record import Finding, Record, read, versions
from whet.report import PictureMistake, RowMistake, RunView, Tried, save, write
from whet.run_folder import Order, RunFolder
from whet.runners.trial import findings_in
from whet.search.first import Candidate
from whet.tasks import Task
from whet.train import checkpoint
from whet.train.horizon import Clock
from whet.train.plan import Plan, machine_name, running

WORST = 24
"""Mistakes that the report shows."""
MOST_POINTS = 20_000
"""Test rows whose values are kept for the residuals' picture."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the steps of a run leave for its end."""

    folder: RunFolder
    order: Order
    data: Data
    parts: Mapping[str, np.ndarray]
    prepared: Prepared
    task: Task
    plan: Plan
    findings: tuple[Finding, ...]
    profile: Profile
    baselines: Mapping[str, np.ndarray]
    candidates: tuple[Candidate, ...]
    winner: str
    why: str
    fates: Mapping[str, str]
    took: Mapping[str, float]
    """Seconds per step."""
    clock: Clock
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further entries of result.json."""

    @property
    def records(self) -> dict[str, Record]:
        """The record of each trial that began."""
        found = {c.name: read(self.folder.trial(c.name) / "record.jsonl") for c in self.candidates}
        return {name: record for name, record in found.items() if record.steps}


def conclude(outcome: Outcome) -> None:
    """Measure the delivered network and the baselines on the test rows, and write result.json and report.html."""
    network, rows = Network.load(outcome.folder.path), outcome.parts["test"]
    own = field_of(outcome.data.domain)
    truth = own.truth(outcome.data, rows)
    with running(outcome.plan):  # from the files that were delivered, with as many threads as in training
        predicted = own.predict_rows(network, outcome.data, rows, outcome.prepared)
        shown = shown_of(outcome, network, truth, predicted)
        recipe = winner_of(outcome, network)
        result = result_of(outcome, recipe, truth, predicted) | own.extra(shown) | dict(outcome.extra)
        view = view_of(outcome, recipe, truth, predicted, result)
        view = replace(view, figures=own.figures(shown))
    save(view)
    write(view)
    result["seconds"] = round(outcome.clock.spent, 2)
    files.write_json(outcome.folder.result, result)


def winner_of(outcome: Outcome, network: Network) -> Recipe:
    """The recipe that won: an ensemble's network has one that can't be trained, and recipe.toml keeps the winner's."""
    if network.recipe.family.name != ENSEMBLE:
        return network.recipe
    return Recipe.from_toml(outcome.folder.recipe.read_text())


def shown_of(outcome: Outcome, network: Network, truth: np.ndarray, predicted: np.ndarray) -> Shown:
    return Shown(
        data=outcome.data,
        parts=outcome.parts,
        prepared=outcome.prepared,
        task=outcome.task,
        truth=truth,
        predicted=predicted,
        baselines=outcome.baselines,
        network=network,
        seed=outcome.order.seed,
    )


def result_of(outcome: Outcome, recipe: Recipe, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """All of result.json."""
    task, order, data = outcome.task, outcome.order, outcome.data
    records = outcome.records
    won = records.get(outcome.winner)
    training = sum(trained(outcome, records))
    return {
        "task": task.name,
        "data": data.name,
        "target": task.target,
        "metric": task.metric,
        "direction": task.direction,
        "watched": task.watched.name,
        "value": task.score(truth, predicted),
        "ci95": list(task.interval(truth, predicted, seed=order.seed)),
        "n": len(truth),
        "metrics": task.scores(truth, predicted),
        "baselines": {name: task.score(truth, said) for name, said in outcome.baselines.items()},
        "baseline_metrics": {name: task.scores(truth, said) for name, said in outcome.baselines.items()},
        "rows": {name: len(rows) for name, rows in outcome.parts.items()},
        "validation": validation_of(outcome, outcome.winner, won) if won else None,
        "recipe": recipe.to_dict(),
        "recipe_hash": recipe.hash,
        "winner": outcome.winner,
        "why": outcome.why,
        "trials": len(records),
        "steps": won.steps[-1].step if won else 0,
        "epochs": round(won.steps[-1].epoch, 2) if won else 0.0,
        "findings": [{**asdict(f), "evidence": dict(f.evidence)} for f in outcome.findings],
        "problems": [asdict(p) for p in data.problems],
        "budget_s": order.budget,
        "seconds": outcome.clock.spent,
        "training_share": round(training / max(outcome.clock.spent, order.budget), 4),
        "timings": {k: round(v, 3) for k, v in outcome.took.items()},
        "seed": order.seed,
        "plan": asdict(outcome.plan),
        "versions": versions(),
        "machine": machine_name(),
    }


def view_of(
    outcome: Outcome, recipe: Recipe, truth: np.ndarray, predicted: np.ndarray, result: Mapping[str, Any]
) -> RunView:
    """What the report shows."""
    task, records = outcome.task, outcome.records
    classify = task.goal == "classify"
    recipes = {c.name: c.recipe for c in outcome.candidates} | {outcome.winner: recipe}
    few = truth[:MOST_POINTS], predicted[:MOST_POINTS]
    return RunView(
        name=outcome.data.name,
        folder=outcome.folder.path,
        result=result,
        records=tuple(records.values()),
        recipes=recipes,
        winner=outcome.winner,
        why=outcome.why,
        tried=tuple(tried(outcome, name, record) for name, record in records.items()),
        edits=Recipe().diff(recipe),
        findings=tuple(Finding(**f) for f in result["findings"]),
        profile=outcome.profile.sections,
        problems=outcome.data.problems,
        classes=task.classes,
        confusion=confusion(truth, predicted, task.outputs) if classify else None,
        values=(few[0], few[1]) if task.goal == "regress" else None,
        pictures=pictures(outcome, truth, predicted) if task.domain == "image" else (),
        rows=rows_wrong(outcome, truth, predicted) if task.domain == "table" else (),
        timings=timings(outcome, records),
        versions=result["versions"],
        machine={"processor": result["machine"], "plan": str(outcome.plan)},
    )


def tried(outcome: Outcome, name: str, record: Record) -> Tried:
    """One trial as a row of what was tried."""
    score = validation_of(outcome, name, record)
    paused = "diverged" if score is None else "paused"
    fate = "" if name == outcome.winner else outcome.fates.get(name, "").removeprefix(f"{paused} ")
    return Tried(
        trial=name,
        label=next(c.because for c in outcome.candidates if c.name == name),
        seconds=record.steps[-1].seconds,
        score=score,
        fate="won" if name == outcome.winner else paused,
        why="; ".join(filter(None, (fate, *ailments(outcome.folder, name)))),
    )


def ailments(folder: RunFolder, name: str) -> list[str]:
    """What is wrong with a trial, by name, each once."""
    found = findings_in(folder.trial(name))
    return list(dict.fromkeys(f.name for f in found if f.severity != "info"))


def validation_of(outcome: Outcome, name: str, record: Record) -> float | None:
    """Of the weights that a trial kept; of one whose weights are gone by now, the best it had."""
    with contextlib.suppress(FileNotFoundError, CorruptCheckpoint):
        return checkpoint.kept_in(outcome.folder.trial(name))[1].score
    watched = outcome.task.watched
    values = [v for _, v in record.curve(f"val/{watched.name}") if v is not None]
    return (max if watched.direction == "max" else min)(values, default=None)


def timings(outcome: Outcome, records: Mapping[str, Record]) -> dict[str, float]:
    """What the seconds went into, in the order in which they were spent."""
    took = outcome.took
    spent = {
        "start and reading": outcome.took["all"] - sum(v for k, v in took.items() if k != "all"),
        "preparing": took.get("look", 0.0) + took.get("get_ready", 0.0),
        "baselines": took.get("lay_baselines", 0.0),
        "plan": took.get("choose_recipes", 0.0),
    }
    winner, others = trained(outcome, records)
    spent |= {"other recipes": others, "training": winner}
    return {**spent, "test and report": max(0.0, outcome.clock.spent - sum(spent.values()))}


NOT_TRAINING = ("look", "get_ready", "lay_baselines", "choose_recipes")
"""Steps of a run in which no trial is trained."""


def trained(outcome: Outcome, records: Mapping[str, Record]) -> tuple[float, float]:
    """Seconds by the clock for the winner, and for all others: side by side they take less than their sum."""
    winner = sum(r.steps[-1].seconds for name, r in records.items() if name == outcome.winner)
    others = sum(r.steps[-1].seconds for name, r in records.items() if name != outcome.winner)
    most = outcome.clock.spent - sum(outcome.took.get(step, 0.0) for step in NOT_TRAINING)
    return min(winner, most), max(0.0, min(others, most - winner))


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64 (true class, predicted class)."""
    pairs = truth * classes + predicted.argmax(1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def worst(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The rows that are wrong, the surest or the farthest off first; up to `WORST`."""
    if predicted.ndim == 1:
        return np.argsort(-np.abs(predicted - truth))[:WORST]
    wrong = np.flatnonzero(predicted.argmax(1) != truth)
    return wrong[np.argsort(-predicted[wrong].max(1))][:WORST]


def pictures(outcome: Outcome, truth: np.ndarray, predicted: np.ndarray) -> tuple[PictureMistake, ...]:
    rows = outcome.parts["test"]
    return tuple(
        PictureMistake(
            pixels=np.asarray(outcome.data.x[rows[i]]),
            id=name_of(outcome.data, rows[i]),
            **said(outcome.task, truth[i], predicted[i]),
        )
        for i in worst(truth, predicted)
    )


def rows_wrong(outcome: Outcome, truth: np.ndarray, predicted: np.ndarray) -> tuple[RowMistake, ...]:
    from whet.data.table_kinds import in_days

    rows, shown = outcome.parts["test"], in_days(outcome.data.x)
    found = []
    for i in worst(truth, predicted):
        values = said(outcome.task, truth[i], predicted[i])
        if outcome.task.goal == "regress":
            values |= {"true": float(truth[i]), "predicted": float(predicted[i]), "confidence": None}
        row = shown.row(int(rows[i]), named=True)
        found.append(RowMistake(row=row, id=name_of(outcome.data, rows[i]), **values))
    return tuple(found)


def said(task: Task, truth: Any, predicted: Any) -> dict[str, Any]:
    """A prediction in words."""
    if task.goal == "regress":
        return {"true": f"{truth:.4g}", "predicted": f"{predicted:.4g}", "confidence": abs(float(predicted - truth))}
    best = int(predicted.argmax())
    return {"true": task.classes[int(truth)], "predicted": task.classes[best], "confidence": float(predicted[best])}


def name_of(data: Data, row: Any) -> str:
    return data.ids[int(row)] if data.ids is not None else str(int(row))
