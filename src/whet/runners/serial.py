"""Trials one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from whet.runners.trial import Trial
from whet.search.race import Score
from whet.train.horizon import Horizon


class Serial:
    """Keeps its trials alive between advances."""

    def __init__(self, open_one: Callable[[str], Trial]) -> None:
        self._open = open_one
        self._trials: dict[str, Trial] = {}

    def trial(self, name: str) -> Trial:
        """The live trial of this name, opened at its checkpoint if it has one."""
        if name not in self._trials:
            self._trials[name] = self._open(name)
        return self._trials[name]

    def advance(self, names: Sequence[str], seconds: float) -> dict[str, Score]:
        """Give each of these trials so many seconds.

        Their schedules end with the slice: candidates are compared at rest, whatever their learning rates.
        """
        return {name: self._advance(self.trial(name), seconds) for name in names}

    def _advance(self, trial: Trial, seconds: float) -> Score:
        return trial.advance(Horizon(trial.recipe.steps, trial.training.seconds + seconds), seconds)

    def drop(self, keep: str) -> None:
        """Let go of every live trial but one: their checkpoints stay."""
        self._trials = {name: trial for name, trial in self._trials.items() if name == keep}
