"""(Recipe, task, data) -> Parts: the one place where names become objects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whet import augment, losses, optim, regularise
from whet.data.image_transform import ImageTransform
from whet.data.loader import Loader
from whet.data.prepared import Prepared
from whet.errors import RecipeError
from whet.model import make_model, make_spec, saying_which
from whet.recipe import Choice, Recipe
from whet.tasks import Task
from whet.train.loop import own_random_numbers
from whet.train.parts import Inputs, Parts
from whet.train.plan import Plan

CALIBRATION_ROWS = 2000
"""Training rows that a network may look at before it trains (whitening filters)."""
BATCH_ROWS = 256
"""Training rows that an initialisation may look at."""


def build(recipe: Recipe, task: Task, data: Prepared, seed: int, plan: Plan) -> Parts:
    """Everything that the loop needs to train this recipe. Raises RecipeError or UnknownName for a bad choice."""
    prepare = make_prepare(recipe, task, data)
    with own_random_numbers():
        look = functools.partial(some_inputs, data, prepare)
        model = make_model(recipe, make_spec(recipe, task, data.transform), seed, functools.partial(look, BATCH_ROWS))
        calibrate: Any = getattr(model, "calibrate", None)  # whitening filters
        if calibrate is not None:
            calibrate(*look(CALIBRATION_ROWS))
    model.train()
    if plan.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    regular = {c.name: make_regulariser(c) for c in recipe.regularise}
    penalties = [regular[name] for name in ("l1", "l2") if name in regular]
    return Parts(
        model=model,
        loss=make_loss(recipe.loss, task),
        optimizer=make_optimizer(recipe.optimizer, model, plan),
        schedule=make_schedule(recipe.schedule),
        train=Loader(
            data.inputs, data.target, data.rows["train"], recipe.batch_size, seed=seed, shuffle=True, drop_last=True
        ),
        plan=plan,
        prepare=prepare,
        average=regular["ema"](model) if "ema" in regular else None,
        after_step=[p.after_step(optimizer_lr(recipe)) for p in penalties if is_proximal(p)],
        penalty=sum_of([p for p in penalties if not is_proximal(p)]),
        clip=regular.get("clip"),
        stop=regular.get("early_stop"),
    )


def make_regulariser(choice: Choice) -> Any:
    entry = regularise.REGULARISERS[choice.name]
    if entry.name == "stochastic_depth":
        raise RecipeError("stochastic_depth is a parameter of a network.", "Set family.stochastic_depth instead.")
    with saying_which(choice):
        return entry.make(**entry.fill(choice.params))


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
    rows = data.rows["train"][:: max(1, data.n_train // most)][:most]
    inputs, _ = prepare(tuple(x.index_select(0, rows) for x in data.inputs), torch.empty(0), None)
    return inputs


def make_loss(choice: Choice, task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    if choice.name == "auto":
        choice = Choice("cross_entropy" if task.goal == "classify" else "mse", choice.params)
    entry = losses.LOSSES[choice.name]
    with saying_which(choice):
        return entry.make(**entry.fill(choice.params))


def make_schedule(choice: Choice) -> Callable[[float], float]:
    entry = optim.SCHEDULES[choice.name]
    with saying_which(choice):
        return entry.make(**entry.fill(choice.params))


def make_optimizer(choice: Choice, model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    with saying_which(choice):
        return optim.build(choice, model, fused=plan.fused)


def make_prepare(recipe: Recipe, task: Task, data: Prepared) -> Prepare:
    """How a raw batch becomes what the model takes, with the recipe's augmentation and mixing."""
    shape = data.shape
    mixers = tuple(make_regulariser(c) for c in recipe.regularise if c.name in MIXERS)
    if mixers and task.goal != "classify":
        raise RecipeError(
            f"{mixers[0].kind} mixes classes, and the task is a regression.", "Take it out of the recipe."
        )
    if recipe.augment and data.domain != "image":
        raise RecipeError(f"{recipe.augment[0].name} changes images, and the data is a table.", "Take it out.")
    warp = augment.plan(recipe.augment, (shape[-2], shape[-1])) if recipe.augment else None
    return Prepare(pixel_scale(data.transform), warp, mixers, task.outputs)


MIXERS = ("mixup", "cutmix")


def pixel_scale(transform: Any) -> tuple[Tensor, Tensor] | None:
    """(mean, std) per channel in 0..1 of the training images, shaped (1, C, 1, 1); None for tables."""
    if not isinstance(transform, ImageTransform):
        return None
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (transform.mean, transform.std))
    return mean, std


@dataclass(frozen=True)
class Prepare:
    """(raw inputs, target, generator) -> (inputs, target). Without a generator nothing is drawn: evaluation."""

    pixels: tuple[Tensor, Tensor] | None = None
    warp: augment.Augmentation | None = None
    mixers: tuple[regularise.Mix, ...] = ()
    classes: int = 0

    def __call__(
        self, inputs: Inputs, target: Tensor, generator: torch.Generator | None, progress: float = 0.0
    ) -> tuple[Inputs, Tensor]:
        if self.pixels is not None:
            inputs = (self.image(inputs[0], generator),)
        active = [m for m in self.mixers if progress < m.until]
        if generator is not None and active:
            # Of several ways to mix, each batch gets one.
            mixer = active[int(torch.randint(len(active), (), generator=generator))]
            inputs, target = mixer(inputs, self.shares(target), generator)
        return inputs, target

    def shares(self, target: Tensor) -> Tensor:
        """Class indices as probabilities, which can be mixed."""
        return target if target.is_floating_point() else nn.functional.one_hot(target, self.classes).float()

    def image(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """uint8 (B, H, W, C) -> normalised float (B, C, H, W), in the channels-last layout that it has already."""
        assert self.pixels is not None
        mean, std = self.pixels
        x = x.permute(0, 3, 1, 2)
        warp = self.warp if generator is not None else None
        if warp is not None and generator is not None and warp.takes_uint8:  # a quarter of the bytes to move
            x, warp = warp(x, generator), None
        x = x.float().mul_(1 / 255)
        if warp is not None and generator is not None:
            x = warp(x, generator)
        return x.sub_(mean).div_(std)


def mirror_views(recipe: Recipe) -> tuple[Callable[[Inputs], Inputs], ...]:
    """The mirror image, where the recipe trains on mirrored images too: what it says of both is averaged."""
    return (_mirrored,) if any(c.name == "flip" for c in recipe.augment) else ()


def _mirrored(inputs: Inputs) -> Inputs:
    return (inputs[0].flip(-1), *inputs[1:])
