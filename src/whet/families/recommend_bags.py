"""Encoders that forget most of the order: a user's own vector, fading means, a denoised basket. See recommend.py."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.families.spec import InputSpec

SMALL = 0.05
"""The spread of embeddings at the start."""


def embedding(count: int, width: int) -> nn.Embedding:
    """Codes 0 to `count`, small; 0 is nothing."""
    made = nn.Embedding(count + 1, width, padding_idx=0)
    with torch.no_grad():
        made.weight[1:].normal_(0, SMALL)
    return made


class Described(nn.Module):
    """Vectors of users or items: each one's own, and what its features add (LightFM: Kula 2015, arXiv:1507.08439, section 3).

    Whoever is new has the second only.
    """

    features: Tensor

    def __init__(self, features: Tensor, width: int) -> None:
        super().__init__()
        self.own = embedding(len(features), width)
        self.told = nn.Linear(features.shape[1], width, bias=False)
        nn.init.normal_(self.told.weight, 0, SMALL)
        self.register_buffer("features", nn.functional.pad(features, (0, 0, 1, 0)), persistent=False)

    @property
    def weight(self) -> Tensor:
        """(count + 1, d): all of them."""
        vectors: Tensor = self.own.weight + self.told(self.features)
        return vectors

    def forward(self, codes: Tensor) -> Tensor:
        vectors: Tensor = self.own(codes) + self.told(self.features[codes])
        return vectors


Vectors = nn.Embedding | Described


def vectors(spec: InputSpec, role: str, width: int) -> Vectors:
    """Of the users ("user") or the items ("item"), with their features where there are any. Code 0 is nothing."""
    features = spec.more.get("features", {}).get(role)
    return embedding(spec.more[f"{role}s"], width) if features is None else Described(torch.tensor(features), width)


def begin(table: Vectors, values: Tensor) -> None:
    """Numbers of users or items, (count,), as their vectors of width 1; what features add begins at 0."""
    if isinstance(table, Described):
        nn.init.zeros_(table.told.weight)
        table = table.own
    table.weight[1:, 0] = values


def perceptron(spec: InputSpec, width: int, outputs: int, dropout: float) -> nn.Sequential:
    """One hidden layer, twice as wide as what goes in."""
    layers = (nn.Linear(width, 2 * width), spec.activation(), nn.Dropout(dropout), nn.Linear(2 * width, outputs))
    return nn.Sequential(*layers)


class Faded(nn.Module):
    """(B, 2d): the mean of the newest items' embeddings, once fading fast and once slowly, as learned."""

    def __init__(self, length: int) -> None:
        super().__init__()
        back = torch.arange(length, dtype=torch.float32)
        self.fading = nn.Parameter(torch.stack([-back / 5, -back / 50]))

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(B, L, d) with the newest last, (B, L) bool."""
        weight = self.fading[:, : x.shape[1]].flip(1).expand(x.shape[0], -1, -1)
        share = weight.masked_fill(~there[:, None], -30.0).softmax(-1)
        return (share @ x).flatten(1)


class Towers(nn.Module):
    """A user's tower: the user's own vector and the faded means of the history through a perceptron."""

    def __init__(self, spec: InputSpec, width: int, length: int, dropout: float) -> None:
        super().__init__()
        self.length = length
        self.user, self.faded = vectors(spec, "user", width), Faded(length)
        self.mlp = perceptron(spec, 3 * width, width, dropout)

    def forward(self, item: Vectors, history: Tensor, user: Tensor) -> Tensor:
        newest = history[:, -self.length :]
        faded = self.faded(item(newest), newest > 0)
        out: Tensor = self.mlp(torch.cat([faded, self.user(user)], 1))
        return out


class Taste(nn.Module):
    """A user's own vector, and nothing else: matrix factorisation."""

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.user = vectors(spec, "user", width)

    def forward(self, item: Vectors, history: Tensor, user: Tensor) -> Tensor:
        out: Tensor = self.user(user)
        return out


class Basket(nn.Module):
    """A denoising autoencoder of what a user had: half of it is dropped in training, the rest has length 1."""

    def __init__(self, spec: InputSpec, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.mlp = nn.Sequential(spec.activation(), nn.Linear(width, width))

    def forward(self, item: Vectors, history: Tensor, user: Tensor) -> Tensor:
        there = (history > 0).float()
        kept = nn.functional.dropout(there, self.dropout, self.training)
        length = there.sum(1, keepdim=True).clamp_min(1).sqrt()
        out: Tensor = self.mlp((kept[:, None] @ item(history))[:, 0] / length)
        return out
