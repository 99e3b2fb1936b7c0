"""What to try on a set-up, in order: the remedies of what was found in it."""

from __future__ import annotations

from collections.abc import Iterator

from whet.attempts import Attempt, Stage
from whet.diagnosis.evidence import UNKNOWN, Evidence
from whet.diagnosis.rules import CONSEQUENCES, READ_OFF, judge
from whet.diagnosis.rules.measures import planned
from whet.doctor import WORTH, has_room, need_of
from whet.record import Finding
from whet.remedies import REMEDIES, remedy
from whet.repaired import OF_DATA
from whet.setups import Setup
from whet.setups.lengths import ENOUGH

TOGETHER, UNSURE = 0.8, 0.25
"""Confidence from which two findings are mended together; one at all."""
PLAIN, CERTAIN_ENOUGH = ("ACH", "LCH", "CPP", "FRZ", "ZGR", "MOD", "RAW", "RCD"), 0.7
"""Causes that are read off the set-up, whatever the training does, and the confidence from which that is enough."""
STEPS = ("HLR", "OCH", "HNE")
"""Causes that have a remedy in common: other steps, or more of them."""
RATES, MAY_BE_LONGER = ("lr", "optimizer"), "steps that may be longer"
Stages = tuple[Stage, ...]
AS_USUAL = "Nothing that was found helps by itself, so that what is usual is tried."


def edits_of(setup: Setup) -> tuple[str, ...]:
    return tuple(f"{e.path}: {e.new}" for e in setup.edits)


def plans(attempt: Attempt) -> Iterator[Stages]:
    """What to try on an attempt: the surest findings together where several are certain, then one after the other; then what
    is usual in everything; then what is less sure, and the likely ones' other remedies."""
    e, done = attempt.found.evidence, attempt.stages
    able = [f for f in judge(e) if f.name in REMEDIES and not (f.code == "HNE" and e.course.broke is not None)]
    likely = [f for f in able if f.confidence >= WORTH]
    both = together(able)
    if len(both) > 1:
        yield (*done, *(Stage(f, e) for f in both))
    yield from ((*done, Stage(f, e)) for f in likely)
    lost = attempt.suffers or not done  # what is usual bought nothing behind an edit that had mended what showed
    if lost and not any(stage.usual for stage in done) and (likely or not data_is_at_fault(e)):
        yield (*done, *(Stage(f, e, usual=True) for f in usual_recipe(e, able)))
    yield from ((*done, Stage(f, e)) for f in able if UNSURE <= f.confidence < WORTH)
    yield from ((*done, Stage(f, e, place)) for f in likely for place in range(1, len(REMEDIES[f.name])))


def still_open(waiting: list[Stages], attempt: Attempt) -> list[Stages]:
    """What was planned before an attempt turned out to be the best: bar the usual recipe, where that one suffers no more."""
    return [stages for stages in waiting if attempt.suffers or not any(stage.usual for stage in stages)]


def bolder(attempt: Attempt) -> list[Stages]:
    """Longer steps still, where their length was chosen and something may be lacking, for all that is known."""
    e, done = attempt.found.evidence, attempt.stages
    chosen = any(edit.path in RATES for edit in attempt.setup.edits)
    if any(stage.finding.name == MAY_BE_LONGER for stage in done) or not chosen:
        return []
    if attempt.suffers or not (e.metric in UNKNOWN or has_room(e)):
        return []
    return [(*done, Stage(Finding(MAY_BE_LONGER, "Steps of a usual length need not be the best ones."), e))]


def data_is_at_fault(e: Evidence) -> bool:
    """Whether the surest finding is about rows that a set-up can't change."""
    found = judge(e)
    return bool(found) and found[0].name in (*OF_DATA, "values that are no numbers")


def together(able: list[Finding]) -> list[Finding]:
    """The surest finding of each of two causes, as far as they are certain; how steps go counts as one of them, and each scale
    as one of its own."""
    sure = [f for f in able if f.confidence >= (CERTAIN_ENOUGH if f.code in PLAIN else TOGETHER)]
    if any(f.name in READ_OFF for f in sure[:1]):
        sure = [f for f in sure if f.name not in CONSEQUENCES]
    causes = ["HLR" if f.code in STEPS else f.name if f.code == "CPP" else f.code for f in sure]
    return [f for i, f in enumerate(sure) if causes[i] not in causes[:i]][:2]


def usual_recipe(e: Evidence, able: list[Finding]) -> list[Finding]:
    """What a blind recipe would do, where no finding alone helps: scales, weights, loss, optimiser, enough steps."""
    names = [f.name for f in able if f.confidence >= WORTH and f.code in ("ACH", "LCH", "RAW", "RCD", "ZGR", "FRZ")]
    if e.data.numbers and (e.data.offset > 1 or not 0.5 < e.data.std < 2):
        names.append("unscaled inputs")
    if not e.classify and not (0.2 < e.data.target_std < 5 and abs(e.data.target_mean) < 3):
        names.append("unscaled targets")
    if e.criterion.name == "unknown" and e.metric not in UNKNOWN:  # which may ask for more than the targets
        names.append("a loss that prefers other answers")
    names += ["vanishing signal", "optimiser too slow"]
    names += ["still improving"] if planned(e) < ENOUGH else []
    return [Finding(name, AS_USUAL) for name in dict.fromkeys(names)]


def applied(setup: Setup, stages: Stages) -> Setup | None:
    """The set-up with these remedies; None where one that was found has none, or changes nothing."""
    done = {(e.path, str(e.new)) for e in setup.edits}
    for finding, evidence, place, usual in stages:
        changed = remedy(finding, need_of(setup, evidence, finding), place)
        new = {(e.path, str(e.new)) for e in changed.edits[len(setup.edits) :]} if changed is not None else set()
        back = new & {(e.path, str(e.old)) for e in setup.edits}
        if changed is None or new <= done or back:
            if not usual:
                return None
            continue
        setup, done = changed, done | new
    return setup
