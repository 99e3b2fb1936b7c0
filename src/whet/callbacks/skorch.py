"""The doctor as a callback of skorch's nets."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback

from whet.callbacks.beside import Beside, Say
from whet.doctor import Diagnosis


class SkorchDoctor(Callback):
    """`NeuralNetClassifier(..., callbacks=[SkorchDoctor()])`."""

    def __init__(self, say: Say | None = print) -> None:
        self.say = say

    def initialize(self) -> SkorchDoctor:
        self._beside = Beside(self.say)
        return self

    @property
    def diagnosis(self) -> Diagnosis:
        """What the steps so far say."""
        return self._beside.diagnosis

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:
        self._beside.begin(net.module_, net.optimizer_, net.criterion_)

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, loss: Any = None, **_: Any) -> None:
        if training:
            self._beside.step(loss)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:
        self._beside.end()
