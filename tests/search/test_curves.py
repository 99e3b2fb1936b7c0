"""Predicted ends of curves: against an obvious twin, and what a posterior has to promise."""

import math

import numpy as np
import pytest

from whet.search.curves import END, Curves, Shape, inverted, learned, normal_scores, typical


def points(rows: int = 6, width: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of parameters; the first four have points at 1, 4 and 16, which fall towards something smooth."""
    random = np.random.default_rng(seed)
    x = random.random((rows, width))
    i, t = np.repeat(np.arange(4), 3), np.tile([1.0, 4.0, 16.0], 4)
    return x, i, t, 2 * x[i, 0] - 1 + 0.5 / t


def slow_covariance(shape: Shape, a: np.ndarray, t: float, b: np.ndarray, u: float, same: bool) -> tuple[float, float]:
    """The covariance of two points as `Shape` describes it: of what all curves share, and of the rest."""
    r = math.sqrt(3 * sum(((p - q) / s) ** 2 for p, q, s in zip(a, b, shape.reach, strict=True)))
    alike = shape.told * (1 + r) * math.exp(-r) + (1 - shape.told) * same
    s, v, wandered = t**-shape.speed, u**-shape.speed, math.exp(-abs(math.log(t / u)) / 1.5)
    linked = shape.link * shape.end * shape.fade * (s + v)
    own = shape.end**2 + linked + shape.fade**2 * s * v + shape.drift**2 * wandered
    return shape.common**2 * (1 + s * v + wandered), alike * own


def test_predicted_ends_are_those_of_the_textbook_formula() -> None:
    x, i, t, z = points()
    shape = Shape(typical(2).theta + np.array([0, 0, 0, 0, 0, 0, 0, -0.5, 0.2, -0.3]))
    seen = list(zip(i, t, strict=True))
    cov = np.array([[sum(slow_covariance(shape, x[a], p, x[b], q, a == b)) for b, q in seen] for a, p in seen])
    cov += (shape.noise**2 + 1e-6) * np.eye(len(i))
    mean, sd = Curves(shape, x, i, t, z).ends(np.arange(6))
    for row in range(6):
        k = np.array([slow_covariance(shape, x[row], END, x[b], q, row == b)[1] for b, q in seen])
        own = slow_covariance(shape, x[row], END, x[row], END, True)[1]
        assert mean[row] == pytest.approx(k @ np.linalg.solve(cov, z), abs=1e-5)
        assert sd[row] ** 2 == pytest.approx(own - k @ np.linalg.solve(cov, k), abs=1e-5)


def test_a_lesson_is_by_how_much_seeing_a_point_narrows_the_end() -> None:
    x, i, t, z = points()
    shape, u = typical(2), 30.0
    before = Curves(shape, x, i, t, z)
    after = Curves(shape, x, np.append(i, 2), np.append(t, u), np.append(z, 0.0))
    row = np.array([2])
    narrowed = before.ends(row)[1] ** 2 - after.ends(row)[1] ** 2
    assert before.lessons(row, np.array([u])) ** 2 == pytest.approx(narrowed, rel=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 49, 131, 200])
def test_the_inverse_of_a_triangle_by_halves_is_that_of_the_whole(rows: int) -> None:
    lower = np.tril(np.random.default_rng(rows).normal(size=(rows, rows)), -1) / rows + np.eye(rows)
    np.testing.assert_allclose(inverted(lower), np.linalg.inv(lower), atol=1e-12)


def test_ends_of_many_points_are_those_of_the_textbook_formula_too() -> None:
    """So many that the covariance's factor is inverted by halves, of odd and even length."""
    random, shape = np.random.default_rng(3), typical(2)
    x, i, t = random.random((90, 2)), np.repeat(np.arange(83), 2), np.tile([1.0, 9.0], 83)
    z = random.normal(size=166)
    for count in (165, 166):
        curves = Curves(shape, x, i[:count], t[:count], z[:count])
        cov = curves._covariance(i[:count], t[:count], i[:count], t[:count])
        cov += (shape.noise**2 + 1e-6) * np.eye(count)
        k = curves._covariance(i[:count], t[:count], np.arange(90), np.full(90, END), common=0.0)
        np.testing.assert_allclose(curves.ends(np.arange(90))[0], k.T @ np.linalg.solve(cov, z[:count]), atol=1e-7)


def test_who_has_come_far_is_known_better_than_who_has_not_begun() -> None:
    x, i, t, z = points()
    _, sd = Curves(typical(2), x, i, t, z).ends(np.arange(6))
    assert sd[:4].max() < sd[4:].min()


def test_a_shape_is_learned_under_which_the_points_are_more_probable() -> None:
    seen = points()
    before = Curves(typical(2), *seen).evidence()
    shape = learned(typical(2), seen, 60, np.random.default_rng(0))
    assert Curves(shape, *seen).evidence() > before + 1


def test_scores_know_the_order_and_neither_scale_nor_outliers() -> None:
    values = np.array([3.0, 1.0, 2.0, 1e18, math.nan, 1.5])
    scores = normal_scores(values)(values)
    assert np.argsort(scores[[0, 1, 2, 3, 5]]).tolist() == [1, 4, 2, 0, 3]
    stretched = np.where(values < 10, values * 1e6 + 5, values)
    assert np.allclose(normal_scores(stretched)(stretched), scores)
    assert np.isfinite(scores).all()
    assert scores[4] == scores.max()


def test_equal_values_have_equal_scores_and_new_ones_lie_between() -> None:
    scored = normal_scores(np.array([1.0, 1.0, 3.0, 3.0]))
    low, middle, high = scored(np.array([1.0, 2.0, 3.0]))
    assert low < middle < high
    assert middle == pytest.approx((low + high) / 2)


def test_where_everything_diverged_all_scores_are_equal() -> None:
    assert normal_scores(np.array([math.nan, math.inf]))(np.array([math.nan, 1.0])).tolist() == [0.0, 0.0]
