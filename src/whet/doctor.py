"""The doctor: a set-up is trained as it stands, looked at, and judged; `repairing` mends it.

>>> import torch, whet                                                        # doctest: +SKIP
>>> setup = whet.Setup(make_model, loss, optimizer, train=(X, y), val=(Xv, yv), metric="accuracy")  # doctest: +SKIP
>>> print(whet.diagnose(setup))                                               # doctest: +SKIP
>>> repaired = whet.repair(setup)                                             # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from whet.diagnosis import rates, readings
from whet.diagnosis.behind import behind, least, mild
from whet.diagnosis.evidence import UNKNOWN, Evidence
from whet.diagnosis.examine import Examined, before, examine
from whet.diagnosis.first_steps import probe_batch
from whet.diagnosis.readings import Reading
from whet.diagnosis.rules import judge
from whet.diagnosis.rules.measures import planned, step_of
from whet.diagnosis.verdict import CERTAIN, Harm, harm, is_unsuspected
from whet.diagnosis.watch import Watch
from whet.errors import UserError
from whet.record import Finding
from whet.remedies import REMEDIES, Need, alternatives
from whet.setups import Course, Setup, train

SURE = 0.85
"""Confidence of a finding from which a training that doesn't move is not watched to its end."""
GLANCE = 0.3
"""Share of a training after which that is asked."""
WATCHED = 0.8
"""Confidence that a finding in a loop of the user's own needs to be an alarm: nothing there is measured on other rows."""
LIKELY = 0.7
"""Confidence of a finding from which a training that is hardly behind is held against the same one with it mended."""
AS_LONG = 2
"""Times the epochs of a training that is held against the same one with more of them."""
WORTH = 0.5
"""Confidence from which a finding is taken for a cause."""


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a training, the surest finding first."""

    healthy: bool
    findings: tuple[Finding, ...]
    """Where the training is healthy: notes of what looks odd and does no harm."""
    said: str
    """How it suffers, or that it does not."""
    value: float
    """The metric that the training reached."""
    yardsticks: dict[str, float]
    """What simple methods reach on the same rows."""
    seconds: float
    readings: tuple[Reading, ...] = ()
    """What was measured beside, and no rule judges by."""

    def __str__(self) -> str:
        head = f"Healthy: {self.said}." if self.healthy else f"Not healthy: {self.said}."
        return "\n".join([head, *(_line(f) for f in self.findings), *(f"  {r}" for r in self.readings)])


def _line(f: Finding) -> str:
    code = f" ({f.code}, {f.confidence:.0%} sure)" if f.code else ""
    where = f" [{f.where}]" if f.where else ""
    edits = f" Repair would try {', or '.join(f.remedies)}." if f.remedies else ""
    return f"  {f.name}{where}{code}: {f.cause} {f.advice}{edits}"


def diagnose(setup: Setup, seed: int = 0, *, range_test: bool = False, sharpness: bool = False) -> Diagnosis:
    """Train the set-up as it stands (or less, when it is already sure), and say what is wrong with it.

    `range_test`: also short runs with a rising learning rate; `sharpness`: also the loss's largest curvature at the end.
    Raises UserError, in one line, for parts that don't fit together.
    """
    found = watched(setup, seed)
    seen = [*read(found, seed, sharpness), *([rates.range_test(setup, seed)] if range_test else [])]
    return dataclasses.replace(diagnosed(found), readings=tuple(seen))


def read(found: Examined, seed: int, sharpness: bool) -> Iterator[Reading]:
    """What can be read off the trained network; nothing of one that broke."""
    trained = found.trained
    setup, model, (inputs, y) = trained.setup, trained.model.eval(), probe_batch(trained.setup)
    if trained.course.broke is not None:
        return
    with contextlib.suppress(RuntimeError, ValueError):  # a loss that takes whole batches only
        noise = readings.gradient_noise(model, setup.loss, inputs, y, setup.batch_size)
        yield from [noise] if noise else []
    ranks = readings.feature_ranks(model, inputs)
    yield from [ranks] if ranks else []
    curved = readings.sharpness(model, setup.loss, inputs, y, seed) if sharpness else None
    yield from [curved] if curved else []


def watched(setup: Setup, seed: int) -> Examined:
    """The set-up examined; a training that stands still for a known reason is not watched to its end.

    Where the sign and the outcome don't fit each other, what was found is mended for a comparison, and then a second seed is
    asked, and believed where it says otherwise.
    """
    if not isinstance(setup, Setup):
        raise UserError(
            f"{type(setup).__name__} is no set-up.", "Give whet.Setup(model=..., loss=..., optimizer=..., ...)."
        )
    first = before(setup, seed)
    sure = any(f.confidence >= SURE and f.name in REMEDIES for f in judge(first))
    found = examine(setup, seed, first=first, stop=(lambda course: hopeless(course, setup, first)) if sure else None)
    suffers = harm(found.evidence)
    if suffers.slight or not suffers:
        found = beside_mended(found, seed, LIKELY if suffers.slight else border(found.evidence))
        suffers = harm(found.evidence)
    if not (suffers.slight if suffers else sure):
        return found
    # hardly behind for no certain cause, or well in spite of a grave sign: perhaps that was luck
    again = examine(setup, seed + 1, first=before(setup, seed + 1, known=first))
    one, other = (again, found) if bool(harm(again.evidence)) != bool(suffers) else (found, again)
    return dataclasses.replace(one, beside=(*found.beside, other.trained.course))


def has_room(e: Evidence) -> bool:
    """Whether a training could be far better, for all that is known: simple methods may be bad at these rows."""
    return room(e) > 2 * mild(e)


def room(e: Evidence) -> float:
    """What lacks to a perfect training, by a known metric; 0 by another one."""
    return 1 - e.share(e.value) if e.metric in ("accuracy", "r2", "rmse", "mae") else 0.0


def border(e: Evidence) -> float:
    """Confidence from which what was found in a training that seems well is mended, to see whether it is."""
    if e.metric in UNKNOWN:
        return WORTH if e.yardsticks else math.inf  # nothing else is there to hold it against
    best = behind(e)
    guess, own = e.share(e.yardsticks.get("guess", math.nan)), e.share(e.value)
    lost = own - guess <= least(e, own)  # hardly more than the same answer for all, as simple methods may have too
    doubtful = best is not None and best.gap > least(e, best.best) and not is_unsuspected(e)
    if lost or doubtful:
        return WORTH
    return LIKELY if has_room(e) else CERTAIN if room(e) > mild(e) else math.inf


def beside_mended(found: Examined, seed: int, sure: float = CERTAIN) -> Examined:
    """What is examined with one more yardstick: the same training with its surest finding mended, if it is sure enough."""
    e, setup = found.evidence, found.trained.setup
    mended = with_mended(setup, e, [f for f in judge(e) if f.confidence >= sure])
    if mended is None:
        return found
    with contextlib.suppress(UserError, RuntimeError):  # an edit that this network or these rows can't take
        trained = train(mended, seed, epochs=min(mended.epochs, AS_LONG * setup.epochs))
        known = {**e.yardsticks, "mended": trained.value}
        evidence = dataclasses.replace(e, yardsticks=known)
        return dataclasses.replace(found, evidence=evidence, beside=(*found.beside, trained.course), mended=trained)
    return found


def with_mended(setup: Setup, e: Evidence, grave: list[Finding]) -> Setup | None:
    """The set-up with the first of these findings mended that can be; if that is a scale, with all scales mended."""
    for i, f in enumerate(grave):
        able = alternatives(f, need_of(setup, e, f))
        edited = next((s for s in able if e.metric != "loss" or s.loss is setup.loss), None)
        if edited is None:
            continue
        for other in grave[i + 1 :]:
            if f.code == other.code == "CPP":
                edited = next(alternatives(other, need_of(edited, e, other)), edited)
        return edited
    return None


def hopeless(course: Course, setup: Setup, e: Evidence) -> bool:
    """Whether a training has passed its first third without learning anything."""
    last = course.last
    if last is None or last.epoch < GLANCE * setup.epochs or setup.epochs < 10:
        return False
    guess = e.yardsticks.get("guess")
    still = not (last.loss < 0.9 * course.first_loss)
    return still and (guess is None or not e.higher_is_better or last.train <= guess + 0.05)


def diagnosed(found: Examined) -> Diagnosis:
    """The verdict on what was examined."""
    e = found.evidence
    suffers = harm(e)
    setup = found.trained.setup
    findings = tuple(dataclasses.replace(f, remedies=choices(setup, e, f)) for f in ranked(e, suffers))
    said = suffers.said or f"it reaches {e.metric} {e.value:.4g}" + beside(e)
    return Diagnosis(not suffers, findings, said, e.value, dict(e.yardsticks), found.trained.course.seconds)


def choices(setup: Setup, e: Evidence, finding: Finding) -> tuple[str, ...]:
    """What can be changed about a finding, in the words that `repair` uses, the most promising first."""
    found = (edited.edits[len(setup.edits) :] for edited in alternatives(finding, need_of(setup, e, finding)))
    said = ("; ".join(str(dataclasses.replace(edit, because="")) for edit in edits) for edits in found)
    return tuple(dict.fromkeys(said))


def need_of(setup: Setup, e: Evidence, finding: Finding) -> Need:
    return Need(
        setup=setup,
        finding=finding,
        criterion=e.criterion,
        optimizer=e.optimizer,
        settings=dict(e.settings),
        step=step_of(e),
        steps=max(1, planned(e)),
        epochs=e.epochs,
        outputs=e.start.outputs,
        width=max((x.outputs for x in e.start.layers[:-1]), default=0),
        narrow=min((x.outputs for x in e.start.layers[:-1]), default=0),
        depth=len(e.start.layers[:-1]),
        out_low=e.start.out_low,
        out_high=e.start.out_high,
        classify=e.classify,
        activations=e.activations,
    )


def beside(e: Evidence) -> str:
    known = [f"{name} {value:.3g}" for name, value in e.yardsticks.items() if name not in ("guess", "start")]
    return f", beside {' and '.join(known)}" if known else ""


def ranked(e: Evidence, suffers: Harm) -> tuple[Finding, ...]:
    """The findings as grave as the training suffers: a smell that does no harm is a note."""
    found = judge(e)
    if not suffers:
        return tuple(dataclasses.replace(f, severity="info") for f in found)
    if not found:
        advice = "Try a learning rate ten times lower and ten times higher, and more epochs."
        cause = f"The network learns less than a simple method does, and no rule says why: {suffers.said}."
        found = [Finding("learns too little", cause, severity="error", confidence=0.3, advice=advice, code="HLR")]
    grave = [dataclasses.replace(f, severity="error" if f.confidence >= WORTH else "warning") for f in found]
    return tuple(grave)


class Watching(Watch):
    """A `Watch` with a verdict."""

    @property
    def diagnosis(self) -> Diagnosis:
        """What the steps so far say. Raises UserError where none was seen."""
        return seen(self.evidence, self.spent)


def seen(e: Evidence, seconds: float) -> Diagnosis:
    """The verdict on a training that was watched, where nothing is measured on other rows."""
    suffers = harm(e)
    strong = [f for f in judge(e) if f.confidence >= WATCHED and f.code != "HNE"]  # it may go on for long
    if e.course.broke is None and not strong:
        suffers = Harm()  # a loss that doesn't fall may be meant: two networks against each other
    found = ranked(e, suffers)
    calm = "no harm shows, but look at this" if found else "nothing speaks against them"
    said = suffers.said or f"{e.course.steps} steps were watched, and {calm}"
    return Diagnosis(not suffers, found, said, math.nan, {}, seconds)


def watch(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Any = None) -> Watching:
    """Watch a loop of your own from within a `with` block; nothing about the training changes, to the bit.

    >>> with whet.watch(model, optimizer, loss=loss_fn) as watch:               # doctest: +SKIP
    ...     for x, y in loader:
    ...         ...
    ...         watch.step(loss)
    >>> print(watch.diagnosis)                                                  # doctest: +SKIP

    `loss`: the loss's module or function; of a module the targets are seen too. `watch.step(loss)` tells each step's
    loss. Raises UserError for an optimiser over other parameters.
    """
    return Watching(model, optimizer, loss)
