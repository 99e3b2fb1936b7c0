"""Interactions as tensors: what each user had, in order, and batches of moments in it.

    B   batch       H   items of a history, the newest last, 0 in front where there are fewer

Item and user codes are + 1 in tensors: 0 stands for none.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Generator, Tensor

from whet.data.core import Data
from whet.data.prepared import Prepared
from whet.data.transforms import TargetScale
from whet.fields.recommend import biases
from whet.fields.recommend.ease import NEAR, Eased, eased
from whet.fields.recommend.packing import pack, pack_floats, unpack, unpack_floats
from whet.fields.recommend.pairs import FADE, FOLLOWERS, Pairs, followers
from whet.train.parts import Inputs

MOST_NUMBERS = 8_000_000
"""Numbers of histories and outputs, and of what is looked up for them, at once, in prediction."""
LOOKED_AT = 100
"""Items of a history that a network looks up at most (`families/recommend_ease.py`)."""


@dataclass(frozen=True, eq=False)
class RatingsTransform:
    """Who had what, in time order, without the test rows."""

    goal: str
    users: int
    items: int
    owner: np.ndarray
    """(n,) int64 user codes, in blocks."""
    had: np.ndarray
    """(n,) int64 item codes, each user's in time order."""
    trained: np.ndarray
    """(n,) bool: rows of the training part; the others are for choosing, and are known at the end."""
    telling: bool = True
    """Whether the network is told, in training, what follows and all that the user had: a user's own is not."""
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    """"user", "item" -> (users or items, F) float32 of what describes them; without what isn't described."""
    biases: Mapping[str, np.ndarray] = field(default_factory=dict)
    """To rate: "user", "item" -> (users or items,) float32, what they add to a standardised rating."""
    sampled: int = 0
    """Items that the answer is told from in training; 0: all."""

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """(users + 1,) where each user's rows begin."""
        return np.searchsorted(self.owner, np.arange(self.users + 1))

    @functools.cached_property
    def shown(self) -> np.ndarray:
        """(n,) `had` of the training part, -1 elsewhere: in training nobody knows what is held back for choosing."""
        return np.where(self.trained, self.had, -1)

    @functools.cached_property
    def pairs(self) -> Pairs:
        """Which item follows which; counted when first asked for."""
        return followers(self.had[self.trained], self.owner[self.trained], self.items)

    @functools.cached_property
    def eased(self) -> Eased:
        """Which items go together; solved when first asked for."""
        return eased(self.owner, self.had, self.trained, (self.users, self.items), self.nearby)

    @functools.cached_property
    def share(self) -> Tensor:
        """(items,) float64: how often each item is drawn as a wrong answer, half of it for its popularity."""
        often = torch.bincount(torch.from_numpy(self.had[self.trained]), minlength=self.items).double()
        return 0.5 * often / often.sum() + 0.5 / self.items

    @property
    def width(self) -> int:
        """Followers kept of each item: as many for every data set, so that the network's shape needs no count."""
        return min(FOLLOWERS, self.items)

    @property
    def nearby(self) -> int:
        """Weights kept of each item, as many for every data set."""
        return min(NEAR, self.items)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.items,)

    def histories(self, users: np.ndarray, ends: np.ndarray | None = None, of: np.ndarray | None = None) -> Tensor:
        """(B, H) int64: what these users (-1: unknown) had before the given rows; None: all that is known.

        `of`: items in place of `had`, -1 for none.
        """
        had = self.had if of is None else of
        known = np.maximum(users, 0)
        starts = self.starts[known]
        ends = np.where(users >= 0, self.starts[known + 1] if ends is None else ends, starts)
        width = max(1, int((ends - starts).max(initial=0)))
        at = ends[:, None] + np.arange(-width, 0)
        inside = at >= starts[:, None]
        return torch.from_numpy(np.where(inside, had[np.where(inside, at, 0)] + 1, 0))

    def apply(self, x: pl.DataFrame) -> Inputs:
        """To rank: histories (B, H) and users (B,). To rate: users (B,) and items (B,)."""
        users, items = x["user"].to_numpy(), x["item"].to_numpy()
        if self.goal == "rank":
            return self.histories(users), torch.from_numpy(users + 1)
        return torch.from_numpy(users + 1), torch.from_numpy(items + 1)

    def pieces(self, x: pl.DataFrame) -> Iterator[Inputs]:
        longest = int(np.diff(self.starts).max(initial=1))
        looked_up = min(longest, LOOKED_AT) * self.nearby
        each = max(1, MOST_NUMBERS // (longest + self.items + looked_up)) if self.goal == "rank" else 100_000
        return (self.apply(x[at : at + each]) for at in range(0, len(x), each))

    def at_rows(self, rows: np.ndarray) -> Inputs:
        """The moments before these rows, of the transform's own: what training batches are made of."""
        users = self.owner[rows]
        return self.histories(users, rows), torch.from_numpy(users + 1)

    def spec(self) -> dict[str, Any]:
        more = {
            "items": self.items,
            "users": self.users,
            "pairs": lambda: self.pairs,
            "followers": self.width,
            "fade": FADE,
            "eased": lambda: self.eased,
            "nearby": self.nearby,
            "features": self.features,
            "biases": self.biases,
        }
        return {
            "shape": self.shape,
            "domain": "ratings",
            "more": more,
            "example": lambda: tuple(self.drawn(2, 0).values()),
        }

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        draw = Generator().manual_seed(seed)
        users = torch.randint(0, self.users + 1, (rows,), generator=draw)
        if self.goal != "rank":
            return {"user": users, "item": torch.randint(0, self.items + 1, (rows,), generator=draw)}
        length = min(self.items, 40)
        order = torch.rand(rows, self.items, generator=draw).argsort(1)[:, :length] + 1  # nobody has an item twice
        empty = torch.randint(0, length, (rows, 1), generator=draw)
        return {"history": torch.where(torch.arange(length) >= empty, order, 0), "user": users}

    def to_dict(self) -> dict[str, Any]:
        arrays = {"owner": self.owner, "had": self.had, "trained": self.trained}
        packed: dict[str, Any] = {name: pack(array) for name, array in arrays.items()}
        if self.features:
            packed["features"] = {role: pack_floats(table) for role, table in self.features.items()}
        if self.biases:
            packed["biases"] = {role: pack_floats(found) for role, found in self.biases.items()}
        return {"goal": self.goal, "users": self.users, "items": self.items, **packed}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> RatingsTransform:
        owner, had, trained = (unpack(state[name]) for name in ("owner", "had", "trained"))
        features = {role: unpack_floats(text, state[f"{role}s"]) for role, text in state.get("features", {}).items()}
        known = {role: unpack_floats(text, state[f"{role}s"])[:, 0] for role, text in state.get("biases", {}).items()}
        sizes = state["users"], state["items"]
        return cls(state["goal"], *sizes, owner, had, trained.astype(bool), features=features, biases=known)


def prepare(data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
    """The known interactions, and the training and validation rows as moments in them."""
    known = np.sort(np.concatenate([parts["train"], parts["val"]]))
    x, origin = data.x[known], data.origin
    users, items = x["user"].to_numpy(), x["item"].to_numpy()
    order = np.argsort(users, kind="stable")
    known, users, items = known[order], users[order], items[order]
    trained = np.isin(known, parts["train"])
    features = {
        role: unpack_floats(origin[f"{role}_features"]["table"], len(origin[f"{role}s"]))
        for role in ("user", "item")
        if f"{role}_features" in origin
    }
    sizes = len(origin["users"]), len(origin["items"])
    transform = RatingsTransform(data.goal, *sizes, users, items, trained, features=features)
    rows = {"train": torch.from_numpy(np.flatnonzero(trained)), "val": torch.from_numpy(np.flatnonzero(~trained))}
    y = data.y[known]
    if data.goal == "rank":
        return Prepared("ratings", (torch.arange(len(known)),), torch.from_numpy(y), y, rows, transform)
    scale = TargetScale.fit(data.y[parts["train"]])
    target = scale.apply(y)
    found = biases.fitted(users, items, target.numpy().astype(float), trained, sizes)
    roles = {"user": found.user.astype(np.float32), "item": found.item.astype(np.float32)}
    pair = torch.from_numpy(users + 1), torch.from_numpy(items + 1)
    return Prepared("ratings", pair, target, y, rows, dataclasses.replace(transform, biases=roles), scale)


@dataclass(frozen=True, eq=False)
class Moments:
    """Rows of the transform's own become histories; whole histories stay as they are.

    In training (with a generator) the network is also told the item that follows and the user's items in the training
    part: the first to leave its own pairs out of the counts, the others to be no wrong answers; and, where not all items
    are compared, those that are drawn for the batch, and the logarithm of how often each is.
    """

    transform: RatingsTransform

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]:
        if len(inputs) > 1:
            return inputs, target
        rows = inputs[0].numpy()
        moments = self.transform.at_rows(rows)
        if generator is None or not self.transform.telling:
            return moments, target
        told = (*moments, target + 1, self.transform.histories(self.transform.owner[rows], of=self.transform.shown))
        return drawn_from(self.transform, told, target, generator) if self.transform.sampled else (told, target)


def drawn_from(known: RatingsTransform, told: Inputs, target: Tensor, generator: Generator) -> tuple[Inputs, Tensor]:
    """What the network is told, the wrong answers (B, N), and the logarithms of expected counts (B, 1 + N), the answer's first.

    Items are drawn with replacement and each is taken once: item i is among them with probability 1 - (1 - q_i)^tries
    (Bengio & Senecal 2008, section IV; Jean et al. 2015, arXiv:1412.2007, section 3.2).
    """
    drawn = torch.multinomial(known.share, known.sampled, replacement=True, generator=generator).unique()
    chosen = torch.cat([target[:, None], drawn.expand(len(target), -1)], 1)
    rarity = (-torch.expm1(known.sampled * torch.log1p(-known.share[chosen]))).log().float()
    return (*told, drawn.expand(len(target), -1) + 1, rarity), torch.zeros_like(target)
