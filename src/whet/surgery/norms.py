"""Normalisations and dropout: replaced, removed, put behind layers; batch norm folded into the layer in front."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.overrides import TorchFunctionMode

from whet.errors import UserError
from whet.norm import NORMS, complete
from whet.surgery import layers
from whet.surgery import sample as samples
from whet.surgery.changes import Change, Changes, set_value
from whet.surgery.layers import Which
from whet.surgery.modules import every_module, module_at

BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
OF_SECOND = (*BATCH, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
OF_LAST = (nn.LayerNorm, nn.RMSNorm)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

New = str | Callable[[int], nn.Module]
"""A name in whet.norm, or a function: number of channels -> module."""


def replace_norms(
    model: nn.Module, new: New, *, where: Which = None, inplace: bool = False
) -> tuple[nn.Module, Changes]:
    """The model with other normalisations, and what was done. "none" removes them.

    The channels are those of the old one; its scale and shift are not taken over. Norms over the last dimension (of
    transformers) become "layer", "rms" or "none" only, or what your function makes.
    """
    model = layers.target(model, inplace)
    changes = Changes()
    for path, old in list(layers.chosen(model, (*OF_SECOND, *OF_LAST), where)):
        made = _make(new, path, old)
        if repr(made) == repr(old):
            changes.kept.append(f"{path}: {type(old).__name__} already")
        else:
            layers.swap(model, path, old, made, changes)
    return _completed(new, model, changes)


def _completed(new: New, model: nn.Module, changes: Changes) -> tuple[nn.Module, Changes]:
    """… with what the norm asks of the layers: weight standardisation is theirs."""
    for path in complete(new, model) if isinstance(new, str) else ():
        undo = functools.partial(_plain_weight, module_at(model, path))
        changes.add(Change(path, "weight", "standardised weight", "attribute"), undo)
    return model, changes


def _plain_weight(layer: nn.Module) -> None:
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


def _make(new: New, path: str, old: Any) -> nn.Module:
    channels = getattr(old, "num_features", None) or getattr(old, "num_channels", None) or old.normalized_shape[-1]
    if not isinstance(new, str):
        return new(channels)
    entry = NORMS[new]
    if isinstance(old, OF_SECOND):
        return _over_second(entry, channels, old)
    if entry.name not in ("layer", "rms", "none"):
        raise UserError(
            f"{path} normalises the last dimension, and {entry.name!r} the second.",
            "Use 'layer', 'rms', 'none' or a function.",
        )
    over_last: dict[str, Callable[[int], nn.Module]] = {
        "layer": nn.LayerNorm,
        "rms": nn.RMSNorm,
        "none": lambda _: nn.Identity(),
    }
    return over_last[entry.name](channels)


def _over_second(entry: Any, channels: int, old: nn.Module) -> nn.Module:
    dims = 1 if isinstance(old, nn.BatchNorm1d) else 2
    made: nn.Module = entry.make(channels, dims, **entry.defaults)
    return made


def insert_norms(
    model: nn.Module, new: New, *, after: Which = None, inplace: bool = False
) -> tuple[nn.Module, Changes]:
    """The model with a normalisation behind each of these linear and convolutional layers; weights keep their names."""
    model = layers.target(model, inplace)
    changes = Changes()
    for path, layer in list(layers.chosen(model, LAYERS, after)):
        channels: Any = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
        dims = 1 if isinstance(layer, nn.Linear | nn.Conv1d) else 2
        made = NORMS[new].make(channels, dims, **NORMS[new].defaults) if isinstance(new, str) else new(channels)
        layers.append(path, layer, "norm", made, changes)
    return _completed(new, model, changes)


def set_dropout(model: nn.Module, p: float, *, where: Which = None) -> Changes:
    """Set the share that these dropout layers drop, in place; 0 removes their effect."""
    if not 0 <= p < 1:
        raise UserError(
            f"p={p!r} is no share that can be dropped.", "Give a number from 0 up to, but not including, 1."
        )
    samples.check(model)
    changes = Changes()
    for path, layer in layers.chosen(model, DROPOUTS, where):
        if layer.p != p:
            changes.add(Change(path, f"p={layer.p}", f"p={p}", "attribute"), set_value(layer, "p", p))
    return changes


def insert_dropout(
    model: nn.Module, p: float, *, after: Which = None, inplace: bool = False
) -> tuple[nn.Module, Changes]:
    """The model with dropout behind each of these linear and convolutional layers; weights keep their names."""
    model = layers.target(model, inplace)
    changes = Changes()
    for path, layer in list(layers.chosen(model, LAYERS, after)):
        made = nn.Dropout2d(p) if isinstance(layer, nn.Conv2d) else nn.Dropout(p)
        layers.append(path, layer, "dropout", made, changes)
    return model, changes


class Feeds(TorchFunctionMode):
    """Which layer's result goes into which batch norm, and nowhere else."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.made: dict[int, tuple[Tensor, str]] = {}
        self.uses: dict[int, int] = {}
        self.calls: dict[str, int] = {}
        self.pairs: list[tuple[str, str, int]] = []
        for path, module in every_module(model):
            if isinstance(module, LAYERS):
                module.register_forward_hook(lambda m, _, y, path=path: self._layer(path, y))
            if isinstance(module, BATCH):
                module.register_forward_pre_hook(lambda m, x, path=path: self._norm(path, x[0]))

    def _layer(self, path: str, y: Tensor) -> None:
        self.made[id(y)] = (y, path)
        self.calls[path] = self.calls.get(path, 0) + 1

    def _norm(self, path: str, x: Tensor) -> None:
        self.calls[path] = self.calls.get(path, 0) + 1
        if id(x) in self.made:
            self.pairs.append((self.made[id(x)][1], path, id(x)))

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") not in ("__get__", "dim", "size"):
            for tensor in samples.tensors_in([args, kwargs or {}]):
                if id(tensor) in self.made:  # kept alive there; any other id may come back as another tensor's
                    self.uses[id(tensor)] = self.uses.get(id(tensor), 0) + 1
        return function(*args, **(kwargs or {}))

    def exclusive(self) -> list[tuple[str, str]]:
        """Pairs of a layer and a norm that are called once, and of which only the norm reads what the layer gives."""
        return [(a, b) for a, b, key in self.pairs if self.calls[a] == self.calls[b] == self.uses[key] == 1]


def fuse_norms(model: nn.Module, *, sample: Any, inplace: bool = False) -> tuple[nn.Module, Changes]:
    """The model with every batch norm folded into the layer in front of it, where nothing else reads that layer's result.

    Only for evaluation: running averages are frozen into the weights, and the result is the same up to rounding. The
    norms leave identities behind, so that names stay. Norms that stay are in `kept`, each with the reason.
    """
    model = layers.target(model, inplace)
    if any(m.training for m in model.modules() if isinstance(m, BATCH)):
        raise UserError("Batch norm in training can't be folded: it depends on the batch.", "Call model.eval() first.")
    copied = samples.twin(model)
    feeds = Feeds(copied)
    with samples.quietly(False, copied), feeds:
        samples.run(copied, sample)
    changes = Changes()
    for layer_path, norm_path in feeds.exclusive():
        layer, norm = module_at(model, layer_path), module_at(model, norm_path)
        fuse: Any = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
        if norm.running_mean is not None:
            layers.swap(model, layer_path, layer, fuse(layer, norm), changes)
            layers.swap(model, norm_path, norm, nn.Identity(), changes)
    _say_kept(model, feeds, changes)
    return model, changes


def _say_kept(model: nn.Module, feeds: Feeds, changes: Changes) -> None:
    """Why each batch norm that is left was not folded."""
    fed = {norm for _, norm, _ in feeds.pairs}
    alone = {norm for _, norm in feeds.exclusive()}
    for path, norm in every_module(model):
        if not isinstance(norm, BATCH):
            continue
        if path in alone:
            why = "it keeps no running averages"
        elif path in fed:
            why = "others read what it normalises, or it is called more than once"
        else:
            why = "it does not directly follow a linear or convolutional layer (transposed ones are not folded)"
        changes.kept.append(f"{path}: {type(norm).__name__}, {why}")
