"""A recurrent cell over segments of the look-back (Lin et al. 2023, SegRNN, arXiv:2308.11200, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import RecipeError
from whet.families.recurrent import CELLS, with_functions
from whet.families.series import Folded, Forecaster, Sizes, features
from whet.families.spec import InputSpec


class Segments(nn.Module):
    """(n, features, L) -> (n, width): a cell that takes a segment of `patch` steps at a time."""

    def __init__(self, cell: str, inputs: int, patch: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        if cell not in CELLS:
            raise RecipeError(f"There is no cell {cell!r}.", f"Choose one of {', '.join(CELLS)}.")
        self.patch = patch
        self.into = nn.Linear(inputs * patch, width)
        self.cell = CELLS[cell](width, width, depth, batch_first=True, dropout=dropout if depth > 1 else 0.0)

    def forward(self, x: Tensor) -> Tensor:  # (n, features, L) -> (n, width)
        segments = cut(x, self.patch)
        out, _ = self.cell(F.relu(self.into(segments)))
        last: Tensor = out[:, -1]
        return last


def cut(x: Tensor, patch: int) -> Tensor:
    """(n, features, L) -> (n, segments, features * patch); a first step repeated where the length doesn't divide."""
    short = -x.shape[-1] % patch
    x = F.pad(x, (short, 0), mode="replicate") if short else x
    n, inputs, length = x.shape
    return x.view(n, inputs, length // patch, patch).transpose(1, 2).flatten(2)


def make(
    spec: InputSpec,
    cell: str = "gru",
    width: int = 128,
    depth: int = 1,
    patch: int = 24,
    dropout: float = 0.1,
    inner: str = "tanh",
    gate: str = "sigmoid",
    mixing: bool = False,
    centre: str = "mean",
    scale: bool = True,
    calendar: bool = False,
) -> nn.Module:
    sizes = Sizes.of(spec)
    patch = min(patch, sizes.lookback)
    encoder = with_functions(Segments(cell, features(sizes, mixing), patch, width, depth, dropout), inner, gate)
    return Forecaster(Folded(encoder, width, sizes, mixing, dropout), sizes, centre, scale, calendar)
