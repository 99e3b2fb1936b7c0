"""The network of every tutorial: conv 32 - pool - conv 64 - pool - dense 64 - classes.

Convolutions keep the size (padding 1), so that it also works on 8x8 images. Like the tutorials it has no
normalisation; the recipe's `norm` is used after each convolution where it is another one than "none".
"""

from __future__ import annotations

from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.spec import InputSpec


class Textbook(nn.Module):
    """`depth` times (conv 3x3, activation, 2x2 max-pool) with `width`, 2 `width`, … filters, then a dense layer."""

    def __init__(self, spec: InputSpec, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        channels, height, across = spec.shape
        if spec.size < 2**depth:
            raise RecipeError(
                f"textbook with depth={depth} halves an image {depth} times; {height}x{across} pixels are too few.",
                f"Use depth={max(1, spec.size.bit_length() - 1)} or less.",
            )
        filters = [width * 2**i for i in range(depth)]
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, padding=1), spec.norm(b), spec.activation(), nn.MaxPool2d(2))
                for a, b in zip([channels, *filters], filters, strict=False)
            )
        )
        flat = filters[-1] * (height >> depth) * (across >> depth)
        self.dense = nn.Sequential(nn.Linear(flat, 2 * width), spec.activation(), nn.Dropout(dropout))
        self.head = nn.Linear(2 * width, spec.outputs)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W)
        out: Tensor = self.head(self.dense(self.blocks(x).flatten(1)))
        return out  # (B, outputs)


def make(spec: InputSpec, width: int = 32, depth: int = 2, dropout: float = 0.0) -> nn.Module:
    return Textbook(spec, width, depth, dropout)
