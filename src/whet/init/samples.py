"""The input on which a model is looked at: the caller's, or one made up to fit its first layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd

from whet.init.walk import LAYERS, evaluating

SIDES = (32, 28, 8, 16, 64, 96, 128, 224)
"""Of made-up pictures, tried in turn."""
ROWS = 4


def as_call(sample: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments: of a tensor, a tuple of arguments, or a dict of keyword arguments."""
    if isinstance(sample, Mapping):
        return (), dict(sample)
    return (tuple(sample), {}) if isinstance(sample, tuple) else ((sample,), {})


def made_up(model: nn.Module) -> Tensor | None:
    """Standard normal numbers, or indices, in a shape that the model takes; None if no shape is found."""
    generator = torch.Generator().manual_seed(0)
    place = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    for layer in [m for m in model.modules() if isinstance(m, LAYERS)][:1]:
        for made in _shapes(layer, generator):
            x = made.to(place.device, place.dtype if made.is_floating_point() else None)
            if _runs(model, x):
                return x
    return None


def _runs(model: nn.Module, x: Tensor) -> bool:
    try:
        with evaluating(model), torch.no_grad():
            model(x)
    except Exception:  # of any kind: the model's own code met a shape that it does not expect
        return False
    return True


def _shapes(layer: nn.Module, g: Generator) -> Iterator[Tensor]:
    if isinstance(layer, _ConvNd):
        for side in SIDES:
            yield torch.randn(ROWS, layer.in_channels, *[side] * len(layer.kernel_size), generator=g)
    elif isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        yield torch.randint(layer.num_embeddings, (ROWS, 8), generator=g)
        yield torch.randint(layer.num_embeddings, (ROWS,), generator=g)
    elif width := _width(layer):
        yield torch.randn(ROWS, width, generator=g)
        yield torch.randn(ROWS, 8, width, generator=g)


def _width(layer: nn.Module) -> int:
    for name in ("in_features", "input_size", "embed_dim"):
        if isinstance(width := getattr(layer, name, None), int):
            return width
    return 0
