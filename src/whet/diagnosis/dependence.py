"""How answers depend on inputs: which of these they don't depend on at all, which layers they need not pass through, and
whether they jump where inputs hardly move."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from whet.setups.operations import has_scale

ROWS = 64
ROUND = 0.5
"""Of the spread of a fresh network's answers, what is left of it where a layer is held still that is not on all ways."""
NUDGE = 0.01
"""Of the spread of an input, by which it is moved to see what the answers do."""


def unseen(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """The share of the numbers of a row, or of the places of its indices, that vary and that no answer depends on.

    0 where nothing is known: of a network that can't be differentiated, or that passes nothing on at all.
    """
    few = tuple(x[:ROWS].detach().clone().requires_grad_(x.is_floating_point()) for x in inputs)
    vectors: dict[int, Tensor] = {}

    def looked_up(_: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
        for i, x in enumerate(few):
            if args and isinstance(args[0], Tensor) and args[0].shape == x.shape and torch.equal(args[0], x):
                vectors.setdefault(i, out)

    hooks = [m.register_forward_hook(looked_up) for m in model.modules() if isinstance(m, nn.Embedding)]
    was = model.training
    shares: list[float] = []
    with contextlib.suppress(RuntimeError, ValueError), torch.random.fork_rng(devices=[]):
        said = model.eval()(*few)
        weights = torch.randn(said.shape, generator=torch.Generator().manual_seed(0)).to(said.device, said.dtype)
        leaves = {i: x for i, x in enumerate(few) if x.requires_grad} | vectors
        slopes = torch.autograd.grad((said * weights).sum(), list(leaves.values()), allow_unused=True)
        shares = [share(few[i].detach(), slope) for i, slope in zip(leaves, slopes, strict=True)]
    for hook in hooks:
        hook.remove()
    model.train(was)
    return max(shares, default=0.0)


def share(x: Tensor, slope: Tensor | None) -> float:
    """Of the places of `x` that vary, those without a slope; 0 where none has one."""
    if slope is None or x.dim() < 2:
        return 0.0
    size = slope.abs().amax(0)
    size = size.reshape(*x.shape[1:], -1).amax(-1)
    vary = (x != x[:1]).any(0)
    lost = vary & (size == 0)
    return float(lost.sum() / vary.sum()) if bool(vary.any()) and bool((size > 0).any()) else 0.0


def passed_by(model: nn.Module, inputs: tuple[Tensor, ...], paths: Iterable[str]) -> tuple[str, ...]:
    """Of these layers, those that answers get round: held at their mean, they leave answers more than `ROUND` of their spread.

    So does what says how much of each other thing is heard (attention, a gate), and what lies beside a skip.
    """
    few = tuple(x[:ROWS] for x in inputs)
    modules = dict(model.named_modules())
    found: list[str] = []
    was = model.training
    with contextlib.suppress(RuntimeError, ValueError), torch.random.fork_rng(devices=[]), torch.no_grad():
        model.eval()
        spread = spread_of(model(*few))
        for path in paths:
            hook = modules[path].register_forward_hook(lambda _, __, out: held(out))
            try:
                held_spread = spread_of(model(*few))
            finally:
                hook.remove()
            if held_spread > ROUND * spread > 0:
                found.append(path)
    model.train(was)
    return tuple(found)


def held(out: Any) -> Any:
    """A layer's mean in the place of all that it gives, row by row and place by place."""
    if isinstance(out, tuple):
        return tuple(held(each) for each in out)
    return out.flatten(0, -2).mean(0).expand_as(out) if isinstance(out, Tensor) and out.dim() > 1 else out


def spread_of(said: Tensor) -> float:
    """Of answers about their columns' means."""
    return float((said.float() - said.float().mean(0)).square().mean().sqrt())


def jumps(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """How far answers move, in their own spreads, where inputs are moved by a hundredth of theirs; about that much is usual.

    In a chaotic network (Poole et al. 2016, Exponential expressivity in deep neural networks through transient chaos) the two
    have nothing to do with each other: about 1. 0 where nothing is known.
    """
    few = tuple(x[:ROWS] for x in inputs)
    g = torch.Generator().manual_seed(0)
    moved = tuple(nudged(x, g) for x in few)
    was, found = model.training, 0.0
    with contextlib.suppress(RuntimeError, ValueError), torch.random.fork_rng(devices=[]), torch.no_grad():
        model.eval()
        said, then = model(*few).float(), model(*moved).float()
        spread = (said - said.mean(0)).square().mean().sqrt()
        ratio = float((then - said).square().mean().sqrt() / spread) if spread > 0 else 0.0
        found = ratio if math.isfinite(ratio) else 0.0
    model.train(was)
    return found


def nudged(x: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers moved a little; indices, and yes or no, as they are."""
    if not has_scale(x):
        return x
    spread = (x - x.mean(0)).float().square().mean().sqrt().nan_to_num()
    return x + (NUDGE * spread * torch.randn(x.shape, generator=generator)).to(x.device, x.dtype)
