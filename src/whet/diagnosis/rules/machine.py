"""What the machine does to a training: numbers that half precision can't hold, batches that it waits for."""

from __future__ import annotations

from collections.abc import Iterator

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence
from whet.record import Finding

LARGEST = 65_504
"""Of float16."""
LOST = 0.3
"""Of a layer's gradients that are zero in half precision only. 0.31 of the activations' were where a detector diverged:
Micikevicius et al. 2018, Mixed Precision Training, section 3.2."""
STAYED = 0.5
"""Of the weights that have a gradient and that a step leaves as they were."""
WAITING, SEEN = 0.5, 20
"""Share of a step's time that the median step waits for its batch; steps from which on that is known."""
WIDER = (
    "Keep the weights in float32 and compute in bfloat16 (model.float(), torch.autocast(device, dtype=torch.bfloat16)), or in "
    "float32 throughout"
)


def overflow(e: Evidence) -> Iterator[Finding]:
    """A result that is infinite in half precision and finite in float32: before training, or where it ended."""
    looks = [("at the start", e.start, 0.9), ("at the end", e.end, 0.7)]
    when, look, sure = next(((w, x, s) for w, x, s in looks if x is not None and x.overflow), ("", None, 0.0))
    if look is None:
        return
    yield finding(
        "overflow of half precision",
        "PRC",
        f"In {look.overflow} a number reaches {look.reached:.3g} {when}, and {look.half} ends at {LARGEST:,}: what is larger "
        "becomes infinite, and then NaN.",
        sure + (0.06 if e.course.broke is not None else 0.0),
        f"{WIDER}; or make that number smaller: a mean for a sum, a norm before it.",
        where=look.overflow,
        half=look.half,
        reached=look.reached,
        border=LARGEST,
    )


def underflow(e: Evidence) -> Iterator[Finding]:
    """Gradients, or what the optimiser makes of them, that are rounded to zero."""
    r = e.rounding
    if r.broke:
        yield finding(
            "underflow of half precision",
            "PRC",
            f"One step of {e.optimizer} turns weights in {r.stored} into NaN: its eps and the squares of small gradients are "
            "below 6e-8 and become 0, and 0 / 0 is no number.",
            0.97,
            f"{WIDER}.",
            where=r.where,
            half=r.stored,
        )
    elif r.lost > LOST:
        yield finding(
            "underflow of half precision",
            "PRC",
            f"{r.lost:.0%} of the gradients of {r.where} are smaller than {e.start.half} can hold and become 0 (from "
            f"{LOST:.0%} on counts): these weights are not trained.",
            0.6 + 0.35 * r.lost,
            f"Scale the loss up before backward() and gradients down after it (torch.amp.GradScaler). {WIDER}.",
            where=r.where,
            half=e.start.half,
            share=r.lost,
            border=LOST,
        )


def lost_steps(e: Evidence) -> Iterator[Finding]:
    """Steps that are shorter than half the gap to the next number that a weight could be."""
    r = e.rounding
    if r.stayed > STAYED and not r.broke:
        yield finding(
            "steps lost in half precision",
            "PRC",
            f"{r.stayed:.0%} of the weights have a gradient and stay as they are (from {STAYED:.0%} on counts): the step is "
            f"shorter than the gap between two neighbouring numbers of {r.stored}.",
            0.6 + 0.35 * r.stayed,
            f"{WIDER}.",
            half=r.stored,
            share=r.stayed,
            border=STAYED,
        )


def slow_input(e: Evidence) -> Iterator[Finding]:
    """A note: the training learns what it learns, and takes longer than it has to."""
    waited, computed = e.course.waited, e.course.computed
    share = waited / max(1e-12, waited + computed)
    if share > WAITING and e.course.steps >= SEEN:
        yield finding(
            "slow input pipeline",
            "IPL",
            f"The median step waits {1e3 * waited:.3g} ms for its batch and computes for {1e3 * computed:.3g} ms: {share:.0%} "
            f"of the time the network has nothing to do (from {WAITING:.0%} on counts).",
            0.3,
            "Load in other processes: DataLoader(..., num_workers=4, persistent_workers=True). What is the same in every "
            "epoch (decoding, resizing) is better done once, before training.",
            cost=f"training could take {1 - share:.0%} of its time",
            share=share,
            border=WAITING,
        )


RULES = (overflow, underflow, lost_steps, slow_input)
