"""What is trained on texts first."""

from __future__ import annotations

import pytest

from whet.fields.text import recipes
from whet.search.first import Facts


def facts(
    outputs: int = 2, tokens: float = 20.0, n_train: int = 1600, seconds: float = 600.0, rate: float = 0.0
) -> Facts:
    more = {"tokens": tokens, "table": 100, "grams": 10.0}
    return Facts("text", "classify", n_train, (9,), outputs, seconds, rate=rate, more=more)


def test_long_texts_get_a_linear_bag_and_steps_enough_however_few_they_are() -> None:
    recipe = recipes.mix(facts(tokens=800.0))
    assert (recipe["family.bags"], recipe["family.members"]) == (0, 0)
    assert recipe.steps >= recipes.LONG_STEPS
    assert recipes.mix(facts(tokens=800.0, n_train=50_000)).steps >= recipes.LONG_STEPS


def test_what_is_said_of_a_recipe_names_what_is_in_it() -> None:
    (long,), (short,) = (recipes.text_recipes(facts(tokens=t)) for t in (800.0, 20.0))
    assert "hidden" not in long.because
    assert "1 with a hidden layer and 3 convolutional networks" in short.because


@pytest.mark.parametrize(("outputs", "bags", "members"), [(2, 1, 3), (6, 1, 3), (150, 2, 0)])
def test_many_classes_get_no_convolutions(outputs: int, bags: int, members: int) -> None:
    recipe = recipes.mix(facts(outputs))
    assert (recipe["family.bags"], recipe["family.members"]) == (bags, members)


@pytest.mark.parametrize(("seconds", "passes"), [(1.0, 2.0), (3.0, 2.7), (10.0, 3.6), (300.0, 4.0)])
def test_passes_leave_time_for_all_rows_where_there_is_enough(seconds: float, passes: float) -> None:
    assert recipes.passes_of(facts(n_train=1000, seconds=seconds, rate=1000.0)) == pytest.approx(passes)


def test_a_linear_bag_alone_is_not_tried_with_other_sizes_of_what_it_lacks() -> None:
    alone, mixed = (recipes.single_edits(recipes.mix(facts(tokens=t))) for t in (800.0, 20.0))
    assert {path for path, _, _ in mixed} - {path for path, _, _ in alone} == {"family.hidden", "family.linear"}
