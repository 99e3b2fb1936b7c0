"""Sound trainings of a seventh kind: sums over neighbours, two views of one thing, letters copied backwards and continued,
chosen experts, radial bumps, concatenated features, labels by the bag, ranks, survival, quantiles, densities, instances in a
bag, bags of words, ratings of pairs. Most have a loss and a metric of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from invented_bases import Make, Rows, drawn_parts, made
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, drawn

# -- data --------------------------------------------------------------------------------------------------------------


def molecules(rows: int, seed: int) -> Rows:
    """(rows, 8, 4) atoms beside (rows, 8, 8) bonds -> a sum over bonds of what both ends are, (rows, 1)."""
    g, fixed = drawn(seed), drawn(91)
    kind = torch.randint(0, 4, (rows, 8), generator=g)
    bond = (torch.rand(rows, 8, 8, generator=g) < 0.3).float().triu(1)
    bond = bond + bond.transpose(1, 2)
    pull = torch.randn(4, 4, generator=fixed)
    y = (bond * (pull + pull.T)[kind[:, :, None], kind[:, None]]).sum((1, 2))
    return (F.one_hot(kind, 4).float(), bond), ((y - 2.0) / 12.0)[:, None]


def views(rows: int, seed: int) -> Rows:
    """Two views of one hidden thing, (rows, 10) each; nothing to say, (rows,)."""
    g, fixed = drawn(seed), drawn(92)
    hidden = torch.randn(rows, 3, generator=g)
    bend = torch.randn(2, 3, 10, generator=fixed)
    a, b = (torch.tanh(1.2 * hidden @ bend[i]) + 0.15 * torch.randn(rows, 10, generator=g) for i in (0, 1))
    return (a / 0.75, b / 0.75), torch.zeros(rows)


def backwards(rows: int, seed: int) -> Rows:
    """(rows, 5) letters of seven -> the same from the end, (rows, 5)."""
    x = torch.randint(0, 7, (rows, 5), generator=drawn(seed))
    return x, x.flip(1)


def babble(rows: int, seed: int) -> Rows:
    """(rows, 16) letters of six, each by the two before it -> the next ones, (rows, 16)."""
    g, rule = drawn(seed), (3 * torch.randn(6, 6, 6, generator=drawn(93))).softmax(2)
    x = [torch.randint(0, 6, (rows,), generator=g) for _ in range(2)]
    for _ in range(15):
        x.append(torch.multinomial(rule[x[-2], x[-1]], 1, generator=g)[:, 0])
    both = torch.stack(x, 1)
    return both[:, :16], both[:, 1:]


def provinces(rows: int, seed: int) -> Rows:
    """(rows, 6): which of three classes, by another rule in each of four provinces."""
    g, fixed = drawn(seed), drawn(94)
    x = torch.randn(rows, 6, generator=g)
    place = (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long()
    rule = torch.randn(4, 6, 3, generator=fixed)
    return x, torch.einsum("ni,nij->nj", x, rule[place]).argmax(1)


def bumps(rows: int, seed: int) -> Rows:
    """(rows, 2) -> a landscape of twelve hills and hollows, (rows, 1)."""
    g, fixed = drawn(seed), drawn(95)
    x = 3 * torch.rand(rows, 2, generator=g) - 1.5
    at, high = 3 * torch.rand(12, 2, generator=fixed) - 1.5, 1.5 * torch.randn(12, generator=fixed)
    y = (high * (-((x[:, None] - at) ** 2).sum(2) / 0.3).exp()).sum(1) + 0.05 * torch.randn(rows, generator=g)
    return x / 0.87, (y / 0.8)[:, None]


def corners(rows: int, seed: int) -> Rows:
    """(rows, 1, 10, 10): one of four corners or crossings, anywhere, in noise."""
    g = drawn(seed)
    y = torch.randint(0, 4, (rows,), generator=g)
    figure = torch.zeros(4, 5, 5)
    figure[0, 0], figure[0, :, 0], figure[1, 4], figure[1, :, 4] = 1, 1, 1, 1
    figure[2, 2], figure[2, :, 2], figure[3, 0], figure[3, :, 2] = 1, 1, 1, 1
    x = 0.35 * torch.randn(rows, 1, 10, 10, generator=g)
    for i, (r, c) in enumerate(torch.randint(0, 6, (rows, 2), generator=g).tolist()):
        x[i, 0, r : r + 5, c : c + 5] += figure[y[i]]
    return (x - 0.1) / 0.45, y


def topics(rows: int, seed: int) -> Rows:
    """(rows, 16) words of 120 -> which of six topics they touch, (rows, 6) of zeros and ones."""
    g = drawn(seed)
    y = (torch.rand(rows, 6, generator=g) < 0.3).float()
    chosen = torch.multinomial(y + 1e-3, 16, replacement=True, generator=g)
    own = chosen * 12 + torch.randint(0, 12, (rows, 16), generator=g)
    return torch.where(torch.rand(rows, 16, generator=g) < 0.6, own, torch.randint(72, 120, (rows, 16), generator=g)), y


def grades(rows: int, seed: int) -> Rows:
    """(rows, 7) -> a grade of 0 to 4, (rows,)."""
    g, fixed = drawn(seed), drawn(96)
    x = torch.randn(rows, 7, generator=g)
    good = torch.tanh(x @ torch.randn(7, 9, generator=fixed)) @ torch.randn(9, generator=fixed) / 2
    return x, torch.bucketize(good + 0.1 * torch.randn(rows, generator=g), torch.tensor([-1.1, -0.35, 0.35, 1.1]))


def lifetimes(rows: int, seed: int) -> Rows:
    """(rows, 8) -> (how long it was seen, whether it ended), (rows, 2); a third are lost from sight."""
    g, fixed = drawn(seed), drawn(97)
    x = torch.randn(rows, 8, generator=g)
    risk = 1.5 * torch.tanh(x @ torch.randn(8, 6, generator=fixed)) @ torch.randn(6, generator=fixed) / 1.5
    life = -torch.rand(rows, generator=g).clamp_min(1e-6).log() * (-risk).exp()
    lost = -3 * torch.rand(rows, generator=g).clamp_min(1e-6).log()
    return x, torch.stack([torch.minimum(life, lost), (life < lost).float()], 1)


def demand(rows: int, seed: int) -> Rows:
    """(rows, 4) -> a demand with a long tail to one side, (rows, 1)."""
    g = drawn(seed)
    x = 2 * torch.rand(rows, 4, generator=g) - 1
    tail = -torch.rand(rows, generator=g).clamp_min(1e-6).log() * (0.15 + 0.5 * (x[:, 2] > 0))
    y = (2.5 * x[:, 0]).sin() + x[:, 1].square() + tail
    return x / 0.58, ((y - 0.75) / 0.9)[:, None]


def forks(rows: int, seed: int) -> Rows:
    """(rows, 3) -> one of two values on either side, by chance, (rows, 1)."""
    g = drawn(seed)
    x = 2 * torch.rand(rows, 3, generator=g) - 1
    side = torch.where(torch.rand(rows, generator=g) < 0.5, 1.0, -1.0)
    y = side * (0.9 + 0.4 * (3 * x[:, 0]).sin()) + 0.3 * x[:, 1] + 0.15 * torch.randn(rows, generator=g)
    return x / 0.58, y[:, None]


def crates(rows: int, seed: int) -> Rows:
    """(rows, 9, 6) things in a crate -> whether one of them is of the wanted kind."""
    g, fixed = drawn(seed), drawn(98)
    x = torch.randn(rows, 9, 6, generator=g)
    y = torch.randint(0, 2, (rows,), generator=g)
    like = 2.2 * F.normalize(torch.randn(6, generator=fixed), dim=0)
    where = torch.randint(0, 9, (rows,), generator=g)
    x[torch.arange(rows), where] = torch.where(
        (y == 1)[:, None], like + 0.4 * torch.randn(rows, 6, generator=g), x[:, 0]
    )
    return x, y


def verdicts(rows: int, seed: int) -> Rows:
    """(rows, 12) words of 80 -> the mean of what each is worth, (rows, 1)."""
    g, fixed = drawn(seed), drawn(99)
    x = torch.randint(0, 80, (rows, 12), generator=g)
    worth = torch.randn(80, generator=fixed)
    return x, worth[x].mean(1, keepdim=True) * 3.4 + 0.1 * torch.randn(rows, 1, generator=g)


def stars(rows: int, seed: int) -> Rows:
    """(rows, 2): one of 40 people and one of 30 things -> how they like it, (rows, 1)."""
    g, fixed = drawn(seed), drawn(90)
    people, things = torch.randn(40, 2, generator=fixed), torch.randn(30, 2, generator=fixed)
    x = torch.stack([torch.randint(0, 40, (rows,), generator=g), torch.randint(0, 30, (rows,), generator=g)], 1)
    y = (people[x[:, 0]] * things[x[:, 1]]).sum(1) + 0.2 * torch.randn(rows, generator=g)
    return x, (y / 1.4)[:, None]


# -- networks ----------------------------------------------------------------------------------------------------------


class Bonds(nn.Module):
    """Rounds of sums over neighbours, then a sum over all."""

    def __init__(self, width: int = 24, rounds: int = 2, act: Any = nn.ReLU, end: Any = nn.Identity) -> None:
        super().__init__()
        self.front, self.act = nn.Linear(4, width), act()
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(rounds))
        self.near = nn.ModuleList(nn.Linear(width, width) for _ in range(rounds))
        self.head, self.end = nn.Linear(width, 1), end()

    def forward(self, atoms: Tensor, bonds: Tensor) -> Tensor:
        h = self.act(self.front(atoms))
        for own, near in zip(self.own, self.near, strict=True):
            h = self.act(own(h) + near(bonds @ h / 3))
        return self.end(self.head(h.mean(1)))


class Views(nn.Module):
    """A tower for each view: (rows, 2, width) of length 1."""

    def __init__(self, width: int = 8, act: Any = nn.ReLU, unit: bool = True, end: Any = None) -> None:
        super().__init__()
        self.a, self.b = dense(10, 40, width, act=act, end=end), dense(10, 40, width, act=act, end=end)
        self.unit = unit

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        said = torch.stack([self.a(a), self.b(b)], 1)
        return F.normalize(said, dim=2) if self.unit else said


def matched(heat: float = 0.1) -> Any:
    """Which of the others' second views is one's own (van den Oord et al. 2018, InfoNCE)."""

    def loss(said: Tensor, _: Tensor) -> Tensor:
        return F.cross_entropy(said[:, 0] @ said[:, 1].T / heat, torch.arange(len(said)))

    return loss


def found_again(said: Tensor, _: Tensor) -> float:
    """The share whose own second view is the nearest of forty."""
    parts = [p for p in said.split(40) if len(p) == 40]
    right = [torch.cdist(p[:, 0], p[:, 1]).argmin(1) == torch.arange(40) for p in parts]
    return float(torch.cat(right).float().mean())


class Turner(nn.Module):
    """Reads letters, then writes as many, place by place: (rows, 7, 5)."""

    def __init__(self, width: int = 48, cell: str = "GRU", drop: float = 0.0) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(7, 16), nn.Parameter(0.5 * torch.randn(5, 16))
        self.read, self.write = (getattr(nn, cell)(16, width, batch_first=True) for _ in range(2))
        self.drop, self.head = nn.Dropout(drop), nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.read(self.letters(x))
        said, _ = self.write(self.places.expand(len(x), 5, 16), state)
        return self.head(self.drop(said)).transpose(1, 2)


class Babbler(nn.Module):
    """The next letter at each place, by those up to it: one layer of causal attention. (rows, 6, places)."""

    def __init__(self, width: int = 32, sharp: float = 1.0, norm: bool = True, start: float = 1.0) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(6, width), nn.Parameter(start * torch.randn(16, width))
        self.attend = nn.MultiheadAttention(width, 2, batch_first=True)
        self.a, self.b = (nn.LayerNorm(width) if norm else nn.Identity() for _ in range(2))
        self.mix, self.head, self.sharp = dense(width, 2 * width, width, act=nn.GELU), nn.Linear(width, 6), sharp

    def forward(self, x: Tensor) -> Tensor:
        h = self.letters(x) + self.places
        mask = torch.ones(16, 16, dtype=torch.bool).triu(1)
        n = self.sharp * self.a(h)
        h = h + self.attend(n, n, n, attn_mask=mask, need_weights=False)[0]
        return self.head(h + self.mix(self.b(h))).transpose(1, 2)


def foreseen(said: Tensor, y: Tensor) -> float:
    """Of the surprise of six equally likely letters: the share that is gone."""
    return 1 - float(F.cross_entropy(said, y)) / math.log(6)


def each_right(said: Tensor, y: Tensor) -> float:
    return float((said.argmax(1) == y).float().mean())


class Chosen(nn.Module):
    """The two likeliest of five experts are asked (Shazeer et al. 2017)."""

    def __init__(self, width: int = 24, gate: float = 1.0, act: Any = nn.ReLU) -> None:
        super().__init__()
        self.experts, self.gate = nn.ModuleList(dense(6, width, 3, act=act) for _ in range(5)), nn.Linear(6, 5)
        self.scale = gate

    def forward(self, x: Tensor) -> Tensor:
        score, which = (self.scale * self.gate(x)).topk(2, 1)
        said = torch.stack([e(x) for e in self.experts], 1)
        picked = said.gather(1, which[:, :, None].expand(-1, -1, 3))
        return (score.softmax(1)[:, :, None] * picked).sum(1)


class Radial(nn.Module):
    """Bumps about learned centres, weighed."""

    def __init__(self, count: int = 60, wide: float = 0.5) -> None:
        super().__init__()
        self.centres, self.wide = (
            nn.Parameter(torch.randn(count, 2)),
            nn.Parameter(torch.full((count,), math.log(wide))),
        )
        self.head = nn.Linear(count, 1)

    def forward(self, x: Tensor) -> Tensor:
        apart = (x[:, None] - self.centres).square().sum(2)
        return self.head((-apart / (2 * self.wide.exp().square())).exp())


class Gathering(nn.Module):
    """Each convolution sees all that was made before it (Huang et al. 2017)."""

    def __init__(
        self, grow: int = 8, deep: int = 3, act: Any = nn.ReLU, norm: Any = nn.BatchNorm2d, end: Any = None
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(1 + i * grow, grow, 3, padding=1) for i in range(deep))
        self.norms = nn.ModuleList(norm(grow) for _ in range(deep))
        self.act, self.head, self.end = act(), nn.Linear(1 + deep * grow, 4), end() if end else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = torch.cat([x, self.act(norm(layer(x)))], 1)
        return self.end(self.head(x.amax((2, 3))))


class Touched(nn.Module):
    """A bag of words through a hidden layer; a score for each topic."""

    def __init__(self, size: int = 24, drop: float = 0.0, end: Any = nn.Identity) -> None:
        super().__init__()
        self.words, self.rest = nn.EmbeddingBag(120, size), dense(size, 32, 6)
        self.drop, self.end = nn.Dropout(drop), end()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.rest(self.drop(self.words(x))))


def f1(said: Tensor, y: Tensor) -> float:
    """Over all labels; a score above 0 says yes."""
    yes = said > 0
    both = float((yes & (y > 0)).sum())
    return 2 * both / max(1.0, float(yes.sum()) + float(y.sum()))


def cumulative(said: Tensor, y: Tensor) -> Tensor:
    """For each border between two grades whether it is passed (Frank & Hall 2001)."""
    return F.binary_cross_entropy_with_logits(said, (y[:, None] > torch.arange(4)).float())


def near_grade(said: Tensor, y: Tensor) -> float:
    """1 less what the grade is off by, in the mean, over what the middle grade is."""
    grade = (said > 0).sum(1)
    return 1 - float((grade - y).abs().float().mean()) / float((y - 2).abs().float().mean())


def partial_likelihood(said: Tensor, y: Tensor) -> Tensor:
    """Cox 1972: of those still there, how likely this one was the one that ended."""
    order = y[:, 0].argsort(descending=True)
    risk, ended = said[order, 0], y[order, 1]
    return -((risk - risk.logcumsumexp(0)) * ended).sum() / ended.sum().clamp_min(1)


def concordance(said: Tensor, y: Tensor) -> float:
    """Of pairs whose order is known, the share in the right one (Harrell et al. 1982), from -1 to 1."""
    earlier = (y[:, None, 0] < y[None, :, 0]) & (y[:, None, 1] > 0)
    right = (said[:, None, 0] > said[None, :, 0]).float() + 0.5 * (said[:, None, 0] == said[None, :, 0]).float()
    return 2 * float(right[earlier].mean()) - 1


LEVELS = torch.tensor([0.1, 0.5, 0.9])


def pinball(said: Tensor, y: Tensor) -> Tensor:
    """Koenker & Bassett 1978, for three quantiles."""
    off = y - said
    return torch.maximum(LEVELS * off, (LEVELS - 1) * off).mean()


def spread_met(said: Tensor, y: Tensor) -> float:
    """Of the loss of three constant answers: the share that is gone."""
    return 1 - float(pinball(said, y)) / float(pinball(torch.quantile(y[:, 0], LEVELS).expand(len(y), 3), y))


def density(said: Tensor, y: Tensor) -> Tensor:
    """Of a mixture of three normal densities (Bishop 1994)."""
    weight, mean, log = said[:, :3].log_softmax(1), said[:, 3:6], said[:, 6:].clamp(-5, 3)
    return -(weight - 0.5 * ((y - mean) / log.exp()).square() - log - 0.919).logsumexp(1).mean()


def likelier(said: Tensor, y: Tensor) -> float:
    """Of what one normal density for all loses: how much less, in nats, over 1.2."""
    one = 0.5 + 0.919 + float(y.std().log())
    return (one - float(density(said, y))) / 1.2


class Crate(nn.Module):
    """Instances, each with a weight of its own, summed (Ilse et al. 2018)."""

    def __init__(self, width: int = 24, act: Any = nn.ReLU, sharp: float = 1.0, outputs: int = 2) -> None:
        super().__init__()
        self.each, self.act = nn.Linear(6, width), act()
        self.weigh, self.head, self.sharp = dense(width, 12, 1, act=nn.Tanh), nn.Linear(width, outputs), sharp

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.each(x))
        return self.head(((self.sharp * self.weigh(h)).softmax(1) * h).sum(1))


class Verdict(nn.Module):
    def __init__(self, size: int = 16, end: Any = nn.Identity) -> None:
        super().__init__()
        self.words, self.rest, self.end = nn.EmbeddingBag(80, size, mode="mean"), dense(size, 24, 1), end()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.rest(self.words(x)))


class Liking(nn.Module):
    """A vector for each person and each thing, multiplied; and how much each likes, and is liked."""

    def __init__(self, size: int = 6, spread: float = 0.3) -> None:
        super().__init__()
        self.people, self.things = nn.Embedding(40, size + 1), nn.Embedding(30, size + 1)
        for e in (self.people, self.things):
            nn.init.normal_(e.weight, 0.0, spread)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.people(x[:, 0]), self.things(x[:, 1])
        return (a[:, :-1] * b[:, :-1]).sum(1, keepdim=True) + a[:, -1:] + b[:, -1:]


VALUES: dict[str, Any] = {"loss": nn.MSELoss(), "metric": "r2"}
SOUND: Mapping[str, Make] = {
    "molecules": lambda: made(drawn_parts(molecules, 600, 300), Bonds, 30, optimizer=adam(5e-3), **VALUES),
    "views": lambda: made(
        drawn_parts(views, 640, 320), Views, 20, 64, loss=matched(), metric=found_again, optimizer=adam(5e-3)
    ),
    "backwards": lambda: made(drawn_parts(backwards, 1000, 300), Turner, 25, 40, metric=each_right, optimizer=adam(1e-2)),
    "babble": lambda: made(drawn_parts(babble, 400, 200), Babbler, 15, metric=foreseen, optimizer=adam(8e-3)),
    "provinces": lambda: made(drawn_parts(provinces, 900, 400), Chosen, 15, optimizer=adam(8e-3)),
    "bumps": lambda: made(drawn_parts(bumps, 700, 300), Radial, 30, optimizer=adam(2e-2), **VALUES),
    "corners": lambda: made(drawn_parts(corners, 500, 250), Gathering, 12, optimizer=adam(8e-3)),
    "topics": lambda: made(
        drawn_parts(topics, 700, 300), Touched, 15, loss=nn.BCEWithLogitsLoss(), metric=f1, optimizer=adam(1e-2)
    ),
    "grades": lambda: made(
        drawn_parts(grades, 700, 350), lambda: dense(7, 32, 32, 4), 20, loss=cumulative, metric=near_grade, optimizer=adam(5e-3)
    ),
    "lifetimes": lambda: made(
        drawn_parts(lifetimes, 800, 400), lambda: dense(8, 32, 1, act=nn.SiLU), 12, 50,
        loss=partial_likelihood, metric=concordance, optimizer=adam(4e-3),
    ),
    "demand": lambda: made(
        drawn_parts(demand, 800, 400), lambda: dense(4, 40, 40, 3, act=nn.GELU), 25,
        loss=pinball, metric=spread_met, optimizer=adam(5e-3),
    ),
    "forks": lambda: made(
        drawn_parts(forks, 800, 400), lambda: dense(3, 40, 40, 9, act=nn.Tanh), 25,
        loss=density, metric=likelier, optimizer=adam(5e-3),
    ),
    "crates": lambda: made(drawn_parts(crates, 800, 400), Crate, 20, optimizer=adam(1e-2)),
    "verdicts": lambda: made(drawn_parts(verdicts, 900, 300), Verdict, 20, optimizer=adam(1e-2), **VALUES),
    "stars": lambda: made(drawn_parts(stars, 1200, 400), Liking, 25, optimizer=adam(2e-2), loss=nn.MSELoss(), metric="r2"),
}  # fmt: skip
"""Family -> a training that is sound."""
