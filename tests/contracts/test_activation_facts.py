"""The facts of every entry are those that are computed from it, and those that samples show."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from activation_twins import TWINS

import whet
from whet.activations import ACTIVATIONS, Activation
from whet.activations.table import Row, computed, table

ELEMENTWISE = [e for e in ACTIVATIONS if e.elementwise]
SAMPLES = np.random.default_rng(0).standard_normal(1_000_000)
POINTS = np.linspace(-15, 15, 6001) + 1e-4


def each() -> Any:
    return pytest.mark.parametrize("entry", ELEMENTWISE, ids=lambda entry: entry.name)


def values(entry: Activation, x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return TWINS[entry.name](x)


def test_the_stored_table_has_a_row_for_each_and_no_other() -> None:
    assert list(table()) == [e.name for e in ELEMENTWISE]


@each()
def test_what_is_stored_is_what_is_computed(entry: Activation) -> None:
    """If this fails after a change of a formula: python -m whet.activations.table writes the table anew."""
    stored, now = asdict(table()[entry.name]), asdict(computed(entry))
    for name in Row.__dataclass_fields__:
        if isinstance(now[name], float) and math.isfinite(now[name]):
            assert stored[name] == pytest.approx(now[name], rel=1e-4, abs=1e-6), name
        else:
            assert stored[name] == now[name], name


@each()
def test_the_moments_are_those_of_a_million_samples(entry: Activation) -> None:
    row, y = table()[entry.name], values(entry, SAMPLES)
    for moment, found in ((row.mean, y), (row.second_moment, y * y)):
        assert abs(found.mean() - moment) <= 5 * found.std() / 1000 + 1e-5
    assert (y == 0).mean() == pytest.approx(row.sparsity, abs=0.003)


@each()
def test_the_values_stay_in_the_range_and_reach_it(entry: Activation) -> None:
    row, y = table()[entry.name], values(entry, POINTS)
    slack = 1e-5 * (1 + np.abs(y).max())
    assert y.min() >= row.low - slack
    assert y.max() <= row.high + slack
    if row.bounded:
        assert y.max() - y.min() >= 0.85 * (row.high - row.low)


@each()
def test_symmetry_monotony_and_slope_are_what_the_samples_show(entry: Activation) -> None:
    row, y, mirrored = table()[entry.name], values(entry, POINTS), values(entry, -POINTS)
    assert np.allclose(y, -mirrored, rtol=1e-9, atol=1e-12) == row.odd
    assert np.allclose(y, mirrored, rtol=1e-9, atol=1e-12) == row.even
    steps = np.diff(y)
    noise = 1e-12 * (1 + np.abs(y).max())
    assert bool((steps >= -noise).all()) == (row.monotone == "increasing")
    steepest = np.abs(steps / np.diff(POINTS)).max()
    if row.smoothness >= 0:
        assert steepest <= row.lipschitz * (1 + 1e-5)
        if math.isfinite(row.lipschitz):
            assert steepest >= 0.98 * row.lipschitz


KNOWN = {
    "relu": {"mean": 1 / math.sqrt(2 * math.pi), "second_moment": 0.5, "sparsity": 0.5, "lipschitz": 1.0},
    "selu": {"mean": 0.0, "second_moment": 1.0, "self_normalising": True, "fixed_point": 1.0},
    "tanh": {"low": -1.0, "high": 1.0, "zero_centred": True, "odd": True, "monotone": "increasing"},
    "silu": {"low": -0.278465, "lipschitz": 1.09984, "monotone": None},
    "gelu": {"low": -0.169971, "lipschitz": 1.12890},
    "sigmoid": {"lipschitz": 0.25, "mean": 0.5, "bounded": True, "low_attained": False},
    "mish": {"low": -0.308840},
    "star_relu": {"mean": 0.0, "second_moment": 1.0},
    "tailored_leaky_relu": {"second_moment": 1.0, "positive_homogeneous": True},
    "identity": {"convexity": "linear", "second_moment": 1.0},
    "sine": {"second_moment": (1 - math.exp(-2)) / 2, "mean": 0.0},
    "elu": {"smoothness": 1, "convexity": "convex"},
    "threshold": {"smoothness": -1},
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_the_papers_and_textbooks_say_comes_out(name: str) -> None:
    row = asdict(table()[name])
    for fact, expected in KNOWN[name].items():
        if isinstance(expected, float):
            assert row[fact] == pytest.approx(expected, rel=1e-4, abs=1e-5), fact
        else:
            assert row[fact] == expected, fact


def test_facts_are_reached_from_the_package() -> None:
    assert whet.activations.facts("mish").bounded is False
    assert whet.activations.facts("leaky_relu", slope=0.2).mean == pytest.approx(0.8 / math.sqrt(2 * math.pi), abs=1e-6)
