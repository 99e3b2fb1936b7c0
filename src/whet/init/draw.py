"""Weights drawn layer by layer from a passed generator.

A parameter that is frozen, or carries `param.keep_init = True`, is left as it is. Numbers are drawn on the CPU in the
order of the shape, so that they don't depend on the device, the memory format or torch's global generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from whet.errors import RecipeError, did_you_mean, nearest
from whet.init.isometry import Layer, delta_orthogonal_weight, identity_weight, plain_orthogonal_weight
from whet.init.packed import Packed

Initialise = Callable[[nn.Module, Generator], None]
Fill = Callable[[Tensor, Generator], object]
"""Fills a float32 CPU tensor of a weight's shape in place."""

TRUNCATED = 0.87962566103423978
"""Standard deviation of a standard normal variable cut off at +-2."""


def default() -> Initialise:
    """torch's own: uniform in +-1/sqrt(fan in), the bias too."""

    def weight(w: Tensor, g: Generator) -> object:
        return nn.init.kaiming_uniform_(w, a=math.sqrt(5), generator=g)

    def init(model: nn.Module, generator: Generator) -> None:
        for layer in layers(model):
            redraw(parameter_of(layer), each_member(layer, weight), generator)
            inputs = layer.in_features if isinstance(layer, Packed) else layer.weight[0].numel()
            redraw(layer.bias, uniform(1 / math.sqrt(max(1, inputs))), generator)

    return init


def he(gain: float, distribution: str = "normal") -> Initialise:
    """Var(w) = gain^2 / fan in."""
    return _each(lambda layer: drawn(distribution, gain / math.sqrt(max(1, fan_in(layer)))), distribution)


def lecun(distribution: str = "normal") -> Initialise:
    """Var(w) = 1 / fan in."""
    return he(1.0, distribution)


def xavier(gain: float, distribution: str = "uniform") -> Initialise:
    """Var(w) = 2 gain^2 / (fan in + fan out)."""
    return _each(
        lambda layer: drawn(distribution, gain * math.sqrt(2 / max(1, fan_in(layer) + fan_out(layer)))), distribution
    )


def orthogonal(gain: float) -> Initialise:
    """W W^T = gain^2 I or W^T W = gain^2 I, whichever is smaller; a filter counts as a row."""
    return _each(lambda layer: lambda w, g: plain_orthogonal_weight(w, g).mul_(gain))


def delta_orthogonal(gain: float) -> Initialise:
    """A convolution's middle tap orthogonal, its other taps 0; linear layers orthogonal."""
    return _each(lambda layer: lambda w, g: w.copy_(delta_orthogonal_weight(layer, g)).mul_(gain))


def identity(gain: float) -> Initialise:
    """Each output starts as gain times one input, a convolution's at the middle tap."""
    return _each(lambda layer: lambda w, g: w.copy_(identity_weight(layer)).mul_(gain))


def layers(model: nn.Module) -> Iterator[Layer]:
    """The linear and convolutional layers, each once, in the order in which they were registered."""
    return (m for m in model.modules() if isinstance(m, Layer))


def each_member(layer: nn.Module, fill: Fill) -> Fill:
    """`fill` for a weight of (outputs, inputs, …); for each member's, where several linear layers are packed in one."""
    if not isinstance(layer, Packed):
        return fill

    def fill_all(weight: Tensor, g: Generator) -> None:  # (members, inputs, outputs)
        for member in weight:
            matrix = torch.zeros(member.shape[::-1])
            fill(matrix, g)
            member.copy_(matrix.T)

    return fill_all


def uniform(bound: float) -> Fill:
    return lambda param, g: param.uniform_(-bound, bound, generator=g)


def drawn(distribution: str, std: float) -> Fill:
    """Numbers of mean 0 and this standard deviation; "truncated" is a normal law cut off at two of its own."""
    if distribution == "uniform":
        return uniform(math.sqrt(3) * std)
    if distribution == "normal":
        return lambda w, g: w.normal_(0, std, generator=g)
    wide = std / TRUNCATED
    return lambda w, g: nn.init.trunc_normal_(w, 0, wide, -2 * wide, 2 * wide, generator=g)


def fan_in(layer: Layer) -> int:
    """How many inputs reach one output."""
    if isinstance(layer, _ConvNd):
        return layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    return layer.in_features


def fan_out(layer: Layer) -> int:
    """How many outputs one input reaches, strides aside."""
    if isinstance(layer, _ConvNd):
        return layer.out_channels // layer.groups * math.prod(layer.kernel_size)
    return layer.out_features


def parameter_of(module: nn.Module, name: str = "weight") -> nn.Parameter | None:
    """The parameter behind a weight or bias, also of a parametrised one of the same shape; None if there is no such."""
    if parametrize.is_parametrized(module, name):
        table = module.parametrizations
        behind = getattr(table[name], "original", None) if isinstance(table, nn.ModuleDict) else None
        return behind if behind is not None and behind.shape == getattr(module, name).shape else None
    param = getattr(module, name, None)
    return param if isinstance(param, nn.Parameter) else None


@torch.no_grad()
def redraw(param: Tensor | None, fill: Fill, generator: Generator) -> None:
    """Fill a trainable parameter with fresh numbers; it starts from 0."""
    if param is None or not param.requires_grad or getattr(param, "keep_init", False):
        return
    fresh = torch.zeros(param.shape)
    fill(fresh, generator)
    param.copy_(fresh)


def zero(param: Tensor, generator: Generator) -> None:
    """Leaves a fresh parameter at 0."""


def _each(weight: Callable[[Layer], Fill], distribution: str = "normal") -> Initialise:
    known = ("uniform", "normal", "truncated")
    if distribution not in known:
        raise RecipeError(
            f"distribution={distribution!r} is none of an initialisation.",
            did_you_mean(nearest(distribution, known), list(known)),
        )

    def init(model: nn.Module, generator: Generator) -> None:
        for layer in layers(model):
            redraw(parameter_of(layer), each_member(layer, weight(layer)), generator)
            redraw(layer.bias, zero, generator)

    return init
