"""What is trained on texts first, and what is tried near it. Every figure is of validation rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from whet.recipe import Choice, Recipe
from whet.rng import generator
from whet.search.first import MARGIN, Candidate, Facts

PASSES = {"two": 4.0, "few": 8.0, "many": 10.0}
"""Over the training rows, by the number of classes, after which more of them over-fit or change nothing: sst2 (two classes)
was best at 2.4 of 4 passes, trec (six) from 4.8 of 8 on; clinc150 (150) was still learning at the end of 4 passes, at 0.919,
and at 0.931 after 4 of 10 with half as much again of learning rate and less dropout."""
FEWEST_PASSES = 2.0
BOTH = 2.5
"""Times of one training that two of them take, the second one on more rows and with what is kept for it (see `whet.refit`)."""
MANY_CLASSES = 20
"""With more classes the bags are wider, and convolutions are left out: they learn much later."""
LONG = 150.0
"""Tokens of a mean text from which on n-grams say it all, and convolutions cost most of the time. The linear bag is alone then:
on held-out fifths of movie-review-polarity it reached 0.889 in 264 steps, and with a bent bag 0.878. Its n-grams count by
how unlike the classes are in them (`ratio`): trained on six of that set's folds 0 to 6 and asked about fold 0 and fold 2 it
reached 0.828 (of two seeds) and 0.860 without, 0.855 and 0.890 with it; TF-IDF with logistic regression 0.845 and 0.875."""
LONG_STEPS = 500
"""Steps of a linear bag on long texts, at least: it reached 0.864 in 88 and 0.889 in 264 on one fifth, 0.861, 0.864 and, in
528, 0.878 on a second, 0.869 and 0.886 on a third. TF-IDF with logistic regression reached 0.872 on the first."""
MEMBERS = 3
"""Convolutional networks, where there are any. They err on other texts than bags do. On a held-out fifth of the rows that are
not test rows (five folds, the first two): trec linear bag 0.864 and 0.859, bent bag 0.851 and 0.852, convolutions 0.850 to
0.866, their mean 0.871 and 0.874; sst2 0.817 and 0.820, 0.806 and 0.818, 0.794 to 0.802, their mean 0.816 and 0.819."""
SIZES = (1, 2, 3, 4)
"""Words that a filter sees. Of trec's 5,452 training rows, two of five folds held out in turn: 0.865 and 0.881 with up to three
words, 0.872 and 0.886 with up to four, 0.874 (the first one) with up to five; a fifth of sst2's: 0.8085 and 0.8092."""
LINEAR = 0.5
"""The share of the linear bag in what the members say together. Of the same networks: trec 0.874 and 0.876, sst2 0.820 and
0.828 (0.7: 0.872, 0.873; 0.824, 0.829)."""
LARGE = 10_000
"""Training rows from which on batches are larger."""


def text_recipes(facts: Facts) -> list[Candidate]:
    """One strong recipe; `neighbours` says what else is tried when it is done before the time is up."""
    recipe = mix(facts)
    family = recipe.family.params
    bent = f", {family['bags']} with a hidden layer" if family["bags"] else ""
    convolutions = f" and {family['members']} convolutional networks" if family["members"] else ""
    said = f"a linear bag of n-grams{bent}{convolutions}, {passes_of(facts):.3g} passes"
    return [Candidate("text-mix", recipe, said)]


def mix(facts: Facts) -> Recipe:
    """Linear and bent bags, and convolutions where they pay, with words left out and smoothed labels."""
    many, long, batch = facts.outputs > MANY_CLASSES, is_long(facts), batch_of(facts)
    members = MEMBERS if facts.more.get("vectors") or not (many or long) else 0
    smooth = Choice("cross_entropy", label_smoothing=0.1) if facts.goal == "classify" else Choice("auto")
    return Recipe(
        family=Choice(
            "text_mix",
            hidden=128 if many else 64,
            bags=1 if members else 2 if many else 0,
            members=members,
            sizes=SIZES,
            dropout=0.3 if many else 0.5,
            linear=LINEAR,
            ratio=long and not many and facts.goal == "classify",
        ),
        activation=Choice("relu"),
        norm=Choice("none"),
        loss=smooth,
        optimizer=Choice("adamw", lr=3e-3 if many else 2e-3, beta2=0.98, weight_decay=0.05),
        schedule=Choice("linear", warmup=0.05),
        augment=(Choice("word_dropout", tokens=0.1, grams=0.3),),
        batch_size=batch,
        steps=max(1, round(passes_of(facts) * max(1, facts.n_train // batch))),
    )


def passes_of(facts: Facts) -> float:
    """As many as are worth it, or as there is time for: twice where possible, to choose and then on all rows."""
    most = PASSES["two" if facts.outputs <= 2 else "many" if facts.outputs > MANY_CLASSES else "few"]
    if is_long(facts):
        most = max(most, LONG_STEPS * batch_of(facts) / facts.n_train)
    if not facts.rate:
        return most
    possible = MARGIN * facts.seconds * facts.rate / facts.n_train
    if possible / BOTH >= FEWEST_PASSES:
        possible /= BOTH
    return max(FEWEST_PASSES, min(most, possible))


def is_long(facts: Facts) -> bool:
    return facts.more.get("tokens", 0.0) > LONG


def batch_of(facts: Facts) -> int:
    return min(128 if facts.n_train >= LARGE else 64, facts.n_train)


def neighbours(recipe: Recipe, seed: int, best_share: float) -> Iterator[Candidate]:
    """Recipes near a good one, each once: shorter after over-fitting, then single changes and pairs of them."""
    seen = {recipe.hash}
    for candidate in near(recipe, seed, best_share):
        if candidate.recipe.hash not in seen:
            seen.add(candidate.recipe.hash)
            yield candidate


def near(recipe: Recipe, seed: int, best_share: float) -> Iterator[Candidate]:
    if best_share < 0.7:
        steps = max(10, round(recipe.steps * best_share))
        yield Candidate("shorter", recipe.put("steps", steps), "ending where the validation was best")
    edits = single_edits(recipe)
    for path, value, because in edits:
        yield Candidate(f"{path.split('.')[-1]}-{value:g}", recipe.put(path, value), because)
    pairs = [(a, b) for a, b in itertools.combinations(edits, 2) if a[0] != b[0]]
    for i in generator(seed, "search").permutation(len(pairs)):
        (path, value, one), (other, another, two) = pairs[i]
        yield Candidate(f"pair-{i}", recipe.put(path, value).put(other, another), f"{one} and {two}")


def single_edits(recipe: Recipe) -> list[tuple[str, float, str]]:
    """(path, value, why)"""
    edits = [
        ("augment.word_dropout.grams", 0.5, "more n-grams left out"),
        ("optimizer.lr", recipe["optimizer.lr"] / 2, "half the learning rate"),
        ("optimizer.weight_decay", 0.3, "more weight decay"),
        ("steps", 2 * recipe.steps, "twice the passes"),
        ("family.members", 2 * MEMBERS, "more convolutional networks"),
        ("family.hidden", 192, "wider bags"),
        ("family.linear", 0.7, "more say for the linear bag"),
        ("augment.word_dropout.grams", 0.1, "fewer n-grams left out"),
    ]
    among_others = recipe["family.bags"] or recipe["family.members"]
    return [edit for edit in edits if among_others or edit[0] not in ("family.hidden", "family.linear")]
