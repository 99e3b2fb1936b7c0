"""Remedies for recipes: what was found in a trial -> edits worth trying, each with its reason. Pure: nothing is trained.

The strongest change of the surest finding comes first. Factors are conventions: a step of the size that a person would
take, whose result is then measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from whet.families import FAMILIES
from whet.optim import OPTIMIZERS
from whet.recipe import Choice, Edit, Recipe
from whet.record import Finding
from whet.setups.lengths import USUAL, USUAL_PLAIN, rounded

LOWER, HIGHER = 0.3, 3.0
"""Of a learning rate, at least."""
FAR = 1e-3
"""The most that a single edit lowers a learning rate by, and its inverse the most that it raises it by."""
PLAIN = ("gd", "sgd")
"""Their steps are as long as their gradients."""
MORE_DROPOUT, MOST_DROPOUT = 0.2, 0.5
MORE_DECAY = 3.0
NEXT = 0.8
"""What a finding's second remedy is worth beside its first, and so on."""
SYMPTOMS = {"never learned": 0.4, "learns too little": 0.4}
"""What is certain and says nothing of the cause: worth so much beside a finding that names one."""
CLIP_AT = 1.0
USUAL_BATCH = 64
SMOOTH, SLOPED = Choice("gelu"), Choice("leaky_relu")

Change = tuple[str, Any]
"""(path, new value); None takes it away."""
RecipeRemedy = Callable[[Finding, Recipe], Iterator[Change]]


def recipe_edits(findings: Sequence[Finding], recipe: Recipe) -> list[Edit]:
    """What to try on a recipe in whose trial these were found, the most promising first; each edit stands alone.

    Only what the recipe's own methods can take. Empty where nothing that was found has a remedy.
    """
    found: dict[tuple[str, str], tuple[float, Edit]] = {}
    for finding in findings:
        sure = finding.confidence * SYMPTOMS.get(finding.name, 1.0)
        for place, (path, new) in enumerate(changes(finding, recipe)):
            edit, worth = Edit(path, recipe[path], new, finding.cause), sure * NEXT**place
            key = path, str(new)
            if edit.old != new and worth > found.get(key, (0.0, edit))[0]:
                found[key] = worth, edit
    return [edit for _, edit in sorted(found.values(), key=lambda each: -each[0])]


def changes(finding: Finding, recipe: Recipe) -> Iterator[Change]:
    """A finding's remedies in order."""
    for remedy in RECIPE_REMEDIES.get(finding.name, ()):
        yield from remedy(finding, recipe)


# -- the steps -----------------------------------------------------------------------------------------------------


def set_in(recipe: Recipe, name: str) -> Any:
    """A number of the optimiser: the recipe's, or its catalogue's; None where it has none."""
    said = recipe[f"optimizer.{name}"]
    return OPTIMIZERS[recipe.optimizer.name].defaults.get(name) if said is None else said


def lower_rate(finding: Finding, recipe: Recipe) -> Iterator[Change]:
    """By what the measured step is longer than a usual one, within limits; else to a third."""
    lr = set_in(recipe, "lr")
    if lr:
        yield "optimizer.lr", rounded(lr * min(LOWER, max(FAR, too_short_by(finding, recipe))))


def higher_rate(finding: Finding, recipe: Recipe) -> Iterator[Change]:
    """By what the measured step is shorter than a usual one, within limits; else to three times as much."""
    lr = set_in(recipe, "lr")
    if lr:
        yield "optimizer.lr", rounded(lr * max(HIGHER, min(1 / FAR, too_short_by(finding, recipe))))


def too_short_by(finding: Finding, recipe: Recipe) -> float:
    """A usual step's length over the measured one's; 1 where none was measured."""
    step = finding.evidence.get("step")
    usual = USUAL_PLAIN if recipe.optimizer.name in PLAIN else USUAL
    return usual / step if step else 1.0


def clip(_: Finding, recipe: Recipe) -> Iterator[Change]:
    old = recipe["regularise.clip"]
    if old is None:
        yield "regularise.clip", Choice("clip", max_norm=CLIP_AT)
    else:
        yield "regularise.clip.max_norm", (old.params.get("max_norm") or CLIP_AT) / 2


def warm_up(_: Finding, recipe: Recipe) -> Iterator[Change]:
    if not recipe["schedule.warmup"]:
        yield "schedule.warmup", 0.1


def adaptive(_: Finding, recipe: Recipe) -> Iterator[Change]:
    if recipe.optimizer.name in ("gd", "sgd", "adagrad"):
        yield "optimizer", Choice("adamw", lr=1e-3)


def usual_memory(_: Finding, recipe: Recipe) -> Iterator[Change]:
    for name in ("momentum", "beta1"):
        if set_in(recipe, name) is not None:
            yield f"optimizer.{name}", 0.9


def longer(_: Finding, recipe: Recipe) -> Iterator[Change]:
    if recipe.steps:
        yield "steps", 2 * recipe.steps


def shorter(_: Finding, recipe: Recipe) -> Iterator[Change]:
    if recipe.steps > 1:
        yield "steps", recipe.steps // 2


def usual_batch(_: Finding, recipe: Recipe) -> Iterator[Change]:
    yield "batch_size", USUAL_BATCH


def half_batch(_: Finding, recipe: Recipe) -> Iterator[Change]:
    if recipe.batch_size > 1:
        yield "batch_size", recipe.batch_size // 2


# -- the network ---------------------------------------------------------------------------------------------------


def drawn_by_theory(_: Finding, recipe: Recipe) -> Iterator[Change]:
    yield "init", Choice("auto")


def smooth(_: Finding, recipe: Recipe) -> Iterator[Change]:
    yield "activation", SMOOTH


def sloped(_: Finding, recipe: Recipe) -> Iterator[Change]:
    yield "activation", SLOPED


def normed(_: Finding, recipe: Recipe) -> Iterator[Change]:
    if recipe.norm.name == "none":
        yield "norm", Choice("batch")


def wider(_: Finding, recipe: Recipe) -> Iterator[Change]:
    width = in_family(recipe, "width")
    if isinstance(width, int):
        yield "family.width", 2 * width


def narrower(_: Finding, recipe: Recipe) -> Iterator[Change]:
    width = in_family(recipe, "width")
    if isinstance(width, int) and width > 8:
        yield "family.width", width // 2


def in_family(recipe: Recipe, name: str) -> Any:
    """A number of the network: the recipe's, or its catalogue's; None where it has none."""
    said = recipe[f"family.{name}"]
    return FAMILIES[recipe.family.name].defaults.get(name) if said is None else said


# -- what holds it back --------------------------------------------------------------------------------------------


def more_dropout(_: Finding, recipe: Recipe) -> Iterator[Change]:
    old = in_family(recipe, "dropout")
    if old is not None and old < MOST_DROPOUT:
        yield "family.dropout", min(MOST_DROPOUT, old + MORE_DROPOUT)


def less_dropout(_: Finding, recipe: Recipe) -> Iterator[Change]:
    if in_family(recipe, "dropout"):
        yield "family.dropout", 0.0


def more_decay(_: Finding, recipe: Recipe) -> Iterator[Change]:
    old = set_in(recipe, "weight_decay")
    if old is not None:
        yield "optimizer.weight_decay", float(f"{MORE_DECAY * old:.3g}") if old else 1e-4


def less_decay(_: Finding, recipe: Recipe) -> Iterator[Change]:
    old = set_in(recipe, "weight_decay")
    if old:
        yield "optimizer.weight_decay", float(f"{old / 10:.3g}")


def no_penalty(_: Finding, recipe: Recipe) -> Iterator[Change]:
    for name in ("l1", "l2"):
        if recipe[f"regularise.{name}"] is not None:
            yield f"regularise.{name}", None


def entropy(_: Finding, recipe: Recipe) -> Iterator[Change]:
    yield "loss", Choice("cross_entropy")


RECIPE_REMEDIES: Mapping[str, tuple[RecipeRemedy, ...]] = {
    "diverged": (lower_rate, clip, warm_up, normed),
    "learning rate too high": (lower_rate, warm_up, clip),
    "unsteady loss": (lower_rate, clip, warm_up),
    "dying units": (lower_rate, sloped, smooth),
    "wild momentum": (usual_memory, lower_rate),
    "learning rate too low": (higher_rate, adaptive, longer),
    "optimiser too slow": (adaptive, higher_rate),
    "never learned": (higher_rate, lower_rate, drawn_by_theory, less_decay),
    "learns too little": (higher_rate, lower_rate, drawn_by_theory, less_decay),
    "too few steps": (longer, higher_rate),
    "short of time": (higher_rate, narrower),
    "overfitting": (more_dropout, more_decay, shorter, narrower),
    "over-fitting": (more_dropout, more_decay, shorter, narrower),
    "batch too small": (usual_batch, lower_rate),
    "batch too large": (usual_batch, higher_rate),
    "out of memory": (half_batch, narrower),
    "weights that are all alike": (drawn_by_theory,),
    "initial weights far too large": (drawn_by_theory, normed),
    "initial weights far too small": (drawn_by_theory, normed),
    "vanishing signal": (drawn_by_theory, normed, smooth),
    "deep and squashing": (smooth, drawn_by_theory, normed),
    "dead units from the start": (drawn_by_theory, sloped),
    "activation that grows without bound": (smooth, normed),
    "bottleneck": (wider,),
    "weight decay too strong": (less_decay,),
    "penalty stronger than the data": (no_penalty,),
    "dropout too strong": (less_dropout,),
    "squared error for classes": (entropy,),
    "absolute error for classes": (entropy,),
}
"""Finding's name -> what is done about it, the most promising first."""
