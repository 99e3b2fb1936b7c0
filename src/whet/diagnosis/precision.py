"""Numbers that are too large, or too small, for half precision: found in one forward pass, and in two steps.

float16 holds nothing above 65,504 and nothing but 0 below 6e-8; bfloat16 has the range of float32 and three digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from whet.diagnosis.evidence import Rounding
from whet.setups import Setup
from whet.setups.parts import Batch
from whet.setups.training import one_step

HALVES = {torch.float16: "float16", torch.bfloat16: "bfloat16"}
SCALE = 1024.0
"""Of the loss, to see which gradients were too small: Micikevicius et al. 2018, Mixed Precision Training, section 3.2."""


class Overflows(TorchFunctionMode):
    """Listens to what a model and its loss compute: which half precision, and the first result that is too large for it.

    Such a result is infinite, came from finite numbers, and is finite in float32: what is masked with infinities is meant.
    """

    def __init__(self) -> None:
        super().__init__()
        self.half, self.where, self.reached = "", "", float("nan")
        self.path: list[str] = []
        """Of the modules that are being called, the innermost last."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.dtype in HALVES:
            self.half = HALVES[out.dtype]
            if not self.where and bool(out.isinf().any()):
                self._judge(function, (args, kwargs or {}), out.device.type)
        return out

    def _judge(self, function: Any, given: Any, device: str) -> None:
        name = getattr(function, "__name__", "")
        tensors = (x for x in tree_leaves(given) if isinstance(x, Tensor))
        if name.endswith("_") or not all(bool(x.isfinite().all()) for x in tensors):
            return  # in place, or infinite before
        args, kwargs = tree_map(widened, given)
        with torch.autocast(device, enabled=False):
            wide = function(*args, **kwargs)
        if isinstance(wide, Tensor) and bool(wide.isfinite().all()):
            self.where = f"{self.path[-1]} ({name})"
            self.reached = float(wide.detach().abs().max())


def widened(x: Any) -> Any:
    return x.float() if isinstance(x, Tensor) and x.dtype in HALVES else x


@contextmanager
def overflows(model: nn.Module) -> Iterator[Overflows]:
    """What is computed within the block; what no module of the model computes is the loss's."""
    seen, handles = Overflows(), []
    seen.path.append("the loss")
    for path, module in model.named_modules():

        def enters(*_: Any, path: str = path) -> None:
            seen.path.append(f"layer {path}" if path else "the network")

        def leaves(*_: Any) -> None:
            seen.path.pop()

        handles += [module.register_forward_pre_hook(enters), module.register_forward_hook(leaves)]
    try:
        with seen:
            yield seen
    finally:
        for handle in handles:
            handle.remove()


def rounding(setup: Setup, seed: int, batch: Batch) -> Rounding:
    """What half precision does to the first step."""
    stored = next((HALVES[p.dtype] for p in setup.fresh(seed).parameters() if p.dtype in HALVES), "")
    small, large = (gradients(setup, seed, batch, scale) for scale in (1.0, SCALE))
    shares = {n: gone(small[n], large[n]) for n in small.keys() & large.keys()}
    worst = max(sorted(shares), key=lambda n: shares[n], default="")
    after = stepped(setup, seed, batch) if stored and small else {}
    unmoved = [(small[n] != 0) & (new == old) for n, (old, new) in after.items() if n in small]
    able = sum(int((small[n] != 0).sum()) for n in after if n in small)
    return Rounding(
        stored,
        lost=shares.get(worst, 0.0),
        where=worst,
        stayed=sum(int(x.sum()) for x in unmoved) / max(1, able),
        broke=any(not bool(new.isfinite().all()) for _, new in after.values()),
    )


def gone(small: Tensor, large: Tensor) -> float:
    """Share of the gradients that the scaled loss has and the plain one has not."""
    there = large != 0
    return float((there & (small == 0)).sum() / max(1, int(there.sum())))


def gradients(setup: Setup, seed: int, batch: Batch, scale: float) -> dict[str, Tensor]:
    """The gradients that the optimiser is given, of a loss times `scale`; {} where it is given none."""
    own, found = setup.loss, dict[str, Tensor]()
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)

    def kept(*_: Any, **__: Any) -> None:
        found.update((n, p.grad.clone()) for n, p in model.named_parameters() if p.grad is not None and p.dim() > 1)

    optimizer.register_step_pre_hook(kept)
    one_step(replace(setup, loss=lambda said, y: own(said, y) * scale), model.train(), batch, optimizer)
    return found


def stepped(setup: Setup, seed: int, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
    """name -> (weights before, after one step)."""
    model = setup.fresh(seed)
    old = {n: p.detach().clone() for n, p in model.named_parameters()}
    one_step(setup, model.train(), batch, setup.optimiser_of(model))
    return {n: (old[n], p.detach()) for n, p in model.named_parameters()}
