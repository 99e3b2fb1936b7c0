"""Repair: what was found is mended the way a careful engineer would, as little as will do; every step is proven by training.

A set-up is examined; the surest remedy is tried; the edited training is examined like the first one, and so on within the
budget. What is not needed is taken back, and the rest of the budget trains both versions on fresh seeds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from whet.attempts import GIVEN_UP, Attempt, best_until, is_better, is_content, same_height
from whet.diagnosis.behind import margin
from whet.diagnosis.examine import before, examine
from whet.diagnosis.verdict import harm
from whet.diagnosis.yardsticks import rows_cost
from whet.doctor import Diagnosis, diagnosed, hopeless, watched
from whet.errors import BudgetError, UserError
from whet.plans import Stages, applied, bolder, data_is_at_fault, edits_of, plans, still_open
from whet.repaired import Proof, Repair, Try, left_over, number
from whet.setups import Course, Setup, Trained, train
from whet.setups.work import Purse, batches_of, cost_of, reckoned, whole

ENOUGH_LEFT = 0.3
"""Of a training that the purse must still hold for another attempt."""
WHOLE = 0.9
"""Of an epoch, likewise: it is not cut off in between."""
MOST_SEEDS = 5
"""Of a proof."""


def repair(setup: Setup, seed: int = 0, budget: float = 3.0, *, seconds: float = math.inf) -> Repair:
    """Find out what is wrong with a set-up, mend it with as few edits as will do, and prove it.

    `budget`: multiples of the work of training the set-up, diagnosis included: counted, so that the same seed gives the
    same edits however busy the machine is. `seconds`: by the clock, after which nothing new is begun. A healthy set-up
    comes back unchanged. Raises UserError for parts that don't fit together, BudgetError for a budget below 1.
    """
    if not budget >= 1:
        raise BudgetError(f"budget={budget} does not allow one training.", "Give at least 1, better 3.")
    began = time.perf_counter()
    first = watched(setup, seed)
    origin, diagnosis = Attempt(setup, first, harm(first.evidence)), diagnosed(first)
    if not origin.suffers:
        proof = Proof(first.evidence.metric, (seed,), (origin.value,), (origin.value,))
        said = f"It is healthy: {diagnosis.said}. Nothing was changed."
        return Repair(setup, (), proof, diagnosis, said, diagnosis, seconds=time.perf_counter() - began)
    cost = cost_of(setup, seed)
    purse = Purse(budget, whole(setup, cost, first.trained.course), began + seconds)
    purse.pay(rows_cost(setup) + cost.look + sum(cost.of(course) for course in first.courses))
    return replace(mended(origin, diagnosis, seed, purse), seconds=time.perf_counter() - began)


def mended(origin: Attempt, diagnosis: Diagnosis, seed: int, purse: Purse) -> Repair:
    """What the purse allows to be done about a set-up that is not healthy."""
    best, tries = search(origin, seed, purse)
    best = fewer(origin, best, seed, purse, tries)
    proof = prove(origin, best, seed, purse)
    after, names = diagnosed(best.found), [stage.finding.name for stage in best.stages]
    gone, stays = left_over(diagnosis, after, names, tries, purse.refused)
    said, tried = concluded(origin, best), tuple(str(each) for each in tries)
    own, new = work_of(origin, seed), work_of(best, seed)
    return Repair(
        best.setup, best.setup.edits, proof, diagnosis, said, after, gone, stays, tried, purse.spent / own, new / own
    )


def work_of(attempt: Attempt, seed: int) -> float:
    """Of a whole training of a set-up."""
    return reckoned(attempt.setup, cost_of(attempt.setup, seed), attempt.found.trained.course)


def search(origin: Attempt, seed: int, purse: Purse) -> tuple[Attempt, list[Try]]:
    """The best attempt that the purse allows, and what was tried."""
    best, done = origin, [origin]
    least = max(ENOUGH_LEFT * purse.one, WHOLE * work_of(origin, seed) / origin.setup.epochs)
    most = math.inf  # epochs: of an attempt that the budget cut off
    tries: list[Try] = []
    waiting = list(plans(origin))
    seen: set[tuple[str, ...]] = set()
    while waiting:
        stages = waiting.pop(0)
        candidate = applied(origin.setup, stages)
        key = () if candidate is None else edits_of(candidate)
        if candidate is None or key in seen:
            continue
        if candidate.epochs > most:
            purse.refused = True
            continue
        if tries and not purse.allows(least):
            break
        seen.add(key)
        names = tuple(stage.finding.name for stage in stages)
        try:
            attempt = tried_out(candidate, stages, seed, purse, best, begun(candidate, done))
        except (UserError, RuntimeError) as error:  # an edit that this network or these rows can't take
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            tries.append(Try(names, key, f"can't be done ({why})"))
            continue
        done.append(attempt)
        most = min(most, candidate.epochs) if attempt.cut else most
        tries.append(Try(names, key, number(attempt.value)))
        if is_better(attempt, best):
            best = attempt
            more = [] if is_content(attempt) else [*plans(attempt), *still_open(waiting, attempt)]
            waiting = [*bolder(attempt), *more]
        elif same_height(attempt, best) and not is_content(best):
            waiting = [*waiting, *plans(attempt)]
    return best, tries


def begun(candidate: Setup, done: list[Attempt]) -> Trained | None:
    """A training that is the candidate's own so far: with its very edits, or all of them but more epochs."""
    for attempt in reversed(done):
        mended = attempt.found.mended
        for trained in (attempt.found.trained, *([mended] if mended is not None else [])):
            if trained.running is not None and bar_epochs(trained.setup) == bar_epochs(candidate):
                return trained if trained.setup.epochs <= candidate.epochs else None
    return None


def bar_epochs(setup: Setup) -> tuple[str, ...]:
    return tuple(said for said in edits_of(setup) if not said.startswith("epochs: "))


def tried_out(
    setup: Setup, stages: Stages, seed: int, purse: Purse, best: Attempt, onward: Trained | None = None
) -> Attempt:
    """A set-up trained and examined; for no longer than the purse allows, and not to its end where it is behind the best
    attempt so far. `onward`: a training that it goes on from."""
    first = before(setup, seed, known=best.found.evidence)
    cost = cost_of(setup, seed)
    paid = cost.of(onward.course) if onward is not None else 0.0
    limit = max(0.2 * purse.one, purse.left)
    done = onward.running.epochs if onward is not None and onward.running is not None else 0
    each = cost.step * batches_of(setup, best.found.trained.course)
    able = done + max(1, int((limit - cost.look) / each))  # measurements may lie more than a training apart

    def enough(course: Course) -> bool:
        over = purse.late or cost.look + cost.of(course) - paid > limit
        return over or hopeless(course, setup, first) or is_behind(course, setup, best)

    found = examine(setup, seed, first=first, epochs=min(setup.epochs, able), stop=enough, onward=onward)
    course = found.trained.course
    purse.pay(cost.look + cost.of(course) - paid)
    short = course.broke is None and course.last is not None and course.last.epoch < setup.epochs
    cut = short and not (hopeless(course, setup, first) or is_behind(course, setup, best))
    return Attempt(setup, found, harm(found.evidence), stages, cut=cut)


def is_behind(course: Course, setup: Setup, best: Attempt) -> bool:
    """Whether it has reached clearly less than the best attempt had after as many epochs."""
    e, last = best.found.evidence, course.last
    if last is None or last.epoch < GIVEN_UP * setup.epochs:
        return False
    sign, other = 1 if e.higher_is_better else -1, best_until(best, last.epoch)
    own = [sign * p.val for p in course.points if math.isfinite(p.val)]
    return math.isfinite(other) and bool(own) and sign * other - max(own) > margin(e, other)


def fewer(origin: Attempt, best: Attempt, seed: int, purse: Purse, tries: list[Try]) -> Attempt:
    """Each of several remedies is left out once, as far as the purse allows, to see whether it is needed."""
    for stage in best.stages:
        left = tuple(s for s in best.stages if s is not stage)
        candidate = applied(origin.setup, left) if left and len(best.stages) > 1 else None
        if candidate is None or len(candidate.edits) >= len(best.setup.edits) or purse.left < purse.one or purse.late:
            continue
        attempt = tried_out(candidate, left, seed, purse, origin)
        tries.append(Try(tuple(s.finding.name for s in left), edits_of(candidate), f"alone {number(attempt.value)}"))
        if not attempt.suffers and not is_better(best, attempt):
            best = attempt
    return best


def prove(origin: Attempt, best: Attempt, seed: int, purse: Purse) -> Proof:
    """Both set-ups on fresh seeds, as many as the purse allows, beside the seed that they were chosen on. What was given trains
    to its end, or until it is as hopeless as it was there; what was made of it for as many epochs as there."""
    seeds, old, mended = [seed], [origin.value], [best.value]
    costs = [cost_of(a.setup, seed) for a in (origin, best)]
    own, new = (cost.of(a.found.trained.course) for cost, a in zip(costs, (origin, best), strict=True))
    if origin.found.trained.course.broke is not None:  # it need not break on another seed
        own = work_of(origin, seed)
    price = purse.one * (own + new) / work_of(origin, seed)
    while best is not origin and len(seeds) < MOST_SEEDS and purse.left >= price and not purse.late:
        fresh = seed + len(seeds)
        pair = train(origin.setup, fresh, stop=given_up(origin)), train(best.setup, fresh, epochs=length_of(best))
        purse.pay(sum(cost.of(each.course) for cost, each in zip(costs, pair, strict=True)))
        old.append(pair[0].value)
        mended.append(pair[1].value)
        seeds.append(fresh)
    return Proof(origin.found.evidence.metric, tuple(seeds), tuple(old), tuple(mended))


def given_up(origin: Attempt) -> Callable[[Course], bool] | None:
    """When to end a training of the set-up that was given: never where the first one went to its end, or broke."""
    course, e = origin.found.trained.course, origin.found.evidence
    if course.broke is not None or course.last is None or course.last.epoch >= origin.setup.epochs:
        return None
    return lambda course: hopeless(course, origin.setup, e)


def length_of(best: Attempt) -> int | None:
    """Epochs that its training went on for."""
    last = best.found.trained.course.last
    return last.epoch if last is not None and best.found.trained.course.broke is None else None


def concluded(origin: Attempt, best: Attempt) -> str:
    e = origin.found.evidence
    if best is origin:
        return f"It is not healthy ({origin.suffers.said}), and nothing that was tried helped: " + (
            "the data has to change." if data_is_at_fault(e) else "no edit of the set-up was better than what is there."
        )
    mended = "It is healthy now" if not best.suffers else "It is better now, but not healthy"
    edits = f"{len(best.setup.edits)} edit{'s' * (len(best.setup.edits) != 1)}"
    return f"{mended}: {e.metric} {number(origin.value)} before, {number(best.value)} after {edits}."
