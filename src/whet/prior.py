"""What to try first: activations by signs in the data, and a start for a deep network by theory, before anything trains.

A prior says in which order things are tried, and why; what training measures overrules it. The activations' order was set
by `benchmarks/activations_by_data.py` on validation rows: mean error beside relu's, three seeds, in docs/log.md.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from whet import surgery, theory
from whet.data.core import Profile, Row, Section
from whet.data.signs import Signs
from whet.errors import UserError
from whet.init import auto_
from whet.recipe import Choice, Recipe
from whet.search.first import FEW_ROWS, Candidate

WAVED = 0.1
"""Share of the target's variance that waves over one column explain, from which on it is taken to swing."""


@dataclass(frozen=True)
class Hint:
    """An activation worth trying, and why."""

    activation: Choice
    because: str


def hints(signs: Signs, domain: str, goal: str, rows: int) -> tuple[Hint, ...]:
    """Activations to try beside a recipe's own, the most promising first, for so many training rows."""
    if domain == "image":
        return (
            Hint(Choice("silu"), "smooth like gelu, and cheaper"),
            Hint(Choice("relu"), "the cheapest: more passes in the same time"),
        )
    if domain != "table":
        return ()
    steep = Hint(Choice("squared_relu"), "columns multiply where a squared function meets them")
    calm = Hint(Choice("tanh"), "bounded and smooth: single rows pull less")
    if rows >= FEW_ROWS:
        return (steep, calm) if goal == "classify" else ()  # on california-housing relu was better by 5 to 12 %
    if signs.wave >= WAVED:
        said = f"the target swings with {signs.waved!r}, and a smooth function follows a swing with fewer units"
        return (Hint(Choice("tanh"), said), Hint(Choice("silu"), said))
    return (steep, calm, Hint(Choice("snake"), "monotone with ripples: it bends more often than relu"))


def candidates(recipe: Recipe, given: tuple[Hint, ...]) -> list[Candidate]:
    """The recipe with each of these activations that it doesn't have yet."""
    others = [h for h in given if h.activation.name != recipe.activation.name]
    return [
        Candidate(f"activation-{h.activation.name}", recipe.put("activation", h.activation), h.because) for h in others
    ]


TORCH_SIGMA_W = 3**-0.5
"""Of torch's own initial weights, uniform in +-1/sqrt(fan in): their standard deviation times sqrt(fan in)."""


@dataclass(frozen=True)
class Plain:
    """The longest way through a network without norms, and what mean-field theory says of its start."""

    layers: int
    """Activations in a row."""
    function: str
    """The most frequent of them."""
    verdict: str
    """"carries", "faint" or "lost"; empty where the function is beyond theory."""
    share: float = 0.0
    """What is left of signal or gradient, the weaker of the two."""


def plain_way(model: nn.Module, sample: tuple[Tensor, ...]) -> Plain | None:
    """The network's longest way without norms; None where it is too short to need another start."""
    report = auto_(copy.deepcopy(model), sample)
    if not report.shaped:
        return None
    counted = Counter(p.what for p in surgery.find(model, sample) if p.role == "activation")
    function = counted.most_common(1)[0][0]
    try:
        found = theory.analyse(function).forecast(report.depth, TORCH_SIGMA_W)
    except UserError:
        return Plain(report.depth, function, "")
    return Plain(report.depth, function, found.verdict, found.strength)


def started(users: list[Candidate], look: Callable[[], Plain | None]) -> list[Candidate]:
    """The candidates for a user's network with one that starts by theory: in front where the network's own start is lost."""
    try:
        way = look()
    except UserError:  # a network that surgery can't follow trains all the same
        return users
    if way is None:
        return users
    said = f"{way.layers} {way.function} layers without a norm in a row"
    if way.verdict:
        said += f": of signal and gradient torch's own start carries {way.share:.1g}, by theory"
    first = users[0]
    other = Candidate(f"{first.name}-started", first.recipe.put("init", Choice("auto")), said)
    if way.verdict == "lost":
        return [other, *users] if len(users) > 1 else [other]
    return [*users, other] if len(users) > 1 else users


def told(profile: Profile, signs: Signs, given: tuple[Hint, ...], domain: str) -> Profile:
    """The profile with the signs, and the activations that they suggest."""
    rows = [Row("zeros", f"{signs.zeros:.0%} of all {'pixel values' if domain == 'image' else 'numbers'}")]
    if domain != "image":
        waved = f"{signs.waved!r}: {signs.wave:.0%} of the target beyond a smooth curve"
        rows += [
            Row("below zero", f"{signs.negative:.0%} of all numbers"),
            Row("tails", f"excess kurtosis {signs.tails:.1f}"),
            Row("waves", waved if signs.wave >= WAVED else "none"),
        ]
    rows += [Row(f"try {i}", h.activation.name, h.because) for i, h in enumerate(given, 1)]
    section = Section("Activation (training part)", tuple(rows))
    return Profile(profile.name, (*profile.sections, section), profile.findings)
