"""A running average of the weights.

a <- a + (1 - d) (w - a)        d = min(decay, (1 + step) / (10 + step)) while warming up
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from whet.errors import RecipeError

Slots = list[tuple[str, dict[str, Tensor | None], str]]
"""(full name, the dictionary of its module, its key there): finds a tensor even after it was replaced."""


class Average:
    """Averages of all float parameters and buffers of a model; others are copied as they are, and so are those with
    infinite places, such as limits.

    With `every` above 1 the average moves only at every so many steps, by as much as it would have moved in all.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999, warmup: bool = True, every: int = 1) -> None:
        if not 0 <= decay < 1:
            raise RecipeError(f"ema.decay={decay} is not in [0, 1).")
        if every < 1:
            raise RecipeError(f"ema.every={every} is too small.", "Use 1 or more.")
        self.decay, self.warmup, self.every = decay, warmup, every
        self._model = model
        self._slots = _slots(model)
        self._values = {name: tensor.detach().clone() for name, tensor in self._live(model)}
        self._averaged = {n for n, v in self._values.items() if v.is_floating_point() and bool(v.isfinite().all())}

    def decay_at(self, step: int) -> float:
        """The share of the old average that is kept at this step (from 1), as if `every` were 1."""
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights; `step` counts from 1."""
        if step % self.every:
            return
        averages: list[Tensor] = []
        weights: list[Tensor] = []
        for name, tensor in self._live(model):
            if name in self._averaged:
                averages.append(self._values[name])
                weights.append(tensor.detach())
            else:
                self._values[name].copy_(tensor)
        torch._foreach_lerp_(averages, weights, 1 - self.decay_at(step) ** self.every)

    @contextlib.contextmanager
    @torch.no_grad()
    def swapped(self, model: nn.Module) -> Iterator[nn.Module]:
        """The model with averaged weights inside; its own come back to the bit."""
        live = dict(self._live(model))
        kept = {name: tensor.detach().clone() for name, tensor in live.items()}
        self.copy_to(model)
        try:
            yield model
        finally:
            for name, tensor in live.items():
                tensor.detach().copy_(kept[name])

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Write the averages into the model."""
        for name, tensor in self._live(model):
            tensor.detach().copy_(self._values[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by the names of the model's parameters and buffers; the tensors themselves, not copies."""
        return dict(self._values)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over averages. Raises KeyError for a missing name."""
        for name, value in self._values.items():
            value.copy_(state[name])

    def _live(self, model: nn.Module) -> Iterator[tuple[str, Tensor]]:
        slots = self._slots if model is self._model else _slots(model)
        for name, home, key in slots:
            tensor = home[key]
            if tensor is not None:
                yield name, tensor


def _slots(model: nn.Module) -> Slots:
    found: Slots = []
    seen: set[int] = set()
    for prefix, module in model.named_modules():
        homes: tuple[dict[str, Tensor | None], ...] = (module._parameters, module._buffers)
        for home in homes:
            for key, tensor in home.items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    found.append((f"{prefix}.{key}" if prefix else key, home, key))
    return found
