"""Recipes as parameters: the space around the first recipes, and the recipe that a choice of parameters stands for.

| parameter | meaning |
| --- | --- |
| a recipe's path | "optimizer.lr", "activation", "family.width", …: what is put there; None takes it away |
| start | which of the first recipes is changed; there where they differ in more than numbers and names |
| passes | passes over the training rows, in units of those of the recipe that is changed; sets its steps |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from whet.errors import SearchError
from whet.recipe import Choice, Recipe, as_plain
from whet.search.choices import Categorical
from whet.search.ranges import Float, Int, Number
from whet.search.space import Parameter, Params, Space

START, PASSES = "start", "passes"
LISTS = ("regularise", "augment")
LEAST_STEPS = 10
"""No training is shorter than this."""
BROAD, WIDEST = 10.0, 100.0
"""A learning rate is drawn from a tenth to ten times the first one, and up to a hundred times where an edge is best."""
USUAL = ("relu", "gelu", "silu", "mish", "tanh")
"""Activations that are tried beside a recipe's own and the hinted ones."""
LIKED = 3.0
"""How many times as often what a first recipe has is drawn than another name."""

Range = Callable[[Any], Parameter]


def about(low: float, high: float, *, whole: bool = False) -> Range:
    """The range from low to high times the first value, by the logarithm."""

    def made(value: Any) -> Parameter:
        if whole:
            return Int(max(1, round(value * low)), max(2, round(value * high)), log=True, prior=value)
        return Float(value * low, value * high, log=True, prior=value)

    return made


def rate(value: Any) -> Parameter:
    return Float(value / BROAD, value * BROAD, log=True, prior=value, limits=(value / WIDEST, value * WIDEST))


def share(value: Any) -> Parameter:
    return Float(0.0, max(0.5, value), prior=value)


def layers(value: Any) -> Parameter:
    return Int(max(1, value - 1), value + 2, prior=value)


NUMBERS: Mapping[str, Range] = {
    "optimizer.lr": rate,
    "optimizer.rest_lr": rate,
    "optimizer.weight_decay": about(1 / 30, 30),
    "batch_size": about(1 / 4, 4, whole=True),
    "loss.label_smoothing": lambda value: Float(0.0, max(0.3, value), prior=value),
    "family.dropout": share,
    "family.width": about(1 / 4, 4, whole=True),
    "family.hidden": about(1 / 4, 4, whole=True),
    "family.depth": layers,
    "family.layers": layers,
}
"""Numbers that are searched wherever a recipe names them above zero, or as a share."""
SHARES = ("family.dropout", "loss.label_smoothing")
"""Of these zero is a value like others."""


def around(recipe: Recipe, hinted: Sequence[str] = ()) -> dict[str, Parameter]:
    """What can be searched around a recipe of any field, by path, with its own values as priors."""
    numbers = {path: make(recipe[path]) for path, make in NUMBERS.items() if searchable(path, recipe[path])}
    passes = {PASSES: Float(0.25, 2.0, log=True, prior=1.0)} if recipe.steps else {}
    return {**numbers, **passes, "activation": names(recipe, "activation", (*hinted, *USUAL))}


def holds_shares(path: str) -> bool:
    """Whether numbers there are shares or rates, though a range's ends may be whole: optimizer.lr=0..1."""
    return path == PASSES or (path in NUMBERS and isinstance(NUMBERS[path](1.0), Float))


def searchable(path: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value > 0 or path in SHARES


def names(recipe: Recipe, path: str, others: Sequence[str]) -> Categorical:
    """The recipe's own choice, which is liked, and these."""
    own = str(recipe[path])
    return Categorical([own, *dict.fromkeys(n for n in others if n != own)], weights={own: LIKED})


@dataclass(frozen=True)
class Recipes:
    """A space, and what its choices mean."""

    starts: Mapping[str, Recipe]
    """By name; the first is the default."""
    space: Space

    @classmethod
    def of(cls, starts: Mapping[str, Recipe], ranges: Callable[[Recipe], Mapping[str, Parameter]]) -> Recipes:
        """The space around first recipes: those that differ from the first one in numbers only need no start of their own."""
        (first, recipe), *others = starts.items()
        own = dict(ranges(recipe))
        for _, other in others:
            if other.family.name == recipe.family.name:
                own = {path: stretched(p, value_at(other, path, recipe)) for path, p in own.items()}
        found = cls({first: recipe}, Space(own))
        apart = {name: other for name, other in others if not found.reaches(other)}
        if not apart:
            return found
        kept = {first: recipe, **apart}
        spaces = {first: own, **{name: ranges(other) for name, other in apart.items()}}
        return cls(kept, Space({START: Categorical(list(kept)), **joined(spaces)}))

    @property
    def first(self) -> Recipe:
        return next(iter(self.starts.values()))

    def recipe(self, params: Mapping[str, Any]) -> Recipe:
        """The recipe that these parameters stand for."""
        start = self.starts[params[START]] if START in params else self.first
        recipe = start
        for path in sorted(params.keys() - {START, PASSES}, key=lambda p: (p.count("."), p)):
            recipe = put(recipe, path, params[path])
        if PASSES in params:
            rows = params[PASSES] * start.steps * start.batch_size
            recipe = recipe.put("steps", max(LEAST_STEPS, round(rows / recipe.batch_size)))
        return recipe

    def params(self, recipe: Recipe) -> Params:
        """The choice that comes nearest to a recipe: exactly it, where the space holds it."""
        tried = [self._params(recipe, name) for name in self.starts]
        exact = [params for params in tried if same(self.recipe(params), recipe)]
        return (exact or tried)[0]

    def reaches(self, recipe: Recipe) -> bool:
        """Whether the space holds exactly this recipe."""
        return same(self.recipe(self.params(recipe)), recipe)

    def because(self, params: Mapping[str, Any]) -> str:
        """What a choice changes in the first recipe, in words."""
        edits = self.first.diff(self.recipe(params))
        return ", ".join(f"{e.path} {brief(e.new)}" for e in edits) or "the same again"

    def _params(self, recipe: Recipe, start: str) -> Params:
        def value_of(path: str) -> Any:
            if path == START:
                return start
            return snapped(self.space[path], value_at(recipe, path, self.starts[start]))

        return self.space.assemble(value_of)


def value_at(recipe: Recipe, path: str, start: Recipe) -> Any:
    """What a recipe has for a parameter, as a change of the start."""
    if path == PASSES:
        whole = start.steps * start.batch_size
        return recipe.steps * recipe.batch_size / whole if whole else 1.0
    value = recipe[path]
    return str(value) if isinstance(value, Choice) else value


def put(recipe: Recipe, path: str, value: Any) -> Recipe:
    """The recipe with a value at a path; a name that is there already keeps its parameters."""
    old = recipe[path]
    if old == value or (isinstance(old, Choice) and value is not None and str(old) == str(value)):
        return recipe
    if is_choice(path) and value is not None:
        value = Choice.parse(str(value))
        if value.name == getattr(old, "name", None) and not value.params:
            return recipe
    return recipe.put(path, value)


def is_choice(path: str) -> bool:
    """Whether a method's name is put there: "activation", "augment.flip"."""
    head, *rest = path.split(".")
    return head not in ("batch_size", "steps") and len(rest) == (head in LISTS)


def is_listed(path: str) -> bool:
    """Whether it names one method of a list: "augment.flip"."""
    return is_choice(path) and path.split(".")[0] in LISTS


def same(one: Recipe, other: Recipe) -> bool:
    """Equal but for what counting passes rounds off."""
    near = abs(one.steps - other.steps) <= 1 + 0.001 * other.steps
    return near and one.put("steps", 0) == other.put("steps", 0)


def snapped(parameter: Parameter, value: Any) -> Any:
    """The value, or what of the parameter comes nearest to it."""
    if isinstance(parameter, Categorical):
        return value if value in parameter.choices else parameter.choices[0]
    if value is None:
        return parameter.at(0.5)
    return parameter.check(min(parameter.high, max(parameter.low, value)))


def stretched(parameter: Parameter, value: Any) -> Parameter:
    """A range that holds the value too; other parameters as they are."""
    if not isinstance(parameter, Number) or value is None:
        return parameter
    low, high = min(parameter.low, value), max(parameter.high, value)
    if parameter.log and low <= 0:
        return parameter
    limits = parameter.limits and (min(low, parameter.limits[0]), max(high, parameter.limits[1]))
    return replace(parameter, low=low, high=high, limits=limits)


def brief(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "-" if value is None else str(value)


def joined(spaces: Mapping[str, Mapping[str, Parameter]]) -> dict[str, Parameter]:
    """One space from several starts' own: ranges hold all of theirs, and count only where the start has the path."""
    paths = dict.fromkeys(path for space in spaces.values() for path in space)
    found = {}
    for path in paths:
        own = {name: space[path] for name, space in spaces.items() if path in space}
        wide = widest(list(own.values()))
        found[path] = wide if len(own) == len(spaces) else replace(wide, when={START: tuple(own)})
    return found


def widest(parameters: Sequence[Parameter]) -> Parameter:
    """The first of these, grown until it holds the others."""
    first = parameters[0]
    if isinstance(first, Categorical):
        choices = dict.fromkeys(c for p in parameters if isinstance(p, Categorical) for c in p.choices)
        return Categorical(list(choices), weights={first.choices[0]: LIKED})
    numbers = [p for p in parameters if isinstance(p, Number)]
    for other in numbers:
        first = stretched(stretched(first, other.low), other.high)
    return first


# -- as a user writes it -------------------------------------------------------------------------------------------


def read(given: Mapping[str, Any] | Sequence[str]) -> dict[str, Parameter]:
    """A user's own space: {"activation": ["relu", "gelu"], "optimizer.lr": (1e-4, 1e-1)}, or such lines as
    "optimizer.lr=1e-4..1e-1" and "activation=relu,gelu". Raises SearchError or RecipeError for what makes no sense.
    """
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Mapping | Iterable):
        raise SearchError(f"space={given!r} says no ranges.", 'Write {"optimizer.lr": (1e-4, 1e-1)}.')
    pairs = given.items() if isinstance(given, Mapping) else [split(line) for line in given]
    found: dict[str, Parameter] = {}
    for path, value in pairs:
        if path in found:
            raise SearchError(f"{path} is given twice.", "Name all of its values at once.")
        found[path] = checked(path, parameter(path, value))
    return found


def split(line: str) -> tuple[str, Any]:
    path, equals, value = line.partition("=")
    if not equals or not value.strip():
        raise SearchError(f"{line!r} says no range.", "Write optimizer.lr=1e-4..1e-1 or activation=relu,gelu.")
    low, dots, high = value.partition("..")
    path = path.strip()
    return path, (number(low, line), number(high, line)) if dots else [named(path, v) for v in listed(value)]


def listed(text: str) -> list[str]:
    """What commas part, but for those within brackets."""
    depth, found = 0, [""]
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [piece.strip() for piece in found if piece.strip()]


def named(path: str, text: str) -> int | float | str | None:
    """A number or a name; "none" takes a method out of a list: augment.flip=flip,none."""
    return None if text == "none" and is_listed(path) else worth(text)


def number(text: str, line: str) -> float:
    """An end of a range."""
    found = worth(text.strip())
    if isinstance(found, str) or not math.isfinite(found):
        raise SearchError(
            f"{line!r}: a range goes from a number to a number, and {text.strip()!r} is none.",
            "Write optimizer.lr=1e-4..1e-1, or names with commas between them: activation=relu,gelu.",
        )
    return found


def worth(text: str) -> int | float | str:
    """A number where it is one, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def checked(path: str, found: Parameter) -> Parameter:
    """Raises RecipeError with the nearest names where a recipe has no such place, SearchError for what can't stand there."""
    if path == PASSES:
        return found
    Recipe()[path]
    if path in LISTS:
        raise SearchError(f"{path} is a list of methods.", f"Search one at a time: {path}.NAME=NAME,none")
    if is_choice(path) and isinstance(found, Number):
        raise SearchError(f"{path} is a method's name, and has no range.", f"List names: {path}=one,other")
    return found


BY_LOGARITHM = 10.0
"""A range whose ends differ by this factor or more is spaced by the logarithm."""


def parameter(path: str, value: Any) -> Parameter:
    """A pair of numbers is a range, a list is a choice, a Float, an Int or a Categorical is what it is."""
    if isinstance(value, Number | Categorical):
        return value  # type: ignore[return-value]
    if isinstance(value, tuple) and len(value) == 2 and not any(isinstance(v, str | bool | Choice) for v in value):
        low, high = value
        whole = isinstance(low, int) and isinstance(high, int) and not holds_shares(path)
        kind = Int if whole else Float
        return kind(low, high, log=0 < low <= high / BY_LOGARITHM)
    if isinstance(value, list | tuple) and value:
        return Categorical([plain_choice(path, v) for v in value])
    raise SearchError(f"{path}={value!r} is no range and no list.", "Write (low, high) or [one, other].")


def plain_choice(path: str, value: Any) -> Any:
    """A choice as plain data; None is nothing, where a method of a list can be left out."""
    if value is None and is_listed(path):
        return None
    return str(value) if isinstance(value, Choice) else as_plain(value, path)


def settings(space: Mapping[str, Parameter]) -> dict[str, list[Any]]:
    """path -> every name that may be put there: what can be checked before anything is trained."""
    return {n: list(p.choices) for n, p in space.items() if isinstance(p, Categorical) and n != START}


def ends(space: Mapping[str, Parameter]) -> dict[str, tuple[float, float]]:
    """path -> the least and the most that may be put there, of the ranges."""
    return {n: (p.low, p.high) for n, p in space.items() if isinstance(p, Number) and n != PASSES}
