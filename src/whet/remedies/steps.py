"""Longer, shorter, more or other steps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from whet.remedies.need import Need, of_kind, tuned
from whet.remedies.network import draw_weights, sloped_function
from whet.setups import Setup, lengths
from whet.setups.code import coded
from whet.setups.dropouts import ModedDropout
from whet.setups.lengths import ENOUGH
from whet.setups.operations import SetDropout
from whet.setups.setup import Loss

CLIP_AT = 1.0
MOST_TIMES = 60
USUAL_BATCH = 32
FEW_A_ROUND = 4
"""Steps of an epoch that are so few that the batch may be why."""
FEW = 100
"""Steps of a whole training that are so few that no length makes up for it: half of those for which a step may be longest."""
MORE = 1.5
"""Times as many epochs, or as high a rate, below which they stay as they are."""
GENTLE_DROPOUT = 0.1
BOLDER = 3.0
"""Times the usual rate, where nothing says how good a training can be."""
NARROW = 128
"""Layers with fewer units than this have none to spare for dropout."""


def with_rate(need: Need, new: float) -> Setup | None:
    """The same optimiser with another rate; None where that is what there is, or where another one took its place."""
    lr = need.settings.get("lr", 0.0)
    exchanged = [str(e.new) for e in need.setup.edits if e.path == "optimizer"]
    if new == lr or (exchanged and not exchanged[-1].startswith(f"{need.optimizer},")):
        return None
    return need.setup.edited(need.edit("lr", lr, new), optimizer=tuned(need.setup.optimizer, lr=new))


def usual_rate(need: Need) -> Setup | None:
    """The rate at which a step has the usual length, by the length that was measured."""
    return with_rate(need, lengths.usual_rate(need.settings.get("lr", 0.0), need.step, need.optimizer, need.steps))


def lower_rate(need: Need) -> Setup | None:
    """A tenth, where the length of a step says nothing against it; else the usual one."""
    return with_rate(need, lengths.lower_rate(need.settings.get("lr", 0.0), need.step, need.optimizer, need.steps))


def longer_steps(need: Need) -> Setup | None:
    """The usual rate, where steps are shorter by far: longer ones cost nothing, and more of them do."""
    lr = need.settings.get("lr", 0.0)
    new = lengths.usual_rate(lr, need.step, need.optimizer, need.steps)
    return with_rate(need, new) if new > MORE * lr else None


def still_longer_steps(need: Need) -> Setup | None:
    """Three times the rate: what is usual may be little for these rows."""
    return with_rate(need, lengths.rounded(BOLDER * need.settings.get("lr", 0.0)))


def adam(need: Need) -> Setup | None:
    """Adam with its usual rate; none where that is what there is."""
    lr, new = need.settings.get("lr", 0.0), lengths.adams_rate(need.steps)
    if need.optimizer == "Adam" and lr == new:
        return None
    edit = need.edit("optimizer", f"{need.optimizer}, lr={lr:g}", f"Adam, lr={new:g}")
    real = all(
        p.is_floating_point() for p in need.setup.fresh(0).parameters()
    )  # the fused one takes no complex weights
    settings = {"lr": new, "fused": True} if real else {"lr": new}
    return need.setup.edited(edit, optimizer=of_kind("Adam", **settings))


def more_epochs(need: Need) -> Setup | None:
    """As many as give enough steps; None where another remedy saw to that."""
    if need.setup.epochs > need.epochs:
        return None
    times = min(MOST_TIMES, max(3.0, ENOUGH / max(1, need.steps)))
    epochs = math.ceil(need.setup.epochs * times)
    return need.setup.edited(need.edit("epochs", need.setup.epochs, epochs), epochs=epochs)


def enough_steps(need: Need) -> Setup | None:
    """All that makes up for a handful of steps, at once: smaller batches, more epochs, and a usual length. None where one of
    them may do."""
    if need.steps >= FEW:
        return None
    old, changed = need.setup.batch_size, smaller_batch(need)
    if changed is not None:
        need = replace(need, setup=changed, steps=math.ceil(need.steps * old / USUAL_BATCH))
    need = replace(need, setup=more_epochs(need) or need.setup, steps=max(need.steps, ENOUGH))
    return longer_steps(need) or need.setup


def plain_step(need: Need) -> Setup:
    return need.setup.edited(need.edit("step", "your own", "clear, forward, loss, backward, step"), step=None)


def downhill(need: Need) -> Setup | None:
    """The plain step, or an optimiser that makes the loss smaller."""
    if need.setup.step is not None:
        return plain_step(need)
    edit = need.edit("maximize", True, False)
    return need.setup.edited(edit, optimizer=tuned(need.setup.optimizer, maximize=False))


def clip_step(model: nn.Module, batch: Any, loss: Loss, optimizer: torch.optim.Optimizer) -> Tensor:
    """A training step whose gradient is no longer than `CLIP_AT` (Pascanu et al. 2013, On the difficulty of training recurrent
    neural networks, algorithm 1)."""
    inputs, target = batch
    optimizer.zero_grad(set_to_none=True)
    value: Tensor = loss(model(*inputs) if isinstance(inputs, tuple) else model(inputs), target)
    value.backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_AT)
    optimizer.step()
    return value.detach()


coded(clip_step, "whet.remedies.steps.clip_step")


def clip_gradients(need: Need) -> Setup | None:
    """Long gradients made short; where the training step is not the user's own, which may do more than that."""
    if need.setup.step is not None:
        return None
    return need.setup.edited(need.edit("gradients", "of any length", f"clipped to {CLIP_AT:g}"), step=clip_step)


def less_decay(need: Need) -> Setup:
    old = need.settings.get("weight_decay")
    new = 0.01 if need.optimizer == "AdamW" else 1e-4
    return need.setup.edited(
        need.edit("weight_decay", old, new), optimizer=tuned(need.setup.optimizer, weight_decay=new)
    )


def less_dropout(need: Need) -> Setup:
    old, new = need.finding.evidence.get("share"), GENTLE_DROPOUT if need.width >= NARROW else 0.0
    return need.setup.with_operation(SetDropout(new), need.edit("dropout", old, new))


def dropout_of_its_mode(need: Need) -> Setup:
    """Dropout that is off in evaluation mode, whoever calls it, and gentle."""
    share = GENTLE_DROPOUT if need.width >= NARROW else 0.0
    edit = need.edit("dropout in evaluation mode", "on", f"off, and at most {share:g} in training")
    return need.setup.with_operation(ModedDropout(share), edit)


def usual_batch(need: Need) -> Setup:
    """32 rows; and as many epochs as leave enough steps, where rows were fewer."""
    old, epochs = need.setup.batch_size, need.setup.epochs
    changed = need.setup.edited(need.edit("batch_size", old, USUAL_BATCH), batch_size=USUAL_BATCH)
    times = min(need.steps, ENOUGH) / max(1.0, need.steps * old / USUAL_BATCH)
    if times < MORE:
        return changed
    longer = math.ceil(epochs * times)
    return changed.edited(need.edit("epochs", epochs, longer), epochs=longer)


def smaller_batch(need: Need) -> Setup | None:
    """As many epochs of more steps, where an epoch has hardly any: that costs less than more epochs."""
    old, rows = need.setup.batch_size, len(need.setup.parts[0])
    if need.setup.parts[0].loader is not None or old < max(MORE * USUAL_BATCH, rows / FEW_A_ROUND):
        return None
    return need.setup.edited(need.edit("batch_size", old, USUAL_BATCH), batch_size=USUAL_BATCH)


def usual_momentum(need: Need) -> Setup:
    changes = {"betas": (0.9, 0.999)} if "beta1" in need.settings else {"momentum": 0.9}
    return need.setup.edited(
        need.edit("momentum", need.settings.get("momentum", need.settings.get("beta1")), 0.9),
        optimizer=tuned(need.setup.optimizer, **changes),
    )


REMEDIES = {
    "learning rate too high": (usual_rate, lower_rate, adam),
    "unsteady loss": (lower_rate, adam),
    "exploding gradient": (clip_gradients, lower_rate, draw_weights, adam),
    "dying units": (lower_rate, sloped_function, draw_weights),
    "learning rate too low": (usual_rate, adam, more_epochs),
    "optimiser too slow": (adam, usual_rate, more_epochs),
    "too few steps": (enough_steps, longer_steps, smaller_batch, more_epochs, adam),
    "still improving": (more_epochs, adam),
    "penalty stronger than the data": (plain_step,),
    "a step that changes nothing": (plain_step,),
    "steps that go uphill": (downhill,),
    "gradients are not cleared": (plain_step,),
    "learning rate fades too fast": (plain_step, more_epochs),
    "learning rate that grows": (plain_step,),
    "steps that may be longer": (still_longer_steps,),
    "trained in evaluation mode": (plain_step,),
    "gradients clipped too hard": (plain_step,),
    "steps that are rarely taken": (plain_step,),
    "weight decay too strong": (less_decay,),
    "dropout too strong": (less_dropout,),
    "random in evaluation mode": (dropout_of_its_mode,),
    "batch too small": (usual_batch, lower_rate),
    "batch norm of few rows": (usual_batch,),
    "batch too large": (usual_batch, more_epochs),
    "wild momentum": (usual_momentum, lower_rate),
    "learns too little": (adam, more_epochs, draw_weights),
}
