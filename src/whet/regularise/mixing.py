"""Mixup and CutMix on whole batches: drawn once, then applied by pure kernels.

x   inputs (B, C, H, W), or a table's columns (B, F); categories (B, K) int64
q   target: class probabilities (B, C), or values (B,) or (B, T)
lam the first row's share

mixup    x' = lam x_i + (1 - lam) x_j                    q' = lam q_i + (1 - lam) q_j
cutmix   x' = x_j inside a box, x_i outside              lam = share outside, exactly
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Generator, Tensor

from whet.errors import RecipeError

Inputs = TypeVar("Inputs", Tensor, tuple[Tensor, ...])


@dataclass(frozen=True)
class Mixture:
    """What was drawn for one batch."""

    kind: str
    partner: Tensor
    """(B,) int64: the row that each row is mixed with."""
    lam: float
    """The share of the row itself."""
    centre: tuple[float, float]
    """Of the box, as shares of height and width."""
    own: tuple[Tensor | None, ...]
    """Per input: where each number stays the row's own, bool of its shape; None: it is blended, or has a box."""


@dataclass(frozen=True)
class Mix:
    """mixup or cutmix with lam from Beta(alpha, alpha)."""

    kind: str
    alpha: float
    until: float = 1.0
    """The share of the training after which nothing is mixed any more: the end is learned on true images."""

    def __post_init__(self) -> None:
        if self.alpha < 0:
            raise RecipeError(f"{self.kind}.alpha={self.alpha} is negative.", "Use 0 (no mixing) or more.")

    def __call__(self, inputs: Inputs, target: Tensor, generator: Generator) -> tuple[Inputs, Tensor]:
        return mix(inputs, target, generator, self.alpha, self.kind)


def mix(
    inputs: Inputs, target: Tensor, generator: Generator, alpha: float, kind: str = "mixup"
) -> tuple[Inputs, Tensor]:
    """The mixed batch; with alpha 0, or a single row, the very batch that was given."""
    if alpha == 0 or len(target) < 2:
        return inputs, target
    return apply_mixture(inputs, target, draw_mixture(inputs, generator, alpha, kind))


def draw_mixture(inputs: Tensor | tuple[Tensor, ...], generator: Generator, alpha: float, kind: str) -> Mixture:
    """One lam, one permutation and one box for a batch, as in the papers' own code."""
    if kind not in ("mixup", "cutmix"):
        raise RecipeError(f"There is no mixing named {kind!r}.", "Use 'mixup' or 'cutmix'.")
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    partner = torch.randperm(len(parts[0]), generator=generator)
    # Beta(alpha, alpha) is the first number of a Dirichlet of two.
    lam = float(torch._sample_dirichlet(torch.tensor([alpha, alpha], dtype=torch.float64), generator)[0])
    y, x = torch.rand(2, generator=generator).tolist()
    own = tuple(torch.rand(p.shape, generator=generator) < lam if _is_swapped(p, kind) else None for p in parts)
    return Mixture(kind, partner, lam, (y, x), own)


def apply_mixture(inputs: Inputs, target: Tensor, drawn: Mixture) -> tuple[Inputs, Tensor]:
    """The mixed inputs and target, the same for the same `drawn`. Integer columns are swapped, not blended."""
    parts: tuple[Tensor, ...] = inputs if isinstance(inputs, tuple) else (inputs,)
    partner, lam = drawn.partner.to(target.device), drawn.lam
    mixed: list[Tensor] = []
    for x, own in zip(parts, drawn.own, strict=True):
        if own is not None:
            mixed.append(torch.where(own.to(x.device), x, x[partner]))
        elif drawn.kind == "cutmix":
            pasted, lam = paste(x, partner, box(lam, drawn.centre, (x.shape[2], x.shape[3])))
            mixed.append(pasted)
        else:
            mixed.append(torch.lerp(x[partner], x, lam))
    blended = torch.lerp(target[partner], target, lam)
    return (tuple(mixed) if isinstance(inputs, tuple) else mixed[0]), blended


def _is_swapped(x: Tensor, kind: str) -> bool:
    """Tables under cutmix, and whatever can't be blended."""
    return not x.is_floating_point() or (kind == "cutmix" and x.ndim != 4)


def box(lam: float, centre: tuple[float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of a box around the centre, with sides sqrt(1 - lam), cut off at the border."""
    edges: list[int] = []
    for at, length in zip(centre, size, strict=True):
        middle, half = int(at * length), int(length * (1 - lam) ** 0.5) // 2
        edges += [max(0, middle - half), min(length, middle + half)]
    return edges[0], edges[1], edges[2], edges[3]


def paste(x: Tensor, partner: Tensor, edges: tuple[int, int, int, int]) -> tuple[Tensor, float]:
    """Images (B, C, H, W) with the partner's pixels inside the box, and the share that stays their own."""
    top, bottom, left, right = edges
    out = x.clone()
    out[:, :, top:bottom, left:right] = x[:, :, top:bottom, left:right][partner]
    return out, 1 - (bottom - top) * (right - left) / (x.shape[2] * x.shape[3])
