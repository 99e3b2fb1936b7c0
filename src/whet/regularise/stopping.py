"""Early stopping."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from whet.errors import RecipeError


@dataclass
class EarlyStop:
    """Says stop when the score has not improved for `patience`, a share of the training's progress."""

    patience: float
    best: float = math.inf
    since: float = 0.0
    """The progress at which the best score was seen."""

    def __post_init__(self) -> None:
        if not 0 < self.patience <= 1:
            raise RecipeError(f"early_stop.patience={self.patience} is not a share of the training, in (0, 1].")

    def observe(self, score: float, progress: float) -> bool:
        """Note a validation score, lower being better; True: stop. NaN counts as no improvement."""
        if score < self.best:
            self.best, self.since = score, progress
        return progress - self.since >= self.patience - 1e-9  # 0.3 - 0.1 is below 0.2 in floats

    def state_dict(self) -> dict[str, float]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.best, self.since = float(state["best"]), float(state["since"])
