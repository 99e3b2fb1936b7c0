"""From what was asked to arms: recipes that differ in one choice, or in a grid of two, and in nothing else."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whet import naming
from whet.errors import RecipeError, UserError
from whet.optim import OPTIMIZERS
from whet.recipe import OWN, Choice, Recipe, show
from whet.search.recipes import LISTS, is_choice

MOST_PATHS = 2
"""A grid of more is a search."""
BASE = "base"
"""The word for what the recipe has already."""
NONE = "none"
AND = " · "
"""Between the choices of a grid's arm."""
NUMBERS = ("batch_size",)
BUDGETS = ("steps",)
"""Paths that say how long a training is: equal in all arms."""
RATE = "optimizer.lr"


@dataclass(frozen=True)
class Arm:
    """One of the recipes that are compared."""

    name: str
    values: Mapping[str, str]
    """path -> its value here, as a person writes it."""
    recipe: Recipe


def arms_of(base: Recipe, asked: Mapping[str, Sequence[Any]]) -> tuple[Arm, ...]:
    """One arm per combination of the choices, the first of each path in the first arm.

    Raises UserError for too few choices or too many paths, RecipeError for a path that the recipe doesn't have.
    """
    check(asked)
    values = {path: [value_at(base, path, said) for said in choices] for path, choices in asked.items()}
    made = [
        _arm(base, dict(zip(values, combination, strict=True))) for combination in itertools.product(*values.values())
    ]
    return tuple(_told_apart(made))


def asked_for(named: Mapping[str, str], more: Sequence[str]) -> dict[str, list[str]]:
    """What a command line asked for: name -> "relu,gelu", and "path=a,b" texts. Raises UserError for a text without "="."""
    found = {path: split(text) for path, text in named.items()}
    for text in more:
        path, equals, choices = text.partition("=")
        if not equals or not path.strip():
            raise UserError(f"--set {text!r} names no path and choices.", "Write --set optimizer.lr=1e-3,1e-2")
        if path.strip() in found:
            raise UserError(f"{path.strip()} is given twice.", "Name all of its choices at once.")
        found[path.strip()] = split(choices)
    return found


def check(asked: Mapping[str, Sequence[Any]]) -> None:
    """Raises UserError where there is nothing to compare, or too much."""
    if not isinstance(asked, Mapping) or not all(isinstance(path, str) for path in asked):
        raise UserError(f"choices={asked!r} name no path.", 'Write {"activation": ["relu", "gelu"]}.')
    if not asked:
        raise UserError("Nothing is to be compared.", "For example: --activation relu,gelu")
    for path, choices in asked.items():
        if path in BUDGETS:
            raise UserError(f"{path} is how long each training is, and equal in all arms.", "Compare another choice.")
        if isinstance(choices, str) or not isinstance(choices, Sequence):
            raise UserError(f"{path}={choices!r} is no list of choices.", 'Write {"activation": ["relu", "gelu"]}.')
    if len(asked) > MOST_PATHS:
        raise UserError(
            f"{', '.join(asked)} are {len(asked)} paths: a grid has at most {MOST_PATHS}.",
            "Compare some of them first.",
        )
    if sum(len(choices) > 1 for choices in asked.values()) == 0 or not all(asked.values()):
        said = "; ".join(f"{path}: {', '.join(map(show, choices)) or 'nothing'}" for path, choices in asked.items())
        raise UserError(
            f"One arm alone can't be compared ({said}).", "Give two choices or more, with commas between them."
        )
    check_names(asked)


def check_names(asked: Mapping[str, Sequence[Any]]) -> None:
    """Raises RecipeError for a path that no recipe has, UnknownName for a method that there is not: whatever the data is."""
    for path, choices in asked.items():
        Recipe()[path]
        for said in choices if path in naming.KINDS or is_choice(path) else ():
            naming.check(path.split(".")[0], value_at(Recipe(), path, said))


def value_at(base: Recipe, path: str, said: Any) -> Any:
    """What a person wrote for a path, as a recipe holds it. Raises RecipeError for a path that the recipe doesn't have."""
    old, head = base[path], path.split(".")[0]
    if said == BASE:
        return old
    whole = path == head
    if head in LISTS and whole:
        return tuple(_method(name, old) for name in _methods(said))
    if head in LISTS and path.count(".") == 1:
        return None if said in (NONE, None) else _method(said, base[head])
    if whole and head not in NUMBERS:
        return _method(said, (old,))
    if isinstance(base[head], Choice) and base[head].name == OWN:
        raise RecipeError(
            f"{path} is a parameter of {head}, which is the network's own here.",
            f"Name one with --recipe, or --{head}.",
        )
    return None if said == NONE else literal(said)


def _methods(said: Any) -> Sequence[Any]:
    """The items of a list: "flip+crop(pad=2)", "none", or what is a list already."""
    if isinstance(said, str):
        return () if said == NONE else split(said, "+")
    return said if isinstance(said, Sequence) else (said,)


def _method(said: Any, known: Sequence[Choice]) -> Choice:
    """A choice; the name alone of one that the recipe has keeps the parameters that it has there."""
    choice = said if isinstance(said, Choice) else Choice.parse(str(said))
    own = next((c for c in known if c.name == choice.name), None)
    return own if own is not None and not choice.params else choice


def literal(said: Any) -> Any:
    """A number or a truth value from text that is one; other text and all else as it is."""
    if not isinstance(said, str):
        return said
    try:
        return json.loads(said)
    except ValueError:
        pass
    try:
        return float(said)
    except ValueError:
        return said


def split(text: str, at: str = ",") -> list[str]:
    """The pieces between commas that stand in no bracket.

    >>> split("relu, leaky_relu(slope=0.2), max(x, 0)")
    ['relu', 'leaky_relu(slope=0.2)', 'max(x, 0)']
    """
    pieces, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == at and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece.strip() for piece in pieces if piece.strip()]


def _arm(base: Recipe, values: Mapping[str, Any]) -> Arm:
    recipe = base
    for path, value in values.items():
        recipe = recipe.put(path, value)
    said = {path: _in_words(path, value) for path, value in values.items()}
    return Arm(AND.join(said.values()), said, recipe)


def _in_words(path: str, value: Any) -> str:
    """A method by its name alone where that says it all; a number with its path's last word."""
    if isinstance(value, tuple):
        return "+".join(c.name for c in value) or NONE
    if isinstance(value, Choice):
        return value.name
    return f"{path.split('.')[-1]} {show(value)}"


def _told_apart(arms: Sequence[Arm]) -> list[Arm]:
    """Arms of the same name get their parameters into it, and numbers where that is the same too."""
    names = Counter(arm.name for arm in arms)
    longer = [_full(arm) if names[arm.name] > 1 else arm for arm in arms]
    seen: Counter[str] = Counter()
    found = []
    for arm in longer:
        seen[arm.name] += 1
        name = arm.name if seen[arm.name] == 1 else f"{arm.name} ({seen[arm.name]})"
        found.append(Arm(name, arm.values, arm.recipe))
    return found


def _full(arm: Arm) -> Arm:
    said = {path: _whole(arm.recipe[path]) if "." not in path else arm.values[path] for path in arm.values}
    return Arm(AND.join(said.values()), said, arm.recipe)


def _whole(value: Any) -> str:
    return "+".join(map(str, value)) or NONE if isinstance(value, tuple) else str(value)


def repeats(arms: Sequence[Arm]) -> list[str]:
    """A sentence for each arm that is the recipe of one before it: that was asked for as a check, or was a slip."""
    first: dict[Recipe, str] = {}
    found = []
    for arm in arms:
        recipe = naming.canonical(arm.recipe)
        if recipe in first:
            found.append(
                f"{first[recipe]} and {arm.name} are one recipe: a check of the experiment itself, which should find no "
                "difference."
            )
        first.setdefault(recipe, arm.name)
    return found


def to_no_purpose(arms: Sequence[Arm]) -> list[str]:
    """A sentence for each choice that its arm's family has no place for, or that finds nothing to treat there."""
    return list(dict.fromkeys(sentence for arm in arms for sentence in naming.without_effect(arm.recipe)))


# -- learning rates ------------------------------------------------------------------------------------------------


def rate_of(recipe: Recipe) -> float:
    """The learning rate that it trains with: its own, or its optimiser's default."""
    said = recipe[RATE]
    return float(OPTIMIZERS[recipe.optimizer.name].defaults["lr"] if said is None else said)


def at_rate(recipe: Recipe, factor: float) -> Recipe:
    """The recipe with its learning rates times a factor: that of the weights outside the main group (`rest_lr`) too."""
    if factor == 1:
        return recipe
    defaults = OPTIMIZERS[recipe.optimizer.name].defaults
    for name in ("lr", "rest_lr"):
        if name in defaults:
            old = recipe[f"optimizer.{name}"]
            recipe = recipe.put(f"optimizer.{name}", float(defaults[name] if old is None else old) * factor)
    return recipe
