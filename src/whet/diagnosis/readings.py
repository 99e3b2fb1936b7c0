"""Numbers about a trained network that no rule judges by: they are shown, for who knows what to make of them.

g_k   gradient of the mean loss over part k of K parts of b rows        G   what it would be over all rows there are
S     trace of the covariance of one row's gradient                     B   rows of a training step
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from whet.diagnosis.look import Weighted, weighted
from whet.rng import seed_for

Loss = Callable[[Tensor, Tensor], Any]
PARTS = 8
"""Parts that a batch is cut into for the noise of the gradient."""
ROUNDS = 20
"""Of the power method; the largest eigenvalue is then right to some per cent."""
UNITS = 512
"""Units of a layer whose rank is taken; of more, as many that are evenly spread."""


@dataclass(frozen=True)
class Reading:
    """A measurement in words, with its numbers."""

    name: str
    said: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    """By layer, or by what they are."""

    def __str__(self) -> str:
        return f"{self.name}: {self.said}"


def gradient_noise(
    model: nn.Module, loss: Loss, inputs: tuple[Tensor, ...], y: Tensor, batch_size: int
) -> Reading | None:
    """How much of a step's gradient is signal, and from how many rows on more of them hardly help.

    McCandlish et al. 2018, An Empirical Model of Large-Batch Training, arXiv:1812.06162, appendix A.1: both |G|^2 and S are
    estimated without bias from gradients over b and over K b rows; the noise scale is S / |G|^2.
    """
    rows = len(y) // PARTS
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if rows < 1 or not named:
        return None
    total, squares = {n: torch.zeros_like(p) for n, p in named.items()}, dict.fromkeys(named, 0.0)
    for k in range(PARTS):
        part = slice(k, rows * PARTS, PARTS)  # every eighth row: neighbours may be alike
        found = torch.autograd.grad(
            loss(model(*(x[part] for x in inputs)), y[part]), [*named.values()], allow_unused=True
        )
        for name, g in zip(named, found, strict=True):
            if g is not None:
                total[name] += g
                squares[name] += float(g.square().sum())
    split = {n: signal_and_noise(float((total[n] / PARTS).square().sum()), squares[n] / PARTS, rows) for n in named}
    signal, noise = (sum(v[i] for v in split.values()) for i in (0, 1))
    scale = noise / signal if signal > 0 else math.inf
    many = f"about {scale:.0f} rows" if scale < 1e6 else "a million rows and more"
    said = f"up to {many} a step, twice as many rows save steps; above they hardly do. A step has {batch_size}."
    # of each weight: the length of the signal in a step's gradient over that of its noise
    ratios = {n: math.sqrt(max(0.0, g) / max(s / batch_size, 1e-30)) for n, (g, s) in split.items() if g or s}
    return Reading("gradient noise scale", said, {"rows": scale, **ratios})


def signal_and_noise(mean_square: float, square_mean: float, rows: int) -> tuple[float, float]:
    """(|G|^2, S) from |mean of g_k|^2 and the mean of |g_k|^2, without bias (appendix A.1)."""
    signal = (PARTS * mean_square - square_mean) / (PARTS - 1)
    noise = rows * PARTS / (PARTS - 1) * (square_mean - mean_square)
    return signal, max(0.0, noise)


def feature_ranks(model: nn.Module, inputs: tuple[Tensor, ...]) -> Reading | None:
    """How many directions each layer's outputs use.

    The exponential of the entropy of the singular values, as shares of their sum: Roy & Vetterli 2007, The Effective Rank,
    definition 1. Places of pictures and texts are averaged first.
    """
    found: dict[str, tuple[float, int]] = {}

    def read(one: Weighted, out: Any) -> None:
        out = out[0] if isinstance(out, tuple) else out
        if one.path not in found:
            used, most = ranked(out, one.axis)
            found[one.path] = used, min(most, one.rows.shape[1] + 1)  # no more than come in, and the bias

    handles = [one.module.register_forward_hook(lambda _, __, out, one=one: read(one, out)) for one in weighted(model)]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        return None
    worst = min(found, key=lambda path: found[path][0] / found[path][1])
    used, most = found[worst]
    said = f"{worst or 'the layer'} uses {used:.1f} of {most} possible directions, the smallest share of all layers."
    return Reading("effective rank", said, {path: used for path, (used, _) in found.items()})


def ranked(out: Tensor, axis: int) -> tuple[float, int]:
    """(effective rank, the most that it could be) of a layer's outputs, whose units are on this axis."""
    units = out.detach().float().movedim(axis, -1)
    table = units.reshape(len(units), -1, units.shape[-1]).mean(1)  # (row, unit)
    table = table[:, :: max(1, table.shape[1] // UNITS)]
    return effective_rank(table), min(table.shape)


def effective_rank(table: Tensor) -> float:
    """Between 1 and the smaller side; NaN for a table of zeros, or with values that are no numbers."""
    if not bool(table.isfinite().all()):
        return math.nan
    sizes = torch.linalg.svdvals(table.double())
    shares = sizes / sizes.sum()
    shares = shares[shares > 0]
    return float(torch.exp(-(shares * shares.log()).sum())) if len(shares) else math.nan


def sharpness(model: nn.Module, loss: Loss, inputs: tuple[Tensor, ...], y: Tensor, seed: int = 0) -> Reading | None:
    """The largest curvature of the loss, and the rate above which plain gradient descent overshoots there.

    The largest eigenvalue of the Hessian in size by the power method, with products by a second backward pass (Pearlmutter
    1994); 2 / eigenvalue is the edge of stability (Cohen et al. 2021, arXiv:2103.00065, section 2). None for a network
    that can't be differentiated twice.
    """
    free = [p for p in model.parameters() if p.requires_grad]
    draw = torch.Generator().manual_seed(seed_for(seed, "probe"))
    direction = [torch.randn(p.shape, generator=draw).to(p) for p in free]
    try:
        gradient = torch.autograd.grad(loss(model(*inputs), y), free, create_graph=True, allow_unused=True)
        pairs = [(g, d) for g, d in zip(gradient, direction, strict=True) if g is not None and g.requires_grad]
        largest = power_method(
            [p for p, g in zip(free, gradient, strict=True) if g is not None and g.requires_grad], pairs
        )
    except RuntimeError:
        return None
    said = f"the loss curves by {largest:.3g} at most; plain gradient descent overshoots from a rate of {2 / largest:.2g} on."
    return Reading("sharpness", said, {"eigenvalue": largest, "edge": 2 / largest}) if largest > 0 else None


def power_method(free: list[nn.Parameter], pairs: list[tuple[Tensor, Tensor]]) -> float:
    """The Hessian's largest eigenvalue in size, from (gradient, start) of each parameter."""
    gradient, direction = [g for g, _ in pairs], [d for _, d in pairs]
    value = 0.0
    for _ in range(ROUNDS):
        size = math.sqrt(sum(float(d.square().sum()) for d in direction))
        if not size > 0:
            return 0.0
        direction = [d / size for d in direction]
        product = torch.autograd.grad(gradient, free, direction, retain_graph=True, allow_unused=True)
        turned = [torch.zeros_like(p) if h is None else h.detach() for p, h in zip(free, product, strict=True)]
        value = sum(float((d * h).sum()) for d, h in zip(direction, turned, strict=True))
        direction = turned
    return value
