"""What to try first in place of a recipe's activation: from signs in the data, before anything trains.

A prior says in which order things are tried, and why; what training measures overrules it. The order was set by
`benchmarks/activations_by_data.py` on validation rows: mean error beside relu's, three seeds, in docs/log.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from whet.data.core import Profile, Row, Section
from whet.data.signs import Signs
from whet.recipe import Choice, Recipe
from whet.search.first import Candidate

WAVED = 0.1
"""Share of the target's variance that waves over one column explain, from which on it is taken to swing."""


@dataclass(frozen=True)
class Hint:
    """An activation worth trying, and why."""

    activation: Choice
    because: str


def hints(signs: Signs, domain: str) -> tuple[Hint, ...]:
    """Activations to try beside a recipe's own, the most promising first."""
    if domain == "image":
        return (
            Hint(Choice("silu"), "smooth like gelu, and cheaper"),
            Hint(Choice("relu"), "the cheapest: more passes in the same time"),
        )
    steep = Hint(Choice("squared_relu"), "columns multiply where a squared function meets them")
    swinging = Hint(Choice("snake"), "monotone with ripples: it bends more often than relu")
    if signs.wave >= WAVED:
        said = f"the target swings with {signs.waved!r}, and smooth functions follow a swing with fewer units"
        return (Hint(Choice("tanh"), said), Hint(Choice("silu"), said), steep, swinging)
    return (steep, swinging, Hint(Choice("prelu"), "relu with a slope that is learned on its negative side"))


def candidates(recipe: Recipe, given: tuple[Hint, ...]) -> list[Candidate]:
    """The recipe with each of these activations that it doesn't have yet."""
    others = [h for h in given if h.activation.name != recipe.activation.name]
    return [
        Candidate(f"activation-{h.activation.name}", recipe.put("activation", h.activation), h.because) for h in others
    ]


def told(profile: Profile, signs: Signs, domain: str) -> Profile:
    """The profile with the signs, and the activations that they suggest."""
    rows = [Row("zeros", f"{signs.zeros:.0%} of all {'pixel values' if domain == 'image' else 'numbers'}")]
    if domain != "image":
        waved = f"{signs.waved!r}: {signs.wave:.0%} of the target beyond a smooth curve"
        rows += [
            Row("below zero", f"{signs.negative:.0%} of all numbers"),
            Row("tails", f"excess kurtosis {signs.tails:.1f}"),
            Row("waves", waved if signs.wave >= WAVED else "none"),
        ]
    rows += [Row(f"try {i}", h.activation.name, h.because) for i, h in enumerate(hints(signs, domain), 1)]
    section = Section("Activation (training part)", tuple(rows))
    return Profile(profile.name, (*profile.sections, section), profile.findings)
