"""What finds anomalies by itself. Labels choose nothing, so that the default has to be good everywhere rather than best
somewhere: it is a committee of views. What it was chosen on is written in docs/fields/anomaly.md."""

from __future__ import annotations

from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts

PASSES = 10
"""Over the training rows: the autoencoder begins as principal components, and a long training learns anomalies too."""
STEPS = (100, 500)
"""At least and at most."""
TRIM = 0.1
"""Share of the most expensive rows of a batch that are not learned from, where there may be anomalies among them."""
BATCH = 128


def recipes(facts: Facts) -> list[Candidate]:
    """One: there is nothing to race by."""
    timed, clean, told = (facts.more.get(name) for name in ("timed", "clean", "told"))
    batch = max(2, min(BATCH, facts.n_train // 4))
    steps = PASSES * max(1, facts.n_train // batch)
    family = Choice("one_class", width=64, depth=1, code=16) if told else committee(bool(timed), bool(clean))
    recipe = Recipe(
        family=family,
        loss=Choice("surprise", trim=0.0 if clean or told else TRIM),
        activation=Choice("leaky_relu") if told else Choice("gelu"),
        norm=Choice("none"),
        optimizer=Choice("adamw", lr=1e-3, weight_decay=1e-4),
        schedule=Choice("linear"),
        batch_size=batch,
        steps=min(max(steps, STEPS[0]), STEPS[1]),
    )
    said = "labelled anomalies pushed from the centre of the others" if told else "four views of a row, judged together"
    return [Candidate(family.name, recipe, said)]


def committee(timed: bool, clean: bool) -> Choice:
    """All views of a table's rows; of windows, the ones that look at them as a whole."""
    if timed:
        return Choice("committee", views=("directions", "neighbours", "code"), places=4000, rounds=0)
    return Choice("committee", rounds=0 if clean else 2)
