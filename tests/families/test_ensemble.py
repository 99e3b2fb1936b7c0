"""An ensemble is one network: what its members say, weighed, in the meaning that their goal's outputs have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from setups import SMALL as IMAGES
from setups import TABLE, images, prepared_of, rows, task_of

from whet.build import build
from whet.data.core import Data
from whet.errors import RecipeError
from whet.families.ensemble import members_of, recipe_of, shares_of, weights_of
from whet.model import make_model, make_spec
from whet.network import Network
from whet.recipe import Recipe
from whet.tasks import goal
from whet.train.plan import Plan

SHARES = (0.75, 0.25)


def pair(data: Data, recipe: Recipe) -> tuple[Network, list[Network]]:
    """An ensemble of two networks, and the two."""
    task, prepared = task_of(data), prepared_of(data)
    recipes = [recipe, recipe.put("activation", "tanh")]
    parts = [build(one, task, prepared, seed, Plan()) for seed, one in enumerate(recipes)]
    own = [
        Network(p.model.eval(), r, task, prepared.transform, prepared.scale, Plan(), {})
        for p, r in zip(parts, recipes, strict=True)
    ]
    whole = recipe_of(recipes, SHARES)
    model = make_model(whole, make_spec(whole, task, prepared.transform), seed=9)
    model.load_state_dict(weights_of([p.model.state_dict() for p in parts]))
    return Network(model.eval(), whole, task, prepared.transform, prepared.scale, Plan(), {}), own


def test_an_ensemble_of_classifiers_says_the_mean_probability() -> None:
    data = images()
    whole, own = pair(data, IMAGES.put("augment", ()))
    said = [one.predict(data.x[:20]) for one in own]
    np.testing.assert_allclose(whole.predict(data.x[:20]), 0.75 * said[0] + 0.25 * said[1], atol=1e-6)


def test_an_ensemble_of_regressors_says_the_mean_value() -> None:
    data = rows()
    whole, own = pair(data, TABLE)
    said = [one.predict(data.x[:20]) for one in own]
    np.testing.assert_allclose(whole.predict(data.x[:20]), 0.75 * said[0] + 0.25 * said[1], rtol=1e-5)


def test_an_ensemble_comes_back_from_its_files(tmp_path: Path) -> None:
    data = rows()
    whole, _ = pair(data, TABLE)
    whole.save(tmp_path)
    again = Network.load(tmp_path)
    np.testing.assert_array_equal(again.predict(data.x), whole.predict(data.x))


def test_a_recipe_of_an_ensemble_names_its_members() -> None:
    one, other = Recipe(), Recipe().put("optimizer.lr", 0.1)
    found = recipe_of([one, other], SHARES)
    assert members_of(found) == (one, other)
    assert shares_of(found) == SHARES
    assert members_of(Recipe.from_toml(found.to_toml())) == (one, other)
    assert members_of(one) == (one,)


def test_networks_whose_outputs_have_no_mean_are_not_pooled() -> None:
    assert goal("transcribe").pooled is None
    spec = make_spec(TABLE, task_of(rows()), prepared_of(rows()).transform)
    object.__setattr__(spec, "goal", "transcribe")
    with pytest.raises(RecipeError, match="not pooled"):
        make_model(recipe_of([TABLE], [1.0]), spec, 0)


def test_a_sure_network_outweighs_no_more_than_its_share() -> None:
    logits = torch.tensor([[[200.0, 0.0]], [[0.0, 0.0]]])
    pooled = goal("classify").pooled
    assert pooled is not None
    np.testing.assert_allclose(pooled(logits, torch.tensor(SHARES)).softmax(-1), [[0.875, 0.125]], atol=1e-6)
