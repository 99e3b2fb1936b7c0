"""Transform, networks and baselines of recommendation, against slow and obvious twins."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
import torch
from interactions import walks

from whet.data.prepared import Prepared
from whet.errors import RecipeError
from whet.families import FAMILIES
from whet.families.recommend import NEVER, Pulled
from whet.fields import field
from whet.fields.base import Wanted
from whet.fields.recommend import baselines
from whet.fields.recommend import ease as formula
from whet.fields.recommend.biases import damped, fitted
from whet.fields.recommend.ease import RIDGES, ease, matrix, near
from whet.fields.recommend.fair import Fair
from whet.fields.recommend.pairs import FADE, followers
from whet.fields.recommend.transform import MOST_NUMBERS, Moments, RatingsTransform
from whet.model import make_model, make_spec
from whet.recipe import Choice, Recipe
from whet.tasks.rank import best, ranks, sampled_ranks

OWN = field("ratings")
RANKERS = ("chains", "factors", "two_tower", "item_autoencoder", "gru4rec", "sasrec")
RATERS = ("factors", "ncf", "two_tower")


def prepared(data) -> Prepared:
    return OWN.prepare(data, OWN.split(data, 0))


def network(data, name: str, ready: Prepared, **params):
    recipe = Recipe(family=Choice(name, **params), activation=Choice("gelu"))
    model = make_model(recipe, make_spec(recipe, OWN.task(data), ready.transform), 0)
    if hasattr(model, "calibrate"):
        model.calibrate()
    return model


def test_a_moment_knows_what_came_before_it_and_nothing_else(ranking):
    known = prepared(ranking).transform
    history, user = known.at_rows(np.array([0, 3]))
    assert not history[0].any()
    assert history[1].tolist() == (known.had[:3] + 1).tolist()
    assert user.tolist() == [1, 1]


def test_test_rows_are_not_in_the_transform(ranking):
    parts = OWN.split(ranking, 0)
    known = OWN.prepare(ranking, parts).transform
    assert len(known.had) == len(parts["train"]) + len(parts["val"])


def test_training_is_not_told_what_is_held_back_for_choosing(ranking):
    """It was: what a user's validation row holds was never a wrong answer, so that networks with a vector for each user
    ranked it high among items that came by chance."""
    ready = prepared(ranking)
    known, rows = ready.transform, ready.rows["train"]
    told = Moments(known)((rows,), ready.target[rows], torch.Generator())[0][3]
    for row, items in zip(rows.tolist(), told, strict=True):
        mine = known.trained & (known.owner == known.owner[row])
        assert set(items[items > 0].tolist()) == set((known.had[mine] + 1).tolist())


def test_many_users_of_few_items_are_answered_in_pieces_that_fit_into_memory(ranking):
    """Each item of a history is looked up with all that is near it: pieces were as many rows as histories alone allowed."""
    known = prepared(ranking).transform
    asked = ranking.x.head(1).with_columns(user=0)
    asked = asked[np.zeros(40_000, np.int64)]
    longest = int(np.diff(known.starts).max())
    assert max(len(users) for _, users in known.pieces(asked)) * longest * known.nearby <= MOST_NUMBERS


def test_an_unknown_user_has_no_history(ranking):
    history, user = prepared(ranking).transform.apply(ranking.x.head(1).with_columns(user=-1))
    assert not history.any()
    assert user.tolist() == [0]


def test_a_transform_comes_back_from_plain_data(ranking):
    known = prepared(ranking).transform
    again = RatingsTransform.from_dict(known.to_dict())
    assert all(np.array_equal(getattr(again, k), getattr(known, k)) for k in ("owner", "had", "trained"))


def test_followers_are_counted_as_a_loop_counts_them():
    items, users = np.array([0, 1, 2, 0, 2, 1]), np.array([0, 0, 0, 1, 1, 1])
    slow = np.zeros((3, 3))
    for i in range(6):
        for j in range(i + 1, 6):
            if users[i] == users[j]:
                slow[items[i], items[j]] += np.exp(-(j - i) / FADE)
    pairs, found = followers(items, users, 3), np.zeros((4, 4))
    np.put_along_axis(found, pairs.index, pairs.weight, 1)
    assert np.allclose(found[1:, 1:], slow)
    assert pairs.count.tolist() == [0, 2, 2, 2]


def test_chains_leave_a_rows_own_pairs_out_of_the_counts(ranking):
    """The logits of a training row are those of counts that were made without this row's item."""
    ready = prepared(ranking)
    known, row = ready.transform, 4
    told = Moments(known)((torch.tensor([row]),), ready.target[[row]], torch.Generator())[0]
    with_all = network(ranking, "chains", ready).chain(told[0], told[2])
    without_it = dataclasses.replace(known, trained=known.trained & (np.arange(len(known.had)) != row))
    left = network(ranking, "chains", dataclasses.replace(ready, transform=without_it)).chain
    # the pairs are compared, not how often the item occurs
    left.often.copy_(network(ranking, "chains", ready).chain.often)
    assert torch.isclose(with_all[0, known.had[row]], left(told[0])[0, known.had[row]])


@pytest.mark.parametrize("name", RANKERS)
def test_a_ranker_never_recommends_what_the_user_had(ranking, name):
    ready = prepared(ranking)
    history, user = ready.transform.apply(ranking.x)
    logits = network(ranking, name, ready, ease=True).eval()(history, user)
    assert logits.shape == (len(ranking), len(ranking.classes))
    for row, items in zip(logits, history, strict=True):
        assert (row[items[items > 0] - 1] == NEVER).all()
        assert torch.isfinite(row).all()


@pytest.mark.parametrize("name", RANKERS)
def test_a_ranker_says_the_same_of_a_history_with_more_room_in_front(ranking, name):
    ready = prepared(ranking)
    model = network(ranking, name, ready, ease=True).eval()
    history, user = ready.transform.apply(ranking.x.head(6))
    wide = torch.nn.functional.pad(history, (9, 0))
    assert torch.allclose(model(history, user), model(wide, user), atol=2e-3)


def test_in_training_only_the_answer_is_right_and_other_items_of_the_user_are_not_wrong(ranking):
    ready = prepared(ranking)
    rows = ready.rows["train"][3:6]
    inputs, target = Moments(ready.transform)((rows,), ready.target[rows], torch.Generator())
    logits = network(ranking, "two_tower", ready)(*inputs)
    for row, answer, own in zip(logits, target, inputs[3], strict=True):
        others = set((own[own > 0] - 1).tolist()) - {int(answer)}
        assert row[answer] > NEVER
        assert all(row[i] == NEVER for i in others)


@pytest.mark.parametrize("name", RATERS)
def test_a_rater_gives_one_value_for_each_pair(rating, name):
    ready = prepared(rating)
    assert network(rating, name, ready)(*ready.inputs).shape == (len(ready.target), 1)


@pytest.mark.parametrize("name", RATERS)
def test_a_rater_begins_at_the_biases_in_closed_form(rating, name):
    """They were learned from nothing, and ended far behind the closed form where ratings are biases and noise."""
    ready = prepared(rating)
    known = ready.transform.biases
    user, item = (codes.numpy() - 1 for codes in ready.inputs)
    closed = torch.from_numpy(known["user"][user] + known["item"][item])
    said = network(rating, name, ready).eval()(*ready.inputs)[:, 0]
    assert (said - closed).square().mean() < 0.1 * closed.square().mean()


def test_users_with_features_begin_at_their_biases_too(rating):
    ready = prepared(rating)
    described = np.random.default_rng(0).normal(size=(ready.transform.users, 3)).astype(np.float32)
    known = dataclasses.replace(ready.transform, features={"user": described})
    model = network(rating, "factors", dataclasses.replace(ready, transform=known))
    assert torch.allclose(model.user_bias.weight[1:, 0], torch.from_numpy(known.biases["user"]))


def test_biases_of_a_transform_come_back_from_plain_data(rating):
    known = prepared(rating).transform
    again = RatingsTransform.from_dict(known.to_dict())
    assert all(np.array_equal(again.biases[role], known.biases[role]) for role in ("user", "item"))


def test_a_pulled_vector_has_the_gradient_of_its_mean_squared_length():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    (Pulled.apply(x, 0.3) ** 3).sum().backward()
    found, x.grad = x.grad, None
    ((x**3).sum() + 0.3 * (x**2).sum(1).mean()).backward()
    assert torch.allclose(found, x.grad)


def test_vectors_are_not_pulled_outside_training(rating):
    ready = prepared(rating)
    model = network(rating, "factors", ready)
    model(*ready.inputs).sum().backward()
    pulled = model.user.weight.grad.clone()
    model.eval().zero_grad()
    model(*ready.inputs).sum().backward()
    assert not torch.equal(pulled, model.user.weight.grad)


@pytest.mark.parametrize("name", ["chains", "sasrec"])
def test_networks_that_rank_refuse_to_rate(rating, name):
    with pytest.raises(RecipeError, match="Use factors, ncf or two_tower"):
        network(rating, name, prepared(rating))


def test_ncf_refuses_to_rank(ranking):
    with pytest.raises(RecipeError, match="Use two_tower"):
        network(ranking, "ncf", prepared(ranking))


def test_every_network_for_recommendation_is_tested_here():
    assert {f.name for f in FAMILIES if f.domains == ("ratings",)} == {*RANKERS, *RATERS}


def test_batches_depend_on_their_position_only_and_busy_users_do_not_drown_the_others():
    owner = torch.tensor([0] * 900 + [1] * 100)
    rows = torch.arange(1000)
    fair = Fair((rows,), rows, rows, owner, 100, seed=0)
    again = Fair((rows,), rows, rows, owner, 100, seed=0)
    fair.batch(0, 0)
    assert torch.equal(fair.batch(1, 2)[1], again.batch(1, 2)[1])
    busy = torch.cat([owner[fair.batch(0, i)[1]] for i in range(10)]) == 0
    assert 0.55 < busy.double().mean() < 0.75  # 900^0.3 / (900^0.3 + 100^0.3) = 0.66, of a share of 0.9


# -- metrics -------------------------------------------------------------------------------------------------------


def test_ranks_agree_with_sorting_and_shortened_lists():
    random = np.random.default_rng(0)
    p = random.random((50, 30)).astype(np.float32)
    y = random.integers(0, 30, 50)
    slow = np.array([np.argsort(-row, kind="stable").tolist().index(t) for row, t in zip(p, y, strict=True)])
    assert (ranks(y, p) == slow).all()
    assert (ranks(y, best(p)) == slow).all()


def test_what_is_never_recommended_has_no_rank_and_ties_count_against_it():
    assert ranks(np.array([0]), np.array([[0.0, 0.5, 0.5]]))[0] > 1000
    assert ranks(np.array([1]), np.array([[0.2, 0.4, 0.4]]))[0] == 1


def test_sampled_ranks_are_those_of_a_slow_search():
    """A second of the processor on MovieLens, at the end of a command and not counted: 13 s late where others used it too."""
    random = np.random.default_rng(0)
    scores, truth = random.random((20, 400)), random.integers(0, 400, 20)
    seen = [np.unique(random.integers(0, 400, int(n))) for n in random.integers(1, 350, 20)]
    draw, slow = np.random.default_rng(3), []
    for own, item, known in zip(scores, truth, seen, strict=True):
        free = np.array([i for i in range(400) if i != item and i not in known])
        drawn = draw.choice(free, min(99, len(free)), replace=False)
        slow.append(sum(own[i] >= own[item] for i in drawn))
    assert sampled_ranks(truth, scores, seen, 99, 3).tolist() == slow


def test_sampled_ranks_draw_unseen_items_only():
    scores = np.array([[0.5, 0.9, 0.1, 0.2]])
    assert sampled_ranks(np.array([0]), scores, [np.array([1])], 99, 0) == [0]
    assert sampled_ranks(np.array([0]), scores, [np.array([2])], 99, 0) == [1]


# -- baselines -----------------------------------------------------------------------------------------------------


def test_without_time_no_ridge_is_tried(monkeypatch):
    """A loaded machine was late by the time that went into the only candidate of a choice."""
    tried = []
    real = formula.ease
    monkeypatch.setattr(formula, "ease", lambda x, ridge: tried.append(ridge) or real(x, ridge))
    x = (np.random.default_rng(0).random((20, 12)) < 0.3).astype(np.float32)
    user, item = np.arange(20), np.arange(20) % 12
    assert formula.chosen_ridge(x, user, item, until=time.monotonic() - 1) == RIDGES[0]
    assert tried == []
    formula.chosen_ridge(x, user, item)
    assert sorted(tried) == sorted(RIDGES)


def test_ease_is_the_same_by_users_and_by_items():
    x = (np.random.default_rng(0).random((12, 20)) < 0.4).astype(np.float32)
    p = np.linalg.inv(x.T @ x + 3 * np.eye(20))
    weights = -p / np.diag(p)
    np.fill_diagonal(weights, 0)
    assert np.allclose(ease(x, 3.0)(x), x @ weights, atol=1e-3)
    assert np.allclose(ease(np.vstack([x, x]), 3.0)(x).shape, x.shape)


@pytest.mark.parametrize("users", [6, 30])
def test_the_largest_weights_are_kept_of_each_item(users):
    """By users and by items, and with rarer items left out."""
    x = (np.random.default_rng(0).random((users, 9)) < 0.4).astype(np.float32)
    kept = np.array([0, 2, 3, 5, 6, 7, 8, 10, 11])
    found = near(x, 3.0, kept, 12, 4)
    assert not found.index[[0, 2, 5, 10]].any()
    p = np.linalg.inv(x.T @ x + 3 * np.eye(9))
    whole = -p / np.diag(p)
    np.fill_diagonal(whole, 0)
    for row, item in zip(whole, kept, strict=True):
        then = found.index[item + 1] - 1
        assert set(then) == set(kept[np.argsort(-np.abs(row))[:4]])
        assert np.allclose(found.weight[item + 1], row[np.searchsorted(kept, then)], atol=1e-4)


def test_a_users_training_rows_meet_weights_that_other_users_made(ranking, monkeypatch):
    """Weights that had seen what follows were believed too much: NDCG@100 0.38 instead of 0.52 on items with an order."""
    monkeypatch.setattr("whet.fields.recommend.ease.RIDGES", (200.0,))
    ready = prepared(ranking)
    known = ready.transform
    user = int(known.owner[4])
    other = (known.owner != user) | ~known.trained
    fewer = dataclasses.replace(known, trained=known.trained & other)
    own = {k: t.eased.folds[t.eased.fold[user + 1]].weight for k, t in (("all", known), ("fewer", fewer))}
    assert np.allclose(own["all"], own["fewer"])
    assert not np.allclose(known.eased.near.weight, fewer.eased.near.weight)


def test_what_goes_together_is_scored_as_ease_scores_it(ranking):
    ready = prepared(ranking)
    known = ready.transform
    model = network(ranking, "chains", ready, ease=True)
    x = matrix(known.owner[known.trained], known.had[known.trained], known.users, known.items)
    history, user = known.apply(ranking.x.head(8))
    shown = np.zeros((8, known.items), np.float32)
    for row, items in zip(shown, history, strict=True):
        row[items[items > 0] - 1] = 1
    slow = [np.abs(ease(x, ridge)(shown) - model.ease.scores(history, user, False).numpy()).max() for ridge in RIDGES]
    assert min(slow) < 1e-4


def test_als_solves_its_least_squares():
    random = np.random.default_rng(0)
    x = (random.random((5, 9)) < 0.4).astype(np.float32)
    item = random.normal(size=(9, 4)).astype(np.float32)
    confidence = 1 + baselines.ALPHA * x
    for row, found in zip(range(5), baselines.solved(x, item), strict=True):
        left = item.T @ np.diag(confidence[row]) @ item + baselines.REGULARISER * np.eye(4)
        assert np.allclose(found, np.linalg.solve(left, item.T @ (confidence[row] * x[row])), atol=1e-4)


def wanted(data) -> Wanted:
    parts = OWN.split(data, 0)
    return Wanted(data, parts, OWN.prepare(data, parts), OWN.task(data), 5.0, 1, 0)


def test_the_baselines_of_a_ranking_recommend_nothing_that_was_had(ranking):
    asked = wanted(ranking)
    found = {b.name: b.predicted for b in baselines.baselines(asked)}
    assert list(found) == ["popularity", "item-item", "EASE^R", "ALS"]
    known, users = asked.prepared.transform, ranking.x["user"].to_numpy()[asked.parts["test"]]
    for said in found.values():
        for user, row in zip(users, said, strict=True):
            own = known.had[known.starts[user] : known.starts[user + 1]]
            unseen = known.items - len(own)
            assert not set(row[:unseen]) & set(own)


def test_popularity_without_a_matrix_is_the_same(ranking):
    asked = wanted(ranking)
    known, users = asked.prepared.transform, ranking.x["user"].to_numpy()[asked.parts["test"]]
    often = np.bincount(known.had, minlength=known.items).astype(np.float32)
    first = next(iter(baselines.rankings(asked))).predicted
    unseen = known.items - np.diff(known.starts).max()
    assert (baselines.popular(known, users, often)[:, :unseen] == first[:, :unseen]).all()


def test_damped_biases_solve_their_ridge_regression():
    random = np.random.default_rng(0)
    user, item, left = random.integers(0, 4, 40), random.integers(0, 3, 40), random.normal(size=40)
    x = np.concatenate([np.eye(4)[user], np.eye(3)[item]], 1)
    slow = np.linalg.solve(x.T @ x + np.diag([2.0] * 4 + [5.0] * 3), x.T @ left)
    found = damped(user, item, left, (4, 3), (2.0, 5.0), sweeps=200)
    assert np.allclose(slow, [*found.user, *found.item])


def test_biases_are_damped_as_the_validation_rows_ask():
    """Where ratings are noise they stay near 0; where users and items make them, they are hardly damped."""
    random = np.random.default_rng(0)
    user, item, noise = random.integers(0, 30, 400), random.integers(0, 30, 400), random.normal(size=400)
    trained = random.random(400) < 0.8
    mostly_noise = fitted(user, item, noise, trained, (30, 30))
    made = random.normal(size=30)[user] + random.normal(size=30)[item]
    mostly_biases = fitted(user, item, made + 0.1 * noise, trained, (30, 30))
    assert sum(mostly_noise.damping) > 10 * sum(mostly_biases.damping)


def test_biases_are_better_than_the_mean_where_users_and_items_differ(rating):
    asked = wanted(rating)
    truth = rating.y[asked.parts["test"]]
    scores = {b.name: asked.task.score(truth, b.predicted) for b in baselines.baselines(asked)}
    assert list(scores) == ["mean", "biases", "ALS"]
    assert scores["biases"] < scores["mean"]


def test_generated_walks_are_the_same_every_time():
    assert walks().equals(walks())
