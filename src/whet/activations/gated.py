"""Activations that change the number of channels: gates, maxout, and relu of both signs.

A gate splits its input into two halves, (value, gate), along one dimension, as torch's own nn.GLU does: the second half
decides how much of the first passes. The layer in front has to give twice as many channels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from whet.activations.differentiable import check_floating
from whet.activations.entry import Activation
from whet.errors import RecipeError

SHAZEER = "Shazeer 2020, GLU Variants Improve Transformer, arXiv:2002.05202"


def check_dimension(name: str, x: Tensor) -> None:
    """Raises RecipeError for a single number."""
    if x.ndim == 0:
        raise RecipeError(f"{name} works along a dimension, and a single number has none.", "Give it x.unsqueeze(0).")


def check_divides(name: str, x: Tensor, dim: int, by: int) -> None:
    """Raises RecipeError where the channels can't be split into equal parts."""
    check_dimension(name, x)
    if x.shape[dim] % by:
        raise RecipeError(
            f"{name} splits dimension {dim} into {by} equal parts, but it has {x.shape[dim]} entries.",
            f"Give the layer in front {by} times as many outputs.",
        )


class GLU(nn.GLU):
    """torch's own, which says what it can't split."""

    def forward(self, input: Tensor) -> Tensor:
        check_floating(input)
        check_divides("glu", input, self.dim, 2)
        return super().forward(input)


class Gate(nn.Module):
    """value(first half) * gate(second half): (…, 2 n, …) -> (…, n, …)."""

    def __init__(self, gate: nn.Module, dim: int = -1, value: nn.Module | None = None) -> None:
        super().__init__()
        self.gate, self.value, self.dim = gate, value, dim

    def forward(self, x: Tensor) -> Tensor:
        check_floating(x)
        check_divides("a gate", x, self.dim, 2)
        value, gate = x.chunk(2, self.dim)
        return (value if self.value is None else self.value(value)) * self.gate(gate)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Maxout(nn.Module):
    """The largest of each group of `pieces` neighbouring channels: (…, pieces n, …) -> (…, n, …)."""

    def __init__(self, pieces: int = 2, dim: int = -1) -> None:
        super().__init__()
        self.pieces, self.dim = int(pieces), dim

    def forward(self, x: Tensor) -> Tensor:
        check_divides("maxout", x, self.dim, self.pieces)
        dim = self.dim % x.ndim
        return x.unflatten(dim, (-1, self.pieces)).amax(dim + 1)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}, dim={self.dim}"


class CReLU(nn.Module):
    """relu(x) and relu(-x), one after the other: (…, n, …) -> (…, 2 n, …). Nothing of x is lost."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        check_dimension("crelu", x)
        return torch.cat((x, -x), self.dim).relu()

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def of_gate(gate: type[nn.Module], value: type[nn.Module] | None = None) -> Callable[..., nn.Module]:
    """A maker of gates; `value` is applied to the half that passes."""
    return lambda dim=-1: Gate(gate(), dim, value() if value else None)


ENTRIES = [
    Activation(
        "glu",
        GLU,
        "value sigmoid(gate).",
        kind="gated",
        year=2016,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper="Dauphin et al. 2017, Language Modeling with Gated Convolutional Networks, arXiv:1612.08083, section 2",
        cost="one exponential; a layer in front twice as wide",
        hurts_when="the layer in front can't be made twice as wide, or must not get a third more weights",
    ),
    Activation(
        "gtu",
        of_gate(nn.Sigmoid, nn.Tanh),
        "tanh(value) sigmoid(gate).",
        kind="gated",
        year=2016,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper="van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, arXiv:1606.05328",
        cost="a tanh and an exponential; a layer in front twice as wide",
        hurts_when="the network is deep: both factors shrink gradients",
    ),
    Activation(
        "reglu",
        of_gate(nn.ReLU),
        "value relu(gate).",
        kind="gated",
        year=2020,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper=SHAZEER,
        cost="one comparison; a layer in front twice as wide",
        hurts_when="the layer in front can't be made twice as wide; and gates die, as relu's units do",
    ),
    Activation(
        "geglu",
        of_gate(nn.GELU),
        "value gelu(gate).",
        kind="gated",
        year=2020,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper=SHAZEER,
        cost="one error function; a layer in front twice as wide",
        hurts_when="the layer in front can't be made twice as wide, or must not get a third more weights",
    ),
    Activation(
        "swiglu",
        of_gate(nn.SiLU),
        "value silu(gate).",
        kind="gated",
        year=2020,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper=SHAZEER,
        cost="one exponential; a layer in front twice as wide",
        hurts_when="the layer in front can't be made twice as wide, or must not get a third more weights",
    ),
    Activation(
        "bilinear",
        of_gate(nn.Identity),
        "value gate: a product and nothing else.",
        kind="gated",
        year=2020,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper=f"{SHAZEER}; Chen et al. 2022 (SimpleGate), arXiv:2204.04676",
        cost="one product; a layer in front twice as wide",
        hurts_when="no normalisation holds the inputs: it grows with their square",
        aliases=("simple_gate",),
    ),
    Activation(
        "drelu_glu",
        of_gate(nn.ReLU, nn.ReLU),
        "relu(value) relu(gate): most products are zero.",
        kind="gated",
        year=2024,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper="Song et al. 2024, Turbo Sparse, arXiv:2406.05955 (dReLU)",
        cost="two comparisons; a layer in front twice as wide",
        hurts_when="sparse products aren't used to save time: three quarters of the gradients are zero",
    ),
    Activation(
        "maxout",
        Maxout,
        "The largest of each group of neighbouring channels.",
        {"pieces": 2},
        kind="gated",
        ranges={"pieces": (2, 64)},
        year=2013,
        wants_dim=True,
        elementwise=False,
        width=0.5,
        paper="Goodfellow et al. 2013, Maxout Networks, arXiv:1302.4389",
        cost="comparisons; a layer in front `pieces` times as wide",
        hurts_when="weights are dear: each unit has `pieces` sets of them",
    ),
    Activation(
        "crelu",
        CReLU,
        "relu(x) and relu(-x) side by side: twice the channels, nothing lost.",
        kind="gated",
        year=2016,
        wants_dim=True,
        elementwise=False,
        width=2.0,
        paper="Shang et al. 2016, Understanding and Improving CNNs via Concatenated ReLU, arXiv:1603.05201",
        cost="two comparisons; the layer behind twice as wide",
        hurts_when="the layer in front can't be halved: the next one gets twice the weights",
    ),
]
