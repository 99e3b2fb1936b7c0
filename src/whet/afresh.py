"""The best two once more, from fresh seeds: whoever was the best of many was lucky too (the winner's curse).

Both seeds together decide between them; what the winner reached with the fresh one, which nothing was chosen by, is the
corrected validation value of result.json. What time is left after that trains the winner's recipe again, for as long as
there is: an ensemble may want it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whet.hunt import Hunt, best_two, job_for, settle
from whet.run import LAST_MOMENT
from whet.runners.job import Runner
from whet.search.first import Candidate
from whet.search.score import Score, clearly_better
from whet.train.horizon import Horizon

FROM = 8.0
"""Whole trainings that the search must have time for before two of them are spent on this."""
MARGIN = 1.1
LEAST = 0.1
"""Share of a whole training that is worth beginning. Where a table is over-fitted, the best is found that early."""


def reserve(seconds: float, whole: float) -> float:
    """Seconds that are kept for it, of so many seconds of search, where a whole training takes so many."""
    return 2 * MARGIN * whole if seconds >= FROM * whole else 0.0


def measure(hunt: Hunt, runner: Runner) -> None:
    """Train the winner and the best of the others again from another seed, and decide between them anew."""
    run, names = hunt.run, best_two(hunt)
    if not hunt.kept.pop("afresh", 0.0) or hunt.way.seconds or len(names) < 2 or run.journal.last("measured-again"):
        return
    for name in names:
        one = next(c for c in run.candidates if c.name == name)
        again = Candidate(f"{name}-again", one.recipe, f"{name} from a fresh seed", afresh=1)
        if all(c.name != again.name for c in run.candidates):
            run.say("afresh", candidate=again.to_dict())
        end = hunt.way.end(again.recipe)
        runner.submit(job_for(run, again, end, end, run.time_to_train))
    outcomes = [runner.next() for _ in names]
    if all(outcome.over and not outcome.failure for outcome in outcomes):
        decide(hunt, names)


def decide(hunt: Hunt, names: Sequence[str]) -> None:
    """Both seeds together say which of the two is the winner."""
    run = hunt.run
    scores = {name: [run.runner.trial(n).best_score for n in (name, f"{name}-again")] for name in names}
    winner, other = names
    fresh = {name: found[1].value for name, found in scores.items()}
    if clearly_better(together(scores[other]), together(scores[winner]), hunt.settled):
        run.fates[winner] = f"{scores[winner][0].value:.5g}, replaced by {other}, the better one from two seeds"
        run.fates.pop(other, None)
        run.winner, run.why = other, f"{scores[other][0].value:.5g}, and {fresh[other]:.5g} from a fresh seed"
        run.delivery.finish(run.runner.trial(other))
    said = ", ".join(f"{name} {value:.5g}" for name, value in fresh.items())
    run.screen.say(f"  from a fresh seed: {said}", "dim")
    run.say("measured-again", winner=run.winner, why=run.why, fates=run.fates, corrected=fresh[run.winner])


def together(scores: Sequence[Score]) -> Score:
    """The mean of several seeds, row by row."""
    rows = [s.rows for s in scores if s.rows is not None]
    return Score(float(np.mean([s.value for s in scores])), np.mean(rows, 0) if len(rows) == len(scores) else None)


def train_last(hunt: Hunt) -> None:
    """The winner's recipe from another seed until the time is up, where there is enough of it to be of use."""
    run = hunt.run
    whole = run.runner.trial(run.winner).training.seconds
    if hunt.way.seconds or not worth_it(run.time_to_train, whole):
        return
    recipe = next(c.recipe for c in run.candidates if c.name == run.winner).put("steps", 0)
    last = Candidate("last", recipe, "the winner's recipe once more, in what time was left", afresh=2)
    if all(c.name != last.name for c in run.candidates):
        run.say("afresh", candidate=last.to_dict())
    end = Horizon(seconds=run.time_to_train)
    run.runner.submit(job_for(run, last, end, end, run.time_to_train))
    if not run.runner.next().failure:
        settle(hunt, last.name)


def worth_it(left: float, whole: float) -> bool:
    """Whether so many seconds are too few for a whole training, and enough to begin one. A search that tried all ends early."""
    return max(LAST_MOMENT, LEAST * whole) < left < MARGIN * whole
