"""The end of a comparison: the test part is opened once, and what it shows is judged and written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from whet import files
from whet.comparing.arms import rate_of, repeats
from whet.comparing.comparison import ArmResult, Judged, costs, judge, twins
from whet.comparing.experiment import Experiment, name_of, refuse, trained_of, wanted
from whet.comparing.opening import test
from whet.comparing.training import curve
from whet.errors import UserError
from whet.naming import canonical
from whet.record import versions
from whet.report.compare_page import write
from whet.train.plan import machine_name


def conclude(e: Experiment) -> None:
    """Open the test part, judge, write compare.json and the report."""
    scores = np.full((len(e.arms), len(e.seeds)), np.nan)
    rows: dict[int, np.ndarray] = {}
    why: dict[int, str] = {}
    for a in range(len(e.arms)):
        each = []
        for s, seed in enumerate(e.seeds):
            scores[a, s], adds, fault = tested(e, a, seed)
            each.append(adds)
            why |= {a: fault} if fault and a not in why else {}
        if len(each) == len(e.seeds) and all(adds is not None for adds in each):
            rows[a] = np.asarray(each)
    refuse_if_none(e, scores, why)
    task = e.run.task
    judged = judge([a.name for a in e.arms], scores, task.metric, task.direction, rows, len(e.run.parts["test"]), why)
    result = result_of(e, scores, judged, why)
    write(e.run.folder.path, result)
    files.write_json(e.run.folder.result, result)
    e.run.say("done")


def tested(e: Experiment, a: int, seed: int) -> tuple[float, np.ndarray | None, str]:
    """(score, what each test row adds, why there is no score) of a training's network."""
    made = trained_of(e, a, seed)
    if not made.sound:
        return np.nan, None, made.why
    try:
        score, adds = test(e.run, name_of(a, seed))
    except UserError:
        raise
    except Exception as error:  # such as a metric of answers that are no numbers
        return np.nan, None, f"failed on the test rows: {type(error).__name__}: {error}".strip().split("\n")[0]
    return score, adds, "" if np.isfinite(score) else "gave answers on the test rows that are no numbers"


def refuse_if_none(e: Experiment, scores: np.ndarray, why: Mapping[int, str]) -> None:
    """Raises UserError where no arm has a network."""
    if not np.isfinite(scores).any():
        refuse([arm.name for arm in e.arms], [why[a] for a in range(len(e.arms))])


def result_of(e: Experiment, scores: np.ndarray, judged: Judged, why: Mapping[int, str]) -> dict[str, Any]:
    """All of compare.json."""
    run, task = e.run, e.run.task
    arms = [arm_result(e, a, scores[a], why.get(a, "")) for a in range(len(e.arms))]
    return {
        "kind": "comparison",
        "task": task.name,
        "data": run.data.name,
        "target": task.target,
        "metric": task.metric,
        "direction": task.direction,
        "watched": task.watched.name,
        "n": len(run.parts["test"]),
        "rows": {name: len(part) for name, part in run.parts.items()},
        "choices": {path: list(some) for path, some in e.asked.choices.items()},
        "seeds": list(e.seeds),
        "seeds_asked": e.asked.seeds,
        "by": e.asked.by,
        "size": e.size.to_dict(),
        "arms": [
            {**asdict(arm), "mean": arm.mean, "spread": arm.spread, **more_of(e, a)} for a, arm in enumerate(arms)
        ],
        "pairs": [asdict(pair) for pair in judged.pairs],
        "best": judged.best,
        "said": list(judged.said),
        "notes": notes(e, arms),
        "base": e.base.to_dict(),
        "findings": [str(f) for f in run.findings],
        "budget_s": None if run.order.steps else run.order.budget,
        "seconds": round(run.clock.spent, 2),
        "plan": asdict(run.plan),
        "seed": run.order.seed,
        "versions": versions(),
        "machine": machine_name(),
    }


def arm_result(e: Experiment, a: int, scores: np.ndarray, why: str) -> ArmResult:
    made = [trained_of(e, a, seed) for seed in e.seeds]
    first = wanted(e, a, e.seeds[0])
    return ArmResult(
        name=e.arms[a].name,
        scores=tuple(map(float, scores)),
        lr=rate_of(first.recipe),  # a training that diverged went on with a lower one, which is said beside it
        seconds=round(float(np.median([t.seconds for t in made])), 3),
        steps=round(float(np.mean([t.steps for t in made]))),
        diverged=sum(t.diverged > 0 for t in made),
        recipe=first.recipe.to_dict(),
        failed=int((~np.isfinite(scores)).sum()),
        fault=why.split(":")[0],
        why=why,
    )


def more_of(e: Experiment, a: int) -> dict[str, Any]:
    """What only the report and the curious want of an arm."""
    made = [trained_of(e, a, seed) for seed in e.seeds]
    return {
        "values": dict(e.arms[a].values),
        "trainings": [t.to_dict() for t in made],
        "tuning": e.tuned[a].to_dict() if e.tuned else None,
        "curves": [curve(e.run.folder.trial(t.name), e.run.task) for t in made],
    }


def notes(e: Experiment, arms: Sequence[ArmResult]) -> list[str]:
    """What to keep in mind."""
    said = repeats(e.arms)
    said += [
        f"{arm.name} diverged in {arm.diverged} of {len(e.seeds)} trainings, and was begun again with a lower rate."
        for arm in arms
        if arm.diverged and not arm.failed
    ]
    said += [
        f"{arm.name} did best with the {'lowest' if t.factor < 1 else 'highest'} learning rate that was tried, {t.lr:.3g}: "
        "there may be a better one beyond."
        for arm, t in zip(arms, e.tuned, strict=bool(e.tuned))
        if t.edge and not arm.failed
    ]
    if len(e.seeds) < e.asked.seeds:
        said.append(f"The time was up after {len(e.seeds)} of {e.asked.seeds} seeds: give a larger --budget.")
    sound = [a for a, arm in enumerate(arms) if not arm.failed]
    names = [arms[a].name for a in sound]
    made = [[trained_of(e, a, seed) for seed in e.seeds] for a in sound]
    same = [tuple((t.value, t.loss) for t in each) for each in made]
    said += twins(names, same, [canonical(e.arms[a].recipe) for a in sound])
    return said if not sound else said + costs(names, [[t.seconds for t in each] for each in made], e.asked.by)


def say_so_far(e: Experiment) -> None:
    """On Ctrl-C: what the seeds that are done say, on the validation rows."""
    run = e.run
    if len(e.seeds) < 2:
        return
    made = [[trained_of(e, a, s) for s in e.seeds] for a in range(len(e.arms))]
    scores = np.asarray([[t.value if t.sound else np.nan for t in each] for each in made])
    watched = run.task.watched
    why = {a: t.why for a, each in enumerate(made) for t in each if not t.sound}
    judged = judge([a.name for a in e.arms], scores, watched.name, watched.direction, why=why)
    run.screen.say(f"So far, after {len(e.seeds)} of {e.asked.seeds} seeds, on the validation rows:")
    for line in judged.said:
        run.screen.say(f"  {line}")
