"""What the course of the training says: still improving, learned by heart, dead at the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.rules.measures import longer, lower_rate
from whet.record import Finding

FEW_ROWS = 20
"""A class, below which nothing can be asked to carry over."""
CARRIED, CHANCE = 0.15, 0.03
"""Above the same answer for all: from where on training rows are learned, and up to where validation rows are not."""
AHEAD, AHEAD_R2, ENOUGH_ROWS = 0.12, 0.3, 60
"""Of validation rows before training rows, and how many of both it takes for that to say something."""
BY_HEART = 0.3
"""Between training and validation rows, from where on what still improves is what it knows by heart."""
FALLING = 0.04
"""Of the training loss that fell at the end of the training: in its last fifth, where it was measured that often."""


def unfinished(e: Evidence) -> Iterator[Finding]:
    losses = [p.loss for p in e.course.points if math.isfinite(p.loss)]
    if len(losses) < 2 or losses[-1] <= 0:
        return
    back = min(len(losses) - 1, max(2, len(losses) // 5))
    before = losses[-back - 1]
    fell = 1 - losses[-1] / before if before > 0 else 0.0
    last = e.course.points[-1]
    behind = e.higher_is_better and last.train < 0.98
    if fell > FALLING and behind and e.course.broke is None:
        yield finding(
            "still improving",
            "HNE",
            f"The training loss still fell by {fell:.0%} in the last {back / len(losses):.0%} of the training (from "
            f"{FALLING:.0%} on counts): the network has not learned yet what it can.",
            (0.35 + 0.3 * min(1.0, fell / 0.3)) * (0.5 if last.train - last.val > BY_HEART else 1.0),
            f"Train longer: {longer(e, 3)}. Where the learning rate is low, a higher one gets there sooner.",
            fell=fell,
            border=FALLING,
        )


def oscillating(e: Evidence) -> Iterator[Finding]:
    """A loss that jumps up and down by far more than it falls, or ends above its start."""
    losses = [p.loss for p in e.course.points if math.isfinite(p.loss)]
    sound = e.data.std < 12 and e.data.offset < 8 and max((x.gain for x in e.start.layers), default=0.0) < 6
    if len(losses) < 4 or not sound:
        return
    above = losses[-1] > 1.5 * max(1e-9, e.course.first_loss)
    ups = [b / a for a, b in itertools.pairwise(losses) if a > 0]
    jumps = sum(u > 1.15 for u in ups)
    often = max(2, len(ups) // 4)
    if above or jumps >= often:
        yield finding(
            "unsteady loss",
            "HLR",
            f"The training loss rose by more than 15 % at {jumps} of {len(ups)} measurements (from {often} on counts)"
            + (
                f", and ended {losses[-1] / max(1e-9, e.course.first_loss):.1f} times as high as it began"
                if above
                else ""
            )
            + ": steps jump over what they aim at.",
            0.62 if above else 0.5,
            f"Lower the learning rate: lr={lower_rate(e)}.",
            jumps=jumps,
            border=1.15,
        )


def dead_at_the_end(e: Evidence) -> Iterator[Finding]:
    """Units that gave up in training: the rate threw them where no gradient comes back."""
    if e.end is None:
        return
    start = {x.path: x for x in e.start.layers}
    for x in e.end.layers[1:]:
        died = x.in_still - start[x.path].in_still if x.path in start else 0.0
        if x.in_still > 0.9 and x.in_zero > 0.9 and died > 0.3:
            yield finding(
                "dying units",
                "HLR",
                f"{x.in_still:.0%} of the units before layer {x.path} answer every example alike at the end (from 90 % on "
                f"counts); at the start {start[x.path].in_still:.0%} did. Long steps pushed them to where a ReLU gives 0 for "
                "everything, and from there nothing brings them back (dying ReLU).",
                0.58,
                f"Lower the learning rate: lr={lower_rate(e)}; nn.LeakyReLU() or nn.GELU() in the place of nn.ReLU() keep a "
                "slope on both sides.",
                where=x.path,
                share=x.in_still,
                border=0.9,
            )
            return


def by_heart(e: Evidence) -> Iterator[Finding]:
    last = e.course.last
    if last is None or not e.higher_is_better or e.course.broke is not None:
        return
    gap = last.train - last.val
    best = max((p.val for p in e.course.points), default=last.val)
    if gap > 0.15 and e.data.rows >= 20 * max(1, e.data.classes) and e.data.shift < 1:
        yield finding(
            "over-fitting",
            "TRD",
            f"It reaches {last.train:.2f} on training rows and {last.val:.2f} on validation rows (a gap of 0.15 counts); the "
            f"best validation was {best:.2f}. The network has learned its rows by heart.",
            0.4,
            "Keep the weights of the best validation. torch.optim.AdamW(..., weight_decay=0.05), nn.Dropout(0.2), augmentation "
            "and more rows make the gap smaller.",
            gap=gap,
            best=best,
            border=0.15,
        )


def nothing_carries_over(e: Evidence) -> Iterator[Finding]:
    """Training rows that are learned and say nothing of others: their labels are not what others' are."""
    last, guess = e.course.last, e.yardsticks.get("guess")
    if last is None or guess is None or e.metric not in ("accuracy", "r2") or e.course.broke is not None:
        return
    enough = e.data.rows >= FEW_ROWS * max(1, e.data.classes) and e.data.shift < 1
    if enough and last.train - guess > CARRIED and last.val <= guess + CHANCE:
        yield finding(
            "nothing carries over",
            "TCL",
            f"It reaches {last.train:.2f} on training rows and {last.val:.2f} on validation rows, where the same answer for "
            f"all has {guess:.2f} (up to {CHANCE:g} above that counts): what it learned of the one says nothing of the other.",
            0.55,
            "Check that x[i] and y[i] still belong together after sorting, shuffling and joining, and that both parts were "
            "prepared by the same code.",
            train=last.train,
            guess=guess,
            border=CHANCE,
        )


def better_on_others(e: Evidence) -> Iterator[Finding]:
    """A network that, before it knew its training rows by heart, answered others better: what it learned is right, and many of
    the training targets are not."""
    border = AHEAD if e.metric == "accuracy" else AHEAD_R2
    ahead = [p for p in e.course.points if p.val - p.train > border]
    rows = min(e.data.rows, e.data.val_rows)
    if len(ahead) < 2 or rows < ENOUGH_ROWS or e.metric not in ("accuracy", "r2") or e.data.shift > 1:
        return
    best = max(ahead, key=lambda p: p.val)
    if best.val - e.yardsticks.get("guess", 0.0) > CARRIED:
        yield finding(
            "label noise",
            "TCL",
            f"After epoch {best.epoch} it reached {best.val:.2f} on validation rows and {best.train:.2f} on the rows that it "
            f"is trained on (ahead by {border:g} at {len(ahead)} measurements; two count): what it has learned holds for "
            "others, and not for many of its own rows, whose targets must be wrong.",
            0.78,
            "Check that x[i] and y[i] still belong together after sorting, shuffling and joining; until then keep the weights "
            "of the best validation.",
            train=best.train,
            val=best.val,
            border=border,
        )


RULES = (unfinished, oscillating, dead_at_the_end, by_heart, better_on_others, nothing_carries_over)
