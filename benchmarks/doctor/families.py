"""Sound trainings of ten more families: series, texts, prices, pictures of what may stand anywhere. A second or so each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.setups import Setup

Rows = tuple[Tensor, Tensor]
Make = Callable[[], Setup]


# -- data --------------------------------------------------------------------------------------------------------------


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def series(rows: int, seed: int, length: int = 14) -> Rows:
    """(rows, length, 2): three frequencies at any phase, in noise."""
    g = drawn(seed)
    y = torch.randint(0, 3, (rows,), generator=g)
    t, phase = torch.arange(length), 6.28 * torch.rand(rows, 1, generator=g)
    wave = ((0.4 + 0.5 * y)[:, None] * t + phase).sin()
    return torch.stack([wave, torch.randn(rows, length, generator=g)], 2) + 0.2 * torch.randn(
        rows, length, 2, generator=g
    ), y


def texts(rows: int, seed: int) -> Rows:
    """(rows, 14) indices of 80 words; four subjects that prefer twenty words each."""
    g = drawn(seed)
    y = torch.randint(0, 4, (rows,), generator=g)
    own = y[:, None] * 20 + torch.randint(0, 20, (rows, 14), generator=g)
    return torch.where(torch.rand(rows, 14, generator=g) < 0.4, own, torch.randint(0, 80, (rows, 14), generator=g)), y


def order(rows: int, seed: int) -> Rows:
    """(rows, 10) indices: does word 0 come before word 1? Counts don't tell."""
    g = drawn(seed)
    x = torch.randint(2, 12, (rows, 10), generator=g)
    places = torch.rand(rows, 10, generator=g).argsort(1)[:, :2]
    x.scatter_(1, places, torch.tensor([[0, 1]]).expand(rows, 2))
    return x, (places[:, 0] < places[:, 1]).long()


def crossed(rows: int, seed: int) -> Rows:
    """(rows, 10): five classes about centres of their own, bent."""
    g, fixed = drawn(seed), drawn(99)
    centres = 1.6 * torch.randn(5, 10, generator=fixed)
    y = torch.randint(0, 5, (rows,), generator=g)
    x = centres[y] * (1 - 2 * torch.randint(0, 2, (rows, 1), generator=g)) + 0.8 * torch.randn(rows, 10, generator=g)
    return x, y


def prices(rows: int, seed: int) -> Rows:
    """(rows, 6) and prices: products of powers, from some thousands to some millions."""
    g = drawn(seed)
    x = torch.randn(rows, 6, generator=g)
    log = 12 + 0.5 * x[:, :1] + 0.4 * (1.5 * x[:, 1:2]).sin() + 0.3 * x[:, 2:3] * x[:, 3:4]
    return x, (log + 0.05 * torch.randn(rows, 1, generator=g)).exp()


def marks(rows: int, seed: int) -> Rows:
    """(rows, 12) and six labels, any number of which hold."""
    g, fixed = drawn(seed), drawn(98)
    x = torch.randn(rows, 12, generator=g)
    return x, (x @ torch.randn(12, 6, generator=fixed) + (x[:, :1] * x[:, 1:2]) > 1.0).float()


def bent_rows(rows: int, seed: int) -> Rows:
    """(rows, 16) that four numbers make up, to be given back."""
    g, fixed = drawn(seed), drawn(97)
    x = (torch.randn(rows, 4, generator=g) @ torch.randn(4, 16, generator=fixed)).tanh()
    x = (x + 0.05 * torch.randn(rows, 16, generator=g)) / 0.8
    return x, x


def shapes(rows: int, seed: int) -> Rows:
    """(rows, 1, 12, 12): a bright square, ring, cross or bar, anywhere."""
    g = drawn(seed)
    y = torch.randint(0, 4, (rows,), generator=g)
    kinds = torch.zeros(4, 5, 5)
    kinds[0], kinds[1], kinds[1, 1:4, 1:4] = 1, 1, 0
    kinds[2, 2, :], kinds[2, :, 2], kinds[3, :, 2] = 1, 1, 1
    x = 0.3 * torch.randn(rows, 1, 12, 12, generator=g)
    for i, (r, c) in enumerate(torch.randint(0, 8, (rows, 2), generator=g).tolist()):
        x[i, 0, r : r + 5, c : c + 5] += kinds[y[i]]
    return (x - 0.1) / 0.45, y


def rare(rows: int, seed: int, share: float = 0.1) -> Rows:
    """(rows, 8): few of one kind, which lie apart by a bent border."""
    g = drawn(seed)
    x = torch.randn(rows, 8, generator=g)
    score = x[:, 0] * x[:, 1] + x[:, 2]
    return x, (score > score.quantile(1 - share)).long()


# -- networks ----------------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    def __init__(self, cell: str = "GRU", width: int = 32, **more: Any) -> None:
        super().__init__()
        self.cell, self.head = getattr(nn, cell)(2, width, batch_first=True, **more), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0].mean(1))


def conv1d() -> nn.Module:
    layers = (nn.Conv1d(2, 16, 5, padding=2), nn.ReLU(), nn.Conv1d(16, 16, 5, padding=2), nn.ReLU())
    return nn.Sequential(Turned(), *layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 3))


class Turned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class Bag(nn.Module):
    """The mean of word vectors, and a network behind it."""

    def __init__(self, vectors: Tensor | None = None, freeze: bool = False) -> None:
        super().__init__()
        self.words = nn.Embedding(80, 16) if vectors is None else nn.Embedding.from_pretrained(vectors, freeze=freeze)
        self.head = nn.Sequential(nn.Linear(self.words.embedding_dim, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.words(x).mean(1))


class Attentive(nn.Module):
    def __init__(self, layers: int = 1, norm_first: bool = False) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(12, 32), nn.Parameter(0.1 * torch.randn(10, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=norm_first)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.words(x) + self.places).mean(1))


def dense(*sizes: int, act: Callable[[], nn.Module] = nn.ReLU, end: Callable[[], nn.Module] | None = None) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1], *([end()] if end else []))


def pictures(norm: bool = True) -> nn.Module:
    def block(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, padding=1), *([nn.BatchNorm2d(b)] if norm else []), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*block(1, 8), *block(8, 16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))


class Tied(nn.Module):
    """An autoencoder whose way back has the weights of the way in."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.back = nn.Linear(16, 8), nn.Parameter(torch.zeros(16))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.inside(x).tanh(), self.inside.weight.t(), self.back)


class Detached(nn.Module):
    """A front that gets no gradient, since its output is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.front, self.head = nn.Linear(10, 4), dense(4, 32, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.front(x).relu().detach())


class Always(nn.Module):
    """Drops in evaluation too, as `F.dropout(x, p)` does without `training=self.training`."""

    def __init__(self, share: float, training: bool = False) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(10, 48), nn.Linear(48, 48), nn.Linear(48, 5)
        self.share, self.right = share, training

    def forward(self, x: Tensor) -> Tensor:
        on = self.training if self.right else True
        x = F.dropout(self.a(x).relu(), self.share, training=on)
        return self.c(F.dropout(self.b(x).relu(), self.share, training=on))


class Normed(nn.Module):
    """A norm over an axis of one number, which leaves nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(10, 32), nn.LayerNorm(1), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.norm(self.a(x)[:, :, None])[:, :, 0].relu())


class Log(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.log()


def repeated() -> nn.Module:
    one = nn.Linear(32, 32)
    return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), *[one, nn.ReLU()] * 12, nn.Linear(32, 5))


def spread(model: nn.Module, gain: float) -> nn.Module:
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(gain)
    return model


# -- sound trainings ---------------------------------------------------------------------------------------------------


def adam(lr: float = 3e-3, **more: Any) -> Any:
    return lambda p: torch.optim.Adam(p, lr=lr, **more)


def sgd(lr: float, momentum: float = 0.9, **more: Any) -> Any:
    return lambda p: torch.optim.SGD(p, lr=lr, momentum=momentum, **more)


def of(rows: Callable[..., Rows], model: Callable[[], nn.Module], epochs: int = 20, n: int = 480, **more: Any) -> Setup:
    parts: dict[str, Any] = {"loss": nn.CrossEntropyLoss(), "optimizer": adam(), "metric": "accuracy"} | more
    return Setup(model, train=rows(n, 0), val=rows(240, 1), batch_size=32, epochs=epochs, **parts)


def standard(rows: Callable[[int, int], Rows]) -> Callable[[int, int], Rows]:
    """The logarithm of values, standardised by the training part."""

    def made(n: int, seed: int) -> Rows:
        x, y = rows(n, seed)
        known = rows(480, 0)[1].log()
        return x, (y.log() - known.mean()) / known.std()

    return made


values = standard(prices)
SOUND: Mapping[str, Make] = {
    "series": lambda: of(series, Recurrent, 12),
    "waves": lambda: of(series, conv1d, 15),
    "texts": lambda: of(texts, Bag, 20),
    "order": lambda: of(order, Attentive, 10, 480, optimizer=adam(3e-3)),
    "crossed": lambda: of(crossed, lambda: dense(10, 48, 48, 5), 25),
    "prices": lambda: of(values, lambda: dense(6, 48, 48, 1), 40, loss=nn.MSELoss(), metric="r2"),
    "marks": lambda: of(marks, lambda: dense(12, 48, 6), 30, loss=nn.BCEWithLogitsLoss()),
    "selves": lambda: of(bent_rows, lambda: dense(16, 32, 6, 32, 16, act=nn.Tanh), 40, loss=nn.MSELoss(), metric="r2"),
    "shapes": lambda: of(shapes, pictures, 12),
    "rare": lambda: of(rare, lambda: dense(8, 48, 48, 2), 25, 800),
}
"""Family -> a training that is sound."""
