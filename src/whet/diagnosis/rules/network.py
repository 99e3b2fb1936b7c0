"""What is wrong with the network's signals: its initial weights, and its activations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence, Layer
from whet.diagnosis.rules.measures import FEW_UNITS
from whet.record import Finding

HUGE_GAIN, TINY_GAIN = 6.0, 0.4
"""A layer's spread of weights times the square root of its fan-in: 1.4 by He's rule, 1 by LeCun's, 0.58 in torch."""
LOST = 1e-3
"""Share of the signal, or of the gradient, that is left at the other end of the network."""
SATURATING = ("sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softsign", "softmax", "log_sigmoid")
SQUASHING = ("sigmoid", "hard_sigmoid", "softmax")
"""Functions whose slope is a quarter at best: each layer costs a factor."""
CHAOS = 0.3
"""Of the spread of answers, by which they move where inputs are moved by a hundredth of theirs."""
FLAT = 0.7
"""Share of a layer's inputs at the ends of their range from which the function before it is saturated."""
DRAWN = "whet.init.auto_(model, x[:256])"
ENTROPY_IS_SAFE = "Give logits to nn.CrossEntropyLoss() or nn.BCEWithLogitsLoss(), which can't meet a logarithm of 0."
GROWING = ("exp", "square", "exponential", "pow", "cube", "sinh", "cosh")


def hidden(e: Evidence) -> list[str]:
    """What the non-linearities inside are called."""
    return [what for _, what, role in e.activations if role in ("activation", "arithmetic")]


def constant_weights(e: Evidence) -> Iterator[Finding]:
    layers = inner(e) or [x for x in e.start.layers if x.width > 1]  # vectors alone: those that are multiplied
    still = [x for x in layers if x.gain == 0 or x.same]
    if layers and len(still) >= max(1, len(layers) // 2):
        what = "zero" if all(x.gain == 0 for x in still) else "equal"
        later = {x.path: x for x in e.end.layers} if e.end is not None else {}
        parted = bool(later) and not any(later[x.path].same for x in still if x.path in later)
        yield finding(
            "weights that are all alike",
            "WCI",
            f"All weights of {len(still)} layers, layer {still[0].path} first, are {what} at the start (from half of the "
            "hidden layers on counts): their units "
            + (
                "began as copies of each other."
                if parted
                else "stay copies of each other, and learn one thing between them."
            ),
            0.75 if parted else 0.97,  # zeros at the end of a branch are meant: what comes in makes units differ
            f"Draw the initial weights at random: {DRAWN}.",
            where=still[0].path,
            layers=len(still),
        )


def inner(e: Evidence) -> list[Layer]:
    """Layers with weights, without embeddings; the last one may start at zero with good reason."""
    layers = [x for x in e.start.layers if x.kind != "Embedding"]
    return layers[:-1] if len(layers) > 1 else layers


def huge_weights(e: Evidence) -> Iterator[Finding]:
    layers = [x for x in e.start.layers if x.kind != "Embedding"]
    big = [x for x in layers if x.gain > HUGE_GAIN]
    if big and (e.norms == 0 or len(big) == len(layers)):
        worst = max(x.gain for x in big)
        yield finding(
            "initial weights far too large",
            "WCI",
            f"{len(big)} layers start with weights up to {worst / 1.41:.0f} times as large as keeps a signal's size (from "
            f"{HUGE_GAIN / 1.41:.0f} on counts): outputs reach {e.start.layers[-1].out_largest:.2g}, and functions like "
            "sigmoid and tanh stick at their ends.",
            0.8 + 0.15 * min(1.0, math.log10(worst / HUGE_GAIN) + 0.3),
            f"Draw them so that each layer keeps the signal's size: {DRAWN}.",
            where=big[0].path,
            gain=worst,
            border=HUGE_GAIN,
        )


def signal(e: Evidence) -> tuple[float, float]:
    """(share of the inputs' variation that the last layer's output shows, first layer's share of gradient)."""
    layers = [x for x in e.start.layers if x.kind != "Embedding"]
    if len(layers) < 3:
        return 1.0, 1.0
    first, last = layers[0], layers[-1]
    out = e.start.out_std / max(
        1e-30, max(first.out_std, last.out_std if last.out_std < first.out_std else first.out_std)
    )
    relative = [x.gradient / max(x.weight, 1e-30) for x in layers if math.isfinite(x.gradient)]
    back = relative[0] / max(max(relative), 1e-30) if relative else math.nan
    return out, back


def lost_signal(e: Evidence) -> Iterator[Finding]:
    """Depth without skip or norm: signal or gradient dies on the way; by the weights, or by the functions."""
    layers = inner(e)
    out, back = signal(e)
    if len(layers) < 3 or not (out < LOST or back < LOST) or any(x.gain == 0 for x in layers):
        return
    names = hidden(e)
    squashing = [n for n in names if n in SQUASHING]
    small = sum(x.gain < TINY_GAIN for x in layers) >= len(layers) / 2
    said = (
        f"Of the differences between examples {out:.1g} are left at the output; of the gradient, which tells weights where to "
        f"go, {back:.1g} at the first layer (below {LOST:g} counts)"
    )
    numbers: dict[str, Any] = {"signal": out, "gradient": back, "border": LOST, "depth": len(layers) + 1}
    if len(squashing) >= max(2, len(names) / 2):
        yield finding(
            "deep and squashing",
            "ACH",
            f"{said}: {len(squashing)} {squashing[0]} layers in a row let a quarter of it through at best, each.",
            0.93,
            f"Use nn.ELU() or nn.GELU() in their place, or initial weights that make up for it: {DRAWN}.",
            **numbers,
        )
    if small:
        yield finding(
            "initial weights far too small",
            "WCI",
            f"{said}: each layer starts with weights {1.41 / max(1e-9, layers[len(layers) // 2].gain):.1f} times too small.",
            0.9 if not squashing else 0.6,
            f"Draw them so that each layer keeps the signal's size: {DRAWN}.",
            where=layers[0].path,
            gain=layers[len(layers) // 2].gain,
            **numbers,
        )
    elif not squashing:
        yield finding(
            "vanishing signal",
            "WCI",
            f"{said}: {len(layers) + 1} layers without a skip or a norm, each losing a little.",
            0.75,
            f"Initial weights by theory keep it: {DRAWN}. nn.LayerNorm(width) behind each layer or skip connections, x + f(x), "
            "do too.",
            **numbers,
        )


def growing_activation(e: Evidence) -> Iterator[Finding]:
    """exp and powers as hidden functions: what is large becomes larger in each layer."""
    names = [n for n in hidden(e) if n in GROWING]
    if not names:
        return
    layers = e.start.layers
    grew = max((x.out_largest for x in layers), default=0.0) / max(1e-9, layers[0].out_largest if layers else 1.0)
    broke = not e.start.finite or e.course.broke is not None or grew > 100
    if len(names) >= 2 or broke:
        yield finding(
            "activation that grows without bound",
            "ACH",
            f"{names[0]} is computed {len(names)} times inside the network (from twice on counts), and what is large comes "
            f"out far larger: the largest signal of a layer is {grew:.2g} times the first layer's"
            + (", until it is no number any more." if broke else "."),
            0.95 if broke else 0.66,
            "Use a function that grows no faster than its input: nn.ReLU(), nn.ELU() or nn.SiLU().",
            places=len(names),
            growth=grew,
        )


def no_numbers(e: Evidence) -> Iterator[Finding]:
    """Sound inputs that become no numbers on their way through fresh weights, or in the loss."""
    if e.data.bad > 0 or e.start.overflow or max((x.gain for x in e.start.layers), default=0.0) > HUGE_GAIN:
        return
    if not e.start.finite:
        yield finding(
            "numbers that break inside",
            "ACH",
            f"Inputs are numbers, and {e.born or 'the outputs'} are NaN or infinite before any training: a logarithm or a root "
            "of what may be negative, a division by what may be 0, an exponential of what is large.",
            0.9,
            "Keep what goes in within its range, as in x.clamp_min(1e-6).log(), or use another function.",
            where=e.born,
        )
    elif not math.isfinite(e.start.loss) and e.course.broke == 1:
        yield finding(
            "a loss that is no number",
            "LCH",
            f"Outputs range from {e.start.out_low:.2g} to {e.start.out_high:.2g}, and the loss makes {e.start.loss} of them "
            "before any training: often a logarithm of 0 or less.",
            0.9,
            ENTROPY_IS_SAFE,
            low=e.start.out_low,
            high=e.start.out_high,
        )


def dead_from_the_start(e: Evidence) -> Iterator[Finding]:
    """Units that answer every example alike before any training: biases far below zero."""
    if e.start.overflow:
        return  # what is divided by infinity is 0
    for x in e.start.layers[1:]:
        if (
            x.inputs > FEW_UNITS
            and x.in_still > 0.9
            and x.in_zero > 0.9
            and x.gain > TINY_GAIN
            and e.start.layers[0].gain > TINY_GAIN
        ):
            yield finding(
                "dead units from the start",
                "WCI",
                f"{x.in_still:.0%} of the units before layer {x.path} give the same number for every example (from 90 % on "
                "counts): a ReLU gives 0 for all that is below 0, and what is always 0 passes nothing on and learns "
                "nothing (a dead ReLU).",
                0.88,
                "Start biases at 0: nn.init.zeros_(layer.bias).",
                where=x.path,
                share=x.in_still,
                border=0.9,
            )
            return


def chaotic(e: Evidence) -> Iterator[Finding]:
    """Answers that have nothing to do with those to inputs next to them: functions that turn too fast, weights too large."""
    if e.jumps > CHAOS and e.start.finite:
        what = f"{hidden(e)[0]} turns too fast for what it is given" if hidden(e) else "weights are too large"
        yield finding(
            "answers that jump",
            "ACH",
            f"Where inputs move by a hundredth of their spread the fresh network's answers move by {e.jumps:.0%} of theirs "
            f"(from {CHAOS:.0%} on counts): {what}, and what is learned of one row says nothing of its neighbours.",
            0.78,
            f"Smaller weights by theory, which reckon with the function: {DRAWN}.",
            moves=e.jumps,
            border=CHAOS,
        )


def saturated(e: Evidence) -> Iterator[Finding]:
    """Functions with two ends whose units lie at them: the slope there is next to nothing."""
    names = [n for n in hidden(e) if n in SATURATING]
    if not names:
        return
    for x in e.start.layers[1:]:
        if x.in_ends > FLAT and x.in_zero < FLAT:
            yield finding(
                "saturated units",
                "WCI",
                f"{x.in_ends:.0%} of what {names[0]} gives to layer {x.path} lies at the ends of its range at the start (from "
                f"{FLAT:.0%} on counts): it is flat there, so that no small step changes the answer, and these weights hardly "
                "learn.",
                0.7,
                f"Bring the inputs to mean 0 and spread 1, and draw smaller weights: {DRAWN}.",
                where=x.path,
                share=x.in_ends,
                border=FLAT,
            )
            return


RULES = (
    constant_weights,
    huge_weights,
    lost_signal,
    growing_activation,
    no_numbers,
    dead_from_the_start,
    chaotic,
    saturated,
)
