"""What describes users and items, the newest interactions as the test, and answers from some of many items."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from interactions import ROLES, walks

import whet
from whet.build import build
from whet.data.core import Data, Roles
from whet.errors import DataError, RecipeError
from whet.families.recommend import NEVER, had
from whet.fields import field, load
from whet.fields.recommend import splitting
from whet.fields.recommend.features import STEADY
from whet.fields.recommend.transform import Moments, RatingsTransform
from whet.recipe import Choice, Recipe
from whet.train.plan import Plan

OWN = field("ratings")
ASKED = {"user": "who", "item": "what", "rating": "stars", "time": "when"}


def shelves() -> pl.DataFrame:
    """what, genre, year: a row per item, "new" among them, which nobody had."""
    names = [*(f"m{i}" for i in range(30)), "new"]
    genre = ["|".join(["low", "even"][: 1 + i % 2]) if i < 15 else "high" for i in range(31)]
    return pl.DataFrame({"what": names, "genre": genre, "year": [1990 + i for i in range(31)]})


def described(**more) -> Data:
    return load(walks(), roles=dataclasses.replace(ROLES, **more))


def table_of(data: Data, role: str = "item") -> np.ndarray:
    return OWN.prepare(data, OWN.split(data, 0)).transform.features[role]


def test_items_are_described_by_a_table_of_their_own_and_new_ones_are_known():
    data = described(item_features=shelves())
    assert "new" in data.classes
    assert table_of(data).shape == (31, 4)
    assert data.origin["item_features"]["names"] == ["genre: high", "genre: low", "genre: even", "year"]
    assert "4 features of 31 items from genre, year" in " ".join(data.said)


def test_users_are_described_by_columns_of_the_interactions():
    frame = walks().with_columns(pl.col("who").str.slice(1).cast(pl.Int64).alias("age"))
    data = load(frame, roles=dataclasses.replace(ROLES, user_features="age"))
    ages = np.array([int(u[1:]) for u in data.origin["users"]])
    assert np.corrcoef(table_of(data, "user")[:, 0], ages)[0, 1] > 0.999


def test_free_text_is_read_word_by_word():
    titles = shelves().select("what", title=pl.lit("The Film of ") + pl.col("what") + pl.col("genre"))
    names = described(item_features=titles).origin["item_features"]["names"]
    assert "title: even" in names
    assert "title: the" not in names  # all have it


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ("stars", "'stars' can't describe items"),
        ("genres", "'genres' is neither a file nor a column"),
        ("mood", "'mood' differs between the rows of one item"),
        (shelves().with_columns(what="other " + pl.col("what")), "None of the items .* is in the interactions"),
        (shelves().rename({"what": "film"}), "no column 'what' that names the items"),
        (shelves().select("what", pl.lit("x").alias("genre")), "Nothing in 'genre' tells one item from another"),
    ],
)
def test_what_describes_nothing_is_refused_in_a_line(features, words):
    frame = walks().with_columns(pl.int_range(pl.len()).alias("mood"))
    with pytest.raises(DataError, match=words) as caught:
        load(frame, roles=dataclasses.replace(ROLES, item_features=features))
    assert "\n" not in str(caught.value)


def test_a_column_that_differs_for_a_few_is_said_to_and_for_more_is_refused():
    frame, few = walks(), pl.int_range(pl.len()) == 0
    users = frame["who"].n_unique()
    assert users > 1 / STEADY
    odd = frame.with_columns(age=pl.when(few).then(99).otherwise(30))
    said = load(odd, roles=dataclasses.replace(ROLES, user_features="age")).said
    assert any("'age' differs between the rows of 1 user: the first one counts" in s for s in said)


def test_the_profile_says_what_describes_items():
    data = described(item_features=shelves())
    last = OWN.profile(data, OWN.split(data, 0)).sections[-1]
    assert (last.title, [r.suggestion for r in last.rows]) == ("Described by", ["from genre, year"])


def test_other_features_are_other_data():
    assert described(item_features=shelves()).fingerprint != described(item_features=shelves().head(20)).fingerprint


@pytest.mark.parametrize("family", ["chains", "factors", "two_tower", "item_autoencoder", "gru4rec", "sasrec"])
def test_what_describes_an_item_that_nobody_had_moves_its_place(family):
    data = described(item_features=shelves())
    ready = OWN.prepare(data, OWN.split(data, 0))
    model = build(Recipe(family=Choice(family)), OWN.task(data), ready, 0, Plan()).model.eval()
    inputs, new = ready.transform.apply(data.x.head(3)), data.classes.index("new")
    before = model(*inputs)[:, new]
    for table in (m.features for m in model.modules() if hasattr(m, "features")):
        table[new + 1] = -table[new + 1]
    assert (model(*inputs)[:, new] != before).all()


def test_features_come_back_from_plain_data():
    data = described(item_features=shelves())
    known = OWN.prepare(data, OWN.split(data, 0)).transform
    assert np.array_equal(RatingsTransform.from_dict(known.to_dict()).features["item"], known.features["item"])


def test_a_run_with_features_recommends_and_says_them_again(tmp_path: Path):
    shelves().write_csv(tmp_path / "shelves.csv")
    told = {"item_features": str(tmp_path / "shelves.csv"), **ASKED}
    found = whet.fit(walks(), steps=5, budget="300s", out=tmp_path / "run", split="temporal", **told)
    (tmp_path / "shelves.csv").unlink()
    assert np.isfinite(found.value)
    new = whet.predict(found.folder, pl.DataFrame({"who": ["u1"], "what": ["new"]}))
    assert new.values[0] > 0


# -- in time order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["rank", "rate"])
def test_a_temporal_split_tests_what_is_newer_than_everything_else(task):
    data = load(walks(), roles=ROLES, task=task, split="temporal")
    time, parts = data.x["time"].to_numpy(), OWN.split(data, 0)
    assert time[parts["train"]].max() < time[parts["val"]].min()
    assert time[parts["val"]].max() < time[parts["test"]].min()
    assert abs(len(parts["test"]) / len(data) - 0.1) < 0.02


def test_a_temporal_split_needs_times_that_differ():
    with pytest.raises(DataError, match="--time"):
        load(walks().drop("when"), roles=dataclasses.replace(ROLES, time=None), split="temporal")
    with pytest.raises(DataError, match="too few different times"):
        load(walks().with_columns(when=pl.lit(5)), roles=ROLES, split="temporal")


# -- some of many items ----------------------------------------------------------------------------------------------


def told(data: Data, items: int) -> tuple[Recipe, tuple[torch.Tensor, ...], torch.Tensor]:
    recipe = Recipe(family=Choice("two_tower", dropout=0.0), loss=Choice("sampled_softmax", items=items))
    ready = OWN.prepare(data, OWN.split(data, 0))
    rows = ready.rows["train"][:20]
    seen = OWN.seen_by(recipe, ready.transform)
    return recipe, *Moments(seen)((rows,), ready.target[rows], torch.Generator().manual_seed(0))


def test_wrong_answers_are_drawn_and_what_the_user_had_is_none(ranking):
    recipe, inputs, target = told(ranking, 8)
    ready = OWN.prepare(ranking, OWN.split(ranking, 0))
    logits = build(recipe, OWN.task(ranking), ready, 0, Plan()).model(*inputs)
    drawn, known = inputs[4], inputs[3]
    assert logits.shape == (20, 1 + drawn.shape[1])
    assert drawn.shape[1] <= 8
    assert not target.any()
    for row, items, own in zip(logits, drawn, known, strict=True):
        assert ((row[1:] == NEVER) == torch.isin(items, own)).all()
        assert row[0] > NEVER


def test_items_that_were_drawn_are_found_among_what_was_had():
    banned = had(torch.tensor([2, 5, 9]), torch.tensor([[0, 5, 9], [2, 3, 7]]))
    assert banned.tolist() == [[False, False, True, True], [False, True, False, False]]


def test_of_very_many_draws_the_loss_is_that_of_all_items(ranking):
    """Everything is drawn then, and nothing is corrected."""
    recipe, inputs, target = told(ranking, 200_000)
    ready = OWN.prepare(ranking, OWN.split(ranking, 0))
    parts = build(recipe, OWN.task(ranking), ready, 0, Plan())
    whole = torch.nn.functional.cross_entropy(parts.model(*inputs[:4]), inputs[2] - 1)
    assert torch.isclose(parts.loss(parts.model(*inputs), target), whole, atol=1e-4)


def test_a_loss_of_drawn_items_is_refused_where_ratings_are_predicted():
    data = load(walks(), task="rate", roles=ROLES)
    ready = OWN.prepare(data, OWN.split(data, 0))
    recipe = Recipe(Choice("factors"), loss=Choice("sampled_softmax"))
    with pytest.raises(RecipeError, match="sampled_softmax compares items, and here ratings are predicted"):
        build(recipe, OWN.task(data), ready, 0, Plan())


def test_a_catalogue_too_large_to_compare_is_sampled():
    from types import SimpleNamespace

    from whet.fields.recommend.recipes import MANY, ranker

    for items, name in ((1000, "auto"), (MANY + 1, "sampled_softmax")):
        facts = SimpleNamespace(shape=(items,), n_train=10_000)
        assert ranker(facts, Choice("chains"), 0.01).loss.name == name


def test_roles_may_be_tables():
    assert Roles(item_features=shelves()).given()["item_features"].height == 31


def test_of_a_long_validation_time_some_interactions_choose_and_the_others_are_left_out(monkeypatch):
    data = load(walks(), roles=ROLES, task="rank", split="temporal")
    whole = OWN.split(data, 0)
    monkeypatch.setattr(splitting, "MOST_VAL", 5)
    some = OWN.split(data, 0)
    assert len(some["val"]) == 5 < len(whole["val"])
    assert set(some["val"]) < set(whole["val"])
    assert list(some["train"]) == list(whole["train"])
