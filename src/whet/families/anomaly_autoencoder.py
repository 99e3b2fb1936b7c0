"""Autoencoders: what can't be said in a few numbers is strange.

The dense one begins as the best linear one: its straight path is set to the principal components of training rows, and
what bends starts at zero (Baldi & Hornik 1989: the two have the same minimum; He et al. 2016: a branch that starts at
zero leaves the straight path as it is).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.anomaly import Reconstructing, begin_at_zero, flat_size, layers
from whet.families.spec import InputSpec


class Dense(nn.Module):
    """x -> straight path through `code` numbers + bent path through as many."""

    def __init__(self, spec: InputSpec, width: int, depth: int, code: int) -> None:
        super().__init__()
        size = flat_size(spec)
        code = max(1, min(code, size // 2))  # wider ones let through what is strange
        self.centre = nn.Parameter(torch.zeros(size))
        self.down = nn.Parameter(torch.eye(size, code))
        self.up = nn.Parameter(torch.eye(code, size))
        self.encode = layers([size, *[width] * depth, code], spec)
        self.decode = layers([code, *[width] * depth, size], spec)
        begin_at_zero(self.decode[-1])

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Set the straight path to the principal components of these rows."""
        flat = x.flatten(1)
        self.centre.copy_(flat.mean(0))
        _, _, right = torch.linalg.svd(flat - self.centre, full_matrices=False)
        axes = right[: self.down.shape[1]]
        self.down.zero_()[:, : len(axes)] = axes.T
        self.up.zero_()[: len(axes)] = axes

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1) - self.centre
        straight = flat @ self.down @ self.up
        return (self.centre + straight + self.decode(self.encode(flat))).view_as(x)


class Convolutional(nn.Module):
    """Two strided convolutions over time, a narrow code, and the way back."""

    def __init__(self, spec: InputSpec, width: int, code: int) -> None:
        super().__init__()
        columns, _ = timed(spec, "conv_autoencoder")
        self.encode = nn.Sequential(
            nn.Conv1d(columns, width, 5, stride=2, padding=2),
            spec.norm(width),
            spec.activation(),
            nn.Conv1d(width, code, 5, stride=2, padding=2),
        )
        self.middle = nn.Sequential(nn.Conv1d(code, width, 5, padding=2), spec.norm(width), spec.activation())
        self.back = nn.Conv1d(width, columns, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:  # (B, F, W)
        steps = x.shape[-1]
        coded = nn.functional.interpolate(self.encode(x), size=(steps + 1) // 2)
        out: Tensor = self.back(nn.functional.interpolate(self.middle(coded), size=steps))
        return out


class Recurrent(nn.Module):
    """An LSTM reads the window, another one writes it again, last step first (Malhotra et al. 2016, arXiv:1607.00148)."""

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        columns, _ = timed(spec, "lstm_autoencoder")
        self.read = nn.LSTM(columns, width, batch_first=True)
        self.write = nn.LSTM(columns, width, batch_first=True)
        self.head = nn.Linear(width, columns)

    def forward(self, x: Tensor) -> Tensor:  # (B, F, W)
        steps = x.transpose(1, 2)
        _, state = self.read(steps)
        backwards = steps.flip(1)
        shifted = torch.cat([torch.zeros_like(backwards[:, :1]), backwards[:, :-1]], dim=1)
        written, _ = self.write(shifted, state)
        out: Tensor = self.head(written).flip(1).transpose(1, 2)
        return out


def timed(spec: InputSpec, name: str) -> tuple[int, int]:
    """(columns, steps). Raises RecipeError for rows without an order."""
    if len(spec.shape) != 2:
        raise RecipeError(f"{name} needs rows that follow each other.", "Name the column of time stamps with --time.")
    return spec.shape[0], spec.shape[1]


class Started(Reconstructing):
    """A dense autoencoder that looks at rows before it trains."""

    def calibrate(self, x: Tensor) -> None:
        self.network.calibrate(x)  # type: ignore[operator]


def make(spec: InputSpec, width: int = 64, depth: int = 1, code: int = 8) -> nn.Module:
    return Started(Dense(spec, width, depth, code))


def conv(spec: InputSpec, width: int = 32, code: int = 4) -> nn.Module:
    return Reconstructing(Convolutional(spec, width, code))


def lstm(spec: InputSpec, width: int = 32) -> nn.Module:
    return Reconstructing(Recurrent(spec, width))
