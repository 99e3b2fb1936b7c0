"""The doctor beside whet's own trainings: each trial is watched, and what is found stands beside its record."""

from __future__ import annotations

import dataclasses

from whet.diagnosis import curves
from whet.diagnosis.evidence import DataFacts, Evidence
from whet.diagnosis.examine import non_linearities
from whet.diagnosis.first_steps import settings
from whet.diagnosis.losses import Losses
from whet.diagnosis.rules import judge
from whet.diagnosis.sampler import EARLY, SHARE, Sampler
from whet.diagnosis.watch import evidence_of
from whet.record import Finding, Record
from whet.train.loop import Training

CERTAIN, LIKELY = 0.9, 0.5
"""Confidence that a finding needs to be a note on a training that goes well, and one that does not."""
BLOWN_UP = 1.5
"""A training loss that ends this many times above its first one has been thrown out of its course."""
NOT_HERE = ("HNE",)
"""How long a trial lasts is decided by the time that it is given; `curves.unfinished` says where more of it would help."""


class TrialWatch:
    """Listens to one training (see `train.events`). It changes nothing about it, to the bit.

    After a resume it starts anew: what it reads is not part of a training's state.
    """

    def __init__(self, batch_size: int, share: float = SHARE) -> None:
        self.batch_size, self.share = batch_size, share
        self.losses = Losses()
        self.steps = 0
        self._sampler: Sampler | None = None
        self._began = 0.0

    def on_batch(self, training: Training) -> None:
        if self._sampler is None:
            early = EARLY if training.step == 0 else ()
            held = {id(p) for group in training.parts.optimizer.param_groups for p in group["params"]}
            self._sampler = Sampler(training.parts.model, held, self.share, early)
            self._began = training.seconds
        if self._sampler.due(self.steps):
            self._sampler.open()

    def on_backward(self, _: Training) -> None:
        if self._sampler is not None:
            self._sampler.gradients()

    def on_step(self, training: Training) -> None:
        self.losses.add(training.loss)
        if self._sampler is not None and self._sampler.is_open:
            self._sampler.look(training.loss, self.steps, training.seconds - self._began)
        self.steps += 1

    def on_end(self, _: Training) -> None:
        if self._sampler is not None:
            self._sampler.close()

    def evidence(self, training: Training) -> Evidence | None:
        """What rules judge by; None before the first step."""
        if self._sampler is None or self._sampler.first is None:
            return None
        rows = training.parts.train.batches_per_epoch * self.batch_size
        data = DataFacts(rows=rows, val_rows=0, numbers=False)
        optimizer = training.parts.optimizer
        found = evidence_of(self._sampler, self.losses, type(optimizer).__name__, settings(optimizer), data)
        return dataclasses.replace(found, batch_size=self.batch_size)

    def findings(self, training: Training, record: Record) -> tuple[Finding, ...]:
        """What is found in the record and in what was read; the graver, the worse the training goes."""
        evidence, known = self.evidence(training), curves.diagnose(record)
        if evidence is None:
            return known
        sick = suffers(evidence, known)
        if sick and self._sampler is not None:  # following the network takes a moment: only where something is amiss
            places, followed = non_linearities(self._sampler.model, self._sampler.inputs)
            evidence = dataclasses.replace(evidence, activations=places, followed=followed)
        return known + told(judge(evidence), sick)


def suffers(e: Evidence, known: tuple[Finding, ...]) -> bool:
    """Whether a training went wrong, by its record and its losses."""
    means = [p.loss for p in e.course.points]
    blown = len(means) > 1 and means[-1] > e.course.first_loss + (BLOWN_UP - 1) * abs(e.course.first_loss)
    return blown or e.course.broke is not None or any(f.severity == "error" for f in known)


def told(found: list[Finding], sick: bool) -> tuple[Finding, ...]:
    """What is worth a reader's time: where all goes well, only what is certain, as a note."""
    least, severity = (LIKELY, "error") if sick else (CERTAIN, "info")
    kept = (f for f in found if f.confidence >= least and f.code not in NOT_HERE)
    return tuple(dataclasses.replace(f, severity=severity) for f in kept)
