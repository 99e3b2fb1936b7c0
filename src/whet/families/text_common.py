"""What the networks for texts share.

    B  texts      T  tokens of the longest of them      D  width of a token's vector      M  members      C  outputs

Token 0 is what stands behind a text's end; every text has one token or more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from whet.errors import RecipeError

if TYPE_CHECKING:
    from whet.families import InputSpec

SPREAD = 0.1
"""Standard deviation of the first vectors of tokens."""
VECTORS_LR = 4.0
"""Vectors of tokens learn this much faster than the rest where texts are classified. With SPREAD 0.3 and no factor a rare
word keeps the vector that it began with, by which its text is learned by heart: one convolutional network on sst2's
validation rows was at 0.79 after 2.4 passes with these, and at 0.72 with those."""


def vectors(spec: InputSpec, width: int) -> nn.Embedding:
    """A vector for each token; that of the end is zero and stays so."""
    table = nn.Embedding(spec.more["vocabulary"], width, padding_idx=0)
    with torch.no_grad():
        table.weight.normal_(std=SPREAD)[0] = 0
    return table


class Given(nn.Module):
    """Numbers of words -> vectors (…, D): those that were learned elsewhere, which stay as they are, through a learned map."""

    known: Tensor

    def __init__(self, source: Any, width: int) -> None:
        super().__init__()
        self.source = source
        self.register_buffer("known", torch.zeros(source.size, source.width))
        self.map = nn.Linear(source.width, width, bias=False)
        nn.init.normal_(self.map.weight, std=SPREAD / source.width**0.5)

    def fill(self) -> None:
        """Read them, in units of their standard deviation: mapped, they begin as large as vectors that are learned here."""
        table = torch.from_numpy(self.source.table())
        self.known.copy_(table / table[table.any(1)].std())

    def forward(self, words: Tensor) -> Tensor:
        found: Tensor = self.map(self.known[words])
        return found


class Tokens(nn.Module):
    """Tokens (B, T), or several features of each (B, T, F), as vectors (B, T, D): those of the features added up.

    Where words have vectors of their own, from elsewhere, the last feature is a word's number among them.
    """

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.table = vectors(spec, width)
        given = spec.more.get("vectors")
        self.given = Given(given, width) if given is not None else None
        if spec.goal not in ("tag", "language-model"):
            self.table.weight.lr_factor = VECTORS_LR  # type: ignore[attr-defined]

    def forward(self, tokens: Tensor) -> Tensor:
        if self.given is not None:
            learned: Tensor = self.table(tokens[..., :-1]).sum(2) + self.given(tokens[..., -1].long())
            return learned
        found: Tensor = self.table(tokens)
        return found.sum(2) if tokens.ndim == 3 else found

    def calibrate(self) -> None:
        """Read the vectors that were learned elsewhere, before training."""
        if self.given is not None:
            self.given.fill()


def written(tokens: Tensor) -> Tensor:
    """(B, T) bool: where there is a token."""
    return (tokens[..., 0] if tokens.ndim == 3 else tokens) != 0


class Attention(nn.Module):
    """The mean of a text's steps, weighted by what each says of its own weight: (B, T, D) -> (B, D).

    Yang et al. 2016, Hierarchical Attention Networks.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden, self.weight = nn.Linear(width, width), nn.Linear(width, 1, bias=False)

    def forward(self, steps: Tensor, there: Tensor) -> Tensor:
        scores = self.weight(torch.tanh(self.hidden(steps)))[..., 0]  # (B, T)
        shares = scores.masked_fill(~there, -math.inf).softmax(1)
        return torch.einsum("bt,btd->bd", shares, steps)


def check_sizes(family: str, **sizes: float) -> None:
    """Raises RecipeError for a size below 1, and for a dropout that is no share."""
    dropout = sizes.pop("dropout", 0.0)
    for name, value in sizes.items():
        if value < 1:
            raise RecipeError(f"{family} has {name}={value}.", "Use 1 or more.")
    if not 0 <= dropout < 1:
        raise RecipeError(f"{family} has dropout={dropout}.", "Use a share of at least 0 and less than 1.")
