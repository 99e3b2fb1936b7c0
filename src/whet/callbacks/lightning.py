"""The doctor as a callback of Lightning's Trainer."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback

from whet.callbacks.beside import Beside, Say
from whet.doctor import Diagnosis


class LightningDoctor(Callback):
    """`Trainer(callbacks=[LightningDoctor()])`. Of several optimisers the first one is watched."""

    def __init__(self, say: Say | None = print) -> None:
        self._beside = Beside(say)

    @property
    def diagnosis(self) -> Diagnosis:
        """What the steps so far say."""
        return self._beside.diagnosis

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._beside.begin(pl_module, trainer.optimizers[0])

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._beside.step(outputs.get("loss") if isinstance(outputs, dict) else outputs)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._beside.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._beside.leave()
