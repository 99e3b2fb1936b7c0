"""Stochastic depth."""

from __future__ import annotations

from torch import Tensor, nn

from whet.errors import RecipeError


class StochasticDepth(nn.Module):
    """In training, zeroes a row's residual branch with probability p and divides the others by 1 - p.

    Huang et al. 2016, arXiv:1603.09382, with the scale in training rather than in evaluation. Draws from torch's
    global generator, as dropout does.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise RecipeError(f"stochastic_depth.p={p} is not in [0, 1).")
        self.p = p

    def forward(self, branch: Tensor) -> Tensor:  # (batch, …)
        if not self.training or self.p == 0:
            return branch
        keep = branch.new_empty(len(branch), *(1,) * (branch.ndim - 1)).bernoulli_(1 - self.p)
        return branch * keep.div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
