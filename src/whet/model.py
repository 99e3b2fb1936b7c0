"""(Recipe, data) -> the network: a family's or the user's own, with the recipe's activation, norm and initial weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from whet.activations import ACTIVATIONS
from whet.data.prepared import Transform, input_shape
from whet.data.transforms import TableTransform
from whet.entry import Entry
from whet.errors import RecipeError, WhetError
from whet.families import FAMILIES, InputSpec
from whet.init import INITS
from whet.norm import NORMS
from whet.recipe import OWN, Choice, Recipe
from whet.rng import seed_for
from whet.tasks import Task


@contextlib.contextmanager
def saying_which(choice: Choice) -> Iterator[None]:
    """Turns what a method says of a value that it can't take into one clear RecipeError."""
    try:
        yield
    except (WhetError, MemoryError):
        raise
    except Exception as error:
        why = str(error).strip().split("\n")[0]
        raise RecipeError(
            f"{choice} can't be made here: {type(error).__name__}: {why}.", "Change it in the recipe."
        ) from error


def make_spec(recipe: Recipe, task: Task, transform: Transform) -> InputSpec:
    """What the data demands of the network, and what the recipe puts inside it."""
    activation = ACTIVATIONS["relu" if recipe.activation.name == OWN else recipe.activation.name]
    norm = NORMS["batch" if recipe.norm.name == OWN else recipe.norm.name]
    act_params, norm_params = activation.fill(recipe.activation.params), norm.fill(recipe.norm.params)
    table = transform if isinstance(transform, TableTransform) else None
    dims = 1 if table else 2
    return InputSpec(
        shape=input_shape(transform),
        outputs=task.outputs,
        goal=task.goal,
        activation=lambda: activation.make(**act_params),
        norm=lambda channels: norm.make(channels, dims, **norm_params),
        cardinalities=table.cardinalities if table else (),
        bins=table.bins if table else None,
    )


def make_model(recipe: Recipe, spec: InputSpec, seed: int) -> nn.Module:
    """The recipe's network with its initial weights: the same for the same seed."""
    family = FAMILIES[recipe.family.name]
    params = family.fill(recipe.family.params)
    refuse_family(family, params, spec)
    torch.manual_seed(seed_for(seed, "init"))
    with saying_which(recipe.family):
        model = family.make(spec, **params)
    if recipe.init.name != OWN:
        entry = INITS[recipe.init.name]
        draw = torch.Generator().manual_seed(seed_for(seed, "init", 1))
        with saying_which(recipe.init):
            entry.make(**entry.fill(recipe.init.params))(model, draw)
    return model


def refuse_family(family: Entry[Any], params: Mapping[str, Any], spec: InputSpec) -> None:
    """Raises RecipeError for a network of another kind of data, or one without units."""
    domain = "image" if spec.is_image else "table"
    if not {domain, "any"} & {*family.domains}:
        known = [f.name for f in FAMILIES if {domain, "any"} & {*f.domains}]
        raise RecipeError(
            f"{family.name} takes {family.domains[0]}s, and the data is {'images' if spec.is_image else 'a table'}.",
            f"Choose one of {', '.join(known)}.",
        )
    for name in ("width", "widths"):
        widths = params.get(name, 1)
        if min(widths if isinstance(widths, tuple) else (widths,), default=0) <= 0:
            raise RecipeError(f"{family.name}.{name}={widths} leaves no units.", "Use 1 or more.")
