"""Sound trainings of an eighth kind, and more ordinary ones: a wide and a narrow table, several values at once, a deep network,
signals in one dimension, coloured pictures, short texts by convolution and by attention, points in a set, graphs, a value at
each time, a class and a value, orders of pairs, waiting times in months, and sensors to be given back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from invented_bases import Make, Rows, drawn_parts, made, themselves
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, drawn, sgd

# -- data --------------------------------------------------------------------------------------------------------------


def survey(rows: int, seed: int) -> Rows:
    """(rows, 120): five classes about centres of their own in 12 of the columns; the others say nothing."""
    g, fixed = drawn(seed), drawn(201)
    y = torch.randint(0, 5, (rows,), generator=g)
    x = torch.randn(rows, 120, generator=g)
    x[:, 30:42] += 1.3 * torch.randn(5, 12, generator=fixed)[y]
    return x, y


def kiln(rows: int, seed: int) -> Rows:
    """(rows, 5) settings -> hardness, (rows, 1)."""
    g = drawn(seed)
    x = torch.randn(rows, 5, generator=g)
    y = x[:, 0] - 0.7 * x[:, 1].square() + (2 * x[:, 2]).sin() + 0.5 * x[:, 3] * x[:, 4]
    return x, ((y + 0.7 + 0.2 * torch.randn(rows, generator=g)) / 1.7)[:, None]


def plant(rows: int, seed: int) -> Rows:
    """(rows, 20) -> four yields, (rows, 4)."""
    g, fixed = drawn(seed), drawn(203)
    x = torch.randn(rows, 20, generator=g)
    h = torch.tanh(x @ torch.randn(20, 6, generator=fixed) / 3)
    return x, 1.3 * h @ torch.randn(6, 4, generator=fixed) / 2 + 0.1 * torch.randn(rows, 4, generator=g)


def shells(rows: int, seed: int) -> Rows:
    """(rows, 15): which of three shells about the middle, by five of the columns, bent by the others."""
    g = drawn(seed)
    x = torch.randn(rows, 15, generator=g)
    far = x[:, :5].square().sum(1) + x[:, 5] + 0.5 * x[:, 6] * x[:, 7]
    return x, (far > 3.2).long() + (far > 5.8).long()


def beats(rows: int, seed: int) -> Rows:
    """(rows, 1, 64): four rhythms at any phase, in noise."""
    g, t = drawn(seed), torch.arange(64.0)
    y = torch.randint(0, 4, (rows,), generator=g)
    every = torch.tensor([7.0, 9.0, 12.0, 16.0])[y][:, None]
    phase = ((t + 20 * torch.rand(rows, 1, generator=g)) % every) - 3
    return ((-phase.square() / 2).exp() * 2.4 - 0.6 + 0.5 * torch.randn(rows, 64, generator=g))[:, None], y


def tiles(rows: int, seed: int) -> Rows:
    """(rows, 3, 12, 12): a square, a ring, a cross or a slope, of any colour, anywhere."""
    g = drawn(seed)
    y = torch.randint(0, 4, (rows,), generator=g)
    r = torch.arange(12.0)
    at = 3.5 + 4 * torch.rand(rows, 2, 1, 1, generator=g)
    dy, dx = (r[:, None] - at[:, 0]).abs(), (r[None] - at[:, 1]).abs()
    far = torch.maximum(dy, dx)
    kinds = torch.stack([(far < 2.6), (far < 2.9) & (far > 1.6), (torch.minimum(dy, dx) < 0.8) & (far < 2.9),
                         ((r[:, None] - at[:, 0] - r[None] + at[:, 1]).abs() < 1.2) & (far < 2.9)], 1).float()  # fmt: skip
    form = kinds[torch.arange(rows), y][:, None]
    colour = 0.6 + 0.9 * torch.rand(rows, 3, 1, 1, generator=g)
    return 1.5 * form * colour - 0.4 + 0.4 * torch.randn(rows, 3, 12, 12, generator=g), y


def notes(rows: int, seed: int) -> Rows:
    """(rows, 20) indices of 150 words: which of three pairs of words stands side by side."""
    g = drawn(seed)
    x = torch.randint(6, 150, (rows, 20), generator=g)
    y, at = torch.randint(0, 3, (rows,), generator=g), torch.randint(0, 19, (rows,), generator=g)
    each = torch.arange(rows)
    x[each, at], x[each, at + 1] = 2 * y, 2 * y + 1
    return x, y


def votes(rows: int, seed: int) -> Rows:
    """(rows, 15) indices of 40 words: are words of the first ten or of the second ten more often there?"""
    g = drawn(seed)
    y = torch.randint(0, 2, (rows,), generator=g)
    own = y[:, None] * 10 + torch.randint(0, 10, (rows, 15), generator=g)
    other = torch.randint(0, 40, (rows, 15), generator=g)
    return torch.where(torch.rand(rows, 15, generator=g) < 0.3, own, other), y


def clouds(rows: int, seed: int) -> Rows:
    """(rows, 16, 2) points on a circle, a square or a triangle, turned, in noise."""
    g = drawn(seed)
    y = torch.randint(0, 3, (rows,), generator=g)
    turn = 6.283 * torch.rand(rows, 16, generator=g)
    sides = torch.tensor([60.0, 4.0, 3.0])[y][:, None]
    far = (math.pi / sides).cos() / ((turn % (2 * math.pi / sides)) - math.pi / sides).cos()
    turned = turn + 0.4 * torch.randn(rows, 1, generator=g)
    x = 1.5 * far[:, :, None] * torch.stack([turned.cos(), turned.sin()], 2)
    return x + 0.06 * torch.randn(rows, 16, 2, generator=g), y


def ties(rows: int, seed: int) -> Rows:
    """(rows, 10, 10) who knows whom, beside (rows, 10, 3) of each: do those who know each other look alike?"""
    g = drawn(seed)
    y = torch.randint(0, 2, (rows,), generator=g)
    kind = torch.randint(0, 3, (rows, 10), generator=g)
    alike = kind[:, :, None] == kind[:, None]
    chance = torch.where(y[:, None, None] == 1, torch.where(alike, 0.6, 0.15), torch.full(alike.shape, 0.3))
    known = (torch.rand(rows, 10, 10, generator=g) < chance).float().triu(1)
    return (known + known.transpose(1, 2), F.one_hot(kind, 3).float()), y


def levels(rows: int, seed: int) -> Rows:
    """(rows, 18, 2) -> a level that each inflow raises and that leaks away, at each time, (rows, 18, 1)."""
    g = drawn(seed)
    x = torch.randn(rows, 18, 2, generator=g)
    level, kept = torch.zeros(rows), []
    for t in range(18):
        level = 0.8 * level + 0.6 * x[:, t, 0] * (x[:, t, 1] > -0.5)
        kept.append(level)
    return x, torch.stack(kept, 1)[:, :, None] + 0.1 * torch.randn(rows, 18, 1, generator=g)


def patients(rows: int, seed: int) -> Rows:
    """(rows, 10) -> which of three illnesses, and for how many (scaled) days, (rows, 2)."""
    g, fixed = drawn(seed), drawn(211)
    x = torch.randn(rows, 10, generator=g)
    h = torch.tanh(x @ torch.randn(10, 8, generator=fixed) / 2)
    kind = (2 * h @ torch.randn(8, 3, generator=fixed)).argmax(1)
    days = h @ torch.randn(8, generator=fixed) / 1.8 + 0.1 * torch.randn(rows, generator=g)
    return x, torch.stack([kind.float(), days], 1)


def orders(rows: int, seed: int) -> Rows:
    """(rows, 2, 8): is the first of two offers taken rather than the second? (rows, 1)."""
    g, fixed = drawn(seed), drawn(212)
    x = torch.randn(rows, 2, 8, generator=g)
    worth = torch.tanh(x @ torch.randn(8, 5, generator=fixed) / 2) @ torch.randn(5, generator=fixed)
    return x, (worth[:, :1] > worth[:, 1:]).float()


def waits(rows: int, seed: int) -> Rows:
    """(rows, 9) -> the month of six in which it ended, or 6 where it did not, (rows,)."""
    g, fixed = drawn(seed), drawn(213)
    x = torch.randn(rows, 9, generator=g)
    risk = torch.tanh(x @ torch.randn(9, 5, generator=fixed) / 2) @ (2.5 * torch.randn(5, generator=fixed)) - 1.5
    ends = torch.rand(rows, 6, generator=g) < risk[:, None].sigmoid()
    return x, torch.where(ends.any(1), ends.float().argmax(1), 6)


def sensors(rows: int, seed: int) -> Rows:
    """(rows, 24) that three hidden numbers make up."""
    g, fixed = drawn(seed), drawn(214)
    hidden = torch.randn(rows, 3, generator=g)
    x = torch.tanh(hidden @ torch.randn(3, 24, generator=fixed)) / 0.75 + 0.1 * torch.randn(rows, 24, generator=g)
    return x, x


# -- networks ----------------------------------------------------------------------------------------------------------


def beat_net(act: Any = nn.ReLU, norm: bool = True, end: Any = None) -> nn.Module:
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        conv = nn.Conv1d(inputs, outputs, 7, stride=2, padding=3)
        return [conv, *([nn.BatchNorm1d(outputs)] if norm else []), act()]

    layers = [*block(1, 12), *block(12, 16), nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Linear(128, 4)]
    return nn.Sequential(*layers, *([end()] if end else []))


def tile_net(act: Any = nn.ReLU, drop: float = 0.0, end: Any = None) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), act(), nn.MaxPool2d(2), nn.Conv2d(12, 20, 3, padding=1), act(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(drop), nn.Linear(180, 32), act(), nn.Linear(32, 4), *([end()] if end else []),
    )  # fmt: skip


class Noted(nn.Module):
    """Convolutions over words, the largest answer of each (Kim 2014)."""

    def __init__(self, width: int = 24, size: int = 16, drop: float = 0.2, end: Any = nn.Identity) -> None:
        super().__init__()
        self.words, self.conv = nn.Embedding(150, size), nn.Conv1d(size, width, 3, padding=1)
        self.drop, self.head, self.end = nn.Dropout(drop), nn.Linear(width, 3), end()

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.conv(self.words(x).transpose(1, 2))).amax(2)
        return self.end(self.head(self.drop(h)))


class Voter(nn.Module):
    """Two layers of attention, and the mean of what they say."""

    def __init__(self, width: int = 24, drop: float = 0.1, layers: int = 2) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(40, width), nn.Parameter(0.1 * torch.randn(15, width))
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, drop, batch_first=True)
        self.read, self.head = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.read(self.words(x) + self.places).mean(1))


class Cloud(nn.Module):
    """Each point by itself, the largest of each, then all (Qi et al. 2017)."""

    def __init__(self, act: Any = nn.ReLU, width: int = 32, end: Any = None) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(2, width), act(), nn.Linear(width, 64), act())
        self.all = dense(64, 32, 3, act=act, end=end)

    def forward(self, x: Tensor) -> Tensor:
        return self.all(self.each(x).amax(1))


class Ties(nn.Module):
    """Two rounds of the mean over those one knows (Kipf & Welling 2017), then over all."""

    def __init__(self, width: int = 24, act: Any = nn.ReLU) -> None:
        super().__init__()
        self.a, self.b, self.act = nn.Linear(6, width), nn.Linear(2 * width, width), act()
        self.head = nn.Linear(width, 2)

    def forward(self, known: Tensor, x: Tensor) -> Tensor:
        near = known / known.sum(2, keepdim=True).clamp_min(1)
        h = self.act(self.a(torch.cat([x, near @ x], 2)))
        h = self.act(self.b(torch.cat([h, near @ h], 2)))
        return self.head(h.mean(1))


class Levels(nn.Module):
    """A value at each time."""

    def __init__(self, width: int = 24, cell: Any = nn.GRU, end: Any = nn.Identity, **more: Any) -> None:
        super().__init__()
        self.read, self.head, self.end = cell(2, width, batch_first=True, **more), nn.Linear(width, 1), end()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.read(x)[0]))


class Ward(nn.Module):
    """One trunk, two heads, side by side: three scores and a value."""

    def __init__(self, width: int = 40, act: Any = nn.ReLU) -> None:
        super().__init__()
        self.trunk, self.kind, self.days = (
            dense(10, width, width, act=act, end=act),
            nn.Linear(width, 3),
            nn.Linear(width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.trunk(x)
        return torch.cat([self.kind(h), self.days(h)], 1)


def both(kinds: float = 1.0, days: float = 1.0) -> Any:
    def loss(said: Tensor, y: Tensor) -> Tensor:
        return kinds * F.cross_entropy(said[:, :3], y[:, 0].long()) + days * F.mse_loss(said[:, 3], y[:, 1])

    return loss


def both_met(said: Tensor, y: Tensor) -> float:
    """The mean of the share of right kinds and of the explained spread of days."""
    right = float((said[:, :3].argmax(1) == y[:, 0]).float().mean())
    return 0.5 * right + 0.5 * (1 - float(F.mse_loss(said[:, 3], y[:, 1])) / float(y[:, 1].var()))


class Order(nn.Module):
    """What one offer is worth less what the other is (Burges et al. 2005)."""

    def __init__(self, width: int = 32, act: Any = nn.ReLU, end: Any = nn.Identity) -> None:
        super().__init__()
        self.worth, self.end = dense(8, width, width, 1, act=act), end()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.worth(x[:, 0]) - self.worth(x[:, 1]))


def hazard(said: Tensor, y: Tensor) -> Tensor:
    """For each month that was begun whether it ended there (Gensheimer & Narasimhan 2019)."""
    month = torch.arange(6)
    begun, ended = (month <= y[:, None]).float(), (month == y[:, None]).float()
    return (F.binary_cross_entropy_with_logits(said, ended, reduction="none") * begun).sum() / begun.sum()


def later_told(said: Tensor, y: Tensor) -> float:
    """Of pairs that ended in other months, the share whose order is told, from -1 to 1."""
    stays = F.logsigmoid(-said).cumsum(1).sum(1)
    earlier = y[:, None] < y[None]
    return 2 * float((stays[:, None] < stays[None]).float()[earlier].mean()) - 1


def sensor_net(width: int = 4, act: Any = nn.Tanh, end: Any = None) -> nn.Module:
    return dense(24, 32, width, 32, 24, act=act, end=end)


VALUES: dict[str, Any] = {"loss": nn.MSELoss(), "metric": "r2"}
SOUND: Mapping[str, Make] = {
    "survey": lambda: made(drawn_parts(survey, 1000, 400), lambda: dense(120, 64, 64, 5), 10, 40, optimizer=adam(1e-3)),
    "kiln": lambda: made(drawn_parts(kiln, 600, 300), lambda: dense(5, 32, 32, 1), 30, optimizer=adam(5e-3), **VALUES),
    "plant": lambda: made(drawn_parts(plant, 800, 300), lambda: dense(20, 48, 48, 4), 25, optimizer=sgd(0.05), **VALUES),
    "shells": lambda: made(
        drawn_parts(shells, 1200, 400), lambda: dense(15, *[32] * 5, 3), 20, 60, optimizer=adam(4e-3)
    ),
    "beats": lambda: made(drawn_parts(beats, 600, 300), beat_net, 8, optimizer=adam(3e-3)),
    "tiles": lambda: made(drawn_parts(tiles, 600, 300), tile_net, 10, optimizer=sgd(0.03)),
    "notes": lambda: made(drawn_parts(notes, 800, 300), Noted, 10, 40, optimizer=adam(5e-3)),
    "votes": lambda: made(drawn_parts(votes, 800, 300), Voter, 8, 50, optimizer=adam(2e-3)),
    "clouds": lambda: made(drawn_parts(clouds, 600, 300), Cloud, 12, optimizer=adam(5e-3)),
    "ties": lambda: made(drawn_parts(ties, 600, 300), Ties, 12, optimizer=adam(5e-3)),
    "levels": lambda: made(drawn_parts(levels, 400, 250), Levels, 12, optimizer=adam(8e-3), **VALUES),
    "patients": lambda: made(
        drawn_parts(patients, 900, 300), Ward, 20, loss=both(), metric=both_met, optimizer=adam(3e-3)
    ),
    "orders": lambda: made(
        drawn_parts(orders, 1000, 400), Order, 12, 50, loss=nn.BCEWithLogitsLoss(), optimizer=adam(5e-3)
    ),
    "waits": lambda: made(
        drawn_parts(waits, 900, 400), lambda: dense(9, 32, 32, 6), 12, loss=hazard, metric=later_told, optimizer=adam(3e-3)
    ),
    "sensors": lambda: made(themselves(drawn_parts(sensors, 700, 300)), sensor_net, 30, optimizer=adam(5e-3), **VALUES),
}  # fmt: skip
"""Family -> a training that is sound."""
