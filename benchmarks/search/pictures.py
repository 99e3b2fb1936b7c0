"""Trainings on few pictures, recorded whole: the first recipe, and draws from the space around it.

    python benchmarks/search/pictures.py --draws 10
    python benchmarks/search/pictures.py --data digits --draws 10 --kinds changed

What a search on 2,000 pictures in a minute could choose from (`few_pictures.py` replays it): 85 % of the rows train, the rest
validate, and other training rows judge; test rows are never looked at. The first recipe makes PASSES passes, as many as a
tenth of 60 seconds allowed on one core. Each draw is trained to its end with one seed, on one split; the first recipe with
two more seeds. Half of the draws are by whet's priors ("prior"), half from anywhere in the space as Optuna's random sampler
draws ("anywhere"). A line is a training; of its POINTS looks it holds the processor's seconds of each part, the value that
chooses (the best so far, and the newest), and of the weights that would be delivered then the judge's accuracy and value
(before the end on the first EARLY of the judge's rows); of the end also the loss of each validation row, in hundredths.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from live import MEASURED as SPEED
from live import SHARE, Arena, Order, arena_of, fewer, source_of, suggested

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import HERE, installed, keep, surroundings

from whet.data.core import Roles
from whet.data.splits import VAL_SHARE
from whet.fields import field as field_of
from whet.fields import load
from whet.hunt import POINTS
from whet.runners.trial import Trial, holding, open_trial
from whet.tasks import goal
from whet.train.evaluate import outputs
from whet.train.horizon import Horizon

ROWS = {"fashion-mnist": 2000, "cifar10": 2000, "digits": 400}
JUDGES, EARLY = 4000, 1000
PASSES, BUDGET, BATCH, SPLIT = 8.0, 60.0, 64, 0
FIRST_SEEDS = (0, 1, 2)
CHANGED: tuple[dict[str, Any], ...] = ({"passes": 2.0}, {"batch_size": 32})
KINDS = ("first", "prior", "anywhere", "changed")
RESULTS = HERE / "results" / "search_pictures.jsonl"


@dataclass(frozen=True)
class Draw:
    """What is trained."""

    kind: str
    params: Mapping[str, Any]
    seed: int = 0


def arena(data: str, folder: Path) -> Arena:
    """As in the live benchmark, at a speed that allows PASSES; its test rows are the judge's."""
    order = Order(data, BUDGET, 1, ROWS[data], cold=False)
    SPEED[order, SPLIT] = 1e3 * SHARE * BUDGET * BATCH / (PASSES * (ROWS[data] - round(VAL_SHARE * ROWS[data])))
    found = arena_of(order, SPLIT, folder)
    raw = load(source_of(order, SPLIT, folder), roles=Roles())
    own = field_of(raw.domain)
    parts = own.split(raw, SPLIT)
    few = fewer(parts, order.rows, SPLIT)
    others = np.setdiff1d(np.concatenate([parts["train"], parts["val"]]), np.concatenate([few["train"], few["val"]]))
    found.test = np.random.default_rng(SPLIT).permutation(others)[:JUDGES]
    found.truth = own.truth(raw, found.test)
    return found


def draws(arena: Arena, each: int) -> Iterator[Draw]:
    """The first recipe with three seeds, draws of both kinds in turn, and changes of the first recipe by hand."""
    space, first = arena.recipes.space, arena.recipes.params(arena.recipes.first)
    yield from (Draw("first", first, seed) for seed in FIRST_SEEDS)
    random, study = np.random.default_rng(SPLIT), optuna.create_study(sampler=optuna.samplers.RandomSampler(SPLIT))
    for _ in range(each):
        yield Draw("prior", space.sample(random))
        trial = study.ask()
        yield Draw("anywhere", space.assemble(lambda name, t=trial: suggested(t, name, space[name])))
    yield from (Draw("changed", {**first, **change}) for change in CHANGED)


def trained(arena: Arena, draw: Draw, folder: Path) -> dict[str, Any]:
    """One training, look by look."""
    recipe = arena.recipes.recipe(draw.params)
    trial = open_trial("trial", recipe, arena.task, arena.data, draw.seed, arena.plan, folder, every=math.inf)
    seconds, seen, newest, judged = [], [], [], []
    for point in range(1, POINTS + 1):
        began = time.process_time()
        trial.advance(Horizon(recipe.steps), math.inf, Horizon(math.ceil(recipe.steps * point / POINTS)))
        seconds.append(round(time.process_time() - began, 3))
        training = trial.training
        if trial.fate or training.best is None:
            break
        seen.append(round(training.cost(training.best.metrics)[0], 5))
        newest.append(round(training.cost({k.removeprefix("val/"): v for k, v in training.metrics.items()})[0], 5))
        judged.append(judgement(arena, trial, JUDGES if point == POINTS else EARLY))
    rows = trial.best_score.rows if len(seen) == POINTS else None
    return {
        "steps": recipe.steps,
        "seconds": seconds,
        "seen": seen,
        "newest": newest,
        "judged": judged,
        "rows": [] if rows is None else np.rint(100 * rows).astype(int).tolist(),
    }


def judgement(arena: Arena, trial: Trial, most: int) -> tuple[float, float]:
    """(accuracy, value that chooses) of the best weights so far on the judge's first rows."""
    weights, asked, scale = trial.training.best_weights, goal(arena.task.goal), arena.data.scale
    assert weights is not None
    judges, truth = torch.from_numpy(arena.test[:most]), arena.truth[:most]
    with holding(trial.training.parts.model, weights) as model:
        said = outputs(model, trial.training.parts.prepare, arena.inputs, judges, arena.plan)
    predicted = asked.predictions(said, scale)
    value = float(asked.row_losses(truth, predicted, scale).mean())
    return round(arena.task.score(truth, predicted), 5), round(value, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=ROWS, nargs="+", default=list(ROWS))
    parser.add_argument("--draws", type=int, default=10, help="of each kind")
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=KINDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="whet-pictures-") as temporary:
        arenas = {data: arena(data, Path(temporary)) for data in options.data}
        ways = [draws(one, options.draws) for one in arenas.values()]
        for number, turn in enumerate(zip(*ways, strict=True)):
            for data, draw in zip(options.data, turn, strict=True):
                if draw.kind not in options.kinds:
                    continue
                about = {"load": surroundings()["load"], "data": data, "number": number, "kind": draw.kind}
                about |= {"seed": draw.seed, "params": dict(draw.params)}
                if not number:
                    about |= {**surroundings(), "versions": installed("torch")}
                found = trained(arenas[data], draw, Path(temporary, f"{data}-{number}"))
                keep(options.out, about | found, "data", "number", "kind", "seconds", "seen", "judged")


if __name__ == "__main__":
    main()
