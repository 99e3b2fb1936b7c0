"""Networks that recommend.

    B   batch       H   history, the newest item last, 0 in front       I   items       d   width

To rank they take `history` (B, H) and `user` (B,), codes from 1 with 0 for none, and give (B, I) logits, `NEVER` for what
is in the history; in training also `target` (B,) and `known` (B, K), everything that the user had at any time, which is
then no wrong answer. To rate they take `user` (B,) and `item` (B,) and give (B, 1).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.chain import Chain
from whet.families.spec import InputSpec

NEVER = -1e9
"""The logit of what can't be recommended: its probability is exactly 0."""
SMALL = 0.05
"""The spread of embeddings at the start."""


def without(logits: Tensor, history: Tensor, target: Tensor | None = None) -> Tensor:
    """(B, I) logits with `NEVER` for every item of the history but the target. Items from 0, history and target from 1."""
    banned = nn.functional.pad(torch.zeros_like(logits), (1, 0))
    banned = banned.scatter(1, history, torch.ones_like(history, dtype=logits.dtype))
    if target is not None:
        banned = banned.scatter(1, target[:, None], torch.zeros_like(logits[:, :1]))
    return logits.masked_fill(banned[:, 1:] > 0, NEVER)


def embedding(count: int, width: int) -> nn.Embedding:
    """Codes 0 to `count`, small; 0 is nothing."""
    made = nn.Embedding(count + 1, width, padding_idx=0)
    with torch.no_grad():
        made.weight[1:].normal_(0, SMALL)
    return made


class Ranker(nn.Module):
    """encoder(history, user) -> (B, d), compared with every item; chains of items added where asked for."""

    def __init__(self, spec: InputSpec, width: int, encoder: nn.Module | None, chain: bool, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.chain = Chain(spec) if chain else None
        self.item = embedding(spec.more["items"], width) if encoder is not None else None
        self.popular = nn.Parameter(torch.zeros(spec.more["items"]))
        self.drop = nn.Dropout(dropout)

    def calibrate(self, *inputs: Tensor) -> None:
        """Count which item follows which, before training."""
        if self.chain is not None:
            self.chain.count()

    def forward(
        self, history: Tensor, user: Tensor, target: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        logits = self.popular.expand(history.shape[0], -1)
        if self.chain is not None:
            logits = logits + self.chain(history, target)
        if self.encoder is not None and self.item is not None:
            state = self.drop(self.encoder(self.item, history, user))
            logits = logits + state @ self.item.weight[1:].T
        return without(logits, history if known is None else known, target)


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
        self.user, self.faded = embedding(spec.more["users"], width), Faded(length)
        self.mlp = perceptron(spec, 3 * width, width, dropout)

    def forward(self, item: nn.Embedding, history: Tensor, user: Tensor) -> Tensor:
        newest = history[:, -self.length :]
        faded = self.faded(item(newest), newest > 0)
        out: Tensor = self.mlp(torch.cat([faded, self.user(user)], 1))
        return out


class Taste(nn.Module):
    """A user's own vector, and nothing else: matrix factorisation."""

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.user = embedding(spec.more["users"], width)

    def forward(self, item: nn.Embedding, history: Tensor, user: Tensor) -> Tensor:
        out: Tensor = self.user(user)
        return out


class Basket(nn.Module):
    """A denoising autoencoder of what a user had: half of it is dropped in training, the rest has length 1."""

    def __init__(self, spec: InputSpec, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.mlp = nn.Sequential(spec.activation(), nn.Linear(width, width))

    def forward(self, item: nn.Embedding, history: Tensor, user: Tensor) -> Tensor:
        there = (history > 0).float()
        kept = nn.functional.dropout(there, self.dropout, self.training)
        length = there.sum(1, keepdim=True).clamp_min(1).sqrt()
        out: Tensor = self.mlp((kept[:, None] @ item(history))[:, 0] / length)
        return out


class Rater(nn.Module):
    """Biases of user and item and the product of their vectors (Koren et al. 2009, eq. 4).

    `towers`: the vectors go through a perceptron each before they are multiplied. `together`: a perceptron on both vectors
    is added to the product (He et al. 2017, section 3.4).
    """

    def __init__(
        self, spec: InputSpec, width: int, dropout: float, towers: bool = False, together: bool = False
    ) -> None:
        super().__init__()
        users, items = spec.more["users"], spec.more["items"]
        self.user, self.item = embedding(users, width), embedding(items, width)
        self.user_bias, self.item_bias = embedding(users, 1), embedding(items, 1)
        self.drop = nn.Dropout(dropout)
        self.user_tower = perceptron(spec, width, width, dropout) if towers else nn.Identity()
        self.item_tower = perceptron(spec, width, width, dropout) if towers else nn.Identity()
        self.together = perceptron(spec, 2 * width, 1, dropout) if together else None

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        u, i = self.drop(self.user(user)), self.drop(self.item(item))
        product = (self.user_tower(u) * self.item_tower(i)).sum(1, keepdim=True)
        said: Tensor = self.user_bias(user) + self.item_bias(item) + product
        return said if self.together is None else said + self.together(torch.cat([u, i], 1))


def perceptron(spec: InputSpec, width: int, outputs: int, dropout: float) -> nn.Module:
    """One hidden layer, twice as wide as what goes in."""
    layers = (nn.Linear(width, 2 * width), spec.activation(), nn.Dropout(dropout), nn.Linear(2 * width, outputs))
    return nn.Sequential(*layers)


def make(
    spec: InputSpec, kind: str, width: int = 64, dropout: float = 0.0, chain: bool = False, **more: Any
) -> nn.Module:
    """ "factors", "ncf", "two_tower", "item_autoencoder", "gru4rec", "sasrec" or "chains", to rank or to rate."""
    if spec.goal == "rank":
        if kind == "ncf":
            raise RecipeError(
                "ncf scores one pair of user and item at a time: too slow to rank all items.", "Use two_tower."
            )
        return Ranker(spec, width, encoder(spec, kind, width, dropout, **more), chain or kind == "chains", dropout)
    if kind not in ("factors", "ncf", "two_tower"):
        raise RecipeError(f"{kind} ranks items, and the task is to predict ratings.", "Use factors, ncf or two_tower.")
    return Rater(spec, width, dropout, towers=kind == "two_tower", together=kind == "ncf")


def encoder(spec: InputSpec, kind: str, width: int, dropout: float, **more: Any) -> nn.Module | None:
    """What makes a user's vector; None for chains, which have none."""
    from whet.families.sequence import Attentive, Recurrent

    length = more.get("length", 50)
    match kind:
        case "factors":
            return Taste(spec, width)
        case "two_tower":
            return Towers(spec, width, length, dropout)
        case "item_autoencoder":
            return Basket(spec, width, more["noise"])
        case "gru4rec":
            return Recurrent(width, length, dropout)
        case "sasrec":
            return Attentive(spec, width, length, more["depth"], more["heads"], dropout)
    return None
