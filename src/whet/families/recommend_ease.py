"""What goes together, whenever it was had: a linear autoencoder of items in closed form, on a scale that is learned.

    h   what was had, 0 and 1 for each item        B   the weights of EASE^R (Steck 2019, equation 8)

logit_j = a log(t softplus(((h B)_j - c) / t) + e)

B is solved before training and stays; learned are a, c and t: they say how much (h B)_j means, beside what else a network
says. It orders items as h B does. In training a row's user meets the weights of other users: weights that had seen what
follows would be believed too much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from whet.families.spec import InputSpec

LONGEST = 100
"""Items of the history that are looked at, the newest ones."""
START = {"a": 1.0, "c": 0.0, "t": -3.0}
"""t: its logarithm."""
LEAST = 1e-6


class Ease(nn.Module):
    """(B, H) histories -> (B, I) logits. `solve` fills in the weights; until then, and when loaded, they are zeros."""

    index: Tensor
    weight: Tensor
    fold: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.items, width = spec.more["items"], spec.more["nearby"]
        self._eased: Callable[[], Any] = spec.more["eased"]
        self.register_buffer("index", torch.zeros(self.items + 1, width, dtype=torch.int64))
        self.register_buffer("weight", torch.zeros(self.items + 1, width))
        self.register_buffer("fold", torch.zeros(spec.more["users"] + 1, dtype=torch.int64), persistent=False)
        self.others: list[tuple[Tensor, Tensor]] = []
        self.numbers = nn.ParameterDict({name: nn.Parameter(torch.tensor(v)) for name, v in START.items()})

    @torch.no_grad()
    def solve(self) -> None:
        """Take the weights of the training rows."""
        found = self._eased()
        self.index.copy_(torch.from_numpy(found.near.index))
        self.weight.copy_(torch.from_numpy(found.near.weight))
        self.fold.copy_(torch.from_numpy(found.fold))
        self.others = [(torch.from_numpy(n.index), torch.from_numpy(n.weight)) for n in found.folds]

    def forward(self, history: Tensor, user: Tensor, training: bool) -> Tensor:
        n = self.numbers
        t = torch.exp(n["t"])
        known = nn.functional.softplus((self.scores(history[:, -LONGEST:], user, training) - n["c"]) / t)
        logits: Tensor = n["a"] * torch.log(t * known + LEAST)
        return logits

    def scores(self, history: Tensor, user: Tensor, training: bool) -> Tensor:
        """h B (B, I); in training by the weights of other users."""
        if not training or not self.others:
            return self._added(history, self.index, self.weight)
        found = torch.zeros(history.shape[0], self.items, device=history.device)
        for k, (index, weight) in enumerate(self.others):
            rows = (self.fold[user] == k).nonzero()[:, 0]
            found[rows] = self._added(history[rows], index.to(found.device), weight.to(found.device))
        return found

    def _added(self, history: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        then, share = index[history].flatten(1), weight[history].flatten(1)
        found = torch.zeros(history.shape[0], self.items + 1, device=history.device)
        return found.scatter_add(1, then, share)[:, 1:]
