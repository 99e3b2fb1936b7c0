"""Weight standardisation: a norm of the weights instead of the activations, to go with group normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize


class Standardised(nn.Module):
    """(w - m) / sqrt(v + eps), with m and v over the inputs of each output. Qiao et al. 2019, arXiv:1903.10520."""

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, weight: Tensor) -> Tensor:
        """The weight that the layer computes with; the parameter itself stays as it was drawn."""
        rest = tuple(range(1, weight.ndim))
        variance, mean = torch.var_mean(weight, rest, correction=0, keepdim=True)
        return (weight - mean) * torch.rsqrt(variance + self.eps)


def standardise_weights(model: nn.Module) -> tuple[str, ...]:
    """Let every convolution compute with standardised weights, in place; the paths of those that now do.

    Meant for layers that a norm follows, since outputs get the length sqrt(fan in). Depthwise kernels of one tap would
    become 0 and are left alone, as is what already has it. `torch.nn.utils.parametrize.remove_parametrizations` ends it.
    """
    changed = []
    for path, module in model.named_modules():
        if isinstance(module, _ConvNd) and module.weight[0].numel() > 1 and not parametrize.is_parametrized(module):
            parametrize.register_parametrization(module, "weight", Standardised())
            changed.append(path)
    return tuple(changed)
