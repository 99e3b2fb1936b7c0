"""The training of a run: the first recipe, the search around it, and the winner trained out."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

from whet import tune
from whet.choosing import measured_again
from whet.errors import BudgetError, RecipeError
from whet.run import LAST_MOMENT, Run
from whet.runners.rescue import treat
from whet.runners.serial import Serial
from whet.runners.trial import Trial, open_trial
from whet.screen import Bar
from whet.train.horizon import Horizon
from whet.train.loop import SHARE_OF_VALIDATION, VALIDATIONS

CRUMB = 0.25
"""Share of a whole training that isn't left over at the end: the training before it takes it too, and ends by the clock."""
LATE = 0.1
"""Share of the budget that is trained for where a busy machine has spent all of it on getting ready."""
STEADY = (0.2, 0.5)
"""Between these shares of its steps a training's speed is known, and a table's learning rate has not begun to fall."""


def train(run: Run) -> None:
    """The first recipe, the search around it, and the winner trained out.

    A recipe with a number of steps is trained whole, and the search takes what time is left. One that takes whatever time
    there is leaves a part of it to a search of short trainings, and the winner goes on from where it stands.
    """
    begin(run)
    if not run.candidates[0].recipe.steps:
        tune.search(run)
        train_out(run)
    else:
        if not run.journal.last("search"):  # else it was done before a restart
            train_out(run)
        tune.search(run)
    deliver(run)


def begin(run: Run) -> None:
    refuse_short_budget(run)
    run.runner = Serial(lambda name: open_candidate(run, name))
    run.screen.begin(run.clock, "training", by_time=not run.order.steps)
    run.winner, run.why = run.candidates[0].name, run.candidates[0].because


def open_candidate(run: Run, name: str) -> Trial:
    """The trial of a candidate in this process, watched by the delivery and the bar."""
    candidate = next(c for c in run.candidates if c.name == name)
    left = None if run.order.steps else lambda: run.time_to_train
    listeners: list[object] = [Bar(run.screen, run.clock, name, left)]
    if not run.journal.last("trained"):  # what is found after that is delivered when it is clearly better
        listeners.append(run.delivery.listener(name))
    seed, folder = run.order.seed + candidate.afresh, run.folder.trial(name)
    return open_trial(name, candidate.recipe, run.task, run.prepared, seed, run.plan, folder, listeners, lead=run.lead)


def refuse_short_budget(run: Run) -> None:
    """Raises BudgetError, with the least budget that would do, when not even a step fits.

    Where the budget would have done, had other programs left the processor to this one, there is a short training all the same:
    what it took to get here would be lost for a reason that nobody could know.
    """
    step = run.plan.milliseconds / 1e3
    rest = 3 * step + run.delivery.seconds_to_finish() + 0.5
    need = run.clock.spent + rest
    if run.order.budget >= need or run.order.steps or run.journal.last("resumed"):
        return
    if run.order.budget >= process_time() + rest:
        run.clock.budget = need + LATE * run.order.budget
        run.screen.say(
            f"! Getting ready took {run.clock.spent:.0f} s, {process_time():.0f} s of them the processor's: others use it too. "
            f"A short training follows, and the command ends {run.clock.budget - run.order.budget:.0f} s late.",
            "yellow",
        )
        return
    raise BudgetError(
        f"The budget of {run.order.budget:g} s is too short: getting ready took {run.clock.spent:.1f} s and a step "
        f"takes {step:.2g} s.",
        f"Give at least --budget {int(1.5 * need) + 1}s.",  # the next time may be a slower one
    )


def train_out(run: Run) -> None:
    """Give the winner all the time that is left; its schedule ends when the budget does."""
    trial = run.runner.trial(run.winner)
    if not run.journal.last("trained"):
        widen(run, trial)
        train_whole(run, trial)
        run.say("trained", trial=run.winner, step=trial.training.step, seconds=trial.training.seconds)
    if trial.training.best is None:
        raise RecipeError(
            f"The training gave no network that could be measured: {trial.fate or 'its predictions are no numbers.'}",
            "Lower the learning rate, or check the loss and the network.",
        )
    run.delivery.finish(trial)


def widen(run: Run, trial: Trial) -> None:
    """Train on with all threads, where these are faster by now than when the plan was measured."""
    plan = measured_again(trial.recipe, run)
    if plan != run.plan:
        run.plan = run.delivery.plan = plan
        trial.plan = trial.training.parts.plan = replace(trial.plan, threads=plan.threads)
        run.screen.say(
            f"The processor is freer by now: {plan.threads} threads, {plan.milliseconds:.3g} ms a step of this recipe."
        )


def deliver(run: Run) -> None:
    """The winner as the run's network, with what befell it."""
    trial = run.runner.trial(run.winner)
    run.findings.extend(trial.findings)
    run.delivery.finish(trial)
    again = run.journal.last("measured-again")
    run.extra["validation_corrected"] = again["corrected"] if again else None


def train_whole(run: Run, trial: Trial) -> None:
    """Until the recipe's steps are done or the time is up, in slices.

    Before each slice the end is aimed at anew: how long the test and the report will take is known better and better.
    """
    if run.order.steps:  # a repeatable run: the clock decides nothing
        trial.advance(Horizon(steps=run.order.steps))
        return
    while run.time_to_train > LAST_MOMENT and not is_done(trial):
        training = trial.training
        left = run.time_to_train
        if not run.fixed and leaves_a_crumb(trial, left):
            trial.end_by_the_clock()
        part = max(left / VALIDATIONS, training.validation_seconds / SHARE_OF_VALIDATION)
        last = left - part < part / 2  # no crumbs: the last slice takes the rest
        trial.advance(Horizon(trial.recipe.steps, training.seconds + left), left if last else part)
        if (
            not run.fixed and run.time_to_train > trial.training.seconds
        ):  # else a change could not show what it is worth
            treat(trial)
        run.say("advanced", trial=trial.name, step=trial.training.step)  # so that a restart knows what was spent


def leaves_a_crumb(trial: Trial, left: float) -> bool:
    """Whether the trial, at its pace so far, would be done a little before the time is up, too late for another one.

    Asked while the speed is known and the learning rate has not begun to fall.
    """
    training, steps = trial.training, trial.recipe.steps
    if not steps or not STEADY[0] <= training.step / steps < STEADY[1]:
        return False
    whole = trial.whole_seconds
    return 0 < training.seconds + left - whole < CRUMB * whole


def is_done(trial: Trial) -> bool:
    """Whether more time would change nothing: it failed, stopped early, or has done its recipe's steps."""
    steps = trial.recipe.steps
    return bool(trial.fate or trial.training.stopped or (steps and trial.training.step >= steps))
