"""A small classifier, trained here, in whose features sets of pictures are compared.

The Frechet distance is usually taken in the features of a network that was trained on a million photographs; no such
network comes with whet, and it would know nothing of garments or cells. This one is trained on the training rows: on their
classes, or, where there are none, on telling how a picture was turned (Gidaris et al. 2018, arXiv:1803.07728).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.rng import generator

WIDTHS = (16, 32, 32)
"""Filters of its three strided convolutions, whose maps a dense layer makes `FEATURES` of."""
FEATURES = 64
STEPS, BATCH, RATE = 300, 128, 3e-3
PASSES = 30
"""Passes over the rows after which a judge of few pictures is done early."""
TURNS = 4
LEVELS = 127.5
AT_ONCE = 1000


@dataclass(frozen=True, eq=False)
class Judge:
    """Frozen features; in place of a target's scale it says what a network's outputs mean."""

    weights: tuple[Tensor, ...]
    """Of each convolution: (filters, channels, 3, 3), then (filters,); of the dense layer; float32 that fits into float16."""
    classes: int
    """What it was trained to tell apart; 0: how pictures were turned."""
    accuracy: float
    """On rows that it wasn't trained on; NaN: not measured."""

    def features(self, x: Tensor) -> Tensor:
        """(n, F) of pictures (n, C, H, W) with values from -1 to 1."""
        x = x.clamp(-1, 1)
        *maps, dense, bias = self.weights
        for weight, shift in zip(maps[::2], maps[1::2], strict=True):
            x = F.conv2d(x, weight, shift, stride=2, padding=1).relu()
        return F.linear(x.flatten(1), dense, bias).relu()

    def look(self, said: Tensor) -> Tensor:
        """(n, k, F) of (n, k, C, H, W), with as many pictures at a time as memory is glad of."""
        with torch.inference_mode():
            flat = said.float().flatten(0, 1)
            seen = torch.cat([self.features(part) for part in flat.split(AT_ONCE)])
        return seen.view(*said.shape[:2], -1)

    def of_pixels(self, x: np.ndarray) -> np.ndarray:
        """(n, F) of uint8 pictures (n, H, W, C)."""
        return self.look(as_values(x)[:, None])[:, 0].numpy()

    def described(self) -> str:
        """A noun for the report."""
        told = f"the {self.classes} classes apart" if self.classes else "how they are turned"
        return f"a small classifier trained here to tell {told} (right on {self.accuracy:.0%} of validation rows)"

    def to_dict(self) -> dict[str, Any]:
        packed = [
            {"shape": list(w.shape), "float16": base64.b64encode(w.numpy().astype(np.float16).tobytes()).decode()}
            for w in self.weights
        ]
        return {"judge": packed, "classes": self.classes, "accuracy": self.accuracy}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Judge:
        weights = (
            np.frombuffer(base64.b64decode(w["float16"]), np.float16).reshape(w["shape"]) for w in state["judge"]
        )
        return cls(tuple(torch.from_numpy(w.astype(np.float32)) for w in weights), state["classes"], state["accuracy"])


def as_values(x: np.ndarray) -> Tensor:
    """uint8 (n, H, W, C) -> float32 (n, C, H, W) from -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2).float().div_(LEVELS).sub_(1)


def train_judge(x: np.ndarray, y: np.ndarray, train: np.ndarray, val: np.ndarray, classes: int, seed: int = 0) -> Judge:
    """A judge of uint8 pictures x (n, H, W, C) with classes y (n,); `classes` below 2: it learns how they were turned."""
    outputs = classes if classes > 1 else TURNS
    random = generator(seed, "judge")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(random.integers(2**31)))
        network = network_of(x.shape[1:], outputs)
        steps = min(STEPS, max(1, PASSES * len(train) // BATCH))
        learn(network, steps, batches(x, y, train, classes, steps, random))
    weights = [p.detach().half().float() for p in list(network.parameters())[:-2]]  # without what tells classes apart
    accuracy = right(network, x, y, val, classes, random)
    return Judge(tuple(weights), classes if classes > 1 else 0, accuracy)


def network_of(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """For pictures (H, W, C)."""
    height, width, channels = shape
    layers: list[nn.Module] = []
    for filters in WIDTHS:
        layers += [nn.Conv2d(channels, filters, 3, stride=2, padding=1), nn.ReLU()]
        channels, height, width = filters, -(-height // 2), -(-width // 2)
    layers += [nn.Flatten(), nn.Linear(channels * height * width, FEATURES), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(FEATURES, outputs))


def batches(
    x: np.ndarray, y: np.ndarray, rows: np.ndarray, classes: int, steps: int, random: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(steps):
        chosen = np.sort(random.choice(rows, min(BATCH, len(rows)), replace=False))
        yield asked(x[chosen], y[chosen], classes, random)


def asked(x: np.ndarray, y: np.ndarray, classes: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(pictures, what is to be told of them)."""
    values = as_values(x)
    if classes > 1:
        return values, torch.from_numpy(y)
    turns = torch.from_numpy(random.integers(0, TURNS, len(x)))
    return torch.stack([turned(v, int(t)) for v, t in zip(values, turns, strict=True)]), turns


def turned(x: Tensor, turns: int) -> Tensor:
    """(C, H, W) turned by quarters; of a picture that is no square, flipped either way or both."""
    if x.shape[1] == x.shape[2]:
        return torch.rot90(x, turns, (1, 2))
    sides = [side for bit, side in ((1, 1), (2, 2)) if turns & bit]
    return x.flip(sides) if sides else x


def learn(network: nn.Module, steps: int, several: Iterator[tuple[Tensor, Tensor]]) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for step, (values, target) in enumerate(several):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(values), target).backward()
        optimizer.step()


def right(
    network: nn.Module, x: np.ndarray, y: np.ndarray, rows: np.ndarray, classes: int, random: np.random.Generator
) -> float:
    """The share of rows that it tells right."""
    if not len(rows):
        return float("nan")
    values, target = asked(x[rows[:AT_ONCE]], y[rows[:AT_ONCE]], classes, random)
    with torch.inference_mode():
        return float((network(values).argmax(1) == target).float().mean())
