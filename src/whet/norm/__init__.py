"""Normalisations: name -> make(channels, dims, **params) -> nn.Module.

`dims` is 1 for (batch, channel) and 2 for (batch, channel, height, width); shape and dtype are kept.
"""

from __future__ import annotations

from torch import nn

from whet.entry import Catalogue, Entry
from whet.norm.modules import RMSNorm, batch, group, layer

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
            paper="Ba, Kiros & Hinton 2016, Layer Normalization, arXiv:1607.06450, eq. 3; for images Wu & He 2018",
            cost="two passes over the activations, in evaluation too",
            hurts_when="the network is a plain convolutional one: batch normalisation trains it better",
        ),
        Entry(
            "group",
            group,
            "Each example to mean 0 and variance 1 within groups of channels.",
            {"groups": 32},
            domains=("image",),
            paper="Wu & He 2018, Group Normalization, arXiv:1803.08494, eq. 7",
            cost="as layer",
            hurts_when="batches are large: batch normalisation generalises better",
        ),
        Entry(
            "rms",
            lambda channels, dims=1: RMSNorm(channels),
            "Channels divided by their root mean square at each position; no mean is taken away.",
            paper="Zhang & Sennrich 2019, Root Mean Square Layer Normalization, arXiv:1910.07467, eq. 4",
            cost="one pass over the activations",
            hurts_when="activations have a mean far from zero",
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

__all__ = ["NORMS", "RMSNorm"]
