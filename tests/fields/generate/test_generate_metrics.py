"""Distances between sets against closed forms and slow twins."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.linalg import sqrtm

from whet.fields.generate.rows_outcome import taught
from whet.tasks.generate import GOAL, covered, energies, frechet
from whet.tasks.metrics import interval


def pairs(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    return np.stack([made, real], 1)


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.standard_normal((60, 4)) @ random.standard_normal((4, 4)) + 1, random.standard_normal((60, 4))


def test_a_set_is_at_distance_0_from_itself_in_any_order(sets):
    real = sets[1]
    assert frechet(None, pairs(real[::-1], real)) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_is_the_one_of_the_formula(sets):
    made, real = sets
    a, b = np.cov(made.T, ddof=0), np.cov(real.T, ddof=0)
    wanted = ((made.mean(0) - real.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet(None, pairs(made, real)) == pytest.approx(wanted / np.trace(b))


def test_a_set_that_is_one_point_is_at_distance_1_when_it_is_the_mean(sets):
    real = sets[1]
    assert frechet(None, pairs(np.tile(real.mean(0), (60, 1)), real)) == pytest.approx(1)


def test_what_is_no_number_is_infinitely_far(sets):
    made, real = sets
    made[0, 0] = np.nan
    assert frechet(None, pairs(made, real)) == np.inf
    assert GOAL.metrics["precision"].function(None, pairs(made, real)) == 0


def test_a_point_is_covered_by_a_ball_around_a_neighbour_that_reaches_its_third(sets):
    points, by = sets
    inside = 0
    for point in points:
        for centre in by:
            third = sorted(np.linalg.norm(by - centre, axis=1))[3]  # the first is the point itself
            if np.linalg.norm(point - centre) <= third:
                inside += 1
                break
    assert covered(points, by) == inside / len(points)


def test_precision_falls_for_what_is_far_off_and_recall_for_what_is_all_alike(sets):
    real = sets[1]
    off, alike = pairs(real + 50, real), pairs(np.tile(real[:1], (60, 1)) + 1e-3 * sets[0], real)
    precision, recall = (GOAL.metrics[name].function for name in ("precision", "recall"))
    assert precision(None, off) == 0
    assert precision(None, alike) == 1
    assert recall(None, alike) < 0.1


def test_the_interval_lies_around_the_value(sets):
    p = pairs(*sets)
    low, high = interval(GOAL.metrics["frechet"], np.zeros(60), p)
    assert low < frechet(None, p) < high
    low, high = interval(GOAL.metrics["frechet"], np.zeros(60), pairs(np.roll(sets[1], 1, 0), sets[1]))
    assert low <= 0.01 < high


def test_parts_of_the_energy_distance_add_up_to_it(sets):
    made, real = sets

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(x - y) for x in a for y in b]))

    whole = 2 * mean(made, real) - mean(made, made) - mean(real, real)
    assert 2 * energies(None, pairs(made, real)).mean() == pytest.approx(whole)


def test_a_column_without_a_value_does_not_end_the_comparison():
    """Trees can't cut it: a table with one broke off at the end of its run."""
    a = np.random.default_rng(0).standard_normal(200)
    empty = pl.Series([None] * 200, dtype=pl.Float64)
    frame = pl.DataFrame({"a": a, "none": empty, "y": np.where(a > 0, "up", "down")})
    assert taught(frame, frame, "y", "classify") > 0.9
    assert taught(frame.drop("a"), frame.drop("a"), "y", "classify") is None
