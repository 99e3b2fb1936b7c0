"""Networks that recommend.

    B   batch       H   history, the newest item last, 0 in front       I   items       d   width

To rank they take `history` (B, H) and `user` (B,), codes from 1 with 0 for none, and give (B, I) logits, `NEVER` for what
is in the history; in training also `target` (B,) and `known` (B, K), what the user had at any time of the training part,
which is then no wrong answer; where not all items are compared, also `drawn` (B, N) and `rarity` (B, 1 + N): they then give
(B, 1 + N) logits, the answer's first. To rate they take `user` (B,) and `item` (B,) and give (B, 1).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.recommend_bags import Basket, Taste, Towers, Vectors, begin, perceptron, vectors
from whet.families.recommend_chain import Chain
from whet.families.recommend_ease import Ease
from whet.families.recommend_sequence import Attentive, Recurrent
from whet.families.spec import InputSpec

NEVER = -1e9
"""The logit of what can't be recommended: its probability is exactly 0."""


def without(logits: Tensor, history: Tensor, target: Tensor | None = None) -> Tensor:
    """(B, I) logits with `NEVER` for every item of the history but the target. Items from 0, history and target from 1."""
    banned = nn.functional.pad(torch.zeros_like(logits), (1, 0))
    banned = banned.scatter(1, history, torch.ones_like(history, dtype=logits.dtype))
    if target is not None:
        banned = banned.scatter(1, target[:, None], torch.zeros_like(logits[:, :1]))
    return logits.masked_fill(banned[:, 1:] > 0, NEVER)


def had(drawn: Tensor, known: Tensor) -> Tensor:
    """(B, 1 + N) bool: which of the drawn items (N,), in rising order, a user had, known (B, K); False for the answer."""
    at = torch.searchsorted(drawn, known).clamp_max(len(drawn) - 1)
    at = torch.where(drawn[at] == known, at + 1, 0)
    banned = torch.zeros(len(known), 1 + len(drawn), dtype=torch.bool, device=known.device)
    banned = banned.scatter(1, at, torch.ones_like(at, dtype=torch.bool))
    banned[:, 0] = False
    return banned


class Ranker(nn.Module):
    """encoder(history, user) -> (B, d), compared with every item; chains of items and EASE^R added where asked for."""

    def __init__(
        self, spec: InputSpec, width: int, encoder: nn.Module | None, chain: bool, ease: bool, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.chain = Chain(spec) if chain else None
        self.ease = Ease(spec) if ease else None
        self.item: Vectors | None = vectors(spec, "item", width) if encoder is not None else None
        self.popular = nn.Parameter(torch.zeros(spec.more["items"]))
        self.drop = nn.Dropout(dropout)

    def calibrate(self, *inputs: Tensor) -> None:
        """Count which item follows which, and solve which go together, before training."""
        if self.chain is not None:
            self.chain.count()
        if self.ease is not None:
            self.ease.solve()

    def forward(
        self,
        history: Tensor,
        user: Tensor,
        target: Tensor | None = None,
        known: Tensor | None = None,
        drawn: Tensor | None = None,
        rarity: Tensor | None = None,
    ) -> Tensor:
        if target is not None and known is not None and drawn is not None and rarity is not None:
            chosen = torch.cat([target[:, None], drawn], 1)
            logits = self.among(history, user, target, chosen) - rarity
            return logits.masked_fill(had(drawn[0], known), NEVER)
        logits = self.counted(history, user, target)
        if self.encoder is not None and self.item is not None:
            state = self.drop(self.encoder(self.item, history, user))
            logits = logits + state @ self.item.weight[1:].T
        return without(logits, history if known is None else known, target)

    def counted(self, history: Tensor, user: Tensor, target: Tensor | None) -> Tensor:
        """(B, I) logits by what needs no encoder."""
        logits = self.popular.expand(history.shape[0], -1)
        if self.chain is not None:
            logits = logits + self.chain(history, target)
        return logits if self.ease is None else logits + self.ease(history, user, target is not None)

    def among(self, history: Tensor, user: Tensor, target: Tensor, chosen: Tensor) -> Tensor:
        """(B, 1 + N) logits of the answer and of the drawn items, which are the same in all rows."""
        plain = self.chain is None and self.ease is None
        logits = self.popular[chosen - 1] if plain else self.counted(history, user, target).gather(1, chosen - 1)
        if self.encoder is not None and self.item is not None:
            state = self.drop(self.encoder(self.item, history, user))
            own = (state * self.item(target)).sum(1, keepdim=True)
            logits = logits + torch.cat([own, state @ self.item(chosen[0, 1:]).T], 1)
        return logits


class Rater(nn.Module):
    """Biases of user and item, from the closed form on, and the product of their vectors (Koren et al. 2009).

    `pull`: each row's squared vectors cost so much in its loss, in training (ibid.): seldom seen ones stay small.
    `towers`: the vectors go through a perceptron each before they are multiplied. `together`: a perceptron on both vectors
    is added to the product (He et al. 2017, section 3.4).
    """

    def __init__(
        self, spec: InputSpec, width: int, dropout: float, pull: float, towers: bool = False, together: bool = False
    ) -> None:
        super().__init__()
        self.pull = pull
        self.user, self.item = vectors(spec, "user", width), vectors(spec, "item", width)
        self.user_bias, self.item_bias = vectors(spec, "user", 1), vectors(spec, "item", 1)
        self.drop = nn.Dropout(dropout)
        self.user_tower = perceptron(spec, width, width, dropout) if towers else nn.Identity()
        self.item_tower = perceptron(spec, width, width, dropout) if towers else nn.Identity()
        self.together = perceptron(spec, 2 * width, 1, dropout) if together else None
        self.known = spec.more["biases"]

    @torch.no_grad()
    def calibrate(self, *inputs: Tensor) -> None:
        """Begin at the biases in closed form: what is left to learn is what users and items make only together."""
        for table, role in ((self.user_bias, "user"), (self.item_bias, "item")):
            if role in self.known:
                begin(table, torch.from_numpy(self.known[role]))
        if self.together is not None:
            for last in self.together[-1].parameters():
                nn.init.zeros_(last)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        u, i = self.user(user), self.item(item)
        if self.training:
            u, i = Pulled.apply(u, self.pull), Pulled.apply(i, self.pull)
        u, i = self.drop(u), self.drop(i)
        product = (self.user_tower(u) * self.item_tower(i)).sum(1, keepdim=True)
        said: Tensor = self.user_bias(user) + self.item_bias(item) + product
        return said if self.together is None else said + self.together(torch.cat([u, i], 1))


class Pulled(torch.autograd.Function):
    """The identity, whose gradient also has that of strength times the mean squared length of the rows."""

    @staticmethod
    def forward(context: Any, x: Tensor, strength: float) -> Tensor:
        context.save_for_backward(x)
        context.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = context.saved_tensors
        return gradient + (2 * context.strength / len(x)) * x, None


# -- by name -------------------------------------------------------------------------------------------------------


def chains(spec: InputSpec, ease: bool = False) -> nn.Module:
    return ranker(spec, "chains", None, ease=ease)


def factors(
    spec: InputSpec, width: int = 64, dropout: float = 0.0, pull: float = 0.1, chain: bool = False, ease: bool = False
) -> nn.Module:
    if spec.goal != "rank":
        return Rater(spec, width, dropout, pull)
    return ranker(spec, "factors", Taste(spec, width), width, dropout, chain, ease)


def ncf(spec: InputSpec, width: int = 32, dropout: float = 0.2, pull: float = 0.05) -> nn.Module:
    if spec.goal == "rank":
        said = "ncf scores one pair of user and item at a time: too slow to rank all items."
        raise RecipeError(said, "Use two_tower.")
    return Rater(spec, width, dropout, pull, together=True)


def two_tower(
    spec: InputSpec,
    width: int = 64,
    dropout: float = 0.3,
    length: int = 50,
    pull: float = 0.05,
    chain: bool = False,
    ease: bool = False,
) -> nn.Module:
    if spec.goal != "rank":
        return Rater(spec, width, dropout, pull, towers=True)
    return ranker(spec, "two_tower", Towers(spec, width, length, dropout), width, dropout, chain, ease)


def item_autoencoder(
    spec: InputSpec, width: int = 128, dropout: float = 0.0, noise: float = 0.5, chain: bool = False, ease: bool = False
) -> nn.Module:
    return ranker(spec, "item_autoencoder", Basket(spec, width, noise), width, dropout, chain, ease)


def gru4rec(
    spec: InputSpec, width: int = 64, dropout: float = 0.3, length: int = 50, chain: bool = False, ease: bool = False
) -> nn.Module:
    return ranker(spec, "gru4rec", Recurrent(width, length, dropout), width, dropout, chain, ease)


def sasrec(
    spec: InputSpec,
    width: int = 64,
    depth: int = 2,
    heads: int = 2,
    dropout: float = 0.3,
    length: int = 50,
    chain: bool = False,
    ease: bool = False,
) -> nn.Module:
    encoder = Attentive(spec, width, length, depth, heads, dropout)
    return ranker(spec, "sasrec", encoder, width, dropout, chain, ease)


def ranker(
    spec: InputSpec,
    name: str,
    encoder: nn.Module | None,
    width: int = 0,
    dropout: float = 0.0,
    chain: bool = True,
    ease: bool = False,
) -> Ranker:
    """Raises RecipeError where ratings are to be predicted."""
    if spec.goal != "rank":
        raise RecipeError(f"{name} ranks items, and the task is to predict ratings.", "Use factors, ncf or two_tower.")
    return Ranker(spec, width, encoder, chain, ease, dropout)
