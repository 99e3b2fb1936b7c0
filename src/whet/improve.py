"""The conductor: data and a time in, a trained network, its recipe and a report that says why out.

Read `STEPS` at the end first: it is what happens, in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whet import files, naming
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
from whet.build import build
from whet.choosing import choose_recipes
from whet.conclude import Outcome, conclude
from whet.contest import train as train_recipes
from whet.data.core import Data
from whet.data.splits import train_and_val
from whet.delivery import LOOKING, Delivery
from whet.errors import DataError
from whet.fields import field as field_of
from whet.fields.base import Wanted
from whet.fields.own import OwnSource, is_own
from whet.hunt import KEPT
from whet.network import Network
from whet.pooling import pool_trials
from whet.profiling import profile_of
from whet.recipe import Choice, Recipe
from whet.refit import forget, train_again
from whet.report.text import show_result
from whet.result import Result
from whet.run import Run
from whet.run_folder import Order, RunFolder, choose, opened
from whet.runners.together import follow, leading
from whet.screen import Screen, clock_time
from whet.search.recipes import read as read_space
from whet.search.space import Parameter
from whet.tasks import Baseline, aside
from whet.train.horizon import Clock, parse_seconds
from whet.train.plan import Plan, cores
from whet.train.world import joined

BASELINE_SHARE = 0.05
"""Share of the budget that the baselines may cost: at half of it a busy machine had no linear one beside digits at 60 s."""
BASELINE_SECONDS = 8.0
"""The most that they may cost, however large the budget."""
UNHURRIED = 60.0
"""The same with a number of steps, where the clock is to decide nothing: most baselines are done before."""


def fit(
    data: Any,
    *,
    target: str | None = None,
    task: str | None = None,
    budget: str | float = "60s",
    seed: int = 0,
    out: str | Path | None = None,
    workers: int | None = None,
    ray: str | None = None,
    storage: str | None = None,
    holdout: Any = None,
    split: str | None = None,
    model: Any = None,
    loss: Any = None,
    recipe: Recipe | str | Path | None = None,
    steps: int | None = None,
    space: Mapping[str, Any] | Sequence[str] | None = None,
    ensemble: bool = False,
    show: bool = False,
    started: float | None = None,
    **roles: Any,
) -> Result:
    """Train the best network that the budget allows on this data.

    `data`: a folder of class folders, a table's file, an .npz, IDX files, a bundled name, a DataFrame, (X, y) arrays or
    a torch Dataset; with a network of your own also DataLoaders: one, or (train, val). `task` names what is to be learned;
    None: inferred, and said. `budget`: wall-clock seconds, or text such as "60s" or "1h30m". `model`: your own network, a
    function that returns a fresh `nn.Module`, or "FILE.py:function"; `loss`: your own, (outputs, target) -> scalar.
    `recipe` and `steps`: train exactly this.
    `space`: what is searched, in place of what whet would search: {"activation": ["relu", "gelu"], "optimizer.lr": (1e-4,
    1e-1)}, or lines such as "optimizer.lr=1e-4..1e-1". `ensemble`: several networks may be delivered as one.
    `workers`: trials side by side in processes of this machine; None: one per core for networks that one core trains
    best. `ray`: on this cluster, "auto", "HOST:PORT" or "local"; `storage`: a URL for what its nodes share, where they
    see no common disk. Where trials run changes nothing of the run.
    `started`: a time of `time.monotonic()` from which the budget counts. `roles` says what columns are, where a field
    needs to know: text, user, item, rating, time, series, horizon, lookback, pattern, … (see `whet.data.core.Roles`).

    The same call with the same `out` goes on with a run that was killed. Raises UserError for wrong input.
    """
    started = time.monotonic() if started is None else started
    world = joined()
    if world.rank:  # one of several processes that torchrun or Ray Train started: the first one conducts
        return Result.read(RunFolder(follow(world)))
    with leading(world) as lead:
        screen, where, fixed = Screen(show), Where(workers, ray, storage), read_recipe(recipe)
        refuse_counts(steps=steps)
        seed = whole_seed(seed)
        refuse_run(data, holdout)
        say_large(screen, data, holdout)
        wanted = own_space(space)
        source = Source(own_rows(data, holdout, model, loss), target, task, holdout, split, roles)
        ranges = {path: p.describe() for path, p in wanted.items()}
        asked = {"seed": seed, "steps": steps or 0, "space": ranges, "ensemble": ensemble, "loss": factory_name(loss)}
        order, found = ordered(Order, source, model, fixed, budget=parse_seconds(budget), **asked)
        at_once = where.at_once(order, screen) if world.size == 1 else 1
        folder = choose(order, found.name, Path(out) if out is not None else None)
        with opened(folder, order) as journal:
            lead.folder = folder.path
            clock = Clock(order.budget, journal.spent, started)
            conduct(Run(order, folder, journal, clock, screen, found, at_once, fixed, wanted, lead, ray, storage))
        return told(Result.read(folder), show)


def own_space(space: Mapping[str, Any] | Sequence[str] | None) -> dict[str, Parameter]:
    """What the user wants searched. Raises UserError for what makes no sense, before any data is read."""
    wanted = read_space(space or {})
    naming.check_space(wanted)
    return wanted


def own_rows(data: Any, holdout: Any, model: Any, loss: Any) -> Any:
    """The data; loaders of a user's own network as one source."""
    return OwnSource.of(data, holdout, str(factory_name(model)), loss) if is_own(data, model, loss) else data


def told(result: Result, show: bool) -> Result:
    """The result, printed where someone looks on."""
    if show:
        show_result(result.details, result.folder)
    return result


def train(data: Data, folder: Path, *, budget: str | float, steps: int | None = None, seed: int = 0) -> Network:
    """The training steps alone, on all rows of the data: no baselines, no test part, no report."""
    order = Order(data.name, "", None, None, parse_seconds(budget), seed, None, None, steps or 0, None, None)
    with opened(RunFolder(folder), order) as journal:
        run = Run(order, RunFolder(folder), journal, Clock(order.budget), Screen(False), data, 1, None)
        run.parts = {**train_and_val(data, seed), "test": np.empty(0, np.int64)}
        run.task = field_of(data.domain).task(data)
        get_ready(run)
        run.delivery.refits = False  # there is no step after the training that would do it
        for step in (choose_recipes, train_recipes):
            step(run)
        return Network.load(folder)


def conduct(run: Run) -> None:
    """The steps of a run, in order. After a crash the finished ones are read from the journal; a finished run stays."""
    if run.folder.result.exists():
        run.screen.say(f"{run.folder.path} holds this run already, finished: here is its result.")
        return
    try:
        for step in STEPS:
            began = time.monotonic()
            step(run)
            run.took[step.__name__] = time.monotonic() - began
    finally:
        run.screen.end()


# -- the steps -----------------------------------------------------------------------------------------------------


def look(run: Run) -> None:
    """Say what the data is, and split it."""
    data, screen = run.data, run.screen
    if run.journal.spent:
        screen.say(f"Going on with {run.folder.path}: {clock_time(run.journal.spent)} of the budget were spent before.")
        run.say("resumed")
    for sentence in data.said:
        screen.say(sentence)
    own = field_of(data.domain)
    run.parts = own.split(data, run.order.seed)
    run.task = own.task(data)
    refuse_one_class(data, run.parts["train"])
    copies = own.copies(data, run.parts)
    run.findings = [*data.findings, *([copies] if copies else [])]
    run.signs = own.signs(data, run.parts["train"])
    run.profile = profile_of(data, run.parts, run.signs)
    sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in run.parts.items())
    screen.say(f"{data.name}: {run.task.name}; {sizes}; judged by {run.task.metric}.", "bold")
    for finding in run.findings:
        screen.say(f"! {finding}", "yellow")
    if data.problems:
        first = data.problems[0]
        screen.say(
            f"! Skipped {len(data.problems)} that can't be read, the first: {first.where}, {first.why}.", "yellow"
        )


def refuse_one_class(data: Data, train: np.ndarray) -> None:
    """Raises DataError where the training part knows one class only: a split can do that to sound data."""
    if data.goal == "classify" and len(found := np.unique(data.y[train])) < 2:
        only = ", ".join(repr(data.classes[i]) for i in found)
        raise DataError(f"The training part has one class only ({only}).", "Give a split with all classes in it.")


def get_ready(run: Run) -> None:
    """Fit the transforms on the training rows."""
    own = field_of(run.data.domain)
    run.prepared = own.prepare(run.data, run.parts)
    for sentence in run.prepared.said:
        run.screen.say(sentence)
    run.delivery = Delivery(run.folder, run.task, run.prepared, Plan(), own.input_spec(run.data))
    run.delivery.test_rows = len(run.parts["test"])
    run.delivery.asked, run.delivery.closing = own.to_close(run.parts)
    if not run.order.steps:  # with a number of steps the clock decides nothing
        run.delivery.patience = LOOKING * run.order.budget
    run.delivery.voices = KEPT if run.order.ensemble else 1
    run.delivery.refits = not (run.order.steps or run.fixed)
    given = Recipe(Choice("user", factory=run.order.model)) if run.order.model else run.fixed
    for sentence in naming.without_effect(run.fixed) if run.fixed else ():
        run.screen.say(f"! {sentence}", "yellow")
    if given is not None:  # what can't be built is refused now, before anything takes its time
        build(given, run.task, run.prepared, run.order.seed, Plan())


def lay_baselines(run: Run) -> None:
    """Fit simple methods on the training rows; what they say of the test rows waits unread until the end."""
    kept = run.folder.path / "baselines.npz"
    if not (run.journal.last("baselines") and kept.exists()):
        found = fit_baselines(run)
        with files.atomic(kept) as file:
            np.savez(file, **found)  # type: ignore[arg-type]
        run.say("baselines", names=list(found))
    aside.stop()
    with np.load(kept, allow_pickle=False) as known:
        run.baselines = {name: known[name] for name in known.files}


def fit_baselines(run: Run) -> dict[str, np.ndarray]:
    """name -> what a simple method says of the test rows."""
    made: Sequence[Baseline] = field_of(run.data.domain).baselines(
        Wanted(
            data=run.data,
            parts=run.parts,
            prepared=run.prepared,
            task=run.task,
            seconds=baseline_seconds(run.order),
            threads=cores(),
            seed=run.order.seed,
        )
    )
    for found in made:
        if found.predicted is None:
            run.screen.say(f"Baseline {found.name} {found.note}", "dim")
    return {found.name: found.predicted for found in made if found.predicted is not None}


def baseline_seconds(order: Order) -> float:
    """What all baselines together may cost."""
    return UNHURRIED if order.steps else min(BASELINE_SECONDS, BASELINE_SHARE * order.budget)


def test_once(run: Run) -> None:
    """Open the test part: the delivered network and the baselines are measured on it, once. Then the report."""
    run.screen.end()
    took = {**run.took, "all": run.clock.spent}
    outcome = Outcome(
        folder=run.folder,
        order=run.order,
        data=run.data,
        parts=run.parts,
        prepared=run.prepared,
        task=run.task,
        plan=run.plan,
        findings=tuple(run.findings),
        profile=run.profile,
        baselines=run.baselines,
        candidates=tuple(run.candidates),
        winner=run.winner,
        why=run.why,
        fates=run.fates,
        took=took,
        clock=run.clock,
        extra=run.extra,
    )
    conclude(outcome)
    forget(run.folder.path)
    run.say("done")


Step = Callable[[Run], None]
STEPS: tuple[Step, ...] = (
    look,
    get_ready,
    lay_baselines,
    choose_recipes,
    train_recipes,
    pool_trials,
    train_again,
    test_once,
)
