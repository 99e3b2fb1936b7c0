"""What a loss is, found by what it does: any callable is compared with the known ones on made-up outputs.

z  outputs (B, C), (B, 1) or (B,)       y  targets as they are given
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CLOSE = 1e-4
LEAST, MOST = 0.05, 0.95
"""Made-up outputs lie between these, so that they can be probabilities."""
FAR = 3.0
"""Or up to this far from 0."""


@dataclass(frozen=True)
class Criterion:
    """A loss by what it expects."""

    name: str
    """A name in `KNOWN`, or "unknown"."""
    takes: str
    """"logits", "log-probabilities", "probabilities", "values" or ""."""


def _classes(y: Tensor) -> Tensor:
    return y.reshape(len(y)).long()


def _one_hot(z: Tensor, y: Tensor) -> Tensor:
    if z.dim() > 1 and z.shape == y.shape:
        return y.to(z.dtype)
    if z.dim() > 1 and z.shape[1] > 1:
        return F.one_hot(_classes(y), z.shape[1]).to(z.dtype)
    return y.reshape(z.shape).to(z.dtype)


def _shares(z: Tensor, y: Tensor) -> Tensor:
    """Targets as `cross_entropy` takes them: a share of each class, or the class."""
    return y.to(z.dtype) if z.dim() > 1 and z.shape == y.shape and z.shape[1] > 1 else _classes(y)


def _shared(z: Tensor, y: Tensor) -> Tensor:
    """Targets that are a share of each class. Raises ValueError for others."""
    if z.shape != y.shape or z.dim() < 2 or not y.is_floating_point():
        raise ValueError("no shares")
    return y.to(z.dtype)


def _picked(p: Tensor, y: Tensor) -> Tensor:
    if p.shape == y.shape and p.shape[1] > 1:
        return (p * y).sum(1)
    return p.gather(1, _classes(y)[:, None])[:, 0]


def _target(z: Tensor, y: Tensor) -> Tensor:
    return y.reshape(z.shape).to(z.dtype)


KNOWN: Mapping[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "cross_entropy": ("logits", lambda z, y: F.cross_entropy(z, _shares(z, y))),
    "nll": ("log-probabilities", lambda z, y: -_picked(z, y).mean()),
    "cross_entropy_of_probabilities": ("probabilities", lambda z, y: -_picked(z, y).log().mean()),
    "cross_entropy_of_shares": ("probabilities", lambda z, y: -(_picked(z, y) / z.sum(1)).log().mean()),
    "kl_div": ("log-probabilities", lambda z, y: F.kl_div(z, _shared(z, y), reduction="batchmean")),
    "kl_div_of_numbers": ("log-probabilities", lambda z, y: F.kl_div(z, _shared(z, y), reduction="none").mean()),
    "bce_with_logits": ("logits", lambda z, y: F.binary_cross_entropy_with_logits(z, _one_hot(z, y))),
    "bce": ("probabilities", lambda z, y: F.binary_cross_entropy(z, _one_hot(z, y))),
    "mse": ("values", lambda z, y: F.mse_loss(z, _target(z, y))),
    "mae": ("values", lambda z, y: F.l1_loss(z, _target(z, y))),
    "huber": ("values", lambda z, y: F.smooth_l1_loss(z, _target(z, y))),
    "mse_of_classes": ("probabilities", lambda z, y: F.mse_loss(z, _one_hot(z, y))),
    "mae_of_classes": ("probabilities", lambda z, y: F.l1_loss(z, _one_hot(z, y))),
    "mse_of_sigmoids": ("logits", lambda z, y: F.mse_loss(z.sigmoid(), _one_hot(z, y))),
    "mae_of_sigmoids": ("logits", lambda z, y: F.l1_loss(z.sigmoid(), _one_hot(z, y))),
    "mse_of_softmax": ("logits", lambda z, y: F.mse_loss(z.softmax(1), _one_hot(z, y))),
    "mae_of_softmax": ("logits", lambda z, y: F.l1_loss(z.softmax(1), _one_hot(z, y))),
    "mse_of_every_pair": ("values", lambda z, y: ((z.reshape(-1, 1) - y.reshape(1, -1)) ** 2).mean()),
}
"""name -> (what it takes, how it is computed)."""


def recognise(loss: Callable[[Tensor, Tensor], Any], outputs: Tensor, y: Tensor) -> Criterion:
    """Which of `KNOWN` the loss is, tried on two made-up batches with these shapes; "unknown" if none.

    Where both take any numbers they have to agree on far ones too: a hinge and an absolute error are the same near 0.
    """
    generator = torch.Generator().manual_seed(0)
    near = [torch.rand(outputs.shape, generator=generator) * (MOST - LEAST) + LEAST for _ in range(2)]
    far = [FAR * (2 * near[0] - 1)]
    given, given_far = (_said(loss, [z.to(outputs.dtype) for z in tries], y) for tries in (near, far))
    for name, (takes, formula) in KNOWN.items():
        if _agree(given, _said(formula, near, y)) and not _disagree(given_far, _said(formula, far, y)):
            return Criterion(name, takes)
    return Criterion("unknown", "")


def _said(loss: Callable[[Tensor, Tensor], Any], tries: list[Tensor], y: Tensor) -> list[float]:
    """What the loss makes of each try; [] where it fails on one."""
    try:
        with torch.no_grad():
            return [float(loss(z, y)) for z in tries]
    except Exception:  # the loss is the user's, and may raise anything
        return []


def _agree(given: list[float], said: list[float]) -> bool:
    pairs = list(zip(said, given, strict=False))
    return bool(pairs) and all(abs(a - b) <= CLOSE * max(1e-3, abs(b)) for a, b in pairs)


def _disagree(given: list[float], said: list[float]) -> bool:
    return all(map(math.isfinite, (*given, *said))) and bool(given and said) and not _agree(given, said)
