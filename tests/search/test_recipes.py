"""Recipes as parameters: there and back, what users write, and what several first recipes have in common."""

from __future__ import annotations

import numpy as np
import pytest
from test_first import facts

from whet.errors import RecipeError, SearchError
from whet.recipe import Choice, Recipe
from whet.search import Categorical, Float, Int, Space
from whet.search.first import Candidate, neighbours, portfolio
from whet.search.recipes import PASSES, START, Recipes, around, read

TABLE = portfolio(facts(domain="table", shape=(8,), n_train=500))[0].recipe
IMAGES = portfolio(facts())[0].recipe


def near(recipe: Recipe, best_share: float = 1.0) -> dict[str, Recipe]:
    return {"first": recipe, **{c.name: c.recipe for c in neighbours(recipe, best_share)}}


@pytest.mark.parametrize("recipe", [TABLE, IMAGES, Recipe()], ids=["table", "images", "default"])
def test_a_recipe_comes_back_from_its_parameters(recipe: Recipe) -> None:
    found = Recipes.of({"first": recipe}, around)
    params = found.params(recipe)
    assert found.space.check(params) == params
    assert found.recipe(params) == recipe


def test_every_hand_made_change_lies_in_the_space() -> None:
    starts = near(TABLE, best_share=0.5)
    found = Recipes.of(starts, around)
    assert all(found.reaches(recipe) for recipe in starts.values())
    assert list(found.starts) == ["first", "smaller", "linear"], "a start for what differs in numbers alone"


def test_what_a_start_does_not_have_is_not_chosen_with_it() -> None:
    found = Recipes.of(near(TABLE, best_share=0.5), around)
    params = found.params(found.starts["linear"])
    assert params[START] == "linear"
    assert "family.width" not in params
    assert found.recipe(params).family == Choice("linear")


def test_drawn_parameters_make_recipes() -> None:
    found, random = Recipes.of(near(TABLE, best_share=0.5), around), np.random.default_rng(0)
    drawn = [found.recipe(found.space.sample(random)) for _ in range(50)]
    assert len({recipe.hash for recipe in drawn}) == 50
    assert all(recipe.steps >= 10 for recipe in drawn)


def test_passes_stay_when_the_batch_changes() -> None:
    found = Recipes.of({"first": TABLE}, around)
    params = {**found.params(TABLE), "batch_size": TABLE.batch_size // 2}
    assert found.recipe(params).steps == 2 * TABLE.steps
    half = found.recipe({**params, PASSES: 0.5})
    assert half.steps == TABLE.steps


def test_a_method_that_is_there_keeps_its_parameters_and_another_one_gets_its_own() -> None:
    found = Recipes.of(
        {"first": TABLE}, lambda recipe: read({"optimizer": ["adamw", "sgd"], "optimizer.lr": (1e-4, 1e-1)})
    )
    same = found.recipe({"optimizer": "adamw", "optimizer.lr": 0.01})
    assert same.optimizer == TABLE.optimizer.but(lr=0.01)
    assert found.recipe({"optimizer": "sgd", "optimizer.lr": 0.01}).optimizer == Choice("sgd", lr=0.01)


def test_none_takes_an_augmentation_away() -> None:
    found = Recipes.of({"first": IMAGES}, lambda recipe: {"augment.flip": Categorical(["flip", None])})
    assert found.recipe({"augment.flip": "flip"}) == IMAGES
    assert "flip" not in [c.name for c in found.recipe({"augment.flip": None}).augment]


def test_a_change_is_told_in_words() -> None:
    found = Recipes.of({"first": TABLE}, around)
    params = {**found.params(TABLE), "activation": "gelu", "family.dropout": 0.25}
    assert found.because(params) == "family.dropout 0.25, activation gelu"


def test_the_space_can_be_read_as_a_table() -> None:
    text = Recipes.of({"first": TABLE}, around).space.table()
    assert all(path in text for path in ("optimizer.lr", "family.width", "activation", "passes"))


# -- what users write ----------------------------------------------------------------------------------------------


def test_ranges_and_lists_in_python() -> None:
    found = read({"optimizer.lr": (1e-4, 1e-1), "family.depth": (1, 4), "activation": ["relu", Choice("gelu")]})
    assert found["optimizer.lr"] == Float(1e-4, 1e-1, log=True)
    assert found["family.depth"] == Int(1, 4)
    assert found["activation"] == Categorical(["relu", "gelu"])


def test_the_same_on_the_command_line() -> None:
    lines = ["optimizer.lr=1e-4..1e-1", "family.depth=1..4", "activation=relu,leaky_relu(slope=0.2, ceiling=6),mish"]
    found = read(lines)
    assert found["optimizer.lr"] == Float(1e-4, 1e-1, log=True)
    assert found["family.depth"] == Int(1, 4)
    assert found["activation"] == Categorical(["relu", "leaky_relu(slope=0.2, ceiling=6)", "mish"])
    assert read("batch_size=64,128")["batch_size"] == Categorical([64, 128])


def test_a_given_parameter_is_taken_as_it_is() -> None:
    lr = Float(1e-4, 1e-2, log=True, prior=1e-3)
    assert read({"optimizer.lr": lr})["optimizer.lr"] is lr


@pytest.mark.parametrize(
    "wrong",
    ["optimizer.lr", "optimizer.lr=", "optimizer.lr=a..b", "optimizer.lr=2..1", "optimizer.lr=0..inf", "activation=,",
     "activation=1..3", "augment=flip,crop"],
)  # fmt: skip
def test_what_says_no_range_is_answered_in_one_line(wrong: str) -> None:
    with pytest.raises(SearchError) as caught:
        read([wrong])
    assert "\n" not in str(caught.value)


def test_rates_and_shares_are_no_whole_numbers_though_their_range_ends_are() -> None:
    assert isinstance(read(["optimizer.lr=0..1"])["optimizer.lr"], Float)
    assert isinstance(read({"passes": (1, 2)})["passes"], Float)
    assert isinstance(read(["family.depth=1..4"])["family.depth"], Int)


def test_a_place_is_searched_once() -> None:
    with pytest.raises(SearchError, match="activation is given twice"):
        read(["activation=relu,gelu", "activation=mish,tanh"])


def test_a_method_of_a_list_can_be_left_out() -> None:
    assert read(["augment.flip=flip,none"])["augment.flip"] == Categorical(["flip", None])
    assert read({"augment.flip": ["flip", None]})["augment.flip"] == Categorical(["flip", None])


def test_names_in_a_range_are_answered_with_how_a_list_is_written() -> None:
    with pytest.raises(SearchError, match="'activation=relu..gelu': .*'relu' is none. .*activation=relu,gelu"):
        read(["activation=relu..gelu"])


def test_a_place_that_no_recipe_has_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="optimizer"):
        read({"optimiser.lr": (1e-4, 1e-1)})


def test_a_first_recipe_outside_the_users_space_is_brought_inside() -> None:
    found = Recipes.of(
        {"first": TABLE}, lambda recipe: read({"activation": ["mish", "gelu"], "optimizer.lr": (0.1, 1.0)})
    )
    assert found.params(TABLE) == {"activation": "mish", "optimizer.lr": 0.1}
    assert isinstance(found.space, Space)
    assert Candidate("x", found.recipe(found.params(TABLE)), "").recipe.activation == Choice("mish")
