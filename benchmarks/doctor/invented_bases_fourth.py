"""Sound trainings of a sixth kind: outlines to be drawn, tags and texts in both directions, triplets, two answers at once,
kinds in tables, dilated and separable convolutions, experts, shares, spreads, directions. Most have a loss or a metric of their
own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from invented_bases import Make, Parts, Rows, drawn_parts, made, parted, standardised
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, drawn, sgd

# -- data --------------------------------------------------------------------------------------------------------------


def discs(rows: int, seed: int) -> Rows:
    """(rows, 1, 16, 16): a disc and a bar in noise -> which pixels are the disc's, (rows, 16, 16)."""
    g = drawn(seed)
    r, c = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    at = 3 + 10 * torch.rand(rows, 2, 1, 1, generator=g)
    size = 2 + 2 * torch.rand(rows, 1, 1, generator=g)
    disc = (r - at[:, 0]) ** 2 + (c - at[:, 1]) ** 2 < size**2
    bar = (r - torch.randint(0, 16, (rows, 1, 1), generator=g)).abs() < 1
    x = torch.where(disc | bar, 1.0, 0.0) + 0.25 * torch.randn(rows, 16, 16, generator=g)
    return (x[:, None] - 0.2) / 0.5, disc.long()


def brackets(rows: int, seed: int) -> Rows:
    """(rows, 16) indices of eight signs -> of each whether its next neighbours on both sides are larger, (rows, 16)."""
    g = drawn(seed)
    x = torch.randint(0, 8, (rows, 16), generator=g)
    padded = F.pad(x, (1, 1), value=-1)
    return x, (padded[:, :-2] > x).long() + (padded[:, 2:] > x).long()


def opinions(rows: int, seed: int) -> Rows:
    """(rows, 20) indices of 60 words: four good ones, four bad ones, and a "not" that turns the next one."""
    g = drawn(seed)
    y = torch.randint(0, 2, (rows,), generator=g)
    x = torch.randint(9, 60, (rows, 20), generator=g)
    at = 2 * torch.rand(rows, 10, generator=g).argsort(1)[:, :3]
    turned = torch.rand(rows, 3, generator=g) < 0.3
    good = (y[:, None] == 1) ^ turned
    word = torch.randint(1, 5, (rows, 3), generator=g) + 4 * (~good).long()
    x.scatter_(1, at, torch.where(turned, 0, x.gather(1, at)))
    x.scatter_(1, at + 1, word)
    return x, y


def kinds_of_rows(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """(rows, 12) about one of eight centres -> which one."""
    g, fixed = drawn(seed), drawn(81)
    y = torch.randint(0, 8, (rows,), generator=g)
    bend = torch.randn(12, 12, generator=fixed)
    x = (torch.randn(8, 12, generator=fixed)[y] + 0.7 * torch.randn(rows, 12, generator=g)) @ bend
    return x / x.std(0), y


def triplets(rows: int, seed: int) -> Rows:
    """A row, another of its kind, one of another kind, each (rows, 12); nothing to say, (rows,)."""
    g = drawn(seed + 100)
    x, y = kinds_of_rows(900, seed)
    same = y[:, None] == y[None]
    first = torch.randint(0, 900, (rows,), generator=g)
    like = torch.multinomial(same[first].float(), 1, generator=g)[:, 0]
    other = torch.multinomial((~same[first]).float(), 1, generator=g)[:, 0]
    return (x[first], x[like], x[other]), torch.zeros(rows)


def two_answers(rows: int, seed: int) -> Rows:
    """(rows, 9) -> a kind of three and a value, (rows, 2)."""
    g, fixed = drawn(seed), drawn(82)
    x = torch.randn(rows, 9, generator=g)
    kind = torch.tanh(x @ torch.randn(9, 3, generator=fixed)).argmax(1)
    value = (x[:, 0] * x[:, 1] + (2 * x[:, 2]).sin() + 0.1 * torch.randn(rows, generator=g)) / 1.2
    return x, torch.stack([kind.float(), value], 1)


def customers(rows: int, seed: int) -> Rows:
    """(rows, 4) numbers beside (rows, 3) kinds of 12, 7 and 4 -> whether they leave, (rows, 1); three of ten do."""
    g, fixed = drawn(seed), drawn(83)
    x = torch.randn(rows, 4, generator=g)
    kinds = torch.stack([torch.randint(0, n, (rows,), generator=g) for n in (12, 7, 4)], 1)
    of = [torch.randn(n, generator=fixed) for n in (12, 7, 4)]
    score = sum(of[i][kinds[:, i]] for i in range(3)) + 1.5 * x[:, 0] * of[2][kinds[:, 2]] - x[:, 1].abs()
    return (x, kinds), (score + 0.2 * torch.randn(rows, generator=g) > 0.3).float()[:, None]


def echoes(rows: int, seed: int) -> Rows:
    """(rows, 1, 48) of a wave whose pace changes -> the next value at each place, (rows, 1, 48)."""
    g, t = drawn(seed), torch.arange(49.0)
    pace = 0.3 + 0.3 * torch.rand(rows, 1, generator=g) + 0.15 * (0.2 * t + 6 * torch.rand(rows, 1, generator=g)).sin()
    x = (pace.cumsum(1) + 6.28 * torch.rand(rows, 1, generator=g)).sin() / 0.7
    x = x + 0.03 * torch.randn(rows, 49, generator=g)
    return x[:, None, :48], x[:, None, 1:]


def regions() -> Parts:
    """(rows, 5) -> a value by another rule in each of four regions, (rows, 1)."""
    g, fixed = drawn(84), drawn(85)
    x = 2 * torch.rand(1000, 5, generator=g) - 1
    region = (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long()
    slope = 2 * torch.randn(4, 5, generator=fixed)
    y = (x * slope[region]).sum(1) + torch.randn(4, generator=fixed)[region] + 0.1 * torch.randn(1000, generator=g)
    return parted((x / 0.58).numpy(), ((y - y.mean()) / y.std())[:, None].numpy(), 680)


def mixtures(rows: int, seed: int) -> Rows:
    """(rows, 6) -> shares of four stuffs, (rows, 4), which add up to 1."""
    g, fixed = drawn(seed), drawn(86)
    x = torch.randn(rows, 6, generator=g)
    hidden = torch.tanh(1.2 * x @ torch.randn(6, 10, generator=fixed))
    return x, (1.5 * hidden @ torch.randn(10, 4, generator=fixed)).softmax(1)


def spreads(rows: int, seed: int) -> Rows:
    """(rows, 3) -> a value with as much noise as one of the numbers says, (rows, 1)."""
    g = drawn(seed)
    x = 2 * torch.rand(rows, 3, generator=g) - 1
    y = (3 * x[:, :1]).sin() + x[:, 1:2].square()
    return x / 0.58, y + (0.05 + 0.3 * (x[:, 2:] > 0)) * torch.randn(rows, 1, generator=g)


def directions(rows: int, seed: int) -> Rows:
    """(rows, 8) -> a direction in five dimensions, (rows, 5), of length 1."""
    g, fixed = drawn(seed), drawn(87)
    x = torch.randn(rows, 8, generator=g)
    y = torch.tanh(x @ torch.randn(8, 16, generator=fixed) / 1.5) @ torch.randn(16, 5, generator=fixed)
    return x, F.normalize(y + 0.1 * torch.randn(rows, 5, generator=g), dim=1)


def crosses(rows: int, seed: int) -> Rows:
    """(rows, 3, 12, 12): one of five figures of a small alphabet, anywhere, turned or not, coloured."""
    g = drawn(seed)
    y = torch.randint(0, 5, (rows,), generator=g)
    figure = torch.zeros(5, 6, 6)
    figure[0, 2:4], figure[0, :, 2:4] = 1, 1
    figure[1, :2], figure[1, :, :2] = 1, 1
    figure[2, 0], figure[2, 5], figure[2, :, 0], figure[2, :, 5] = 1, 1, 1, 1
    figure[3] = torch.eye(6) + torch.eye(6).roll(1, 1).triu()
    figure[4, ::2] = 1
    x = 0.3 * torch.randn(rows, 3, 12, 12, generator=g)
    colour = 0.5 + torch.rand(rows, 3, 1, 1, generator=g)
    for i, (r, c) in enumerate(torch.randint(0, 7, (rows, 2), generator=g).tolist()):
        x[i, :, r : r + 6, c : c + 6] += colour[i] * figure[y[i]]
    return (x - 0.1) / 0.5, y


def tuned(rows: int, seed: int) -> Rows:
    """(rows, 12) indices: a letter, then each next one by a rule on the last two -> the next letter, (rows, 12)."""
    g, fixed = drawn(seed), drawn(88)
    rule = (2.5 * torch.randn(7, 7, 7, generator=fixed)).softmax(2)
    x = [torch.randint(0, 7, (rows,), generator=g), torch.randint(0, 7, (rows,), generator=g)]
    for _ in range(11):
        x.append(torch.multinomial(rule[x[-2], x[-1]], 1, generator=g)[:, 0])
    both = torch.stack(x, 1)
    return both[:, :12], both[:, 1:]


@functools.cache
def flowers() -> Parts:
    """Pictures of digits as 64 numbers, ten kinds, for a margin instead of a likelihood."""
    x, y = datasets.load_digits(return_X_y=True)
    return standardised(parted(x, y, 900, seed=9))


# -- networks ----------------------------------------------------------------------------------------------------------


class Drawer(nn.Module):
    """A small U-net (Ronneberger et al. 2015): down twice, up twice, and what was seen on the way down beside it."""

    def __init__(self, width: int = 8, act: Any = nn.ReLU, norm: bool = True, skip: bool = True) -> None:
        super().__init__()

        def block(a: int, b: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b) if norm else nn.Identity(), act())

        self.a, self.b, self.c = block(1, width), block(width, 2 * width), block(2 * width, 2 * width)
        self.up, self.back = block(4 * width, width), block(2 * width, width)
        self.out, self.skip = nn.Conv2d(width, 2, 1), skip

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        b = self.b(F.max_pool2d(a, 2))
        c = self.c(F.max_pool2d(b, 2))
        kept = 1.0 if self.skip else 0.0
        up = self.up(torch.cat([F.interpolate(c, scale_factor=2), kept * b], 1))
        return self.out(self.back(torch.cat([F.interpolate(up, scale_factor=2), kept * a], 1)))


class Tagger(nn.Module):
    """Says something of each sign: (rows, 3, places), as the cross-entropy takes it."""

    def __init__(self, width: int = 20, both: bool = True, cell: str = "GRU") -> None:
        super().__init__()
        self.signs = nn.Embedding(8, 12)
        self.cell = getattr(nn, cell)(12, width, batch_first=True, bidirectional=both)
        self.head = nn.Linear(width * (2 if both else 1), 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(self.signs(x))[0]).transpose(1, 2)


class Weighing(nn.Module):
    """Words read in both directions, and their states averaged by weights of their own."""

    def __init__(self, width: int = 24, sharp: float = 1.0) -> None:
        super().__init__()
        self.words, self.cell = nn.Embedding(60, 16), nn.GRU(16, width, batch_first=True, bidirectional=True)
        self.weigh = nn.Sequential(nn.Linear(2 * width, 16), nn.Tanh(), nn.Linear(16, 1))
        self.head, self.sharp = nn.Linear(2 * width, 2), sharp

    def forward(self, x: Tensor) -> Tensor:
        states = self.cell(self.words(x))[0]
        share = (self.sharp * self.weigh(states)).softmax(1)
        return self.head((share * states).sum(1))


class Placed(nn.Module):
    """Three rows through one network: (rows, 3, width)."""

    def __init__(self, width: int = 6, act: Any = nn.ReLU, end: Any = None) -> None:
        super().__init__()
        self.tower = dense(12, 48, 48, width, act=act, end=end)

    def forward(self, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return torch.stack([self.tower(x) for x in (a, b, c)], 1)


def nearer(margin: float = 1.0) -> Any:
    """The triplet loss (Schroff et al. 2015)."""

    def loss(said: Tensor, y: Tensor) -> Tensor:
        return F.triplet_margin_loss(said[:, 0], said[:, 1], said[:, 2], margin)

    return loss


def is_nearer(said: Tensor, y: Tensor) -> float:
    like, other = ((said[:, 0] - said[:, i]).square().sum(1) for i in (1, 2))
    return float((like < other).float().mean())


class Twofold(nn.Module):
    """One trunk, two heads, side by side: three scores and a value."""

    def __init__(self, width: int = 48, act: Any = nn.SiLU, deep: int = 2) -> None:
        super().__init__()
        self.trunk = dense(9, *[width] * deep, act=act)
        self.act, self.kind, self.value = act(), nn.Linear(width, 3), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.trunk(x))
        return torch.cat([self.kind(h), self.value(h)], 1)


def weighed(kinds: float = 1.0, values: float = 1.0) -> Any:
    def loss(said: Tensor, y: Tensor) -> Tensor:
        return kinds * F.cross_entropy(said[:, :3], y[:, 0].long()) + values * F.mse_loss(said[:, 3], y[:, 1])

    return loss


def both_right(said: Tensor, y: Tensor) -> float:
    right = (said[:, :3].argmax(1) == y[:, 0]).float().mean()
    left = (said[:, 3] - y[:, 1]).square().mean() / y[:, 1].var()
    return float(0.5 * right + 0.5 * (1 - left).clamp_min(0))


class Customer(nn.Module):
    """A vector for each kind, beside the numbers, into residual layers."""

    def __init__(self, width: int = 32, size: int = 6, drop: float = 0.0) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(nn.Embedding(n, size) for n in (12, 7, 4))
        self.front, self.norm = nn.Linear(4 + 3 * size, width), nn.LayerNorm(width)
        self.a, self.b = (nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(drop)) for _ in range(2))
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor, kinds: Tensor) -> Tensor:
        h = self.front(torch.cat([x, *(e(kinds[:, i]) for i, e in enumerate(self.kinds))], 1))
        h = h + self.a(h)
        return self.head(self.norm(h + self.b(h)))


class Dilated(nn.Module):
    """Gated convolutions that look back 1, 2, 4 and 8 places (van den Oord et al. 2016)."""

    def __init__(self, width: int = 16, deep: int = 4, skip: float = 1.0, ahead: int = 0) -> None:
        super().__init__()
        self.front, self.out = nn.Conv1d(1, width, 1), nn.Conv1d(width, 1, 1)
        self.layers = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(deep))
        self.mix = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(deep))
        self.skip, self.ahead = skip, ahead

    def forward(self, x: Tensor) -> Tensor:
        h = self.front(x)
        for i, (layer, mix) in enumerate(zip(self.layers, self.mix, strict=True)):
            a, b = layer(F.pad(h, (2**i, 0))).chunk(2, 1)
            h = self.skip * h + mix(a.tanh() * b.sigmoid())
        return self.out(h)


class Experts(nn.Module):
    """Four small networks, and one that says how much each is heard (Jacobs et al. 1991)."""

    def __init__(self, width: int = 16, sharp: float = 1.0) -> None:
        super().__init__()
        self.experts = nn.ModuleList(dense(5, width, 1) for _ in range(4))
        self.gate, self.sharp = dense(5, 16, 4), sharp

    def forward(self, x: Tensor) -> Tensor:
        said = torch.cat([e(x) for e in self.experts], 1)
        return ((self.sharp * self.gate(x)).softmax(1) * said).sum(1, keepdim=True)


def shares(act: Any = nn.Tanh, end: Any = None, width: int = 40) -> nn.Module:
    return dense(6, width, width, 4, act=act, end=end or (lambda: nn.LogSoftmax(1)))


def share_error(said: Tensor, y: Tensor) -> float:
    """What part of the shares' variance is met; of scores and of their logarithms alike."""
    p = said.softmax(1)
    return float(1 - (p - y).square().sum() / (y - y.mean(0)).square().sum())


def spread_loss(said: Tensor, y: Tensor) -> Tensor:
    """The likelihood of a normal density whose spread is said as well (Nix & Weigend 1994)."""
    mean, log = said[:, :1], said[:, 1:]
    return (0.5 * (y - mean).square() * (-log).exp() + 0.5 * log).mean()


def mean_met(said: Tensor, y: Tensor) -> float:
    return float(1 - (said[:, :1] - y).square().mean() / y.var())


def turned_away(said: Tensor, y: Tensor) -> Tensor:
    return (1 - F.cosine_similarity(said, y)).mean()


def same_way(said: Tensor, y: Tensor) -> float:
    return float(F.cosine_similarity(said, y).mean())


class Separable(nn.Module):
    """Convolutions in each channel, then across (Howard et al. 2017), and channels weighed (Hu et al. 2018)."""

    def __init__(self, width: int = 24, act: Any = nn.Hardswish, norm: bool = True) -> None:
        super().__init__()

        def block(a: int, b: int) -> nn.Module:
            layers = [nn.Conv2d(a, a, 3, padding=1, groups=a), nn.Conv2d(a, b, 1)]
            return nn.Sequential(*layers, nn.BatchNorm2d(b) if norm else nn.Identity(), act())

        self.front = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), act())
        self.a, self.b = block(12, width), block(width, width)
        self.weigh = nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, width), nn.Sigmoid())
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.b(F.max_pool2d(self.a(F.max_pool2d(self.front(x), 2)), 2))
        h = h * self.weigh(h.mean((2, 3)))[:, :, None, None]
        return self.head(h.amax((2, 3)))


class Composer(nn.Module):
    """The next letter at each place: (rows, 7, places)."""

    def __init__(self, width: int = 32, cell: str = "LSTM", layers: int = 1) -> None:
        super().__init__()
        self.letters = nn.Embedding(7, 16)
        self.cell = getattr(nn, cell)(16, width, num_layers=layers, batch_first=True)
        self.head = nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(self.letters(x))[0]).transpose(1, 2)


def each_right(said: Tensor, y: Tensor) -> float:
    """Of scores (rows, kinds, ...): the share of places that are right."""
    return float((said.argmax(1) == y).float().mean())


def overlap(said: Tensor, y: Tensor) -> float:
    """Dice's coefficient of the disc."""
    found, true = (said.argmax(1) == 1).float(), y.float()
    return float(2 * (found * true).sum() / (found.sum() + true.sum() + 1e-9))


class ResidualDense(nn.Module):
    """A dense network with skips, for a margin."""

    def __init__(self, deep: int = 3, width: int = 48, act: Any = nn.ELU) -> None:
        super().__init__()
        self.front, self.head, self.act = nn.Linear(64, width), nn.Linear(width, 10), act()
        self.body = nn.ModuleList(nn.Linear(width, width) for _ in range(deep))

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.front(x))
        for layer in self.body:
            h = h + self.act(layer(h))
        return self.head(h)


class Guessing(nn.Module):
    """A variational autoencoder that returns all that its loss asks for, in one tensor: the picture, the means, the spreads."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.front, self.both = dense(64, 48), nn.Linear(48, 2 * width)
        self.back, self.width = dense(width, 48, 64), width

    def forward(self, x: Tensor) -> Tensor:
        mean, log = self.both(F.relu(self.front(x))).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log).exp() if self.training else mean
        return torch.cat([self.back(z), mean, log], 1)


def evidence_bound(weight: float, width: int = 6) -> Any:
    """Kingma & Welling 2014, with squares for the picture."""

    def loss(said: Tensor, y: Tensor) -> Tensor:
        mean, log = said[:, 64 : 64 + width], said[:, 64 + width :]
        apart = 0.5 * (mean.square() + log.exp() - 1 - log).sum(1).mean()
        return F.mse_loss(said[:, :64], y) + weight * apart

    return loss


def picture_met(said: Tensor, y: Tensor) -> float:
    return float(1 - (said[:, :64] - y).square().sum() / (y - y.mean(0)).square().sum())


def pictures_alone() -> Parts:
    (x, _), (xv, _) = flowers()
    return (x, x), (xv, xv)


VALUES: dict[str, Any] = {"loss": nn.MSELoss(), "metric": "r2"}
SOUND: Mapping[str, Make] = {
    "discs": lambda: made(drawn_parts(discs, 200, 100), Drawer, 8, 20, optimizer=adam(1e-2), metric=overlap),
    "brackets": lambda: made(drawn_parts(brackets, 480, 240), Tagger, 12, optimizer=adam(1e-2), metric=each_right),
    "opinions": lambda: made(drawn_parts(opinions, 700, 300), Weighing, 8, optimizer=adam(8e-3)),
    "triplets": lambda: made(
        drawn_parts(triplets, 1200, 500), Placed, 15, 40, loss=nearer(), metric=is_nearer, optimizer=adam(3e-3)
    ),
    "twofold": lambda: made(
        drawn_parts(two_answers, 900, 400), Twofold, 30, loss=weighed(), metric=both_right, optimizer=adam(5e-3)
    ),
    "customers": lambda: made(
        drawn_parts(customers, 1000, 500), Customer, 15, loss=nn.BCEWithLogitsLoss(), optimizer=adam(5e-3)
    ),
    "echoes": lambda: made(
        drawn_parts(echoes, 300, 150), Dilated, 15, 30, loss=nn.SmoothL1Loss(), metric="r2", optimizer=adam(8e-3)
    ),
    "regions": lambda: made(regions(), Experts, 30, optimizer=adam(1e-2), **VALUES),
    "mixtures": lambda: made(
        drawn_parts(mixtures, 700, 350), shares, 25, loss=nn.KLDivLoss(reduction="batchmean"), metric=share_error
    ),
    "spreads": lambda: made(
        drawn_parts(spreads, 700, 350), lambda: dense(3, 40, 40, 2, act=nn.GELU), 30,
        loss=spread_loss, metric=mean_met, optimizer=adam(5e-3),
    ),
    "directions": lambda: made(
        drawn_parts(directions, 800, 400), lambda: dense(8, 64, 64, 5), 25,
        loss=turned_away, metric=same_way, optimizer=adam(3e-3),
    ),
    "crosses": lambda: made(drawn_parts(crosses, 400, 200), Separable, 10, 25, optimizer=adam(1e-2)),
    "tuned": lambda: made(drawn_parts(tuned, 600, 300), Composer, 15, optimizer=adam(1e-2), metric=each_right),
    "margins": lambda: made(
        flowers(), ResidualDense, 12, 30, loss=nn.MultiMarginLoss(), optimizer=sgd(0.05)
    ),
    "guessing": lambda: made(
        pictures_alone(), Guessing, 20, loss=evidence_bound(2e-3), metric=picture_met, optimizer=adam(4e-3)
    ),
}  # fmt: skip
"""Family -> a training that is sound."""
