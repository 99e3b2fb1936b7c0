"""Normalisations: name -> make(channels, dims, **params) -> nn.Module.

`dims` is 1 for (batch, channel) and 2 for (batch, channel, height, width); shape and dtype are kept. Who puts a norm into a
model calls `complete` afterwards: weight standardisation acts on the layers too.
"""

from __future__ import annotations

from torch import nn

from whet.activations.norms import derf, dyt
from whet.entry import Catalogue, Entry
from whet.norm.modules import RMSNorm, batch, group, group_of_standardised, instance, layer
from whet.norm.weights import standardise_weights

NORMS: Catalogue[nn.Module] = Catalogue(
    "normalisation",
    [
        Entry(
            "batch",
            batch,
            "Each channel to mean 0 and variance 1 over the batch; running averages in evaluation.",
            {"momentum": 0.1},
            paper="Ioffe & Szegedy 2015, Batch Normalization, arXiv:1502.03167, algorithm 1",
            cost="two passes over the activations; free in evaluation, where it folds into the layer before",
            hurts_when="batches are smaller than about 16, or rows within a batch depend on each other",
        ),
        Entry(
            "layer",
            layer,
            "Each example to mean 0 and variance 1 over all its channels and positions.",
            paper="Ba, Kiros & Hinton 2016, Layer Normalization, arXiv:1607.06450; for images Wu & He 2018",
            cost="two passes over the activations, in evaluation too",
            hurts_when="the network is a plain convolutional one: batch normalisation trains it better",
        ),
        Entry(
            "group",
            group,
            "Each example to mean 0 and variance 1 within groups of channels.",
            {"groups": 32},
            domains=("image",),
            paper="Wu & He 2018, Group Normalization, arXiv:1803.08494",
            cost="as layer",
            hurts_when="batches are large: batch normalisation generalises better",
        ),
        Entry(
            "rms",
            lambda channels, dims=1: RMSNorm(channels),
            "Channels divided by their root mean square at each position; no mean is taken away.",
            paper="Zhang & Sennrich 2019, Root Mean Square Layer Normalization, arXiv:1910.07467",
            cost="one pass over the activations",
            hurts_when="activations have a mean far from zero",
        ),
        Entry(
            "instance",
            instance,
            "Each channel of each example to mean 0 and variance 1 over its positions.",
            domains=("image",),
            paper="Ulyanov, Vedaldi & Lempitsky 2016, Instance Normalization, arXiv:1607.08022",
            cost="as layer",
            hurts_when="what a channel's mean says of the class matters: it is lost",
        ),
        Entry(
            "weight_standardisation",
            group_of_standardised,
            "Each output's weights to mean 0 and variance 1, and group normalisation behind the layer.",
            {"groups": 32},
            domains=("image",),
            paper="Qiao et al. 2019, Weight Standardization, arXiv:1903.10520",
            cost="as group, and one pass over the weights in each step",
            hurts_when="batches are large: batch normalisation is as good and free in evaluation",
            aliases=("ws", "weight_standardization"),
        ),
        Entry(
            "dyt",
            lambda channels, dims=1, **params: dyt(channels=channels, **params),
            "tanh with a learned width, then scale and shift per channel: no statistics at all.",
            {"alpha": 0.5},
            paper="Zhu et al. 2025, Transformers without Normalization, arXiv:2503.10622",
            cost="as the activation tanh",
            hurts_when="the network is convolutional and relied on batch normalisation",
            aliases=("dynamic_tanh",),
        ),
        Entry(
            "derf",
            lambda channels, dims=1, **params: derf(channels=channels, **params),
            "erf with a learned width and shift, then scale and shift per channel: no statistics at all.",
            {"alpha": 0.5},
            paper="Chen et al. 2025, Stronger Normalization-Free Transformers, arXiv:2512.10938",
            cost="as the activation erf",
            hurts_when="as dyt",
            aliases=("dynamic_erf",),
        ),
        Entry(
            "none",
            lambda channels, dims=1: nn.Identity(),
            "Nothing: the control.",
            cost="none",
            hurts_when="the network is deep and has no residual connections",
        ),
    ],
)


def complete(name: str, model: nn.Module) -> tuple[str, ...]:
    """What a norm of this name asks of a model beyond the modules that stand in it; the paths of the layers it changed."""
    return standardise_weights(model) if NORMS[name].name == "weight_standardisation" else ()


__all__ = ["NORMS", "RMSNorm", "complete", "standardise_weights"]
