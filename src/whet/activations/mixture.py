"""A weighted mean of other activations, with learned weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from whet.activations.layout import learned, spread
from whet.errors import RecipeError


class Mixture(nn.Module):
    """sum_i w_i f_i(x), w = softmax(logits): a learned point between some activations, equal shares at the start.

    Manessi & Rozza 2018, arXiv:1801.09403 (their convex combinations).
    """

    def __init__(self, members: Sequence[nn.Module], channels: int | None = None, dim: int = 1) -> None:
        super().__init__()
        self.channels, self.dim = channels, dim
        self.members = nn.ModuleList(members)
        self.logits = learned([0.0] * len(members), channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.logits.view(self.channels or 1, -1), dim=1)
        total = torch.zeros_like(x)
        for i, member in enumerate(self.members):
            total = total + spread(weights[:, i], x, self.dim) * member(x)
        return total.to(x.dtype)


def mixture(of: Sequence[str], channels: int | None = None, dim: int = 1) -> Mixture:
    """A mixture of entries of the catalogue, by name. Raises RecipeError for less than two, or one that isn't elementwise."""
    from whet.activations import ACTIVATIONS

    entries = [ACTIVATIONS[name] for name in of]
    refused = [e.name for e in entries if not e.elementwise or e.name == "mixture"]
    if len(entries) < 2 or refused:
        why = f"{', '.join(refused)} can't be mixed" if refused else f"it has {len(entries)} member"
        raise RecipeError(f"mixture.of={tuple(of)!r}: {why}.", "Name two or more elementwise activations.")
    return Mixture([e.make(**e.fill({})) for e in entries], channels, dim)
