"""Chains of items: what followed what a user had last, counted, and mixed with weights that are learned.

    h_k   the item k places from the end of the history         n_i   how often item i occurs
    T_ij  how often j followed i, faded by the distance          a_k   weight of the k-th newest item

    logit_j = w log(e + sum_k a_k T[h_k, j] / ((n_hk + c)^alpha (n_j + c)^beta)) + p log(n_j + c)

It is a first-order Markov mixture over several places of the history (mixture transition distribution: Raftery 1985), its
counts normalised as an item-item cosine is (alpha = beta = 1/2: Sarwar et al. 2001). Learned are a, w, e, p, alpha and beta; T
and n are counted. In training, what a row itself added to T is taken out of it: else the counts would know the answer. Where
items are described by features f, rho sum_k b_k f[h_k] . f_j is added, with learned rho and b: a new item is near what is
like it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from whet.families.spec import InputSpec

PLACES = 32
"""Places of the history that are looked at."""
PRIOR = 5.0
"""c: so many interactions are added to each item's, so that rare items aren't sure of themselves."""
START = {"alpha": 0.5, "beta": 0.5, "power": 1.0, "floor": -6.0, "popularity": 0.3}


class Chain(nn.Module):
    """(B, H) histories -> (B, I) logits. `count` fills in the counts; until then, and when loaded, they are zeros."""

    index: Tensor
    weight: Tensor
    often: Tensor
    window: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.items, self.fade, width = spec.more["items"], spec.more["fade"], spec.more["followers"]
        self._pairs: Callable[[], Any] = spec.more["pairs"]
        self.register_buffer("index", torch.zeros(self.items + 1, width, dtype=torch.int64))
        self.register_buffer("weight", torch.zeros(self.items + 1, width))
        self.register_buffer("often", torch.zeros(self.items + 1))
        self.register_buffer("window", torch.zeros((), dtype=torch.int64))
        self.place = nn.Parameter(-torch.arange(PLACES) / 5.0)
        self.numbers = nn.ParameterDict({name: nn.Parameter(torch.tensor(v)) for name, v in START.items()})
        described = spec.more.get("features", {}).get("item")
        self.kinship = None if described is None else Kinship(torch.tensor(described))

    @torch.no_grad()
    def count(self) -> None:
        """Take the counts of the training rows."""
        pairs = self._pairs()
        for name, found in (("index", pairs.index), ("weight", pairs.weight), ("often", pairs.count)):
            getattr(self, name).copy_(torch.from_numpy(found))
        self.window.fill_(pairs.window)

    def forward(self, history: Tensor, target: Tensor | None = None) -> Tensor:
        """`target` (B,), codes from 1: the item that follows in training, whose own share of the counts is left out."""
        newest = history[:, -PLACES:].flip(1)  # (B, places)
        then, weight = self.index[newest], self.weight[newest]  # (B, places, K)
        if target is not None:
            weight = self._others(newest, then, weight, target)
        size, n = torch.log(self.often + PRIOR), self.numbers
        share = torch.exp(self.place[: newest.shape[1]] - n["alpha"] * size[newest]) * (newest > 0)
        mixed = torch.zeros(newest.shape[0], self.items + 1, device=history.device)
        mixed = mixed.scatter_add(1, then.flatten(1), (weight * share[..., None]).flatten(1))
        mixed = mixed * torch.exp(-n["beta"] * size)
        logits = n["power"] * torch.log(mixed + torch.exp(n["floor"])) + n["popularity"] * size
        return logits[:, 1:] if self.kinship is None else logits[:, 1:] + self.kinship(newest)

    def _others(self, newest: Tensor, then: Tensor, weight: Tensor, target: Tensor) -> Tensor:
        """The counts without this row's own pairs."""
        distance = torch.arange(1, newest.shape[1] + 1, device=newest.device)
        own = torch.exp(-distance / self.fade) * (distance <= self.window)
        return (weight - (then == target[:, None, None]) * own[:, None]).clamp_min(0)


class Kinship(nn.Module):
    """(B, places) items, the newest first -> (B, I): how like them each item is by its features."""

    features: Tensor

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        unit = nn.functional.normalize(features - features.mean(0), dim=1)
        self.register_buffer("features", nn.functional.pad(unit, (0, 0, 1, 0)), persistent=False)
        self.place = nn.Parameter(-torch.arange(PLACES) / 5.0)
        self.strength = nn.Parameter(torch.tensor(1.0))

    def forward(self, newest: Tensor) -> Tensor:
        share = self.place[: newest.shape[1]].masked_fill(newest == 0, -30.0).softmax(-1)
        taste = (share[:, None] @ self.features[newest])[:, 0]  # (B, F)
        likeness: Tensor = self.strength * taste @ self.features[1:].T
        return likeness
