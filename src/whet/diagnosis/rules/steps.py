"""What is wrong with the steps: their length, their number, what is added to them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.rules.measures import (
    FAR_TARGET,
    FEW_STEPS,
    PULL,
    STRONG_DROPOUT,
    at_usual_length,
    each_taken,
    longer,
    lower_rate,
    planned,
    step_of,
)
from whet.record import Finding

LONG, TOO_LONG = 0.08, 0.4
"""Of a layer's weights that one step moves; `USUAL` of them is usual at the start."""
TRAVEL = 0.3
"""Weights that moved by less than this share of themselves in a whole training have hardly left their start."""
SHORT = 4e-4
FADED = 0.1
"""Of the largest learning rate, the mean one: half of it is usual, and a third with rates that fall fast."""
GREW, STAYED = 10.0, 0.5
"""Times its first rate that a schedule may reach, and the share of that which it had not reached at half time, and kept to its
end."""
LOST = 0.1
"""Of what the loss fell by, what may be lost again."""
UPHILL = -0.5
"""Cosine between a step's gradient and the loss's own."""
SHRUNK = 0.01
"""Of a gradient's length, what a step may leave of it."""
RARELY, HARDLY_ANY = 0.2, 200
"""Steps for each batch, below which gradients are gathered for long; and steps of a whole training."""
SLOW_OPTIMISERS = ("SGD", "Adagrad", "Adadelta", "ASGD")


def too_long(e: Evidence) -> Iterator[Finding]:
    step, layers = step_of(e), e.start.layers
    if not math.isfinite(step) or not layers or grew_too_long(e):
        return
    start_is_sound = max(x.gain for x in layers) < 6 and e.data.std < 12 and e.data.offset < 8 and e.start.finite
    broke = e.course.broke is not None
    largest = max((x.step for x in layers if math.isfinite(x.step)), default=0.0)
    if step > LONG or (broke and start_is_sound and largest > 0.02):
        sure = 0.6 + 0.35 * min(1.0, max(0.0, math.log(max(step, LONG) / LONG) / math.log(TOO_LONG / LONG)))
        other = is_pulled(e, step) or is_of_targets(e, step)
        sure *= 0.6 if fell_well(e) and step < 1 else 0.75 if other else 1.0
        yield finding(
            "learning rate too high",
            "HLR",
            f"One step moves the weights by {step:.0%} of their size (from {LONG:.0%} on counts, 0.1 to 1 % is usual)"
            + (", and the loss became no number (NaN or infinite)." if broke else ": it jumps over what it aims at."),
            (sure if step > LONG else 0.8) * (1.0 if start_is_sound else 0.75),
            f"Lower the learning rate: lr={at_usual_length(e, step)}.",
            step=step,
            border=LONG,
            lr=e.settings.get("lr"),
        )


def exploding(e: Evidence) -> Iterator[Finding]:
    """A sound start and short steps, and a loss that is no number some steps on: gradients grow on their way."""
    sound = e.start.finite and not list(too_long(e))
    if e.course.broke is not None and e.course.broke > 1 and sound:
        yield finding(
            "exploding gradient",
            "HLR",
            f"The loss was {e.course.first_loss:.3g} in the first step and no number in step {e.course.broke}: gradients grow "
            "on their way back, in long sequences and deep networks above all, and one step throws the weights too far.",
            0.55,
            f"Lower the learning rate: lr={lower_rate(e)}; torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) between "
            "loss.backward() and optimizer.step() keeps single steps short.",
            step=e.course.broke,
        )


def is_pulled(e: Evidence, step: float) -> bool:
    """Whether a penalty or a decay has its part in the length of steps."""
    decay = e.settings.get("weight_decay", 0.0) * e.settings.get("lr", 0.0) if e.optimizer == "AdamW" else 0.0
    return e.steps.penalty > PULL or decay > step / 2


def is_of_targets(e: Evidence, step: float) -> bool:
    """Whether a plain step is long because targets are large, and would have a usual length with scaled ones: a squared error's
    gradient is as long as they are."""
    size = math.hypot(e.data.target_mean, e.data.target_std)
    plain = e.optimizer == "SGD" and e.criterion.name == "mse" and not e.classify
    return plain and size > FAR_TARGET and step / size <= LONG


def fell_well(e: Evidence) -> bool:
    """Whether the training loss ended below half of its start: steps were not too long to learn."""
    last = e.course.last
    return last is not None and e.course.broke is None and last.loss < 0.5 * e.course.first_loss


def too_short(e: Evidence) -> Iterator[Finding]:
    """A training whose weights hardly move: the rate, the optimiser, or too few steps."""
    step = step_of(e)
    steps = planned(e)
    travel = step * max(1, steps) * e.course.pace
    layers = [x for x in e.start.layers if math.isfinite(x.gradient)]
    if not math.isfinite(travel) or travel > TRAVEL or not layers or e.course.broke is not None:
        return
    if max(x.gradient / max(x.weight, 1e-12) for x in layers) < 1e-7:
        return  # no gradient: longer steps would not help
    plain = e.optimizer in SLOW_OPTIMISERS
    moved = (
        f"{steps} steps moved the weights by {step:.1g} of their size each, together by {travel:.1g} at most (below {TRAVEL:g} "
        "counts): they have hardly left their start"
    )
    if step < SHORT and steps >= 100:
        sure = 0.75 + 0.2 * min(1.0, math.log10(SHORT / max(step, 1e-12)) / 2)
        if max((p for _, p in e.dropout), default=0.0) >= STRONG_DROPOUT or usual_rate(e):
            sure *= 0.7  # what is dropped, or dead, has no gradient: the rate need not be the cause
        if plain:
            yield finding(
                "optimiser too slow",
                "OCH",
                f"{moved}. {e.optimizer} takes steps as short as its gradients.",
                sure,
                "Use torch.optim.Adam(model.parameters(), lr=1e-3), or a far higher learning rate with momentum=0.9.",
                step=step,
                steps=steps,
                border=TRAVEL,
            )
        yield finding(
            "learning rate too low",
            "HLR",
            f"{moved}.",
            sure - (0.08 if plain else 0.0),
            f"Raise the learning rate: lr={at_usual_length(e, step)}.",
            step=step,
            steps=steps,
            border=TRAVEL,
            lr=e.settings.get("lr"),
        )
        advice = f"Train longer: {longer(e, 3)}. A higher learning rate gets there sooner."
        yield finding("too few steps", "HNE", f"{moved}.", 0.3, advice, steps=steps, border=TRAVEL)
    elif not is_gathered(e):
        yield finding(
            "too few steps",
            "HNE",
            f"{moved}.",
            0.9 if steps < HARDLY_ANY else 0.7,
            f"Train longer: {longer(e, 10)} to begin with.",
            step=step,
            steps=steps,
            border=TRAVEL,
        )


def stepped_rarely(e: Evidence) -> Iterator[Finding]:
    """Gradients that are gathered, or thrown away, for so long that hardly any steps are taken."""
    often, steps = each_taken(e), planned(e)
    if is_gathered(e):
        yield finding(
            "steps that are rarely taken",
            "HBS",
            f"The optimiser took a step with one batch in {1 / often:.0f} only (beyond {1 / RARELY:.0f} counts), {steps} in "
            f"the whole training (fewer than {FEW_STEPS} count): most batches were computed and moved nothing.",
            0.92 if steps < HARDLY_ANY else 0.72,
            "Call optimizer.step() with every batch, or gather the gradients of two to four at the most.",
            steps=steps,
            border=FEW_STEPS,
        )


def is_gathered(e: Evidence) -> bool:
    """Whether that is why steps are few."""
    return each_taken(e) < RARELY and planned(e) < FEW_STEPS


def fades(e: Evidence) -> Iterator[Finding]:
    """A schedule that starves the training, by falling at once or by warming up for ever: most steps have next to no rate."""
    if e.course.pace < FADED and planned(e) >= 20 and e.course.broke is None and not grew_too_long(e):
        yield finding(
            "learning rate fades too fast",
            "HLR",
            f"The mean learning rate is {e.course.pace:.1%} of the one that was asked for (below {FADED:.0%} counts): most "
            "steps moved next to nothing.",
            0.72 + 0.22 * min(1.0, math.log10(FADED / max(e.course.pace, 1e-9))),
            "Let the rate fall over the whole training: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, "
            "T_max=all_steps), stepped once in each training step.",
            share=e.course.pace,
            border=FADED,
        )


def grew_too_long(e: Evidence) -> bool:
    """Whether a schedule that still grew at the end made steps of a usual length too long, and what was learned was lost."""
    step, c = step_of(e), e.course
    grew = c.start < 1 / GREW and c.half < STAYED < c.end
    return grew and step > LONG >= step * c.start and got_worse(e)


def got_worse(e: Evidence) -> bool:
    """Whether the training loss rose again after its best, by more than a little, or broke."""
    losses = [p.loss for p in e.course.points if math.isfinite(p.loss)]
    if e.course.broke is not None or len(losses) < 2:
        return e.course.broke is not None
    best = min(losses)
    return losses[-1] - best > LOST * max(e.course.first_loss - best, 1e-9)


def grows(e: Evidence) -> Iterator[Finding]:
    if grew_too_long(e):
        times = e.course.end / e.course.start
        yield finding(
            "learning rate that grows",
            "HLR",
            f"The last step was taken with {times:.2g} times the learning rate of the first one (from {GREW:g} times on "
            f"counts), and moves the weights by {step_of(e) * e.course.end:.2g} times their size (from {LONG:g} on counts): "
            "what was learned is thrown away again.",
            0.75 + 0.2 * min(1.0, math.log(step_of(e) / LONG) / math.log(TOO_LONG / LONG)),
            "Use a schedule that falls, as torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=all_steps), or none; a "
            "factor that multiplies the rate in each step belongs below 1.",
            times=times,
            border=GREW,
        )


def clipped(e: Evidence) -> Iterator[Finding]:
    """Gradients that the training step makes so small that steps as long as gradients lead nowhere."""
    if e.steps.shrinks < SHRUNK and e.optimizer in SLOW_OPTIMISERS:
        yield finding(
            "gradients clipped too hard",
            "HLR",
            f"Your training step leaves {e.steps.shrinks:.2%} of the gradient's length (below {SHRUNK:.0%} counts), and "
            f"{e.optimizer} takes steps as short as that.",
            0.88,
            "Clip to a length that only rare gradients exceed: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
            share=e.steps.shrinks,
            border=SHRUNK,
        )


def standing_still(e: Evidence) -> Iterator[Finding]:
    """A training step that leaves all weights as they are."""
    if e.steps.still:
        never = e.steps.still == "no step"
        yield finding(
            "a step that changes nothing",
            "FRZ" if never else "ZGR",
            "Your training step leaves every weight as it was: "
            + ("optimizer.step() is never called." if never else "gradients are gone when optimizer.step() is called."),
            0.96,
            "In this order: optimizer.zero_grad(), loss.backward(), optimizer.step().",
        )


def uphill(e: Evidence) -> Iterator[Finding]:
    """A sign that is wrong: steps that drive the loss up."""
    turned, most = e.steps.along < UPHILL, bool(e.settings.get("maximize"))
    if turned != most:
        yield finding(
            "steps that go uphill",
            "LCH",
            "Each step drives the loss up: "
            + (
                f"its gradient points away from the loss's own (cosine {e.steps.along:.2f}, below {UPHILL:g} counts)."
                if turned
                else "the optimiser was made with maximize=True."
            ),
            0.95,
            "Take the minus away: loss.backward() on the loss as it is, and an optimiser without maximize=True.",
            cosine=e.steps.along,
            border=UPHILL,
        )


def usual_rate(e: Evidence) -> bool:
    """Whether the rate is one that trains other networks: then short steps have another cause."""
    return e.settings.get("lr", 0.0) >= (1e-2 if e.optimizer in SLOW_OPTIMISERS else 1e-4)


def piled_up(e: Evidence) -> Iterator[Finding]:
    if e.steps.accumulates:
        yield finding(
            "gradients are not cleared",
            "ZGR",
            "Each step still carries the gradients of all steps before it: old rows pull as hard as new ones.",
            0.95,
            "Call optimizer.zero_grad() before loss.backward(), in every step.",
        )


def wild_memory(e: Evidence) -> Iterator[Finding]:
    beta1, beta2 = e.settings.get("beta1", 0.9), e.settings.get("beta2", 0.999)
    momentum = e.settings.get("momentum", 0.0)
    if momentum > 0.985 or beta1 > 0.985 or (beta2 < 0.7 and "beta2" in e.settings):
        yield finding(
            "wild momentum",
            "OCH",
            f"momentum={momentum or beta1:g}"
            + (f", beta2={beta2:g}" if beta2 < 0.7 else "")
            + " (a momentum above 0.985, or a beta2 below 0.7, counts): steps overshoot what they aim at.",
            0.7,
            "Set betas=(0.9, 0.999)." if "beta1" in e.settings else "Set momentum=0.9.",
            momentum=momentum,
            beta1=beta1,
            beta2=beta2,
        )


RULES = (
    standing_still,
    uphill,
    piled_up,
    too_long,
    exploding,
    clipped,
    too_short,
    stepped_rarely,
    fades,
    grows,
    wild_memory,
)
