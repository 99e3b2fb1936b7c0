"""Optimisers that torch or a well-kept library has. `fused` is passed on where there is such a kernel."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from whet.errors import RecipeError
from whet.optim.eager import eager

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


def gd(params: Params, *, lr: float, weight_decay: float, fused: bool | None = None) -> Optimizer:
    """w <- w - lr (g + weight_decay w)."""
    return eager(torch.optim.SGD)(params, lr=lr, weight_decay=weight_decay, fused=fused)


def sgd(
    params: Params, *, lr: float, momentum: float, nesterov: bool, weight_decay: float, fused: bool | None = None
) -> Optimizer:
    """v <- momentum v + g; w <- w - lr v, or with Nesterov w - lr (g + momentum v)."""
    # torch refuses Nesterov without momentum; the two are the same thing then.
    ahead = nesterov and momentum > 0
    return eager(torch.optim.SGD)(
        params, lr=lr, momentum=momentum, nesterov=ahead, weight_decay=weight_decay, fused=fused
    )


def adam(
    params: Params,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    fused: bool | None = None,
) -> Optimizer:
    return eager(torch.optim.Adam)(params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, fused=fused)


def adamw(
    params: Params,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    fused: bool | None = None,
) -> Optimizer:
    return eager(torch.optim.AdamW)(
        params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, fused=fused
    )


def nadam(
    params: Params,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    fused: bool | None = None,
) -> Optimizer:
    return eager(torch.optim.NAdam)(
        params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, decoupled_weight_decay=True
    )


def adagrad(params: Params, *, lr: float, eps: float, weight_decay: float, fused: bool | None = None) -> Optimizer:
    return eager(torch.optim.Adagrad)(params, lr=lr, eps=eps, weight_decay=weight_decay, fused=fused)


def rmsprop(
    params: Params,
    *,
    lr: float,
    alpha: float,
    momentum: float,
    eps: float,
    weight_decay: float,
    fused: bool | None = None,
) -> Optimizer:
    return eager(torch.optim.RMSprop)(params, lr=lr, alpha=alpha, momentum=momentum, eps=eps, weight_decay=weight_decay)


def schedule_free(
    params: Params,
    *,
    lr: float,
    base: str,
    momentum: float,
    beta2: float,
    weight_decay: float,
    fused: bool | None = None,
) -> Optimizer:
    """Comes in training mode; evaluate inside `evaluation_mode`. Warm up with the schedule's `warmup`."""
    import schedulefree

    optimizer: Any
    if base == "adamw":
        optimizer = schedulefree.AdamWScheduleFree(params, lr=lr, betas=(momentum, beta2), weight_decay=weight_decay)
    elif base == "sgd":
        optimizer = schedulefree.SGDScheduleFree(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
    else:
        raise RecipeError(f"schedule_free has no base {base!r}.", "Use 'adamw' or 'sgd'.")
    optimizer.train()
    return optimizer


def prodigy(
    params: Params,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    d_coef: float,
    fused: bool | None = None,
) -> Optimizer:
    """One learning rate for all: an `lr_factor` is set back to 1, with a warning."""
    import prodigyopt

    items: list[Any] = list(params)
    groups = [item for item in items if isinstance(item, dict)]
    if any(group.get("lr_factor", 1.0) != 1.0 for group in groups):
        warnings.warn("Prodigy has one learning rate for all layers: lr_factor is ignored.", stacklevel=2)
        items = [{**group, "lr_factor": 1.0} for group in groups]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that its weight decay is decoupled
        optimizer: Optimizer = prodigyopt.Prodigy(
            items, lr=lr, betas=(beta1, beta2), weight_decay=weight_decay, d_coef=d_coef
        )
    return optimizer
