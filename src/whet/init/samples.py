"""The input on which a model is looked at: the caller's, or one made up to fit its first layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd

from whet.errors import UserError
from whet.init.walk import LAYERS, evaluating
from whet.surgery.sample import check, run, tensors_in

SIDES = (32, 28, 8, 16, 64, 96, 128, 224)
"""Of made-up pictures, tried in turn."""
ROWS = 4


def ready(model: nn.Module, sample: Any, generator: object) -> nn.Module:
    """The model to initialise: what torch.compile was given, which has the same weights and can be walked.

    Raises UserError, with the model unchanged, for what is none, and for a sample or a generator that does not fit.
    """
    model = check(getattr(model, "_orig_mod", model))
    if "eval" in vars(model):  # torch.export's: it refuses evaluation mode, and its layers are flat calls
        raise UserError(
            "The model is an exported program, whose layers can't be told apart.",
            "Initialise the model first, then torch.export.export it.",
        )
    if not (generator is None or isinstance(generator, Generator)):
        raise UserError(f"generator={generator!r} is no torch.Generator.", "Write torch.Generator().manual_seed(0).")
    if sample is not None:
        _check_sample(model, sample)
    return model


def _check_sample(model: nn.Module, sample: Any) -> None:
    with evaluating(model), torch.no_grad():
        run(model, sample)
    if not all(t.isfinite().all() for t in tensors_in(sample)):
        raise UserError("The sample holds numbers that are not finite.", "Give a batch as the model is to learn from.")
    if any(t.ndim and not len(t) for t in tensors_in(sample)):
        raise UserError("The sample is empty.", "Give a batch as the model is to learn from, or none.")


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
