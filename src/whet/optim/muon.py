"""Muon: momentum, made orthogonal.

    G   a matrix's gradient                                  (rows, cols); a filter (out, in, kh, kw) is (out, in kh kw)
    M   momentum, M <- beta M + (1 - beta) G                 as G
    U   beta M + (1 - beta) G with Nesterov, else M          as G
    O   U with all its singular values brought near 1        as G

    W <- (1 - lr weight_decay) W - lr sqrt(max(1, rows / cols)) O

With `sphere`, W is first brought to the Frobenius norm sqrt(rows): the rows are unit vectors on average, and the
learning rate alone says how far they turn. Right where a norm follows, which undoes any scale.

Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; the scale is that of its reference code, with which a
learning rate carries over between widths (Bernstein 2025). It is no match of AdamW's step length: lr is near 0.02.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from whet.errors import RecipeError
from whet.optim.eager import Eager, eager
from whet.optim.lion import momentum_buffers

A, B, C = 3.4445, -4.7750, 2.0315
"""The quintic's coefficients: steepest at 0 among those that keep [0, 1] within about [0.7, 1.2] (Jordan et al.)."""
STEPS = 5
LARGE = 2**18
"""Numbers of a matrix from which on a CPU takes it alone: five of 256 x 2304 took 33 ms so, 43 ms as a batch (2 threads)."""


class Muon(Eager):
    """Muon for the groups with `matrix=True`, another optimiser for the rest: one object, one state.

    A list of plain parameters is split by dimension; `parameter_groups(model, by_matrix=True)` knows better, because
    it sees which weights are the first and the last. `stacked=True`: the first dimension counts matrices.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        sphere: bool = False,
        rest: type[Optimizer] = AdamW,
        rest_settings: dict[str, Any] | None = None,
    ) -> None:
        groups = _split(params)
        mine = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        mine |= {"stacked": False, "sphere": sphere}
        settings = {"lr": lr, "weight_decay": weight_decay, **(rest_settings or {})}
        others = [g for g in groups if not g["matrix"]]
        self._rest = eager(rest)(others, **settings) if others else None  # type: ignore[arg-type]
        for group in groups:
            if group["matrix"]:
                for key, value in mine.items():
                    group.setdefault(key, value)
        super().__init__(groups, {})

    @classmethod
    def make(
        cls,
        params: Any,
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
        sphere: bool,
        rest: str,
        rest_lr: float,
        rest_momentum: float,
        fused: bool | None = None,
    ) -> Optimizer:
        """The catalogue's form; `rest` is "adamw", or "sgd" with Nesterov momentum `rest_momentum`."""
        if rest not in ("adamw", "sgd"):
            raise RecipeError(f"muon can't leave the rest to {rest!r}.", "Use 'adamw' or 'sgd'.")
        settings: dict[str, Any] = {"lr": rest_lr, "fused": fused}
        if rest == "sgd":
            settings |= {"momentum": rest_momentum, "nesterov": True}
        return cls(params, lr, momentum, nesterov, weight_decay, sphere, AdamW if rest == "adamw" else SGD, settings)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            if group["matrix"]:
                self._step_matrices(group)
        if self._rest is not None:
            # Loading a state replaces both; the rest's optimiser works on ours.
            self._rest.param_groups = [g for g in self.param_groups if not g["matrix"]]
            self._rest.state = self.state
            self._rest.step()
        return loss

    def _step_matrices(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        grads = [cast(Tensor, p.grad) for p in params]
        momenta = momentum_buffers(self, params)
        torch._foreach_lerp_(momenta, grads, 1 - group["momentum"])
        updates = list(torch._foreach_lerp(grads, momenta, group["momentum"])) if group["nesterov"] else momenta
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        if group["sphere"]:
            _to_sphere(params, group["stacked"])
        for same in _by_shape(params, updates):
            _move(*same, lr=group["lr"], stacked=group["stacked"])


def _to_sphere(params: list[Tensor], stacked: bool) -> None:
    """Bring each matrix to the Frobenius norm sqrt(rows). A matrix of zeros stays one."""
    for p in params if stacked else [_as_in_memory(p, of=p) for p in params]:
        matrices = p if stacked else p.unsqueeze(0)  # (matrices, rows, …)
        norms = matrices.flatten(1).norm(dim=1).clamp_min(1e-12)
        matrices.mul_((matrices.shape[1] ** 0.5 / norms).view(-1, *[1] * (matrices.ndim - 1)))


def _move(params: list[Tensor], updates: list[Tensor], *, lr: float, stacked: bool) -> None:
    """Take the orthogonal step of parameters that all have one shape, as one batch of matrices."""
    if not stacked:
        updates = [_as_in_memory(u, of=p) for p, u in zip(params, updates, strict=True)]
        params = [_as_in_memory(p, of=p) for p in params]
    shape = params[0].shape
    count, rows = (shape[0], shape[1]) if stacked else (1, shape[0])
    flat = [u.reshape(count, rows, -1) for u in updates]
    straight = newton_schulz(torch.cat(flat) if len(flat) > 1 else flat[0])
    scale = max(1.0, rows / straight.shape[2]) ** 0.5
    moves = [o.reshape(shape) for o in straight.to(params[0].dtype).split(count)]
    torch._foreach_add_(params, moves, alpha=-lr * scale)


def _as_in_memory(x: Tensor, of: Tensor) -> Tensor:
    """A view (out, kh, kw, in) where `of` is a filter in the channels-last layout; else x. Flat, it is no copy then.

    In which order a matrix has its columns changes no singular value, and its directions are as they were.
    """
    return x.permute(0, 2, 3, 1) if _is_channels_last(of) else x


def _is_channels_last(x: Tensor) -> bool:
    return x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)


def newton_schulz(matrices: Tensor) -> Tensor:
    """Each matrix (N, rows, cols) with its singular values brought to about [0.7, 1.2], its directions kept.

    Five times X <- a X + b X X^T X + c X X^T X X^T X. A zero matrix stays zero. Returns float32 or bfloat16.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return newton_schulz(matrices.mT).mT
    rows, cols = matrices.shape[1:]
    low = rows >= 128 and _bfloat16_is_fast(matrices.device.type)
    # Where the small square is cheap beside the wide matrix, iterate on it alone, in float32: twice rows^2 cols
    # multiply-adds instead of ten times, the last of them in bfloat16 where that is fast. The border follows from the
    # counts; measured on one Zen 4 core, 256 x 2304 took 13 ms all in float32, 20 ms plainly in bfloat16, 36 ms in float32.
    small = matrices.device.type == "cpu" and cols >= rows * (6 if low else 2)
    x = matrices.to(torch.bfloat16 if low and not small else torch.float32)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    return _by_gram(x, low) if small else _plain(x)


def _plain(x: Tensor) -> Tensor:
    for _ in range(STEPS):
        gram = x @ x.mT  # (N, rows, rows)
        factor = torch.baddbmm(gram, gram, gram, beta=B, alpha=C)
        x = torch.baddbmm(x, factor, x, beta=A)
    return x


def _by_gram(x: Tensor, low: bool) -> Tensor:
    """The same from X X^T: every X_k is Q_k X with a polynomial Q_k of it, and all of those commute."""
    gram = x @ x.mT
    product: Tensor | None = None
    for k in range(STEPS):
        factor = torch.baddbmm(gram, gram, gram, beta=B, alpha=C)
        factor.diagonal(dim1=1, dim2=2).add_(A)
        product = factor if product is None else factor @ product
        if k < STEPS - 1:
            gram = factor @ gram @ factor
    # Rounded here, it is about as far from the exact iteration as one that is rounded throughout: 0.03 of the whole for
    # singular values like 1/k, 0.19 for 1/k^2 (plainly in bfloat16 0.03 and 0.22). A rounded square blows up small ones.
    kind = torch.bfloat16 if low else torch.float32
    return cast(Tensor, product).to(kind) @ x.to(kind)


@cache
def _bfloat16_is_fast(device: str) -> bool:
    """Whether matrix products in bfloat16 have hardware of their own."""
    if device == "cpu":
        checks = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
        return any(check() for check in checks if check is not None)
    return device == "cuda" and torch.cuda.is_bf16_supported()


def _split(params: Iterable[Tensor] | Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups that all say whether they hold matrices, and none of them empty."""
    items: list[Any] = list(params)
    groups = [dict(g) for g in items] if items and isinstance(items[0], dict) else [{"params": items}]
    split: list[dict[str, Any]] = []
    for group in groups:
        if "matrix" in group:
            split.append(group)
            continue
        inside: list[Tensor] = list(group["params"])
        for matrix in (True, False):
            chosen = [p for p in inside if (p.ndim >= 2) == matrix]
            if chosen:
                split.append({**group, "params": chosen, "matrix": matrix})
    return split


def _by_shape(params: list[Tensor], updates: list[Tensor]) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
    """Parameters and updates of one shape and layout, which go through the iteration together.

    On a CPU large ones go alone, and stay in its cache.
    """
    found: dict[tuple[torch.Size, bool, int], tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
    for i, (p, u) in enumerate(zip(params, updates, strict=True)):
        alone = p.device.type == "cpu" and p.numel() >= LARGE
        together = found[p.shape, _is_channels_last(p), i if alone else -1]
        together[0].append(p)
        together[1].append(u)
    return found.values()
