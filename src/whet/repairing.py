"""Repair: what was found is mended the way a careful engineer would, as little as will do; every step is proven by training.

A set-up is examined; the surest remedy is tried; the edited training is examined like the first one, and so on within the
budget. What is not needed is taken back, and the rest of the budget trains both versions on fresh seeds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from whet.diagnosis.behind import margin
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.examine import Examined, before, examine
from whet.diagnosis.rules import judge
from whet.diagnosis.rules.measures import planned
from whet.diagnosis.verdict import Harm, harm
from whet.diagnosis.yardsticks import rows_cost
from whet.doctor import WORTH, Diagnosis, diagnosed, has_room, hopeless, need_of, watched
from whet.errors import BudgetError, UserError
from whet.record import Finding
from whet.remedies import REMEDIES, remedy
from whet.remedies.steps import ENOUGH
from whet.repaired import OF_DATA, Proof, Repair, Try, left_over, number
from whet.setups import Course, Setup, train
from whet.setups.work import Purse, cost_of, whole

TOGETHER, UNSURE = 0.8, 0.25
"""Confidence from which two findings are mended together; one at all."""
AS_USUAL = "Nothing that was found helps by itself, so that what is usual is tried."
ENOUGH_LEFT = 0.3
"""Of a training that the purse must still hold for another attempt."""


class Stage(NamedTuple):
    """A remedy that is applied: of which finding, what it reckons with, and which of the finding's remedies it is."""

    finding: Finding
    evidence: Evidence
    place: int = 0


@dataclass
class Attempt:
    """A set-up on its way to health."""

    setup: Setup
    found: Examined
    suffers: Harm
    stages: tuple[Stage, ...] = ()
    """How it came from the set-up that was given."""

    @property
    def value(self) -> float:
        return self.found.evidence.value


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
    return Repair(best.setup, best.setup.edits, proof, diagnosis, said, after, gone, stays, tried)


def search(origin: Attempt, seed: int, purse: Purse) -> tuple[Attempt, list[Try]]:
    """The best attempt that the purse allows, and what was tried."""
    best = origin
    tries: list[Try] = []
    waiting = list(plans(origin))
    seen: set[tuple[str, ...]] = set()
    while waiting:
        stages = waiting.pop(0)
        candidate = applied(origin.setup, stages)
        key = () if candidate is None else edits_of(candidate)
        if candidate is None or key in seen:
            continue
        if tries and not purse.allows(ENOUGH_LEFT * purse.one):
            break
        seen.add(key)
        names = tuple(stage.finding.name for stage in stages)
        try:
            attempt = tried_out(candidate, origin, stages, seed, purse)
        except (UserError, RuntimeError) as error:  # an edit that this network or these rows can't take
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            tries.append(Try(names, key, f"can't be done ({why})"))
            continue
        tries.append(Try(names, key, number(attempt.value)))
        if is_better(attempt, best):
            best = attempt
            if is_content(attempt):
                break
            waiting = [*plans(attempt), *waiting]
        elif same_height(attempt, best):
            waiting = [*waiting, *plans(attempt)]
    return best, tries


def edits_of(setup: Setup) -> tuple[str, ...]:
    return tuple(f"{e.path}: {e.new}" for e in setup.edits)


def plans(attempt: Attempt) -> Iterator[tuple[Stage, ...]]:
    """What to try on an attempt: the surest findings together where two are certain, then one after the other; then what
    is usual in everything; then what is less sure, and the likely ones' other remedies."""
    e = attempt.found.evidence
    able = [f for f in judge(e) if f.name in REMEDIES and not (f.code == "HNE" and e.course.broke is not None)]
    likely = [f for f in able if f.confidence >= WORTH]
    certain = [f for f in able if f.confidence >= TOGETHER]
    certain = [f for i, f in enumerate(certain) if f.code not in {g.code for g in certain[:i]}]
    if len(certain) > 1:
        yield (*attempt.stages, *(Stage(f, e) for f in certain[:2]))
    yield from ((*attempt.stages, Stage(f, e)) for f in likely)
    if not any(stage.finding.cause == AS_USUAL for stage in attempt.stages):
        yield (*attempt.stages, *(Stage(f, e) for f in usual(e, able)))
    yield from ((*attempt.stages, Stage(f, e)) for f in able if UNSURE <= f.confidence < WORTH)
    yield from ((*attempt.stages, Stage(f, e, place)) for f in likely for place in range(1, len(REMEDIES[f.name])))


def usual(e: Evidence, able: list[Finding]) -> list[Finding]:
    """What a blind recipe would do, where no finding alone helps: scales, weights, loss, optimiser, enough steps."""
    names = [f.name for f in able if f.confidence >= WORTH and f.code in ("ACH", "LCH", "RAW", "RCD", "ZGR", "FRZ")]
    if e.data.numbers and (e.data.offset > 1 or not 0.5 < e.data.std < 2):
        names.append("unscaled inputs")
    if not e.classify and not (0.2 < e.data.target_std < 5 and abs(e.data.target_mean) < 3):
        names.append("unscaled targets")
    names += ["vanishing signal", "optimiser too slow"]
    names += ["too few steps"] if planned(e) < ENOUGH else []
    return [Finding(name, AS_USUAL, confidence=UNSURE) for name in dict.fromkeys(names)]


def applied(setup: Setup, stages: tuple[Stage, ...]) -> Setup | None:
    """The set-up with these remedies; None where one that was found has none, or changes nothing."""
    done = {(e.path, str(e.new)) for e in setup.edits}
    for finding, evidence, place in stages:
        changed = remedy(finding, need_of(setup, evidence, finding), place)
        new = {(e.path, str(e.new)) for e in changed.edits[len(setup.edits) :]} if changed is not None else set()
        if changed is None or new <= done:
            if finding.confidence > UNSURE:
                return None
            continue
        setup, done = changed, done | new
    return setup


def tried_out(setup: Setup, origin: Attempt, stages: tuple[Stage, ...], seed: int, purse: Purse) -> Attempt:
    """A set-up trained and examined; for no longer than the purse allows, where it has more epochs than the first one."""
    first = before(setup, seed, known=origin.found.evidence)
    cost = cost_of(setup, seed)
    limit = max(0.2 * purse.one, purse.left)

    def enough(course: Course) -> bool:
        return purse.late or cost.look + cost.of(course) > limit or hopeless(course, setup, first)

    found = examine(setup, seed, first=first, stop=enough)
    purse.pay(cost.look + cost.of(found.trained.course))
    return Attempt(setup, found, harm(found.evidence), stages)


def is_content(attempt: Attempt) -> bool:
    """Whether an attempt is as good as the best simple method, and good by itself: then nothing more is tried."""
    e = attempt.found.evidence
    if attempt.suffers or has_room(e):
        return False
    known = [v for v in e.yardsticks.values() if math.isfinite(v)]
    if not known:
        return True
    best = max(known) if e.higher_is_better else min(known)
    return (best - e.value) * (1 if e.higher_is_better else -1) <= 0.25 * margin(e, best)


def is_better(new: Attempt, old: Attempt) -> bool:
    """Whether it is better by more than the margin at which a training counts as behind; or at all, where the old one broke or
    owed what it reached to luck."""
    if not math.isfinite(new.value):
        return False
    if not math.isfinite(old.value):
        return True
    e = old.found.evidence
    gain = (new.value - old.value) * (1 if e.higher_is_better else -1)
    if old.suffers.luck and not new.suffers:
        return gain >= 0.0
    return gain > (0.5 * margin(e, new.value) if not new.suffers or old.suffers else 0.0)


def same_height(new: Attempt, old: Attempt) -> bool:
    """Neither better nor worse: one of two faults may be mended, and the other still hide it."""
    if not math.isfinite(new.value):
        return not math.isfinite(old.value)
    return not math.isfinite(old.value) or abs(new.value - old.value) <= margin(old.found.evidence, old.value)


def fewer(origin: Attempt, best: Attempt, seed: int, purse: Purse, tries: list[Try]) -> Attempt:
    """Each of several remedies is left out once, as far as the purse allows, to see whether it is needed."""
    for stage in best.stages:
        left = tuple(s for s in best.stages if s is not stage)
        candidate = applied(origin.setup, left) if left and len(best.stages) > 1 else None
        if candidate is None or len(candidate.edits) >= len(best.setup.edits) or purse.left < purse.one or purse.late:
            continue
        attempt = tried_out(candidate, origin, left, seed, purse)
        tries.append(Try(tuple(s.finding.name for s in left), edits_of(candidate), f"alone {number(attempt.value)}"))
        if not attempt.suffers and not is_better(best, attempt):
            best = attempt
    return best


def prove(origin: Attempt, best: Attempt, seed: int, purse: Purse) -> Proof:
    """Both set-ups on fresh seeds, as many as the purse allows, beside the seed that they were chosen on."""
    seeds, old, new = [seed], [origin.value], [best.value]
    costs = cost_of(origin.setup, seed), cost_of(best.setup, seed)
    while best is not origin and len(seeds) < 5 and purse.left > 2.0 * purse.one and not purse.late:
        fresh = seed + len(seeds)
        pair = train(origin.setup, fresh), train(best.setup, fresh)
        purse.pay(sum(cost.of(trained.course) for cost, trained in zip(costs, pair, strict=True)))
        old.append(pair[0].value)
        new.append(pair[1].value)
        seeds.append(fresh)
    return Proof(origin.found.evidence.metric, tuple(seeds), tuple(old), tuple(new))


def concluded(origin: Attempt, best: Attempt) -> str:
    e = origin.found.evidence
    if best is origin:
        return f"It is not healthy ({origin.suffers.said}), and nothing that was tried helped: " + (
            "the data has to change." if data_is_at_fault(e) else "no edit of the set-up was better than what is there."
        )
    mended = "It is healthy now" if not best.suffers else "It is better now, but not healthy"
    edits = f"{len(best.setup.edits)} edit{'s' * (len(best.setup.edits) != 1)}"
    return f"{mended}: {e.metric} {number(origin.value)} before, {number(best.value)} after {edits}."


def data_is_at_fault(e: Evidence) -> bool:
    """Whether the surest finding is about rows that a set-up can't change."""
    found = judge(e)
    return bool(found) and found[0].name in (*OF_DATA, "values that are no numbers")
