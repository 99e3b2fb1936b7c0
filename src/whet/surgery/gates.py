"""From a plain activation to a gated one and back: the layer in front is made twice as wide, or half.

    W x + b  ->  relu        becomes        (W; V) x + (b; c)  ->  (W x + b) * gate(V x + c)

The first half keeps the old weights; V and c start as the layer's class draws them. Gates split (value, gate), as
torch's GLU does (Dauphin et al. 2017, arXiv:1612.08083; Shazeer 2020, arXiv:2002.05202).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from whet.activations import ACTIVATIONS
from whet.errors import UserError
from whet.surgery import layers, select
from whet.surgery.changes import Changes
from whet.surgery.find import find
from whet.surgery.modules import module_at
from whet.surgery.places import Place
from whet.surgery.replace import put

WIDENED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def make_gated(
    model: nn.Module, new: str = "swiglu", *, sample: Any, where: select.Where = None, inplace: bool = False
) -> tuple[nn.Module, Changes]:
    """The model with gated units where activations were, each with twice the outputs in the layer in front.

    `new` is a gated entry of the catalogue. Raises UserError where no linear or convolutional layer gives its result to
    the activation alone.
    """
    entry = _gated(new)
    places = select.chosen(find(model, sample), where, model)
    model = layers.target(model, inplace)
    changes = Changes()
    with changes.all_or_nothing():
        for place in places:
            layer = _layer_in_front(model, place)
            layers.swap(model, place.behind, layer, _resized(layer, 2), changes)
        put(model, [(p, entry.make(**entry.defaults, dim=p.channel_dim)) for p in places], sample, changes)
    return model, changes


def make_plain(
    model: nn.Module, new: Any = "relu", *, sample: Any, where: select.Where = None, inplace: bool = False
) -> tuple[nn.Module, Changes]:
    """The reverse: gated units become plain activations, and the layers in front keep the half that was the value."""
    gated = [p for p in find(model, sample) if _is_gated(module_at(model, p.path)) or p.what == "glu"]
    places = gated if where is None else select.chosen(gated, where, model)
    if not places:
        raise UserError("The model has no gated units that surgery knows.", "whet.surgery.find lists its places.")
    model = layers.target(model, inplace)
    changes = Changes()
    with changes.all_or_nothing():
        for place in places:
            layer = _layer_in_front(model, place)
            layers.swap(model, place.behind, layer, _resized(layer, 0.5), changes)
        put(model, [(p, new) for p in places], sample, changes)
    return model, changes


def _gated(name: str) -> Any:
    entry = ACTIVATIONS[name]
    if getattr(entry, "width", 1.0) != 0.5 or not getattr(entry, "wants_dim", False):
        gated = [e.name for e in ACTIVATIONS if getattr(e, "width", 1.0) == 0.5 and getattr(e, "wants_dim", False)]
        raise UserError(f"{entry.name} is no gated unit.", f"Choose one of {', '.join(gated)}.")
    return entry


def _is_gated(module: nn.Module) -> bool:
    return type(module).__module__ == "whet.activations.gated" or isinstance(module, nn.GLU)


def _layer_in_front(model: nn.Module, place: Place) -> nn.Module:
    layer = module_at(model, place.behind) if place.behind else None
    if not isinstance(layer, WIDENED) or getattr(layer, "groups", 1) != 1:
        raise UserError(
            f"{place.what} at {place.where} has no layer in front whose outputs can be doubled or halved.",
            "It takes a linear or ungrouped convolutional layer whose result goes to the activation alone; choose by where=.",
        )
    return layer


def _resized(layer: Any, factor: float) -> nn.Module:
    """The layer with `factor` times as many outputs: the first of them are the old ones."""
    size: dict[str, Any] = {
        n: getattr(layer, n)
        for n in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        if hasattr(layer, n)
    }
    inputs, outputs = (getattr(layer, f"{part}_{kind(layer)}") for part in ("in", "out"))
    weight = layer.weight
    made: Any = type(layer)(
        inputs, int(outputs * factor), bias=layer.bias is not None, **size, device=weight.device, dtype=weight.dtype
    )
    kept = min(outputs, made.weight.shape[0])
    with torch.no_grad():
        made.weight[:kept] = layer.weight[:kept]
        if layer.bias is not None:
            made.bias[:kept] = layer.bias[:kept]
    return made


def kind(layer: nn.Module) -> str:
    """What the layer's numbers of inputs and outputs are called: "features" or "channels"."""
    return "features" if isinstance(layer, nn.Linear) else "channels"
