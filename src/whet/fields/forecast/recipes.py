"""First recipes for forecasts: what is strong on its own for this many windows, this horizon and this time."""

from __future__ import annotations

from collections.abc import Iterator

from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts

PASSES = 6
BATCH = 32
FEW = 2_000
"""Windows and channels below which a pass is short: more of them, and weights shrunk."""


def series_recipes(facts: Facts) -> list[Candidate]:
    return [Candidate("rlinear", linear(facts), "one linear map on windows in units of their own spread")]


def linear(facts: Facts) -> Recipe:
    batch = max(1, min(BATCH, facts.n_train // 8))
    steps = max(300, PASSES * facts.n_train // batch)
    return Recipe(
        family=Choice("series_linear", form="rlinear"),
        activation=Choice("relu"),
        norm=Choice("none"),
        loss=Choice("mae" if facts.more["judged"] == "mase" else "mse"),
        optimizer=Choice("adamw", lr=3e-3, weight_decay=0.0),
        schedule=Choice("linear"),
        regularise=(Choice("ema", decay=0.99),),
        batch_size=batch,
        steps=steps,
    )


def near(recipe: Recipe, seed: int) -> Iterator[Candidate]:
    yield Candidate("nlinear", recipe.put("family.form", "nlinear"), "windows less their last value")
    yield Candidate(
        "mlp", recipe.put("family", Choice("series_mlp")).put("optimizer.lr", 1e-3), "perceptrons beside the map"
    )
