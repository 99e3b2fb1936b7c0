"""The doctor as a callback of Keras 3, where it computes with torch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import keras
from torch import Tensor

from whet.callbacks.beside import Say, told
from whet.diagnosis.look import Weighted, by_outputs
from whet.diagnosis.losses import Losses
from whet.diagnosis.sampler import Sampler
from whet.diagnosis.watch import evidence_of
from whet.doctor import Diagnosis, seen
from whet.errors import UserError

KINDS = {"Dense": "Linear", "Conv1D": "Conv1d", "Conv2D": "Conv2d", "Conv3D": "Conv3d", "Embedding": "Embedding"}
"""Keras' layers by torch's names."""


class KerasDoctor(keras.callbacks.Callback):
    """`model.fit(x, y, callbacks=[KerasDoctor()])`, with KERAS_BACKEND=torch."""

    def __init__(self, say: Say | None = print) -> None:
        super().__init__()
        self.say = say
        self._sampler: Sampler | None = None

    @property
    def diagnosis(self) -> Diagnosis:
        """What the steps so far say. Raises UserError before the first one."""
        if self._sampler is None or self._sampler.first is None:
            raise UserError("No training was watched yet.", "Train first.")
        optimizer = self.model.optimizer
        numbers = {"lr": float(optimizer.learning_rate), "weight_decay": float(optimizer.weight_decay or 0.0)}
        e = evidence_of(self._sampler, self._losses, type(optimizer).__name__, numbers)
        return seen(e, self._sampler.spent)

    def on_train_begin(self, logs: Any = None) -> None:
        if keras.backend.backend() != "torch":
            raise UserError(
                f"Keras computes with {keras.backend.backend()}.", "Set KERAS_BACKEND=torch before it is imported."
            )
        held = {id(v.value) for v in self.model.trainable_variables}
        self._sampler = Sampler(self.model, held, layers=list(layers_of(self.model)))
        self._losses, self._steps, self._began, self._mean = Losses(), 0, time.perf_counter(), (0.0, 0)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        assert self._sampler is not None
        self._mean = self._mean if batch else (0.0, 0)
        if self._sampler.due(self._steps):
            self._sampler.open()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        assert self._sampler is not None
        self._losses.add(self._newest(float(logs["loss"])))
        if self._sampler.is_open:
            self._sampler.look(self._losses.newest, self._steps, time.perf_counter() - self._began)
        self._steps += 1

    def _newest(self, mean: float) -> float:
        """The newest batch's loss: Keras tells the mean over the epoch so far."""
        (old, count), self._mean = self._mean, (mean, self._mean[1] + 1)
        return mean * (count + 1) - old * count

    def on_train_end(self, logs: Any = None) -> None:
        assert self._sampler is not None
        self._sampler.close()
        if self.say is not None and self._steps:
            told(self.diagnosis, self.say)


def layers_of(model: Any) -> Iterator[Weighted]:
    """The layers that hold a matrix or filters."""
    for layer in model._flatten_layers(include_self=False):
        kind, held = KINDS.get(type(layer).__name__), getattr(layer, "kernel", getattr(layer, "embeddings", None))
        if kind is not None and held is not None:
            axis = 1 if getattr(layer, "data_format", "") == "channels_first" else -1
            yield Weighted(layer.path, layer, held.value, kind, axis, by_outputs if kind == "Embedding" else by_last)


def by_last(weight: Tensor) -> Tensor:
    """(…, inputs, outputs) as Keras keeps them -> (outputs, fan-in)."""
    return weight.reshape(-1, weight.shape[-1]).t()
