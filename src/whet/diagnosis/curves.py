"""Rules over one trial's record: Record -> Findings, the gravest first.

A rule names its evidence and the threshold it used. The thresholds are conventions, not studied: each asks for a
difference well outside the usual noise of a validation part of some hundred rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from whet.record import Finding, Record

OVERFIT_RISE = 0.10
"""Validation loss this share above its own minimum at the end counts as overfitting."""
UNFINISHED_SHARE = 0.02
"""Validation loss that still fell by this share in the last fifth of the schedule counts as unfinished."""

Rule = Callable[[Record], Iterable[Finding]]


def diagnose(record: Record) -> tuple[Finding, ...]:
    """What the rules find in a record; empty for a healthy one, and for one that is too short to judge."""
    return tuple(finding for rule in RULES for finding in rule(record))


def never_learned(record: Record) -> Iterable[Finding]:
    train, val = ([v for _, v in record.curve(f"{part}/loss") if v is not None] for part in ("train", "val"))
    if min(len(train), len(val)) >= 5 and min(train) > 0.98 * train[0] > 0 and min(val) > 0.98 * val[0] > 0:
        yield Finding(
            "never learned",
            "Neither the training nor the validation loss moved.",
            where=record.trial,
            evidence={"first": train[0], "lowest": min(train), "threshold": 0.98},
            severity="error",
            advice="Raise the learning rate; check that the target belongs to the inputs.",
        )


def overfitting(record: Record) -> Iterable[Finding]:
    curve = [v for _, v in record.curve("val/loss") if v is not None]
    if len(curve) < 5 or min(curve) <= 0:
        return
    rise = curve[-1] / min(curve) - 1
    if rise > OVERFIT_RISE and curve.index(min(curve)) < 0.8 * len(curve):
        yield Finding(
            "overfitting",
            f"The validation loss ended {rise:.0%} above its lowest value while training went on.",
            where=record.trial,
            evidence={"lowest": min(curve), "last": curve[-1], "threshold": OVERFIT_RISE},
            severity="info",
            advice="The weights of the best validation were kept; more data or stronger regularisation would help.",
        )


def unfinished(record: Record) -> Iterable[Finding]:
    """Still getting better when the schedule ended: fewer passes than the network could have used."""
    curve = [v for _, v in record.curve("val/loss") if v is not None]
    epochs = record.steps[-1].epoch if record.steps else 0.0
    if len(curve) < 10 or min(curve) <= 0 or epochs >= 10:
        return
    before, last = curve[-max(2, len(curve) // 5)], curve[-1]
    if before / last - 1 > UNFINISHED_SHARE:
        yield Finding(
            "short of time",
            f"The validation loss was still falling after {epochs:.1f} passes over the data.",
            where=record.trial,
            evidence={"a fifth earlier": before, "last": last, "threshold": UNFINISHED_SHARE},
            severity="info",
            advice="More passes would help: a larger --budget, or more --steps where they are given.",
        )


RULES: tuple[Rule, ...] = (never_learned, overfitting, unfinished)
