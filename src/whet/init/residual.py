"""Initialisations of networks that are sums of branches, and one that looks at a batch.

They need to know the branches, so they walk the model on made-up input (`whet.init.samples`); where it takes none, the
layers are drawn one by one and no branch is treated as one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn

from whet.init.attention import FUSED, Attention, attentions, blocks
from whet.init.branches import Branch, branches, tail_of
from whet.init.draw import Initialise, drawn, he, layers, orthogonal, redraw, xavier, zero
from whet.init.refine import refine
from whet.init.samples import as_call, made_up, ready
from whet.init.walk import evaluating, walk


def zero_residual(gain: float) -> Initialise:
    """`zero_residual_` on made-up input."""
    return lambda model, generator: zero_residual_(model, None, generator, gain=gain)


def zero_residual_(
    model: nn.Module, sample: Any = None, generator: Generator | None = None, *, gain: float = 2.0**0.5
) -> None:
    """He's weights, and the last norm or layer of every branch at 0; branches are looked for by running the sample."""
    model = ready(model, sample, generator)
    he(gain)(model, generator if generator is not None else torch.default_generator)
    for branch in found(model, sample):
        _multiply(tail_of(branch), 0.0)


def fixup(gain: float) -> Initialise:
    """`fixup_` on made-up input."""
    return lambda model, generator: fixup_(model, None, generator, gain=gain)


def fixup_(model: nn.Module, sample: Any = None, generator: Generator | None = None, *, gain: float = 2.0**0.5) -> None:
    """He's weights times J^(-1 / (2m - 2)) in branches of m layers, of which there are J; last layers and the head 0."""
    model = ready(model, sample, generator)
    he(gain)(model, generator if generator is not None else torch.default_generator)
    all_branches = found(model, sample)
    for branch in all_branches:
        others = [n.module for n in branch.layers if n.module is not tail_of(branch)]
        for layer in others:
            _multiply(layer, len(all_branches) ** (-0.5 / len(others)))
        _multiply(tail_of(branch), 0.0)
    for head in list(layers(model))[-1:] if all_branches else []:
        _multiply(head, 0.0)


def lsuv(gain: float) -> Initialise:
    """Orthonormal weights, divided layer by layer so that every output has variance gain^2 on made-up input."""

    def init(model: nn.Module, generator: Generator) -> None:
        lsuv_(model, None, generator, gain=gain)

    return init


def lsuv_(model: nn.Module, sample: Any = None, generator: Generator | None = None, *, gain: float = 1.0) -> None:
    """Layer-sequential unit-variance initialisation in place, on a batch; on made-up input where `sample` is None."""
    model = ready(model, sample, generator)
    orthogonal(1.0)(model, generator if generator is not None else torch.default_generator)
    given = made_up(model) if sample is None else sample
    if given is None:
        return
    args, kwargs = as_call(given)
    targets: dict[nn.Module, float] = dict.fromkeys(layers(model), gain)
    with evaluating(model):
        refine(targets, lambda: model(*args, **kwargs), centred=False)


def found(model: nn.Module, sample: Any = None) -> list[Branch]:
    """The model's branches on a sample, or on made-up input."""
    given = made_up(model) if sample is None else sample
    return branches(walk(model, *as_call(given))) if given is not None else []


@torch.no_grad()
def _multiply(module: nn.Module | None, factor: float) -> None:
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and weight.requires_grad and not getattr(weight, "keep_init", False):
        weight.mul_(factor)


# -- transformers without norms ------------------------------------------------------------------------------------------

ENCODER = 0.67
DECODER = 9.0**-0.25


def t_fixup() -> Initialise:
    """`t_fixup_` on made-up input."""
    return lambda model, generator: t_fixup_(model, None, generator)


def t_fixup_(model: nn.Module, sample: Any = None, generator: Generator | None = None) -> None:
    """Xavier's weights, embeddings N(0, 1 / width), and in N blocks values, outputs and feed-forward layers times
    0.67 N^(-1/4) (encoder) or (9 N)^(-1/4) (decoder, embeddings). What attends without torch's layer for it is looked for by
    running the sample."""
    model = ready(model, sample, generator)
    draw = generator if generator is not None else torch.default_generator
    xavier(1.0)(model, draw)
    given = made_up(model) if sample is None else sample
    places = attentions(model, [] if given is None else walk(model, *as_call(given)))
    found = blocks(model, places)
    smaller = max(1, len(found)) ** -0.25
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            redraw(module.weight, drawn("normal", module.embedding_dim**-0.5 * DECODER * smaller), draw)
        if isinstance(module, nn.MultiheadAttention):
            redraw(module.in_proj_bias, zero, draw)
    for place in places:
        for weight in place.fused:
            redraw(weight, each_matrix, draw)
    for block, own in found:
        _shrink(block, own, smaller * (DECODER if len(own) > 1 else ENCODER))


def each_matrix(weight: Tensor, generator: Generator) -> None:
    """Queries, keys and values by Xavier's rule, each as a matrix of its own."""
    rows = len(weight) // FUSED if len(weight) % FUSED == 0 else len(weight)
    for part in weight.split(rows):
        nn.init.xavier_uniform_(part, generator=generator)


@torch.no_grad()
def _shrink(block: nn.Module, own: list[Attention], factor: float) -> None:
    """Values, output projections and feed-forward weights times a factor; queries and keys stay."""
    values = [v for one in own for v in one.values if v.requires_grad]
    for value in values:
        value.mul_(factor)
    done = {v.data_ptr() for v in values} | {w.data_ptr() for one in own for w in one.fused}
    asking = {m for one in own for m in one.asking}
    for layer in layers(block):
        if layer not in asking and layer.weight.data_ptr() not in done:
            _multiply(layer, factor)
