"""Probes of a network on one batch: layer by layer, what goes in, what comes out, and what gradient comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from whet.diagnosis.evidence import Layer, Look
from whet.diagnosis.precision import overflows
from whet.init.packed import Packed

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Their units are channels, the second axis; those of all others are the last one."""
WEIGHTED = (nn.Linear, *CONVOLUTIONS, nn.RNNBase, nn.Embedding, nn.EmbeddingBag)
NEAR = 0.02
"""Inputs this near to the ends of their range, as a share of it, count as saturated."""
VALUES = 200_000
"""Numbers of a tensor that are looked at; more are thinned out."""
ROWS_OF = 2_000_000
"""Numbers of a layer's input from which fewer examples are looked at."""
FEWEST = 16
"""Examples that are looked at however large each is."""


LEAST_GAIN = 0.2
"""Of weights whose length steps are compared with: torch's own have 0.58. Zeros, which some layers begin with, have none."""


def at_least(norm: float, outputs: int) -> float:
    """A layer's norm, or that of a layer as small as is usual: what a step's length is compared with."""
    return max(norm, LEAST_GAIN * outputs**0.5)


def by_outputs(weight: Tensor) -> Tensor:
    """(outputs, …) of torch's layers -> (outputs, fan-in)."""
    return weight.reshape(len(weight), -1)


def packed(weight: Tensor) -> Tensor:
    """(members, inputs, outputs) of a packed ensemble -> (members * outputs, inputs)."""
    return weight.transpose(1, 2).reshape(-1, weight.shape[1])


@dataclass(frozen=True, eq=False)
class Weighted:
    """A layer with weights, of torch, of whet's packed ensembles or of Keras."""

    path: str
    module: nn.Module
    weight: Tensor
    kind: str
    axis: int
    """Of its inputs: where the units are."""
    turn: Callable[[Tensor], Tensor] = by_outputs
    """Weights as the layer keeps them -> (outputs, fan-in)."""

    @property
    def rows(self) -> Tensor:
        """(outputs, fan-in)."""
        return self.turn(self.weight.detach().float())


def weighted(model: nn.Module) -> list[Weighted]:
    """The layers that hold weights, in the model's order; of a recurrent one its first weights."""
    found = []
    for path, module in model.named_modules():
        if isinstance(module, Packed):
            found.append(Weighted(path, module, module.weight, "Packed", -1, packed))
        elif isinstance(module, WEIGHTED):
            weight = weight_of(module)
            axis = 1 if isinstance(module, CONVOLUTIONS) else -1
            if weight is not None:
                found.append(Weighted(path, module, weight, type(module).__name__.removesuffix("Bag"), axis))
    return found


def weight_of(module: nn.Module) -> Tensor | None:
    """The first weight of a layer; where it is parametrised, by a spectral norm for one, what it is computed from.

    `module.weight` would compute it, and some parametrisations change their state when they do. None: it has none.
    """
    named = dict(module.named_parameters())
    own = (p for name, p in named.items() if name.startswith("weight"))
    behind = (p for name, p in named.items() if name.startswith("parametrizations.weight"))
    return next(own, None) if not is_parametrized(module) else max(behind, key=Tensor.numel, default=None)


class Readings:
    """Inputs and outputs of every layer with weights, as numbers, from one forward pass."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, float]] = {}

    def take(self, one: Weighted, args: tuple[Any, ...], out: Any) -> None:
        """What a layer was given and gave, from its forward hook; a layer that is called twice is read once."""
        out = out[0] if isinstance(out, tuple) else out
        if one.path in self.of or not isinstance(out, Tensor):
            return
        found = {f"out_{k}": v for k, v in spread(fewer(out)).items()}
        given = args[0] if args else None
        if isinstance(given, Tensor) and given.is_floating_point() and given.dim() > 1:
            given = fewer(given)
            found |= units(given, one.axis)
        self.of[one.path] = found


def fewer(x: Tensor) -> Tensor:
    """The first examples, as many as there is patience for."""
    return x.detach()[: max(FEWEST, ROWS_OF // max(1, x[0].numel()))] if x.dim() else x.detach()


def spread(x: Tensor) -> dict[str, float]:
    """Standard deviation, largest size."""
    x = thin(x.detach().float())
    return {"std": float(x.std(correction=0)), "largest": float(x.abs().max())}


def thin(x: Tensor) -> Tensor:
    x = x.reshape(-1)
    return x[:: max(1, len(x) // VALUES)]


def units(x: Tensor, axis: int) -> dict[str, float]:
    """Zeros, units that stand still over the batch, values at the ends of the range."""
    x = x.detach().float()
    flat = x.movedim(axis, 0).reshape(x.shape[axis], -1)  # (unit, examples and places)
    moves = flat.std(1, correction=0)
    scale = moves.max().clamp_min(1e-30)
    low, high = float(x.min()), float(x.max())
    wide = max(high - low, 1e-30)
    values = thin(x)
    ends = ((values - low < NEAR * wide) | (high - values < NEAR * wide)).float().mean()
    return {
        "in_zero": float((values == 0).float().mean()),
        "in_still": float((moves <= 1e-6 * scale).float().mean()),
        "in_ends": float(ends),
    }


@contextmanager
def reading(layers: Sequence[Weighted]) -> Iterator[Readings]:
    """Reads the first forward pass within the block."""
    readings, handles = Readings(), []
    for one in layers:

        def hook(_: nn.Module, args: tuple[Any, ...], out: Any, one: Weighted = one) -> None:
            readings.take(one, args, out)

        handles.append(one.module.register_forward_hook(hook))
    try:
        yield readings
    finally:
        for handle in handles:
            handle.remove()


def look(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Any],
    inputs: tuple[Tensor, ...],
    target: Tensor,
    held: set[int],
    moved: dict[str, float] | None = None,
) -> Look:
    """The network on one batch, in evaluation mode; parameters, gradients and modes are left as they are.

    `held`: ids of the parameters that the optimiser holds. `moved`: path -> how far a step moved the weights.
    """
    was = model.training
    model.eval()
    kept = {p: p.requires_grad for p in model.parameters()}
    layers = weighted(model)
    try:
        with reading(layers) as readings, torch.enable_grad():
            for p in model.parameters():
                p.requires_grad_(p.is_floating_point())
            with overflows(model) as seen:
                out = model(*inputs)
                value = loss(out, target)
            free = [p for p in model.parameters() if p.requires_grad]
            found = torch.autograd.grad(value, free, allow_unused=True)
    finally:
        for p, wanted in kept.items():
            p.requires_grad_(wanted)
        model.train(was)
    place = {path: i for i, path in enumerate(readings.of)}  # in the order of the calls: a head may be made first
    lengths = {id(p): float(g.float().norm()) for p, g in zip(free, found, strict=True) if g is not None}
    read = tuple(
        layer(
            one,
            weight_facts(one.rows),
            readings.of[one.path],
            gradient=lengths.get(id(one.weight), math.nan),
            frozen=not kept[cast(nn.Parameter, one.weight)],
            held=id(one.weight) in held,
            step=(moved or {}).get(one.path, math.nan),
        )
        for one in sorted((x for x in layers if x.path in place), key=lambda x: place[x.path])
    )
    rounded: dict[str, Any] = {"half": seen.half, "overflow": seen.where, "reached": seen.reached}
    return Look(read, float(value.detach()), **outputs_of(out), **rounded)


def outputs_of(out: Tensor) -> dict[str, Any]:
    out = out.detach().float()
    flat = out.reshape(len(out), -1)
    finite = bool(out.isfinite().all())
    sums = flat.sum(1)
    several = flat.shape[1] > 1 and finite
    shares = several and all_one(sums) and bool((flat >= 0).all())
    over_rows = several and not shares and len(flat) > 1 and all_one(flat.sum(0)) and bool((flat >= 0).all())
    return {
        "out_low": float(out.min()),
        "out_high": float(out.max()),
        "out_std": float((flat - flat.mean(0)).std(correction=0)),
        "out_zero": float((out == 0).float().mean()),
        "sums_to_one": shares,
        "columns_sum_to_one": over_rows,
        "log_shares": several and all_one(flat.exp().sum(1)),
        "outputs": flat.shape[1],
        "finite": finite,
    }


def all_one(sums: Tensor) -> bool:
    return bool(((sums - 1).abs() < 1e-3).all())


def weight_facts(rows: Tensor) -> dict[str, Any]:
    """What a layer's weights alone say."""
    fan_in = rows.shape[1]
    return {
        "inputs": fan_in,
        "outputs": len(rows),
        "gain": float(rows.square().mean().sqrt()) * fan_in**0.5,
        "same": len(rows) > 1 and bool((rows == rows[0]).all()),
        "weight": float(rows.norm()),
    }


def layer(one: Weighted, facts: dict[str, Any], numbers: dict[str, float], **state: Any) -> Layer:
    """A layer's reading from its weights and the numbers of a forward pass; `state` is what remains of `Layer`."""
    return Layer(
        path=one.path,
        kind=one.kind,
        in_zero=numbers.get("in_zero", 0.0),
        in_still=numbers.get("in_still", 0.0),
        in_ends=numbers.get("in_ends", 0.0),
        out_std=numbers["out_std"],
        out_largest=numbers["out_largest"],
        **facts,
        **state,
    )
