"""The prior says in which order activations are tried, and why; training has the last word."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import whet
from whet import choosing, prior
from whet.activations import ACTIVATIONS
from whet.data.signs import Signs
from whet.errors import UserError
from whet.recipe import Choice, Recipe
from whet.search import Categorical
from whet.search.first import Candidate, Facts, neighbours
from whet.train.plan import Plan

WAVES = Signs(wave=0.4, waved="hour")


FEW, MANY = 500, 50_000


@pytest.mark.parametrize("rows", [FEW, MANY])
@pytest.mark.parametrize("goal", ["classify", "regress"])
@pytest.mark.parametrize("domain", ["image", "table"])
@pytest.mark.parametrize("signs", [Signs(), WAVES], ids=["plain", "waves"])
def test_what_is_hinted_at_is_in_the_catalogue_and_comes_once(signs: Signs, domain: str, goal: str, rows: int) -> None:
    named = [h.activation.name for h in prior.hints(signs, domain, goal, rows)]
    assert all(ACTIVATIONS[name].kind in ("fixed", "learned") for name in named)
    assert len(named) == len({*named})


def test_a_target_that_swings_calls_for_a_smooth_function_and_names_the_column() -> None:
    first = prior.hints(WAVES, "table", "regress", FEW)[0]
    assert whet.activations.facts(first.activation.name).smoothness == float("inf")
    assert "hour" in first.because
    assert prior.hints(Signs(wave=0.01, waved="hour"), "table", "regress", FEW)[0] != first


def test_a_recipe_is_not_offered_its_own_activation() -> None:
    recipe = Recipe(activation=Choice("tanh"))
    offered = prior.candidates(recipe, prior.hints(WAVES, "table", "regress", FEW))
    assert offered
    assert "tanh" not in [c.recipe.activation.name for c in offered]
    assert all(c.recipe.put("activation", recipe.activation) == recipe for c in offered), "nothing else changes"


def test_hints_come_before_other_neighbours_but_after_what_calms() -> None:
    recipe = Recipe(Choice("tabular"), activation=Choice("relu"), optimizer=Choice("adamw", lr=1e-3), steps=100)
    hinted = prior.candidates(recipe, prior.hints(Signs(), "table", "regress", FEW))
    sound = neighbours(recipe, 1.0, hinted)
    assert [next(sound).name for _ in hinted] == [c.name for c in hinted]
    overfitted = neighbours(recipe, 0.2, hinted)
    assert next(overfitted).name == "shorter"


def test_the_profile_says_what_is_suggested_and_why() -> None:
    section = next(s for s in whet.profile("diabetes").sections if s.title.startswith("Activation"))
    assert [r.value for r in section.rows if r.name.startswith("try")] == [
        h.activation.name for h in prior.hints(Signs(), "table", "regress", FEW)
    ]
    assert all(r.suggestion for r in section.rows if r.name.startswith("try"))


def tower(depth: int, function: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    layers = [layer for _ in range(depth) for layer in (nn.Linear(16, 16), function())]
    return nn.Sequential(*layers, nn.Linear(16, 2))


def test_a_deep_plain_network_whose_signal_is_lost_is_started_by_theory_first() -> None:
    way = prior.plain_way(tower(40, nn.Sigmoid), (torch.randn(32, 16),))
    assert way
    assert (way.layers, way.function, way.verdict) == (40, "sigmoid", "lost")
    users = [Candidate("yours", Recipe(), "as it is"), Candidate("yours-sgd", Recipe(), "sgd")]
    first, *rest = prior.started(users, lambda: way)
    assert first.recipe.init.name == "auto"
    assert "40 sigmoid layers" in first.because
    assert rest == users


def test_a_shallow_network_keeps_its_own_start() -> None:
    assert prior.plain_way(tower(1, nn.ReLU), (torch.randn(32, 16),)) is None
    users = [Candidate("yours", Recipe(), "as it is")]
    assert prior.started(users, lambda: None) == users


@pytest.mark.parametrize("verdict", ["fades", "lost"])
def test_what_is_announced_beside_a_users_space_is_tried(verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start by theory was announced, and then only what the user wanted searched was tried."""
    users = [Candidate("yours", Recipe(), "as it is"), Candidate("yours-sgd", Recipe(activation=Choice("silu")), "sgd")]
    lead = Candidate("yours-started", Recipe(init=Choice("auto")), "by theory")
    found = [lead, *users] if verdict == "lost" else [*users, lead]
    own, said = SimpleNamespace(portfolio=lambda facts: users), list[str]()
    for name, given in (("field_of", own), ("facts_of", Facts("x", "own", 1, (), 1, 1.0)), ("with_prior", found)):
        monkeypatch.setattr(choosing, name, lambda *_, given=given: given)
    monkeypatch.setattr(choosing, "measure_plan", lambda *_: Plan(milliseconds=1.0))
    run = SimpleNamespace(fixed=None, space={"activation": Categorical(["relu", "gelu"])}, plan=Plan())
    run.order, run.data = SimpleNamespace(loss=None, steps=0), SimpleNamespace(domain="x")
    run.screen = SimpleNamespace(say=said.append)
    assert choosing.planned(run) == found[:1]  # type: ignore[arg-type]
    assert len(said) == (verdict == "lost")


def test_a_network_that_surgery_cannot_follow_is_trained_as_it_is() -> None:
    def refused() -> None:
        raise UserError("no")

    users = [Candidate("yours", Recipe(), "as it is")]
    assert prior.started(users, refused) == users
