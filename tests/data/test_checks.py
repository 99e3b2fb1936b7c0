"""What is odd about a table is found, and what is fine is left in peace."""

import numpy as np
import polars as pl
import pytest

from whet.data import split
from whet.data.bundled import load_bundled
from whet.data.checks import check_table, clean_columns, duplicate_rows, free_text, id_like
from whet.data.profile_tables import moments, profile
from whet.data.tables import load_table

N = 2000
RANDOM = np.random.default_rng(0)
Y = RANDOM.normal(size=N)
LABEL = (Y + RANDOM.normal(size=N) > 0).astype(np.int64)


def names(x, y, goal, name=None):
    found = check_table(pl.DataFrame(x), y, goal, ("a", "b", "c")[: int(y.max()) + 1] if goal == "classify" else ())
    return {(f.name, f.where) for f in found if name in (None, f.name)}


def test_constant_and_missing_columns_are_named():
    x = {"same": [1.0] * N, "none": pl.Series([None] * N, dtype=pl.Float64), "gaps": [None, None, 1.0, 2.0] * (N // 4)}
    found = names(x, LABEL, "classify")
    assert {("constant-column", "same"), ("constant-column", "none")} <= found
    assert names({"gaps": [None, None, None, 1.0, 2.0] * (N // 5)}, LABEL, "classify") == {("missing", "gaps")}


@pytest.mark.parametrize("leak", ["copy", "recoded", "text", "score"])
def test_a_column_that_holds_the_class_is_a_leak(leak):
    column = {
        "copy": LABEL,
        "recoded": 7 - 3 * LABEL,
        "text": np.where(LABEL == 1, "won", "lost"),
        "score": LABEL + 0.4 * RANDOM.random(N),
    }[leak]
    assert names({"leak": column, "x": Y}, LABEL, "classify", "leak") == {("leak", "leak")}


@pytest.mark.parametrize("leak", ["copy", "scaled", "exponential"])
def test_a_column_that_holds_the_value_is_a_leak(leak):
    column = {"copy": Y, "scaled": 3 - 2 * Y, "exponential": np.exp(4 * Y)}[leak]
    assert names({"leak": column, "x": RANDOM.normal(size=N)}, Y, "regress", "leak") == {("leak", "leak")}


def test_good_columns_are_no_leaks():
    good = Y + 0.1 * RANDOM.normal(size=N)
    assert names({"good": good}, Y, "regress", "leak") == set()
    assert names({"good": good}, LABEL, "classify", "leak") == set()


@pytest.mark.parametrize("name", ["iris", "wine", "breast-cancer", "diabetes"])
def test_easy_data_is_no_leak(name):
    data = load_bundled(name)
    assert [f for f in data.findings if f.name == "leak"] == []
    assert data.x.width == {"iris": 4, "wine": 13, "breast-cancer": 30, "diabetes": 10}[name]


def test_an_easy_small_problem_is_no_leak():
    data = load_bundled("iris")
    setosa = (data.y == 0).astype(np.int64)
    assert names({"petal": data.x["petal_length_cm"]}, setosa, "classify", "leak") == set()


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("id", range(100, 150), True),
        ("customer_id", RANDOM.permutation(10**6)[:50], True),
        ("whatever", range(50), True),
        ("unnamed_1", range(50), True),
        ("hash", [f"{i * 7919:x}" for i in range(50)], True),
        ("year", range(1950, 2000), False),
        ("income", RANDOM.permutation(10**6)[:50], False),
        ("weight", RANDOM.normal(size=50), False),
        ("grid", [1, 2] * 25, False),
        ("city", ["a", "b"] * 25, False),
    ],
)
def test_columns_that_name_rows_are_found(name, values, found):
    assert bool(id_like(pl.Series(name, list(values)))) == found


def test_free_text_is_found():
    text = pl.Series("review", [f"this one was number {i} of many, I think" for i in range(50)])
    assert free_text(text)
    assert not free_text(pl.Series("size", ["very large indeed it is", "small"] * 25))


def test_left_out_columns_are_said_and_the_last_one_stays():
    x = pl.DataFrame({"id": range(50), "x": [0.5, 1.5] * 25})
    kept, findings = clean_columns(x, unnamed=False)
    assert kept.columns == ["x"]
    assert findings[0].where == "id"
    assert "left out" in findings[0].cause
    assert clean_columns(x.select("id"), unnamed=False)[0].columns == ["id"]
    assert clean_columns(x, unnamed=True)[0].columns == ["id", "x"]


def test_repeated_and_contradicting_rows_are_counted():
    x = pl.DataFrame({"a": [1, 1, 1, 2] * 10})
    found = {f.name: f for f in duplicate_rows(x, np.array([0, 0, 1, 1] * 10), "classify")}
    assert found["duplicates"].evidence["rows"] == 37
    assert found["contradicting-labels"].evidence["rows"] == 30


def test_moments_of_known_shapes():
    assert moments(np.ones(5)) == (0.0, 0.0)
    skew, kurtosis = moments(RANDOM.exponential(size=400_000))
    assert skew == pytest.approx(2, abs=0.1)
    assert kurtosis == pytest.approx(6, abs=1)


def suggestions(data):
    shown = profile(data, split(data, seed=0))
    return {row.name: (row.value, row.suggestion) for section in shown.sections for row in section.rows}


def test_a_profile_tells_what_is_odd():
    n = 600
    frame = pl.DataFrame(
        {
            "heavy": RANDOM.standard_t(1.5, n),
            "zeros": np.where(RANDOM.random(n) < 0.8, 0, RANDOM.random(n)),
            "a": np.arange(n) * 0.37,
            "b": np.arange(n) * 0.74,
            "kind": [f"k{i % 70}" for i in range(n)],
            "price": np.minimum(RANDOM.exponential(size=n), 1.5),
        }
    )
    rows = suggestions(load_table(frame, target="price"))
    assert "heavy tails" in rows["heavy"][1]
    assert rows["zeros"][1] == "mostly zero"
    assert "many values" in rows["kind"][1]
    assert "capped" in rows["at the highest value"][1]
    assert "a and b" in rows
    assert "hardly agree" in rows["noise, from nearest rows"][1]


def test_a_profile_of_classes_tells_the_accuracy_to_beat():
    rows = suggestions(load_bundled("iris"))
    assert rows["always the largest"][0] == "33.3%"
    assert "nearest row has the same class" in rows
