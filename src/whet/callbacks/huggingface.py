"""The doctor as a callback of Hugging Face's Trainer."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import TrainerCallback

from whet.callbacks.beside import Beside, Say
from whet.doctor import Diagnosis


class HuggingFaceDoctor(TrainerCallback):
    """`Trainer(..., callbacks=[HuggingFaceDoctor()])`. The loss is read from what the model returns."""

    def __init__(self, say: Say | None = print) -> None:
        self._beside = Beside(say)
        self._loss: Tensor | None = None
        self._handle: Any = None

    @property
    def diagnosis(self) -> Diagnosis:
        """What the steps so far say."""
        return self._beside.diagnosis

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        self._handle = model.register_forward_hook(self._read)
        self._beside.begin(model, getattr(optimizer, "optimizer", optimizer))  # accelerate wraps it

    def _read(self, model: Any, _: Any, out: Any) -> None:
        loss = out.get("loss") if hasattr(out, "get") else None
        if model.training and isinstance(loss, Tensor):
            self._loss = loss.detach()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._beside.step(self._loss)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._handle is not None:
            self._handle.remove()
        self._beside.end()
