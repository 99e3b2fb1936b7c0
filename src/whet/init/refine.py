"""Layer by layer on one batch: each layer's output to mean 0 and the wanted length, while the batch runs through.

Layer-sequential unit-variance initialisation (Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1) without its
iterations: the output is linear in the weight, so that one division is exact. The means go into the biases
(Krähenbühl et al. 2016, arXiv:1511.06856, section 3.1).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from whet.init.isometry import Layer

LEAST_EXAMPLES = 16
"""Fewer say too little of a unit's mean: it stays where it is."""


@dataclass(frozen=True)
class Measured:
    """What a layer gave before it was corrected."""

    deviation: float
    mean: float
    """Root mean square of the units' means."""


@torch.no_grad()
def refine(targets: dict[nn.Module, float], run: Callable[[], object], *, centred: bool) -> dict[nn.Module, Measured]:
    """Bring the layers' outputs to the target deviations on what `run` computes; each layer once, at its first call.

    `centred` brings the units' means to 0 too, where the layer has a bias.

    A layer whose weight is frozen, or whose output is constant or not finite, stays as it is.
    """
    measured: dict[nn.Module, Measured] = {}

    def correct(module: Layer, args: object, output: Tensor) -> Tensor | None:
        if module in measured or not _may_change(module.weight) or not _may_change(module.bias):
            return None
        dims = [d for d in range(output.ndim) if d != _unit_dim(module, output)]
        mean = output.mean(dims, keepdim=True)
        if not centred or module.bias is None:
            mean = torch.zeros_like(mean)
        deviation = (output - mean).square().mean().sqrt()
        if not (deviation > 0 and deviation.isfinite()):
            return None
        measured[module] = Measured(deviation.item(), mean.square().mean().sqrt().item())
        factor = targets[module] / deviation
        module.weight.mul_(factor)
        if module.bias is not None:
            module.bias.sub_(mean.flatten()).mul_(factor)
        return (output - mean) * factor

    hooks = [m.register_forward_hook(correct) for m in targets if isinstance(m, Layer)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return measured


def _unit_dim(module: Layer, output: Tensor) -> int:
    return output.ndim - 1 - (len(module.kernel_size) if isinstance(module, _ConvNd) else 0)


def _may_change(param: Tensor | None) -> bool:
    return param is None or (param.requires_grad and not getattr(param, "keep_init", False))


@contextlib.contextmanager
def norms_awake(model: nn.Module) -> Iterator[None]:
    """Norms use the batch, as they will in training; their running averages are put back."""
    kept = {name: b.clone() for name, b in model.named_buffers()}
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
    for norm in norms:
        norm.train()
    try:
        yield
    finally:
        for norm in norms:
            norm.eval()
        for name, buffer in model.named_buffers():
            buffer.copy_(kept[name])
