"""What is wrong with the steps: their length, their number, what is added to them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence
from whet.record import Finding

LONG, TOO_LONG = 0.08, 0.4
"""Of a layer's weights that one step moves: 0.005 is usual at the start."""
TRAVEL = 0.3
"""Weights that moved by less than this share of themselves in a whole training have hardly left their start."""
SHORT = 4e-4
PULL = 0.35
STRONG_DROPOUT = 0.6
SLOW_OPTIMISERS = ("SGD", "Adagrad", "Adadelta", "ASGD")


def step_of(e: Evidence) -> float:
    """The share of their weights that one step moves layers by, the median layer's."""
    free = [x for x in e.start.layers if x.held and not x.frozen]
    known = [x.step for x in free if math.isfinite(x.step) and x.weight > 0]
    return median(known) if known else math.nan


def too_long(e: Evidence) -> Iterator[Finding]:
    step, layers = step_of(e), e.start.layers
    if not math.isfinite(step) or not layers:
        return
    start_is_sound = max(x.gain for x in layers) < 6 and e.data.std < 12 and e.data.offset < 8 and e.start.finite
    broke = e.course.broke is not None
    largest = max((x.step for x in layers if math.isfinite(x.step)), default=0.0)
    if step > LONG or (broke and start_is_sound and largest > 0.02):
        sure = 0.6 + 0.35 * min(1.0, max(0.0, math.log(max(step, LONG) / LONG) / math.log(TOO_LONG / LONG)))
        yield finding(
            "learning rate too high",
            "HLR",
            f"One step moves the weights by {step:.0%} of their size; 0.1 to 1 % is usual"
            + (", and the loss became no number." if broke else "."),
            (sure if step > LONG else 0.8) * (1.0 if start_is_sound else 0.75),
            "Lower the learning rate by ten.",
            step=step,
            border=LONG,
            lr=e.settings.get("lr"),
        )


def too_short(e: Evidence) -> Iterator[Finding]:
    """A training whose weights hardly move: the rate, the optimiser, or too few steps."""
    step = step_of(e)
    travel = step * max(1, e.course.steps)
    layers = [x for x in e.start.layers if math.isfinite(x.gradient)]
    if not math.isfinite(travel) or travel > TRAVEL or not layers or e.course.broke is not None:
        return
    if max(x.gradient / max(x.weight, 1e-12) for x in layers) < 1e-7:
        return  # no gradient: longer steps would not help
    plain = e.optimizer in SLOW_OPTIMISERS
    moved = f"{e.course.steps} steps of {step:.1g} of the weights' size each: they have hardly left their start"
    if step < SHORT and e.course.steps >= 100:
        sure = 0.75 + 0.2 * min(1.0, math.log10(SHORT / max(step, 1e-12)) / 2)
        if max((p for _, p in e.dropout), default=0.0) >= STRONG_DROPOUT or usual_rate(e):
            sure *= 0.7  # what is dropped, or dead, has no gradient: the rate need not be the cause
        if plain:
            yield finding(
                "optimiser too slow",
                "OCH",
                f"{moved}. {e.optimizer} takes steps as short as its gradients.",
                sure,
                "Use Adam, or a far higher learning rate with momentum.",
                step=step,
                steps=e.course.steps,
                border=TRAVEL,
            )
        yield finding(
            "learning rate too low",
            "HLR",
            f"{moved}.",
            sure - (0.08 if plain else 0.0),
            "Raise the learning rate.",
            step=step,
            steps=e.course.steps,
            border=TRAVEL,
            lr=e.settings.get("lr"),
        )
        yield finding("too few steps", "HNE", f"{moved}.", 0.3, "Train longer.", steps=e.course.steps)
    else:
        yield finding(
            "too few steps",
            "HNE",
            f"{moved}.",
            0.9 if e.course.steps < 200 else 0.7,
            f"Train for more epochs: {e.epochs} of {max(1, e.course.steps // max(1, e.epochs))} steps are too few.",
            step=step,
            steps=e.course.steps,
            border=TRAVEL,
        )


def usual_rate(e: Evidence) -> bool:
    """Whether the rate is one that trains other networks: then short steps have another cause."""
    return e.settings.get("lr", 0.0) >= (1e-2 if e.optimizer in SLOW_OPTIMISERS else 1e-4)


def penalised(e: Evidence) -> Iterator[Finding]:
    if e.steps.penalty > PULL:
        yield finding(
            "penalty stronger than the data",
            "RAW",
            f"Your training step adds a gradient {e.steps.penalty:.1f} times as long as the loss's own: weights are "
            "pulled to zero faster than the data can move them.",
            0.75 + 0.2 * min(1.0, e.steps.penalty),
            "Lower the L1 or L2 penalty by a hundred, or leave it out.",
            ratio=e.steps.penalty,
            border=PULL,
        )
    decay, lr = e.settings.get("weight_decay", 0.0), e.settings.get("lr", 0.0)
    if decay <= 0:
        return
    layers = [x for x in e.start.layers if math.isfinite(x.gradient) and x.gradient > 0]
    if e.optimizer == "AdamW":
        gone, said = lr * decay * max(1, e.course.steps), "of the training's"
        strong = decay > 1.0 and lr * decay > 2e-3
    else:
        gone, said = median([decay * x.weight / x.gradient for x in layers]) if layers else 0.0, "of the gradient's"
        strong = gone > PULL
    if strong:
        yield finding(
            "weight decay too strong",
            "RAW",
            f"weight_decay={decay:g} pulls {gone:.1f} times as hard as the loss ({said} measure).",
            0.85,
            "Lower it: 1e-4 is usual, 0.01 to 0.1 with AdamW.",
            weight_decay=decay,
            ratio=gone,
            border=PULL,
        )


def dropped(e: Evidence) -> Iterator[Finding]:
    worst = max((p for _, p in e.dropout), default=0.0)
    if worst >= STRONG_DROPOUT:
        where = next(path for path, p in e.dropout if p == worst)
        yield finding(
            "dropout too strong",
            "RCD",
            f"{where} drops {worst:.0%} of its input: what is left says too little.",
            0.55 + 0.4 * min(1.0, (worst - STRONG_DROPOUT) / 0.3),
            "Use 0.1 to 0.3 for hidden layers.",
            where=where,
            share=worst,
            border=STRONG_DROPOUT,
        )


def piled_up(e: Evidence) -> Iterator[Finding]:
    if e.steps.accumulates:
        yield finding(
            "gradients are not cleared",
            "ZGR",
            "Each step still carries the gradients of all steps before it.",
            0.95,
            "Call optimizer.zero_grad() before the backward pass.",
        )


def batch_size(e: Evidence) -> Iterator[Finding]:
    if e.batch_size <= 2 and e.data.rows > 20:
        yield finding(
            "batch too small",
            "HBS",
            f"{e.batch_size} row(s) a step: each step follows the whims of single rows.",
            0.55 + (0.15 if step_of(e) > 0.02 else 0.0),
            "Use 16 to 128 rows.",
            batch_size=e.batch_size,
        )
    if e.data.rows and e.batch_size >= e.data.rows / 2 and e.course.steps < 300 and e.data.rows > 200:
        yield finding(
            "batch too large",
            "HBS",
            f"{e.batch_size} rows a step leave {e.course.steps} steps in the whole training.",
            0.6,
            "Use 32 to 128 rows.",
            batch_size=e.batch_size,
            steps=e.course.steps,
        )


def wild_memory(e: Evidence) -> Iterator[Finding]:
    beta1, beta2 = e.settings.get("beta1", 0.9), e.settings.get("beta2", 0.999)
    momentum = e.settings.get("momentum", 0.0)
    if momentum > 0.985 or beta1 > 0.985 or (beta2 < 0.7 and "beta2" in e.settings):
        yield finding(
            "wild momentum",
            "OCH",
            f"momentum={momentum or beta1:g}" + (f", beta2={beta2:g}" if beta2 < 0.7 else "") + ": steps overshoot.",
            0.7,
            "Use momentum 0.9, betas (0.9, 0.999).",
            momentum=momentum,
            beta1=beta1,
            beta2=beta2,
        )


RULES = (piled_up, too_long, too_short, penalised, dropped, batch_size, wild_memory)
