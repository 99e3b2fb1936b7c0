"""Whet's search beside random search and Optuna's samplers, live: the same wall-clock, space, loop and machine for each.

    python benchmarks/search/live.py --data digits --budget 60 --seeds 0 1 2
    python benchmarks/search/live.py --data california-housing --rows 5000 --budget 60 --seeds 0 1 2 3 4 --cold

Every arm trains through `open_trial`: whole trainings of a recipe in POINTS equal parts, pausing and going on at its
checkpoint. Every arm searches the same space, whose ranges and conditions Optuna is given through `suggest_*`, and begins with
the first recipe that `whet fit` would search around, unless `--cold` leaves the controls to their own first draws; what else
whet knows (priors, hand-made changes) is its own. All are told what whet's validation chooses by (for classes the errors plus
the calibrated log loss of the rows, else the metric; the lower, the better). A control's choice is the trial with the best such
value; whet's is the one that `whet fit` would deliver: the first, until one that was trained whole is clearly better on the
same rows. When all is over the test rows judge the choice, and those that had the best value so far: (seconds, value, test) in
"curve".

`--processor` counts the processor's seconds in place of the clock's, where other programs use the core too. A part of a
training that ends after the budget does not count then.

AutoSampler lives in optunahub and is downloaded when it is loaded, or read from a copy of optunahub's registry, in a folder
named by WHET_OPTUNAHUB. Without that package, or offline, the arm is left out and the record says so.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import HERE, data_folder, give_up, keep, surroundings

from whet.build import build
from whet.data.core import Roles
from whet.data.prepared import Prepared
from whet.data.splits import VAL_SHARE
from whet.fields import field as field_of
from whet.fields import load
from whet.hunt import POINTS
from whet.in_time import InTime
from whet.recipe import Recipe
from whet.runners.trial import Trial, holding, open_trial
from whet.search import Float, Int, Study
from whet.search.first import Facts
from whet.search.policy import usual
from whet.search.recipes import Recipes
from whet.search.score import Score, clearly_better
from whet.search.space import Parameter
from whet.tasks import Task, goal
from whet.train.evaluate import outputs
from whet.train.horizon import Horizon
from whet.train.loop import Training, train_step
from whet.train.plan import Plan, first_plan, running, time_of_step
from whet.tune import EDITS

HUB = "WHET_OPTUNAHUB"
"""A folder with optunahub's packages, where the network is not to be asked."""
PASSES, SHARE = 30.0, 0.1
"""Of a recipe without an end, such as a picture's: a whole training is so many passes, or this share of the budget; and the
recipe is the one for so much time."""
SOURCES = {
    "california-housing": ("california-housing/housing.csv", "median_house_value"),
    "adult-income": ("adult-income/train.csv", "income"),
    "fashion-mnist": ("fashion-mnist", None),
    "cifar10": ("cifar10", None),
    "trec": ("trec/train.csv", "label"),
    "digits": ("", None),
    "breast-cancer": ("", None),
    "diabetes": ("", None),
    "uci-concrete": ("uci-concrete/concrete.csv", "compressive_strength_mpa"),
}
SHOWN = ("data", "rows", "cold", "arm", "seed", "validation", "test", "trials", "whole", "seconds", "load", "left_out")


@dataclass
class Arena:
    """What all arms share."""

    task: Task
    data: Prepared
    plan: Plan
    recipes: Recipes
    seed: int
    budget: float
    folder: Path
    inputs: Any
    test: np.ndarray
    truth: Any
    cold: bool
    """Whether controls begin with draws of their own instead of whet's first recipe."""
    clock: Callable[[], float] = time.monotonic
    began: float = 0.0
    curve: list[tuple[float, float, str]] = field(default_factory=list)
    """(seconds since the start, best validation value so far, the trial's folder name)"""
    best: tuple[float, str] | None = None
    """(value, trial's folder name)"""
    trained: dict[str, int] = field(default_factory=dict)
    """Points that each trial reached."""
    delivered: tuple[str, Score] | None = None
    """What `whet fit` would deliver, where the arm says it by itself."""
    settled: int = 0
    """Trials that were compared with it."""

    @property
    def spent(self) -> float:
        return self.clock() - self.began

    @property
    def left(self) -> float:
        return self.budget - self.spent

    @property
    def choice(self) -> str | None:
        """The trial that the arm ends with."""
        return self.delivered[0] if self.delivered else self.best[1] if self.best else None

    def train(self, name: str, params: Mapping[str, Any], stop: int) -> float:
        """Train a trial up to a point, or until the time is up; its best value so far, NaN where it failed."""
        recipe = self.recipes.recipe(params)
        try:
            trial = open_trial(name, recipe, self.task, self.data, self.seed, self.plan, self.folder / name)
            seconds = max(0.0, self.left) if self.clock is time.monotonic else math.inf
            trial.advance(Horizon(recipe.steps), seconds, Horizon(math.ceil(recipe.steps * stop / POINTS)))
        except Exception as error:  # what can't be built fails in every arm alike
            print(f"{name} failed: {error}", file=sys.stderr)
            return math.nan
        if self.clock is not time.monotonic and self.left < 0:
            return math.nan  # too late to count
        self.trained[name] = stop
        return self.note(name, trial)

    def settle(self, name: str) -> None:
        """Compare a trial that was trained whole with what would be delivered, as `whet fit` does."""
        score = self.opened(name).best_score
        self.settled += self.delivered is not None
        if self.delivered is None or clearly_better(score, self.delivered[1], self.settled):
            self.delivered = name, score

    def opened(self, name: str) -> Trial:
        """A trial as it was left."""
        recipe = Recipe.from_toml((self.folder / name / "recipe.toml").read_text())
        return open_trial(name, recipe, self.task, self.data, self.seed, self.plan, self.folder / name)

    def note(self, name: str, trial: Trial) -> float:
        best = trial.training.best
        if trial.fate or best is None:
            return math.nan
        value = trial.training.cost(best.metrics)[0]
        if self.best is None or value < self.best[0]:
            self.best = value, name
            self.curve.append((round(self.spent, 3), value, name))
        return value

    def on_test_rows(self, name: str) -> float:
        """The metric of a trial's best weights."""
        trial = self.opened(name)
        weights = trial.training.best_weights
        assert weights is not None
        with holding(trial.training.parts.model, weights) as model:
            rows = torch.from_numpy(self.test) if len(self.inputs[0]) > len(self.test) else None
            said = outputs(model, trial.training.parts.prepare, self.inputs, rows, self.plan)
        return self.task.score(self.truth, goal(self.task.goal).predictions(said, self.data.scale))


# -- the arms ------------------------------------------------------------------------------------------------------


def whet(arena: Arena) -> None:
    """Whet's study, with the hand-made changes that `whet fit` tries first."""
    study = Study(arena.recipes.space, max_resource=POINTS, seed=arena.seed, policy=InTime(arena, usual()))
    for recipe in near(arena):
        study.enqueue(arena.recipes.params(recipe))
    while arena.left > 0 and (job := study.ask()):
        began, name = arena.clock(), f"trial-{job.trial}"
        value = arena.train(name, job.params, int(job.stop))
        if math.isnan(value):
            study.finish(job.trial, failed="no value")
            continue
        study.tell(job.trial, job.stop, value, cost=arena.clock() - began)
        study.finish(job.trial)
        if arena.trained[name] == POINTS:
            arena.settle(name)


def near(arena: Arena) -> list[Recipe]:
    """The first recipe and the hand-made changes of it."""
    first = arena.recipes.first
    found = field_of(arena.task.domain).neighbours(first, arena.seed, 1.0, ())
    return [first, *(c.recipe for c, _ in zip(found, range(EDITS), strict=False) if arena.recipes.reaches(c.recipe))]


def driven_by_optuna(sampler: Callable[[int], Any], pruner: Callable[[], Any]) -> Callable[[Arena], None]:
    """An arm in which Optuna asks and prunes, through its ask and tell."""

    def arm(arena: Arena) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=sampler(arena.seed), pruner=pruner())
        if not arena.cold:
            study.enqueue_trial(as_optuna(arena.recipes, arena.recipes.params(arena.recipes.first)))
        while arena.left > 0:
            trial = study.ask()
            params = arena.recipes.space.assemble(lambda name, t=trial: suggested(t, name, arena.recipes.space[name]))
            end_of(study, trial, points_of(arena, trial, params))

    return arm


def points_of(arena: Arena, trial: Any, params: Mapping[str, Any]) -> Iterator[float]:
    """The value at each point, until the time is up or Optuna prunes."""
    for point in range(1, POINTS + 1):
        value = arena.train(f"trial-{trial.number}", params, point)
        yield value
        trial.report(value, point)
        if math.isnan(value) or arena.left <= 0 or (point < POINTS and trial.should_prune()):
            return


def end_of(study: Any, trial: Any, values: Iterator[float]) -> None:
    """Train to the trial's end, and tell how it ended."""
    seen = list(values)
    if math.isnan(seen[-1]):
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    elif len(seen) < POINTS:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, seen[-1])


def suggested(trial: Any, name: str, parameter: Parameter) -> Any:
    """A value of our parameter, drawn by Optuna; choices by their place, since some are lists."""
    if isinstance(parameter, Float):
        return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Int):
        return trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
    return parameter.choices[trial.suggest_categorical(name, list(range(len(parameter.choices))))]


def as_optuna(recipes: Recipes, params: Mapping[str, Any]) -> dict[str, Any]:
    """Our parameters as Optuna stores them."""
    space = recipes.space
    return {
        n: v if isinstance(space[n], Float | Int) else list(space[n].choices).index(v)  # type: ignore[union-attr]
        for n, v in params.items()
    }


def auto_sampler(seed: int) -> Any:
    import optunahub

    hub = os.environ.get(HUB)
    where = "samplers/auto_sampler"
    module = optunahub.load_local_module(where, registry_root=hub) if hub else optunahub.load_module(where)
    return module.AutoSampler(seed=seed)


def hyperband() -> Any:
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=POINTS, reduction_factor=3)


ARMS: dict[str, Callable[[Arena], None]] = {
    "whet": whet,
    "random": driven_by_optuna(lambda s: optuna.samplers.RandomSampler(seed=s), optuna.pruners.NopPruner),
    "tpe-hyperband": driven_by_optuna(lambda s: optuna.samplers.TPESampler(seed=s), hyperband),
    "gp": driven_by_optuna(lambda s: optuna.samplers.GPSampler(seed=s), optuna.pruners.NopPruner),
    "auto-sampler": driven_by_optuna(auto_sampler, hyperband),
}


# -- one run -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """What is compared: the data, whether in part, and under which conditions."""

    data: str
    budget: float
    threads: int
    rows: int
    cold: bool
    processor: bool = False


MEASURED: dict[tuple[Order, int], float] = {}
"""Milliseconds of a step, measured once for all arms of a seed: each would have a first recipe of its own length otherwise."""


def source_of(order: Order, seed: int, folder: Path) -> str | Path:
    """Where the data lies; so many rows of a table are drawn anew for each seed, the same for every arm."""
    where = SOURCES[order.data][0]
    source = data_folder(where.partition("/")[0]) / where.partition("/")[2] if where else order.data
    if not order.rows or Path(source).suffix != ".csv":
        return source
    table = pl.read_csv(source, infer_schema_length=None)
    drawn = folder / "rows.csv"
    table.sample(min(order.rows, len(table)), seed=seed).write_csv(drawn)
    return drawn


def arena_of(order: Order, seed: int, folder: Path) -> Arena:
    """The data, split and prepared as `whet fit` does, and the space around its first recipe."""
    budget, threads = order.budget, order.threads
    data = load(source_of(order, seed, folder), target=SOURCES[order.data][1], roles=Roles())
    own = field_of(data.domain)
    parts, task = fewer(own.split(data, seed), order.rows, seed), own.task(data)
    prepared = own.prepare(data, parts)
    facts = Facts(
        domain=data.domain,
        goal=data.goal,
        n_train=len(parts["train"]),
        shape=prepared.shape,
        outputs=task.outputs,
        seconds=budget,
        **own.facts(data, parts, prepared),
    )
    plan = Plan(threads=threads, bfloat16=first_plan(threads).bfloat16, fused=True)
    probe = own.portfolio(facts)[0].recipe
    if (order, seed) not in MEASURED:
        MEASURED[order, seed] = milliseconds(probe, task, prepared, plan, order.processor)
    facts = facts.at_speed(probe, MEASURED[order, seed])
    facts = facts if probe.steps else replace(facts, seconds=SHARE * budget)
    candidates = [own.hurried(with_end(c.recipe, facts)) for c in own.portfolio(facts)]
    near = [c.recipe for c, _ in zip(own.neighbours(candidates[0], seed, 1.0, ()), range(EDITS), strict=False)]
    starts = {f"start-{i}": recipe for i, recipe in enumerate([*candidates, *near])}
    recipes = Recipes.of(starts, lambda recipe: own.space(recipe, []))
    inputs = prepared.inputs if data.domain == "image" else prepared.transform.apply(data.x[parts["test"]])
    build(recipes.first, task, prepared, seed, plan)  # what a process does once costs no arm its time
    truth = own.truth(data, parts["test"])
    return Arena(task, prepared, plan, recipes, seed, budget, folder, inputs, parts["test"], truth, order.cold)


def fewer(parts: dict[str, np.ndarray], rows: int, seed: int) -> dict[str, np.ndarray]:
    """So many rows to learn from and validate on, drawn anew for each seed, and all test rows. 0, or more than there are: all.

    As many of them validate as whet sets aside of so few: a share of many rows' part is too small to judge by.
    """
    learnt = np.concatenate([parts["train"], parts["val"]])
    if not 0 < rows < len(learnt):
        return parts
    drawn = np.random.default_rng(seed).permutation(learnt)[:rows]
    val = round(VAL_SHARE * rows)
    return {**parts, "train": np.sort(drawn[val:]), "val": np.sort(drawn[:val])}


def milliseconds(recipe: Recipe, task: Task, data: Prepared, plan: Plan, processor: bool) -> float:
    """Of a step, as the plan of `whet fit` measures it; of the processor's time where that is asked for."""
    with running(plan):
        training = Training(build(recipe, task, data, 0, plan), Horizon(steps=1_000_000), 0)
        clock, worked = time.perf_counter(), time.process_time()
        found = 1e3 * time_of_step(lambda: train_step(training))
        worked, clock = time.process_time() - worked, time.perf_counter() - clock
        return found * worked / clock if processor else found


def with_end(recipe: Recipe, facts: Facts) -> Recipe:
    """A recipe with a number of steps, so that all arms cut it into the same parts; without its own: as the time allows."""
    if recipe.steps:
        return recipe
    passes = facts.seconds * facts.rate / ((facts.flops_of(recipe) or 1.0) * facts.n_train)
    return recipe.put("steps", max(POINTS, round(min(PASSES, passes) * facts.n_train / recipe.batch_size)))


def run(order: Order, arm: str, seed: int) -> dict[str, Any]:
    record = {**surroundings(), **asdict(order), "arm": arm, "seed": seed}
    with tempfile.TemporaryDirectory(prefix="whet-live-") as folder:
        arena = arena_of(order, seed, Path(folder))
        torch.set_num_threads(order.threads)
        arena.clock = time.process_time if order.processor else time.monotonic
        arena.began = arena.clock()
        try:
            ARMS[arm](arena)
        except ImportError as error:
            return {**record, "left_out": f"{error}"}
        seconds, chosen = round(arena.spent, 2), arena.choice
        tests = {name: arena.on_test_rows(name) for name in {chosen, *(name for _, _, name in arena.curve)} if name}
        return {
            **record,
            "seconds": seconds,
            "metric": arena.task.metric,
            "direction": arena.task.direction,
            "validation": arena.best[0] if arena.best else None,
            "test": tests[chosen] if chosen else None,
            "luckiest": tests[arena.best[1]] if arena.best else None,
            "steps": arena.recipes.first.steps,
            "trials": len(arena.trained),
            "whole": sum(stop == POINTS for stop in arena.trained.values()),
            "curve": [(seconds, value, tests[name]) for seconds, value, name in arena.curve],
            "versions": {"optuna": optuna.__version__, "torch": torch.__version__},
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", choices=SOURCES, required=True)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of search per arm and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--rows",
        type=int,
        default=0,
        help="so many rows, drawn anew for each seed; 0: all",
    )
    parser.add_argument("--cold", action="store_true", help="controls don't begin with whet's first recipe")
    parser.add_argument("--processor", action="store_true", help="the budget in seconds of the processor")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "search_live.jsonl")
    said = parser.parse_args()
    if said.budget <= 0:
        give_up("--budget takes seconds above 0.")
    order = Order(said.data, said.budget, said.threads, said.rows, said.cold, said.processor)
    for seed in said.seeds:
        for arm in said.arms:  # taking turns: a noisy quarter of an hour is noisy for all of them
            keep(said.results, run(order, arm, seed), *SHOWN)


if __name__ == "__main__":
    main()
