"""The training loop, drawn once.

    start
      while the horizon is not reached
        batch      inputs and target, prepared and augmented       (epoch, index) names the batch
        loss       forward, loss                                   state.loss
        backward   gradients                                       still there, not yet clipped
        step       weights, average                                state.step is one more
        validate   now and then: metrics on the validation part    state.metrics
        save       at least every ten seconds: a checkpoint
    end                                                            the last checkpoint
    settle         the weights that are kept may be the last ones  state.best

A listener is any object with methods named `on_start`, `on_loss`, …; each takes the `Training`.
What a listener does not name costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

NAMES = ("start", "batch", "loss", "backward", "step", "validate", "save", "end", "settle")


class Events:
    """Who listens to what; made once per training, so that an event without listeners is one dictionary look-up."""

    def __init__(self, listeners: Sequence[object] = ()) -> None:
        self._calls: dict[str, tuple[Callable[[Any], None], ...]] = {
            name: tuple(getattr(one, f"on_{name}") for one in listeners if hasattr(one, f"on_{name}")) for name in NAMES
        }

    def __call__(self, name: str, training: Any) -> None:
        for call in self._calls[name]:
            call(training)
