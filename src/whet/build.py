"""(Recipe, task, data) -> Parts: the one place where names become objects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from whet import losses, optim, regularise
from whet.data.prepared import Prepared
from whet.errors import RecipeError
from whet.families.user import load
from whet.fields import field
from whet.model import make_model, make_spec, saying_which
from whet.recipe import Choice, Recipe
from whet.tasks import Task, goal
from whet.train import max_pool, winograd
from whet.train.loop import own_random_numbers
from whet.train.parts import Inputs, Parts, Prepare
from whet.train.plan import Plan

CALIBRATION_ROWS = 2000
"""Training rows that a network may look at before it trains (whitening filters)."""
COUNTED_ROWS = 20_000
"""Training rows that a network may look at with their classes before it trains (how often these have an n-gram)."""
SEEN = ("columns", "form", "shrink")
"""Parameters of a network on which depends what its linear part is solved to."""
BATCH_ROWS = 256
"""Training rows that an initialisation may look at."""


def build(recipe: Recipe, task: Task, data: Prepared, seed: int, plan: Plan) -> Parts:
    """Everything that the loop needs to train this recipe. Raises RecipeError or UnknownName for a bad choice."""
    seen = field(data.domain).seen_by(recipe, data.transform)
    prepare = make_prepare(recipe, task, data)
    with own_random_numbers():
        look = functools.partial(some_inputs, data, prepare)
        model = make_model(recipe, make_spec(recipe, task, seen), seed, functools.partial(look, BATCH_ROWS))
        calibrate: Any = getattr(model, "calibrate", None)  # whitening filters
        if calibrate is not None:
            calibrate(*look(getattr(model, "calibration_rows", CALIBRATION_ROWS)))
        if getattr(model, "counts_classes", False):  # n-grams by class
            count: Any = model.count_classes
            count(*labelled(data, prepare, COUNTED_ROWS))
        if getattr(model, "solves", False):  # a linear part, the same for all networks that see the same
            network, seen_alike = cast(Any, model), tuple(str(recipe.family.params.get(n)) for n in SEEN)
            rows = int(getattr(model, "counted_rows", COUNTED_ROWS))
            network.begin_at(data.once(("line", *seen_alike), lambda: network.solved(*labelled(data, prepare, rows))))
    model.train()
    if plan.channels_last:
        model = max_pool.use(model.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    if plan.fewer_products:
        winograd.use(model)
    regular = {c.name: make_regulariser(c) for c in recipe.regularise}
    penalties = [regular[name] for name in ("l1", "l2") if name in regular]
    parts = Parts(
        model=model,
        loss=make_loss(recipe.loss, task, getattr(model, "apart", None), getattr(data.transform, "truths", None)),
        optimizer=make_optimizer(recipe.optimizer, model, plan),
        schedule=make_schedule(recipe.schedule),
        train=field(data.domain).batches(data, recipe.batch_size, seed),
        plan=plan,
        prepare=prepare,
        average=regular["ema"](model) if "ema" in regular else None,
        after_step=[p.after_step(optimizer_lr(recipe)) for p in penalties if is_proximal(p)],
        penalty=sum_of([p for p in penalties if not is_proximal(p)]),
        clip=regular.get("clip"),
        stop=regular.get("early_stop"),
    )
    return seen_twice(parts, regular["r_drop"], recipe, task) if "r_drop" in regular else parts


def make_regulariser(choice: Choice) -> Any:
    entry = regularise.REGULARISERS[choice.name]
    if entry.name == "stochastic_depth":
        raise RecipeError("stochastic_depth is a parameter of a network.", "Set family.stochastic_depth instead.")
    with saying_which(choice):
        return entry.make(**entry.fill(choice.params))


def seen_twice(parts: Parts, drop: regularise.RDrop, recipe: Recipe, task: Task) -> Parts:
    """The same, with every row twice in a batch. Raises RecipeError where two looks at a row can't be compared."""
    if task.goal != "classify":
        raise RecipeError(f"r_drop compares probabilities of classes; {task.name} has none.", "Take it out.")
    if mixed := [c.name for c in recipe.regularise if c.name in MIXERS]:
        raise RecipeError(f"r_drop compares two looks at a row, of which {mixed[0]} makes two rows.", "Take one out.")
    return replace(parts, prepare=drop.prepare(parts.prepare), loss=drop.loss(parts.loss), together=2)


def is_proximal(penalty: Any) -> bool:
    return bool(getattr(penalty, "proximal", False))


def sum_of(penalties: Sequence[Callable[[nn.Module], Tensor]]) -> Callable[[nn.Module], Tensor] | None:
    """One penalty from several; None from none."""
    if not penalties:
        return None
    return lambda model: torch.stack([p(model) for p in penalties]).sum()


def optimizer_lr(recipe: Recipe) -> float:
    """The learning rate before schedules and factors."""
    entry = optim.OPTIMIZERS[recipe.optimizer.name]
    return float(entry.fill(recipe.optimizer.params)["lr"])


def some_inputs(data: Prepared, prepare: Prepare, most: int) -> Inputs:
    """At most so many training rows, evenly spread, as the network takes them, for one that looks before it trains."""
    rows = data.rows["train"][torch.linspace(0, data.n_train - 1, min(most, data.n_train)).long()]
    inputs, _ = prepare(tuple(x.index_select(0, rows) for x in data.inputs), data.target[:0], None)
    return inputs


def labelled(data: Prepared, prepare: Prepare, most: int) -> tuple[Tensor, ...]:
    """(target, *inputs) of at most so many training rows, for a network that counts by class before it trains."""
    rows = data.rows["train"][torch.linspace(0, data.n_train - 1, min(most, data.n_train)).long()]
    inputs, target = prepare(tuple(x.index_select(0, rows) for x in data.inputs), data.target[rows], None)
    return target, *inputs


Apart = Callable[[Tensor], Any]


def make_loss(
    choice: Choice, task: Task, apart: Apart | None = None, truths: Apart | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """`apart` and `truths` give several outputs and several targets back, for a loss of the user's own."""
    if ":" in choice.name:
        return users_loss(choice.name, apart, truths)
    own = goal(task.goal).loss
    entry = losses.LOSSES[own if choice.name == "auto" else choice.name]
    if entry.name != own and not {task.domain, "any"} & {*entry.domains}:
        raise RecipeError(
            f"The loss {entry.name} is for data of the kind {' or '.join(entry.domains)}, and this is of the kind "
            f"{task.domain}.",
            'Write loss = "auto".',
        )
    with saying_which(choice):
        return entry.make(**entry.fill(choice.params))


def users_loss(
    name: str, apart: Apart | None = None, truths: Apart | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss of the user's own, a function or "FILE.py:name", in which outputs (rows, 1) meet targets (rows,) as equals."""
    own: Any = load(name)
    if isinstance(own, type):  # a class of losses, such as nn.L1Loss
        own = own()

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        if apart is None and truths is None and outputs.shape != target.shape and outputs.numel() == target.numel():
            outputs = outputs.reshape(target.shape)
        whole = outputs.float() if outputs.is_floating_point() else outputs
        try:
            with torch.autocast(outputs.device.type, enabled=False):
                found: Tensor = own(apart(whole) if apart else whole, truths(target) if truths else target)
        except Exception as error:
            shapes = f"outputs {tuple(outputs.shape)} and targets {tuple(target.shape)}"
            said = str(error).strip().split("\n")[0]
            raise RecipeError(f"The loss {name} fails on {shapes}: {type(error).__name__}: {said}") from error
        if found.dim():
            raise RecipeError(f"The loss {name} gives a tensor of shape {tuple(found.shape)}.", "Let it give its mean.")
        return found

    return loss


def make_schedule(choice: Choice) -> Callable[[float], float]:
    entry = optim.SCHEDULES[choice.name]
    with saying_which(choice):
        return entry.make(**entry.fill(choice.params))


def make_optimizer(choice: Choice, model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    with saying_which(choice):
        return optim.build(choice, model, fused=plan.fused)


MIXERS = ("mixup", "cutmix")


def make_prepare(recipe: Recipe, task: Task, data: Prepared) -> Prepare:
    """How a raw batch becomes what the model takes, with the recipe's augmentation and mixing."""
    mixers = tuple(make_regulariser(c) for c in recipe.regularise if c.name in MIXERS)
    own = field(data.domain)
    return own.preparing(own.seen_by(recipe, data.transform), task, recipe.augment, mixers)
