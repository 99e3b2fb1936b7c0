"""Before anything trains: the shared recipe, the arms, and how long each training is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from whet.build import build
from whet.choosing import facts_of, measure_plan, with_loss
from whet.comparing.arms import Arm, arms_of, repeats, to_no_purpose
from whet.comparing.experiment import Experiment, refuse
from whet.comparing.sizing import Cost, Layout, Size, size_for
from whet.comparing.training import FAULTS, threads_each
from whet.errors import Diverged, UserError
from whet.fields import field as field_of
from whet.network import LOOKS
from whet.recipe import Choice, Recipe
from whet.run import Run
from whet.runners.rescue import is_memory
from whet.runners.trial import Validator
from whet.search import rates
from whet.train.horizon import Horizon
from whet.train.loop import Training, evaluation_weights, own_random_numbers, train_step
from whet.train.plan import Plan, keep_large_blocks, running

REPORT_SECONDS = 1.0
TIMING_SECONDS, MOST_STEPS = 0.5, 200
"""How long the steps of an arm are timed, and how many of them."""


def lay_out(e: Experiment) -> None:
    """The arms, and how long each training is."""
    run = e.run
    if said := run.journal.last("plan"):
        e.base, run.plan = Recipe.from_dict(said["base"]), Plan.of(said["plan"])
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
        e.base = with_loss(run, with_users(run.fixed, run.order.model))
        run.plan = measure_plan(e.base, run)
    else:
        roughly = Layout(arms_in(e.choices), e.asked.seeds, e.asked.tuned, run.workers)
        facts = facts_of(run)
        facts = replace(facts, seconds=facts.seconds * run.workers / (roughly.arms * roughly.whole))
        probe = with_loss(run, own.portfolio(facts)[0].recipe)
        run.plan = measure_plan(probe, run)
        if not run.order.steps:
            facts = facts.at_speed(probe, run.plan.milliseconds, run.plan.fewer_products)
        e.base = with_loss(run, own.portfolio(facts)[0].recipe)
    if run.workers > 1 or run.cluster:
        run.plan = replace(run.plan, threads=threads_each(run))
    e.arms = arms_of(e.base, e.choices)
    e.costs = costs_of(e.arms, run)
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


def costs_of(arms: Sequence[Arm], run: Run) -> tuple[Cost, ...]:
    """What trainings of each arm will cost; one whose steps fail is planned with as the dearest of the others.

    Raises UserError for a recipe that can't be built, and where the steps of all arms fail.
    """
    found: list[Cost | None] = []
    why: list[str] = []
    for arm in arms:
        try:
            found.append(cost_of(arm, run))
        except UserError:
            raise
        except Exception as error:  # its trainings will meet it again, and say so
            found.append(None)
            why.append(fault_of(error))
    known = [cost for cost in found if cost is not None]
    if not known:
        refuse([arm.name for arm in arms], why)
    dearest = max(known, key=lambda cost: cost.step)
    return tuple(cost or dearest for cost in found)


def fault_of(error: Exception) -> str:
    """An error of an arm's first steps, in words."""
    if isinstance(error, Diverged):
        return f"{FAULTS['diverged']}: {error}"
    if is_memory(error):
        return FAULTS["memory"]
    return f"{FAULTS['raised']}: {type(error).__name__}: {error}".strip().split("\n")[0]


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
    views = 1 + len(field_of(run.data.domain).views(arm.recipe)[:LOOKS])
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
    run.screen.say(f"Arms: {names}.", "bold")
    run.screen.say(f"All else as in this recipe: {short(e.base)}.")
    for sentence in repeats(e.arms) or to_no_purpose(e.arms):
        run.screen.say(f"! {sentence}", "yellow")
    same = "the same steps, rows and order" if e.size.steps else "the same time"
    beside = f", {run.workers} trainings side by side" if run.workers > 1 else ""
    run.screen.say(f"Each training: {e.size} ({e.size.why}); {same} in each arm. Plan: {run.plan}{beside}.")
    if e.asked.tuned:
        run.screen.say(
            f"First each arm's learning rate is tuned: {rates.TRIALS} trainings of half that length, on a seed of their own."
        )
    else:
        why = "it is what is compared" if not e.asked.keep_lr else "as asked"
        run.screen.say(f"Learning rates are not tuned: {why}.")
    chosen = (
        "Rates, and the weights that a training keeps, are"
        if e.asked.tuned
        else "The weights that a training keeps are"
    )
    run.screen.say(f"{chosen} chosen on the validation rows; the test rows are opened once, at the end.")


def short(recipe: Recipe) -> str:
    own = recipe.activation.name == "own"  # the network's: its family says it
    activation = "" if own else f", {recipe.activation.name}"
    return f"{recipe.family.name}{activation}, {recipe.optimizer}, batches of {recipe.batch_size}"
