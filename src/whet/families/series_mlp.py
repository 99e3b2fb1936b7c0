"""Several perceptrons in one, each beside a linear map, for every channel alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from whet.families.series import Forecaster, Sizes
from whet.families.spec import InputSpec
from whet.init.packed import Packed


class Dense(nn.Module):
    """(B, C, L) -> (B, M, C, H): M members, each a straight map and a hidden layer beside it.

    The weights of the members lie in one tensor: a matrix product each for all of them. Members start apart by their
    hidden layers; the hidden part starts at nothing (after Das et al. 2023, TiDE, arXiv:2304.08424, section 4).
    """

    def __init__(
        self, sizes: Sizes, width: int, members: int, dropout: float, activation: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        back, ahead = sizes.lookback, sizes.ahead
        self.straight = nn.Parameter(torch.full((members, back, ahead), 1 / back))
        self.into = Packed(members, back, width)
        nn.init.normal_(self.into.weight, std=back**-0.5)
        nn.init.zeros_(self.into.bias)
        self.out = nn.Parameter(torch.zeros(members, width, ahead))
        self.activation, self.drop = activation(), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, back = x.shape
        flat = x.reshape(1, batch * channels, back).expand(len(self.straight), -1, -1)
        hidden = self.drop(self.activation(self.into(flat)))
        said = torch.baddbmm(flat @ self.straight, hidden, self.out)
        return said.view(len(said), batch, channels, -1).transpose(0, 1)


def make(
    spec: InputSpec,
    width: int = 128,
    members: int = 4,
    dropout: float = 0.3,
    centre: str = "mean",
    scale: bool = True,
    calendar: bool = False,
) -> nn.Module:
    sizes = Sizes.of(spec)
    return Forecaster(Dense(sizes, width, members, dropout, spec.activation), sizes, centre, scale, calendar)
