"""What a picture is looked at besides itself when it is predicted, and how often."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from setups import SMALL, images, prepared_of, task_of

from whet.build import build
from whet.delivery import Delivery
from whet.exporting import Exported
from whet.fields import field
from whet.network import SPEC, Network
from whet.recipe import Choice, Recipe
from whet.run_folder import RunFolder
from whet.train.plan import Plan

FLIP, CROP = Choice("flip"), Choice("crop", pad=1)
CROPPED = SMALL.put("augment", (FLIP, CROP))


def network(recipe: Recipe, looks: int) -> Network:
    data = images()
    task, prepared = task_of(data), prepared_of(data)
    model = build(recipe, task, prepared, 0, Plan()).model.eval()
    return Network(model, recipe, task, prepared.transform, prepared.scale, Plan(), {}, looks)


@pytest.mark.parametrize(("augment", "views"), [((), 0), ((CROP,), 0), ((FLIP,), 1), ((FLIP, CROP), 5)])
def test_a_picture_is_looked_at_as_the_recipe_has_trained_on_it(augment: tuple[Choice, ...], views: int) -> None:
    assert len(field("image").views(SMALL.put("augment", augment))) == views


def test_the_views_are_the_mirror_image_and_both_moved_by_a_pixel_each_way() -> None:
    x = torch.arange(2.0 * 3 * 4 * 5).view(2, 3, 4, 5)
    mirror, *moved = (view((x,))[0] for view in field("image").views(CROPPED))
    assert torch.equal(mirror, x.flip(-1))
    for whole, (down, up) in zip((x, mirror), (moved[:2], moved[2:]), strict=True):
        assert down.shape == up.shape == x.shape
        assert torch.equal(down[..., 1:, 1:], whole[..., :-1, :-1])
        assert torch.equal(up[..., :-1, :-1], whole[..., 1:, 1:])
        assert torch.equal(down[..., 0, 1:], whole[..., 0, :-1])
        assert torch.equal(up[..., -1, :-1], whole[..., -1, 1:])


@pytest.mark.parametrize("looks", [1, 5])
def test_a_prediction_is_the_mean_over_the_picture_and_as_many_views_as_were_asked_for(looks: int) -> None:
    asked = network(CROPPED, looks)
    raw = torch.from_numpy(images().x[:6])
    batch, _ = field("image").preparing(asked.transform, asked.task)((raw,), torch.empty(0), None)
    seen = [batch, *(view(batch) for view in field("image").views(CROPPED)[:looks])]
    with torch.inference_mode():
        logits = torch.stack([asked.model(*one) for one in seen]).mean(0)
    np.testing.assert_allclose(asked.predict(raw.numpy()), logits.softmax(-1), atol=1e-6)
    np.testing.assert_allclose(Exported(asked)(raw).detach(), logits.softmax(-1), atol=1e-6)


def test_the_number_of_views_is_kept_with_the_network_and_an_older_one_has_the_mirror_image(tmp_path: Path) -> None:
    network(CROPPED, 5).save(tmp_path)
    assert len(Network.load(tmp_path).views) == 5
    said = json.loads((tmp_path / SPEC).read_text())
    del said["looks"]
    (tmp_path / SPEC).write_text(json.dumps(said))
    assert len(Network.load(tmp_path).views) == 1


@pytest.mark.parametrize(("patience", "recipe", "looks"), [(6.7, CROPPED, 5), (6.5, CROPPED, 1), (0.0, SMALL, 0)])
def test_all_views_are_taken_where_the_test_is_a_small_part_of_the_time_with_them(
    patience: float, recipe: Recipe, looks: int, tmp_path: Path
) -> None:
    data = images()
    delivery = Delivery(RunFolder(tmp_path), task_of(data), prepared_of(data), Plan(), {})
    delivery.test_rows, delivery.seconds_per_row, delivery.patience = 1000, 0.001, patience  # six looks: 6.6 s
    delivery.looks = delivery.affordable_looks(recipe.put("augment", recipe.augment if looks else ()))
    assert delivery.looks == looks
    assert math.isclose(delivery.test_seconds(looks), 1.1 * (1 + looks))
    assert delivery.seconds_to_finish() > delivery.test_seconds(looks)
