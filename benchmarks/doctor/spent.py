"""What a piece of work takes: steps of optimisers and processor seconds, however busy the machine is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook


@dataclass
class Spent:
    steps: int = 0
    seconds: float = 0.0

    def times(self, one: Spent) -> tuple[float, float]:
        """As multiples of another piece of work: (of its steps, of its seconds)."""
        return round(self.steps / max(1, one.steps), 2), round(self.seconds / max(1e-9, one.seconds), 2)


@contextlib.contextmanager
def counted() -> Iterator[Spent]:
    """Optimisers' steps and processor seconds within the block."""
    spent = Spent()

    def one(*_: Any) -> None:
        spent.steps += 1

    handle = register_optimizer_step_post_hook(one)
    began = time.process_time()
    try:
        yield spent
    finally:
        handle.remove()
        spent.seconds = time.process_time() - began
