"""A bag of n-grams: each n-gram of a text adds its weight times its row of a table.

    places, weights (B, L) --sum of weighted rows--> (B, C)                                 linear
                           --sum of weighted rows--> (B, H) --activation, head--> (B, C)    with `hidden` H

With TF-IDF weights the linear one is the logistic regression that everyone begins with, trained by steps; the other is
fastText (Joulin et al. 2016, arXiv:1607.01759) with a bend in it. Place 0 is no n-gram and has weight 0.

With `ratio` an n-gram counts in a linear bag by how much more often texts of a class have it than others do: pairs and triples
are so many that most of them mean nothing (NBSVM: Wang & Manning 2012, doi:10.3115/2390665.2390688, section 2).

n   (table, C) texts of a class that have an n-gram      r   log (p / q), p and q the shares of 1 + n in the class and beyond it
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError
from whet.families.tabular import Dropout
from whet.families.text_common import check_sizes

if TYPE_CHECKING:
    from whet.families import InputSpec

LINEAR_LR = 5.0
"""The table of a linear bag learns this much faster than the rest: TF-IDF weights are small, so its numbers must be large.
Of one linear bag alone, validation accuracy at learning rates 0.002, 0.006 and 0.02: trec 0.822, 0.838, 0.851; at 0.006 and
0.02: sst2 0.819, 0.812."""


LEAST = 1e-6


class Bag(nn.Module):
    """(places (B, L), weights (B, L)) -> (B, outputs)"""

    ratio: Tensor | None
    """(table, C) r in units of its mean size: what each number of the table is multiplied with."""

    def __init__(self, spec: InputSpec, hidden: int, dropout: float, ratio: bool = False) -> None:
        super().__init__()
        width = hidden or spec.outputs
        self.register_buffer("ratio", torch.ones(spec.more["table"], width) if ratio else None)
        self.table = nn.Parameter(torch.zeros(spec.more["table"], width))
        if not hidden:
            self.table.lr_factor = LINEAR_LR  # type: ignore[attr-defined]
        self.bias = nn.Parameter(torch.zeros(width))
        self.activation = spec.activation() if hidden else None
        self.dropout, self.head = Dropout(dropout), nn.Linear(hidden, spec.outputs) if hidden else None
        if hidden:
            nn.init.normal_(self.table, std=1 / math.sqrt(hidden))

    def forward(self, places: Tensor, weights: Tensor) -> Tensor:
        table = self.table if self.ratio is None else self.table * self.ratio
        out = summed(table, places, weights) + self.bias
        if self.head is None or self.activation is None:
            return out
        hidden: Tensor = self.head(self.dropout(self.activation(out)))
        return hidden

    @property
    def counts_classes(self) -> bool:
        """Whether it is to be shown training texts with their classes before it trains."""
        return self.ratio is not None

    @torch.no_grad()
    def count_classes(self, target: Tensor, places: Tensor, weights: Tensor) -> None:
        """Set the ratios from training texts and their classes (B,)."""
        assert self.ratio is not None, "asked of counts_classes"
        size, classes = self.ratio.shape
        has = [torch.bincount(places[target == c].flatten(), minlength=size) for c in range(classes)]
        n = torch.stack(has, 1).double()
        p, q = 1 + n, 1 + n.sum(1, keepdim=True) - n
        r = (p / p.sum(0)).log() - (q / q.sum(0)).log()
        self.ratio.copy_(r / r.abs().mean().clamp(min=LEAST))


def summed(table: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """The sum of the rows at these places, each times its weight: (B, D)."""
    if torch.onnx.is_in_onnx_export():  # an exporter knows no bag with weights
        return torch.einsum("bl,bld->bd", weights, table[places])
    return F.embedding_bag(places, table, mode="sum", per_sample_weights=weights.to(table.dtype))


def make(spec: InputSpec, hidden: int = 0, dropout: float = 0.5, ratio: bool = False) -> nn.Module:
    """`hidden`: units between the bag and the outputs; 0: none, a linear model. `dropout` is theirs."""
    check_sizes("text_bag", hidden=1 + hidden, dropout=dropout)
    check_ratio("text_bag", ratio, spec, hidden)
    return Bag(spec, hidden, dropout, ratio)


def check_ratio(family: str, ratio: bool, spec: InputSpec, hidden: int = 0) -> None:
    """Raises RecipeError where there are no classes that n-grams could be counted in, or no linear bag."""
    if ratio and (spec.goal != "classify" or hidden):
        raise RecipeError(f"{family}.ratio compares texts of classes, in a linear bag.", "Leave it out.")
