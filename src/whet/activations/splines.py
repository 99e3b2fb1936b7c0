"""Curves that are learned point by point: straight pieces (PWLU) and cubic splines (as in KAN).

symbol    meaning                                              shape
n         equal cells between -reach and reach
u         x in units of a cell, counted from the left end      of x
i         the cell of x, 0 … n - 1                             of x
t         x within its cell, in [0, 1]                         of x
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.activations.differentiable import check_floating
from whet.activations.layout import learned, spread


def looked_up(table: Tensor, i: Tensor, x: Tensor, channels: int | None, dim: int) -> Tensor:
    """Entry i of the table, or of each channel's own: (channels * length,) and indices of x's shape -> x's shape."""
    if channels is not None:
        i = i + spread(torch.arange(channels, device=x.device) * (table.numel() // channels), x, dim)
    return table.gather(0, i.reshape(-1)).reshape(i.shape)


class PiecewiseLinear(nn.Module):
    """PWLU: straight lines through learned heights at equal distances, with a learned slope beyond each end.

    Starts as relu. The paper moves the ends to three standard deviations around the inputs' mean, measured in the first
    epochs; here they stay at -reach and reach, which is the same for inputs that a norm has standardised.
    Zhou et al. 2021, arXiv:2104.03693.
    """

    def __init__(self, cells: int = 16, reach: float = 3.0, channels: int | None = None, dim: int = 1) -> None:
        super().__init__()
        self.cells, self.reach, self.channels, self.dim = cells, reach, channels, dim
        at = torch.linspace(-reach, reach, cells + 1)
        self.heights = learned(at.relu().tolist(), channels)
        self.left_slope, self.right_slope = learned([0.0], channels), learned([1.0], channels)

    def forward(self, x: Tensor) -> Tensor:
        check_floating(x)
        step = 2 * self.reach / self.cells
        inside = x.clamp(-self.reach, self.reach)
        u = (inside + self.reach) / step
        i = u.detach().floor().clamp(0, self.cells - 1).long()
        low, high = (looked_up(self.heights, i + k, x, self.channels, self.dim) for k in (0, 1))
        beyond = x - inside
        slope = torch.where(beyond < 0, spread(self.left_slope, x, self.dim), spread(self.right_slope, x, self.dim))
        return (beyond * slope + (u - i) * (high - low) + low).to(x.dtype)

    def extra_repr(self) -> str:
        return f"cells={self.cells}, reach={self.reach}, channels={self.channels}"


class Spline(nn.Module):
    """base silu(x) + sum_k c_k B_k(x), with cubic B-splines B_k on `cells` equal cells between -reach and reach.

    Every B_k is zero outside a few cells, so that far away only the silu is left. Starts as silu: all c_k are zero (the
    paper draws them from N(0, 0.1^2), to make units differ that share their input).
    Liu et al. 2024, KAN, arXiv:2404.19756.
    """

    def __init__(self, cells: int = 8, reach: float = 3.0, channels: int | None = None, dim: int = 1) -> None:
        super().__init__()
        self.cells, self.reach, self.channels, self.dim = cells, reach, channels, dim
        self.base = learned([1.0], channels)
        self.coefficients = learned([0.0] * (cells + 3), channels)

    def forward(self, x: Tensor) -> Tensor:
        check_floating(x)
        step, cells = 2 * self.reach / self.cells, self.cells + 6  # three more on each side, where the last B_k end
        u = (x / step + cells / 2).clamp(0, cells)
        i = u.detach().floor().clamp(0, cells - 1).long()
        per_channel = self.coefficients.view(self.channels or 1, -1)
        table = F.pad(per_channel, (3, 3)).flatten()
        bumps = sum(w * looked_up(table, i + k, x, self.channels, self.dim) for k, w in enumerate(cubic(u - i)))
        return (spread(self.base, x, self.dim) * F.silu(x) + bumps).to(x.dtype)

    def extra_repr(self) -> str:
        return f"cells={self.cells}, reach={self.reach}, channels={self.channels}"


def cubic(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The four cubic B-splines that are not zero within a cell; de Boor 1978. They add up to 1."""
    s = 1 - t
    return s**3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (4 - 6 * s**2 + 3 * s**3) / 6, t**3 / 6
