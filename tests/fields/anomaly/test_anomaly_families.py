"""The contract of networks that judge rows, and what each of them promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.ensemble import IsolationForest
from torch import nn

from whet.errors import RecipeError, UnknownName
from whet.families import FAMILIES, InputSpec
from whet.families.anomaly_autoencoder import Dense
from whet.families.anomaly_committee import Columns, Directions, Neighbours, Others, Scale
from whet.families.anomaly_cuts import Cuts, usual
from whet.families.anomaly_local import Local
from whet.families.anomaly_steps import AROUND, Steps
from whet.fields.anomaly.profiles import matrix_profile
from whet.fields.anomaly.recipes import LOCAL_FROM, SAY, committee
from whet.fields.anomaly.windows import in_hindsight
from whet.losses import LOSSES
from whet.tasks.detect import COST, SCORE, average_precision

NAMES = [e.name for e in FAMILIES if "anomaly" in e.domains]
TIMED_ONLY = ("conv_autoencoder", "lstm_autoencoder", "forecaster")


def spec_of(*shape: int) -> InputSpec:
    return InputSpec(shape, 1, "detect", nn.GELU, lambda channels: nn.Identity(), domain="anomaly", more={"rows": 60})


def made(name: str, *shape: int) -> nn.Module:
    torch.manual_seed(0)
    entry = FAMILIES[name]
    return entry.make(spec_of(*shape), **entry.fill({}))


def rows(*shape: int, n: int = 60) -> torch.Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(5,), (3, 12)])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_says_score_cost_and_columns_and_can_learn(name, shape):
    if name in TIMED_ONLY and len(shape) == 1:
        with pytest.raises(RecipeError, match="follow each other"):
            made(name, *shape)
        return
    network = made(name, *shape)
    x = rows(*shape)
    if hasattr(network, "calibrate"):
        network.calibrate(x)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    costs = []
    for _ in range(8):
        said = network(x)
        costs.append(said[:, COST].mean())
        optimizer.zero_grad()
        LOSSES["surprise"].make(trim=0.1, push=1.0)(said, torch.zeros(60)).backward()
        optimizer.step()
    assert said.shape == (60, 2 + shape[0])
    assert said.isfinite().all()
    assert costs[-1] < costs[0]


@pytest.mark.parametrize("shape", [(6,), (2, 16)])
def test_the_committee_ranks_a_far_row_first_and_blames_its_column(shape):
    x = rows(*shape, n=200)
    x[7, 1] += 8
    network = made("committee", *shape)
    network.calibrate(x)
    said = network.eval()(x)
    assert said[:, SCORE].argmax() == 7
    assert said[7, 2:].argmax() == 1


def test_a_view_that_finds_a_row_usual_does_not_outvote_one_that_finds_it_strange():
    x, entry = rows(5, n=200), FAMILIES["committee"]
    said = {}
    for say in ("all", "strange", "loud", "louder"):
        torch.manual_seed(0)
        network = entry.make(spec_of(5), **entry.fill({"say": say}))
        network.calibrate(x)
        said[say] = network.eval()(x)[:, SCORE]
    assert (said["strange"] >= said["all"] - 1e-6).all()
    assert (said["strange"] >= 1).all()
    assert (said["loud"] >= said["all"] - 1e-6).all()
    assert (said["louder"] >= said["loud"] - 1e-6).all()
    assert (said["all"] < 1).any()


def test_rows_out_of_a_correlation_are_found_beside_rows_far_along_it():
    factor = torch.randn(600, 1, generator=torch.Generator().manual_seed(1))
    x = factor + 0.25 * torch.randn(600, 5, generator=torch.Generator().manual_seed(2))
    x[:12, 0] -= 2.5 * x[:12, 1].sign()
    entry = FAMILIES["committee"]
    network = entry.make(spec_of(5), **entry.fill({"k": 30, "first": 30, "say": SAY})).eval()
    network.calibrate(x)
    found = network(x)[:, SCORE].topk(12).indices
    assert (found < 12).sum() >= 11


def test_what_others_leave_of_a_column_is_its_regressions_residual():
    x = torch.randn(400, 4, generator=torch.Generator().manual_seed(0)).double()
    x[:, 3] = x[:, 0] - x[:, 1] + 0.2 * x[:, 3]
    view = Others(4, 1e-9).double()
    view.fit(x)
    centred = x - x.mean(0)
    for i in range(4):
        rest = torch.cat([centred[:, :i], centred[:, i + 1 :]], 1)
        left = centred[:, i] - rest @ torch.linalg.lstsq(rest, centred[:, i]).solution
        torch.testing.assert_close(
            view.each(x)[:, i], left.square() / (left.square().sum() / 399), rtol=1e-4, atol=1e-6
        )


def judged(x: torch.Tensor, strange: torch.Tensor, timed: bool, without: str) -> tuple[float, float]:
    """AUC-PR of the field's own choice of views, and of the same without one of them; of windows in hindsight."""
    params = dict(committee(len(x), timed, clean=False).params)
    whole = tuple(v for v in params["views"] if v != "steps")
    found = []
    for views in (whole, tuple(v for v in whole if v != without)):
        torch.manual_seed(0)
        network = FAMILIES["committee"].make(
            spec_of(*x.shape[1:]), **FAMILIES["committee"].fill({**params, "views": views})
        )
        network.calibrate(x[torch.linspace(0, len(x) - 1, min(len(x), network.calibration_rows)).long()].contiguous())
        score = network.eval()(x)[:, SCORE].detach().numpy()
        truth = np.isin(np.arange(len(x)), strange.numpy())
        found.append(average_precision(truth, in_hindsight(score, x.shape[2]) if timed else score))
    return found[0], found[1]


def test_numbers_that_the_other_columns_contradict_are_found():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(800, 8, generator=draw) @ torch.randn(8, 8, generator=draw)
    x, odd = (x - x.mean(0)) / x.std(0), torch.arange(0, 800, 40)
    x[odd, odd // 40 % 8] = torch.randn(len(odd), generator=draw)
    with_others, without = judged(x, odd, False, "others")
    # 0.217 without, since covariances of tables are shrunk by 0.005 (below 0.2 when it was 0.05)
    assert with_others > 0.4 > 0.25 > without


def test_a_beat_that_is_twice_as_fast_is_found_in_a_series():
    draw = torch.Generator().manual_seed(0)
    x = torch.sin(torch.arange(1500) * 2 * torch.pi / 40) + 0.1 * torch.randn(1500, generator=draw)
    for start in (500, 1000):
        x[start : start + 100] = torch.sin(torch.arange(100) * 2 * torch.pi / 20) + 0.1 * torch.randn(
            100, generator=draw
        )
    strange = torch.cat([torch.arange(401, 501), torch.arange(901, 1001)])  # of windows, by their first step
    with_cuts, without = judged(torch.cat([x[:1].expand(99), x])[:, None].unfold(0, 100, 1), strange + 99, True, "cuts")
    assert with_cuts > 0.9 > without


def around(x: torch.Tensor) -> torch.Tensor:
    """(n, columns, 40) windows of a series (n, columns)."""
    return torch.cat([x[:1].expand(39, -1), x]).unfold(0, 40, 1)


def smooth_series(n: int = 1500) -> torch.Tensor:
    draw, steps = torch.Generator().manual_seed(0), torch.arange(n)
    return (torch.sin(steps / 9) + 0.5 * torch.sin(steps / 4) + 0.02 * torch.randn(n, generator=draw))[:, None]


def single_steps(x: torch.Tensor) -> torch.Tensor:
    """(n, 3) of a series, fitted on itself."""
    view = Steps(x.shape[1], 40, len(x))
    view.fit(around(x))
    return view(around(x))


def test_a_spike_is_said_of_its_own_step_alone():
    x = smooth_series()
    x[700] += 2.0
    newest, between, _ = single_steps(x)[AROUND:].T
    assert (between.nonzero().flatten() + AROUND).tolist() == [700 + AROUND // 2]
    assert newest[700 - AROUND] > 0


def test_a_stretch_that_stands_still_is_found_and_slow_turns_are_not():
    x = smooth_series()
    x[700:760] = x[700]
    still = single_steps(x)[AROUND:, 2].nonzero().flatten() + AROUND
    assert {*range(700 + AROUND - 1, 760)} <= {*still.tolist()}
    assert still.min() > 700
    assert still.max() < 760 + 2


@pytest.mark.parametrize("heavy", [False, True])
def test_a_series_without_strange_steps_is_not_said_to_have_many(heavy):
    draw = np.random.default_rng(0)
    x = draw.standard_t(3, (3000, 4)) if heavy else draw.standard_normal((3000, 4))
    said = single_steps(torch.from_numpy(x).float())[AROUND:]
    assert ((said > 0).sum(0) <= 4).all()


def test_columns_that_never_move_are_neither_still_nor_strange():
    x = torch.cat([smooth_series(), torch.zeros(1500, 1)], 1)
    x[700, 0] += 2.0
    assert single_steps(x)[AROUND:, 2].max() == 0
    assert single_steps(torch.zeros(300, 1)).max() == 0


def test_an_unknown_say_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="strange"):
        FAMILIES["committee"].make(spec_of(5), say="strnge")


def test_a_dense_autoencoder_begins_as_the_principal_components():
    x = rows(6) @ torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    network = Dense(spec_of(6), width=8, depth=1, code=2)
    network.calibrate(x)
    centred = x - x.mean(0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    torch.testing.assert_close(network(x), x.mean(0) + centred @ axes[:2].T @ axes[:2], atol=1e-4, rtol=1e-4)


def test_directions_are_mahalanobis_distances():
    x = rows(4) @ torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    view = Directions(4, shrink=0.0)
    view.fit(x)
    centred = (x - x.mean(0)).double().numpy()
    slow = [row @ np.linalg.inv(np.cov(centred.T)) @ row for row in centred]
    np.testing.assert_allclose(view(x), slow, rtol=1e-3)


def test_columns_are_tails_of_the_distribution():
    x = torch.linspace(-1, 1, 1001)[:, None]
    view = Columns(1)
    view.fit(x)
    tails = -np.log(2 * np.minimum(0.25, 0.75))
    assert float(view(torch.tensor([[0.0]]))) == pytest.approx(0, abs=1e-2)
    assert float(view(torch.tensor([[0.5]]))) == pytest.approx(tails, abs=1e-2)
    far, farther = view(torch.tensor([[2.0], [3.0]]))
    assert far < farther


def test_a_row_that_hardly_differs_is_not_beyond_all_measure_where_most_are_the_same():
    scale = Scale()
    scale.fit(torch.cat([torch.ones(80), torch.linspace(1, 2, 20)]))
    same, near, far = scale(torch.tensor([1.0, 1.01, 2.0]))
    assert same == 0
    assert 0 < near < 1
    assert near < far < 20


def slow_profile(x: np.ndarray, w: int, zone: int) -> np.ndarray:
    parts = np.array([x[i : i + w] for i in range(len(x) - w + 1)])
    found = np.array([[np.sqrt(((a - b) ** 2).sum()) for b in parts] for a in parts])
    for i in range(len(parts)):
        found[i, max(0, i - zone + 1) : i + zone] = np.inf
    return found.min(1)


def test_the_matrix_profile_is_the_slow_one():
    x = np.random.default_rng(0).standard_normal((60, 2)).cumsum(0)
    slow = slow_profile(x, 8, 4)
    np.testing.assert_allclose(matrix_profile(x, 8)[7:], slow, atol=1e-6)


def test_neighbours_of_a_row_are_as_far_as_the_nearest_ones_on_average():
    known, asked = rows(4), rows(4, n=7) + 1
    view, last = (Neighbours(4, places=60, k=3, zone=0.0, first=first) for first in (1, 3))
    view.fit(known, torch.arange(60))
    last.fit(known, torch.arange(60))
    torch.testing.assert_close(
        view(asked), torch.cdist(asked, known).sort(1).values[:, :3].mean(1), atol=1e-3, rtol=1e-3
    )


def test_neighbours_of_training_windows_are_their_matrix_profile():
    x = np.random.default_rng(0).standard_normal(80)
    parts = torch.tensor(np.array([x[i : i + 6] for i in range(75)]), dtype=torch.float32)
    view = Neighbours(6, places=75, k=1, zone=6.0)
    view.fit(parts, torch.arange(75))
    np.testing.assert_allclose(view(parts).sqrt(), slow_profile(x[:, None], 6, 6), atol=1e-3)


def test_known_anomalies_are_pushed_away_and_expensive_rows_are_left_out():
    said = torch.zeros(4, 2)
    said[:, COST] = torch.tensor([1.0, 2.0, 100.0, 4.0])
    loss = LOSSES["surprise"].make(trim=1 / 3, push=2.0)
    assert float(loss(said, torch.tensor([0.0, 0.0, 0.0, 1.0]))) == pytest.approx((1 + 2 + 2 / 4) / 3)


def test_the_centre_of_one_class_stays_away_from_zero():
    network = made("one_class", 5)
    network.calibrate(rows(5))
    assert (network.network.centre.abs() >= 0.1).all()
    assert all("bias" not in name for name, _ in network.named_parameters())


def test_random_cuts_rank_rows_as_an_isolation_forest_does():
    random = np.random.default_rng(0)
    rows = np.concatenate([random.normal(size=(500, 4)), random.uniform(-6, 6, size=(25, 4))]).astype(np.float32)
    torch.manual_seed(0)
    cuts = Cuts(trees=300)
    cuts.fit(torch.from_numpy(rows))
    ours = cuts(torch.from_numpy(rows)).numpy()
    theirs = -IsolationForest(n_estimators=300, random_state=0).fit(rows).score_samples(rows)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    assert abs(ours.mean() - theirs.mean()) < 0.01  # both are 2 to the power of -E(h) / c


def test_a_row_is_as_deep_as_the_cuts_around_it():
    torch.manual_seed(0)
    cuts = Cuts(trees=50)
    rows = torch.tensor([[0.0], [1.0]]).repeat(4, 1)  # one cut apart, then four rows that no cut parts
    cuts.fit(rows)
    needed = (1 + usual(torch.tensor(4))) / usual(torch.tensor(8))
    torch.testing.assert_close(cuts(rows), torch.exp2(-needed).expand(8))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_or_one_that_is_repeated_can_be_cut_too(rows):
    cuts = Cuts(trees=3)
    cuts.fit(torch.ones(rows, 2))
    assert cuts(torch.ones(2, 2)).isfinite().all()


def test_the_usual_number_of_cuts_is_that_of_a_binary_search_tree():
    exact = [0.0, 0.0, 1.0]
    for n in range(3, 60):  # every place of the first cut is as likely: 1 + the mean of both sides
        exact.append(1 + sum(2 * k / n * exact[k] for k in range(1, n)) / (n - 1))
    found = usual(torch.arange(60))
    assert found[:3].tolist() == [0.0, 0.0, 1.0]
    assert np.abs(found[30:].numpy() - np.array(exact[30:])).max() < 0.05


def test_a_gap_beside_a_tight_crowd_is_seen_though_a_loose_one_has_wider_ones():
    """By plain distances such rows were more usual than most of the loose crowd: AUC-PR 0.07, isolation forest 0.46."""
    draw = torch.Generator().manual_seed(0)
    tight = 0.1 * torch.randn(400, 3, generator=draw)
    loose = 6 + 1.5 * torch.randn(400, 3, generator=draw)
    beside = torch.nn.functional.normalize(torch.randn(10, 3, generator=draw))
    view = Local(3, 800)
    view.fit(torch.cat([tight, loose]))
    usual, strange = view(torch.cat([tight, loose])), view(beside)
    assert (strange > usual.quantile(0.99)).all()
    torch.testing.assert_close(view(torch.cat([tight, loose])), usual)


def test_rows_that_are_all_equal_are_usual():
    view = Local(2, 60)
    view.fit(torch.ones(60, 2))
    torch.testing.assert_close(view(torch.ones(3, 2)), torch.ones(3))
    assert (view(torch.zeros(1, 2)) > 10).all()


@pytest.mark.parametrize("clean", [False, True])
def test_few_rows_have_no_neighbourhood_to_be_measured_by(clean):
    assert "local" not in committee(LOCAL_FROM - 1, False, clean).params["views"]
    assert "local" in committee(LOCAL_FROM, False, clean).params["views"]
    assert "local" not in committee(LOCAL_FROM, True, clean).params["views"]
