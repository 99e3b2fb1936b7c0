"""Trials one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from whet.runners.trial import Trial
from whet.search.race import Score
from whet.train.horizon import Horizon


class Serial:
    """Keeps its trials alive between advances. `horizon(spent)` says where a trial that spent so much would end."""

    def __init__(self, open_one: Callable[[str], Trial], horizon: Callable[[float], Horizon]) -> None:
        self._open, self._horizon = open_one, horizon
        self._trials: dict[str, Trial] = {}

    def trial(self, name: str) -> Trial:
        """The live trial of this name, opened at its checkpoint if it has one."""
        if name not in self._trials:
            self._trials[name] = self._open(name)
        return self._trials[name]

    def advance(self, names: Sequence[str], seconds: float) -> dict[str, Score]:
        """Give each of these trials so many seconds."""
        scores = {}
        for name in names:
            trial = self.trial(name)
            scores[name] = trial.advance(self._horizon(trial.training.seconds), seconds)
        return scores

    def drop(self, keep: str) -> None:
        """Let go of every live trial but one: their checkpoints stay."""
        self._trials = {name: trial for name, trial in self._trials.items() if name == keep}
