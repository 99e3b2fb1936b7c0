"""The search of a run: a study asks, trials are trained a stretch further, and what is clearly better is delivered.

    study.ask -> train from where the trial stands to its stop -> study.tell (value, seconds, symptoms) -> study.finish

A trial's way is a whole training of its own recipe, in POINTS equal parts. Its schedule ends with the way, not with the
stretch, and every trial's schedule has the same shape: trials are compared at equal progress, and chosen at rest. The
study's journal lies in the run folder: a command that was killed goes on with the same trials from their checkpoints.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from whet import afresh, prior
from whet.data.raw import counted
from whet.errors import OutputError
from whet.fields import field as field_of
from whet.hunt import HURRIED, POINTS, WHOLE, Hunt, Way, chooser, job_for, prepared_in, settle, tidy
from whet.in_time import MARGIN, InTime
from whet.recipe import Recipe, show
from whet.remedies.recipes import recipe_edits
from whet.run import LAST_MOMENT, Run
from whet.runners.job import Job, Outcome, Runner
from whet.runners.pool import Pool
from whet.runners.ray import RayRunner
from whet.runners.trial import findings_in
from whet.search.first import Candidate
from whet.search.policy import usual
from whet.search.recipes import Recipes
from whet.search.space import Parameter
from whet.search.study import Study
from whet.search.trial import Job as Asked
from whet.search.trial import Trial
from whet.search.view import FINISHED
from whet.train.horizon import Horizon
from whet.train.plan import cores

SEARCH_SHARE = 0.5
"""Of the time that a recipe without an end has, what is spent on choosing it; the rest belongs to training it out."""
TRIALS = 8
"""Whole trainings that this time is cut into. Assumed."""
EDITS = 8
"""Hand-made changes of the first recipe that are tried before others. Of what few validation rows choose, more gained nothing
on one of two tables (docs/log.md); a third of the opening is left to the search's own."""
WORTH_PROCESSES = 60.0
"""Seconds of search from which on processes are started unasked: each needs some to begin."""
MOST_PROCESSES = 8
"""That are started unasked: each holds torch in memory."""
SHORTEST = 0.3
"""Of a whole training's time: a shorter one, where the search took longer than it meant to, shows nothing. Assumed."""
HURRIEDLY = (
    "Now changes of the recipe are tried in hurried trainings, which are cheaper; the best is then trained in full."
)
"""What a person reads where trials are cheaper than the first recipe."""
FULL_FROM = 2.0
"""Whole trainings that there must be time for, before one of them is kept for the best of hurried trials."""


def search(run: Run) -> None:
    """Try what lies around the first recipe until the time is up; after a crash, go on with it."""
    known = (run.journal.last("search") or start(run)) if wanted(run) else None
    if known is not None:
        go_through(run, known)
    if run.space and len(run.candidates) == 1:
        run.screen.say("! Nothing of what was to be searched was tried: the first training took the time.", "yellow")


def go_through(run: Run, known: dict[str, Any]) -> None:
    hunt = begun(run, known)
    with contextlib.closing(hunt.study):
        if not run.journal.last("searched"):
            hunted(hunt)
            run.screen.say(outcome_of(hunt))
            run.say("searched", winner=run.winner, why=run.why, fates=run.fates)


def outcome_of(hunt: Hunt) -> str:
    """How many changes were tried, and which is the best."""
    run, tried = hunt.run, [t for t in hunt.study.trials[1:] if t.points]  # the first is the recipe itself
    if not tried:
        return "No change was tried: there was no time for one."
    ended = sum(t.state == FINISHED for t in tried)
    best = "none is clearly better" if run.winner == run.candidates[0].name else f"the best: {run.why}"
    return f"Tried {counted(len(tried), 'change')}, {ended} of them to the end; {best}."


def hunted(hunt: Hunt) -> None:
    with runner_of(hunt.run, hunt.hurried) as runner:
        trials(hunt, runner)
        train_best_whole(hunt)
        trials(hunt, runner)  # what was kept for it may not have been needed
        afresh.measure(hunt, runner)
    afresh.train_last(hunt)
    hunt.kept.clear()
    tidy(hunt)
    for trial in hunt.study.trials:
        name, share = hunt.name(trial.trial), trial.resource / POINTS
        if name not in hunt.run.fates and name != hunt.run.winner:
            hunt.run.fates[name] = trial.error or f"after {share:.0%} of a training not worth more"
    for line in hunt.study.warnings():
        hunt.run.screen.say(line, "dim")


def trials(hunt: Hunt, runner: Runner) -> None:
    """Train what the study asks for until the time is up."""
    while going_on(hunt, runner):
        learn(hunt, runner.next())


def train_best_whole(hunt: Hunt) -> None:
    """Of hurried trials the best is trained in full, and compared with the winner."""
    run, best = hunt.run, hunt.study.best
    hunt.kept.pop("whole", None)
    if not hunt.hurried or best is None or any(line["trial"] == WHOLE for line in run.journal.all("explored")):
        return
    if hunt.left < SHORTEST * run.runner.trial(run.candidates[0].name).training.seconds:
        return
    whole = next((c for c in run.candidates if c.name == WHOLE), None) or in_full(hunt, best)
    end = Horizon(whole.recipe.steps, max(LAST_MOMENT, hunt.left))  # where time is short its schedule ends with it
    run.runner.submit(job_for(run, whole, end, end, hunt.left))
    if not run.runner.next().failure:
        settle(hunt, WHOLE)


def in_full(hunt: Hunt, best: Trial) -> Candidate:
    """The best of the hurried trials as the recipe that it is meant to be; the first one again, from another seed."""
    run = hunt.run
    recipe = field_of(run.data.domain).unhurried(hunt.recipes.recipe(best.params))
    same = recipe == run.candidates[0].recipe
    because = "the first recipe from another seed" if same else f"{hunt.candidate(best.trial).because}, in full"
    found = Candidate(WHOLE, recipe, because, afresh=3 if same else 0)
    run.say("afresh", candidate=found.to_dict())
    return found


def wanted(run: Run) -> bool:
    """Whether a search makes sense: the clock decides, something may be changed, and there is time for several trials."""
    if run.order.steps or (run.fixed and not run.space):
        return False
    return bool(run.candidates[0].recipe.steps or len(run.candidates) > 1 or run.space)


# -- the beginning -------------------------------------------------------------------------------------------------


def begun(run: Run, known: dict[str, Any]) -> Hunt:
    """The search with all that is known of it: how it was begun, and what the journals say."""
    starts = {c["name"]: Candidate.from_dict(c) for c in known["starts"]}
    recipes = Recipes.of({name: c.recipe for name, c in starts.items()}, lambda recipe: ranges(run, recipe))
    hunt = Hunt(run, recipes, Way(known["seconds"]), dict(known["kept"]), known["hurried"])
    hunt.study = Study(
        recipes.space,
        direction="maximize" if chooser(run)[1] else "minimize",
        max_resource=POINTS,
        seed=run.order.seed,
        journal=run.folder.path / "study.jsonl",
        policy=InTime(hunt, usual()),
    )
    for candidate in starts.values():
        hunt.study.enqueue(recipes.params(candidate.recipe), candidate.because)
    for trial in hunt.study.trials[0 if hunt.hurried else 1 :]:
        run.candidates.append(hunt.candidate(trial.trial))
    run.candidates += [Candidate.from_dict(line["candidate"]) for line in run.journal.all("afresh")]
    replay(run)
    hunt.settled = len(run.journal.all("explored"))
    return hunt


def start(run: Run) -> dict[str, Any] | None:
    """What is decided once: how long a trial is, which recipes are tried first, and what time is kept for the end.

    None where nobody knows of a change that is worth a try: not every field can tell a better network from a luckier one.
    """
    first = run.candidates[0]
    if first.recipe.steps:
        cheap = Candidate(HURRIED, field_of(run.data.domain).hurried(first.recipe), f"{first.because}, hurried")
        hurried = cheap.recipe != first.recipe
        starts = around(run, cheap if hurried else first)
        seconds, kept = 0.0, for_the_end(run, hurried)
    else:
        hurried, starts, kept = False, run.candidates, {"out": run.time_to_train * (1 - SEARCH_SHARE)}
        seconds = (run.time_to_train - kept["out"]) / TRIALS
    if run.space:
        starts = starts[:1]  # the user said what is changed, and in nothing else
    elif len(starts) < 2:
        return None
    said = {"starts": [c.to_dict() for c in starts], "seconds": seconds, "kept": kept, "hurried": hurried}
    run.say("search", **said)
    run.screen.say(HURRIEDLY if hurried else "Now changes of the recipe are tried.")
    return said


def for_the_end(run: Run, hurried: bool) -> dict[str, float]:
    """Seconds that are kept for what comes after the trials."""
    whole, seconds = run.runner.trial(run.candidates[0].name).training.seconds, run.time_to_train
    kept = {"whole": MARGIN * whole} if hurried and seconds >= FULL_FROM * whole else {}
    return {**kept, "afresh": afresh.reserve(seconds, whole)}


def around(run: Run, first: Candidate) -> list[Candidate]:
    """A recipe and hand-made changes of it, the most promising first."""
    training = run.runner.trial(run.candidates[0].name).training
    share = training.best.step / max(1, training.step) if training.best else 1.0
    hints = prior.hints(run.signs, run.data.domain, run.data.goal, len(run.parts["train"]))
    found = field_of(run.data.domain).neighbours(
        first.recipe, run.order.seed, share, prior.candidates(first.recipe, hints)
    )
    return [first, *itertools.islice(found, EDITS)]


def ranges(run: Run, recipe: Recipe) -> dict[str, Parameter]:
    """What is searched around a recipe: what the user said, else what its field says."""
    if run.space:
        return dict(run.space)
    hints = prior.hints(run.signs, run.data.domain, run.data.goal, len(run.parts["train"]))
    return field_of(run.data.domain).space(recipe, [str(h.activation) for h in hints])


def replay(run: Run) -> None:
    """Winner and fates as they were before a restart."""
    for line in run.journal:
        if line["event"] in ("explored", "measured-again", "searched"):
            run.winner, run.why, run.fates = line["winner"], line["why"], line["fates"]


@contextlib.contextmanager
def runner_of(run: Run, hurried: bool) -> Iterator[Runner]:
    """Where trials run: in this process one after the other, or side by side elsewhere."""
    workers = at_once(run, hurried)
    if workers == 1 and not run.cluster:
        yield run.runner
        return
    run.prepared.save(prepared_in(run))
    try:
        with side_by_side(run, workers) as runner:
            yield runner
    finally:
        shutil.rmtree(prepared_in(run), ignore_errors=True)


def at_once(run: Run, hurried: bool) -> int:
    """Trials side by side: what was asked for, or one per core for small networks and where one thread is the fastest."""
    if run.workers:
        return run.workers
    small = run.plan.threads == 1 or hurried
    return min(cores(), MOST_PROCESSES) if small and run.time_to_train >= WORTH_PROCESSES else 1


def side_by_side(run: Run, workers: int) -> Pool | RayRunner:
    """Processes that share this machine's cores, or a cluster."""
    if run.cluster is None:
        return Pool(workers, cores() // workers)
    return RayRunner(run.cluster, run.plan.threads, run.folder.path, run.storage)


# -- a trial's way -------------------------------------------------------------------------------------------------


def going_on(hunt: Hunt, runner: Runner) -> bool:
    """Hand out jobs while there is room and time; whether any of them is under way."""
    while runner.pending < runner.slots and hunt.left > LAST_MOMENT and (asked := hunt.study.ask()):
        runner.submit(job_of(hunt, asked))
    return runner.pending > 0


def job_of(hunt: Hunt, asked: Asked) -> Job:
    """What was asked, as a job for a runner."""
    candidate = hunt.candidate(asked.trial)
    hunt.out[candidate.name] = asked
    stop, end = hunt.way.part(candidate.recipe, asked.stop), hunt.way.end(candidate.recipe)
    return job_for(hunt.run, candidate, stop, end, hunt.left)


def learn(hunt: Hunt, outcome: Outcome) -> None:
    """Tell the study what came out; a trial that is done is compared with the winner."""
    if outcome.failure and outcome.failure.kind == "disk":
        raise OutputError(outcome.failure.text)
    asked, study = hunt.out.pop(outcome.name), hunt.study
    told = list(points(hunt, asked, outcome))
    for point, value, seconds in told:
        study.tell(asked.trial, point, value, seconds, outcome.symptoms)
    if told or outcome.failure:
        study.finish(asked.trial, failed=outcome.failure.text if outcome.failure else None)
    else:
        study.put_back(asked.trial)  # the time was up before the first point
    if study.trials[asked.trial].state == FINISHED:
        settle(hunt, outcome.name)
    try_remedy(hunt, asked, outcome)
    tidy(hunt)


def points(hunt: Hunt, asked: Asked, outcome: Outcome) -> Iterator[tuple[int, float, float]]:
    """(point, best value until then, seconds since the point before), for the points that the job was to reach."""
    metric, more = chooser(hunt.run)
    crossed = crossings(outcome, metric, max if more else min)
    before = 0.0
    for point, (value, seconds) in crossed.items():
        if asked.start < point:
            yield point, value, max(0.0, seconds - before)  # a training that diverged went back, and its clock too
        before = seconds


def crossings(outcome: Outcome, metric: str, better: Callable[..., float]) -> dict[int, tuple[float, float]]:
    """point -> (best value so far, seconds so far) at the first validation there. One that stopped early is at the end, which
    has the value of the weights that are kept."""
    found: dict[int, tuple[float, float]] = {}
    best = math.nan
    for step in outcome.points:
        value = step.metrics.get(metric)
        if value is not None and math.isfinite(value):
            best = value if math.isnan(best) else better(best, value)
        ended = outcome.over and step is outcome.points[-1]
        at = POINTS if ended else math.floor(step.progress * POINTS + 1e-9)
        for point in range(max(found, default=0) + 1, at + 1):
            found[point] = outcome.kept.get(metric, best) if ended else best, step.seconds
    return found


# -- what comes out ------------------------------------------------------------------------------------------------


def try_remedy(hunt: Hunt, asked: Asked, outcome: Outcome) -> None:
    """What the doctor would change in the first recipe, or in one that failed, is tried before other proposals."""
    if asked.trial and not outcome.failure:
        return
    recipe = hunt.recipes.recipe(asked.params)
    edits = recipe_edits(findings_in(hunt.run.folder.trial(outcome.name)), recipe)
    edit = next((e for e in edits if hunt.recipes.reaches(recipe.apply(e))), None)
    if edit is not None:
        why = f"{edit.path} {show(edit.new)}: {edit.because}"
        hunt.study.enqueue(hunt.recipes.params(recipe.apply(edit)), why)
