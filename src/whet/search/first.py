"""First recipes: what is strong on its own for this kind of data, size and time, and what is worth racing against it.

Every rule says the numbers it was set by; they were measured on validation rows, never on test rows (docs/log.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whet.recipe import Choice, Recipe

RACE_FROM = 12.0
"""Passes over the data that the budget must allow before any of it is spent on a race."""


@dataclass(frozen=True)
class Candidate:
    """A recipe with a name to call it by and the reason why it is tried."""

    name: str
    recipe: Recipe
    because: str

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "recipe": self.recipe.to_dict(), "because": self.because}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Candidate:
        return cls(said["name"], Recipe.from_dict(said["recipe"]), said["because"])


@dataclass(frozen=True)
class Facts:
    """What the rules look at."""

    domain: str
    goal: str
    n_train: int
    shape: tuple[int, ...]
    """(C, H, W) of an image, (F,) of a table's numbers."""
    outputs: int
    seconds: float
    """Time that training has."""
    mirror: tuple[float, float] = (0.0, 0.0)
    """How well (left-right, upside-down) mirrored images are still recognised; 1: as well as before."""
    factory: str = ""
    """The user's own network; empty: whet chooses."""
    rate: float = 0.0
    """Multiply-adds of forward passes per second of training, measured; 0: not yet."""

    def at_speed(self, probe: Recipe, milliseconds: float) -> Facts:
        """The facts with the speed at which a step of the probe ran."""
        widths = probe.family.params.get("widths")
        if not isinstance(widths, tuple) or not milliseconds:
            return self
        per_step = flops(self.shape, widths) * min(probe.batch_size, self.n_train)  # type: ignore[arg-type]
        return dataclasses.replace(self, rate=per_step / (milliseconds / 1e3))


def portfolio(facts: Facts) -> list[Candidate]:
    """The recipe that should win, first, and the ones worth racing against it where there is time for a race."""
    if facts.factory:
        return user_recipes(facts)
    return image_recipes(facts) if facts.domain == "image" else table_recipes(facts)


# -- images --------------------------------------------------------------------------------------------------------

WIDTHS = ((32, 64, 64), (32, 64, 128), (48, 128, 192), (64, 128, 256), (64, 192, 192), (64, 256, 256))
"""Stages of the fast convolutional network, from the cheapest to the dearest."""
ENOUGH_PASSES = (0.0, 0.0, 3.0, 4.0, 7.0, 9.0)
"""Passes over the data that the time must allow before a width is worth its cost."""
TINY = 16
"""Images up to this many pixels a side hold digits and icons: narrow networks won by 1-3 points on them."""
MIRRORED = 0.85
"""Mirror images are trained on where the nearest class mean still recognises them this well."""


def image_size(size: tuple[int, int], seconds: float) -> tuple[int, int] | None:
    """(height, width) to which larger images are made smaller; None: they stay as they are.

    64 pixels beat 96 on 150-pixel photographs at 60 s (validation accuracy 0.84 against 0.79): four times the passes.
    """
    shorter = min(size)
    if shorter <= SMALL_ENOUGH:
        return None
    return tuple(round(side * SMALL_ENOUGH / shorter) for side in size)  # type: ignore[return-value]


SMALL_ENOUGH = 64


def image_recipes(facts: Facts) -> list[Candidate]:
    widths = image_widths(facts)
    recipe = fast_conv(facts, widths)
    passes = facts.seconds * facts.rate / (flops(facts.shape, widths) * facts.n_train) if facts.rate else 0.0
    named = "-".join(map(str, widths))
    said = f"fast convolutional network {named}" + (f", time for about {passes:.0f} passes" if passes else "")
    first = [Candidate("fastconv", recipe, said)]
    if passes < RACE_FROM:
        return first
    return [
        *first,
        Candidate(
            "lower-lr", recipe.put("optimizer.lr", 0.06).put("optimizer.rest_lr", 0.25), "half the learning rate"
        ),
        Candidate("cutmix", recipe.put("regularise.cutmix", Choice("cutmix", alpha=1.0)), "pieces of other images"),
    ]


def image_widths(facts: Facts) -> tuple[int, ...]:
    """The widest network for whose passes there is time; narrow ones for tiny images."""
    _, height, width = facts.shape
    if min(height, width) <= TINY or not facts.rate:
        return WIDTHS[0] if min(height, width) <= TINY else WIDTHS[3]
    afford = [
        w
        for w, least in zip(WIDTHS, ENOUGH_PASSES, strict=True)
        if facts.seconds * facts.rate >= least * flops(facts.shape, w) * facts.n_train
    ]
    return afford[-1]


def fast_conv(facts: Facts, widths: tuple[int, ...]) -> Recipe:
    """Whitening stem, Muon on the filters, label smoothing, a rate that falls to zero (after Jordan's airbench)."""
    small_data = facts.n_train < 10_000
    return Recipe(
        family=Choice("fastconv", widths=widths),
        activation=Choice("gelu"),
        loss=Choice("cross_entropy", label_smoothing=0.2) if facts.goal == "classify" else Choice("mse"),
        optimizer=Choice(
            "muon", lr=0.12, momentum=0.6, sphere=True, rest="sgd", rest_lr=0.5, rest_momentum=0.85, weight_decay=1e-3
        ),
        schedule=Choice("linear"),
        augment=image_augment(facts, small_data),
        batch_size=64 if facts.n_train < 3_000 else 256,
    )


def image_augment(facts: Facts, small_data: bool) -> tuple[Choice, ...]:
    """Mirror images where the data says that they keep their class; more warping where there are few images."""
    side, up = facts.mirror
    flips = [Choice("flip")] * (side >= MIRRORED) + [Choice("vertical_flip")] * (side >= MIRRORED and up >= 0.95)
    if small_data:
        warps = [Choice("rotate", degrees=10.0), Choice("zoom", share=0.15), Choice("shift", share=0.12)]
        return (*flips, *warps, Choice("shear", degrees=8.0))
    return (*flips, Choice("crop", pad=2))


def flops(shape: tuple[int, ...], widths: tuple[int, ...], patch: int = 2) -> float:
    """Multiply-adds of one image forward through the fast network, two convolutions a stage."""
    channels, height, width = shape
    area, before, total = float((height - 1) * (width - 1)), 2 * min(16, channels * patch**2), 0.0
    for stage in widths:
        after = area / 4 if area >= 36 else area
        total += 9 * stage * (before * area + stage * after)
        area, before = after, stage
    return total


# -- tables --------------------------------------------------------------------------------------------------------


def table_recipes(facts: Facts) -> list[Candidate]:
    recipe = tabular(facts)
    return [
        Candidate("tabular", recipe, "packed perceptrons over embedded columns"),
        Candidate("periodic", recipe.put("family.embedding", "periodic"), "numbers as cosines"),
        Candidate("more-dropout", recipe.put("family.dropout", 0.3), "three times the dropout"),
    ]


def tabular(facts: Facts) -> Recipe:
    return Recipe(
        family=Choice("tabular", width=256, depth=2, dropout=0.1, members=16),
        activation=Choice("silu"),
        norm=Choice("none"),
        optimizer=Choice("adamw", lr=2e-3, weight_decay=0.03, beta2=0.95),
        schedule=Choice("cosine"),
        batch_size=256 if facts.n_train > 2_000 else 64,
    )


# -- the user's own ------------------------------------------------------------------------------------------------


def user_recipes(facts: Facts) -> list[Candidate]:
    recipe = Recipe(
        family=Choice("user", factory=facts.factory),
        optimizer=Choice("adamw", lr=1e-3, weight_decay=0.01),
        schedule=Choice("one_cycle", warmup=0.1),
        augment=image_augment(facts, facts.n_train < 10_000) if facts.domain == "image" else (),
        batch_size=128 if facts.n_train > 2_000 else 32,
    )
    return [
        Candidate("yours", recipe, "your network with AdamW"),
        Candidate("yours-higher-lr", recipe.put("optimizer.lr", 3e-3), "three times the learning rate"),
        Candidate("yours-sgd", recipe.put("optimizer", Choice("sgd", lr=0.05, weight_decay=5e-4)), "SGD with momentum"),
    ]
