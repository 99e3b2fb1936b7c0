"""Sound trainings of a fourth kind: a spiral, letters, coloured signs, a rolled sheet, labels, noise to be taken away, sets,
copies, and numbers beside a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from invented_bases import Make, Parts, Rows, drawn_parts, made, parted, standardised
from sklearn import datasets
from torch import Tensor, nn

from families import adam, dense, drawn, sgd

# -- data --------------------------------------------------------------------------------------------------------------


def spiral(rows: int, seed: int) -> Rows:
    """(rows, 2): three arms."""
    g = drawn(seed)
    y = torch.randint(0, 3, (rows,), generator=g)
    far = torch.rand(rows, generator=g)
    turn = 4.0 * far + 2.1 * y + 0.12 * torch.randn(rows, generator=g)
    return 1.8 * torch.stack([far * turn.cos(), far * turn.sin()], 1), y


def letters(rows: int, seed: int) -> Rows:
    """(rows, 12) indices of ten letters: three languages, by which letter follows which."""
    g, fixed = drawn(seed), drawn(60)
    follow = (3.0 * torch.randn(3, 10, 10, generator=fixed)).softmax(2)
    y = torch.randint(0, 3, (rows,), generator=g)
    words = [torch.randint(0, 10, (rows,), generator=g)]
    for _ in range(11):
        words.append(torch.multinomial(follow[y, words[-1]], 1, generator=g)[:, 0])
    return torch.stack(words, 1), y


def signs(rows: int, seed: int) -> Rows:
    """(rows, 3, 10, 10): a disc, a triangle or a frame, anywhere, in any colour."""
    g = drawn(seed)
    y = torch.randint(0, 3, (rows,), generator=g)
    r, c = torch.meshgrid(torch.arange(10.0), torch.arange(10.0), indexing="ij")
    at = 3 + 3 * torch.rand(rows, 2, 1, 1, generator=g)
    dr, dc = r - at[:, :1, 0], c - at[:, 1:, 0]
    disc, frame = dr**2 + dc**2 < 6, (dr.abs().maximum(dc.abs()) - 2.0).abs() < 0.6
    triangle = (dr.abs() < 2.2) & (dc.abs() < (dr + 2.2) / 1.8)
    shape = torch.stack([disc, triangle, frame])[y, torch.arange(rows)].float()
    colour = 0.4 + 0.6 * torch.rand(rows, 3, 1, 1, generator=g)
    return (colour * shape[:, None] + 0.15 * torch.randn(rows, 3, 10, 10, generator=g) - 0.15) / 0.35, y


def rolled() -> Parts:
    """(rows, 3) on a rolled sheet -> how far along it, (rows, 1)."""
    x, y = datasets.make_swiss_roll(800, noise=0.1, random_state=4)
    (x, y), (xv, yv) = standardised(parted(x, y[:, None], 520))
    return (x, (y - y.mean()) / y.std()), (xv, (yv - y.mean()) / y.std())


def subjects_of() -> Parts:
    """(rows, 12) counts and four labels, any number of which hold."""
    x, y = datasets.make_multilabel_classification(900, 12, n_classes=4, n_labels=2, random_state=6)
    (x, y), (xv, yv) = standardised(parted(x, y.astype(float), 600))
    return (x, y), (xv, yv)


def noisy_curves(rows: int, seed: int) -> Rows:
    """(rows, 1, 32) of two waves in noise -> the waves without."""
    g, t = drawn(seed), torch.arange(32.0)
    pace, phase = 0.15 + 0.5 * torch.rand(rows, 2, 1, generator=g), 6.28 * torch.rand(rows, 2, 1, generator=g)
    y = (pace * t + phase).sin().sum(1)[:, None]
    return y + 0.6 * torch.randn(rows, 1, 32, generator=g), y


def crowds(rows: int, seed: int) -> Rows:
    """(rows, 10, 2) points in any order: do they lie in one heap, in two, or on a ring?"""
    g = drawn(seed)
    y = torch.randint(0, 3, (rows,), generator=g)
    angle = 6.28 * torch.rand(rows, 10, generator=g)
    ring = 1.4 * torch.stack([angle.cos(), angle.sin()], 2) + 0.15 * torch.randn(rows, 10, 2, generator=g)
    heap = torch.randn(rows, 10, 2, generator=g)
    way = torch.nn.functional.normalize(torch.randn(rows, 1, 2, generator=g), dim=2)
    two = 0.35 * heap + 1.3 * way * (1 - 2 * torch.randint(0, 2, (rows, 10, 1), generator=g))
    return torch.stack([heap, two, ring])[y, torch.arange(rows)], y


def copies(rows: int, seed: int) -> Rows:
    """(rows, 9) indices: a place, and eight letters; which letter stands there?"""
    g = drawn(seed)
    place, word = torch.randint(0, 8, (rows, 1), generator=g), torch.randint(8, 14, (rows, 8), generator=g)
    return torch.cat([place, word], 1), word.gather(1, place)[:, 0] - 8


def offers(rows: int, seed: int) -> Rows:
    """(rows, 5) numbers beside one of six kinds -> a value, (rows, 1)."""
    g, fixed = drawn(seed), drawn(61)
    x, kind = torch.randn(rows, 5, generator=g), torch.randint(0, 6, (rows,), generator=g)
    slope = torch.randn(6, 5, generator=fixed)
    y = (x * slope[kind]).sum(1) + x[:, 0] * x[:, 1] + 0.1 * torch.randn(rows, generator=g)
    return (x, kind), (y[:, None] - 0.0) / 2.3


# -- networks ----------------------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """Letters read in both directions."""

    def __init__(self, width: int = 24, vectors: Tensor | None = None) -> None:
        super().__init__()
        self.letters = nn.Embedding(10, 12) if vectors is None else nn.Embedding.from_pretrained(vectors)
        self.cell = nn.LSTM(self.letters.embedding_dim, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(self.letters(x))[0].amax(1))


def seeing(act: Any = nn.ReLU, norm: bool = True, end: Any = None) -> nn.Module:
    def block(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, padding=1), *([nn.GroupNorm(4, b)] if norm else []), act()]

    last = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 3)]
    return nn.Sequential(*block(3, 8), nn.MaxPool2d(2), *block(8, 16), *last, *([end()] if end else []))


def cleaning(drop: float = 0.0, deep: int = 2, act: Any = nn.GELU) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv1d(1, 16, 5, padding=2), act()]
    for _ in range(deep - 1):
        layers += [nn.Conv1d(16, 16, 5, padding=2), act(), nn.Dropout(drop)]
    return nn.Sequential(*layers, nn.Conv1d(16, 1, 5, padding=2))


class Crowd(nn.Module):
    """Each point by itself, then the mean and the largest of all."""

    def __init__(self, act: Any = nn.ReLU) -> None:
        super().__init__()
        self.each, self.all = dense(2, 32, 32, act=act), dense(64, 32, 3, act=act)

    def forward(self, x: Tensor) -> Tensor:
        points = self.each(x)
        return self.all(torch.cat([points.mean(1), points.amax(1)], 1))


class Copier(nn.Module):
    def __init__(self, norm_first: bool = True) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(14, 32), nn.Parameter(0.3 * torch.randn(9, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=norm_first)
        self.body, self.head = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(32, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.words(x) + self.places)[:, 0])


class Offer(nn.Module):
    """Numbers, and a vector for the kind."""

    def __init__(self, act: Any = nn.ReLU) -> None:
        super().__init__()
        self.kinds, self.net = nn.Embedding(6, 8), dense(13, 48, 48, 1, act=act)

    def forward(self, x: Tensor, kind: Tensor) -> Tensor:
        return self.net(torch.cat([x, self.kinds(kind)], 1))


def turning() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 3))


VALUES: dict[str, Any] = {"loss": nn.MSELoss(), "metric": "r2"}
SOUND: Mapping[str, Make] = {
    "spiral": lambda: made(drawn_parts(spiral, 420, 240), turning, 30, optimizer=adam(1e-2)),
    "letters": lambda: made(drawn_parts(letters, 600, 300), Reader, 12, optimizer=adam(8e-3)),
    "signs": lambda: made(drawn_parts(signs, 480, 240), seeing, 12, optimizer=adam(5e-3)),
    "rolled": lambda: made(rolled(), lambda: dense(3, 48, 48, 1), 40, optimizer=adam(5e-3), **VALUES),
    "labels": lambda: made(subjects_of(), lambda: dense(12, 40, 4), 25, loss=nn.BCEWithLogitsLoss()),
    "curves": lambda: made(drawn_parts(noisy_curves, 480, 240), cleaning, 15, optimizer=adam(4e-3), **VALUES),
    "crowds": lambda: made(drawn_parts(crowds, 600, 300), Crowd, 20, optimizer=adam(4e-3)),
    "copies": lambda: made(drawn_parts(copies, 900, 300), Copier, 12, optimizer=adam(5e-3)),
    "offers": lambda: made(drawn_parts(offers, 700, 300), Offer, 30, optimizer=sgd(0.05), **VALUES),
}
"""Family -> a training that is sound."""
