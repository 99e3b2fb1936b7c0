"""What holds a training back: penalties, dropout, batches that are too small or too large, a mode that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.rules.measures import FEW_STEPS, PULL, STRONG_DROPOUT, planned, step_of
from whet.record import Finding

FEW_FOR_NORM = 4
WOBBLE = 0.2
"""Between two answers to the same rows, in spreads of the answers."""
HARDLY_ANY, OFTEN = 100, 10
"""Steps so few that the batch is why, in a training that goes over its rows so often: else its epochs are."""
SHRINKING = 2e-3
"""Share of its weights that AdamW's decay may take away in a step."""


def evaluation_mode(e: Evidence) -> Iterator[Finding]:
    if e.steps.evaluates and (e.dropout or e.batch_norms):
        yield finding(
            "trained in evaluation mode",
            "MOD",
            "Your training step runs the network after model.eval(): dropout drops nothing, and batch norms keep the "
            "statistics that they began with.",
            0.6,
            "Call model.train() before each epoch, and model.eval() only where you measure.",
        )


def penalised(e: Evidence) -> Iterator[Finding]:
    if e.steps.penalty > PULL:
        yield finding(
            "penalty stronger than the data",
            "RAW",
            f"Your training step adds a gradient {e.steps.penalty:.1f} times as long as the loss's own (from {PULL:g} on "
            "counts): weights are pulled to zero faster than the data can move them.",
            0.75 + 0.2 * min(1.0, e.steps.penalty),
            "Divide the factor of your L1 or L2 penalty by a hundred, or leave the penalty out.",
            ratio=e.steps.penalty,
            border=PULL,
        )
    decay, lr = e.settings.get("weight_decay", 0.0), e.settings.get("lr", 0.0)
    if decay <= 0:
        return
    layers = [x for x in e.start.layers if math.isfinite(x.gradient) and x.gradient > 0]
    if e.optimizer == "AdamW":
        gone, border = lr * decay, SHRINKING
        strong = decay > 1.0 and gone > border
        said = f"shrinks the weights by {gone:.2%} in every step (from {border:.1%} on counts)"
    else:
        gone, border = median([decay * x.weight / x.gradient for x in layers]) if layers else 0.0, PULL
        strong = gone > border
        said = f"pulls the weights {gone:.1f} times as hard as the loss (from {border:g} on counts)"
    if strong:
        yield finding(
            "weight decay too strong",
            "RAW",
            f"weight_decay={decay:g} {said}: what the data teaches is taken away again.",
            0.85,
            f"Set weight_decay={'0.01' if e.optimizer == 'AdamW' else '1e-4'}.",
            weight_decay=decay,
            ratio=gone,
            border=border,
        )


def dropped(e: Evidence) -> Iterator[Finding]:
    worst = max((p for _, p in e.dropout), default=0.0)
    if worst >= STRONG_DROPOUT:
        where = next(path for path, p in e.dropout if p == worst)
        yield finding(
            "dropout too strong",
            "RCD",
            f"Layer {where} drops {worst:.0%} of its input (from {STRONG_DROPOUT:.0%} on counts): what is left is too "
            "little.",
            0.55 + 0.4 * min(1.0, (worst - STRONG_DROPOUT) / 0.3),
            "Use nn.Dropout(0.1) to nn.Dropout(0.3), and none behind narrow layers.",
            where=where,
            share=worst,
            border=STRONG_DROPOUT,
        )


def never_still(e: Evidence) -> Iterator[Finding]:
    """Chance that stays on where the network is only asked."""
    if e.wobble > WOBBLE:
        yield finding(
            "random in evaluation mode",
            "RCD",
            f"After model.eval() the same rows get answers that differ by {e.wobble:.0%} of the answers' spread (from "
            f"{WOBBLE:.0%} on counts): dropout, or noise, that is never switched off.",
            0.72,
            "Write F.dropout(x, 0.2, training=self.training), or use the layer nn.Dropout(0.2), which knows its mode.",
            share=e.wobble,
            border=WOBBLE,
        )


def batch_size(e: Evidence) -> Iterator[Finding]:
    if e.batch_size <= 2 and e.data.rows > 20:
        yield finding(
            "batch too small",
            "HBS",
            f"A step sees {e.batch_size} row(s) (2 or fewer count): it follows the whims of single rows.",
            0.55 + (0.15 if step_of(e) > 0.02 else 0.0),
            "Set batch_size=32.",
            batch_size=e.batch_size,
        )
    steps = planned(e)
    if e.data.rows and e.batch_size >= e.data.rows / 2 and steps < FEW_STEPS and e.data.rows > 200:
        yield finding(
            "batch too large",
            "HBS",
            f"{e.batch_size} of {e.data.rows} rows in each step leave {steps} steps in the whole training (fewer than "
            f"{FEW_STEPS} count): too few to walk as far as the weights have to.",
            0.92 if steps < HARDLY_ANY and e.epochs >= OFTEN else 0.6,
            "Set batch_size=32.",
            batch_size=e.batch_size,
            steps=steps,
        )


def batch_norm(e: Evidence) -> Iterator[Finding]:
    if e.batch_norms and e.batch_size <= FEW_FOR_NORM:
        yield finding(
            "batch norm of few rows",
            "HBS",
            f"Batch norms take mean and spread of {e.batch_size} rows a step ({FEW_FOR_NORM} or fewer count): they are mostly "
            "noise, and differ from the running ones that are used later.",
            0.75,
            "Set batch_size=32, or take nn.LayerNorm or nn.GroupNorm, which look at each row alone.",
            batch_size=e.batch_size,
            border=FEW_FOR_NORM,
        )


RULES = (evaluation_mode, penalised, dropped, never_still, batch_size, batch_norm)
