"""From what a person writes to the recipes that are compared."""

import pytest

from whet.comparing.arms import arms_of, asked_for, at_rate, check, rate_of, repeats, split
from whet.errors import RecipeError, UnknownName, UserError
from whet.recipe import Choice, Recipe

BASE = Recipe(
    family=Choice("textbook", width=8),
    activation=Choice("relu"),
    optimizer=Choice("adamw", lr=2e-3, weight_decay=0.3),
    regularise=(Choice("ema", decay=0.9),),
    augment=(Choice("flip"), Choice("crop", pad=2)),
)


def names(asked: dict) -> list[str]:
    return [arm.name for arm in arms_of(BASE, asked)]


def test_an_arm_differs_in_its_choice_alone() -> None:
    for arm in arms_of(BASE, {"activation": ["relu", "gelu", "mish"]}):
        assert arm.recipe == BASE.put("activation", Choice(arm.name))


def test_two_paths_make_a_grid_with_the_first_of_each_in_front() -> None:
    assert names({"optimizer": ["adamw", "lion"], "init": ["he", "auto"]}) == [
        "adamw · he", "adamw · auto", "lion · he", "lion · auto",
    ]  # fmt: skip


def test_the_method_that_the_recipe_has_keeps_its_parameters() -> None:
    adamw, lion = arms_of(BASE, {"optimizer": ["adamw", "lion"]})
    assert adamw.recipe == BASE
    assert lion.recipe.optimizer == Choice("lion")


def test_numbers_of_any_path_are_numbers() -> None:
    low, high = arms_of(BASE, {"optimizer.lr": ["1e-3", "1e-2"]})
    assert (low.recipe["optimizer.lr"], high.recipe["optimizer.lr"]) == (1e-3, 1e-2)
    assert (low.name, high.name) == ("lr 0.001", "lr 0.01")
    assert arms_of(BASE, {"batch_size": ["32", "64"]})[1].recipe.batch_size == 64


def test_lists_are_replaced_as_a_whole() -> None:
    none, own, other = (a.recipe.augment for a in arms_of(BASE, {"augment": ["none", "base", "flip+cutout"]}))
    assert none == ()
    assert own == BASE.augment
    assert other == (Choice("flip"), Choice("cutout"))


def test_one_method_of_a_list_can_be_compared_too() -> None:
    without, own = arms_of(BASE, {"augment.crop": ["none", "base"]})
    assert without.recipe.augment == (Choice("flip"),)
    assert own.recipe == BASE
    assert arms_of(BASE, {"regularise.ema.decay": ["0.9", "0.99"]})[1].recipe["regularise.ema.decay"] == 0.99


def test_the_same_recipe_twice_is_a_control_and_has_two_names() -> None:
    first, second = arms_of(BASE, {"activation": ["relu", "relu"]})
    assert first.recipe == second.recipe
    assert (first.name, second.name) == ("relu", "relu (2)")


@pytest.mark.parametrize("choices", [["relu", "gelu", "relu"], ["silu", "swish"], ["base", "relu"]])
def test_arms_of_one_recipe_are_said_to_be_a_check(choices: list[str]) -> None:
    arms = arms_of(BASE, {"activation": choices})
    (said,) = repeats(arms)
    assert said.startswith(f"{arms[0].name} and {arms[-1].name} are one recipe")
    assert repeats(arms_of(BASE, {"activation": ["relu", "gelu"]})) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"activation": ["relu", "mishh"]}, "Did you mean 'mish'"),
        ({"activation": ["relu", "x * tahn(x)"]}, "tanh"),
        ({"activation": ["relu", "leaky_relu(slop=1)"]}, "Did you mean 'slope'"),
        ({"init": ["he", "autoo"]}, "Did you mean 'auto'"),
        ({"augment": ["none", "flip+cropp"]}, "Did you mean 'crop'"),
        ({"activatoin": ["relu", "gelu"]}, "Did you mean 'activation'"),
    ],
)
def test_names_are_refused_before_there_is_any_data(asked: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check(asked)


def test_parameters_tell_arms_of_the_same_method_apart() -> None:
    assert names({"activation": ["leaky_relu(slope=0.1)", "leaky_relu(slope=0.2)"]}) == [
        "leaky_relu(slope=0.1)", "leaky_relu(slope=0.2)",
    ]  # fmt: skip


def test_commas_in_brackets_separate_nothing() -> None:
    assert split("relu, max(x, 0), prelu(a=[1, 2])") == ["relu", "max(x, 0)", "prelu(a=[1, 2])"]


def test_a_command_line_becomes_paths_and_choices() -> None:
    asked = asked_for({"activation": "relu,gelu"}, ["optimizer.lr=1e-3,1e-2"])
    assert asked == {"activation": ["relu", "gelu"], "optimizer.lr": ["1e-3", "1e-2"]}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "Nothing is to be compared"),
        ({"activation": ["relu"]}, "One arm alone"),
        ({"activation": []}, "One arm alone"),
        ({"activation": "relu"}, "no list of choices"),
        ({"steps": [10, 20]}, "equal in all arms"),
        ({"activation": ["relu", "gelu"], "init": ["he", "auto"], "norm": ["none", "batch"]}, "at most 2"),
        ({"activatoin": ["relu", "gelu"]}, "Did you mean 'activation'"),
        ({"init.gain": [1, 2]}, "network's own"),
    ],
)
def test_bad_wishes_are_refused_in_one_line(asked: dict, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        arms_of(BASE, asked)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["optimizer.lr", "=1,2"])
def test_a_set_without_path_or_choices_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="names no path"):
        asked_for({}, [text])


def test_a_path_given_twice_is_refused() -> None:
    with pytest.raises(UserError, match="given twice"):
        asked_for({"init": "he,auto"}, ["init=he,own"])


def test_a_rate_is_the_recipes_or_its_optimisers_default() -> None:
    assert rate_of(BASE) == 2e-3
    assert rate_of(BASE.put("optimizer", Choice("sgd"))) == 0.05
    with pytest.raises(UnknownName, match="sgd"):
        rate_of(BASE.put("optimizer", Choice("sgdd")))


def test_all_rates_of_a_recipe_move_together() -> None:
    assert at_rate(BASE, 1.0) is BASE
    muon = at_rate(BASE.put("optimizer", Choice("muon", lr=0.1, rest_lr=0.4)), 0.5)
    assert (muon["optimizer.lr"], muon["optimizer.rest_lr"]) == (0.05, 0.2)


def test_a_value_that_no_recipe_can_hold_is_refused() -> None:
    with pytest.raises(RecipeError, match="batch_size"):
        arms_of(BASE, {"batch_size": ["small", "large"]})
