"""The contest between recipes: a race, the winner trained out, and what lies near it tried in the time that is left."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator, Sequence

from whet.errors import BudgetError, RecipeError
from whet.record import Finding
from whet.run import Run
from whet.runners.pool import Job, Pool
from whet.runners.serial import Serial
from whet.runners.trial import Trial, open_trial
from whet.screen import Bar
from whet.search.first import Candidate, neighbours
from whet.search.race import Advance, Score, clearly_better, race
from whet.train.horizon import Horizon
from whet.train.loop import SHARE_OF_VALIDATION, VALIDATIONS
from whet.train.plan import cores

RACE_SHARE = 0.12
"""Share of the time that the race may cost."""
AGAIN = 1.1
"""Time for another whole training, in units of the first one: they differ a little."""
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
            verdict = race(names, advance, seconds, run.task.direction == "max")
        run.winner, run.why, run.fates = verdict.winner, verdict.why, verdict.fates
        run.runner.drop(keep=run.winner)
        for name, fate in run.fates.items():
            run.screen.say(f"  {name}: {fate}", "dim")
    run.screen.say(f"Training out {run.winner}: {run.why}.")
    run.say("race", winner=run.winner, why=run.why, fates=run.fates)


def open_candidate(run: Run, name: str) -> Trial:
    """The trial of a candidate in this process, watched by the delivery and the bar."""
    recipe = next(c.recipe for c in run.candidates if c.name == name)
    listeners = [run.delivery.listener(recipe), Bar(run.screen, run.clock, name, lambda: time_to_train(run))]
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
        jobs = [
            Job(n, recipes[n], run.task, shared, run.folder.trial(n), run.order.seed, run.plan, each) for n in names
        ]
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
        part = max(left / VALIDATIONS, training.validation_seconds / SHARE_OF_VALIDATION)
        last = left - part < part / 2  # no crumbs: the last slice takes the rest
        trial.advance(Horizon(trial.recipe.steps, training.seconds + left), left if last else part)
        run.say("advanced", trial=trial.name, step=trial.training.step)  # so that a restart knows what was spent


def is_done(trial: Trial) -> bool:
    """Whether more time would change nothing: it failed, stopped early, or has done its recipe's steps."""
    steps = trial.recipe.steps
    return bool(trial.fate or trial.training.stopped or (steps and trial.training.step >= steps))


def explore(run: Run) -> None:
    """Where the winner was done before the time is up: whole trainings of its neighbours, as many as there is time for.

    One replaces it only if it is clearly better on the validation rows, more clearly the more were tried.
    """
    if run.order.steps or run.fixed or not run.candidates[0].recipe.steps:
        return
    first = run.runner.trial(run.winner)
    best = first.training.best
    share = best.step / max(1, first.training.step) if best else 1.0
    cost, base = first.training.seconds, first.recipe  # of one whole training
    tried = replay(run)
    winner = run.runner.trial(run.winner)
    nearby = (c for c in neighbours(base, run.order.seed, share) if c.name not in tried)
    with side_by_side(run) as advance:
        while time_to_train(run) > AGAIN * cost:
            group = list(itertools.islice(nearby, run.workers))
            if not group:
                break
            group = [c for c in group if time_to_train(run) > AGAIN * cost * max(1.0, c.recipe.steps / base.steps)]
            run.candidates.extend(group)
            if run.workers > 1 and group:
                advance([c.name for c in group], time_to_train(run) / len(group))
            for candidate in group:
                tried.append(candidate.name)
                winner = settle(run, candidate, winner, len(tried))
    run.delivery.finish(winner)


def replay(run: Run) -> list[str]:
    """What was explored before a restart: the names, with candidates, fates and winner as they were."""
    lines = run.journal.all("explored")
    for line in lines:
        run.candidates.append(Candidate.from_dict(line["candidate"]))
        run.winner, run.why, run.fates = line["winner"], line["why"], line["fates"]
    return [line["candidate"]["name"] for line in lines]


def settle(run: Run, candidate: Candidate, winner: Trial, tries: int) -> Trial:
    """Train a candidate to its end, and compare what would be delivered: the winner of the two."""
    trial = run.runner.trial(candidate.name)
    train_whole(run, trial)
    new, old = trial.best_score, winner.best_score
    better = clearly_better(new, old, tries)
    if better:
        run.fates[run.winner] = f"{old.value:.5g}, replaced by {candidate.name}"
        run.winner, run.why = candidate.name, f"{candidate.because}: {new.value:.5g}"
    else:
        run.fates[candidate.name] = f"{new.value:.5g}: not clearly better than {run.winner}"
    run.screen.say(f"  {candidate.because}: {new.value:.5g}", "dim")
    run.say("explored", candidate=candidate.to_dict(), winner=run.winner, why=run.why, fates=run.fates)
    return trial if better else winner
