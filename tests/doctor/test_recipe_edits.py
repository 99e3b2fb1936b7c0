"""What was found in a trial becomes edits of its recipe."""

from __future__ import annotations

import pytest

from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.remedies import recipe_edits
from whet.remedies.recipes import RECIPE_REMEDIES

RECIPES = (
    Recipe(),
    Recipe(Choice("mlp", dropout=0.1), Choice("sigmoid"), norm=Choice("none"), optimizer=Choice("sgd", lr=3.0)),
    Recipe(Choice("fastconv"), optimizer=Choice("muon", lr=0.1), regularise=(Choice("clip", max_norm=2.0),), steps=40),
    Recipe(Choice("tabular"), optimizer=Choice("adamw"), regularise=(Choice("l1"),), schedule=Choice("linear")),
)


def found(name: str, confidence: float = 0.9, **evidence: float) -> Finding:
    return Finding(name, f"because of {name}", confidence=confidence, evidence=evidence)


@pytest.mark.parametrize("name", RECIPE_REMEDIES)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.family.name)
def test_every_edit_can_be_applied_says_why_and_changes_the_recipe(name: str, recipe: Recipe) -> None:
    for edit in recipe_edits([found(name)], recipe):
        changed = recipe.apply(edit)
        assert changed != recipe
        assert Recipe.from_toml(changed.to_toml()) == changed
        assert edit.because == f"because of {name}"


def test_a_rate_that_is_too_high_is_lowered_by_as_much_as_the_step_was_too_long() -> None:
    recipe = Recipe(optimizer=Choice("adamw", lr=0.1))
    edits = [recipe_edits([found("learning rate too high", step=step)], recipe)[0] for step in (0.05, 0.5, 1e9, None)]
    assert [(e.path, e.new) for e in edits] == [("optimizer.lr", new) for new in (0.02, 2e-3, 1e-4, 0.03)]
    edits = [recipe_edits([found("learning rate too low", step=step)], recipe)[0] for step in (5e-4, 1e-9, None)]
    assert [(e.path, e.new) for e in edits] == [("optimizer.lr", new) for new in (2.0, 100.0, 0.3)]


def test_a_cause_is_mended_before_a_symptom() -> None:
    recipe = Recipe(optimizer=Choice("adamw", lr=0.1))
    both = [found("never learned", 1.0), found("learning rate too high", 0.6)]
    assert recipe_edits(both, recipe)[0].new < 0.1
    assert recipe_edits(both[:1], recipe)[0].new > 0.1


def test_a_number_that_the_recipe_leaves_to_the_catalogue_is_changed_from_there() -> None:
    edit = recipe_edits([found("diverged")], Recipe(optimizer=Choice("adamw")))[0]
    assert (edit.path, edit.old, edit.new) == ("optimizer.lr", None, 3e-4)


def test_the_surest_finding_comes_first_and_no_edit_twice() -> None:
    edits = recipe_edits([found("overfitting", 0.4), found("diverged", 0.9), found("unsteady loss", 0.5)], RECIPES[1])
    assert edits[0].path == "optimizer.lr"
    assert len({(e.path, str(e.new)) for e in edits}) == len(edits)
    assert edits[0].because == "because of diverged"
    assert [e.path for e in edits].index("family.dropout") > 0


def test_what_a_recipe_can_not_take_is_not_proposed() -> None:
    linear = recipe_edits([found("overfitting")], Recipe())
    assert {e.path for e in linear} == {"optimizer.weight_decay"}
    assert recipe_edits([found("a name that nobody knows")], Recipe()) == []
    assert recipe_edits([], Recipe()) == []
