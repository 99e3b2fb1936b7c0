"""What is wrong with the network's layers: one that is missing, too narrow, held still, or in several places."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence, Layer
from whet.diagnosis.rules.measures import FEW_UNITS
from whet.record import Finding

RECURRENT = ("RNN", "GRU", "LSTM")
UNSEEN = 0.2
"""Of what varies in a row, that no answer depends on."""


def no_non_linearity(e: Evidence) -> Iterator[Finding]:
    layers = [x for x in e.start.layers if x.kind != "Embedding"]
    recurrent = any(x.kind in RECURRENT for x in layers)
    pools = [what for _, what, role in e.activations if role not in ("output", "norm", "loss")]
    if not e.followed or len(layers) < 2 or recurrent or any(n != "max_pool" for n in pools):
        return
    linear = e.yardsticks.get("linear")
    best = max((v for k, v in e.yardsticks.items() if k in ("neighbours", "random features")), default=None)
    bends = linear is not None and best is not None and best > linear + 0.05
    yield finding(
        "no non-linearity",
        "ACH",
        f"{len(layers)} layers follow each other without a function in between (two count): together they are one linear map.",
        0.9 if bends else 0.55,
        "Put nn.ReLU() or nn.GELU() behind each hidden layer.",
        layers=len(layers),
        linear=linear,
        bending=best,
    )


def bottleneck(e: Evidence) -> Iterator[Finding]:
    """A hidden layer through which the classes can't pass, or all that a sequence has said so far."""
    needed = e.data.classes
    for x in narrowable(e):
        narrow = x.width <= 2 and (needed > 2 or x.width == 1)
        if (narrow or (needed >= 8 and x.width <= needed // 4)) and (x.kind in RECURRENT or x.given > 2 * x.width):
            yield finding(
                "bottleneck",
                "LCN",
                f"Layer {x.path} squeezes {'all that came before' if x.kind in RECURRENT else f'{x.given} numbers'} into "
                f"{x.width}"
                + (f", through which {needed} classes must pass" if needed else "")
                + (f" ({max(2, needed // 4)} or fewer count)" if needed > 2 else " (one counts)")
                + ". What does not fit through it is lost to all layers behind.",
                0.84,
                f"Widen it: {wider(x, max(32, 4 * needed))}.",
                where=x.path,
                width=x.width,
                classes=needed,
            )
            return


def narrowable(e: Evidence) -> list[Layer]:
    """Hidden layers that give rows of numbers, which all that follows has to do with."""
    layers = [x for x in e.start.layers if x.kind in ("Linear", "Embedding", *RECURRENT)][:-1]
    return [x for x in layers if x.path not in e.passed_by]


def wider(x: Layer, width: int) -> str:
    """What to write in a narrow layer's place."""
    return f"nn.{x.kind}({x.given}, {width}), and the next layer to as many inputs"


def too_narrow(e: Evidence) -> Iterator[Finding]:
    """A hidden layer of a few units, in a network that can't even learn its training rows as well as a simple method others."""
    layers = narrowable(e)
    known = e.known
    last, best = e.course.last, max(known.values(), default=math.nan)
    if not layers or last is None or not e.higher_is_better or not last.train < best - 0.05:
        return
    x = min(layers, key=lambda x: x.width)
    other = "the same training mended" if known.get("mended") == best else "a simple method"
    if x.width <= FEW_UNITS and (e.classify or e.start.outputs <= x.width):
        yield finding(
            "too narrow",
            "LCN",
            f"Layer {x.path} has {x.width} units ({FEW_UNITS} or fewer count); the network reaches {last.train:.3g} on the "
            f"rows that it is trained on, {other} {best:.3g} on others.",
            0.78 if x.width < FEW_UNITS else 0.62,
            f"Widen it: {wider(x, 32)}.",
            where=x.path,
            width=x.width,
            border=FEW_UNITS,
        )


def held_still(e: Evidence) -> Iterator[Finding]:
    layers = e.start.layers
    frozen = [x for x in layers if x.frozen]
    lost = [x for x in layers if not x.held and not x.frozen]
    if lost:
        yield finding(
            "weights that the optimiser does not hold",
            "FRZ",
            f"The optimiser was not given the weights of {len(lost)} of {len(layers)} layers, layer {lost[0].path} "
            "first: they never change.",
            0.93,
            "Build it after the last change of the model, from all of it: torch.optim.Adam(model.parameters(), lr=1e-3).",
            where=lost[0].path,
            layers=len(lost),
        )
    if frozen and layers:
        share = len(frozen) / len(layers)
        yield finding(
            "frozen weights",
            "FRZ",
            f"{len(frozen)} of {len(layers)} layers, layer {frozen[0].path} first, have requires_grad=False: they "
            "stay as they were drawn.",
            0.72 + 0.27 * share,
            "model.requires_grad_(True) before the optimiser is made, unless these weights were trained before.",
            where=frozen[0].path,
            layers=len(frozen),
        )


def cut_off(e: Evidence) -> Iterator[Finding]:
    """A first layer that no gradient reaches, though a later one has some: something between them cuts it off."""
    layers = e.start.layers
    reached = [x for x in layers if math.isfinite(x.gradient)]
    if not reached or not math.isfinite(e.start.loss) or math.isfinite(layers[0].gradient):
        return
    if layers[0].held and not layers[0].frozen:
        yield finding(
            "weights that no gradient reaches",
            "FRZ",
            f"No gradient reaches layer {layers[0].path}, and one reaches layer {reached[0].path}: what lies between them "
            "passes none on, so that the first stays as it was drawn.",
            0.78,
            "Look for .detach(), .data, torch.no_grad(), argmax or a conversion to numpy between the two, and leave it out.",
            where=layers[0].path,
        )


def one_layer_repeated(e: Evidence) -> Iterator[Finding]:
    """One layer in several places, as `[layer] * 3` makes it."""
    if e.repeated:
        yield finding(
            "one layer in several places",
            "LRM",
            f"Layers {' and '.join(e.repeated[:2])} are one and the same, which stands in {len(e.repeated)} places (two "
            "count): they have one set of weights between them.",
            0.72 if in_a_row(e.repeated) else 0.45,
            "Unless they are meant to be one, make each with a call of its own: [make() for _ in range(3)], not [layer] * 3.",
            where=e.repeated[0],
            places=len(e.repeated),
        )


def in_a_row(paths: tuple[str, ...]) -> bool:
    """Whether these are places of one container that follow each other, with up to two layers without weights in between."""
    split = [path.split(".") for path in paths]
    moved = [i for i, parts in enumerate(zip(*split, strict=False)) if len(set(parts)) > 1]
    if len({len(parts) for parts in split}) > 1 or len(moved) != 1:
        return False
    places = [parts[moved[0]] for parts in split]
    if not all(place.isdigit() for place in places):
        return False
    apart = {int(b) - int(a) for a, b in itertools.pairwise(places)}
    return len(apart) == 1 and apart <= {1, 2, 3}


def deaf(e: Evidence) -> Iterator[Finding]:
    """Inputs that never reach the answer: a mask the wrong way round, a slice, an index."""
    if e.unseen > UNSEEN:
        yield finding(
            "inputs that no answer depends on",
            "LRM",
            f"Of what varies in a row {e.unseen:.0%} can change as it likes without changing any answer (from {UNSEEN:.0%} on "
            "counts): it is lost on its way through the network.",
            0.72,
            "Look for a mask the wrong way round, a slice such as x[:, -1], or an axis that was taken for another one.",
            share=e.unseen,
            border=UNSEEN,
        )


RULES = (no_non_linearity, bottleneck, too_narrow, held_still, cut_off, one_layer_repeated, deaf)
