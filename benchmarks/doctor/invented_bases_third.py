"""Sound trainings of a fifth kind: heavy tails, two channels, padded texts, bars to be given back, twins told apart by their
distance, several shapes at once, the largest letter, textures, counts, sums of marked numbers, gates, a wavy field, many layers
with skips, and graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from invented_bases import Make, Parts, Rows, drawn_parts, made, parted, standardised
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, drawn, sgd

# -- data --------------------------------------------------------------------------------------------------------------


def claims(rows: int, seed: int) -> Rows:
    """(rows, 7) -> a value with heavy-tailed noise, (rows, 1)."""
    g = drawn(seed)
    x = torch.randn(rows, 7, generator=g)
    y = x[:, 0] + (2 * x[:, 1]).sin() + 0.8 * x[:, 2] * x[:, 3]
    normal, chi = torch.randn(rows, generator=g), torch.randn(rows, 4, generator=g).square().mean(1)
    return x, (y + 0.2 * normal / chi.sqrt())[:, None] / 1.5


def channels(rows: int, seed: int) -> Rows:
    """(rows, 2, 40): a slow or a fast wave in the first, a click or none in the second; four kinds."""
    g, t = drawn(seed), torch.arange(40.0)
    y = torch.randint(0, 4, (rows,), generator=g)
    wave = ((0.4 + 0.5 * (y % 2))[:, None] * t + 6.28 * torch.rand(rows, 1, generator=g)).sin()
    at = t[None] - 4 - 32 * torch.rand(rows, 1, generator=g)
    click = 2.5 * (y // 2)[:, None] * (-(at**2)).exp()
    return torch.stack([wave, click], 1) + 0.3 * torch.randn(rows, 2, 40, generator=g), y


def padded(rows: int, seed: int) -> Rows:
    """(rows, 14) indices of 20 words, 0 behind the last one: which of three key words came last?"""
    g = drawn(seed)
    x = torch.randint(4, 20, (rows, 14), generator=g)
    x = torch.where(torch.rand(rows, 14, generator=g) < 0.3, torch.randint(1, 4, (rows, 14), generator=g), x)
    x[:, 0] = torch.randint(1, 4, (rows,), generator=g)
    length = torch.randint(4, 15, (rows, 1), generator=g)
    x = torch.where(torch.arange(14) < length, x, 0)
    last = torch.where((x > 0) & (x < 4), torch.arange(14), -1).amax(1, keepdim=True)
    return x, x.gather(1, last)[:, 0] - 1


def bars(rows: int, seed: int) -> Rows:
    """(rows, 1, 12, 12): one lying and one standing bar, to be given back."""
    g = drawn(seed)
    r, c = torch.randint(0, 12, (2, rows, 1), generator=g)
    at = torch.arange(12)
    lying, standing = (at == r)[:, :, None].float(), (at == c)[:, None, :].float()
    x = (torch.maximum(lying, standing) - 0.16)[:, None] / 0.36
    return x + 0.05 * torch.randn(x.shape, generator=g), x


def twins(rows: int, seed: int) -> Rows:
    """Two rows of ten numbers of four bent kinds -> whether they are of one kind, (rows,)."""
    g, fixed = drawn(seed), drawn(71)
    centres = 1.5 * torch.randn(4, 10, generator=fixed)
    a, b = torch.randint(0, 4, (2, rows), generator=g)
    b = torch.where(torch.rand(rows, generator=g) < 0.4, a, b)
    x = [centres[k] * (1 - 2 * torch.randint(0, 2, (rows, 1), generator=g)) for k in (a, b)]
    x = [one + 0.6 * torch.randn(rows, 10, generator=g) for one in x]
    return (x[0], x[1]), (a == b).float()


def several(rows: int, seed: int) -> Rows:
    """(rows, 1, 12, 12) and three labels: is there a ring, a cross, a bar?"""
    g = drawn(seed)
    y = (torch.rand(rows, 3, generator=g) < 0.5).float()
    kinds = torch.zeros(3, 4, 4)
    kinds[0], kinds[0, 1:3, 1:3] = 1, 0
    kinds[1] = torch.eye(4) + torch.eye(4).flip(0)
    kinds[2, :, 1] = 1.5
    x = 0.2 * torch.randn(rows, 1, 12, 12, generator=g)
    for k in range(3):
        for i, (r, c) in enumerate(torch.randint(0, 9, (rows, 2), generator=g).tolist()):
            x[i, 0, r : r + 4, c : c + 4] += y[i, k] * kinds[k]
    return (x - 0.15) / 0.4, y


def largest(rows: int, seed: int) -> Rows:
    """(rows, 9) indices of eight letters: the largest one among them less two, (rows,)."""
    g = drawn(seed)
    y = torch.randint(2, 8, (rows,), generator=g)
    x = (torch.rand(rows, 9, generator=g) * (y[:, None] + 1)).long()
    x.scatter_(1, torch.randint(0, 9, (rows, 1), generator=g), y[:, None])
    return x, y - 2


def textures(rows: int, seed: int) -> Rows:
    """(rows, 3, 12, 12): stripes in four directions, of any colour, in noise."""
    g = drawn(seed)
    y = torch.randint(0, 4, (rows,), generator=g)
    r, c = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    turn = (0.785 * y + 0.15 * torch.randn(rows, generator=g))[:, None, None]
    wave = (1.7 * (r * turn.cos() + c * turn.sin()) + 6.28 * torch.rand(rows, 1, 1, generator=g)).sin()
    colour = torch.randn(rows, 3, 1, 1, generator=g)
    return colour * wave[:, None] + 0.5 * torch.randn(rows, 3, 12, 12, generator=g), y


def counts(rows: int, seed: int) -> Rows:
    """(rows, 6) -> how often something happened, (rows, 1)."""
    g = drawn(seed)
    x = torch.randn(rows, 6, generator=g)
    rate = (1.2 + 0.5 * x[:, :1] + 0.6 * (1.5 * x[:, 1:2]).cos() + 0.3 * x[:, 2:3] * x[:, 3:4]).exp()
    return x, torch.poisson(rate, generator=g)


def sums(rows: int, seed: int) -> Rows:
    """(rows, 10, 2): numbers, two of them marked -> the sum of those, (rows, 1)."""
    g = drawn(seed)
    x = torch.randn(rows, 10, generator=g)
    mark = torch.zeros(rows, 10).scatter_(1, torch.rand(rows, 10, generator=g).argsort(1)[:, :2], 1.0)
    return torch.stack([x, mark], 2), (x * mark).sum(1, keepdim=True) / 1.41


def gates() -> Parts:
    """(rows, 14): five kinds in two heaps each."""
    x, y = datasets.make_classification(
        1000, 14, n_informative=7, n_redundant=2, n_classes=5, n_clusters_per_class=2, class_sep=2.2, random_state=9
    )
    return standardised(parted(x, y, 680))


def field(rows: int, seed: int) -> Rows:
    """(rows, 2) places between -1 and 1 -> the height of a wavy field, (rows, 1)."""
    g = drawn(seed)
    x = 2 * torch.rand(rows, 2, generator=g) - 1
    y = (4 * x[:, :1]).sin() * (3 * x[:, 1:]).cos() + 0.5 * (x[:, :1] * 6 + x[:, 1:] * 2).sin()
    return x / 0.58, (y + 0.05 * torch.randn(rows, 1, generator=g)) / 0.6


def stacked() -> Parts:
    """(rows, 15): three kinds."""
    x, y = datasets.make_classification(900, 15, n_informative=6, n_classes=3, class_sep=1.8, random_state=12)
    return standardised(parted(x, y, 600))


def graphs(rows: int, seed: int) -> Rows:
    """(rows, 7, 3) nodes and (rows, 7, 7) edges: do neighbours agree in their first number?"""
    g = drawn(seed)
    x = torch.randn(rows, 7, 3, generator=g)
    edges = (torch.rand(rows, 7, 7, generator=g) < 0.35).float().triu(1)
    edges = edges + edges.transpose(1, 2)
    agree = torch.einsum("ni,nij,nj->n", x[:, :, 0], edges, x[:, :, 0])
    return (x, edges), (agree > 0).long()


# -- networks ----------------------------------------------------------------------------------------------------------


def listening(norm: Any = nn.BatchNorm1d, act: Any = nn.ReLU, drop: float = 0.0, end: Any = None) -> nn.Module:
    def block(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv1d(a, b, 5, padding=2), *([norm(b)] if norm else []), act(), nn.MaxPool1d(2), nn.Dropout(drop)]

    last = [nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(24, 4)]
    return nn.Sequential(*block(2, 16), *block(16, 24), *last, *([end()] if end else []))


class Keyed(nn.Module):
    """A recurrent network, read where the text ends."""

    def __init__(self, cell: str = "GRU", width: int = 32, words: int = 16, **more: Any) -> None:
        super().__init__()
        self.words = nn.Embedding(20, words, padding_idx=0)
        self.cell, self.head = getattr(nn, cell)(words, width, batch_first=True, **more), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        said, last = self.cell(self.words(x))[0], (x > 0).sum(1).clamp_min(1) - 1
        return self.head(said[torch.arange(len(x)), last])


def folded(width: int = 16, act: Any = nn.ReLU, end: Any = None, drop: float = 0.0) -> nn.Module:
    """A convolutional autoencoder."""
    inwards = [nn.Conv2d(1, 8, 3, 2, 1), act(), nn.Flatten(), nn.Linear(288, width), nn.Dropout(drop)]
    outwards = [nn.Linear(width, 288), act(), nn.Unflatten(1, (8, 6, 6)), nn.ConvTranspose2d(8, 1, 4, 2, 1)]
    return nn.Sequential(*inwards, *outwards, *([end()] if end else []))


class Twins(nn.Module):
    """How far two rows lie apart behind one network."""

    def __init__(self, width: int = 8, act: Any = nn.ReLU) -> None:
        super().__init__()
        self.tower = dense(10, 48, 48, width, act=act)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (self.tower(a) - self.tower(b)).square().sum(1).add(1e-9).sqrt()


def contrast(margin: float = 1.0) -> Any:
    """The contrastive loss (Hadsell, Chopra & LeCun 2006, equation 4)."""

    def loss(apart: Tensor, y: Tensor) -> Tensor:
        return (y * apart.square() + (1 - y) * (margin - apart).clamp_min(0).square()).mean()

    return loss


def told_apart(apart: Tensor, y: Tensor) -> float:
    return float(((apart < 0.5) == (y > 0.5)).float().mean())


def shown(act: Any = nn.ReLU, norm: bool = True, end: Any = None) -> nn.Module:
    def block(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, padding=1), *([nn.BatchNorm2d(b)] if norm else []), act()]

    last = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 3)]
    return nn.Sequential(*block(1, 16), *block(16, 32), *last, *([end()] if end else []))


class Causal(nn.Module):
    """A transformer that looks back, read at the last place."""

    def __init__(self, depth: int = 2, norm_first: bool = True, ahead: bool = False, width: int = 32) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(8, width), nn.Parameter(0.1 * torch.randn(9, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True, norm_first=norm_first)
        self.body, self.head = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False), nn.Linear(width, 6)
        hidden = torch.full((9, 9), float("-inf")).triu(1)
        self.register_buffer("mask", hidden.T.clone() if ahead else hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.words(x) + self.places, mask=self.mask)[:, -1])


class Skip(nn.Module):
    """A residual block of convolutions."""

    def __init__(self, width: int, momentum: float = 0.1, norm: bool = True) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.p, self.q = (nn.BatchNorm2d(width, momentum=momentum) if norm else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.q(self.b(F.relu(self.p(self.a(x))))))


def woven(momentum: float = 0.1, depth: int = 2, norm: bool = True, end: Any = None) -> nn.Module:
    blocks = [Skip(12, momentum, norm) for _ in range(depth)]
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4), *([end()] if end else [])]
    return nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1), nn.ReLU(), *blocks, *last)


class Adder(nn.Module):
    def __init__(self, cell: str = "GRU", width: int = 24) -> None:
        super().__init__()
        self.cell, self.out = getattr(nn, cell)(2, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cell(x)[0][:, -1])


class Gate(nn.Module):
    """Gated linear units (Dauphin et al. 2017)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.both, self.norm = nn.Linear(inputs, 2 * width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(F.glu(self.both(x), 1))


def gated(width: int = 32, drop: float = 0.0) -> nn.Module:
    return nn.Sequential(Gate(14, width), nn.Dropout(drop), Gate(width, width), nn.Dropout(drop), nn.Linear(width, 5))


class Sine(nn.Module):
    def __init__(self, pace: float = 1.5) -> None:
        super().__init__()
        self.pace = pace

    def forward(self, x: Tensor) -> Tensor:
        return (self.pace * x).sin()


class Layered(nn.Module):
    """x + f(norm(x)), many times over."""

    def __init__(
        self, depth: int = 8, width: int = 24, skip: float = 1.0, act: Any = nn.GELU, norm: bool = True
    ) -> None:
        super().__init__()
        self.front, self.head, self.skip = nn.Linear(15, width), nn.Linear(width, 3), skip
        self.body = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width) if norm else nn.Identity(), nn.Linear(width, width), act())
            for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.front(x)
        for f in self.body:
            x = self.skip * x + f(x)
        return self.head(x)


class Message(nn.Module):
    """Each node hears its neighbours' sum; the mean of all is read."""

    def __init__(self, width: int = 32, act: Any = F.relu) -> None:
        super().__init__()
        self.own, self.heard, self.act = nn.Linear(3, width), nn.Linear(3, width), act
        self.mix, self.head = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        h = self.act(self.own(x) + self.heard(edges @ x))
        return self.head(self.act(self.mix(h)).mean(1))


VALUES: dict[str, Any] = {"loss": nn.MSELoss(), "metric": "r2"}
CLAIMS: dict[str, Any] = {"loss": nn.HuberLoss(), "metric": "r2", "optimizer": adam(4e-3)}
COUNTS: dict[str, Any] = {"loss": nn.PoissonNLLLoss(log_input=False), "metric": "r2", "optimizer": adam(5e-3)}
SOUND: Mapping[str, Make] = {
    "claims": lambda: made(drawn_parts(claims, 700, 350), lambda: dense(7, 48, 48, 1), 30, **CLAIMS),
    "channels": lambda: made(drawn_parts(channels, 560, 280), listening, 12, optimizer=sgd(0.05)),
    "padded": lambda: made(drawn_parts(padded, 640, 320), Keyed, 12, optimizer=adam(8e-3)),
    "bars": lambda: made(drawn_parts(bars, 480, 240), folded, 25, optimizer=adam(8e-3), **VALUES),
    "twins": lambda: made(drawn_parts(twins, 900, 400), Twins, 15, loss=contrast(), metric=told_apart),
    "several": lambda: made(
        drawn_parts(several, 560, 280), shown, 15, loss=nn.BCEWithLogitsLoss(), optimizer=adam(1e-2)
    ),
    "largest": lambda: made(drawn_parts(largest, 700, 350), Causal, 10, optimizer=adam(4e-3)),
    "textures": lambda: made(drawn_parts(textures, 480, 240), woven, 10, optimizer=adam(1e-2)),
    "counts": lambda: made(
        drawn_parts(counts, 700, 350), lambda: dense(6, 48, 48, 1, act=nn.SiLU, end=nn.Softplus), 25, **COUNTS
    ),
    "sums": lambda: made(drawn_parts(sums, 800, 400), Adder, 20, optimizer=adam(1e-2), **VALUES),
    "gates": lambda: made(gates(), gated, 20, 40, optimizer=adam(5e-3)),
    "field": lambda: made(
        drawn_parts(field, 600, 300), lambda: dense(2, 48, 48, 1, act=Sine), 40, optimizer=adam(5e-3), **VALUES
    ),
    "stacked": lambda: made(stacked(), Layered, 14, optimizer=adam(3e-3)),
    "graphs": lambda: made(drawn_parts(graphs, 900, 400), Message, 25, optimizer=adam(1e-2)),
}
"""Family -> a training that is sound."""
