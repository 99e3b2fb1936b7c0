"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from whet.optim.eager import Eager


class Lion(Eager):
    """Chen et al. 2023, arXiv:2302.06675, algorithm 2.

    w <- w - lr (sign(beta1 m + (1 - beta1) g) + weight_decay w)
    m <- beta2 m + (1 - beta2) g
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @classmethod
    def make(
        cls, params: Any, *, lr: float, beta1: float, beta2: float, weight_decay: float, fused: bool | None = None
    ) -> Optimizer:
        """The catalogue's form. There is no fused kernel; the lists of tensors go through torch's foreach ones."""
        return cls(params, lr, (beta1, beta2), weight_decay)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self._step(group, params, [cast(Tensor, p.grad) for p in params])
        return loss

    def _step(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        momenta = momentum_buffers(self, params)
        signs = torch._foreach_lerp(momenta, grads, 1 - beta1)
        torch._foreach_sign_(signs)
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(params, signs, alpha=-group["lr"])
        torch._foreach_lerp_(momenta, grads, 1 - beta2)


def momentum_buffers(optimizer: Optimizer, params: list[Tensor]) -> list[Tensor]:
    """The state's `momentum_buffer` of each parameter, zero when it is new."""
    for p in params:
        state = optimizer.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p)
    return [optimizer.state[p]["momentum_buffer"] for p in params]
