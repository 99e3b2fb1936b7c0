"""Whether somebody clears the gradients: between two steps at least one backward pass has to find none."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

LOOKED_AT = 20
"""Steps; then the hook is taken off."""
ENOUGH = 5
"""Steps from which on it is known."""


class Clearing:
    """Listens to the smallest parameter that an optimiser moves. What comes first after a step may find gradients of another
    loss, as a GAN's do, and later rows of one batch find those of earlier ones: one clean backward pass in a step will do."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        able = [p for p in parameters if p.requires_grad and p.is_leaf]
        self._of = min(able, key=lambda p: p.numel()) if able else None
        self._handle = self._of.register_hook(self._arrives) if self._of is not None else None
        self._arrived = self._clean = False
        self._steps = self._dirty = 0

    def _arrives(self, _: Tensor) -> None:
        assert self._of is not None
        self._arrived = True
        self._clean = self._clean or self._of.grad is None or not bool(self._of.grad.any())

    def stepped(self) -> None:
        """The optimiser has moved the parameters."""
        if self._handle is None or not self._arrived:
            return
        self._steps += 1
        self._dirty += not self._clean
        self._arrived = self._clean = False
        if self._steps >= LOOKED_AT:
            self.close()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    @property
    def forgotten(self) -> bool:
        """Whether every step but the first carried the gradients of earlier ones."""
        return self._steps >= ENOUGH and self._dirty >= self._steps - 1
