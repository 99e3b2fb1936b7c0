"""One step of a training, read while it is done: signals, gradients, and how far the weights moved.

    open        before the step's forward pass
    gradients   before the weights change; where nobody can tell when that is, what is left of them afterwards is read
    look        after the step

No random number is drawn and nothing is changed, so that the trained weights are the same to the bit. Which steps are read
follows from what a reading costs: `share` of the training's time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from torch import Tensor, nn

from whet.diagnosis.evidence import Layer, Look
from whet.diagnosis.look import Readings, Weighted, at_least, layer, outputs_of, thin, weight_facts, weighted

SHARE = 0.01
"""Of the time of all steps that readings may cost."""
FEWEST_TIMES = 5
"""Steps whose waiting was timed from which on it is known; the first is none of them, because what starts takes longer."""
EARLY = (0, 1)
"""Steps that are read whatever they cost: how a training starts says most."""
ROWS = 256


class Sampler:
    """Reads a model; keeps the first reading and the newest.

    `held`: ids of the parameters that the optimiser holds. `layers`: what is read; None: torch's layers with weights.
    """

    def __init__(
        self,
        model: nn.Module,
        held: set[int],
        share: float = SHARE,
        early: tuple[int, ...] = EARLY,
        layers: Sequence[Weighted] | None = None,
    ) -> None:
        self.model, self.held, self.share, self.early = model, held, share, early
        self.layers = weighted(model) if layers is None else layers
        self.first: Look | None = None
        self.newest: Look | None = None
        self.longest: dict[str, float] = {}
        """Of each layer: the longest step of all readings, relative to its weights."""
        self.count = 0
        self.spent = 0.0
        """Seconds that readings took."""
        self.waits: list[tuple[float, float]] = []
        """(seconds from one step's end to the next forward pass, seconds of the rest of the step) of each reading."""
        self.inputs: tuple[Tensor, ...] = ()
        """Of the newest reading, at most `ROWS` rows."""
        self._next = 0
        self._readings: Readings | None = None
        self._out: Tensor | None = None
        self._answered = False
        self._opened = self._entered = self._spent = 0.0
        self._probes: list[Any] = []
        self._before: dict[str, dict[str, Any]] = {}

    @property
    def is_open(self) -> bool:
        return self._readings is not None

    def due(self, step: int) -> bool:
        """Whether this step, counted from 0, is one to read."""
        return step >= self._next

    def open(self) -> None:
        """Listen to the next forward pass, and keep enough of the weights to see how far they will move."""
        began = time.perf_counter()
        self.close()
        self._readings, self._answered = Readings(), False
        self._probes = [one.module.register_forward_hook(self._reader(one)) for one in self.layers]
        self._probes.append(self.model.register_forward_hook(self._whole))
        self._probes.append(self.model.register_forward_pre_hook(self._enters))
        self._before = {
            one.path: {"facts": weight_facts(one.rows), "thin": thin(one.weight.detach()).clone()}
            for one in self.layers
        }
        self._opened, self._entered = time.perf_counter(), 0.0
        self.spent += self._opened - began

    def close(self) -> None:
        """Stop listening; what was read of an unfinished step is forgotten."""
        self._stop_probing()
        self._readings, self._out, self._before = None, None, {}

    def gradients(self) -> None:
        """Read the gradients of a step whose forward pass is done."""
        if self._readings is None or not self._readings.of:
            return
        began = time.perf_counter()
        self._stop_probing()
        self._read_gradients()
        self.spent += time.perf_counter() - began

    def look(self, loss: float, step: int, seconds: float) -> None:
        """The step is done: it was number `step`, after `seconds` of training."""
        readings, out = self._readings, self._out
        if readings is None:
            return
        began = time.perf_counter()
        if out is not None:
            self._read_gradients()
            read = tuple(self._layer(one, readings.of[one.path]) for one in self.layers if one.path in readings.of)
            self.newest = Look(read, loss, **outputs_of(out))
            self.first = self.first or self.newest
            self.longest |= {x.path: max(x.step, self.longest.get(x.path, 0.0)) for x in read}
            self.count += 1
            if self._entered:
                rest = began - self._entered - (self.spent - self._spent)
                self.waits.append((self._entered - self._opened, rest))
        self.close()
        self.spent += time.perf_counter() - began
        self._next = self._after(step, seconds)

    @property
    def times(self) -> tuple[float, float]:
        """(wait, rest) of the median step in seconds. Zeros where too few are known, and on devices whose steps go on while
        the clock of this process runs ahead."""
        known = self.waits[1:]
        if len(known) < FEWEST_TIMES or any(one.weight.device.type != "cpu" for one in self.layers):
            return 0.0, 0.0
        return median(w for w, _ in known), median(r for _, r in known)

    def _enters(self, model: nn.Module, _: Any) -> None:
        if model.training and not self._entered:
            self._entered, self._spent = time.perf_counter(), self.spent

    def _after(self, step: int, seconds: float) -> int:
        """The next step to be read: so that readings cost their share of the time that has passed."""
        if step in self.early:
            return step + 1
        each = max(1e-12, seconds / (step + 1))
        reading = self.spent / max(1, self.count)
        return max(step + 1, math.ceil((self.spent + reading) / (self.share * each)))

    def _reader(self, one: Weighted) -> Callable[..., None]:
        def read(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
            if self._readings is None or not module.training:
                return  # a validation between two steps is none of this step's
            began = time.perf_counter()
            self._readings.take(one, args, out)
            if not self._answered:  # of a model that is never called itself, the last layer's output counts
                self._keep(args if self._out is None else (), out)
            self.spent += time.perf_counter() - began

        return read

    def _whole(self, model: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        if self._readings is not None and model.training and not self._answered:
            self._answered = True
            self._keep(args, out)

    def _keep(self, args: tuple[Any, ...], out: Any) -> None:
        said, given = answer(out), tuple(a.detach()[:ROWS] for a in args if isinstance(a, Tensor) and a.dim())
        self._out = self._out if said is None else said.detach()[:ROWS]
        self.inputs = given or self.inputs

    def _stop_probing(self) -> None:
        for probe in self._probes:
            probe.remove()
        self._probes = []

    def _read_gradients(self) -> None:
        for one in self.layers:
            known = self._before[one.path]
            if one.weight.grad is not None and "gradient" not in known:
                known["gradient"] = float(one.weight.grad.float().norm())

    def _layer(self, one: Weighted, numbers: dict[str, float]) -> Layer:
        old = self._before[one.path]
        whole = (one.weight.numel() / old["thin"].numel()) ** 0.5
        moved = whole * float((thin(one.weight.detach()) - old["thin"]).norm())
        return layer(
            one,
            old["facts"],
            numbers,
            gradient=old.get("gradient", math.nan),
            frozen=not one.weight.requires_grad,
            held=id(one.weight) in self.held,
            step=moved / at_least(old["facts"]["weight"], old["facts"]["outputs"]),
        )


def answer(out: Any) -> Tensor | None:
    """The tensor in what a model returns: its logits, or the first of several."""
    if isinstance(out, Mapping):
        out = out.get("logits", next(iter(out.values()), None))
    if isinstance(out, tuple | list):
        out = next((x for x in out if isinstance(x, Tensor)), None)
    return out if isinstance(out, Tensor) and out.dim() else None
