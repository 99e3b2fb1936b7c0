"""Activations for the end of a network: scores become probabilities, some of them exactly zero.

    symbol    meaning                                          shape
    z         scores                                           (…, classes)
    p         probabilities: not negative, their sum is 1      of z
    k         how many of them are not zero                    (…, 1)
    tau       the threshold below which p is zero              (…, 1)

The threshold of sparsemax and entmax is a formula of the scores above it, once it is known which ones these are. They are
found without gradients; then autograd through the formula gives the derivatives of the papers, of any order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.activations.entry import Activation


class _AlongDim(nn.Module):
    """Works in float32 at least, with the largest score moved to 0, along one dimension."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() == 0:
            return x
        if x.ndim == 0:  # torch counts it as one dimension
            return self(x.unsqueeze(0)).squeeze(0)
        z = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        return self.probabilities(z - z.detach().amax(self.dim, keepdim=True)).to(x.dtype)

    def probabilities(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def counts(self, z: Tensor) -> Tensor:
        """1, 2, … along the dimension."""
        shape = [1] * z.ndim
        shape[self.dim] = -1
        return torch.arange(1, z.shape[self.dim] + 1, device=z.device, dtype=z.dtype).view(shape)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Sparsemax(_AlongDim):
    """The point of the probability simplex nearest to z: p = max(z - tau, 0). Martins & Astudillo 2016, algorithm 1."""

    def probabilities(self, z: Tensor) -> Tensor:
        inside = self.support(z.detach())
        k = inside.sum(self.dim, keepdim=True)
        tau = (z.where(inside, 0).sum(self.dim, keepdim=True) - 1) / k
        return (z - tau).where(inside, 0)

    def support(self, z: Tensor) -> Tensor:
        """Which probabilities are not zero."""
        ordered = z.sort(self.dim, descending=True).values
        total, count = ordered.cumsum(self.dim), self.counts(z)
        k = (1 + count * ordered > total).sum(self.dim, keepdim=True)
        tau = (total.gather(self.dim, k - 1) - 1) / k
        return z > tau


class Entmax15(_AlongDim):
    """Between softmax and sparsemax: p = max(z / 2 - tau, 0)^2. Peters, Niculae & Martins 2019, algorithm 2."""

    def probabilities(self, z: Tensor) -> Tensor:
        z = z / 2
        inside = self.support(z.detach())
        k = inside.sum(self.dim, keepdim=True)
        mean = z.where(inside, 0).sum(self.dim, keepdim=True) / k
        spread = (z - mean).where(inside, 0).square().sum(self.dim, keepdim=True)
        tau = mean - ((1 - spread) / k).sqrt()
        return (z - tau).where(inside, 0).square()

    def support(self, z: Tensor) -> Tensor:
        """Which probabilities are not zero."""
        ordered, count = z.sort(self.dim, descending=True).values, self.counts(z)
        mean = ordered.cumsum(self.dim) / count
        spread = ordered.square().cumsum(self.dim) - count * mean.square()
        tau = mean - ((1 - spread).clamp(min=0) / count).sqrt()
        k = (tau <= ordered).sum(self.dim, keepdim=True)
        return z > tau.gather(self.dim, k - 1)


ENTRIES = [
    Activation(
        "softmax",
        lambda dim=-1: nn.Softmax(dim),
        "exp(x_i) / sum_j exp(x_j): probabilities, none of them zero.",
        kind="output",
        year=1990,
        wants_dim=True,
        elementwise=False,
        paper="Bridle 1990, Training Stochastic Model Recognition Algorithms as Networks, NIPS 2",
        cost="one exponential, two sums",
        hurts_when="the loss takes scores: cross-entropy has it built in",
    ),
    Activation(
        "log_softmax",
        lambda dim=-1: nn.LogSoftmax(dim),
        "The logarithm of softmax, exact where softmax itself would round to zero.",
        kind="output",
        year=1990,
        wants_dim=True,
        elementwise=False,
        paper="Bridle 1990, Training Stochastic Model Recognition Algorithms as Networks, NIPS 2",
        cost="an exponential and a logarithm",
        hurts_when="the loss takes scores: cross-entropy has it built in",
    ),
    Activation(
        "sparsemax",
        Sparsemax,
        "The nearest point of the probability simplex: weak classes get exactly zero.",
        kind="output",
        year=2016,
        wants_dim=True,
        elementwise=False,
        paper="Martins & Astudillo 2016, From Softmax to Sparsemax, arXiv:1602.02068, algorithm 1",
        cost="a sort",
        hurts_when="the loss takes the logarithm: that of zero is infinite; or there are many thousand classes",
    ),
    Activation(
        "entmax15",
        Entmax15,
        "Half-way between softmax and sparsemax: some zeros, and smooth.",
        kind="output",
        year=2019,
        wants_dim=True,
        elementwise=False,
        paper="Peters, Niculae & Martins 2019, Sparse Sequence-to-Sequence Models, arXiv:1905.05702, algorithm 2",
        cost="a sort",
        hurts_when="the loss takes the logarithm: that of zero is infinite; or there are many thousand classes",
        aliases=("entmax",),
    ),
]
