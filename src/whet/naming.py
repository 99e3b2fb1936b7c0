"""The names in a recipe and in what is to be searched, checked before data is read: a misspelt one costs no waiting."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from whet.activations import ACTIVATIONS
from whet.families import FAMILIES, IGNORED, TREATED, ensemble
from whet.model import STAGES
from whet.recipe import OWN, Choice, Recipe
from whet.search.recipes import is_choice, settings
from whet.search.space import Parameter
from whet.shelf import shelf
from whet.surgery.catalogue import NOWHERE, maker_of

KINDS = {
    "family": "family",
    "activation": "activation",
    "init": "init",
    "norm": "norm",
    "loss": "loss",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "regularise": "regulariser",
    "augment": "augmentation",
}
"""A recipe's field -> the shelf that its names stand on."""


def check_recipe(recipe: Recipe) -> None:
    """Raises UnknownName for a method that there is not, RecipeError for a parameter that a method doesn't have."""
    for where in KINDS:
        check(where, recipe[where])


def check_space(space: Mapping[str, Parameter]) -> None:
    """The same of all that may be put into a recipe."""
    for path, values in settings(space).items():
        if is_choice(path):
            for value in values:
                check(path.split(".")[0], None if value is None else Choice.parse(str(value)))


def check(where: str, said: Any) -> None:
    """The same of a choice, or a list of choices, for one field of a recipe. None is nothing, and is fine."""
    for choice in said if isinstance(said, tuple) else () if said is None else (said,):
        if where == "activation":
            check_activation(choice)
        elif not elsewhere(where, choice.name):
            found = shelf(KINDS[where])
            assert found is not None
            found[choice.name].fill(choice.params)


def elsewhere(where: str, name: str) -> bool:
    """Whether a name stands on no shelf: what the network has, the task's loss, one in the user's file, an ensemble."""
    if where == "loss":
        return name == "auto" or ":" in name
    return name == OWN or (where, name) == ("family", ensemble.NAME)


def canonical(recipe: Recipe) -> Recipe:
    """The recipe with the catalogues' own names in place of aliases, and without what its family ignores: equal ones
    train the same."""
    for where in KINDS:
        said = recipe[where]
        named = tuple(_own_name(where, c) for c in said) if isinstance(said, tuple) else _own_name(where, said)
        recipe = recipe.put(where, named)
    for where, families in IGNORED.items():
        recipe = recipe.put(where, Choice(OWN)) if recipe.family.name in families else recipe
    return recipe


def without_effect(recipe: Recipe) -> list[str]:
    """What a recipe says to no purpose, a sentence each: a part that its family has no place for, or nothing to treat."""
    family = recipe.family.name
    found = [
        f"{where} = {recipe[where]} changes nothing: the family {family} has no place for it."
        for where, families in IGNORED.items()
        if family in families and recipe[where].name not in (OWN, "none")
    ]
    what, instead, families = TREATED.get(_own_name("init", recipe.init).name, ("", "", {family}))
    if family in FAMILIES.names and family not in {"user", *families}:
        found.append(f"init = {recipe.init} finds no {what} in the family {family}: it draws as init = {instead} does.")
    return found


def _own_name(where: str, choice: Choice) -> Choice:
    known = shelf(KINDS[where])
    return Choice(known[choice.name].name, choice.params) if known and choice.name in known else choice


def check_activation(choice: Choice) -> None:
    """A name, a formula, or one of these for each stage."""
    if choice.name == STAGES:
        for one in choice.params.get("of", ()):  # type: ignore[union-attr]
            check_activation(Choice.parse(str(one)))
    elif choice.name != OWN:
        made = maker_of(choice).make
        if choice.name not in ACTIVATIONS:  # a formula is read when it is made
            with warnings.catch_warnings():  # of its poles: said when it is put to use
                warnings.simplefilter("ignore")
                made(NOWHERE)
