"""Tables of interactions: which column is which, what is left out, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from interactions import ROLES, walks

from whet.data.core import Roles
from whet.errors import DataError
from whet.fields import field, load
from whet.fields.recommend import splitting

USUAL = walks().rename({"who": "user_id", "what": "Movie ID", "stars": "Rating", "when": "timestamp"})


def said(data) -> str:
    return " ".join(data.said)


def test_rows_are_in_the_order_of_users_and_times(ranking):
    users, times = ranking.x["user"].to_numpy(), ranking.x["time"].to_numpy()
    assert (np.diff(users) >= 0).all()
    assert (np.diff(times)[np.diff(users) == 0] > 0).all()


def test_usual_names_are_recognised_and_said():
    data = load(USUAL, task="recommend")
    assert data.domain == "ratings"
    assert "--user user_id, --item Movie ID, --rating Rating, --time timestamp" in said(data)


def test_without_a_task_it_ranks_and_says_how_to_get_ratings():
    data = load(walks(), roles=ROLES)
    assert data.goal == "rank"
    assert "--task rate" in said(data)


def test_a_table_without_roles_or_task_is_no_recommendation():
    assert not field("ratings").takes(USUAL, None, Roles())
    assert not field("ratings").takes(USUAL, "regression", Roles(time="timestamp"))


def test_the_newest_of_repeated_interactions_stays():
    frame = walks()
    again = frame.head(3).with_columns(pl.col("when") + 1_000_000, pl.lit(0.25).alias("stars"))
    data = load(pl.concat([frame, again]), roles=ROLES)
    assert len(data) == frame.height
    assert "3 repeated interactions" in said(data)
    assert (data.x["rating"] == 0.25).sum() == 3


def test_names_that_differ_in_nothing_but_case_or_spaces_are_said():
    frame = walks().with_columns(pl.col("who").cast(pl.String))
    assert "in nothing but case" not in said(load(frame, roles=ROLES))
    first = frame["who"][0]
    loud = frame.head(2).with_columns(pl.Series("who", [f"Walker  {first}", f"walker {first}"]))
    spoken = said(load(pl.concat([frame, loud]), roles=ROLES))
    assert f"1 user written in several ways that differ in nothing but case or spaces ('Walker  {first}' and" in spoken


def test_rows_without_a_user_or_with_nan_ids_are_left_out_and_listed():
    frame = walks().with_columns(pl.Series("who", [None, "nan", *walks()["who"][2:]]))
    data = load(frame, roles=ROLES)
    assert len(data) == frame.height - 2
    assert [p.why for p in data.problems] == ["no user", "no user"]
    assert "2 rows without user left out" in said(data)


def test_ids_that_became_decimals_beside_missing_ones_are_the_same_ids():
    numbers = walks()["what"].str.slice(1).cast(pl.Float64)
    frame = walks().with_columns(numbers.alias("what"))
    frame = frame.with_columns(pl.Series("what", [float("nan"), *frame["what"][1:]]))
    assert all("." not in name for name in load(frame, roles=ROLES).classes)


def test_dates_are_times():
    written = walks().with_columns(pl.from_epoch("when").dt.strftime("%Y-%m-%d %H:%M:%S"))
    assert load(written, roles=ROLES).x["item"].to_list() == load(walks(), roles=ROLES).x["item"].to_list()


def test_without_times_the_order_of_the_rows_is_kept():
    frame = pl.DataFrame({"who": ["a", "b", "a", "b", "a"], "what": ["x", "x", "z", "y", "y"]})
    data = load(frame, roles=Roles(user="who", item="what"))
    assert [data.classes[i] for i in data.x["item"]] == ["x", "z", "y", "x", "y"]


def changed(**columns) -> pl.DataFrame:
    return walks().with_columns(**columns)


@pytest.mark.parametrize(
    ("frame", "roles", "task", "words"),
    [
        (walks(), dataclasses.replace(ROLES, user="woh"), None, "no column 'woh' for --user.*'who'"),
        (walks().rename({"who": "x"}), Roles(item="what"), None, "no column of users.*--user"),
        (walks(), dataclasses.replace(ROLES, item="who"), None, "named twice"),
        (walks().drop("stars"), dataclasses.replace(ROLES, rating=None), "rate", "--rating"),
        (walks(), ROLES, "classification", "nothing to do with users and items"),
        (changed(stars=pl.lit(3.0)), ROLES, "rate", "All ratings.*are 3.*--task rank"),
        (changed(stars=pl.lit("good")), ROLES, "rate", "holds no ratings: 'good'"),
        (changed(stars=pl.lit(None, pl.Float64)), ROLES, "rate", "holds no ratings: all are missing"),
        (changed(when=pl.lit("soon")), ROLES, None, "holds no times: 'soon'"),
        (changed(what=pl.lit("m1")), ROLES, None, "1 item"),
        (changed(who=pl.lit(None, pl.String)), ROLES, None, "no row with user"),
        (walks().unique("who", keep="first", maintain_order=True), ROLES, "rank", "one interaction"),
    ],
)
def test_what_nothing_can_be_learned_from_is_answered_in_a_line(frame, roles, task, words):
    with pytest.raises(DataError, match=words) as caught:
        load(frame, task=task, roles=roles)
    assert "\n" not in str(caught.value)


def test_a_split_column_says_the_parts():
    frame = walks().with_row_index("row")
    part = pl.when(pl.col("row") % 5 == 0).then(pl.lit("TEST")).otherwise(pl.lit("train"))
    data = load(frame.with_columns(part.alias("part")).drop("row"), roles=ROLES, split="part")
    parts = field("ratings").split(data, 0)
    assert parts["test"].tolist() == data.official["test"].tolist()
    assert not set(parts["val"]) & set(parts["test"])
    with pytest.raises(DataError, match="'maybe'"):
        load(frame.with_columns(pl.lit("maybe").alias("part")), roles=ROLES, split="part")


def test_a_holdout_is_the_test_part():
    frame = walks().sort("when")
    data = load(frame.head(200), roles=ROLES, holdout=frame.tail(frame.height - 200))
    assert len(data.official["test"]) == frame.height - 200


def test_the_newest_is_tested_and_the_one_before_chooses(ranking):
    parts, users = field("ratings").split(ranking, 0), ranking.x["user"].to_numpy()
    for user in range(5):
        own = np.flatnonzero(users == user)
        assert own[-1] in parts["test"]
        assert own[-2] in parts["val"]
        assert set(own[:-2]) <= set(parts["train"])


def test_users_with_one_or_two_interactions_are_not_tested_on_what_nothing_is_known_of():
    few = pl.DataFrame(
        {"who": ["one", "two", "two"], "what": ["m1", "m1", "m2"], "stars": [3.0] * 3, "when": [1, 2, 3]}
    )
    data = load(pl.concat([walks(), few]), roles=ROLES)
    assert "1 user with one interaction" in said(data)
    parts, users = field("ratings").split(data, 0), data.x["user"].to_numpy()
    one, two = (np.flatnonzero(users == data.origin["users"].index(name)) for name in ("one", "two"))
    assert set(one) <= set(parts["train"])
    assert two[0] in parts["train"]
    assert two[1] in parts["test"]


def test_of_very_many_users_some_choose_and_the_others_are_trained_on(ranking, monkeypatch):
    monkeypatch.setattr(splitting, "MOST_VAL", 7)
    parts = field("ratings").split(ranking, 0)
    assert len(parts["val"]) == 7
    assert sorted(np.concatenate([*parts.values()])) == list(range(len(ranking)))
