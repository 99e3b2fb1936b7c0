"""Expectations under a normal law against closed forms, mpmath and scipy; the error must bound what is wrong."""

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from scipy.special import erf

from whet.quadrature import gaussian_mean, gaussian_pair_mean

PDF = 1 / math.sqrt(2 * math.pi)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def tail(d: float) -> float:
    """P(z > d)."""
    return 0.5 * math.erfc(d / math.sqrt(2))


def relu_mean(d: float) -> float:
    """E max(z - d, 0)."""
    return PDF * math.exp(-d * d / 2) - d * tail(d)


CLOSED: dict[str, tuple[Callable, dict, float]] = {
    "constant": (lambda x: 3.0, {}, 3.0),
    "polynomial": (lambda x: 1 + x**3 + x**4 - 2 * x**6, {}, 1 + 3 - 30),
    "mean and std": (lambda x: x**2, {"mean": -3.0, "std": 0.5}, 9.25),
    "tenth power": (lambda x: x**20, {}, 654729075.0),
    "exp": (np.exp, {}, math.exp(0.5)),
    "exp of a wide law": (np.exp, {"std": 5.0}, math.exp(12.5)),
    "exp near overflow": (np.exp, {"std": 20.0}, math.exp(200.0)),
    "a tail that nearly diverges": (lambda x: np.exp(x * x / 4), {}, math.sqrt(2)),
    "relu": (relu, {}, PDF),
    "relu squared": (lambda x: relu(x) ** 2, {"std": 3.0}, 4.5),
    "relu of a shifted law": (relu, {"mean": -1.0, "kinks": (0.0,)}, relu_mean(1.0)),
    "relu, kink unknown": (lambda x: relu(x - 0.3), {}, relu_mean(0.3)),
    "relu, kink hidden beside an end": (lambda x: relu(x - 1e-3), {}, relu_mean(1e-3)),
    "relu, kink hidden before an end": (lambda x: relu(x - 1.9999), {}, relu_mean(1.9999)),
    "step, known": (lambda x: (x > 0.3) * 1.0, {"kinks": (0.3,)}, tail(0.3)),
    "step, unknown": (lambda x: (x > 0.3) * 1.0, {}, tail(0.3)),
    "step, hidden beside an end": (lambda x: (x > 1e-8) * 1.0, {}, tail(1e-8)),
    "absolute value": (np.abs, {"std": 2.0}, 2 * math.sqrt(2 / math.pi)),
    "square root": (lambda x: np.sqrt(np.abs(x)), {}, 2**0.25 * math.gamma(0.75) / math.sqrt(math.pi)),
    "erf squared": (lambda x: erf(x) ** 2, {"std": 1.5}, 2 / math.pi * math.asin(4.5 / 5.5)),
    "erf as a step": (lambda x: erf(1000 * (x - 0.3456)), {}, -math.erf(0.3456 / math.sqrt(2 + 1e-6))),
    "a narrow bump": (
        lambda x: np.exp(-((30 * (x - 0.3)) ** 2)),
        {},
        math.exp(-0.09 * 900 / (1 + 2 * 900)) / math.sqrt(1 + 2 * 900),
    ),
    "sine": (lambda x: np.sin(30 * x) ** 2, {}, 0.5),
    "fast sine": (lambda x: np.sin(300 * x + 1), {"mean": 0.1, "std": 0.01}, math.sin(31) * math.exp(-4.5)),
    "no spread": (np.exp, {"std": 0.0, "mean": 2.0}, math.exp(2.0)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_means_agree_with_their_closed_forms_within_the_error_they_state(name: str) -> None:
    f, where, true = CLOSED[name]
    value, error = gaussian_mean(f, **where)
    size = max(1.0, gaussian_mean(lambda x: np.abs(f(x)) * np.ones_like(x), **where).value)
    assert abs(value - true) <= 1e-12 * size
    assert abs(value - true) <= error + 1e-16 <= 1e-11 * size


@pytest.mark.parametrize("std", [0.1, 1.0, 4.0])
def test_smooth_functions_agree_with_mpmath(std: float) -> None:
    def integrand(z: mpmath.mpf) -> mpmath.mpf:
        x = std * z
        return x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))) * mpmath.npdf(z)

    mpmath.mp.dps = 25
    true = float(mpmath.quad(integrand, [-12, -4, 0, 4, 12]))
    assert gaussian_mean(lambda x: x * np.tanh(np.logaddexp(x, 0)), std).value == pytest.approx(true, abs=1e-14)


@pytest.mark.parametrize(
    "f", [lambda x: 1 / x, lambda x: 1 / x**2, lambda x: np.exp(x * x), np.log], ids=["1/x", "1/x2", "exp(x2)", "log"]
)
def test_a_mean_that_does_not_exist_has_a_large_error(f: Callable) -> None:
    assert gaussian_mean(f).error > 1e3


def test_what_cannot_be_resolved_is_in_the_error() -> None:
    """A frequency of 1e9, or noise, can't be integrated; it must not take for ever either."""
    value, error = gaussian_mean(lambda x: np.sign(np.sin(1e9 * x)) * np.exp(x))
    assert abs(value) < 0.1
    assert error > 1e-6


def arc_cosine(rho: float) -> float:
    """E relu(x) relu(y): Cho & Saul 2009, Kernel Methods for Deep Learning, eq. 6 (over 2)."""
    angle = math.acos(rho)
    return (math.sin(angle) + (math.pi - angle) * rho) / (2 * math.pi)


CORRELATIONS = [-1.0, -0.5, 0.0, 0.9, 1 - 1e-6, 1 - 1e-10, 1.0]


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_pairs_of_kinked_functions_agree_with_the_arc_cosine_kernels(rho: float) -> None:
    kinks = ((0.0,), (0.0,))
    value, error = gaussian_pair_mean(relu, relu, rho, kinks=kinks)
    assert abs(value - arc_cosine(rho)) <= min(error + 1e-16, 1e-12)
    value, error = gaussian_pair_mean(np.sign, np.sign, rho, kinks=kinks)
    angle = math.atan2(rho, math.sqrt((1 - rho) * (1 + rho)))  # asin, without its cancellation near 1
    assert abs(value - 2 / math.pi * angle) <= min(error + 1e-16, 1e-12)


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_pairs_of_smooth_functions_agree_with_the_arc_sine_kernel(rho: float) -> None:
    """Williams 1997, Computing with Infinite Networks, eq. 11."""
    value, error = gaussian_pair_mean(erf, erf, rho, std=(2.0, 0.5))
    true = 2 / math.pi * math.asin(2 * rho / math.sqrt(9 * 1.5))
    assert abs(value - true) <= min(error + 1e-16, 1e-12)


def test_a_pair_finds_kinks_that_nobody_named() -> None:
    value, error = gaussian_pair_mean(relu, relu, 0.9)
    assert abs(value - arc_cosine(0.9)) <= min(error, 1e-11)


def test_a_pair_with_means_and_without_spread() -> None:
    assert gaussian_pair_mean(lambda x: x, lambda y: y, 0.5, (2.0, 3.0), (1.0, -1.0)).value == pytest.approx(2.0)
    assert gaussian_pair_mean(lambda x: x, np.exp, 0.5, (1.0, 0.0), (1.0, 2.0)).value == pytest.approx(math.exp(2))
