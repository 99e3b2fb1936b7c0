"""A controlled experiment, from the data to the verdict. Read `STEPS` at the end first: it is what happens, in order.

Arms are recipes that differ in one choice, or in a grid of two. They are trained on the same rows, in the same order, from the
same seeds, for equally long; each with a learning rate that was tuned for it with equal effort. The test part is opened once,
after everything is trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from whet import files
from whet.build import build
from whet.comparing.arms import Arm, arms_of, at_rate, check
from whet.comparing.comparison import NAME, ArmResult, Comparison, Judged, costs, judge, twins
from whet.comparing.opening import test
from whet.comparing.sizing import Cost, Layout, Size, again, size_for
from whet.comparing.training import Train, Trained, Wanted, curve, known, trainer
from whet.comparing.tuning import Tuned, tune
from whet.errors import UserError
from whet.fields import field as field_of
from whet.fields import load
from whet.improve import (
    code_of,
    factory_name,
    facts_of,
    fitting_workers,
    get_ready,
    look,
    measure_plan,
    read_recipe,
    roles_of,
)
from whet.recipe import Choice, Recipe
from whet.record import versions
from whet.report import compare as report
from whet.rng import seed_for
from whet.run import Run
from whet.run_folder import HOME, Order, RunFolder, opened
from whet.runners.trial import Validator
from whet.screen import Screen
from whet.search import rates
from whet.train.horizon import Clock, Horizon, parse_seconds
from whet.train.loop import Training, evaluation_weights, own_random_numbers, train_step
from whet.train.plan import Plan, cores, keep_large_blocks, machine_name, running

BY = ("steps", "seconds")
LATE = 1.05
"""Of the budget: what another round of seeds may end at."""
REPORT_SECONDS = 1.0
TIMING_SECONDS, MOST_STEPS = 0.5, 200
"""How long the steps of an arm are timed, and how many of them."""


@dataclass(frozen=True)
class Asked(Order):
    """What was asked for: equal ones go on with the same comparison."""

    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seeds: int = 5
    by: str = "steps"
    keep_lr: bool = False

    @property
    def tuned(self) -> bool:
        """Whether each arm's learning rate is tuned: not where it is what is compared."""
        return not self.keep_lr and "optimizer.lr" not in self.choices


@dataclass(frozen=True)
class ComparisonFolder(RunFolder):
    """The folder of a comparison."""

    @property
    def result(self) -> Path:
        return self.path / NAME


@dataclass
class Experiment:
    """What the steps of one comparison share."""

    run: Run
    asked: Asked
    choices: Mapping[str, Sequence[Any]]
    train: Train = field(init=False)
    base: Recipe = field(init=False)
    arms: tuple[Arm, ...] = ()
    size: Size = field(default_factory=Size)
    costs: tuple[Cost, ...] = ()
    tuned: tuple[Tuned, ...] = ()
    seeds: tuple[int, ...] = ()
    """Those that were trained in every arm."""

    @property
    def layout(self) -> Layout:
        return Layout(len(self.arms), self.asked.seeds, self.asked.tuned, self.run.workers)

    @property
    def shares(self) -> list[float]:
        """Steps of each arm per step of the first, so that all see as many rows."""
        return [self.arms[0].recipe.batch_size / arm.recipe.batch_size for arm in self.arms]

    @property
    def test_seconds(self) -> float:
        """What opening the test part will take."""
        return sum(self.asked.seeds * c.test for c in self.costs)

    def size_of(self, a: int) -> Size:
        """How long arm `a` is trained: where batches differ, all see the same number of rows."""
        return self.size.of(self.shares[a] if self.size.steps else 1.0)


def compare(
    data: Any,
    choices: Mapping[str, Sequence[Any]],
    *,
    seeds: int = 5,
    budget: str | float = "5m",
    steps: int | None = None,
    by: str = "steps",
    keep_lr: bool = False,
    target: str | None = None,
    task: str | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    workers: int = 1,
    holdout: Any = None,
    split: str | None = None,
    model: Any = None,
    recipe: Recipe | str | Path | None = None,
    show: bool = False,
    started: float | None = None,
    **roles: Any,
) -> Comparison:
    """A controlled experiment: which of these choices trains the best network on this data, and how sure is that?

    `choices`: recipe path -> what to compare, such as {"activation": ["relu", "gelu", "mish"]}; two paths make a grid. The
    first arm is the one that the others are compared with. Everything else stands as in the first recipe that `whet.fit`
    would try, or as in `recipe`. `seeds`: trainings per arm; data order and random numbers of a seed are the same in each.
    `budget`: wall-clock for everything; from it follows how long each training is: equally many steps in each arm, or
    with `by="seconds"` equally long. `steps`: exactly so many instead, without a clock, to the bit repeatable. `keep_lr`:
    don't tune each arm's learning rate. `seed`: of the split, and the first of the trainings'. The rest as in `whet.fit`.

    The same call goes on with a comparison that was killed. Raises UserError for wrong input.
    """
    started = time.monotonic() if started is None else started
    check(choices)
    check_numbers(seeds, by, workers)
    seconds, fixed, screen, said = parse_seconds(budget), read_recipe(recipe), Screen(show), roles_of(roles)
    found = load(data, target=target, task=task, holdout=holdout, split=split, roles=said)
    asked = Asked(
        data=str(data) if isinstance(data, str | Path) else found.name,
        fingerprint=found.fingerprint + code_of(model),
        target=target,
        task=task,
        budget=seconds,
        seed=seed,
        model=factory_name(model),
        recipe=fixed.to_json() if fixed else None,
        steps=steps or 0,
        holdout=None if holdout is None else str(holdout) if isinstance(holdout, str | Path) else "given",
        split=split,
        roles=said.given(),
        choices={path: tuple(map(str, some)) for path, some in choices.items()},
        seeds=seeds,
        by=by,
        keep_lr=keep_lr,
    )
    folder = ComparisonFolder(Path(out) if out is not None else HOME / f"compare-{found.name}-{asked.hash[:6]}")
    with opened(folder, asked) as journal:
        if folder.result.exists():
            screen.say(f"{folder.path} holds this comparison already, finished: here it is.")
        else:
            clock = Clock(seconds, journal.spent, started)
            at_once = fitting_workers(workers, asked, screen)
            conduct(Experiment(Run(asked, folder, journal, clock, screen, found, at_once, fixed), asked, choices))
    comparison = Comparison.read(folder.path)
    if show:
        report.show(comparison.details, folder.path)
    return comparison


def check_numbers(seeds: int, by: str, workers: int) -> None:
    """Raises UserError."""
    if seeds < 2:
        raise UserError(f"seeds={seeds} shows no spread.", "Give 2 or more; 5 are usual.")
    if by not in BY:
        raise UserError(f"by={by!r} is no way to give arms the same.", f"Choose {' or '.join(BY)}.")
    if workers < 1:
        raise UserError(f"workers={workers} train nothing.", "Give 1 or more.")


def conduct(e: Experiment) -> None:
    """The steps, in order. After a crash the finished ones are read from the journal."""
    try:
        look(e.run)
        get_ready(e.run)
        lay_out(e)
        with trainer(e.run) as e.train:
            for step in STEPS:
                step(e)
        e.run.screen.end()
        conclude(e)
    except KeyboardInterrupt:
        e.run.screen.end()
        say_so_far(e)
        raise
    finally:
        e.run.screen.end()


# -- the steps -------------------------------------------------------------------------------------------------------


def lay_out(e: Experiment) -> None:
    """The arms, and how long each training is."""
    run = e.run
    if said := run.journal.last("plan"):
        e.base, run.plan = Recipe.from_dict(said["base"]), Plan(**said["plan"])
        e.arms, e.size = arms_of(e.base, e.choices), Size.from_dict(said["size"])
        e.costs = tuple(Cost(**c) for c in said["costs"])
    else:
        begin_with(e)
        costs = [asdict(c) for c in e.costs]
        run.say("plan", base=e.base.to_dict(), plan=asdict(run.plan), size=e.size.to_dict(), costs=costs)
    if run.plan.allocator:
        keep_large_blocks()
    tell_plan(e)


def begin_with(e: Experiment) -> None:
    run, own = e.run, field_of(e.run.data.domain)
    if run.fixed is not None:
        e.base = with_users(run.fixed, run.order.model)
        run.plan = measure_plan(e.base, run)
    else:
        roughly = Layout(arms_in(e.choices), e.asked.seeds, e.asked.tuned, run.workers)
        facts = facts_of(run)
        facts = replace(facts, seconds=facts.seconds * run.workers / (roughly.arms * roughly.whole))
        probe = own.portfolio(facts)[0].recipe
        run.plan = measure_plan(probe, run)
        if not run.order.steps:
            facts = facts.at_speed(probe, run.plan.milliseconds)
        e.base = own.portfolio(facts)[0].recipe
    if run.workers > 1:
        run.plan = replace(run.plan, threads=max(1, cores() // run.workers))
    e.arms = arms_of(e.base, e.choices)
    e.costs = tuple(cost_of(arm, run) for arm in e.arms)
    if run.order.steps:
        e.size = Size(run.order.steps, why="as given")
        return
    left = run.clock.left - REPORT_SECONDS
    e.size = size_for(left, e.costs, e.layout, e.asked.by, e.base.steps, e.shares, run.clock.spent + REPORT_SECONDS)


def arms_in(choices: Mapping[str, Sequence[Any]]) -> int:
    return int(np.prod([len(some) for some in choices.values()]))


def with_users(recipe: Recipe, factory: str | None) -> Recipe:
    """The recipe with the user's network, where one was given beside it."""
    return recipe if factory is None else recipe.put("family", Choice("user", factory=factory))


def cost_of(arm: Arm, run: Run) -> Cost:
    """What trainings of an arm will cost. Raises RecipeError or UnknownName for one that can't be built."""
    with running(run.plan), own_random_numbers():
        parts = build(arm.recipe, run.task, run.prepared, run.order.seed, run.plan)
        if run.order.steps:
            return Cost(0.0, 0.0, 0.0, 0.0)
        began = time.perf_counter()  # only now: what surgery imports late took 9 s of the first time
        parts = build(arm.recipe, run.task, run.prepared, run.order.seed, run.plan)
        start = time.perf_counter() - began
        training = Training(parts, Horizon(steps=1_000_000), run.order.seed)
        step = mean_seconds(lambda: train_step(training))
        began = time.perf_counter()
        with evaluation_weights(parts) as model:
            Validator(run.task, run.prepared, parts)(model)
        validation = time.perf_counter() - began
    views = 1 + len(field_of(run.data.domain).views(arm.recipe))
    per_row = validation / max(1, len(run.prepared.rows["val"]))
    return Cost(1.5 * start, step, validation, start + per_row * views * len(run.parts["test"]))


def mean_seconds(step: Callable[[], object]) -> float:
    """Of calls one after the other, after one to warm up: the mean, since other programs are there in the training too."""
    step()
    began, count = time.perf_counter(), 0
    while count < 2 or (time.perf_counter() - began < TIMING_SECONDS and count < MOST_STEPS):
        step()
        count += 1
    return (time.perf_counter() - began) / count


def tell_plan(e: Experiment) -> None:
    """Say what is derived, each with its rule."""
    run, names = e.run, ", ".join(arm.name for arm in e.arms)
    run.screen.say(f"Arms: {names}. All else as in this recipe: {short(e.base)}.", "bold")
    same = "the same steps, rows and order" if e.size.steps else "the same time"
    run.screen.say(f"Each training: {e.size} ({e.size.why}); {same} in each arm. Plan: {run.plan}.")
    if e.asked.tuned:
        run.screen.say(
            f"First each arm's learning rate is tuned: {rates.TRIALS} trainings of half that length, on a seed of their own."
        )
    else:
        why = "it is what is compared" if not e.asked.keep_lr else "as asked"
        run.screen.say(f"Learning rates are not tuned: {why}.")
    run.screen.say(
        "Rates and the best moment of each training are chosen on the validation rows; the test rows are opened once, at "
        "the end."
    )


def short(recipe: Recipe) -> str:
    return f"{recipe.family.name}, {recipe.activation.name}, {recipe.optimizer}, batches of {recipe.batch_size}"


def tune_rates(e: Experiment) -> None:
    """Each arm's learning rate."""
    run = e.run
    if not run.order.steps:
        run.screen.begin(run.clock, "comparing")
    if not e.asked.tuned:
        return
    seed = seed_for(run.order.seed, "tuning") % 2**31
    sizes = [e.size_of(a) for a in range(len(e.arms))]
    e.tuned = tuple(tune(e.arms, sizes, seed, run.task, e.train))
    for arm, found in zip(e.arms, e.tuned, strict=True):
        tried = ", ".join(f"{lr} {'diverged' if v != v else f'{v:.4g}'}" for lr, v in found.trials.items())
        run.screen.say(f"  {arm.name}: learning rate {found.lr:.3g} ({tried})", "dim")


def size_again(e: Experiment) -> None:
    """After tuning, the cost of a training is known better than from a few steps."""
    run = e.run
    if said := run.journal.last("resized"):
        e.size = Size.from_dict(said["size"])
        return
    if e.tuned and not run.order.steps:
        took = [found.seconds for found in e.tuned]
        e.size = again(run.clock.left - REPORT_SECONDS, e.costs, took, e.layout, e.size, e.base.steps, e.shares)
        run.screen.say(f"Each measured training: {e.size}, now that their cost is known.")
    run.say("resized", size=e.size.to_dict())


def measure(e: Experiment) -> None:
    """The measured trainings, seed by seed through all arms: a comparison that is cut short is balanced."""
    seeds = [e.run.order.seed + i for i in range(e.asked.seeds)]
    for i in range(0, len(seeds), e.run.workers):
        some = seeds[i : i + e.run.workers]
        if i >= 2 and not time_for(e, some):
            e.run.screen.say(f"! The time is up after {i} of {len(seeds)} seeds.", "yellow")
            break
        e.train([wanted(e, a, seed) for seed in some for a in range(len(e.arms))])
        e.seeds = (*e.seeds, *some)
        for seed in some:
            tell_round(e, seed)


def wanted(e: Experiment, a: int, seed: int) -> Wanted:
    recipe, size = e.arms[a].recipe, e.size_of(a)
    if e.tuned:
        recipe = at_rate(recipe, e.tuned[a].factor)
    return Wanted(name_of(a, seed), recipe.put("steps", size.steps), seed, size)


def name_of(a: int, seed: int) -> str:
    return f"arm-{a + 1}-seed-{seed}"


def time_for(e: Experiment, seeds: Sequence[int]) -> bool:
    """Whether another round of all arms can end in time; one that was done before a restart counts in any case."""
    run, done = e.run, known(e.run)
    if run.order.steps or all(name_of(a, seed) in done for seed in seeds for a in range(len(e.arms))):
        return True
    took = sum(trained_of(e, a, e.seeds[0]).seconds for a in range(len(e.arms))) * len(seeds) / run.workers
    return run.clock.spent + took + e.test_seconds + REPORT_SECONDS <= max(
        LATE * run.clock.budget, run.clock.budget + 3
    )


def trained_of(e: Experiment, a: int, seed: int) -> Trained:
    return known(e.run)[name_of(a, seed)]


def tell_round(e: Experiment, seed: int) -> None:
    said = ", ".join(f"{arm.name} {trained_of(e, a, seed).value:.4f}" for a, arm in enumerate(e.arms))
    e.run.screen.say(f"  seed {seed}: {said} (validation {e.run.task.watched.name})", "dim")


Step = Callable[[Experiment], None]
STEPS: tuple[Step, ...] = (tune_rates, size_again, measure)


# -- the end ---------------------------------------------------------------------------------------------------------


def conclude(e: Experiment) -> None:
    """Open the test part, judge, write compare.json and the report."""
    scores = np.full((len(e.arms), len(e.seeds)), np.nan)
    rows: dict[int, np.ndarray] = {}
    for a in range(len(e.arms)):
        each = []
        for s, seed in enumerate(e.seeds):
            if np.isfinite(trained_of(e, a, seed).value):
                scores[a, s], adds = test(e.run, name_of(a, seed))
                each.append(adds)
        if len(each) == len(e.seeds) and all(adds is not None for adds in each):
            rows[a] = np.asarray(each)
    task = e.run.task
    judged = judge([a.name for a in e.arms], scores, task.metric, task.direction, rows, len(e.run.parts["test"]))
    result = result_of(e, scores, judged)
    report.write(e.run.folder.path, result)
    files.write_json(e.run.folder.result, result)
    e.run.say("done")


def result_of(e: Experiment, scores: np.ndarray, judged: Judged) -> dict[str, Any]:
    """All of compare.json."""
    run, task = e.run, e.run.task
    arms = [arm_result(e, a, scores[a]) for a in range(len(e.arms))]
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


def arm_result(e: Experiment, a: int, scores: np.ndarray) -> ArmResult:
    made = [trained_of(e, a, seed) for seed in e.seeds]
    first = wanted(e, a, e.seeds[0])
    return ArmResult(
        name=e.arms[a].name,
        scores=tuple(map(float, scores)),
        lr=e.tuned[a].lr if e.tuned else made[0].lr,
        seconds=round(float(np.median([t.seconds for t in made])), 3),
        steps=round(float(np.mean([t.steps for t in made]))),
        diverged=sum(t.diverged > 0 for t in made),
        recipe=first.recipe.to_dict(),
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
    said = [
        f"{arm.name} diverged in {arm.diverged} of {len(e.seeds)} trainings, and was begun again with a lower rate."
        for arm in arms
        if arm.diverged
    ]
    said += [
        f"{arm.name} did best with the {'lowest' if t.factor < 1 else 'highest'} learning rate that was tried, {t.lr:.3g}: "
        "there may be a better one beyond."
        for arm, t in zip(arms, e.tuned, strict=bool(e.tuned))
        if t.edge
    ]
    failed = {t.failed for a in range(len(arms)) for seed in e.seeds if (t := trained_of(e, a, seed)).failed}
    said += [f"Trainings failed: {why}" for why in sorted(failed)]
    if len(e.seeds) < e.asked.seeds:
        said.append(f"The time was up after {len(e.seeds)} of {e.asked.seeds} seeds: give a larger --budget.")
    names = [arm.name for arm in arms]
    made = [[trained_of(e, a, seed) for seed in e.seeds] for a in range(len(arms))]
    same = [tuple((t.value, t.loss) for t in each) for each in made]
    said += twins(names, same, [arm.recipe for arm in e.arms])
    return said + costs(names, [[t.seconds for t in each] for each in made], e.asked.by)


def say_so_far(e: Experiment) -> None:
    """On Ctrl-C: what the seeds that are done say, on the validation rows."""
    run = e.run
    if len(e.seeds) < 2:
        return
    scores = np.asarray([[trained_of(e, a, s).value for s in e.seeds] for a in range(len(e.arms))])
    watched = run.task.watched
    judged = judge([a.name for a in e.arms], scores, watched.name, watched.direction)
    run.screen.say(f"So far, after {len(e.seeds)} of {e.asked.seeds} seeds, on the validation rows:")
    for line in judged.said:
        run.screen.say(f"  {line}")
