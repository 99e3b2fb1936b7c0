"""Recipes: plain, frozen, the same after every round trip."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whet.errors import RecipeError
from whet.recipe import Choice, Edit, Recipe

PLAIN = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text('abc_-é"\\\n', max_size=6),
    st.lists(st.integers(0, 9), max_size=3),
)
NAMES = st.text("abcdef_", min_size=1, max_size=6).filter(lambda n: n != "name")
CHOICES = st.builds(Choice, NAMES, st.dictionaries(NAMES, PLAIN, max_size=3))
LISTS = st.lists(CHOICES, max_size=3, unique_by=lambda c: c.name)
RECIPES = st.builds(
    Recipe, family=CHOICES, optimizer=CHOICES, augment=LISTS, regularise=LISTS, batch_size=st.integers(1, 999)
)


@given(RECIPES)
def test_a_recipe_survives_toml_and_json_with_the_same_hash(recipe: Recipe) -> None:
    for copy in (Recipe.from_toml(recipe.to_toml()), Recipe.from_json(recipe.to_json())):
        assert copy == recipe
        assert copy.hash == recipe.hash


@given(RECIPES, RECIPES)
def test_the_edits_between_two_recipes_turn_one_into_the_other(old: Recipe, new: Recipe) -> None:
    if [c.name for c in old.augment] == [c.name for c in new.augment][: len(old.augment)]:
        new = dataclasses.replace(new, regularise=old.regularise)
        assert old.apply(*old.diff(new)) == new


def test_the_hash_is_the_same_on_every_machine() -> None:
    assert Recipe(optimizer=Choice("sgd", momentum=0.9, lr=0.1)).hash == "2813ef860969"


def test_the_order_of_parameters_does_not_matter() -> None:
    assert Choice("sgd", lr=0.1, momentum=0.9) == Choice("sgd", {"momentum": 0.9, "lr": 0.1})


def test_a_diff_reads_like_a_sentence() -> None:
    old, new = Recipe(), Recipe(optimizer=Choice("adamw", lr=0.01), batch_size=64, augment=("flip",))
    assert [str(e) for e in old.diff(new)] == [
        "optimizer.lr: - -> 0.01",
        "augment.flip: - -> flip",
        "batch_size: 128 -> 64",
    ]


def test_a_misspelt_field_answers_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'optimizer'"):
        Recipe.from_dict({"optimiser": "sgd"})


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch_size", 0), ("batch_size", 1.5), ("steps", -1), ("augment", "flip"), ("family", 3), ("batch_size", True)],
)
def test_a_value_out_of_range_is_refused(field: str, value: object) -> None:
    with pytest.raises(RecipeError):
        Recipe.from_dict({field: value})


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(RecipeError):
        Choice("sgd", lr=float("nan"))
    with pytest.raises(RecipeError):
        Choice("user", factory=print)


def test_an_edit_that_expects_another_value_is_refused() -> None:
    with pytest.raises(RecipeError, match="batch_size is 128, not 64"):
        Recipe().apply(Edit("batch_size", 64, 32))


def test_nothing_in_a_recipe_can_be_changed() -> None:
    recipe = Recipe(optimizer=Choice("sgd", lr=0.1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.batch_size = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        recipe.optimizer.params["lr"] = 1  # type: ignore[index]


def test_broken_toml_says_where() -> None:
    with pytest.raises(RecipeError, match="not valid TOML"):
        Recipe.from_toml("family = ")


def test_a_recipe_is_plain_json() -> None:
    assert json.loads(Recipe().to_json())["optimizer"] == {"name": "adamw"}
