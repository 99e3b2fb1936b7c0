"""First recipes for recommenders, and what is tried beside them.

Measured on MovieLens (ml-latest-small), each user's third- to fifth-newest interaction as the truth, never the newest.
"""

from __future__ import annotations

from collections.abc import Iterator

from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts

MOST_LOGITS = 2_500_000
"""Logits of a batch: users times items."""
BATCH = (16, 256)
"""The smallest and the largest batch of a ranking."""
MANY = 50_000
"""Items above which training compares some of them, by what a step costs; what it does to the ranking was not studied:
MovieLens has fewer."""
STEPS = 150
"""Of the first recipe: chains have few weights to learn. NDCG@10 after 40, 80 and 120 of them: 0.0910, 0.0941, 0.0947."""
LR = 0.03
"""Of the first recipe. Validation NDCG@100 with 0.01, 0.03 and 0.06 on four made-up sets: 0.268, 0.270, 0.270; 0.522, 0.528,
0.531; 0.783, 0.793, 0.791; 0.356, 0.357, 0.357."""
RATE_PASSES, RATE_STEPS, RATE_LR = 12, 960, 1e-2
"""Passes over many ratings, steps on few. Validation RMSE of 64 factors on MovieLens with a rate of 3e-3 and of 1e-2: 0.878,
0.874 (24 passes: 0.873); on 10,804 made-up ratings of rank 5 in 12 passes at 3e-3, in 48 at 3e-3, in 48 at 1e-2: 0.671, 0.591,
0.589 (biases alone: 0.727)."""
PULL = 0.1
"""Of 64 factors on closed-form biases, validation RMSE on MovieLens: 0.883 with 0.05, 0.878 with 0.1, 0.879 with 0.15."""


def recipes(facts: Facts) -> list[Candidate]:
    """Chains of items to rank, biased factors to rate."""
    if facts.goal == "rank":
        said = "counted chains of items and what goes together, their weights learned"
        return [Candidate("chains", ranker(facts, Choice("chains", ease=True), LR), said)]
    factors = Choice("factors", width=64, pull=PULL)
    return [Candidate("factors", rater(facts, factors), "biases and factors of users and items")]


def ranker(facts: Facts, family: Choice, lr: float) -> Recipe:
    batch = max(BATCH[0], min(BATCH[1], MOST_LOGITS // max(1, facts.shape[0]), facts.n_train))
    return Recipe(
        family=family,
        activation=Choice("gelu"),
        loss=Choice("sampled_softmax" if facts.shape[0] > MANY else "auto"),
        optimizer=Choice("adamw", lr=lr, beta2=0.98, weight_decay=0.0),
        schedule=Choice("trapezoid", warmup=0.05, decay=0.9),
        batch_size=batch,
        steps=STEPS,
    )


def rater(facts: Facts, family: Choice) -> Recipe:
    batch = max(16, min(1024, facts.n_train // 20))
    return Recipe(
        family=family,
        activation=Choice("gelu"),
        optimizer=Choice("adamw", lr=RATE_LR, weight_decay=0.1),
        schedule=Choice("trapezoid", warmup=0.0, decay=0.7),
        batch_size=batch,
        steps=max(RATE_STEPS, RATE_PASSES * facts.n_train // batch),
    )


def neighbours(recipe: Recipe) -> Iterator[Candidate]:
    """Networks beside the chains, and other strengths of regularisation, each once."""
    if recipe.family.name == "user":
        return
    for name, family, lr, times in RANKERS if recipe.family.name == "chains" else RATERS:
        changed = recipe.put("family", family).put("optimizer.lr", lr).put("steps", round(times * recipe.steps))
        yield Candidate(name, changed, f"{name}: {WHY[family.name]}")


RANKERS: tuple[tuple[str, Choice, float, float], ...] = (
    ("towers-on-chains", Choice("two_tower", chain=True, ease=True, dropout=0.5), 1e-3, 1.5),
    ("sasrec-on-chains", Choice("sasrec", chain=True, ease=True, dropout=0.5), 1e-3, 1.5),
    ("gru4rec-on-chains", Choice("gru4rec", chain=True, ease=True, dropout=0.5), 1e-3, 1.5),
    ("autoencoder-on-chains", Choice("item_autoencoder", chain=True, ease=True, dropout=0.3), 1e-3, 1.5),
    ("sasrec", Choice("sasrec", dropout=0.3), 3e-3, 4.0),
)
RATERS: tuple[tuple[str, Choice, float, float], ...] = (
    ("tight-factors", Choice("factors", width=64, pull=3 * PULL), RATE_LR, 1.0),
    ("few-factors", Choice("factors", width=16, pull=PULL), RATE_LR, 1.0),
    ("many-factors", Choice("factors", width=128, pull=PULL), RATE_LR, 1.0),
    ("freer-factors", Choice("factors", width=64, pull=0.7 * PULL), RATE_LR, 1.0),
    ("ncf", Choice("ncf", width=32, dropout=0.3), 2e-3, 1.0),
    ("two-tower", Choice("two_tower", width=32, dropout=0.3), 2e-3, 1.0),
)
WHY = {
    "two_tower": "a user's vector from what was had last",
    "sasrec": "attention between what was had last",
    "gru4rec": "a recurrent network over what was had last",
    "item_autoencoder": "what goes together, whenever it was had",
    "factors": "more factors, or others of their strength",
    "ncf": "a perceptron on the vectors of user and item",
}
