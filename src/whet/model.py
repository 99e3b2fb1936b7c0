"""(Recipe, data) -> the network: a family's or the user's own, with the recipe's activation, norm and initial weights."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from whet import init, surgery
from whet.data.prepared import Transform
from whet.entry import Entry
from whet.errors import RecipeError, WhetError
from whet.families import FAMILIES, InputSpec, ensemble
from whet.init import INITS
from whet.norm import NORMS, complete
from whet.recipe import OWN, Choice, Recipe
from whet.rng import seed_for
from whet.surgery.catalogue import maker, needs_place
from whet.tasks import Task, goal


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
    chosen = inside(recipe, 2 if len(transform.shape) == 3 else 1)
    return InputSpec(outputs=task.outputs, goal=task.goal, **chosen, **transform.spec())


def inside(recipe: Recipe, dims: int) -> dict[str, Any]:
    """The activation and the norm that the recipe puts into a network on images (2) or rows (1)."""
    norm = NORMS["batch" if recipe.norm.name == OWN else recipe.norm.name]
    params = norm.fill(recipe.norm.params)
    return {
        "activation": maker(recipe.activation) if at_once(recipe) else nn.ReLU,
        "norm": lambda channels: norm.make(channels, dims, **params),
    }


def at_once(recipe: Recipe) -> bool:
    """Whether a family of ours is made with the activation in it, instead of getting it by surgery afterwards.

    Surgery runs the network to see what it computes, which takes a part of a second: it is for the user's networks, and
    for activations that depend on the place that they get. For our families both ways give the same (a test compares).
    """
    choice = recipe.activation
    return recipe.family.name != "user" and choice.name not in (OWN, STAGES) and not needs_place(choice)


Sample = tuple[Tensor, ...]


def make_model(recipe: Recipe, spec: InputSpec, seed: int, look: Callable[[], Sample] | None = None) -> nn.Module:
    """The recipe's network with its initial weights: the same for the same seed.

    `look` gives a batch of training rows as the network takes them, for an initialisation that looks at data.
    """
    if recipe.family.name == ensemble.NAME:
        return pooled(recipe, spec, seed)
    family = FAMILIES[recipe.family.name]
    params = family.fill(recipe.family.params)
    refuse_family(family, params, spec)
    torch.manual_seed(seed_for(seed, "init"))
    with saying_which(recipe.family):
        model = family.make(spec, **params)
    if recipe.family.name == "user" and recipe.norm.name != OWN:
        with saying_which(recipe.norm):
            replace_norms(model, recipe.norm)
    if recipe.norm.name != OWN:
        complete(recipe.norm.name, model)
    if recipe.activation.name != OWN and not at_once(recipe):
        with saying_which(recipe.activation):
            replace_activations(model, recipe.activation, sample_of(spec))
    if recipe.init.name != OWN:
        with saying_which(recipe.init):
            drawn = draw_weights(model, recipe.init, seed, look or functools.partial(sample_of, spec))
        if not drawn:
            raise RecipeError(
                f"The initialisation {recipe.init} finds nothing to draw in {recipe.family.name}.",
                'Write init = "own".',
            )
    return model


def pooled(recipe: Recipe, spec: InputSpec, seed: int) -> nn.Module:
    """The network of an ensemble's recipe: its members side by side."""
    pool = goal(spec.goal).pooled
    if pool is None:
        raise RecipeError(f"Networks whose goal is to {spec.goal} are not pooled.", "Leave the ensemble out.")
    dims = 2 if spec.is_image else 1
    own = ensemble.members_of(recipe)
    members = [make_model(one, dataclasses.replace(spec, **inside(one, dims)), seed) for one in own]
    return ensemble.Ensemble(members, ensemble.shares_of(recipe), pool)


def draw_weights(model: nn.Module, choice: Choice, seed: int, look: Callable[[], Sample]) -> bool:
    """Draw the initial weights anew, as the recipe says. False if there is no weight that this may draw."""
    entry = INITS[choice.name]
    versions = {p: p._version for p in model.parameters()}
    params = entry.fill(choice.params)
    draw = torch.Generator().manual_seed(seed_for(seed, "init", 1))
    if entry.name in init.LOOKING:
        getattr(init, f"{entry.name}_")(model, look(), draw, **params)
    else:
        entry.make(**params)(model, draw)
    return any(p._version != versions.get(p) for p in model.parameters())


def replace_norms(model: nn.Module, choice: Choice) -> None:
    """The recipe's norm in place of every one of the network; its parameters stay at their defaults."""
    if choice.params:
        raise RecipeError(
            f"{choice}: in a network of your own a norm has its defaults.", f'Write norm = "{choice.name}".'
        )
    surgery.replace_norms(model, choice.name, inplace=True)


STAGES = "stages"
"""Choice(STAGES, of=("relu", "elu(alpha=0.5)")): an activation for each part of the network, from its input on."""


def replace_activations(model: nn.Module, choice: Choice, sample: Sample) -> surgery.Changes:
    """The recipe's activation in place of every one that the network computes."""
    if choice.name != STAGES:
        return surgery.replace_activations(model, choice, sample=sample, inplace=True)[1]
    of = choice.params.get("of")
    if set(choice.params) != {"of"} or not isinstance(of, tuple) or not of:
        raise RecipeError(f"{choice} names no activation for each stage.", 'Write of = ["relu", "gelu"].')
    places = [p for p in surgery.find(model, sample) if p.role == "activation"]
    part = {p.where: of_stage(p, places, len(of)) for p in places}
    table = {
        functools.partial(_is_in, part, i): Choice.parse(str(new)) for i, new in enumerate(of) if i in part.values()
    }
    return surgery.replace_activations(model, table, sample=sample, inplace=True)[1]


def _is_in(part: Mapping[str, int], i: int, place: surgery.Place) -> bool:
    return part.get(place.where) == i


def of_stage(place: surgery.Place, places: Sequence[surgery.Place], parts: int) -> int:
    """Which of so many equal parts of the network the place is in: by its stages, or by its order if these are fewer."""
    stages = 1 + max(p.stage for p in places)
    if stages >= parts:
        return place.stage * parts // stages
    return next(i for i, p in enumerate(places) if p.where == place.where) * parts // len(places)


def sample_of(spec: InputSpec) -> Sample:
    """Two examples of the network's input, as surgery needs them to see what it computes."""
    if spec.example is not None:
        return spec.example()
    numbers = torch.randn(2, *spec.shape, generator=torch.Generator().manual_seed(0))
    return (numbers,) if spec.is_image else (numbers, torch.zeros(2, len(spec.cardinalities), dtype=torch.int64))


def refuse_family(family: Entry[Any], params: Mapping[str, Any], spec: InputSpec) -> None:
    """Raises RecipeError for a network of another kind of data, or one without units."""
    domain = spec.domain or ("image" if spec.is_image else "table")
    if not {domain, "any"} & {*family.domains}:
        known = [f.name for f in FAMILIES if {domain, "any"} & {*f.domains}]
        raise RecipeError(
            f"{family.name} takes data of the kind {' or '.join(family.domains)}, and this is of the kind {domain}.",
            f"Choose one of {', '.join(known)}.",
        )
    for name in ("width", "widths"):
        widths = params.get(name, 1)
        if min(widths if isinstance(widths, tuple) else (widths,), default=0) <= 0:
            raise RecipeError(f"{family.name}.{name}={widths} leaves no units.", "Use 1 or more.")
