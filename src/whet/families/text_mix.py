"""N-grams and convolutions side by side, trained as one network: what one kind misses, the other often has.

    places, weights --linear bag---------> (B, C) --+
                    --bag with a bend----> (B, C) --+--> (B, M, C) in training, the mean probability in evaluation
    words -----------convolutions--> (B, m, C) -----+

Wang & Manning (2012, "Baselines and Bigrams") found bags of n-grams hard to beat on short and on long texts; a convolution
(Kim 2014) knows words that mean the same. They err on different texts, so their mean is better than either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.tabular import combine
from whet.families.text_bag import Bag, check_ratio
from whet.families.text_cnn import TextCnn
from whet.families.text_common import check_sizes

if TYPE_CHECKING:
    from whet.families import InputSpec


class TextMix(nn.Module):
    """(words (B, T, F), places (B, L), weights (B, L)) -> (B, M, outputs); in evaluation (B, outputs)."""

    def __init__(self, spec: InputSpec, bags: nn.ModuleList, cnn: TextCnn | None, linear: float) -> None:
        super().__init__()
        self.classify, self.bags, self.cnn, self.linear = spec.goal == "classify", bags, cnn, linear

    def forward(self, words: Tensor, places: Tensor, weights: Tensor) -> Tensor:
        said = [bag(places, weights)[:, None] for bag in self.bags]
        if self.cnn is not None:
            said.append(self.cnn.each(words))
        out = torch.cat(said, 1)
        return out if self.training else combine(out, self.classify, self.shares(out.shape[1]))

    @property
    def counts_classes(self) -> bool:
        """See `Bag.counts_classes`: the linear bag's."""
        return bool(self.bags[0].counts_classes)

    def count_classes(self, target: Tensor, words: Tensor, places: Tensor, weights: Tensor) -> None:
        self.bags[0].count_classes(target, places, weights)  # type: ignore[operator]

    calibration_rows = 1

    def calibrate(self, *inputs: Tensor) -> None:
        """Before training; see `Tokens.calibrate`."""
        if self.cnn is not None:
            self.cnn.calibrate()

    def shares(self, members: int) -> list[float]:
        """How much each member counts: the linear bag, which is the first one, and the others alike."""
        others = members - 1
        return [self.linear, *[(1 - self.linear) / others] * others] if others else [1.0]


def make(
    spec: InputSpec,
    hidden: int = 64,
    bags: int = 1,
    width: int = 64,
    filters: int = 64,
    sizes: tuple[int, ...] = (1, 2, 3),
    members: int = 2,
    dropout: float = 0.5,
    linear: float = 0.5,
    ratio: bool = False,
) -> nn.Module:
    """A linear bag, `bags` with `hidden` units, and `members` convolutional networks as text_cnn has them; 0: none.

    `linear`: the share of the linear bag in what all say together. `ratio`: see text_bag.
    """
    check_sizes("text_mix", hidden=hidden, bags=1 + bags, members=1 + members, dropout=dropout)
    check_ratio("text_mix", ratio, spec)
    if not 0 < linear < 1:
        raise RecipeError(f"text_mix.linear={linear} is no share.", "Use a number between 0 and 1.")
    made = nn.ModuleList([Bag(spec, 0, dropout, ratio), *(Bag(spec, hidden, dropout) for _ in range(bags))])
    cnn = TextCnn(spec, width, filters, tuple(sizes), members, dropout) if members else None
    return TextMix(spec, made, cnn, linear)
