"""The network for tables: several small MLPs, trained as one.

    numeric  (batch, F) --encode--+                         +--member 1: layers, head--+
                                  +--> (batch, D) * scale --+--member 2                +--> (batch, M, C)   training
    category (batch, K) --encode--+                         +--…                       +--> (batch, C)      evaluation

The members see the same encoded row and share nothing after it; their layers are packed in one tensor, so that M small
networks run as a handful of large matrix products. On california-housing the M separate networks were better than M that
share their weights but for a scale per unit (TabM), at the same cost: RMSE 0.467 against 0.479 (validation rows).

Shapes: B rows, F number columns, K category columns, T bins, D embedded width, M members, C outputs.

Ideas: piecewise-linear and periodic embeddings (Gorishniy et al., 2022, "On Embeddings for Numerical Features"), the
densely connected, biased form of the periodic one, the scaling layer and one-hot for small cardinalities (Holzmüller et
al., 2024, "Better by Default"), an ensemble as one network (Gorishniy et al., 2025, "TabM").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError, UnknownName
from whet.families.straight import Line, Straight
from whet.init.packed import Packed

if TYPE_CHECKING:
    from whet.families import InputSpec

EMBEDDINGS = ("ple", "periodic", "none")
ONE_HOT = 8
"""Columns with up to this many values are one-hot, others get a learned vector (RealMLP's rule)."""
SCALE_LR = 4.0
"""The scaling layer learns this much faster than the rest (6 in RealMLP)."""
TWO_PI = 2 * math.pi


class Tabular(nn.Module):
    """M perceptrons over one embedding: (numeric (B, F), category (B, K)) -> (B, M, C), in evaluation (B, C)."""

    def __init__(
        self,
        spec: InputSpec,
        width: int,
        depth: int,
        dropout: float,
        numbers: nn.Module | None,
        categories: Categories,
        members: int,
        straight: bool = False,
    ) -> None:
        super().__init__()
        self.classify = spec.goal == "classify"
        self.numbers, self.categories = numbers, categories
        embedded = spec.shape[0] + getattr(numbers, "width", 0) + categories.width
        self.scale = nn.Parameter(torch.ones(embedded))
        self.scale.lr_factor = SCALE_LR  # type: ignore[attr-defined]
        widths = [embedded, *[width] * depth]
        self.layers = nn.ModuleList(Packed(members, a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(spec.norm(width) for _ in range(depth))
        self.activations = nn.ModuleList(spec.activation() for _ in range(depth))
        self.dropout = Dropout(dropout)
        self.head = Packed(members, widths[-1], spec.outputs)
        self.straight = Straight(spec) if straight else None

    def forward(self, numeric: Tensor, category: Tensor) -> Tensor:
        row = self.embed(numeric, category)
        h = row.expand(self.head.members, *row.shape)  # (M, B, D)
        for layer, norm, activation in zip(self.layers, self.norms, self.activations, strict=True):
            h = layer(h)
            h = h if isinstance(norm, nn.Identity) else norm(h.flatten(0, 1)).view_as(h)
            h = self.dropout(activation(h))
        out = self.head(h).transpose(0, 1)  # (B, M, C)
        if self.straight is not None:
            out = out + self.straight(numeric, category).unsqueeze(1)
        return out if self.training else combine(out, self.classify)

    @property
    def solves(self) -> bool:
        """Whether it is to be shown training rows with their targets before it trains."""
        return self.straight is not None

    def solved(self, target: Tensor, numeric: Tensor, category: Tensor) -> Line:
        """The weights of the straight part for these rows; what else the network is made of does not matter."""
        assert self.straight is not None, "asked of solves"
        return self.straight.solved(target, numeric, category)

    @torch.no_grad()
    def begin_at(self, line: Line) -> None:
        """Take the straight part that was solved; what the members say begins at nothing."""
        assert self.straight is not None, "asked of solves"
        self.straight.begin_at(line)
        self.head.weight.zero_()
        self.head.bias.zero_()

    def embed(self, numeric: Tensor, category: Tensor) -> Tensor:
        """The row as one vector, the numbers themselves first, each place times a learned factor: (B, D)."""
        encoded = [] if self.numbers is None else [self.numbers(numeric)]
        return torch.cat([numeric, *encoded, self.categories(category)], dim=1) * self.scale


class PiecewiseLinear(nn.Module):
    """How far each number has come through each of its column's bins: (B, F) -> (B, T), T = bins of all columns.

    A bin gives 0 below its left edge, 1 above its right edge and rises linearly between (Gorishniy et al. 2022); the
    first of a column has no lower limit and its last no upper one. A dense layer on this is a piecewise linear function
    of every column. With `pad`, zeros fill every column up to as many bins as the longest has.
    """

    column: Tensor
    left: Tensor
    per_width: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, bins: Sequence[Tensor], pad: bool = False) -> None:
        super().__init__()
        self.most = max(len(edges) - 1 for edges in bins)
        parts = [_bin_parts(k, edges, self.most if pad else len(edges) - 1) for k, edges in enumerate(bins)]
        for name, pieces in zip(("column", "left", "per_width", "low", "high"), zip(*parts, strict=True), strict=True):
            self.register_buffer(name, torch.cat(pieces))
        self.width = len(self.column)

    def forward(self, x: Tensor) -> Tensor:
        inside = (x.index_select(1, self.column) - self.left) * self.per_width
        return torch.minimum(torch.maximum(inside, self.low), self.high)


def _bin_parts(column: int, edges: Tensor, length: int) -> tuple[Tensor, ...]:
    """What `PiecewiseLinear` keeps of one column: its number, and each bin's left edge, 1 / width and limits."""
    n = len(edges) - 1
    left, per_width, low, high = torch.zeros(length), torch.zeros(length), torch.zeros(length), torch.ones(length)
    left[:n], per_width[:n] = edges[:-1], 1 / edges.diff()
    low[0], high[n - 1] = -math.inf, math.inf
    return torch.full((length,), column), left, per_width, low, high


class PiecewiseVectors(nn.Module):
    """Each number as a learned vector, a rectified piecewise linear function of it: (B, F) -> (B, F * dim)."""

    def __init__(self, bins: Sequence[Tensor], dim: int) -> None:
        super().__init__()
        self.encode = PiecewiseLinear(bins, pad=True)
        self.width = len(bins) * dim
        self.weight = nn.Parameter(torch.randn(len(bins), self.encode.most, dim) / math.sqrt(self.encode.most))
        self.bias = nn.Parameter(torch.randn(len(bins), dim) / 2)

    def forward(self, x: Tensor) -> Tensor:
        places = self.encode(x).unflatten(1, (-1, self.encode.most))  # (B, F, bins)
        vectors = torch.bmm(places.transpose(0, 1), self.weight).transpose(0, 1)  # (B, F, dim)
        return torch.relu(vectors + self.bias).flatten(1)


class Periodic(nn.Module):
    """Each number as cosines of it, or as a linear map of them: (B, F) -> (B, F * dim), or (B, F * waves) with dim 0.

    Frequencies and phases are learned; `sigma` is the spread of the first frequencies, in periods per unit: the larger,
    the rougher the functions.
    """

    def __init__(self, features: int, dim: int, sigma: float, waves: int = 16) -> None:
        super().__init__()
        self.width = features * (dim or waves)
        self.frequency = nn.Parameter(torch.randn(features, waves) * sigma)
        self.phase = nn.Parameter(torch.empty(features, waves).uniform_(-math.pi, math.pi))
        bound = 1 / math.sqrt(waves)
        self.weight = nn.Parameter(torch.empty(features, waves, dim).uniform_(-bound, bound)) if dim else None
        self.bias = nn.Parameter(torch.empty(features, dim).uniform_(-bound, bound)) if dim else None

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.cos(TWO_PI * x.unsqueeze(-1) * self.frequency + self.phase)  # (B, F, waves)
        if self.weight is None or self.bias is None:
            return waves.flatten(1)
        return (torch.bmm(waves.transpose(0, 1), self.weight).transpose(0, 1) + self.bias).flatten(1)


class Categories(nn.Module):
    """Category columns as numbers: one-hot where a column has few values, a learned vector where it has many.

    (B, K) -> (B, width). Index 0 stands for "unseen or rare" and is a value like the others.
    """

    def __init__(self, cardinalities: Sequence[int], dim: int) -> None:
        super().__init__()
        self.few = [k for k, n in enumerate(cardinalities) if n <= ONE_HOT]
        self.many = [k for k, n in enumerate(cardinalities) if n > ONE_HOT]
        self.sizes = tuple(cardinalities)
        self.width = sum(self.sizes[k] for k in self.few) + dim * len(self.many)
        self.vectors = nn.ModuleList(nn.Embedding(self.sizes[k], dim) for k in self.many)
        for weight in self.vectors.parameters():
            nn.init.normal_(weight, std=0.5)

    def forward(self, category: Tensor) -> Tensor:
        one_hot = [F.one_hot(category[:, k], self.sizes[k]).float() for k in self.few]
        vectors = [table(category[:, k]) for k, table in zip(self.many, self.vectors, strict=True)]
        return torch.cat([*one_hot, *vectors], dim=1) if one_hot or vectors else category.float()  # (B, 0)


class Dropout(nn.Module):
    """Dropout whose randomness is eight times cheaper: each random 64-bit number decides for eight activations.

    The rate is rounded to a multiple of 1/256. (nn.Dropout costs as much on a CPU as the matrix product before it.)
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.out_of_256 = round(256 * p)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.out_of_256 == 0:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        keep = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.out_of_256
        return x * keep * (256 / (256 - self.out_of_256))


def combine(out: Tensor, classify: bool, shares: Sequence[float] | None = None) -> Tensor:
    """One answer from M members, (B, M, C) -> (B, C): the mean value, or the log of the mean probability.

    A single output that classifies is a logit, and so is what comes out. `shares` weigh the members and sum to 1; None: all
    count alike.
    """
    weight = out.new_tensor(shares or [1 / out.shape[1]] * out.shape[1])[:, None]  # (M, 1)
    if not classify:
        return (weight * out).sum(1)
    if out.shape[-1] == 1:
        yes, no = (torch.logsumexp(F.logsigmoid(z) + weight.log(), 1) for z in (out, -out))
        return yes - no
    return torch.logsumexp(F.log_softmax(out, -1) + weight.log(), 1)


def make(
    spec: InputSpec,
    width: int = 256,
    depth: int = 2,
    dropout: float = 0.1,
    embedding: str = "ple",
    bins: int = 48,
    embedding_dim: int = 0,
    sigma: float = 0.3,
    members: int = 8,
    straight: bool = False,
    columns: tuple[str, ...] = (),
) -> nn.Module:
    """The network for `spec`; see the module's text.

    Numbers are encoded as "ple" (piecewise linear, at most `bins` bins per column), "periodic" (`sigma`) or "none".
    `embedding_dim` is the length of a column's learned vector, between the encoding and the first layer; 0: none is
    between. With "ple", 0 was better at 1,000 rows, 16 with strong weight decay at 13,000. `straight`: a solved linear model
    beside the members. `columns`: the ones that are seen, all where none is named; the field has left out the others.
    """
    if embedding not in EMBEDDINGS:
        raise UnknownName("embedding of numbers", embedding, EMBEDDINGS)
    sizes = {"width": width, "depth": depth, "members": members, "bins": bins}
    for name, value in sizes.items():
        if value < 1:
            raise RecipeError(f"tabular has {name}={value}.", "Use 1 or more.")
    if embedding_dim < 0:
        raise RecipeError(f"tabular has embedding_dim={embedding_dim}.", "Use 0 or more.")
    if not 0 <= dropout < 1:
        raise RecipeError(f"tabular has dropout={dropout}.", "Use a share of at least 0 and less than 1.")
    numbers = _numbers(spec, embedding, embedding_dim, bins, sigma)
    return Tabular(spec, width, depth, dropout, numbers, Categories(spec.cardinalities, 8), members, straight)


def _numbers(spec: InputSpec, embedding: str, dim: int, bins: int, sigma: float) -> nn.Module | None:
    """What encodes the numbers; None: nothing."""
    features = spec.shape[0]
    if features == 0 or embedding == "none":
        return None
    if embedding == "periodic":
        return Periodic(features, dim, sigma)
    if not spec.bins:
        raise RecipeError("The piecewise-linear embedding needs bins, and this data has none.", "Use 'periodic'.")
    edges = [thin(torch.as_tensor(e, dtype=torch.float32), bins) for e in spec.bins]
    return PiecewiseVectors(edges, dim) if dim else PiecewiseLinear(edges)


def thin(edges: Tensor, bins: int) -> Tensor:
    """At most `bins` bins, the outer edges kept; edges at quantiles stay at quantiles."""
    if len(edges) - 1 <= bins:
        return edges
    return edges[torch.linspace(0, len(edges) - 1, bins + 1).round().long()]
