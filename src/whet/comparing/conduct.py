"""A controlled experiment, from the data to the verdict. Read `STEPS` at the end first: it is what happens, in order.

Arms are recipes that differ in one choice, or in a grid of two. They are trained on the same rows, in the same order, from the
same seeds, for equally long; each with a learning rate that was tuned for it with equal effort. The test part is opened once,
after everything is trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from whet.asked import (
    Source,
    Where,
    factory_name,
    ordered,
    read_recipe,
    refuse_counts,
    refuse_run,
    say_large,
    whole_seed,
)
from whet.comparing.arms import check
from whet.comparing.comparison import Comparison
from whet.comparing.ending import conclude, say_so_far
from whet.comparing.experiment import Asked, ComparisonFolder, Experiment, name_of, refuse, trained_of, wanted
from whet.comparing.layout import REPORT_SECONDS, arms_in, lay_out
from whet.comparing.sizing import Size, again
from whet.comparing.training import at_hand, known, trainer
from whet.comparing.tuning import tune
from whet.errors import UserError
from whet.improve import get_ready, look, own_rows
from whet.recipe import Recipe
from whet.report import compare as report
from whet.report import wording
from whet.rng import seed_for
from whet.run import Run
from whet.run_folder import HOME, opened
from whet.screen import Screen
from whet.train.horizon import Clock, parse_seconds

BY = ("steps", "seconds")
LATE = 1.05
"""Of the budget: what another round of seeds may end at."""


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
    ray: str | None = None,
    storage: str | None = None,
    holdout: Any = None,
    split: str | None = None,
    model: Any = None,
    loss: Any = None,
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
    don't tune each arm's learning rate. `seed`: of the split, and the first of the trainings'. `ray`: on this cluster, each
    training on one core. The rest as in `whet.fit`.

    The same call goes on with a comparison that was killed. Raises UserError for wrong input.
    """
    started = time.monotonic() if started is None else started
    check(choices)
    refuse_counts(seeds=seeds, steps=steps)
    seed = whole_seed(seed)
    check_numbers(seeds, by)
    refuse_run(data, holdout)
    screen, where, fixed = Screen(show), Where(workers, ray, storage), read_recipe(recipe)
    say_large(screen, data, holdout)
    source = Source(own_rows(data, holdout, model, loss), target, task, holdout, split, roles)
    more = {
        "seed": seed,
        "steps": steps or 0,
        "choices": in_words(choices),
        "seeds": seeds,
        "by": by,
        "keep_lr": keep_lr,
        "loss": factory_name(loss),
    }
    asked, found = ordered(Asked, source, model, fixed, budget=parse_seconds(budget), **more)
    at_once = where.at_once(asked, screen)
    folder = ComparisonFolder(Path(out) if out is not None else HOME / f"compare-{found.name}-{asked.hash[:6]}")
    with opened(folder, asked) as journal:
        clock = Clock(asked.budget, journal.spent, started)
        run = Run(asked, folder, journal, clock, screen, found, at_once, fixed, cluster=ray, storage=storage)
        conduct(Experiment(run, asked, choices))
    return told(Comparison.read(folder.path), folder.path, show)


def in_words(choices: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, ...]]:
    """What is compared, as an order keeps it."""
    return {path: tuple(map(str, some)) for path, some in choices.items()}


def told(comparison: Comparison, folder: Path, show: bool) -> Comparison:
    """The comparison, printed where someone looks on."""
    if show:
        report.show(comparison.details, folder)
    return comparison


def check_numbers(seeds: int, by: str) -> None:
    """Raises UserError."""
    if seeds < 2:
        raise UserError(f"seeds={seeds} shows no spread.", "Give 2 or more; 5 are usual.")
    if by not in BY:
        raise UserError(f"by={by!r} is no way to give arms the same.", f"Choose {' or '.join(BY)}.")


def conduct(e: Experiment) -> None:
    """The steps, in order. After a crash the finished ones are read from the journal; a finished comparison stays."""
    if e.run.folder.result.exists():
        e.run.screen.say(f"{e.run.folder.path} holds this comparison already, finished: here it is.")
        return
    try:
        look(e.run)
        get_ready(e.run)
        with at_hand(e.run, arms_in(e.choices) * e.asked.seeds):
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
    if not any(found.trains for found in e.tuned):
        refuse([arm.name for arm in e.arms], [f"{found.fault} at every learning rate" for found in e.tuned])
    for arm, found in zip(e.arms, e.tuned, strict=True):
        run.screen.say(f"  {arm.name}: {found.said(run.task.watched.name)}", "dim")


def size_again(e: Experiment) -> None:
    """After tuning, the cost of a training is known better than from a few steps."""
    run = e.run
    if said := run.journal.last("resized"):
        e.size = Size.from_dict(said["size"])
        return
    if e.tuned and not run.order.steps:
        e.size = size_of_sound(e)
        run.screen.say(f"Each measured training: {e.size}, now that their cost is known.")
    run.say("resized", size=e.size.to_dict())


def size_of_sound(e: Experiment) -> Size:
    """The size for the time left; arms that trained at no rate take next to none of it."""
    sound = [a for a, found in enumerate(e.tuned) if found.trains]
    costs, took = [e.costs[a] for a in sound], [e.tuned[a].seconds for a in sound]
    layout, shares = replace(e.layout, arms=len(sound)), [e.shares[a] for a in sound]
    return again(e.run.clock.left - REPORT_SECONDS, costs, took, layout, e.size, e.base.steps, shares)


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


def time_for(e: Experiment, seeds: Sequence[int]) -> bool:
    """Whether another round of all arms can end in time; one that was done before a restart counts in any case."""
    run, done = e.run, known(e.run)
    if run.order.steps or all(name_of(a, seed) in done for seed in seeds for a in range(len(e.arms))):
        return True
    took = sum(trained_of(e, a, e.seeds[0]).seconds for a in range(len(e.arms))) * len(seeds) / run.workers
    return run.clock.spent + took + e.test_seconds + REPORT_SECONDS <= max(
        LATE * run.clock.budget, run.clock.budget + 3
    )


def tell_round(e: Experiment, seed: int) -> None:
    metric, made = e.run.task.watched.name, [trained_of(e, a, seed) for a in range(len(e.arms))]
    told = [wording.score(metric, t.value) if t.sound else t.fault for t in made]
    said = ", ".join(f"{arm.name} {one}" for arm, one in zip(e.arms, told, strict=True))
    e.run.screen.say(f"  seed {seed}: {said} (validation {wording.metric_name(metric)})", "dim")


Step = Callable[[Experiment], None]
STEPS: tuple[Step, ...] = (tune_rates, size_again, measure)
