"""`Setup`: everything that one training is made of, as plain parts that can be exchanged."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from whet.errors import RecipeError, UserError
from whet.recipe import Edit
from whet.setups.parts import Part, as_part

Loss = Callable[[Tensor, Tensor], Any]
Step = Callable[[nn.Module, tuple[Any, Tensor], Loss, torch.optim.Optimizer], Any]
METRICS = ("accuracy", "r2", "rmse", "mae", "loss")
LOWER_IS_BETTER = ("rmse", "mae", "loss")


class Operation(Protocol):
    """A change of a fresh model, and the code that a user would write for it."""

    def __call__(self, model: nn.Module) -> nn.Module: ...
    def code(self) -> list[str]: ...


@dataclass(frozen=True, eq=False)
class Setup:
    """A training as plain parts.

    >>> import torch
    >>> from torch import nn
    >>> x = torch.randn(64, 2)
    >>> setup = Setup(lambda: nn.Linear(2, 2), nn.CrossEntropyLoss(), lambda p: torch.optim.SGD(p, lr=0.1),
    ...               train=(x, (x[:, 0] > 0).long()), epochs=1)
    >>> setup.batch_size
    32

    Raises UserError for parts that don't fit together.
    """

    model: Callable[[], nn.Module]
    """Makes a fresh model; called once per training."""
    loss: Loss
    """(outputs, target) -> scalar."""
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
    """Parameters -> optimiser."""
    train: Any
    """(X, y) as tensors or arrays, a Dataset, or a DataLoader."""
    val: Any = None
    """The same; None: the training part is measured, and what over-fits can't be seen."""
    batch_size: int = 32
    """Of a DataLoader its own counts."""
    epochs: int = 20
    metric: str | Callable[[Tensor, Tensor], Any] = "loss"
    """A name in `METRICS`, or (outputs, target) -> a number, the higher the better."""
    step: Step | None = None
    """Your own training step, (model, batch, loss, optimizer) -> loss; None: clear, forward, loss, backward, step."""
    operations: tuple[Operation, ...] = ()
    """What is done to each fresh model: repair's doing."""
    edits: tuple[Edit, ...] = ()
    """What repair changed, and why."""
    parts: tuple[Part, Part] = field(init=False, repr=False)
    """(train, val) as they are used."""
    kept: dict[int, tuple[nn.Module, Tensor]] = field(default_factory=dict, init=False, repr=False)
    """The newest seed's fresh model, and torch's random state after it was made: the doctor asks for it several times."""

    def __post_init__(self) -> None:
        for name in ("model", "loss", "optimizer"):
            if not callable(getattr(self, name)):
                what = "an nn.Module" if isinstance(getattr(self, name), nn.Module) else "no function"
                raise UserError(f"{name} is {what}.", f"Give a function: {_EXAMPLES[name]}.")
        if isinstance(self.model, nn.Module):
            raise UserError(
                "model is a network, not a function that makes a fresh one.", f"Give a function: {_EXAMPLES['model']}."
            )
        if isinstance(self.optimizer, torch.optim.Optimizer):
            raise UserError("optimizer is made already.", f"Give a function: {_EXAMPLES['optimizer']}.")
        if isinstance(self.metric, str) and self.metric not in METRICS:
            raise UserError(f"There is no metric {self.metric!r}.", f"Use one of {', '.join(METRICS)}, or a function.")
        for name in ("batch_size", "epochs"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)!r} is no positive whole number.", "Give 1 or more.")
        train = as_part(self.train, "train")
        val = train if self.val is None else as_part(self.val, "val")
        object.__setattr__(self, "parts", (train, val))

    @property
    def higher_is_better(self) -> bool:
        return self.metric not in LOWER_IS_BETTER

    def fresh(self, seed: int) -> nn.Module:
        """The model at the start of the training with this seed, with every operation done."""
        if seed in self.kept:
            model, state = self.kept[seed]
            torch.default_generator.set_state(state)
            return copy.deepcopy(model)
        torch.manual_seed(seed)
        model = self.model()
        if not isinstance(model, nn.Module):
            raise UserError(f"The factory returned {type(model).__name__}, not an nn.Module.", "Return a network.")
        for operation in self.operations:
            model = operation(model)
        with contextlib.suppress(Exception):  # what can't be copied is made anew each time
            kept = copy.deepcopy(model)
            self.kept.clear()
            self.kept[seed] = (kept, torch.default_generator.get_state())
        return model

    def optimiser_of(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of this model. Raises UserError for one over other parameters."""
        made = self.optimizer([p for p in model.parameters() if p.requires_grad] or list(model.parameters()))
        if not isinstance(made, torch.optim.Optimizer):
            raise UserError(f"optimizer returned {type(made).__name__}.", "Return a torch.optim.Optimizer.")
        own = {id(p) for p in model.parameters()}
        if not any(id(p) in own for p in _of(made)):
            raise UserError(
                "The optimiser holds none of the model's parameters.", "Build it from the parameters that it is given."
            )
        return made

    def edited(self, *edits: Edit, **changes: Any) -> Setup:
        """The set-up with other parts, and the edits noted."""
        return dataclasses.replace(self, edits=(*self.edits, *edits), **changes)

    def with_operation(self, operation: Operation, *edits: Edit) -> Setup:
        """The set-up with one more thing done to each fresh model."""
        return self.edited(*edits, operations=(*self.operations, operation))


_EXAMPLES = {
    "model": "lambda: nn.Sequential(...)",
    "loss": "nn.CrossEntropyLoss()",
    "optimizer": "lambda parameters: torch.optim.Adam(parameters, lr=1e-3)",
}


def _of(optimizer: torch.optim.Optimizer) -> Iterable[nn.Parameter]:
    return (p for group in optimizer.param_groups for p in group["params"])


def check_fresh(setup: Setup) -> None:
    """Raises UserError where the factory gives the same network, or shared parameters, twice."""
    first, second = setup.model(), setup.model()
    if not isinstance(first, nn.Module):
        raise UserError(f"The factory returned {type(first).__name__}, not an nn.Module.", "Return a network.")
    shared = {id(p) for p in first.parameters()} & {id(p) for p in second.parameters()}
    if first is second or shared:
        raise UserError(
            "The factory returned the same network twice; every training needs a fresh one.",
            "Make the layers inside the function.",
        )
    if not any(True for _ in first.parameters()):
        raise RecipeError("The network has no parameters.", "There is nothing to train.")
