"""Sound trainings of a third kind: pictures of digits seen by five families, signals, forecasts, pairs, arms and mixtures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, drawn
from whet.setups import Setup

Rows = tuple[Any, Tensor]
Parts = tuple[Rows, Rows]
Make = Callable[[], Setup]


# -- data --------------------------------------------------------------------------------------------------------------


def parted(x: Any, y: Any, train: int, seed: int = 5) -> Parts:
    """Shuffled, and the first `train` rows apart from the others."""
    order = np.random.RandomState(seed).permutation(len(x))
    kind = torch.float32 if np.asarray(y).dtype.kind == "f" else torch.int64
    x, y = torch.as_tensor(np.asarray(x)[order], dtype=torch.float32), torch.as_tensor(np.asarray(y)[order], dtype=kind)
    return (x[:train], y[:train]), (x[train:], y[train:])


def standardised(parts: Parts) -> Parts:
    (x, y), (xv, yv) = parts
    mean, spread = x.mean(0), x.std(0).clamp_min(1e-6)
    return ((x - mean) / spread, y), ((xv - mean) / spread, yv)


@functools.cache
def digits() -> Parts:
    """(rows, 1, 8, 8) between -1 and 1."""
    x, y = datasets.load_digits(return_X_y=True)
    return parted((x / 8 - 1).reshape(-1, 1, 8, 8), y, 1000)


@functools.cache
def cancer(scaled: bool = True) -> Parts:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    parts = parted(x, y, 380)
    return standardised(parts) if scaled else parts


@functools.cache
def wine(scaled: bool = True) -> Parts:
    x, y = datasets.load_wine(return_X_y=True)
    parts = parted(x, y, 110)
    return standardised(parts) if scaled else parts


@functools.cache
def friedman() -> Parts:
    x, y = datasets.make_friedman1(900, 8, noise=0.3, random_state=3)
    (x, y), (xv, yv) = standardised(parted(x, y[:, None], 600))
    return (x, (y - y.mean()) / y.std()), (xv, (yv - y.mean()) / y.std())


def pulses(rows: int, seed: int) -> Rows:
    """(rows, 1, 48): one of four heartbeats, anywhere, in noise."""
    g, t = drawn(seed), torch.arange(48.0)
    y = torch.randint(0, 4, (rows,), generator=g)
    at = (t[None] - 12 - 20 * torch.rand(rows, 1, generator=g)) / 2.0
    hill, slope, box = 2 * (-(at**2)).exp(), -2 * at * (-(at**2) / 2).exp(), 1.4 * at.abs().lt(2)
    kinds = torch.stack([hill, slope, box, 1.6 * at.cos() * (-(at**2) / 9).exp()])
    return (kinds[y, torch.arange(rows)] + 0.35 * torch.randn(rows, 48, generator=g))[:, None], y


def waves(rows: int, seed: int) -> Rows:
    """(rows, 20, 1) of two mixed waves -> the value three steps on, (rows, 1)."""
    g, t = drawn(seed), torch.arange(23.0)
    phase = 6.28 * torch.rand(rows, 2, 1, generator=g)
    pace = torch.tensor([[0.35], [0.9]]) * (1 + 0.1 * torch.rand(rows, 1, 1, generator=g))
    x = (torch.tensor([[1.0], [0.6]]) * (pace * t + phase).sin()).sum(1) + 0.05 * torch.randn(rows, 23, generator=g)
    return x[:, :20, None], x[:, 22:]


def subjects(rows: int, seed: int) -> Rows:
    """(rows, 18) indices of 300 words, 5 subjects of 40 words of their own each."""
    g = drawn(seed)
    y = torch.randint(0, 5, (rows,), generator=g)
    own = y[:, None] * 40 + torch.randint(0, 40, (rows, 18), generator=g)
    return torch.where(torch.rand(rows, 18, generator=g) < 0.35, own, torch.randint(0, 300, (rows, 18), generator=g)), y


def pairs(rows: int, seed: int) -> Rows:
    """Two pictures of digits below 4 -> whether they show the same, (rows, 1)."""
    g = drawn(seed)
    (x, y), (xv, yv) = digits()
    x, y = (x, y) if seed == 0 else (xv, yv)
    few = (y < 4).nonzero()[:, 0]
    a, b = few[torch.randint(len(few), (2, rows), generator=g)]
    twins = torch.rand(rows, generator=g) < 0.35
    b = torch.where(twins, a, b)
    return (x[a].flatten(1), x[b].flatten(1)), (y[a] == y[b]).float()[:, None]


def arm(rows: int, seed: int) -> Rows:
    """Three angles -> where a jointed arm ends, (rows, 2)."""
    g = drawn(seed)
    angles = 2.4 * torch.rand(rows, 3, generator=g) - 1.2
    reach = angles.cumsum(1)
    length = torch.tensor([1.0, 0.8, 0.6])
    ends = torch.stack([(length * reach.cos()).sum(1), (length * reach.sin()).sum(1)], 1)
    return angles / 0.7, ends + 0.02 * torch.randn(rows, 2, generator=g)


# -- networks ----------------------------------------------------------------------------------------------------------


def cnn(act: Any = nn.ReLU, drop: float = 0.0) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), act(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), act(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(drop), nn.Linear(64, 48), act(), nn.Dropout(drop), nn.Linear(48, 10),
    )  # fmt: skip


class Scan(nn.Module):
    """A picture's lines read one after the other."""

    def __init__(self, cell: str = "GRU", width: int = 40, **more: Any) -> None:
        super().__init__()
        self.cell, self.head = getattr(nn, cell)(8, width, batch_first=True, **more), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x[:, 0])[0][:, -1])


class Forecaster(nn.Module):
    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(1, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lstm(x)[0][:, -1])


class Patches(nn.Module):
    """A vision transformer on sixteen patches of four pixels."""

    def __init__(self, width: int = 32, depth: int = 1) -> None:
        super().__init__()
        self.patch, self.places = nn.Conv2d(1, width, 2, 2), nn.Parameter(0.02 * torch.randn(16, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True, norm_first=True)
        self.body, self.norm = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False), nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.body(tokens)).mean(1))


class Bagged(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.words, self.out = nn.EmbeddingBag(300, width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.words(x))


class Pair(nn.Module):
    """One network for both pictures, and how far its answers lie apart."""

    def __init__(self, detach: bool = False) -> None:
        super().__init__()
        self.tower, self.out, self.detach = dense(64, 48, 16), nn.Linear(16, 1), detach

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        apart = (self.tower(a) - self.tower(b)).abs()
        return self.out(apart.detach() if self.detach else apart)


def conv1d(act: Any = nn.ReLU) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(1, 12, 7, padding=3), act(), nn.MaxPool1d(2), nn.Conv1d(12, 24, 5, padding=2), act(),
        nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(24, 4),
    )  # fmt: skip


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(width, width), nn.BatchNorm1d(width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(F.relu(self.norm(self.a(x))))


def residual(inputs: int = 30, outputs: int = 2, drop: float = 0.0) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 32), Block(32), nn.Dropout(drop), Block(32), nn.Linear(32, outputs))


def squeezed(width: int = 12, end: Any = None) -> nn.Module:
    """An autoencoder of pictures."""
    inwards = (nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, width))
    outwards = (nn.Linear(width, 48), nn.ReLU(), nn.Linear(48, 64))
    return nn.Sequential(nn.Flatten(), *inwards, *outwards, *([end()] if end else []), nn.Unflatten(1, (1, 8, 8)))


class Variational(nn.Module):
    """An encoder, a draw, a decoder; the means alone in evaluation mode. What the step asks for is kept."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.front = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU())
        self.mean, self.spread = nn.Linear(48, width), nn.Linear(48, width)
        self.back = nn.Sequential(nn.Linear(width, 48), nn.ReLU(), nn.Linear(48, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, x: Tensor) -> Tensor:
        h = self.front(x)
        mean, log = self.mean(h), self.spread(h)
        self.kl = 0.5 * (mean.square() + log.exp() - 1 - log).sum(1).mean()
        z = mean + torch.randn_like(mean) * (0.5 * log).exp() if self.training else mean
        return self.back(z)


def with_divergence(weight: float) -> Any:
    """A variational autoencoder's step."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1])
        value = value + weight * model.kl
        value.backward()
        optimizer.step()
        return value

    return step


# -- sound trainings ---------------------------------------------------------------------------------------------------


def made(parts: Parts, model: Callable[[], nn.Module], epochs: int, batch: int = 32, **more: Any) -> Setup:
    rest: dict[str, Any] = {"loss": nn.CrossEntropyLoss(), "optimizer": adam(2e-3), "metric": "accuracy"} | more
    return Setup(model, train=parts[0], val=parts[1], batch_size=batch, epochs=epochs, **rest)


def drawn_parts(rows: Callable[[int, int], Rows], train: int = 640, val: int = 320) -> Parts:
    return rows(train, 0), rows(val, 1)


def themselves(parts: Parts) -> Parts:
    (x, _), (xv, _) = parts
    return (x, x), (xv, xv)


VALUES: dict[str, Any] = {"loss": nn.MSELoss(), "metric": "r2"}
SOUND: Mapping[str, Make] = {
    "cnn": lambda: made(digits(), cnn, 8, 50),
    "scan": lambda: made(digits(), Scan, 10, 50, optimizer=adam(5e-3)),
    "patches": lambda: made(digits(), Patches, 14, 50, optimizer=adam(5e-3)),
    "forecast": lambda: made(drawn_parts(waves), Forecaster, 15, optimizer=adam(8e-3), **VALUES),
    "bag": lambda: made(drawn_parts(subjects, 900), Bagged, 15, optimizer=adam(1e-2)),
    "pairs": lambda: made(drawn_parts(pairs, 1200), Pair, 15, loss=nn.BCEWithLogitsLoss()),
    "arm": lambda: made(drawn_parts(arm), lambda: dense(3, 40, 40, 2, act=nn.Tanh), 30, optimizer=adam(5e-3), **VALUES),
    "pulses": lambda: made(drawn_parts(pulses), conv1d, 12, optimizer=adam(5e-3)),
    "cancer": lambda: made(cancer(), residual, 15),
    "wine": lambda: made(wine(), lambda: dense(13, 24, 3), 40, 16, optimizer=adam(5e-3)),
    "friedman": lambda: made(friedman(), lambda: dense(8, 48, 48, 1, act=nn.SELU), 40, **VALUES),
    "squeezed": lambda: made(themselves(digits()), squeezed, 15, **VALUES),
    "variational": lambda: made(themselves(digits()), Variational, 15, step=with_divergence(1e-3), **VALUES),
}
"""Family -> a training that is sound."""
