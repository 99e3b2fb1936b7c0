"""A hidden layer made wider, with the norm and the layer behind it: linear ones, embeddings, recurrent ones."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import UserError
from whet.setups.operations import put

INPUTS = ("in_features", "num_embeddings", "input_size")
OUTPUTS = ("out_features", "embedding_dim", "hidden_size")
"""What torch's layers call their sizes."""
RECURRENT = [
    "input_size",
    "hidden_size",
    "num_layers",
    "bias",
    "batch_first",
    "dropout",
    "bidirectional",
    "nonlinearity",
]
"""What a recurrent layer's constructor takes."""
KINDS = (nn.Linear, nn.Embedding, nn.EmbeddingBag, nn.RNNBase)
NORMS = (nn.LayerNorm, nn.RMSNorm, nn.BatchNorm1d)


@dataclass(frozen=True)
class Widen:
    """A hidden layer with more units, and the next one that takes what it gives with as many inputs, norms between them too."""

    path: str
    width: int
    together: bool = False
    """Whether recurrent layers of the same kind and size, which may be given its state, are widened with it."""

    def __call__(self, model: nn.Module) -> nn.Module:
        layers = [(path, m) for path, m in model.named_modules() if isinstance(m, KINDS)]
        at = next(i for i, (path, _) in enumerate(layers) if path == self.path)
        old, behind = layers[at][1], [*layers[at + 1 :], *layers[:at]]  # what comes next may be made first
        name, units = named(old, OUTPUTS)
        times = 2 if getattr(old, "bidirectional", False) else 1
        takers = [(path, m) for path, m in behind if named(m, INPUTS)[1] == times * units]
        if not takers:
            raise UserError(f"No layer takes what {self.path} gives.", "Widen it in your own code.")
        peers = [path for path, m in behind if self.together and isinstance(old, nn.RNNBase) and is_peer(m, old)]
        if peers:
            return self.with_peers(model, peers, [path for path, _ in takers], times)
        after = takers[0]
        for path, norm in norms_between(model, self.path, after[0], times * units):
            put(model, path, drawn_like(norm, **{size_of(norm): times * self.width}))
        put(model, self.path, drawn_like(old, **{name: self.width}))
        put(model, after[0], drawn_like(after[1], **{named(after[1], INPUTS)[0]: times * self.width}))
        return model

    def with_peers(self, model: nn.Module, peers: list[str], takers: list[str], times: int) -> nn.Module:
        """All recurrent layers of these units, and all layers that take what one of them gives."""
        for path in (self.path, *peers):
            put(model, path, drawn_like(model.get_submodule(path), hidden_size=self.width))
        for path in takers:
            layer = model.get_submodule(path)
            if isinstance(layer, nn.Embedding | nn.EmbeddingBag):  # as many words, by chance
                continue
            put(model, path, drawn_like(layer, **{named(layer, INPUTS)[0]: times * self.width}))
        return model

    def code(self) -> list[str]:
        more = ", together=True" if self.together else ""
        return [f"model = whet.setups.widths.Widen({self.path!r}, {self.width}{more})(model)"]


def is_peer(m: nn.Module, old: nn.RNNBase) -> bool:
    """Whether it is a recurrent layer of the same kind and as many units, to which a state can be handed on."""
    return type(m) is type(old) and (m.hidden_size, m.num_layers) == (old.hidden_size, old.num_layers)


def norms_between(model: nn.Module, first: str, last: str, units: int) -> list[tuple[str, nn.Module]]:
    """The norms of so many units that stand, as the model was put together, after one layer and before the other."""
    paths = {path: i for i, (path, _) in enumerate(model.named_modules())}
    norms = [(path, m) for path, m in model.named_modules() if isinstance(m, NORMS)]
    between = [(path, m) for path, m in norms if paths[first] < paths[path] < paths[last]]
    return [(path, m) for path, m in between if getattr(m, size_of(m)) in (units, (units,))]


def size_of(norm: nn.Module) -> str:
    """What a norm calls its size."""
    return "num_features" if isinstance(norm, nn.BatchNorm1d) else "normalized_shape"


def named(layer: nn.Module, names: tuple[str, ...]) -> tuple[str, int]:
    """(what a layer calls one of its sizes, the size)."""
    return next((name, int(getattr(layer, name))) for name in names if hasattr(layer, name))


def drawn_like(old: nn.Module, **sizes: int) -> nn.Module:
    """A fresh layer of another size and all else alike, its weights of the old one's length per unit."""
    new = type(old)(**settings(old) | sizes)
    if isinstance(old, nn.Linear):
        with torch.no_grad():
            new.weight.mul_(gain(old.weight) / max(1e-12, gain(new.weight)))  # type: ignore[operator, arg-type]
    return new.train(old.training)


def gain(weight: Tensor) -> float:
    """The spread of weights times the root of their inputs."""
    return float(weight.detach().square().mean().sqrt()) * weight.shape[1] ** 0.5


def settings(layer: nn.Module) -> dict[str, Any]:
    """What a layer's constructor was given; a bias is a tensor, or a switch."""
    names = RECURRENT if isinstance(layer, nn.RNNBase) else inspect.signature(type(layer).__init__).parameters
    found = {n: getattr(layer, n) for n in names if hasattr(layer, n)}
    return {n: v is not None if n == "bias" and not isinstance(v, bool) else v for n, v in found.items()}
