"""How to run here, and which recipes to try: measured on this machine, derived from the data and the time that is left."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace

import torch

from whet import prior
from whet.build import build
from whet.fields import field as field_of
from whet.recipe import Choice, Recipe
from whet.run import Run
from whet.search.first import Candidate, Facts
from whet.search.recipes import Recipes, ends, put, settings
from whet.train.horizon import Horizon
from whet.train.loop import Training, own_random_numbers, train_step
from whet.train.plan import (
    STEPS_TO_TIME,
    WORTH,
    Plan,
    cores,
    first_plan,
    keep_large_blocks,
    measure,
    micro_batch,
    running,
    saved_bytes,
    time_of_step,
)

TIME_TO_MEASURE = 0.02
"""Of the budget, what finding out how to run fastest may take."""

WORKED = 0.1
"""Seconds of the processor from which on they are compared with the clock's."""


def choose_recipes(run: Run) -> None:
    """The plan, and the recipes to try: derived from the data, the machine and the time that is left."""
    began, worked = time.monotonic(), worked_so_far()
    if known := run.journal.last("plan"):
        run.plan = Plan.of(known["plan"])
        run.candidates = [Candidate.from_dict(c) for c in known["candidates"]]
    else:
        run.candidates = [as_ordered(run, candidate) for candidate in planned(run)]
        refuse_space(run)
        run.say("plan", plan=asdict(run.plan), candidates=[c.to_dict() for c in run.candidates])
    if run.plan.allocator:
        keep_large_blocks()  # a setting of the process: a resumed run has to make it again
    run.delivery.plan = run.plan
    measured = f" ({run.plan.milliseconds:.3g} ms a step)" if run.plan.milliseconds else ""
    run.screen.say(f"Plan: {run.plan}{measured}.")
    run.delivery.slowed = slowed(time.monotonic() - began, worked_so_far() - worked)


def worked_so_far() -> float:
    """Seconds of the processor of this process, and of those that it waited for."""
    return sum(os.times()[:4])


def slowed(seconds: float, worked: float) -> float:
    """Times as long as alone that work took: others use the processor too; 1 where it was too little to tell."""
    return max(1.0, seconds / worked) if worked >= WORKED else 1.0


def planned(run: Run) -> list[Candidate]:
    """The recipes to try, the default first. The plan is measured on the way: which ones fit into the time depends on it."""
    if run.fixed is not None:
        run.plan = measure_plan(with_loss(run, run.fixed), run)
        return [Candidate("given", run.fixed, "as given")]
    facts, portfolio = facts_of(run), field_of(run.data.domain).portfolio
    probe = with_loss(run, portfolio(facts)[0].recipe)
    run.plan = measure_plan(probe, run)
    if run.order.steps:  # a fixed number of steps is for repeatable runs: the clock decides nothing
        return portfolio(facts)[:1]
    own = portfolio(facts.at_speed(probe, run.plan.milliseconds, run.plan.fewer_products))
    found = with_prior(run, own)
    found = found[:1] if run.space else found  # the user said what is changed, and in nothing else
    for candidate in found:
        if candidate not in own:
            run.screen.say(f"To be tried too, {candidate.name}: {candidate.because}.")
    return found


def as_ordered(run: Run, candidate: Candidate) -> Candidate:
    """A candidate with the user's loss, and inside the user's space."""
    recipe = with_loss(run, candidate.recipe)
    if run.space:
        found = Recipes.of({candidate.name: recipe}, lambda _: run.space)
        recipe = found.recipe(found.params(recipe))
    return replace(candidate, recipe=recipe)


def with_loss(run: Run, recipe: Recipe) -> Recipe:
    """The recipe with the user's loss, where one was given: what the network gives may fit no other."""
    return recipe.put("loss", Choice(run.order.loss)) if run.order.loss else recipe


def refuse_space(run: Run) -> None:
    """Raises UserError for a place or a choice that can't be built here: now, before anything takes its time."""
    first = run.candidates[0].recipe
    changed = [put(first, path, value) for path, choices in settings(run.space).items() for value in choices]
    for path, range_ in ends(run.space).items():
        for end in range_:
            put(first, path, end)
    for recipe in [first, *changed] if run.space else []:
        build(recipe, run.task, run.prepared, run.order.seed, Plan())


def with_prior(run: Run, candidates: list[Candidate]) -> list[Candidate]:
    """The candidates, and what the prior adds: a start for a user's deep network; an activation where pictures race."""
    if run.order.model:
        parts = build(candidates[0].recipe, run.task, run.prepared, run.order.seed, Plan())
        inputs, _ = parts.prepare(parts.train.batch(0, 0)[0], torch.empty(0), None)
        return prior.started(candidates, lambda: prior.plain_way(parts.model, inputs))
    if len(candidates) == 1 or run.data.domain != "image":
        return candidates
    hints = prior.hints(run.signs, run.data.domain, run.data.goal, len(run.parts["train"]))
    return candidates + prior.candidates(candidates[0].recipe, hints)[:1]


def facts_of(run: Run) -> Facts:
    data, parts = run.data, run.parts
    return Facts(
        domain=data.domain,
        goal=data.goal,
        n_train=len(parts["train"]),
        shape=run.prepared.shape,
        outputs=run.task.outputs,
        seconds=run.order.budget if run.order.steps else max(0.0, run.clock.left),
        factory=run.order.model or "",
        **field_of(data.domain).facts(data, parts, run.prepared),
    )


def measure_plan(recipe: Recipe, run: Run) -> Plan:
    """How this recipe runs fastest here, found in a second or two."""
    first = replace(first_plan(cores(), convolves(recipe, run)), micro_batch=fitting_rows(recipe, run))
    if run.order.steps:  # a repeatable run: the clock decides nothing, not even how numbers are rounded
        return replace(first, bfloat16=first.bfloat16 and run.data.domain != "table")

    key = f"{recipe.hash}|{run.prepared.shape}|{run.task.outputs}|{run.prepared.n_train}"
    limit = min(2.0, TIME_TO_MEASURE * run.order.budget)
    return measure(lambda plan: seconds_of_step(recipe, run, plan), first, key, limit=limit)


def seconds_of_step(recipe: Recipe, run: Run, plan: Plan) -> float:
    """What a step of this recipe takes under a plan."""
    with running(plan), own_random_numbers():
        parts = build(recipe, run.task, run.prepared, run.order.seed, plan)
        training = Training(parts, Horizon(steps=1_000_000), run.order.seed)
        return time_of_step(lambda: train_step(training))


def measured_again(recipe: Recipe, run: Run) -> Plan:
    """The run's plan with all threads, where that is faster by now: beside other programs one thread may have won.

    Left as it is where the clock decides nothing, and where the time that is left is too short to be spent on this.
    """
    costs = 4 * STEPS_TO_TIME * run.plan.milliseconds / 1e3
    if run.order.steps or run.plan.threads == cores() or costs > TIME_TO_MEASURE * run.time_to_train:
        return run.plan
    wide = replace(run.plan, threads=cores())
    seconds, narrow = (seconds_of_step(recipe, run, plan) for plan in (wide, run.plan))
    return replace(wide, milliseconds=round(seconds * 1e3, 2)) if seconds < WORTH * narrow else run.plan


def convolves(recipe: Recipe, run: Run) -> bool:
    """Whether the network has weights for pictures: (out, in, height, width)."""
    model = build(recipe, run.task, run.prepared, run.order.seed, Plan()).model
    return any(p.dim() == 4 for p in model.parameters())


def fitting_rows(recipe: Recipe, run: Run) -> int:
    """Rows per pass that memory has room for; 0: the whole batch. Read off a forward pass of a few rows."""
    if run.order.steps:  # repeatable whatever else is in memory
        return 0
    parts = build(recipe, run.task, run.prepared, run.order.seed, Plan())
    inputs, target = parts.train.batch(0, 0)
    few = min(4, len(target))
    inputs, target = parts.prepare(tuple(x[:few] for x in inputs), target[:few], None)
    weights = sum(p.nbytes for p in parts.model.parameters())
    with own_random_numbers():
        saved = saved_bytes(lambda: parts.loss(parts.model(*inputs), target))
    return micro_batch(max(0, saved - weights) / few, recipe.batch_size)
