"""The Gaussian process and what is proposed by it, each against a slower way to the same number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from policies import Steps

from whet.search import Float, Space, Study
from whet.search.gp import GP, condition, distances, fitted, loss_and_slope
from whet.search.model import Seen, improvement, trend

random = np.random.default_rng(0)
X = random.random((20, 4))
GROUPS = np.array([0, 1, 2, 2])


def test_the_slope_is_that_of_finite_differences() -> None:
    D, y = distances(X, X, GROUPS), np.sin(5 * X[:, 0]) + 0.1 * X[:, 3]
    theta, small = np.array([-0.5, 0.2, 0.3, -3.0]), 1e-6
    slope = loss_and_slope(theta, D, y)[1]
    for i, step in enumerate(small * np.eye(4)):
        rise = loss_and_slope(theta + step, D, y)[0] - loss_and_slope(theta - step, D, y)[0]
        assert slope[i] == pytest.approx(rise / (2 * small), rel=1e-4, abs=1e-6)


def test_a_prediction_is_that_of_the_textbook() -> None:
    ell, s2, y = np.array([0.5, 1.0, 2.0]), 0.01, X @ [1.0, 2.0, 0.0, -1.0]
    gp, new = condition(X, y, GROUPS, ell, s2), random.random((5, 4))
    mean, sd = gp.predict(new)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        r = math.sqrt(5) * math.sqrt(sum((p - q) ** 2 / ell[g] ** 2 for p, q, g in zip(a, b, GROUPS, strict=True)))
        return (1 + r + r**2 / 3) * math.exp(-r)

    K = np.array([[kernel(a, b) for b in X] for a in X]) + s2 * np.eye(20)
    for point, m, s in zip(new, mean, sd, strict=True):
        k = np.array([kernel(point, b) for b in X])
        assert m == pytest.approx(k @ np.linalg.solve(K, y), rel=1e-5)
        assert s**2 == pytest.approx(1 - k @ np.linalg.solve(K, k), rel=1e-4)


def test_what_makes_no_difference_gets_a_long_length() -> None:
    x = random.random((60, 2))
    y = np.sin(6 * x[:, 0])
    gp = fitted(x, (y - y.mean()) / y.std(), np.array([0, 1]))
    assert gp.ell[1] > 3 * gp.ell[0]
    assert gp.s2 < 0.01


@pytest.mark.parametrize("z", [-3.0, -1.0, -0.1, 0.0, 0.3, 2.0])
def test_the_expected_improvement_is_the_mean_over_the_normal_distribution(z: float) -> None:
    class Known(GP):
        def __init__(self) -> None: ...

        def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return x[:, 0], x[:, 1]

    found = improvement(Known(), np.array([[1.0, 0.5]]), 1.0 + 0.5 * z)[0]
    noise = np.linspace(-12, 12, 200_001)
    density = np.exp(-0.5 * noise**2) / math.sqrt(2 * math.pi)
    mean = (np.maximum(0, 0.5 * (z - noise)) * density).sum() * (noise[1] - noise[0])
    assert math.exp(found) == pytest.approx(mean, rel=1e-4)


def test_the_expected_improvement_is_finite_far_away() -> None:
    gp = condition(X, X[:, 0], GROUPS, np.ones(3), 1e-3)
    assert np.isfinite(improvement(gp, X, -1e4)).all()


def test_the_trend_is_what_all_curves_share() -> None:
    who, way = np.repeat(np.arange(10), 3), np.tile([0.25, 0.5, 1.0], 10)
    starts = np.linspace(0, 5, 10)[who]
    ends = starts - 2 * way + trend(who, way, starts - 2 * way)
    assert ends == pytest.approx(starts - 2.0, abs=1e-2)


def test_without_two_points_of_a_trial_there_is_no_trend() -> None:
    assert trend(np.arange(5), np.linspace(0, 1, 5), np.arange(5.0)) == pytest.approx(np.zeros(5))


def test_trials_that_came_less_far_are_not_taken_for_worse_ones() -> None:
    study = Study(Space({"x": Float(0.0, 1.0)}), max_resource=30, policy=Steps(30), proposer="random")
    for turn in range(12):
        job = study.ask()
        for resource in range(1, 31 if turn % 2 else 6):
            study.tell(job.trial, resource, (job.params["x"] + 0.2) * (1 + 3.0 / resource))
        if turn % 2:
            study.finish(job.trial)
    seen = Seen(study.view)
    last = {int(n): v for n, v in zip(seen.who, seen.values, strict=True)}
    x = [t.params["x"] for t in study.trials]
    assert np.corrcoef(x, [last[t.trial] for t in study.trials])[0, 1] > 0.95
    assert np.corrcoef(x, [t.value for t in study.trials])[0, 1] < 0.9
