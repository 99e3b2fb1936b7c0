"""torch's optimisers without torch's compiler.

torch wraps the methods of its optimisers so that torch.compile lets them be, and at the first call the wrappers import
that compiler: `torch._dynamo`, with sympy about a second of one core. Nothing here compiles an optimiser, so these
classes call what is inside the wrappers, which functools keeps as `__wrapped__`. Where a version of torch has no wrapper,
`unwrap` gives back the method itself.
"""

from __future__ import annotations

from functools import cache
from inspect import unwrap
from typing import Any

import torch
from torch.optim import Optimizer


class Eager(Optimizer):
    """An optimiser that is never compiled: the base of our own."""

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)


@cache
def eager(kind: type[Optimizer]) -> Any:
    """One of torch's optimisers as a class that is never compiled; it does the same, bit for bit."""
    plain = unwrap(kind.step)

    @torch.no_grad()
    def step(self: Optimizer, closure: Any = None) -> Any:
        return plain(self, closure)

    return type(kind.__name__, (Eager, kind), {"step": step, "__doc__": kind.__doc__, "__module__": __name__})
