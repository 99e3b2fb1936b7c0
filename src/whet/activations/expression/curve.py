"""A formula of x as a function of float64 arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from whet.activations.expression.bounds import guarded
from whet.activations.expression.evaluate import on_array
from whet.activations.expression.nodes import Node

Array = NDArray[np.float64]
Curve = Callable[[Array], Array]
LARGEST = float(np.finfo(np.float64).max)


def curve(node: Node) -> Curve:
    """z -> formula(z), finite wherever the formula is; what had to be kept finite on the way comes out infinite again."""
    safe = guarded(node)

    def of(z: Array) -> Array:
        with np.errstate(all="ignore"):
            y = on_array(safe, x=z)
            return np.where(np.abs(y) < LARGEST, y, y * np.inf)

    return of
