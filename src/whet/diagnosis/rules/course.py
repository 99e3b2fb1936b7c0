"""What the course of the training says: still improving, learned by heart, dead at the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import UNKNOWN, Evidence
from whet.diagnosis.rules.measures import fell, longer, lower_rate
from whet.record import Finding

FEW_ROWS = 20
"""A class, below which nothing can be asked to carry over."""
CARRIED, CHANCE = 0.15, 0.03
"""Above the same answer for all: from where on training rows are learned, and up to where validation rows are not."""
AHEAD, AHEAD_R2, ENOUGH_ROWS = 0.12, 0.3, 60
"""Of validation rows before training rows, and how many of both it takes for that to say something."""
BY_HEART = 0.3
"""Between training and validation rows, from where on what still improves is what it knows by heart."""
AGAINST = 0.1
"""Of accuracy, of R2, or of what another metric says, by which it is clearly worse than the same answer for all."""
TURNED = 0.5
"""Of what a metric of one's own says, by which answers are the wrong way round after the first measurement already."""
HARDLY = 0.2
"""Of what was learned of training rows, by a metric of one's own, from which on it holds for others too."""
FALLING = 0.04
"""Of the training loss that fell at the end of the training: in its last fifth, where it was measured that often."""


def unfinished(e: Evidence) -> Iterator[Finding]:
    losses = [p.loss for p in e.course.points if math.isfinite(p.loss)]
    if len(losses) < 2 or losses[-1] <= 0:
        return
    back = min(len(losses) - 1, max(2, len(losses) // 5))
    before = losses[-back - 1]
    share = 1 - losses[-1] / before if before > 0 else 0.0
    last = e.course.points[-1]
    behind = e.higher_is_better and last.train < 0.98
    if share > FALLING and behind and e.course.broke is None:
        yield finding(
            "still improving",
            "HNE",
            f"The training loss still fell by {share:.0%} in the last {back / len(losses):.0%} of the training (from "
            f"{FALLING:.0%} on counts): the network has not learned yet what it can.",
            (0.35 + 0.3 * min(1.0, share / 0.3)) * (0.5 if last.train - last.val > BY_HEART else 1.0),
            f"Train longer: {longer(e, 3)}. Where the learning rate is low, a higher one gets there sooner.",
            fell=share,
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
    if not e.above(last.train, e.yardsticks.get("guess", -math.inf)):
        return  # it does not even know its own rows
    if gap > 0.15 and e.data.rows >= 20 * max(1, e.data.classes) and e.data.shift < 1:
        yield finding(
            "over-fitting",
            "TRD",
            f"It reaches {e.metric} {last.train:.2f} on training rows and {last.val:.2f} on validation rows (a gap of 0.15 "
            f"counts); the best validation was {best:.2f}. The network has learned its rows by heart, and not what they have "
            "in common with others.",
            0.4,
            "Keep the weights of the epoch with the best validation (early stopping). torch.optim.AdamW(..., "
            "weight_decay=0.05), nn.Dropout(0.2), augmentation and more rows make the gap smaller.",
            gap=gap,
            best=best,
            border=0.15,
        )


def nothing_carries_over(e: Evidence) -> Iterator[Finding]:
    """Training rows that are learned and say nothing of others: their labels are not what others' are."""
    last, guess = e.course.last, e.yardsticks.get("guess", e.yardsticks.get("start"))
    if last is None or guess is None or e.course.broke is not None:
        return
    enough = e.data.rows >= FEW_ROWS * max(1, e.data.classes) and e.data.shift < 1
    known = e.metric in ("accuracy", "r2") and last.train - guess > CARRIED and last.val <= guess + CHANCE
    if enough and (known or hardly_carried(e, guess)):
        yield finding(
            "nothing carries over",
            "TCL",
            f"It reaches {last.train:.2f} on training rows and {last.val:.2f} on validation rows, where the same answer for "
            f"all has {guess:.2f} (up to {CHANCE:g} above that counts, or {HARDLY:.0%} of the way by a metric of your own): "
            "what it learned of the one says nothing of the other.",
            0.55,
            "Check that x[i] and y[i] still belong together after sorting, shuffling and joining, and that both parts were "
            "prepared by the same code.",
            train=last.train,
            guess=guess,
            border=CHANCE,
        )


def hardly_carried(e: Evidence, guess: float) -> bool:
    """Whether, by a metric of one's own, no measurement on validation rows shows what was learned of training rows."""
    last = e.course.last
    if e.metric not in UNKNOWN or last is None or not e.above(last.train, guess):
        return False
    learned, vals = last.train - guess, [p.val for p in e.course.points if math.isfinite(p.val)]
    enough = min(e.data.rows, e.data.val_rows) >= ENOUGH_ROWS and e.course.points[0].epoch < last.epoch
    enough = enough and abs(learned) > AGAINST * max(abs(guess), abs(last.train))
    return enough and fell(e) > FALLING and all((val - guess) / learned < HARDLY for val in vals)


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
            "of the epoch with the best validation.",
            train=best.train,
            val=best.val,
            border=border,
        )


def against_the_metric(e: Evidence) -> Iterator[Finding]:
    """A loss that falls while its own rows are answered ever worse: it asks for something else than the metric does."""
    points = e.course.points
    if len(points) < 2 or e.metric == "loss" or e.course.broke is not None or fell(e) <= FALLING:
        return
    known = {name: e.yardsticks[name] for name in ("guess", "start") if name in e.yardsticks}
    turned = [name for name, value in known.items() if is_turned(e, value, alone=name == "start" and len(known) > 1)]
    if turned:
        first, last, name = points[0], points[-1], turned[0]
        other = {"guess": "the same answer for all", "start": "the network before its training"}[name]
        yield finding(
            "a loss that works against the metric",
            "LCH",
            f"While the training loss fell from {e.course.first_loss:.3g} to {last.loss:.3g}, the metric on the very same rows "
            f"became worse, {first.train:.3g} and then {last.train:.3g}; {other} has {known[name]:.3g}: "
            "what the loss asks for is not what the metric rewards.",
            0.82,
            "Look for a sign that is wrong, an order or a scale that is turned round, or targets that mean something else in "
            "the loss; for right answers the loss has to be smallest.",
            train=last.train,
            guess=known[name],
            border=AGAINST,
        )


def is_turned(e: Evidence, bar: float, alone: bool) -> bool:
    """Whether training rows are answered ever worse, and all rows worse than this all along; `alone`: where the same answer for
    all is no better, far worse."""
    points, last = e.course.points, e.course.points[-1].train
    worse = e.above(points[0].train, last) and all(e.above(bar, v) for p in points for v in (p.train, p.val))
    scale = 1.0 if e.metric in ("accuracy", "r2") else max(abs(bar), abs(last))
    below, dropped = abs(bar - last) / scale if scale else 0.0, abs(points[0].train - last) / scale if scale else 0.0
    far = e.metric in UNKNOWN and below > TURNED
    return worse and below > AGAINST and (far or (dropped > AGAINST and not alone))


RULES = (unfinished, oscillating, dead_at_the_end, by_heart, better_on_others, nothing_carries_over, against_the_metric)
