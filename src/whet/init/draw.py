"""Weights drawn from a passed generator.

A layer whose parameter is frozen, or carries `param.keep_init = True`, is left as it is. Numbers are drawn on the CPU
in the order of the shape, so that they don't depend on the device, the memory format or torch's global generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd

Initialise = Callable[[nn.Module, Generator], None]
Fill = Callable[[Tensor, Generator], object]
"""Fills a float32 CPU tensor of a weight's shape in place."""


def default() -> Initialise:
    """torch's own: uniform in +-1/sqrt(fan in), the bias too."""

    def weight(w: Tensor, g: Generator) -> object:
        return nn.init.kaiming_uniform_(w, a=math.sqrt(5), generator=g)

    def init(model: nn.Module, generator: Generator) -> None:
        for layer in layers(model):
            redraw(layer.weight, weight, generator)
            redraw(layer.bias, uniform(1 / math.sqrt(max(1, fan_in(layer)))), generator)

    return init


def he(gain: float) -> Initialise:
    """Var(w) = gain^2 / fan in."""
    return _with_zero_bias(lambda w, g: w.normal_(0, gain / math.sqrt(max(1, w[0].numel())), generator=g))


def lecun() -> Initialise:
    """Var(w) = 1 / fan in."""
    return he(1.0)


def xavier(gain: float) -> Initialise:
    """Var(w) = 2 gain^2 / (fan in + fan out), uniform."""
    return _with_zero_bias(lambda w, g: nn.init.xavier_uniform_(w, gain, generator=g))


def orthogonal(gain: float) -> Initialise:
    """W W^T = gain^2 I or W^T W = gain^2 I, whichever is smaller; a filter counts as a row."""
    return _with_zero_bias(lambda w, g: nn.init.orthogonal_(w, gain, generator=g))


def layers(model: nn.Module) -> Iterator[nn.Linear | _ConvNd]:
    """The Linear and Conv layers, each once, in the order in which they were registered."""
    return (m for m in model.modules() if isinstance(m, nn.Linear | _ConvNd))


def uniform(bound: float) -> Fill:
    return lambda param, g: param.uniform_(-bound, bound, generator=g)


def fan_in(layer: nn.Linear | _ConvNd) -> int:
    """How many inputs reach one output."""
    return layer.weight[0].numel()


@torch.no_grad()
def redraw(param: Tensor | None, fill: Fill, generator: Generator) -> None:
    """Fill a trainable parameter with fresh numbers."""
    if param is None or not param.requires_grad or getattr(param, "keep_init", False):
        return
    fresh = torch.zeros(param.shape)
    fill(fresh, generator)
    param.copy_(fresh)


def _with_zero_bias(weight: Fill) -> Initialise:
    def init(model: nn.Module, generator: Generator) -> None:
        for layer in layers(model):
            redraw(layer.weight, weight, generator)
            redraw(layer.bias, lambda b, g: None, generator)

    return init
