"""What the first steps of a training do, found on copies: how far they go, what they add to the loss's gradient, what half
precision makes of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.diagnosis.evidence import Rounding, Steps
from whet.diagnosis.look import at_least
from whet.diagnosis.precision import HALVES, rounding
from whet.setups import Setup
from whet.setups.parts import Batch
from whet.setups.training import one_step

BATCH = 256
"""Training rows that the network is looked at with."""
GATHERED = 64
"""Batches whose gradients may be gathered before a step is taken."""


def probe_batch(setup: Setup) -> Batch:
    return setup.parts[0].some(BATCH)


def one_batch(setup: Setup) -> Batch:
    """Of these rows as many as a step has."""
    inputs, target = probe_batch(setup)
    return tuple(x[: setup.batch_size] for x in inputs), target[: setup.batch_size]


def settings(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The first group's numbers by their usual names."""
    group = optimizer.param_groups[0]
    found = {
        k: float(group[k])
        for k in ("lr", "momentum", "weight_decay", "alpha", "maximize")
        if isinstance(group.get(k), int | float)
    }
    if isinstance(group.get("betas"), tuple):
        found |= {"beta1": float(group["betas"][0]), "beta2": float(group["betas"][1])}
    return found


def moves(setup: Setup, seed: int) -> dict[str, float]:
    """path -> how far a step moves each layer's weights at first, relative to their norm; of a copy. A training step that
    gathers gradients first is repeated until weights move, by this optimiser, another one or by hand."""
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)
    weights = {n: m.weight for n, m in model.named_modules() if isinstance(getattr(m, "weight", None), nn.Parameter)}
    model.train()
    before = {n: w.detach().clone() for n, w in weights.items()}
    every = [(p, p.detach().clone()) for p in model.parameters()] if setup.step is not None else []
    taken: list[bool] = []
    optimizer.register_step_post_hook(lambda *_: taken.append(True))
    try:
        for _ in range(GATHERED):
            one_step(setup, model, one_batch(setup), optimizer)
            if taken or not every or any(not torch.equal(p, was) for p, was in every):
                break
    except Exception:  # whatever the user's code raises: the training itself will show it
        return {}
    usual = usual_share(optimizer) / len(taken) if taken else 1.0
    return {
        n: usual * float((w.detach() - before[n]).norm()) / at_least(float(before[n].norm()), len(w))
        for n, w in weights.items()
    }


def usual_share(optimizer: torch.optim.Optimizer) -> float:
    """Later steps beside the first one: RMSprop's first is 1 / sqrt(1 - alpha) times as long, with momentum later ones are:
    1 / (1 - momentum) times where gradients agree, 1 / sqrt(1 - momentum^2) times where each is another; between the two."""
    known = settings(optimizer)
    if isinstance(optimizer, torch.optim.RMSprop):
        return (1 - known.get("alpha", 0.99)) ** 0.5
    if isinstance(optimizer, torch.optim.SGD):
        return 1 / max(0.01, 1 - known.get("momentum", 0.0)) ** 0.5
    return 1.0


def rounded(setup: Setup, seed: int) -> Rounding:
    """What half precision does to a step."""
    with contextlib.suppress(Exception):  # whatever the user's code raises: the training itself will show it
        return rounding(setup, seed, one_batch(setup))
    return Rounding()


def own_steps(setup: Setup, seed: int, moved: Mapping[str, float]) -> Steps:
    """What the user's own training step does beside forward, backward and step. `moved`: how far it moves each layer."""
    evaluates, autocast = surroundings(setup, seed)
    found = side_effects(setup, seed, autocast)
    still = found.still if moved and not any(moved.values()) else ""
    return replace(found, evaluates=evaluates, autocast=autocast, still=still)


def surroundings(setup: Setup, seed: int) -> tuple[bool, str]:
    """(whether a step of the user's own runs the network in evaluation mode, the type that it lets torch compute in); found
    on a copy."""
    model, small = setup.fresh(seed), one_batch(setup)
    modes: list[bool] = []
    types: list[str] = []

    def called(module: nn.Module, _: Any) -> None:
        modes.append(module.training)
        kind = small[1].device.type
        types.append(HALVES.get(torch.get_autocast_dtype(kind), "") if torch.is_autocast_enabled(kind) else "")

    model.register_forward_pre_hook(called)
    try:
        one_step(setup, model.train(), small, setup.optimiser_of(model))
    except Exception:  # whatever the user's code raises: the training itself will show it
        return False, ""
    return bool(modes) and not any(modes), types[0] if types else ""


def under(autocast: str, kind: str) -> torch.autocast:
    """Torch's autocast to a type on a kind of device; "": none."""
    return torch.autocast(kind, dtype=getattr(torch, autocast) if autocast else None, enabled=bool(autocast))


def side_effects(setup: Setup, seed: int, autocast: str) -> Steps:
    """What a step of the user's own adds to the loss's gradient, and whether gradients pile up; found on a copy."""
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)
    small = one_batch(setup)
    model.eval()  # the same numbers twice, whatever dropout would draw
    seen: list[Tensor] = []

    def kept(*_: Any, **__: Any) -> None:
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters() if p.requires_grad]
        seen.append(torch.cat([g.flatten() for g in grads]))

    optimizer.register_step_pre_hook(kept)
    model.train = lambda mode=True: model  # type: ignore[method-assign]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    parameters = [p for p in model.parameters() if p.requires_grad]
    with under(autocast, small[1].device.type):
        value = setup.loss(model(*small[0]), small[1])
    own = torch.autograd.grad(value, parameters, allow_unused=True)
    plain = torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, own, strict=True)]
    )
    try:
        for _ in range(3):
            one_step(setup, model, small, optimizer)
    except Exception:  # whatever the user's code raises: the training itself will show it
        return Steps()
    if not float(plain.norm()):
        return Steps()
    if not seen:
        return Steps(still="no step")
    if len(seen) < 3 or any(len(s) != len(plain) for s in seen):
        return Steps()
    first, plain = seen[0].float(), plain.float()
    piled = float(seen[2].norm()) > 2.5 * float(first.norm()) > 0
    return Steps(
        penalty=pull(first, plain),
        shrinks=float(first.norm() / plain.norm()),
        accumulates=piled,
        along=float(F.cosine_similarity(first, plain, dim=0)) if bool(first.any()) else 1.0,
        still="" if bool(first.any()) else "no gradient",
    )


def pull(seen: Tensor, plain: Tensor) -> float:
    """What a step adds to the loss's gradient, relative to that one, or to what is left of it where the loss is scaled or its
    gradient clipped: that alone adds nothing."""
    left = plain * (seen @ plain / (plain @ plain))
    return min(float((seen - of).norm() / of.norm()) if bool(of.any()) else 0.0 for of in (plain, left))
