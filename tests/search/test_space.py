"""The space: drawn, encoded and edited without losing anything; what is wrong is said in one line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whet.errors import SearchError, UnknownName
from whet.search import Categorical, Float, Int, Space

SPACE = Space(
    {
        "momentum": Float(0.0, 0.99, when={"optimizer": "sgd"}),
        "optimizer": ["sgd", "adamw", "muon"],
        "lr": Float(1e-5, 1.0, log=True, prior=1e-3, strength=0.8, limits=(1e-7, 10.0)),
        "beta": Float(0.5, 0.9999, to_one=True, when={"optimizer": ("adamw", "muon")}),
        "depth": Int(1, 6),
        "width": Int(16, 1024, log=True, when={"depth": (2, 3)}),
        "norm": Categorical([None, "batch", ("group", 8)], weights={"batch": 4}),
    }
)
FINITE = Space({"a": Int(1, 3), "b": ["x", "y"], "c": Int(0, 1, when={"b": "y"})})

seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, space: Space = SPACE) -> dict[str, Any]:
    return space.sample(np.random.default_rng(seed))


def alike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return list(a) == list(b) and all(
        a[n] == pytest.approx(b[n], rel=1e-9) if isinstance(a[n], float) else a[n] == b[n] for n in a
    )


@given(seeds)
def test_what_is_encoded_is_decoded_again(seed: int) -> None:
    params = drawn(seed)
    x = SPACE.encode(params)
    assert x.shape == (SPACE.width,) == (len(SPACE.columns),)
    assert ((x >= 0) & (x <= 1)).all()
    assert alike(SPACE.decode(x), params)


@given(st.lists(st.floats(0, 1), min_size=SPACE.width, max_size=SPACE.width))
def test_every_point_of_the_cube_is_a_choice_that_the_space_accepts(x: list[float]) -> None:
    params = SPACE.decode(np.array(x))
    assert SPACE.check(params) == params


@given(seeds)
def test_what_is_drawn_holds_exactly_the_parameters_whose_condition_holds(seed: int) -> None:
    params = drawn(seed)
    assert ("momentum" in params) == (params["optimizer"] == "sgd")
    assert ("width" in params) == (params["depth"] in (2, 3))
    assert list(params) == [n for n in SPACE if n in params]
    assert SPACE.check(params) == params


@given(seeds, st.integers(1, 4))
def test_a_neighbour_is_another_valid_choice_nearby(seed: int, changes: int) -> None:
    params, random = drawn(seed), np.random.default_rng(seed)
    other = SPACE.neighbour(params, random, changes)
    assert SPACE.check(other) == other
    changed = [n for n in params if n in other and params[n] != other[n]]
    assert len(changed) <= changes


@given(seeds)
def test_params_survive_json(seed: int) -> None:
    params = drawn(seed)
    assert SPACE.check(json.loads(json.dumps(params))) == params


def test_numbers_are_drawn_evenly_on_their_scale() -> None:
    random, p = np.random.default_rng(0), Float(1e-4, 1.0, log=True)
    exponents = np.log10([p.draw(random) for _ in range(4000)])
    counts = np.histogram(exponents, bins=4, range=(-4, 0))[0]
    assert counts.min() > 850
    whole = [Int(1, 4).draw(random) for _ in range(4000)]
    assert min(np.bincount(whole)[1:]) > 850


def test_a_prior_draws_its_share_from_nearby_and_the_rest_from_everywhere() -> None:
    random, p = np.random.default_rng(0), Float(0.0, 1.0, prior=0.2, strength=0.7)
    values = np.array([p.draw(random) for _ in range(4000)])
    assert np.mean(np.abs(values - 0.2) < 0.15) > 0.55
    assert np.mean(values > 0.8) > 0.03
    certain = Float(0.0, 1.0, prior=0.5, strength=1.0)
    assert max(abs(certain.draw(random) - 0.5) for _ in range(200)) < 0.6


def test_weights_are_shares_of_draws() -> None:
    assert Categorical(["a", "b"], weights={"b": 3}).shares == (0.25, 0.75)
    assert Categorical(["a", "b"], weights=[1, 0]).draw(np.random.default_rng(0)) == "a"


@pytest.mark.parametrize("u", [0.0, 0.3, 1.0])
def test_a_scale_to_one_spreads_momenta_by_what_they_lack(u: float) -> None:
    p = Float(0.9, 0.999, to_one=True)
    assert 1 - p.at(u) == pytest.approx(0.1 * 0.01**u)


def test_a_small_space_without_real_numbers_can_be_listed() -> None:
    assert FINITE.count == 9
    assert len({json.dumps(p) for p in FINITE.listed}) == 9
    assert all(FINITE.check(p) == p for p in FINITE.listed)
    assert Space({"x": Float(0, 1)}).count == float("inf")


# -- editing -----------------------------------------------------------------------------------------------------------


def test_an_edited_space_is_another_one() -> None:
    other = SPACE.replace(depth=Int(2, 3)).without("norm", "width")
    assert other["depth"] == Int(2, 3)
    assert "norm" not in other
    assert SPACE["depth"] == Int(1, 6)
    assert Space({**SPACE, "extra": ["a"]})["extra"] == Categorical(["a"])


def test_edges_are_named_and_widened_as_far_as_the_limits_allow() -> None:
    params = {"optimizer": "adamw", "lr": 1.0, "beta": 0.9, "depth": 1, "norm": None}
    assert SPACE.edges(params) == {"lr": "high", "depth": "low"}
    wider = SPACE.widened({"lr": "high", "depth": "low"})
    assert wider["lr"].high == 10.0
    assert wider["lr"].low == 1e-5
    assert wider["depth"] == SPACE["depth"]
    assert SPACE.widened({"lr": "low"})["lr"].low == pytest.approx(1e-7)
    assert Int(2, 8, limits=(1, 9)).widened("high").high == 9


def test_a_whole_number_with_two_values_has_no_edges() -> None:
    assert Int(0, 1).edge(1) is None


def test_the_table_shows_every_parameter_with_its_condition() -> None:
    text = str(SPACE)
    assert all(name in text for name in SPACE)
    assert "depth = 2 | 3" in text
    assert "0.001 (80%)" in text


# -- candidates --------------------------------------------------------------------------------------------------------


def test_the_kinds_of_candidates_follow_from_their_values() -> None:
    random = np.random.default_rng(0)
    rows = [
        {"lr": 10**u, "beta": 1 - 10 ** (-3 * v), "width": int(w), "act": "relu" if u > -2 else "gelu", "one": 3}
        for u, v, w in zip(random.uniform(-5, 0, 200), random.random(200), random.integers(1, 9, 200), strict=True)
    ]
    space = Space.of_candidates(rows)
    assert isinstance(space["lr"], Float)
    assert space["lr"].log
    assert space["beta"].to_one  # type: ignore[union-attr]
    assert isinstance(space["width"], Int)
    assert not space["width"].log
    assert space["act"].choices == (rows[0]["act"], "gelu" if rows[0]["act"] == "relu" else "relu")  # type: ignore[union-attr]
    assert space["one"] == Categorical([3])
    assert space.encoded.shape == (200, space.width)
    assert space.index(rows[17]) == 17
    assert space.candidates == tuple(rows)


def test_equal_candidates_count_once_and_missing_values_are_allowed() -> None:
    space = Space.of_candidates([{"a": 1, "b": "x"}, {"b": "x", "a": 1}, {"a": 2}])
    assert space.count == 2
    assert space.encode({"a": 2})[space.columns.index("b=x")] == 0.0


# -- what is wrong -----------------------------------------------------------------------------------------------------

WRONG = {
    "a misspelt name": (lambda: SPACE.replace(optimiser=["a"]), "'optimizer'"),
    "a misspelt choice": (lambda: SPACE.check({**drawn(0), "optimizer": "adamv"}), "'adamw'"),
    "a range upside down": (lambda: Float(3, 1), "low=3"),
    "a log from zero": (lambda: Float(0, 1, log=True), "logarithm"),
    "a text as a number": (lambda: Float("1e-3", 1), "'1e-3'"),
    "not a number": (lambda: Float(float("nan"), 1), "nan"),
    "half a whole number": (lambda: Int(1, 2.5), "2.5"),
    "a prior outside": (lambda: Float(0, 1, prior=2), "outside"),
    "a strength above one": (lambda: Float(0, 1, prior=0.5, strength=3), "strength=3"),
    "limits inside": (lambda: Float(0, 1, limits=(0.2, 2)), "limits"),
    "one minus nothing": (lambda: Float(0.5, 1.0, to_one=True), "to_one"),
    "a text as choices": (lambda: Categorical("relu"), "list"),
    "no choices": (lambda: Categorical([]), "nothing"),
    "a choice twice": (lambda: Categorical(["a", "b", "a"]), "'a'"),
    "a function as a choice": (lambda: Categorical([print]), "print"),
    "a weight for nobody": (lambda: Categorical(["relu"], weights={"rely": 2}), "'relu'"),
    "a weight too few": (lambda: Categorical(["a", "b"], weights=[1]), "1 weights for 2"),
    "only zero weights": (lambda: Categorical(["a", "b"], weights=[0, 0]), "above 0"),
    "an unknown parent": (
        lambda: Space({"a": Float(0, 1, when={"optimiser": "x"}), "optimizer": ["x"]}),
        "'optimizer'",
    ),
    "a parent that is never so": (lambda: Space({"a": Float(0, 1, when={"o": "sdg"}), "o": ["sgd"]}), "'sgd'"),
    "a circle": (lambda: Space({"a": Int(0, 1, when={"b": 1}), "b": Int(0, 1, when={"a": 1})}), "wait for each other"),
    "a condition of text": (lambda: Float(0, 1, when="sgd"), "when"),
    "nothing at all": (lambda: Space({}), "Space needs"),
    "a pair for a range": (lambda: Space({"lr": (0, 1)}), "no parameter"),
    "a value too few": (lambda: SPACE.check({"optimizer": "sgd"}), "has no value"),
    "a value without effect": (lambda: SPACE.check({**drawn(0), **FREE}), "no effect"),
    "a parent taken away": (lambda: SPACE.without("optimizer"), "momentum depends"),
    "no candidates": (lambda: Space.of_candidates([]), "no candidates"),
    "a stranger": (lambda: Space.of_candidates([{"a": 1}, {"a": 2}]).check({"a": 3}), "none of the 2"),
    "an edited list": (lambda: Space.of_candidates([{"a": 1}, {"a": 2}]).without("a"), "can't be edited"),
}
FREE = {"optimizer": "sgd", "momentum": 0.5, "beta": 0.9}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(case: str) -> None:
    make, word = WRONG[case]
    with pytest.raises((SearchError, UnknownName)) as caught:
        make()
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
