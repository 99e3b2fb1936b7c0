"""The contest between recipes: a race, the winner trained out, and what lies near it tried in the time that is left."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from whet import prior
from whet.errors import BudgetError, RecipeError
from whet.fields import field
from whet.recipe import Recipe
from whet.record import Finding
from whet.run import Run
from whet.runners.pool import Job, Pool
from whet.runners.serial import Serial
from whet.runners.trial import Trial, open_trial
from whet.screen import Bar
from whet.search.first import Candidate
from whet.search.race import Advance, Score, clearly_better, race
from whet.train.horizon import Horizon
from whet.train.loop import SHARE_OF_VALIDATION, VALIDATIONS
from whet.train.plan import cores

RACE_SHARE = 0.12
"""Share of the time that the race may cost."""
AGAIN = 1.1
"""Time for another whole training, in units of the first one: they differ a little."""
CRUMB = 0.25
"""Share of a whole training that isn't left over at the end: the training before it takes it too, and ends by the clock."""
LEAST = 0.1
"""Share of a whole training that is worth beginning. Where a table is over-fitted, the best is found that early."""
STEADY = (0.2, 0.5)
"""Between these shares of its steps a training's speed is known, and a table's learning rate has not begun to fall."""
LAST_MOMENT = 0.05
"""Seconds of training that are not worth another slice."""


def hold_race(run: Run) -> None:
    """A short race between the candidates; the winner goes on from where it stands."""
    refuse_short_budget(run)
    run.runner = Serial(lambda name: open_candidate(run, name))
    run.screen.begin(run.clock, "training")
    known = run.journal.last("race")
    if known:
        run.winner, run.why, run.fates = known["winner"], known["why"], known["fates"]
        return
    run.winner, run.why = run.candidates[0].name, run.candidates[0].because
    if len(run.candidates) > 1:
        names = [c.name for c in run.candidates]
        seconds = RACE_SHARE * time_to_train(run)
        with side_by_side(run) as advance:
            verdict = race(names, advance, seconds, run.task.watched.direction == "max")
        run.winner, run.why, run.fates = verdict.winner, verdict.why, verdict.fates
        run.runner.drop(keep=run.winner)
        for name, fate in run.fates.items():
            run.screen.say(f"  {name}: {fate}", "dim")
    run.screen.say(f"Training out {run.winner}: {run.why}.")
    run.say("race", winner=run.winner, why=run.why, fates=run.fates)


def open_candidate(run: Run, name: str) -> Trial:
    """The trial of a candidate in this process, watched by the delivery and the bar."""
    recipe = next(c.recipe for c in run.candidates if c.name == name)
    listeners: list[object] = [Bar(run.screen, run.clock, name, lambda: time_to_train(run))]
    if not run.journal.last("trained"):  # what is explored after that is delivered when it is clearly better
        listeners.append(run.delivery.listener(recipe))
    return open_trial(name, recipe, run.task, run.prepared, run.order.seed, run.plan, run.folder.trial(name), listeners)


@contextlib.contextmanager
def side_by_side(run: Run) -> Iterator[Advance]:
    """How candidates are advanced: one after the other, or in `workers` processes that share the cores."""
    if run.workers == 1:
        yield run.runner.advance
        return
    shared = run.folder.path / "prepared"
    run.prepared.save(shared)

    def advance(names: Sequence[str], seconds: float) -> dict[str, Score]:
        recipes = {c.name: c.recipe for c in run.candidates}
        each = seconds * min(run.workers, len(names))  # side by side, all have the time of one after the other
        until = time.monotonic() + seconds * len(names)  # a process's start costs time too
        seed, plan, folder = run.order.seed, run.plan, run.folder
        jobs = [Job(n, recipes[n], run.task, shared, folder.trial(n), seed, plan, each, until) for n in names]
        return pool.advance(jobs)

    try:
        with Pool(run.workers, max(1, cores() // run.workers)) as pool:
            yield advance
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def refuse_short_budget(run: Run) -> None:
    """Raises BudgetError, with the least budget that would do, when not even a step fits."""
    step = run.plan.milliseconds / 1e3
    need = run.clock.spent + 3 * step + run.delivery.seconds_to_finish(len(run.parts["test"])) + 0.5
    if run.order.budget < need and not run.order.steps and not run.journal.last("resumed"):
        raise BudgetError(
            f"The budget of {run.order.budget:g} s is too short: getting ready took {run.clock.spent:.1f} s and a step "
            f"takes {step:.2g} s.",
            f"Give at least --budget {int(1.5 * need) + 1}s.",  # the next time may be a slower one
        )


def time_to_train(run: Run) -> float:
    """Seconds until training must end so that the test and the report fit into the budget; at least a moment."""
    return max(LAST_MOMENT, run.clock.left - run.delivery.seconds_to_finish(len(run.parts["test"])))


def train_out(run: Run) -> None:
    """Give the winner all the time that is left; its schedule ends when the budget does."""
    trial = run.runner.trial(run.winner)
    if not run.journal.last("trained"):
        train_whole(run, trial)
        run.say("trained", trial=run.winner, step=trial.training.step, seconds=trial.training.seconds)
    if trial.training.best is None:
        raise RecipeError(
            f"The training gave no network that could be measured: {trial.fate or 'its predictions are no numbers.'}",
            "Lower the learning rate, or check the loss and the network.",
        )
    if trial.retries:
        cause = f"It diverged and was begun again with a lower learning rate, {trial.retries} times in all."
        run.findings.append(Finding("retried", cause, where=trial.name))
    if trial.fate:
        advice = "The best weights before that were kept; lower the learning rate."
        run.findings.append(Finding("diverged", trial.fate, where=trial.name, severity="error", advice=advice))
    run.delivery.finish(trial)


def train_whole(run: Run, trial: Trial) -> None:
    """Until the recipe's steps are done or the time is up, in slices.

    Before each slice the end is aimed at anew: how long the test and the report will take is known better and better.
    """
    if run.order.steps:  # a repeatable run: the clock decides nothing
        trial.advance(Horizon(steps=run.order.steps))
        return
    while time_to_train(run) > LAST_MOMENT and not is_done(trial):
        training = trial.training
        left = time_to_train(run)
        if not run.fixed and leaves_a_crumb(trial, left):
            trial.end_by_the_clock()
        part = max(left / VALIDATIONS, training.validation_seconds / SHARE_OF_VALIDATION)
        last = left - part < part / 2  # no crumbs: the last slice takes the rest
        trial.advance(Horizon(trial.recipe.steps, training.seconds + left), left if last else part)
        run.say("advanced", trial=trial.name, step=trial.training.step)  # so that a restart knows what was spent


def leaves_a_crumb(trial: Trial, left: float) -> bool:
    """Whether the trial, at its pace so far, would be done a little before the time is up, too late for another one.

    Asked while the speed is known and the learning rate has not begun to fall.
    """
    training, steps = trial.training, trial.recipe.steps
    if not steps or not STEADY[0] <= training.step / steps < STEADY[1]:
        return False
    whole = training.seconds * steps / training.step
    return 0 < training.seconds + left - whole < CRUMB * whole


def is_done(trial: Trial) -> bool:
    """Whether more time would change nothing: it failed, stopped early, or has done its recipe's steps."""
    steps = trial.recipe.steps
    return bool(trial.fate or trial.training.stopped or (steps and trial.training.step >= steps))


def explore(run: Run) -> None:
    """Where the winner was done before the time is up: trainings of its neighbours until it is.

    One replaces it only if it is clearly better on the validation rows, more clearly the more were tried.
    """
    first = run.runner.trial(run.winner)
    if run.order.steps or run.fixed or not first.recipe.steps:
        return
    best = first.training.best
    share = best.step / max(1, first.training.step) if best else 1.0
    pace = first.training.seconds / max(1, first.training.step)
    least = max(LAST_MOMENT, AGAIN * LEAST * pace * first.recipe.steps)
    tried, begun = replay(run)
    winner = run.runner.trial(run.winner)
    known = {*tried, *(b.name for b in begun)}
    new = (c for c in nearby(run, first.recipe, share) if c.name not in known)
    if begun or time_to_train(run) > least:
        with side_by_side(run) as advance:
            while group := begun or next_group(run, new, pace, least):
                begun = []
                try_out(run, group, advance)
                for candidate in group:
                    tried.append(candidate.name)
                    winner = settle(run, candidate, winner, len(tried))
    run.delivery.finish(winner)


def nearby(run: Run, recipe: Recipe, best_share: float) -> Iterator[Candidate]:
    """What is tried around a recipe, in this order."""
    hints = prior.hints(run.signs, run.data.domain, run.data.goal, len(run.parts["train"]))
    own = field(run.data.domain)
    found: Iterator[Candidate] = own.neighbours(recipe, run.order.seed, best_share, prior.candidates(recipe, hints))
    return found


def replay(run: Run) -> tuple[list[str], list[Candidate]]:
    """What was explored before a restart, with candidates, fates and winner as they were: (tried, begun and not done)."""
    done = run.journal.all("explored")
    for line in done:
        run.candidates.append(Candidate.from_dict(line["candidate"]))
        run.winner, run.why, run.fates = line["winner"], line["why"], line["fates"]
    tried = [line["candidate"]["name"] for line in done]
    begun = [Candidate.from_dict(line["candidate"]) for line in run.journal.all("exploring")]
    return tried, [c for c in {c.name: c for c in begun}.values() if c.name not in tried]


def next_group(run: Run, new: Iterator[Candidate], pace: float, least: float) -> list[Candidate]:
    """A candidate per worker, each with time to train it; empty when no more than the least seconds are left."""
    group: list[Candidate] = []
    left = time_to_train(run)
    while len(group) < run.workers and left > least and (candidate := next(new, None)):
        fitting = fitted(candidate, left, pace)
        group += [fitting] if fitting else []
    return group


def fitted(candidate: Candidate, left: float, pace: float) -> Candidate | None:
    """The candidate, if there is time to train it: whole, or, as the last one, for as long as there is; else None."""
    shares = left / (AGAIN * pace * candidate.recipe.steps)
    if shares >= 1 + CRUMB:
        return candidate
    if shares < LEAST:
        return None
    return Candidate(candidate.name, candidate.recipe.put("steps", 0), f"{candidate.because}, until the time was up")


def try_out(run: Run, group: Sequence[Candidate], advance: Advance) -> None:
    """Note that these are tried, and train them side by side where there are workers."""
    for candidate in group:
        run.candidates.append(candidate)
        run.say("exploring", candidate=candidate.to_dict())
    if run.workers > 1:
        advance([c.name for c in group], time_to_train(run) / len(group))


def settle(run: Run, candidate: Candidate, winner: Trial, tries: int) -> Trial:
    """Train a candidate to its end, and compare what would be delivered: the winner of the two, delivered."""
    trial = run.runner.trial(candidate.name)
    train_whole(run, trial)
    candidate = replace(candidate, recipe=trial.recipe)  # as it was trained: a restart or a retry may have changed it
    run.candidates = [candidate if c.name == candidate.name else c for c in run.candidates]
    new, old = trial.best_score, winner.best_score
    better = clearly_better(new, old, tries)
    if better:
        run.fates[run.winner] = f"{old.value:.5g}, replaced by {candidate.name}"
        run.winner, run.why = candidate.name, f"{candidate.because}: {new.value:.5g}"
    else:
        run.fates[candidate.name] = f"{new.value:.5g}: not clearly better than {run.winner}"
    run.screen.say(f"  {candidate.because}: {new.value:.5g}", "dim")
    run.say("explored", candidate=candidate.to_dict(), winner=run.winner, why=run.why, fates=run.fates)
    run.runner.drop(keep=run.winner)
    if not better:
        trial.forget()
        return winner
    run.delivery.finish(trial)
    return trial
