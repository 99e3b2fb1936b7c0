"""`watch`: the doctor beside a loop that the user wrote. It reads at sampled steps, draws no random number, changes nothing.

Between the samples a step costs two counters. How often it samples follows from what a sample costs beside a step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from whet.diagnosis import rows
from whet.diagnosis.evidence import DataFacts, Evidence, Layer, Look, Steps
from whet.diagnosis.examine import DROPOUTS, NORMS, settings
from whet.diagnosis.look import WEIGHTED, Readings, layer, outputs_of
from whet.errors import UserError
from whet.setups import Course, Criterion, Point, recognise
from whet.setups.training import is_classes

SHARE = 0.01
"""Of the time of all steps that samples may cost."""
EARLY = (0, 1)
"""Steps that are sampled whatever they cost: how a training starts says most."""
ROWS = 256
CHUNKS = 20
"""Points that the losses are put together to."""


class Watch:
    """Watches one model and its optimiser from `with` to its end. `diagnosis` says what was seen.

    Raises UserError for an optimiser over other parameters.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: Callable[..., Any] | None = None,
        *,
        share: float = SHARE,
    ) -> None:
        own = {id(p) for p in model.parameters()}
        self.held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not own & self.held:
            raise UserError(
                "The optimiser holds none of the model's parameters.", "Give the optimiser that trains this model."
            )
        self.model, self.optimizer, self.loss, self.share = model, optimizer, loss, share
        self.steps = 0
        self.losses: list[Any] = []
        self.looks: list[Look] = []
        self.data: DataFacts | None = None
        self.criterion = Criterion("unknown", "")
        self.spent = 0.0
        """Seconds that samples took."""
        self._handles: list[Any] = []
        self._probes: list[Any] = []
        self._next = 0
        self._readings: Readings | None = None
        self._out: Tensor | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._weights: dict[str, Tensor] = {}
        self._before: dict[str, Any] = {}
        self._began = time.perf_counter()

    # -- the block ---------------------------------------------------------------------------------------------

    def __enter__(self) -> Watch:
        model, optimizer = self.model, self.optimizer
        self._handles = [
            model.register_forward_pre_hook(self._forward),
            optimizer.register_step_pre_hook(self._gradients),
            optimizer.register_step_post_hook(self._stepped),
        ]
        if isinstance(self.loss, nn.Module):
            self._handles.append(self.loss.register_forward_hook(self._judged))
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_probing()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def step(self, loss: Tensor | float) -> None:
        """Tell the loss of the step that was just taken."""
        value = loss.detach() if isinstance(loss, Tensor) else loss
        if isinstance(value, Tensor) and value.numel() != 1:
            raise UserError(f"The loss has the shape {tuple(value.shape)}, not one number.", "Take its mean.")
        self.losses.append(value)

    # -- hooks -------------------------------------------------------------------------------------------------

    def _forward(self, _: nn.Module, args: tuple[Any, ...]) -> None:
        if self.steps < self._next or not self.model.training or self._readings is not None:
            return
        began = time.perf_counter()
        self._readings = Readings()
        self._inputs = tuple(a.detach()[:ROWS] for a in args if isinstance(a, Tensor))
        for path, module in self.model.named_modules():
            if isinstance(module, WEIGHTED):
                self._probes.append(module.register_forward_hook(self._reader(path)))
        self._probes.append(self.model.register_forward_hook(self._output))
        self.spent += time.perf_counter() - began

    def _reader(self, path: str) -> Callable[..., None]:
        def read(_: Any, args: tuple[Any, ...], out: Any) -> None:
            began = time.perf_counter()
            out = out[0] if isinstance(out, tuple) else out
            given = args[0] if args and isinstance(args[0], Tensor) else None
            if self._readings is not None and isinstance(out, Tensor):
                self._readings.take(path, given, out)
            self.spent += time.perf_counter() - began

        return read

    def _output(self, _: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        if isinstance(out, Tensor):
            self._out = out.detach()[:ROWS]

    def _judged(self, _: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        """The loss's own inputs: outputs and targets."""
        if len(args) < 2 or self.data is not None or not isinstance(args[1], Tensor):
            return
        said, target = args[0].detach()[:ROWS], args[1].detach()[:ROWS]
        self.criterion = recognise(self.loss, said, target)  # type: ignore[arg-type]
        self.data = self._data_facts(target)

    def _data_facts(self, target: Tensor) -> DataFacts:
        known: dict[str, Any] = dict(rows.targets(target.cpu(), target.cpu(), is_classes(target, self.criterion)))
        found: dict[str, Any] = {"rows": 0, "val_rows": 0, **known}
        if len(self._inputs) == 1 and self._inputs[0].is_floating_point():
            x = rows.flat(self._inputs[0].cpu())
            found |= rows.values(x, x)
            return DataFacts(**found, numbers=True)
        return DataFacts(**found, numbers=False)

    def _gradients(self, *_: Any, **__: Any) -> None:
        if self._readings is None:
            return
        began = time.perf_counter()
        self._stop_probing()
        self._before, self._weights = {}, {}
        for path, module in self.model.named_modules():
            if path in self._readings.of:
                weight = next(p for n, p in module.named_parameters() if n.startswith("weight"))
                gradient = math.nan if weight.grad is None else float(weight.grad.float().norm())
                self._before[path] = (module, weight, gradient)
                self._weights[path] = weight.detach().clone()
        self.spent += time.perf_counter() - began

    def _stepped(self, *_: Any, **__: Any) -> None:
        now = time.perf_counter()
        if self._readings is not None:
            self._look()
            cost = time.perf_counter() - now
            self.spent += cost
            self._next = self._when()
        self.steps += 1

    def _when(self) -> int:
        """The next step to be sampled: so that samples cost their share of the time that has passed."""
        if self.steps in EARLY:
            return self.steps + 1
        passed = max(1e-9, time.perf_counter() - self._began)
        each = passed / max(1, self.steps + 1)
        sample = self.spent / max(1, len(self.looks))
        due = sample * (len(self.looks) + 1) / max(1e-12, self.share * each)
        return max(self.steps + 1, math.ceil(due))

    def _stop_probing(self) -> None:
        for probe in self._probes:
            probe.remove()
        self._probes = []

    def _look(self) -> None:
        readings, self._readings = self._readings, None
        if readings is None or self._out is None:
            return
        layers = tuple(self._layer(path, numbers) for path, numbers in readings.of.items() if path in self._before)
        loss = float(self.losses[-1]) if self.losses else math.nan
        self.looks.append(Look(layers, loss, **outputs_of(self._out)))

    def _layer(self, path: str, numbers: dict[str, float]) -> Layer:
        module, weight, gradient = self._before[path]
        old = self._weights.pop(path)
        moved = float((weight.detach() - old).norm() / old.norm().clamp_min(1e-12))
        state = {
            "gradient": gradient,
            "frozen": not weight.requires_grad,
            "held": id(weight) in self.held,
            "step": moved,
        }
        return layer(path, module, old, numbers, **state)

    # -- what was seen -----------------------------------------------------------------------------------------

    @property
    def evidence(self) -> Evidence:
        """What rules judge by. Raises UserError where no step was seen."""
        if not self.looks:
            raise UserError(
                "No training step was seen.", "Run model, loss, backward and optimizer.step() in the block."
            )
        data = self.data or DataFacts(rows=0, val_rows=0, numbers=False)
        return Evidence(
            data=data,
            start=self.looks[0],
            end=self.looks[-1] if len(self.looks) > 1 else None,
            course=course_of(self.losses, self.steps),
            criterion=self.criterion,
            metric="loss",
            higher_is_better=False,
            optimizer=type(self.optimizer).__name__,
            settings=settings(self.optimizer),
            batch_size=len(self._inputs[0]) if self._inputs else 0,
            epochs=1,
            steps=Steps(),
            dropout=tuple((n, float(m.p)) for n, m in self.model.named_modules() if isinstance(m, DROPOUTS)),
            norms=sum(isinstance(m, NORMS) for m in self.model.modules()),
            activations=(),
            followed=False,
            linears=sum(isinstance(m, WEIGHTED) for m in self.model.modules()),
        )


def course_of(losses: list[Any], steps: int) -> Course:
    """Losses as the points of a course."""
    values = [float(v) for v in losses]
    broke = next((i + 1 for i, v in enumerate(values) if not math.isfinite(v)), None)
    size = max(1, len(values) // CHUNKS)
    points = []
    for i, at in enumerate(range(0, len(values), size)):
        part = values[at : at + size]
        mean = sum(part) / len(part)
        points.append(Point(i + 1, at + len(part), mean, mean, mean, mean))
    return Course(points, values[0] if values else math.nan, steps, 0.0, broke)
