"""What the faces share: one watch at a time, its verdict, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from whet.doctor import Diagnosis, Watching, watch
from whet.errors import UserError

Say = Callable[[str], object]


class Beside:
    """A watch that lasts for one training."""

    def __init__(self, say: Say | None) -> None:
        self.say = say
        self._watching: Watching | None = None

    def begin(self, model: Any, optimizer: Any, loss: Any = None) -> None:
        self.leave()
        self._watching = watch(model, optimizer, loss)
        self._watching.begin()

    def step(self, loss: Any) -> None:
        if self._watching is not None and loss is not None:
            self._watching.step(loss)

    def leave(self) -> None:
        """Take every hook off."""
        if self._watching is not None:
            self._watching.end()

    def end(self) -> None:
        """The training is over: who wants to know is told of a sick one."""
        self.leave()
        if self.say is not None and self._watching is not None and self._watching.steps:
            told(self.diagnosis, self.say)

    @property
    def diagnosis(self) -> Diagnosis:
        """Raises UserError before the first training."""
        if self._watching is None:
            raise UserError("No training was watched yet.", "Train first.")
        return self._watching.diagnosis


def told(diagnosis: Diagnosis, say: Say) -> None:
    if not diagnosis.healthy:
        say(str(diagnosis))
