"""A search under way: its trials as candidates of the run, as jobs for a runner, and beside the winner."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from whet.recipe import Recipe
from whet.run import Run
from whet.runners.job import Job
from whet.runners.trial import Trial
from whet.search.first import Candidate
from whet.search.recipes import Recipes
from whet.search.score import clearly_better, level
from whet.search.study import Study
from whet.search.trial import Job as Asked
from whet.search.view import FINISHED, PAUSED
from whet.train import checkpoint
from whet.train.horizon import Horizon
from whet.train.loop import CHOICE

POINTS = 4
"""Parts of a whole training, after each of which a trial can be paused."""
HURRIED, WHOLE = "hurried", "whole"
"""What the first recipe is called when it is hurried, and the best of the hurried ones when it is trained in full."""
CHEAPER = 0.8
"""Of the winner's training time, what a recipe must take less than, to be called cheaper. Assumed: times vary by a tenth."""
KEPT = 8
"""Trials whose best weights stay on the disk."""


@dataclass(frozen=True)
class Way:
    """A whole training: as many steps as the recipe says, or so many seconds."""

    seconds: float = 0.0

    def end(self, recipe: Recipe) -> Horizon:
        return Horizon(seconds=self.seconds) if self.seconds else Horizon(recipe.steps)

    def part(self, recipe: Recipe, point: float) -> Horizon:
        """Where a trial stands after this point."""
        share = point / POINTS
        return Horizon(seconds=self.seconds * share) if self.seconds else Horizon(math.ceil(recipe.steps * share))


@dataclass
class Hunt:
    """A search under way."""

    run: Run
    recipes: Recipes
    way: Way
    kept: dict[str, float]
    """Seconds of the training time that belong to its end, by what they are for."""
    hurried: bool = False
    """Whether trials are cheaper than the first recipe, and the best of them is to be trained in full at the end."""
    study: Study = field(init=False)
    out: dict[str, Asked] = field(default_factory=dict)
    """What runs just now: the trial's name -> what was asked."""
    settled: int = 0
    """Trials that were compared with the winner."""

    @property
    def left(self) -> float:
        return self.run.time_to_train - sum(self.kept.values())

    def name(self, number: int) -> str:
        if number == 0:
            return HURRIED if self.hurried else self.run.candidates[0].name
        return f"trial-{number}"

    def candidate(self, number: int) -> Candidate:
        """A trial of the study as a recipe with a name and a reason."""
        trial = self.study.trials[number]
        because = trial.because or self.recipes.because(trial.params)
        return Candidate(self.name(number), self.recipes.recipe(trial.params), because)


def job_for(run: Run, candidate: Candidate, stop: Horizon, end: Horizon, seconds: float) -> Job:
    """Train a candidate to its stop, within so many seconds from now."""
    if all(c.name != candidate.name for c in run.candidates):
        run.candidates.append(candidate)
    return Job(
        name=candidate.name,
        recipe=candidate.recipe,
        task=run.task,
        prepared=prepared_in(run),
        folder=run.folder.trial(candidate.name),
        seed=run.order.seed + candidate.afresh,
        plan=run.plan,
        until=time.monotonic() + seconds,
        stop=stop,
        horizon=end,
    )


def chooser(run: Run) -> tuple[str, bool]:
    """The measurement of validation rows that chooses, and whether more of it is better."""
    if run.task.chosen_by_rows:
        return f"val/{CHOICE}", False
    return f"val/{run.task.watched.name}", run.task.watched.direction == "max"


def settle(hunt: Hunt, name: str) -> None:
    """Compare a trial that is done with the winner, by what would be delivered; the better one is delivered."""
    run = hunt.run
    if name == run.winner or any(line["trial"] == name for line in run.journal.all("explored")):
        return
    hunt.settled += 1
    trial, winner = run.runner.trial(name), run.runner.trial(run.winner)
    because = next(c.because for c in run.candidates if c.name == name)
    new, old = trial.best_score, winner.best_score
    better = clearly_better(new, old, hunt.settled)
    cheaper = not better and is_cheaper(hunt, trial, winner) and level(new, old)
    if better or cheaper:
        run.fates[run.winner] = f"{old.value:.5g}, replaced by {name}"
        run.winner, run.why = name, f"{because}: {new.value:.5g}"
        run.delivery.finish(trial)
    else:
        run.fates[name] = f"{new.value:.5g}: not clearly better than {run.winner}"
    outcome = f"{'kept in place of' if better else 'not clearly better than'} {old.value:.5g}"
    outcome += ", but kept, since it is cheaper and no worse" if cheaper else ""
    run.screen.say(f"  validation {run.task.watched.name} {new.value:.5g}: {because} ({outcome})", "dim")
    run.say("explored", trial=name, winner=run.winner, why=run.why, fates=run.fates)


def is_cheaper(hunt: Hunt, trial: Trial, winner: Trial) -> bool:
    """Whether a tie goes to the trial. One that is hurried, or that the clock cut short, is not cheaper by that."""
    if hunt.hurried and trial.name != WHOLE:
        return False
    return trial.whole_seconds < CHEAPER * winner.whole_seconds


def best_two(hunt: Hunt) -> list[str]:
    """The winner, and the best of the others that were trained whole: of two that a hurried one beat, the last."""
    run = hunt.run
    if hunt.hurried:
        names = {c.name for c in run.candidates}
        others = [name for name in (WHOLE, run.candidates[0].name) if name in names and name != run.winner]
        return [run.winner, *others[:1]]
    done = [t for t in hunt.study.trials if t.state == FINISHED and hunt.name(t.trial) != run.winner]
    done.sort(key=lambda t: t.value, reverse=chooser(run)[1])
    return [run.winner, *(hunt.name(t.trial) for t in done[:1])]


def tidy(hunt: Hunt) -> None:
    """Only what may still be needed stays: checkpoints of paused trials and of the best two, and of the best their weights."""
    run, trials = hunt.run, {hunt.name(t.trial): t for t in hunt.study.trials}
    run.runner.drop(keep=run.winner)
    sound = [name for name, t in trials.items() if t.points and not t.error]
    best = sorted(sound, key=lambda name: trials[name].value, reverse=chooser(run)[1])[:KEPT]
    needed = {*best_two(hunt), *hunt.out} if hunt.kept else {run.winner, *hunt.out}
    for name in [c.name for c in run.candidates if c.name not in needed]:
        paused = name in trials and trials[name].state == PAUSED
        for path in checkpoint.checkpoints(run.folder.trial(name))[1 if paused else 0 :]:
            path.unlink(missing_ok=True)
        if name in trials and not paused and name not in best:
            (run.folder.trial(name) / checkpoint.BEST).unlink(missing_ok=True)


def prepared_in(run: Run) -> Path:
    """Where the data waits for other processes."""
    return run.folder.path / "prepared"
