"""First recipes for forecasts: what is strong on its own for this many windows, this horizon and this time.

Measured on ETTh1's validation windows (look-back 336, mean squared error in standard units at 96 and 720 steps), windows
not evened out: rlinear with an intercept 0.668 and 1.415, without 1.433 at 720; nlinear with one 0.670 and 1.427;
perceptrons beside the map 0.670 and 1.43; ridge regression in closed form 0.670 and 1.432; a map for each channel 0.698;
Huber's loss 0.671 and 1.445; spectrum_mask 0.670. What an intercept wins there at 720 steps it loses three times over on a
stretch of the training part (`families/series_linear.py`), so there is none.
Uncentred windows (dlinear) reached 0.650 and 1.218 there, and between 12 % less and 10 % more than centred ones on three
earlier stretches, in closed form: their forecasts fall back to the training part's level, which comes true or not once in
a stretch. One validation part can't tell, so what is tried by itself is centred on its own window.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from whet.recipe import Choice, Recipe
from whet.rng import generator
from whet.search.first import Candidate, Facts

PASSES = 4
"""Over the training windows: after one the error was 1 % higher on ETTh1, after six the same."""
BATCH = 32
LEAST_STEPS = 300
"""For a few windows, which are soon passed: 1,000 steps over-fitted three series of 144 to 3,650 steps."""
FEW = 500
"""Windows, counted for each channel, below which the last value is the better centre: a year and a half of months, mean
absolute scaled error 0.56 instead of 0.60 on the validation part."""
MANY = 20_000
"""The same, from which on windows are counted in units of their spread, at a lower rate. Validation part of ETTh1, and a
stretch of its training part before that, with an intercept: 0.6685 and 0.355 so, 0.6684 and 0.3645 without and at three
times the rate; at 720 steps, on that stretch, without an intercept: 0.480 so, 0.488 without."""
SHRINK, OWN = 1.0, 1 / 3
"""Of so many windows of a series with a known season: a ridge penalty, in units of the mean square of what goes in, towards the
mean of earlier seasons, and the part of a map that each channel has of its own. ETTh1 at 96 steps, the stretch after its first
4,320, 5,760, 7,200 and 8,640 rows (the last one is its validation part): 0.297, 0.339, 0.334 and 0.675 so, 0.306, 0.354, 0.347
and 0.669 without. In closed form, 336 and 720 steps gained 1.3 and 1.1 % on the mean of such stretches. Towards zero, that
is the last value, a penalty of 1 cost 0.4 to 1.2 %. With one of 0.3, and 0.26, the stretches were at 0.297, 0.341, 0.334 and
0.671."""
GENTLER = 10
"""Times the rate is lower where a map begins at its least squares, as it does where windows are many and no season is known, or
where it is not to be shrunk by `SHRINK`, or where there is no time for `PASSES`. Made-up panels of 60 series (docs/log.md)."""
CENTRED = {"nlinear": "less their last value", "rlinear": "in units of their own mean and spread"}


def series_recipes(facts: Facts) -> list[Candidate]:
    """One strong recipe; what else is tried when it is done before the time is up, `near` says."""
    recipe = linear(facts)
    form = str(recipe.family.params["form"])
    said = f"one linear map from windows, {CENTRED[form]}, to what follows, for all channels"
    drawn = recipe["family.shrink"] or recipe["family.start"] == "season"
    begun = ", begun at its least squares" * (recipe["family.start"] == "solved")
    return [Candidate(form, recipe, said + begun + ", shrunk towards earlier seasons" * bool(drawn))]


def is_clear(facts: Facts) -> bool:
    """Whether there are many windows, and nothing beside them that would have to be learned too."""
    return not facts.more.get("covariates") and facts.n_train * facts.shape[1] >= MANY


def is_seasonal(facts: Facts) -> bool:
    """Whether windows hold a season."""
    return bool(1 < facts.more.get("season", 0) <= facts.shape[0])


def linear(facts: Facts) -> Recipe:
    """See the top of this file, SHRINK and GENTLER."""
    recipe = plain(facts)
    if not is_clear(facts):
        return recipe
    strength = float(facts.more.get("shrink", SHRINK)) if is_seasonal(facts) else 0.0
    if strength < SHRINK or (facts.rate and facts.seconds * facts.rate < PASSES * facts.n_train):
        return solved(recipe, strength, facts)
    family = Choice("series_linear", form="nlinear", start="season", own=OWN)
    return replace(shrunk(recipe, SHRINK, facts), family=family)


def solved(recipe: Recipe, strength: float, facts: Facts) -> Recipe:
    """The recipe with a map that begins at its least squares, drawn towards earlier seasons by this strength."""
    begun = recipe.put("family.start", "solved").put("optimizer.lr", recipe["optimizer.lr"] / GENTLER)
    return shrunk(begun.put("family.shrink", strength), strength, facts) if strength else begun


def shrunk(recipe: Recipe, strength: float, facts: Facts) -> Recipe:
    """With a penalty on what a map differs from where it began; the loss is a mean over the steps ahead."""
    penalty = Choice("l2", strength=2 * strength / facts.more["horizon"])
    return replace(recipe, regularise=(*recipe.regularise, penalty))


def plain(facts: Facts) -> Recipe:
    batch, seen = max(1, min(BATCH, facts.n_train // 8)), facts.n_train * facts.shape[1]
    return Recipe(
        family=Choice("series_linear", form="nlinear" if seen < FEW else "rlinear"),
        activation=Choice("relu"),
        norm=Choice("none"),
        loss=Choice("mse"),
        optimizer=Choice("adamw", lr=1e-3 if seen >= MANY else 3e-3, weight_decay=0.0),
        schedule=Choice("linear"),
        regularise=(Choice("ema", decay=0.99),),
        augment=(Choice("even_out", power=0.75),) if seen >= MANY else (),
        batch_size=batch,
        steps=max(LEAST_STEPS, PASSES * max(1, facts.n_train // batch)),
    )


def near(recipe: Recipe, seed: int) -> Iterator[Candidate]:
    """Other families, then random draws around the first recipe, without end."""
    yield begun_otherwise(recipe)
    other = "rlinear" if recipe["family.form"] == "nlinear" else "nlinear"
    yield Candidate(other, recipe.put("family.form", other), f"windows {CENTRED[other]}")
    yield Candidate("calendar", recipe.put("family.calendar", True), "the calendar added")
    yield Candidate("mlp", with_family(recipe, Choice("series_mlp", dropout=0.7)), "perceptrons beside the linear map")
    yield Candidate("mixer", with_family(recipe, Choice("series_mixer")), "time and channels mixed in turn")
    yield Candidate("rnn", with_family(recipe, Choice("series_rnn")), "a recurrent cell over segments")
    yield Candidate("patches", with_family(recipe, Choice("series_patch")), "a transformer over patches")
    random = generator(seed, "search")
    for count in itertools.count(1):
        lr = float(recipe["optimizer.lr"] * 3.0 ** random.uniform(-1, 1))
        steps = max(10, round(recipe.steps * 2.0 ** random.uniform(-1, 1)))
        drawn = recipe.put("optimizer.lr", lr).put("steps", steps)
        yield Candidate(
            f"drawn-{count}", drawn.put("family.dropout", round(float(random.uniform(0, 0.3)), 2)), "drawn at random"
        )


def begun_otherwise(recipe: Recipe) -> Candidate:
    """At its least squares; where it begins there already, at the mean."""
    free, lr = unshrunk(recipe).put("family.own", 0.0), recipe["optimizer.lr"]
    if recipe["family.start"] != "solved":
        begun = free.put("family.start", "solved").put("optimizer.lr", lr / GENTLER)
        return Candidate("solved", begun, "the map begins at its least squares")
    trained = free.put("family.start", "mean").put("family.shrink", 0.0).put("optimizer.lr", lr * GENTLER)
    return Candidate("learned", trained, "the map is learned from its beginning")


def unshrunk(recipe: Recipe) -> Recipe:
    """The recipe without a penalty on its map."""
    return replace(recipe, regularise=tuple(choice for choice in recipe.regularise if choice.name != "l2"))


def with_family(recipe: Recipe, family: Choice) -> Recipe:
    """The recipe with hidden layers, whose weights are shrunk a little."""
    return (
        unshrunk(recipe)
        .put("family", family)
        .put("activation", Choice("gelu"))
        .put("optimizer", Choice("adamw", lr=1e-3, weight_decay=0.1))
    )
