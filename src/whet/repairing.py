"""Repair: what was found is mended the way a careful engineer would, as little as will do; every step is proven by training.

A set-up is examined; the surest remedy is tried; the edited training is examined like the first one, and so on within the
budget. What is not needed is taken back, and the rest of the budget trains both versions on fresh seeds.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from whet.diagnosis.evidence import Evidence
from whet.diagnosis.examine import Examined, before, examine
from whet.diagnosis.rules import judge
from whet.diagnosis.verdict import Harm, harm, margin
from whet.doctor import WORTH, Diagnosis, diagnosed, hopeless, need_of, watched
from whet.errors import BudgetError, UserError
from whet.recipe import Edit
from whet.record import Finding
from whet.remedies import REMEDIES, remedy
from whet.setups import Course, Setup, Trained, train

LEAST_COST = 1.0
"""Seconds that count as the cost of a training that is over sooner: looking at it costs a part of that."""
CERTAIN, UNSURE = 0.8, 0.25
"""Confidence from which two findings are mended together; one at all."""
ENOUGH_LEFT = 0.3
"""Of a training that the purse must still hold for another attempt."""


@dataclass(frozen=True)
class Proof:
    """The repaired set-up beside the original one, seed by seed."""

    metric: str
    seeds: tuple[int, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Mean paired difference; a training that broke counts as the worst of both."""
        pairs = [(a, b) for a, b in zip(self.before, self.after, strict=True) if math.isfinite(a) and math.isfinite(b)]
        return statistics.fmean(b - a for a, b in pairs) if pairs else math.nan

    def __str__(self) -> str:
        rows = ", ".join(f"{_number(a)} -> {_number(b)}" for a, b in zip(self.before, self.after, strict=True))
        return f"{self.metric}, {len(self.seeds)} seed(s): {rows}"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "broke"


@dataclass(frozen=True)
class Repair:
    """A set-up after repair, what was changed, and the evidence that it helped."""

    setup: Setup
    """The repaired set-up; the very one that was given where nothing was changed."""
    edits: tuple[Edit, ...]
    proof: Proof
    diagnosis: Diagnosis
    said: str
    """What was done, in a sentence; or why nothing was."""
    tried: tuple[str, ...] = field(default=())
    """What was tried, with what it reached."""
    seconds: float = 0.0

    def train(self, seed: int = 0) -> Trained:
        """Train the repaired set-up; the result predicts from raw inputs."""
        return train(self.setup, seed)

    def as_code(self) -> str:
        """The edits as Python to be pasted below the original set-up."""
        return code_of(self.setup)

    def __str__(self) -> str:
        return "\n".join([self.said, *(f"  {e}" for e in self.edits), f"  {self.proof}" if self.edits else ""]).rstrip()


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


class Purse:
    """Seconds to spend, in multiples of what one training of the set-up as given costs."""

    def __init__(self, budget: float, one: float) -> None:
        self.began, self.seconds, self.one = time.perf_counter(), budget * one, one

    @property
    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.began)


def repair(setup: Setup, seed: int = 0, budget: float = 3.0) -> Repair:
    """Find out what is wrong with a set-up, mend it with as few edits as will do, and prove it.

    `budget`: multiples of what training the set-up costs, diagnosis included. A healthy set-up comes back unchanged.
    Raises UserError for parts that don't fit together, BudgetError for a budget below 1.
    """
    if not budget >= 1:
        raise BudgetError(f"budget={budget} does not allow one training.", "Give at least 1, better 3.")
    began = time.perf_counter()
    first = watched(setup, seed)
    one = whole_cost(first, setup)
    purse = Purse(budget, one)
    purse.began = began
    origin = Attempt(setup, first, harm(first.evidence))
    diagnosis = diagnosed(first)
    if not origin.suffers:
        proof = Proof(first.evidence.metric, (seed,), (origin.value,), (origin.value,))
        return Repair(setup, (), proof, diagnosis, f"It is healthy: {diagnosis.said}. Nothing was changed.")
    best, tried = search(origin, seed, purse)
    best = fewer(origin, best, seed, purse, tried)
    proof = prove(origin, best, seed, purse)
    return Repair(
        best.setup,
        best.setup.edits,
        proof,
        diagnosis,
        concluded(origin, best),
        tuple(tried),
        time.perf_counter() - began,
    )


def whole_cost(found: Examined, setup: Setup) -> float:
    """Seconds of a whole training, reckoned from the part that was watched."""
    course = found.trained.course
    done = float(course.last.epoch) if course.last else 1.0
    if course.broke is not None:
        batches = max(1, len(setup.parts[0]) // setup.batch_size)
        done = max(course.steps / batches, 1e-3)
    return max(LEAST_COST, course.seconds * setup.epochs / max(done, 1e-3))


def search(origin: Attempt, seed: int, purse: Purse) -> tuple[Attempt, list[str]]:
    """The best attempt that the purse allows, and what was tried."""
    best = origin
    tried: list[str] = []
    waiting = list(plans(origin))
    seen: set[tuple[str, ...]] = set()
    while waiting:
        stages = waiting.pop(0)
        candidate = applied(origin.setup, stages)
        key = () if candidate is None else tuple(f"{e.path}: {e.new}" for e in candidate.edits)
        if candidate is None or key in seen:
            continue
        if tried and purse.left < ENOUGH_LEFT * purse.one:
            break
        seen.add(key)
        try:
            attempt = tried_out(candidate, stages, seed, purse)
        except (UserError, RuntimeError) as error:  # an edit that this network or these rows can't take
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            tried.append(f"{'; '.join(key)}: can't be done ({why})")
            continue
        tried.append(f"{'; '.join(key)}: {_number(attempt.value)}")
        if is_better(attempt, best):
            best = attempt
            if is_content(attempt):
                break
            waiting = [*plans(attempt), *waiting]
        elif same_height(attempt, best):
            waiting = [*waiting, *plans(attempt)]
    return best, tried


def plans(attempt: Attempt) -> Iterator[tuple[Stage, ...]]:
    """What to try on an attempt: the surest findings together where two are certain, then one after the other; then what
    is usual in everything; then what is less sure, and the likely ones' other remedies."""
    e = attempt.found.evidence
    able = [f for f in judge(e) if f.name in REMEDIES]
    likely = [f for f in able if f.confidence >= WORTH]
    certain = [f for f in able if f.confidence >= CERTAIN]
    certain = [f for i, f in enumerate(certain) if f.code not in {g.code for g in certain[:i]}]
    if len(certain) > 1:
        yield (*attempt.stages, *(Stage(f, e) for f in certain[:2]))
    yield from ((*attempt.stages, Stage(f, e)) for f in likely)
    yield (*attempt.stages, *(Stage(f, e) for f in usual(e, able)))
    yield from ((*attempt.stages, Stage(f, e)) for f in able if UNSURE <= f.confidence < WORTH)
    yield from ((*attempt.stages, Stage(f, e, place)) for f in likely for place in range(1, len(REMEDIES[f.name])))


def usual(e: Evidence, able: list[Finding]) -> list[Finding]:
    """What a blind recipe would do, where no finding alone helps: scales, weights, loss, optimiser, enough steps."""
    why = "Nothing that was found helps by itself, so that what is usual is tried."
    names = [f.name for f in able if f.confidence >= WORTH and f.code in ("ACH", "LCH", "RAW", "RCD", "ZGR", "FRZ")]
    if e.data.numbers and (e.data.offset > 1 or not 0.5 < e.data.std < 2):
        names.append("unscaled inputs")
    if not e.classify and not (0.2 < e.data.target_std < 5 and abs(e.data.target_mean) < 3):
        names.append("unscaled targets")
    names += ["vanishing signal", "optimiser too slow"]
    names += ["too few steps"] if e.course.steps < 800 else []
    return [Finding(name, why, confidence=UNSURE) for name in dict.fromkeys(names)]


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


def tried_out(setup: Setup, stages: tuple[Stage, ...], seed: int, purse: Purse) -> Attempt:
    """A set-up trained and examined; for no longer than the purse allows, where it has more epochs than the first one."""
    first = before(setup, seed)
    limit = max(0.2 * purse.one, purse.left)
    began = time.perf_counter()

    def enough(course: Course) -> bool:
        return time.perf_counter() - began > limit or hopeless(course, setup, first)

    found = examine(setup, seed, first=first, stop=enough)
    return Attempt(setup, found, harm(found.evidence), stages)


def is_content(attempt: Attempt) -> bool:
    """Whether an attempt is as good as the best simple method: then nothing more is tried."""
    e = attempt.found.evidence
    if attempt.suffers:
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


def fewer(origin: Attempt, best: Attempt, seed: int, purse: Purse, tried: list[str]) -> Attempt:
    """Each of several remedies is left out once, as far as the purse allows, to see whether it is needed."""
    for stage in best.stages:
        left = tuple(s for s in best.stages if s is not stage)
        candidate = applied(origin.setup, left) if left and len(best.stages) > 1 else None
        if candidate is None or len(candidate.edits) >= len(best.setup.edits) or purse.left < purse.one:
            continue
        attempt = tried_out(candidate, left, seed, purse)
        tried.append(f"{'; '.join(f'{e.path}: {e.new}' for e in candidate.edits)} alone: {_number(attempt.value)}")
        if not attempt.suffers and not is_better(best, attempt):
            best = attempt
    return best


def prove(origin: Attempt, best: Attempt, seed: int, purse: Purse) -> Proof:
    """Both set-ups on fresh seeds, as many as the purse allows, beside the seed that they were chosen on."""
    seeds, old, new = [seed], [origin.value], [best.value]
    while best is not origin and len(seeds) < 5 and purse.left > 2.0 * purse.one:
        fresh = seed + len(seeds)
        old.append(train(origin.setup, fresh).value)
        new.append(train(best.setup, fresh).value)
        seeds.append(fresh)
    return Proof(origin.found.evidence.metric, tuple(seeds), tuple(old), tuple(new))


def concluded(origin: Attempt, best: Attempt) -> str:
    e = origin.found.evidence
    if best is origin:
        return f"It is not healthy ({origin.suffers.said}), and nothing that was tried helped: " + (
            "the data has to change." if data_is_at_fault(e) else "no edit of the set-up was better than what is there."
        )
    mended = "It is healthy now" if not best.suffers else "It is better now, but not healthy"
    return f"{mended}: {e.metric} {_number(origin.value)} before, {_number(best.value)} after {len(best.setup.edits)} edit(s)."


def data_is_at_fault(e: Evidence) -> bool:
    """Whether the surest finding is about rows that a set-up can't change."""
    found = judge(e)
    return bool(found) and found[0].name in (
        "validation data on another scale",
        "classes without examples",
        "label noise",
        "too few data",
        "values that are no numbers",
    )


def code_of(setup: Setup) -> str:
    """Python that makes the repaired set-up from the one named `setup`."""
    if not setup.edits:
        return "# Nothing to change."
    lines = ["import dataclasses", "import torch, whet", "", *(f"# {e}" for e in setup.edits), ""]
    changes = []
    if setup.operations:
        lines += ["X = setup.parts[0].inputs[0]", "", "", "def make_model():", "    model = original.model()"]
        lines += [f"    {line}" for operation in setup.operations for line in operation.code()]
        lines += ["    return model", "", ""]
        changes.append("model=make_model")
    by_path: dict[str, Any] = {e.path: e.new for e in setup.edits}
    for path in ("epochs", "batch_size"):
        if path in by_path:
            changes.append(f"{path}={by_path[path]!r}")
    if "step" in by_path:
        changes.append("step=None")
    if "optimizer" in by_path:
        changes.append("optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3)")
    for path in ("lr", "weight_decay", "momentum"):
        if path in by_path:
            changes.append(f"optimizer=whet.remedies.need.tuned(original.optimizer, {path}={by_path[path]!r})")
    if "loss" in by_path:
        changes.append(f"loss=whet.remedies.output.{getattr(setup.loss, '__name__', 'cross_entropy')}")
    return "\n".join(["original = setup", *lines, f"setup = dataclasses.replace(original, {', '.join(changes)})"])
