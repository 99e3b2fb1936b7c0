"""A table that is ratings or series, and was not called so, is read as a table; that it looks like another thing is said."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import whet
from whet.errors import DataError
from whet.fields import likeness, load

ROWS = 600
random = np.random.default_rng(0)
noise = random.normal(size=ROWS)
users, items, stars = random.integers(0, 60, ROWS), random.integers(0, 200, ROWS), random.integers(1, 6, ROWS)
days = [datetime(2020, 1, 1) + timedelta(days=k) for k in range(ROWS)]
hours = [datetime(2020, 1, 1) + timedelta(hours=k) for k in range(ROWS)]
some_days = [days[k] for k in random.integers(0, ROWS, ROWS)]
months = [datetime(1990 + k // 12, 1 + k % 12, 1) for k in range(ROWS // 5)]

OTHERS = {
    "ratings": (
        {"user_id": users, "movie_id": items, "rating": stars},
        "ratings (user_id, movie_id, rating): --task recommend --user user_id --item movie_id.",
    ),
    "ratings with times": (
        {"asin": items, "reviewerID": users, "overall": stars, "unixReviewTime": 1_500_000_000 + items * 86_400},
        "ratings (reviewerID, asin, overall, unixReviewTime): --task recommend --user reviewerID --item asin.",
    ),
    "clicks": (
        {"visitorid": users, "itemid": items, "timestamp": 1_500_000_000 + users * 86_400 + items},
        "interactions (visitorid, itemid, timestamp): --task recommend --user visitorid --item itemid.",
    ),
    "one series": (
        {"date": days, "value": noise},
        "a time series (date, value): --task forecast --time date --horizon 7.",
    ),
    "channels, and days without weekends": (
        {name: [v for v, d in zip(column, days, strict=True) if d.weekday() < 5]
         for name, column in {"Date": days, "Open": noise, "Close": noise + 1}.items()},
        "a time series (Date, Open, Close): --task forecast --time Date --horizon 7.",
    ),
    "seconds": (
        {"timestamp": 1_500_000_000 + 60 * np.arange(ROWS), "load": noise},
        "a time series (timestamp, load): --task forecast --time timestamp --horizon 60.",
    ),
    "series after series": (
        {"id": np.repeat(list("abcde"), ROWS // 5), "month": months * 5, "sales": noise},
        "several time series (month, id, sales): --task forecast --time month --series id --horizon 12.",
    ),
    "series side by side": (
        {"store": list("abcdef") * (ROWS // 6), "at": [h for h in hours[: ROWS // 6] for _ in range(6)], "sales": noise},
        "several time series (at, store, sales): --task forecast --time at --series store --horizon 24.",
    ),
}  # fmt: skip

PLAIN = {
    "customers": {"customer_id": np.arange(ROWS), "signup": some_days, "age": noise, "churn": stars % 2},
    "orders": {
        "order_id": np.arange(ROWS),
        "customer_id": users,
        "product_id": items,
        "date": some_days,
        "price": noise,
    },
    "orders in order": {
        "customer_id": users,
        "product": items,
        "date": sorted(some_days),
        "store": stars,
        "price": noise,
    },
    "houses": {"sold": sorted(some_days), "sqft": noise, "price": noise + stars},
    "users": {"user": np.arange(ROWS), "item_count": items, "score": noise},
    "purchases with features": {"userid": users, "product": items, "price": noise, "age": noise, "rating": stars},
    "matches": {"date": some_days, "home": users.astype(str), "away": items.astype(str), "goals": stars},
    "visits": {"patient": users.astype(str), "visit": sorted(some_days), "pressure": noise},
    "sensors with labels": {"time": hours, "a": noise, "fault": stars % 2},
    "days with categories": {"day": days, "season": stars, "holiday": stars % 2, "rented": noise},
    "events": {
        "time": np.array(days[0]) + np.cumsum(random.integers(1, 5000, ROWS)) * timedelta(minutes=1),
        "a": noise,
    },
    "numbers": {"a": noise, "b": noise**2, "y": noise * stars},
    "measured again and again": {"user": users % 5, "item": items % 5, "score": noise},
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_a_table_looks_like_is_said_with_what_to_type(name: str, tmp_path: Path) -> None:
    columns, said = OTHERS[name]
    frame = pl.DataFrame(columns)
    assert likeness(frame) == f"This looks like {said}"
    frame.write_csv(tmp_path / "data.csv")
    assert likeness(tmp_path / "data.csv") == f"This looks like {said}"


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_table_is_called_nothing_else(name: str) -> None:
    assert likeness(pl.DataFrame(PLAIN[name])) == ""


@pytest.mark.parametrize("name", ["iris", "wine", "breast-cancer", "diabetes", "digits"])
def test_bundled_tables_are_called_nothing_else(name: str) -> None:
    assert not [s for s in load(name).said if "looks like" in s]


def test_names_with_spaces_are_quoted_as_a_shell_needs_them() -> None:
    series = pl.DataFrame({"my store": np.repeat(list("abcde"), ROWS // 5), "my time": months * 5, "sales": noise})
    assert "--time 'my time' --series 'my store' --horizon 12" in likeness(series)
    ratings = pl.DataFrame({"User ID": users, "Movie ID": items, "rating": stars})
    assert "--user 'User ID' --item 'Movie ID'." in likeness(ratings)


def test_columns_without_any_value_look_like_nothing() -> None:
    assert likeness(pl.DataFrame({"user": [""] * ROWS, "item": [""] * ROWS, "rating": noise})) == ""


def test_what_names_no_file_looks_like_nothing() -> None:
    assert likeness("x" * 5000) == ""


def test_a_profile_says_it_before_anything_else() -> None:
    assert whet.profile(pl.DataFrame(OTHERS["ratings"][0])).said[0].startswith("This looks like ratings")


def test_who_names_a_target_or_a_task_is_told_nothing() -> None:
    frame = pl.DataFrame(OTHERS["one series"][0])
    assert not [s for s in load(frame, target="value").said if "looks like" in s]
    assert not [s for s in load(frame, task="regression").said if "looks like" in s]


def test_a_refusal_ends_with_what_to_type_instead() -> None:
    frame = pl.DataFrame({"sales": noise, "at": hours})  # dates, the last column, can't be a target
    with pytest.raises(DataError, match=r"holds .* values.* This looks like a time series .*--task forecast --time at"):
        load(frame)


def test_a_refusal_keeps_its_own_next_step() -> None:
    with pytest.raises(DataError, match=r"Known: user_id, movie_id, rating\. This looks like ratings"):
        load(pl.DataFrame(OTHERS["ratings"][0]), split="fodl")
