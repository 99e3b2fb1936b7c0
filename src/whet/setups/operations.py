"""Changes of a fresh model: scales in front and behind, other functions, other weights. Each can be written as code."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whet import init, surgery
from whet.surgery import Place

Sample = tuple[Tensor, ...]
LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def as_sample(sample: Sample) -> Any:
    return sample[0] if len(sample) == 1 else sample


def quietly(model: nn.Module, change: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """A change, without torch's warnings about code that surgery traces; the mode stays."""
    was = model.training
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = change(model)
    return changed.train(was)


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and spread of one input."""

    mean: Tensor
    spread: Tensor
    fills: bool = False
    """Whether values that are no numbers become the mean."""

    @classmethod
    def of(cls, x: Tensor) -> Scale:
        """The statistics of training rows: per feature of vectors, per channel of images; of what is a number."""
        dims = [i for i in range(x.dim()) if i != unit_axis(x)]
        known = x.isfinite()
        holes = not bool(known.all())
        x = torch.where(known, x.float(), torch.nan) if holes else x.float()
        mean = x.nanmean(dims, keepdim=True).nan_to_num() if holes else x.mean(dims, keepdim=True)
        square = (x - mean).square().nanmean(dims, keepdim=True).nan_to_num()
        spread = square.sqrt() if holes else x.std(dims, correction=0, keepdim=True)
        return cls(mean[0], torch.where(spread > 1e-12, spread, torch.ones_like(spread))[0], holes)


def unit_axis(x: Tensor) -> int:
    """Where channels or features are: of (rows, a, b) along that axis along which means and spreads differ more, since series
    come as (rows, channel, time) and as (rows, time, feature)."""
    if x.dim() != 3:
        return 1
    known = torch.where(x.isfinite(), x.float(), 0.0)

    def uneven(axis: int) -> float:
        others = [0, 3 - axis]
        mean, spread = known.mean(others), known.std(others, correction=0)
        largest = max(1e-12, float(spread.max()))
        return max(largest / max(1e-9 * largest, float(spread.min())), float(mean.max() - mean.min()) / largest)

    return 1 if uneven(1) >= uneven(2) else 2


class Scaled(nn.Module):
    """A network that takes raw inputs: those that have a scale are brought to mean 0 and spread 1 in front of it."""

    def __init__(self, network: nn.Module, scales: tuple[Scale | None, ...]) -> None:
        super().__init__()
        self.network = network
        self.fills = [scale is not None and scale.fills for scale in scales]
        for i, scale in enumerate(scales):
            if scale is not None:
                self.register_buffer(f"mean{i}", scale.mean)
                self.register_buffer(f"spread{i}", scale.spread)

    def forward(self, *inputs: Tensor) -> Tensor:
        said: Tensor = self.network(*(self.scaled(x, i) for i, x in enumerate(inputs)))
        return said

    def scaled(self, x: Tensor, place: int) -> Tensor:
        """One of the inputs."""
        if not hasattr(self, f"mean{place}"):
            return x
        x = (x - getattr(self, f"mean{place}")) / getattr(self, f"spread{place}")
        return torch.where(x.isfinite(), x, 0.0) if self.fills[place] else x


@dataclass(frozen=True, eq=False)
class ScaleInputs:
    """(x - mean) / spread in front of the network, with the training part's mean and spread of each input."""

    scales: tuple[Scale | None, ...]
    """None for indices, and for yes or no: they have no scale."""

    @classmethod
    def of(cls, *inputs: Tensor) -> ScaleInputs:
        """By training rows; several inputs of one shape, as twins are, share one scale."""
        able = [has_scale(x) for x in inputs]
        alike = len(inputs) > 1 and all(able) and len({x.shape for x in inputs}) == 1
        if alike:
            return cls((Scale.of(torch.cat(inputs)),) * len(inputs))
        return cls(tuple(Scale.of(x) if known else None for x, known in zip(inputs, able, strict=True)))

    @property
    def fills(self) -> bool:
        return any(scale is not None and scale.fills for scale in self.scales)

    def __call__(self, model: nn.Module) -> nn.Module:
        return Scaled(model, self.scales).train(model.training)

    def code(self) -> list[str]:
        given = "X" if len(self.scales) == 1 else "*X"
        said = f"model = whet.setups.operations.ScaleInputs.of({given})(model)"
        return [f"{said}  # (x - mean) / spread of the training rows"]


def has_scale(x: Tensor) -> bool:
    """Whether an input is numbers, and not indices or yes and no."""
    return x.is_floating_point() and not bool(((x == 0) | (x == 1)).all())


Numbers = float | tuple[float, ...]
"""One for all columns of the targets, or one for each."""
MOST_QUANTITIES = 16
"""Columns of targets from which on they are taken for parts of one thing, as pixels are, with one scale for all."""


class Stretched(nn.Module):
    """A network whose outputs are in the target's own units."""

    mean: Tensor
    spread: Tensor

    def __init__(self, network: nn.Module, mean: Numbers, spread: Numbers) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("spread", torch.tensor(spread))

    def forward(self, *inputs: Tensor) -> Tensor:
        said: Tensor = self.network(*inputs) * self.spread + self.mean
        return said


@dataclass(frozen=True)
class StretchOutputs:
    """output * spread + mean behind the network, with the training targets' mean and spread."""

    mean: Numbers
    spread: Numbers

    def __call__(self, model: nn.Module) -> nn.Module:
        return Stretched(model, self.mean, self.spread).train(model.training)

    def code(self) -> list[str]:
        return [f"model = whet.setups.operations.StretchOutputs({self.mean!r}, {self.spread!r})(model)"]


@dataclass(frozen=True, eq=False)
class AutoInit:
    """Initial weights by theory and one batch: `whet.init.auto_`."""

    sample: Sample
    step: float
    """How far the optimiser moves a weight in one step; 0 where steps are as long as gradients."""

    def __call__(self, model: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(torch.initial_seed() % (1 << 63))

        def drawn(model: nn.Module) -> nn.Module:
            init.auto_(model, as_sample(self.sample), generator, step=self.step)
            return model

        return quietly(model, drawn)

    def code(self) -> list[str]:
        return [f"whet.init.auto_(model, X[:{len(self.sample[0])}], step={self.step:g})"]


NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
FAR_GAIN = 3.0
"""Times 1, or 1 by that, from where on a norm's gain is not usual; zeros are meant."""


def odd_norms(model: nn.Module) -> list[nn.Module]:
    """Norms that start with gains far from 1."""
    gains = [
        (m, m.weight.detach().abs().mean()) for m in model.modules() if isinstance(m, NORMS) and m.weight is not None
    ]
    return [m for m, gain in gains if gain > 0 and not 1 / FAR_GAIN < gain < FAR_GAIN]


@dataclass(frozen=True)
class UsualNorms:
    """Gains of 1 and offsets of 0 in norms that start far from that."""

    def __call__(self, model: nn.Module) -> nn.Module:
        for norm in odd_norms(model):
            norm.reset_parameters()  # type: ignore[operator]
        return model

    def code(self) -> list[str]:
        return ["model = whet.setups.operations.UsualNorms()(model)"]


@dataclass(frozen=True, eq=False)
class ReplaceActivations:
    """Another function in the place of those of these names, or roles."""

    new: str
    where: tuple[str, ...]
    sample: Sample

    def __call__(self, model: nn.Module) -> nn.Module:
        def replaced(model: nn.Module) -> nn.Module:
            names = self.where

            def means(place: Place) -> bool:
                return place.what in names or place.role in names

            return surgery.replace_activations(model, self.new, sample=as_sample(self.sample), where=means)[0]

        return quietly(model, replaced)

    def code(self) -> list[str]:
        said = f"lambda place: place.what in {self.where!r} or place.role in {self.where!r}"
        return [f"model, _ = whet.surgery.replace_activations(model, {self.new!r}, sample=X[:8], where={said})"]


class Followed(nn.Module):
    """A layer with a function behind it; its weights keep their names one level down."""

    def __init__(self, layer: nn.Module, function: nn.Module) -> None:
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, *inputs: Tensor) -> Tensor:
        said: Tensor = self.function(self.layer(*inputs))
        return said


@dataclass(frozen=True)
class InsertActivations:
    """A function behind every linear and convolutional layer but the last."""

    new: str = "relu"
    """"relu" or "elu"."""

    def __call__(self, model: nn.Module) -> nn.Module:
        layers = [(path, m) for path, m in model.named_modules() if isinstance(m, LINEAR)]
        for path, layer in layers[:-1]:
            put(model, path, Followed(layer, {"relu": nn.ReLU, "elu": nn.ELU}[self.new]()))
        return model

    def code(self) -> list[str]:
        return [f"model = whet.setups.operations.InsertActivations({self.new!r})(model)  # behind each hidden layer"]


def put(model: nn.Module, path: str, new: nn.Module) -> None:
    """A module in the place of the one with this path."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, new)


@dataclass(frozen=True)
class SetDropout:
    """Another share for dropout layers that drop more."""

    share: float

    def __call__(self, model: nn.Module) -> nn.Module:
        for module in model.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > self.share:
                module.p = self.share
        return model

    def code(self) -> list[str]:
        return [f"whet.surgery.set_dropout(model, {self.share})"]


@dataclass(frozen=True)
class Unfreeze:
    """Every weight may change."""

    def __call__(self, model: nn.Module) -> nn.Module:
        return model.requires_grad_(True)

    def code(self) -> list[str]:
        return ["model.requires_grad_(True)"]


@dataclass(frozen=True)
class ChangeOutput:
    """Another function at the very end: what the network computes last is undone by leaving it out."""

    new: str
    """"none", "sigmoid" or "softmax"."""
    old: str

    def __call__(self, model: nn.Module) -> nn.Module:
        return Ended(model, self.old, self.new).train(model.training)

    def code(self) -> list[str]:
        return [f"model = whet.setups.operations.ChangeOutput({self.new!r}, {self.old!r})(model)"]


class Ended(nn.Module):
    """A network without the last function that it calls, and with another one."""

    def __init__(self, network: nn.Module, old: str, new: str) -> None:
        super().__init__()
        self.network, self.old, self.new = network, old, new

    def forward(self, *inputs: Tensor) -> Tensor:
        from whet.setups.ends import before_last

        said = before_last(self.network, self.old, inputs)
        if self.new == "sigmoid":
            return said.sigmoid()
        return said.softmax(-1) if self.new == "softmax" else said
