"""The end of a language model: logits of the next token in training, log-probabilities of the text itself in evaluation.

steps (B, T, D) --> logits (B, T - 1, V) of tokens 1 … T - 1         training
                --> log p (B, T - 1) of the tokens that came         evaluation; NaN behind the text's end
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn

from whet.families.text_common import written

if TYPE_CHECKING:
    from whet.families import InputSpec


class Next(nn.Module):
    """What the step at each token says of the token after it."""

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, spec.more["vocabulary"])

    def forward(self, steps: Tensor, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(steps[:, :-1])
        if self.training:
            return logits
        came = tokens[:, 1:, None].long()
        log_p = logits.float().log_softmax(2).gather(2, came)[..., 0]
        return log_p.masked_fill(~written(tokens[:, 1:]), math.nan)
