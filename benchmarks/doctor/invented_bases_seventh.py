"""Sound trainings for the seventh batch: ten made-up tasks, four of them judged by a function of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from invented_bases import Make, Rows, drawn_parts, made
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, drawn, sgd

# -- data --------------------------------------------------------------------------------------------------------------


def loans(rows: int, seed: int) -> Rows:
    """(rows, 14) of a borrower -> is it paid back? (rows, 1)."""
    g, fixed = drawn(seed), drawn(301)
    x = torch.randn(rows, 14, generator=g)
    h = torch.tanh(x @ torch.randn(14, 8, generator=fixed) / 2) @ torch.randn(8, 1, generator=fixed)
    return x, (h + 0.6 * torch.randn(rows, 1, generator=g) > 0.3).float()


def masks(rows: int, seed: int) -> Rows:
    """(rows, 1, 16, 16) -> where the bright blot is, of the same shape."""
    g, r = drawn(seed), torch.arange(16.0)
    at, wide = 3 + 10 * torch.rand(rows, 2, 1, 1, generator=g), 2 + 1.5 * torch.rand(rows, 1, 1, generator=g)
    blot = ((r[:, None] - at[:, 0]).square() + (r - at[:, 1]).square() < wide.square()).float()[:, None]
    line = (torch.rand(rows, 1, 16, 1, generator=g) < 0.1).float()
    return 1.6 * torch.maximum(blot, line) + 0.5 * torch.randn(rows, 1, 16, 16, generator=g) - 0.4, blot


def genes(rows: int, seed: int) -> Rows:
    """(rows, 30) -> which of five functions it has, any number of them, (rows, 5)."""
    g, fixed = drawn(seed), drawn(303)
    x = torch.randn(rows, 30, generator=g)
    h = torch.tanh(x @ torch.randn(30, 12, generator=fixed) / 4) @ torch.randn(12, 5, generator=fixed)
    return x, (h + 0.3 * torch.randn(rows, 5, generator=g) > 0.4).float()


def engines(rows: int, seed: int) -> Rows:
    """(rows, 8) settings -> torque and temperature, (rows, 2)."""
    g, fixed = drawn(seed), drawn(304)
    x = torch.randn(rows, 8, generator=g)
    h = torch.tanh(x @ torch.randn(8, 10, generator=fixed) / 2)
    return x, h @ torch.randn(10, 2, generator=fixed) / 2.2 + 0.1 * torch.randn(rows, 2, generator=g)


def leaves(rows: int, seed: int) -> Rows:
    """(rows, 1, 14, 14): five outlines, of any size and brightness, somewhat turned."""
    g = drawn(seed)
    y = torch.randint(0, 5, (rows,), generator=g)
    r = torch.arange(14.0) - 6.5
    dy = r[:, None] + torch.randn(rows, 1, 1, generator=g)
    dx = r[None] + torch.randn(rows, 1, 1, generator=g)
    angle = torch.atan2(dy, dx) + 0.5 * torch.randn(rows, 1, 1, generator=g)
    lobes = torch.tensor([0.0, 2.0, 3.0, 4.0, 5.0])[y][:, None, None]
    far = 3.4 + 0.5 * torch.randn(rows, 1, 1, generator=g) + 1.7 * (lobes * angle).cos() * (lobes > 0)
    inside = ((dy.square() + dx.square()).sqrt() < far).float()
    bright = 1.5 + 0.4 * torch.rand(rows, 1, 1, generator=g)
    return (bright * inside - 0.5 + 0.25 * torch.randn(rows, 14, 14, generator=g))[:, None], y


def calls(rows: int, seed: int) -> Rows:
    """(rows, 24, 3): four calls, each a rise or a fall of two bands in its own order."""
    g, t = drawn(seed), torch.linspace(-1, 1, 24)
    y = torch.randint(0, 4, (rows,), generator=g)
    up = torch.tensor([1.0, 1.0, -1.0, -1.0])[y][:, None]
    late = torch.tensor([0.5, -0.5, 0.5, -0.5])[y][:, None]
    shift = 0.3 * torch.randn(rows, 1, generator=g)
    first = torch.tanh(4 * up * (t - shift))
    second = (-((t - shift - late) * 5).square()).exp() * 2
    x = torch.stack([first, second, torch.zeros(rows, 24)], 2)
    return x + 0.7 * torch.randn(rows, 24, 3, generator=g), y


def reviews(rows: int, seed: int) -> Rows:
    """(rows, 16) indices of 120 words, of which 12 praise, 12 blame, and one turns the next one round."""
    g = drawn(seed)
    x = torch.randint(25, 120, (rows, 16), generator=g)
    y = torch.randint(0, 2, (rows,), generator=g)
    each = torch.arange(rows)
    for place in (2, 7, 12):
        turns = torch.rand(rows, generator=g) < 0.3
        word = torch.randint(0, 12, (rows,), generator=g) + 12 * (y ^ turns.long())
        at = place + torch.randint(0, 2, (rows,), generator=g)
        x[each, at + 1] = word + 1
        x[each, at] = torch.where(turns, 0, x[each, at])
    return x, y


def houses(rows: int, seed: int) -> Rows:
    """(rows, 12) -> what one costs, (rows, 1)."""
    g, fixed = drawn(seed), drawn(308)
    x = torch.randn(rows, 12, generator=g)
    h = F.relu(x @ torch.randn(12, 10, generator=fixed) / 2) @ torch.randn(10, 1, generator=fixed)
    return x, (h + 0.5 * x[:, :1] * x[:, 1:2] + 0.2 * torch.randn(rows, 1, generator=g)) / 2.5


def films(rows: int, seed: int) -> Rows:
    """(rows, 2) of 40 people and 30 films -> how it was liked, (rows, 1)."""
    g, fixed = drawn(seed), drawn(309)
    people, kinds = torch.randn(40, 3, generator=fixed), torch.randn(30, 3, generator=fixed)
    x = torch.stack([torch.randint(0, 40, (rows,), generator=g), torch.randint(0, 30, (rows,), generator=g)], 1)
    liked = (people[x[:, 0]] * kinds[x[:, 1]]).sum(1, keepdim=True) / 1.7
    return x, liked + 0.25 * torch.randn(rows, 1, generator=g)


def tides(rows: int, seed: int) -> Rows:
    """(rows, 20, 1) of two tides -> the next three heights, (rows, 3)."""
    g, t = drawn(seed), torch.arange(23.0)
    phase = 6.283 * torch.rand(rows, 2, 1, generator=g)
    size = 0.6 + torch.rand(rows, 2, 1, generator=g)
    speed = torch.tensor([0.5, 0.83])[:, None] + 0.05 * torch.randn(rows, 2, 1, generator=g)
    x = (size * (speed * t + phase).sin()).sum(1) + 0.08 * torch.randn(rows, 23, generator=g)
    return x[:, :20, None], x[:, 20:]


# -- networks ----------------------------------------------------------------------------------------------------------


def mask_net(act: Any = nn.ReLU, end: Any = None, width: int = 12) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), act(), nn.Conv2d(width, width, 3, padding=2, dilation=2), act(),
        nn.Conv2d(width, width, 3, padding=1), act(), nn.Conv2d(width, 1, 1), *([end()] if end else []),
    )  # fmt: skip


def leaf_net(act: Any = nn.ReLU, drop: float = 0.0, end: Any = None) -> nn.Module:
    def block(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), act(), nn.MaxPool2d(2)]

    layers = [*block(1, 12), *block(12, 24), nn.Flatten(), nn.Dropout(drop), nn.Linear(216, 5)]
    return nn.Sequential(*layers, *([end()] if end else []))


class Caller(nn.Module):
    """The last answer of a recurrent layer."""

    def __init__(self, cell: Any = nn.GRU, width: int = 24, end: Any = nn.Identity) -> None:
        super().__init__()
        self.read, self.head, self.end = cell(3, width, batch_first=True), nn.Linear(width, 4), end()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.read(x)[0][:, -1]))


class Reviewer(nn.Module):
    """Words, an LSTM both ways, the mean over places."""

    def __init__(self, size: int = 16, width: int = 16, drop: float = 0.2, end: Any = nn.Identity) -> None:
        super().__init__()
        self.words = nn.Embedding(120, size)
        self.read = nn.LSTM(size, width, batch_first=True, bidirectional=True)
        self.drop, self.head, self.end = nn.Dropout(drop), nn.Linear(2 * width, 2), end()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.drop(self.read(self.words(x))[0].mean(1))))


class Liking(nn.Module):
    """A vector for each person and film, and what they say together (He et al. 2017)."""

    def __init__(self, size: int = 8, act: Any = nn.ReLU) -> None:
        super().__init__()
        self.people, self.films = nn.Embedding(40, size), nn.Embedding(30, size)
        self.all = dense(3 * size, 32, 1, act=act)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.people(x[:, 0]), self.films(x[:, 1])
        return self.all(torch.cat([a, b, a * b], 1))


class Tide(nn.Module):
    """Attention over the heights so far."""

    def __init__(self, width: int = 24, drop: float = 0.0, end: Any = nn.Identity) -> None:
        super().__init__()
        self.lift, self.places = nn.Linear(1, width), nn.Parameter(0.3 * torch.randn(20, width))
        layer = nn.TransformerEncoderLayer(width, 2, 48, drop, batch_first=True)
        self.read = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head, self.end = nn.Linear(20 * width, 3), end()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.read(self.lift(x) + self.places).flatten(1)))


# -- metrics -----------------------------------------------------------------------------------------------------------


def gini(said: Tensor, y: Tensor) -> float:
    """How surely one that pays is put before one that does not, from -1 to 1."""
    good, bad = said[y > 0.5], said[y < 0.5]
    difference = good[:, None] - bad[None]
    return float(difference.sign().mean())


def overlap(said: Tensor, y: Tensor) -> float:
    """Intersection over union, of scores about nought."""
    found = said > 0
    return float((found & (y > 0.5)).sum() / (found | (y > 0.5)).sum().clamp_min(1))


def f1(said: Tensor, y: Tensor) -> float:
    """The mean over columns."""
    found = (said > 0).float()
    return float((2 * (found * y).sum(0) / (found.sum(0) + y.sum(0)).clamp_min(1)).mean())


def both_explained(said: Tensor, y: Tensor) -> float:
    """The explained share of each column's spread, the mean of it, not below -1."""
    left = (said - y).square().mean(0) / y.var(0)
    return float((1 - left).clamp_min(-1).mean())


VALUES: dict[str, Any] = {"loss": nn.MSELoss(), "metric": "r2"}
SCORES: dict[str, Any] = {"loss": nn.BCEWithLogitsLoss()}
SOUND: Mapping[str, Make] = {
    "loans": lambda: made(
        drawn_parts(loans, 900, 400), lambda: dense(14, 32, 32, 1), 15, metric=gini, optimizer=adam(3e-3), **SCORES
    ),
    "masks": lambda: made(drawn_parts(masks, 300, 150), mask_net, 12, 25, metric=overlap, optimizer=adam(1e-2), **SCORES),
    "genes": lambda: made(
        drawn_parts(genes, 900, 400), lambda: dense(30, 64, 64, 5), 15, metric=f1, optimizer=adam(3e-3), **SCORES
    ),
    "engines": lambda: made(
        drawn_parts(engines, 800, 300), lambda: dense(8, 48, 48, 2), 25, loss=nn.MSELoss(), metric=both_explained,
        optimizer=adam(4e-3),
    ),
    "leaves": lambda: made(drawn_parts(leaves, 800, 300), leaf_net, 10, 40, optimizer=sgd(0.05)),
    "calls": lambda: made(drawn_parts(calls, 600, 300), Caller, 12, optimizer=adam(6e-3)),
    "reviews": lambda: made(drawn_parts(reviews, 900, 300), Reviewer, 12, 45, optimizer=adam(8e-3)),
    "houses": lambda: made(
        drawn_parts(houses, 900, 300), lambda: dense(12, *[40] * 4, 1), 25, 45, optimizer=adam(2e-3), **VALUES
    ),
    "films": lambda: made(drawn_parts(films, 1000, 200), Liking, 25, 50, optimizer=adam(1e-2, weight_decay=1e-3), **VALUES),
    "tides": lambda: made(drawn_parts(tides, 700, 300), Tide, 15, 35, optimizer=adam(3e-3), **VALUES),
}  # fmt: skip
"""Family -> a training that is sound."""
