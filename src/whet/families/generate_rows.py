"""Networks that make rows of a table: numbers as normal scores, categories as groups of numbers of which one is 1.

    groups   spec.more["groups"]: (first, end) of each category's numbers; all others are numbers of their own

Flow matching treats all numbers alike, and the largest of a group wins (as in Kotelnikov et al. 2023, arXiv:2209.15421, but
for the diffusion); the autoencoder has a softmax for each group (Xu et al. 2019, arXiv:1907.00503, section 4.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.families.generate import Asked, Flow, Generating, zeroed
from whet.families.generate_vae import Vae
from whet.families.spec import InputSpec

Groups = Sequence[tuple[int, int]]


def decided(x: Tensor, groups: Groups) -> Tensor:
    """The same with 1 for the largest number of each group, and 0 for the others."""
    parts, at = [], 0
    for first, end in groups:
        parts += [x[:, at:first], F.one_hot(x[:, first:end].argmax(1), end - first).to(x.dtype)]
        at = end
    return torch.cat([*parts, x[:, at:]], 1)


class Velocity(nn.Module):
    """(x, t, label) -> velocity: residual dense layers that are told the time."""

    def __init__(self, spec: InputSpec, width: int, depth: int) -> None:
        super().__init__()
        size = spec.shape[0]
        self.ask = Asked(spec, width)
        self.begin = nn.Linear(size, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(spec.norm(width), spec.activation(), nn.Linear(width, width), spec.activation())
            for _ in range(depth)
        )
        self.told = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.back = nn.ModuleList(zeroed(nn.Linear(width, width)) for _ in range(depth))
        self.end = nn.Sequential(spec.norm(width), spec.activation(), zeroed(nn.Linear(width, size)))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        asked, h = self.ask(t, label), self.begin(x)
        for block, told, back in zip(self.blocks, self.told, self.back, strict=True):
            h = h + back(block(h + told(asked)))
        out: Tensor = self.end(h)
        return out


class RowFlow(Flow):
    """Flow matching whose categories are decided at the end."""

    def __init__(self, velocity: nn.Module, steps: int, groups: Groups) -> None:
        super().__init__(velocity, steps)
        self.groups = groups

    def made(self, label: Tensor, noise: Tensor) -> Tensor:
        return decided(super().made(label, noise), self.groups)


class RowVae(Vae):
    """A variational autoencoder with a normal number or a softmax for each column; its bound is in nats per number."""

    def __init__(self, encode: nn.Module, decode: nn.Module, code: int, groups: Groups) -> None:
        super().__init__(encode, decode, code)
        self.groups = groups

    def costs(self, x: Tensor, u: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        return self.bound(x, label, noise)

    def bound(self, x: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        seen, divergence = self.coded(x, label, noise)
        numbers = torch.ones(x.shape[1], dtype=torch.bool)
        nats = divergence
        for first, end in self.groups:
            numbers[first:end] = False
            nats = nats + F.cross_entropy(seen[:, first:end], x[:, first:end], reduction="none")
        error = (seen - x)[:, numbers].square()
        if self.training and error.numel():
            with torch.no_grad():
                self.sigma.lerp_(error.mean().sqrt().clamp(min=0.05), 0.01)
        variance = self.sigma.square()
        nats = nats + (error / (2 * variance) + (2 * torch.pi * variance).log() / 2).sum(1)
        return nats / x.shape[1]

    def made(self, label: Tensor, noise: Tensor) -> Tensor:
        """Drawn, not the most probable: noise beyond the code decides categories (Gumbel 1954) and blurs numbers."""
        said = self.decode(noise[:, : self.code], label).float()
        shared = noise.roll(-self.code, 1)
        drawn = said + self.sigma * shared
        for first, end in self.groups:
            gumbel = -(-torch.special.log_ndtr(shared[:, first:end])).log()
            drawn = torch.cat([drawn[:, :first], said[:, first:end] + gumbel, drawn[:, end:]], 1)
        return decided(drawn, self.groups)


class Dense(nn.Module):
    """Two hidden layers; takes the label for nothing."""

    def __init__(self, spec: InputSpec, fan_in: int, width: int, fan_out: int) -> None:
        super().__init__()
        first, second = nn.Linear(fan_in, width), nn.Linear(width, width)
        last = nn.Linear(width, fan_out)
        self.layers = nn.Sequential(first, spec.activation(), second, spec.activation(), last)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


def flow(spec: InputSpec, width: int = 256, depth: int = 3, steps: int = 10) -> Generating:
    return RowFlow(Velocity(spec, width, depth), steps, spec.more["groups"])


def vae(spec: InputSpec, width: int = 256, code: int = 16) -> Generating:
    size = spec.shape[0]
    code = min(code, size)
    return RowVae(Dense(spec, size, width, 2 * code), Dense(spec, code, width, size), code, spec.more["groups"])
