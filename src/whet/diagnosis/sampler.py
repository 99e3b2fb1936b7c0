"""One step of a training, read while it is done: signals, gradients, and how far the weights moved.

    open        before the forward pass
    gradients   after the backward pass, before the step
    look        after the step

No random number is drawn and nothing is changed, so that the trained weights are the same to the bit. Which steps are read
follows from what a reading costs: `share` of the training's time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from whet.diagnosis.evidence import Layer, Look
from whet.diagnosis.look import WEIGHTED, Readings, layer, named_weight, outputs_of, thin, weight_facts

SHARE = 0.01
"""Of the time of all steps that readings may cost."""
EARLY = (0, 1)
"""Steps that are read whatever they cost: how a training starts says most."""
ROWS = 256


class Sampler:
    """Reads a model and its optimiser; keeps the first reading and the newest."""

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, share: float = SHARE, early: tuple[int, ...] = EARLY
    ) -> None:
        self.model, self.share, self.early = model, share, early
        self.held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self.first: Look | None = None
        self.newest: Look | None = None
        self.count = 0
        self.spent = 0.0
        """Seconds that readings took."""
        self.inputs: tuple[Tensor, ...] = ()
        """Of the newest reading, at most `ROWS` rows."""
        self._next = 0
        self._readings: Readings | None = None
        self._out: Tensor | None = None
        self._probes: list[Any] = []
        self._before: dict[str, dict[str, Any]] = {}

    @property
    def is_open(self) -> bool:
        return self._readings is not None

    def due(self, step: int) -> bool:
        """Whether this step, counted from 0, is one to read."""
        return step >= self._next

    def open(self) -> None:
        """Listen to the next forward pass."""
        began = time.perf_counter()
        self.close()
        self._readings = Readings()
        self._probes = [
            module.register_forward_hook(self._reader(path))
            for path, module in self.model.named_modules()
            if isinstance(module, WEIGHTED)
        ]
        self._probes.append(self.model.register_forward_hook(self._whole))
        self.spent += time.perf_counter() - began

    def close(self) -> None:
        """Stop listening; what was read of an unfinished step is forgotten."""
        self._stop_probing()
        self._readings, self._out = None, None

    def gradients(self) -> None:
        """Read the gradients, and keep enough of the weights to see how far they move."""
        if self._readings is None:
            return
        began = time.perf_counter()
        self._stop_probing()
        self._before = {
            path: self._weights(module) for path, module in self.model.named_modules() if path in self._readings.of
        }
        self.spent += time.perf_counter() - began

    def look(self, loss: float, step: int, seconds: float) -> None:
        """The step is done: it was number `step`, after `seconds` of training."""
        readings, out = self._readings, self._out
        if readings is None:
            return
        began = time.perf_counter()
        if out is not None and readings.of.keys() >= self._before.keys():
            layers = tuple(self._layer(path, readings.of[path]) for path in self._before)
            self.newest = Look(layers, loss, **outputs_of(out))
            self.first = self.first or self.newest
            self.count += 1
        self.close()
        self._before = {}
        self.spent += time.perf_counter() - began
        self._next = self._after(step, seconds)

    def _after(self, step: int, seconds: float) -> int:
        """The next step to be read: so that readings cost their share of the time that has passed."""
        if step in self.early:
            return step + 1
        each = max(1e-12, seconds / (step + 1))
        reading = self.spent / max(1, self.count)
        return max(step + 1, math.ceil((self.spent + reading) / (self.share * each)))

    def _reader(self, path: str) -> Callable[..., None]:
        def read(module: Any, args: tuple[Any, ...], out: Any) -> None:
            began = time.perf_counter()
            if self._readings is not None:
                self._readings.take(path, module, args, out)
            self.spent += time.perf_counter() - began

        return read

    def _whole(self, _: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        if isinstance(out, Tensor) and self._out is None:
            self._out = out.detach()[:ROWS]
            self.inputs = tuple(a.detach()[:ROWS] for a in args if isinstance(a, Tensor))

    def _stop_probing(self) -> None:
        for probe in self._probes:
            probe.remove()
        self._probes = []

    def _weights(self, module: nn.Module) -> dict[str, Any]:
        weight = named_weight(module)[1]
        return {
            "module": module,
            "facts": weight_facts(weight.detach()),
            "thin": thin(weight.detach()).clone(),
            "gradient": math.nan if weight.grad is None else float(weight.grad.float().norm()),
        }

    def _layer(self, path: str, numbers: dict[str, float]) -> Layer:
        old = self._before[path]
        weight = named_weight(old["module"])[1]
        moved = (thin(weight.detach()) - old["thin"]).norm() / old["thin"].norm().clamp_min(1e-12)
        return layer(
            path,
            old["module"],
            old["facts"],
            numbers,
            gradient=old["gradient"],
            frozen=not weight.requires_grad,
            held=id(weight) in self.held,
            step=float(moved),
        )
