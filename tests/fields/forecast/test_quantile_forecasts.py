"""Networks that say quantiles: in order, by the pinball loss, with intervals that cover what they promise."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from series_made import table
from test_forecast_networks import NAMES, C, H, made, spec, stirred, windows

import whet
from whet.build import build
from whet.data.core import Roles
from whet.errors import RecipeError
from whet.fields import field, load
from whet.fields.forecast.intervals import Intervals, covered, ends
from whet.losses import LOSSES
from whet.losses.quantile import quantile, quantiles
from whet.recipe import Choice, Recipe
from whet.runners.trial import Validator
from whet.tasks.forecast import Futures, Units, mse
from whet.train.loop import CHOICE
from whet.train.plan import Plan

LEVELS = (0.05, 0.5, 0.95)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_says_quantiles_in_order_and_learns_them_all(name: str) -> None:
    given = spec(2, 4)
    network = stirred(made(name, replace(given, more={**given.more, "levels": LEVELS}), calendar=True))
    said = network(*windows(4, 2, 4))
    LOSSES["quantiles"].make(LEVELS)(said, torch.randn(4, H * C)).backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
    low, middle, high = network.eval()(*windows(4, 2, 4)).unbind(1)
    assert middle.shape == (4, H * C)
    assert torch.all((low <= middle) & (middle <= high))


def test_the_loss_is_the_mean_of_the_losses_of_its_levels() -> None:
    said, truth = torch.randn(5, 2, 3, 4), torch.randn(5, 4)  # of two members
    alone = torch.stack([quantile(q)(said[:, :, i], truth) for i, q in enumerate(LEVELS)]).mean()
    torch.testing.assert_close(quantiles(LEVELS)(said, truth), alone)


def test_the_loss_is_least_at_the_quantiles() -> None:
    truth, said = torch.rand(4000, 1, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 3, 1)
    said.requires_grad_()
    optimizer = torch.optim.Adam([said], lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        quantiles(LEVELS)(said.expand(4000, -1, -1), truth).backward()
        optimizer.step()
    torch.testing.assert_close(said.flatten().detach(), torch.tensor(LEVELS), atol=0.03, rtol=0)


@pytest.mark.parametrize("form", ["nlinear", "dlinear", "rlinear"])
def test_outer_quantiles_of_noise_learn_to_enclose_what_they_should(form: str) -> None:
    """A linear map of a centred window says nothing constant: without a start apart they enclosed 4 to 9 % of real series."""
    given = spec()
    network = made("series_linear", replace(given, more={**given.more, "levels": LEVELS}), form=form)
    draw = torch.Generator().manual_seed(0)
    past, truth = torch.randn(600, 24, C, generator=draw), torch.randn(600, H * C, generator=draw)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        quantiles(LEVELS)(network(past), truth).backward()
        optimizer.step()
    low, _, high = network.eval()(past).unbind(1)
    assert 0.8 < ((low <= truth) & (truth <= high)).float().mean() < 0.97


@pytest.mark.parametrize("levels", [(0.1, 0.9), (0.5, 0.4, 0.9), (0.1, 0.3, 0.9), (0.0, 0.5, 1.0)])
def test_levels_without_a_median_between_them_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(RecipeError, match="no median in its middle"):
        quantiles(levels)


def test_one_number_for_several_quantiles_is_refused() -> None:
    with pytest.raises(RecipeError, match="says several quantiles"):
        quantiles(LEVELS)(torch.zeros(4, 6), torch.zeros(4, 6))


def test_quantiles_are_moved_until_they_cover_what_is_wanted() -> None:
    """Noise grows with a known size; the network says so, and thinks half as much of it as is true."""
    random, rows = np.random.default_rng(0), np.arange(3000)
    size = random.uniform(1, 4, (3000, 2))
    said = np.stack([-0.82 * size, 0 * size, 0.82 * size], 1)  # 1.645 would be right
    units = Units(*(np.ones((1, 1)),) * 3)
    truth = Futures((size * random.standard_normal(size.shape))[..., None], np.zeros(3000, int), units)
    half = slice(0, 1500), slice(1500, 3000)
    found = Intervals.from_dict(Intervals.fit(truth[half[0]], said[half[0]], None, rows[half[0]]).to_dict())
    assert mse(truth, said) == mse(truth, said[:, 1])
    assert covered(truth[half[1]], *ends(said[half[1]], (1500, 2, 1))).max() < 0.65
    low, high = found.around(said[half[1]], np.zeros((3000, 1, 1)), rows[half[1]])
    np.testing.assert_allclose(covered(truth[half[1]], low, high), 0.9, atol=0.03)
    assert np.corrcoef((high - low)[:, 0, 0], size[1500:, 0])[0, 1] > 0.99


def test_weights_are_chosen_by_the_loss_of_all_quantiles_not_by_the_median_alone(tmp_path: Path) -> None:
    source = tmp_path / "load.csv"
    table(300).write_csv(source)
    own = field("series")
    data = load(str(source), roles=Roles(time="when", horizon=12, lookback=24))
    ready, task = own.prepare(data, own.split(data, 0)), own.task(data)
    for loss in ("quantiles", "mae"):
        parts = build(Recipe(family=Choice("series_linear"), loss=Choice(loss)), task, ready, 0, Plan())
        measured = Validator(task, ready, parts)(parts.model.eval())
        rows = ready.rows["val"]
        with torch.no_grad():
            whole = parts.loss(parts.model(*(x[rows] for x in ready.inputs)), ready.target[rows])
        assert measured.get(CHOICE) == (pytest.approx(float(whole), rel=1e-4) if loss == "quantiles" else None)


def test_a_run_of_quantiles_tells_what_they_cover_and_predicts_between_them(tmp_path: Path) -> None:
    source = tmp_path / "load.csv"
    table(500).write_csv(source)
    recipe = Recipe(
        family=Choice("series_linear"), loss=Choice("quantiles"), optimizer=Choice("adamw", lr=3e-3), batch_size=32
    )
    run = whet.fit(
        source, time="when", horizon=12, lookback=48, recipe=recipe, steps=60, budget=20, out=tmp_path / "run"
    )
    assert run.value < 0.5 * run.baselines["last value"]
    assert run.details["quantiles"]["levels"] == list(LEVELS)
    assert run.details["quantiles"]["wanted"] == pytest.approx(0.9)
    assert 0.7 < run.details["quantiles"]["covered_on_test"] <= 1
    assert 0.75 < run.details["intervals"]["covered_on_test"] <= 1
    whet.predict(run.folder, source, out=tmp_path / "said.csv")
    lines = list(csv.DictReader((tmp_path / "said.csv").read_text().splitlines()))
    assert all(float(r["low"]) < float(r["prediction"]) < float(r["high"]) for r in lines)
