"""`watch`: the doctor beside a loop that the user wrote. It reads at sampled steps, draws no random number, changes nothing.

Between the samples a step costs a few counters.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor, nn
from torch.optim import Optimizer

from whet.diagnosis import rows
from whet.diagnosis.clearing import Clearing
from whet.diagnosis.evidence import DataFacts, Evidence, Look, Steps
from whet.diagnosis.examine import BATCH_NORMS, DROPOUTS, NORMS
from whet.diagnosis.first_steps import settings
from whet.diagnosis.losses import Losses
from whet.diagnosis.sampler import ROWS, SHARE, Sampler
from whet.errors import UserError
from whet.setups import Criterion, recognise
from whet.setups.metrics import is_classes

UNKNOWN = Criterion("unknown", "")


class Watch:
    """Watches one model and its optimiser from `with` to its end. `evidence` is what was seen.

    `begin` and `end` do the same without a `with`. Raises UserError for an optimiser over other parameters.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, loss: Callable[..., Any] | None = None, *, share: float = SHARE
    ) -> None:
        if not isinstance(model, nn.Module) or not hasattr(optimizer, "param_groups"):
            given = f"{type(model).__name__} and {type(optimizer).__name__}"
            raise UserError(
                f"A network and its optimiser can be watched, not {given}.", "Give watch(model, optimizer)."
            )
        self.model, self.optimizer, self.loss = model, optimizer, loss
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self.sampler = Sampler(model, held, share)
        if not held & {id(p) for p in model.parameters()}:
            raise UserError(
                "The optimiser holds none of the model's parameters.", "Give the optimiser that trains this model."
            )
        self.steps = 0
        self.losses = Losses()
        self.data: DataFacts | None = None
        self.criterion = UNKNOWN
        self._clearing: Clearing | None = None
        self._handles: list[Any] = []
        self._asking: Any = None
        self._began = 0.0

    # -- the block ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start to watch."""
        self._clearing = Clearing(p for group in self.optimizer.param_groups for p in group["params"])
        self._handles = [
            self.optimizer.register_step_pre_hook(self._gradients),
            self.optimizer.register_step_post_hook(self._stepped),
        ]
        if isinstance(self.loss, nn.Module) and self.data is None:
            self._asking = self.loss.register_forward_hook(self._judged)
        self._began = time.perf_counter()
        self.sampler.open()

    def end(self) -> None:
        """Stop to watch; every hook is taken off. Twice is once."""
        self.sampler.close()
        if self._clearing:
            self._clearing.close()
        self._stop_asking()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def step(self, loss: Tensor | float) -> None:
        """Tell the loss of the step that was just taken."""
        if isinstance(loss, Tensor):
            if loss.numel() != 1:
                raise UserError(f"The loss has the shape {tuple(loss.shape)}, not one number.", "Take its mean.")
            loss = loss.item() if loss.is_cpu else loss.detach()
        self.losses.add(loss)

    @property
    def spent(self) -> float:
        """Seconds that readings took."""
        return self.sampler.spent

    # -- hooks -------------------------------------------------------------------------------------------------

    def _gradients(self, *_: Any, **__: Any) -> None:
        self.sampler.gradients()

    def _stepped(self, *_: Any, **__: Any) -> None:
        if self.sampler.is_open:
            self.sampler.look(self.losses.newest, self.steps, time.perf_counter() - self._began)
        self.steps += 1
        if self._clearing:
            self._clearing.stepped()
        if self.sampler.due(self.steps):
            self.sampler.open()

    def _judged(self, _: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        """The loss's own inputs: outputs and targets."""
        if self._asking is None or len(args) < 2 or not isinstance(args[1], Tensor):
            return
        self._stop_asking()  # before the loss is tried out, which would come by here again
        said, target = args[0].detach()[:ROWS], args[1].detach()[:ROWS]
        self.criterion = recognise(self.loss, said, target)  # type: ignore[arg-type]
        self.data = self._data_facts(target)

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.remove()
            self._asking = None

    def _data_facts(self, target: Tensor) -> DataFacts:
        inputs = self.sampler.inputs
        known: dict[str, Any] = dict(rows.targets(target.cpu(), target[:0].cpu(), is_classes(target, self.criterion)))
        found: dict[str, Any] = {"rows": 0, "val_rows": 0, **known}
        if len(inputs) == 1 and inputs[0].is_floating_point():
            x = rows.flat(inputs[0].cpu())
            found |= rows.values(x, x)
            return DataFacts(**found, numbers=True)
        return DataFacts(**found, numbers=False)

    # -- what was seen -----------------------------------------------------------------------------------------

    @property
    def evidence(self) -> Evidence:
        """What rules judge by. Raises UserError where no step was seen."""
        if self.sampler.first is None:
            raise UserError(
                "No training step was seen.", "Run model, loss, backward and optimizer.step() in the block."
            )
        return evidence_of(
            self.sampler,
            self.losses,
            type(self.optimizer).__name__,
            settings(self.optimizer),
            data=self.data,
            criterion=self.criterion,
            steps=Steps(accumulates=self._clearing is not None and self._clearing.forgotten),
        )


def at_full_length(start: Look, longest: Mapping[str, float]) -> Look:
    """The first reading, with the longest steps of all: a schedule may begin with a rate near 0."""
    layers = (dataclasses.replace(x, step=longest.get(x.path, x.step)) for x in start.layers)
    return dataclasses.replace(start, layers=tuple(layers))


def evidence_of(
    sampler: Sampler,
    losses: Losses,
    optimizer: str,
    numbers: Mapping[str, float],
    data: DataFacts | None = None,
    criterion: Criterion = UNKNOWN,
    steps: Steps = Steps(),  # noqa: B008 - frozen
) -> Evidence:
    """What was read beside a loop, with the optimiser's name and numbers; nothing is known of other rows."""
    model = sampler.model
    assert sampler.first is not None
    course = losses.course()
    course.waited, course.computed = sampler.times
    return Evidence(
        data=data or DataFacts(rows=0, val_rows=0, numbers=False),
        start=at_full_length(sampler.first, sampler.longest),
        end=sampler.newest if sampler.count > 1 else None,
        course=course,
        criterion=criterion,
        metric="loss",
        higher_is_better=False,
        optimizer=optimizer,
        settings=numbers,
        batch_size=len(sampler.inputs[0]) if sampler.inputs else 0,
        epochs=1,
        steps=steps,
        dropout=tuple((n, float(m.p)) for n, m in model.named_modules() if isinstance(m, DROPOUTS)),
        norms=sum(isinstance(m, NORMS) for m in model.modules()),
        batch_norms=sum(isinstance(m, BATCH_NORMS) for m in model.modules()),
        activations=(),
        followed=False,
    )
