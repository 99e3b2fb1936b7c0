"""The coefficients in src/whet/activations/kernel/prelude.h, fitted anew, and the error of each fit.

    python benchmarks/kernel_fits.py

A fit is one or more quotients P_i(u) / Q(u) over one denominator, Q(0) = 1. Its greatest error, each taken as a share of
`size`, is made least by Lawson's method: least squares, in which every point counts in proportion to what it was off by so
far. The errors printed are those of exact arithmetic; in float32 some rounding comes on top, which
tests/activations/test_kernel.py measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
ROUNDS = 1500


@dataclass(frozen=True)
class Fit:
    """What is fitted: functions with the degree of each P, Q's degree, where, and the error that counts as 1 there."""

    name: str
    functions: Sequence[Callable[[Array], Array]]
    degrees: Sequence[int]
    below: int
    points: Array
    sizes: Sequence[Callable[[Array], Array]]


def between(low: float, high: float, n: int = 1500) -> Array:
    """Chebyshev's points: more of them at the ends."""
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(n) + 0.5) / n)


def expm1(r: Array) -> Array:
    return (np.expm1(r) - r) / r**2


def log1p_near(f: Array) -> Array:
    return (np.log1p(f) - f) / f**2


def arctan(s: Array) -> Array:
    return (np.arctan(np.sqrt(s)) / np.sqrt(s) - 1) / s


def erf(s: Array) -> Array:
    return special.erf(np.sqrt(s)) / np.sqrt(s)


def erf_log(z: Array) -> Array:
    return special.erf(np.log1p(z)) / z


def bell_log(z: Array) -> Array:
    return np.exp(-(np.log1p(z) ** 2)) / (1 + z)


def bell_counts(z: Array) -> Array:
    """The slope of x erf(softplus(x)) has it times z x, z = exp(x)."""
    return np.maximum(bell_log(z), 1 / (z + 1) / np.maximum(1, np.abs(np.log(z))))


def mills(t: Array) -> Array:
    return special.erfcx(t / np.sqrt(2)) / 2


def log1p(u: Array) -> Array:
    return np.log1p(u) / u


def tanh(s: Array) -> Array:
    return np.tanh(np.sqrt(s)) / np.sqrt(s)


def root_of_tail(t: Array) -> Array:
    return special.erfc(t / np.sqrt(2)) ** (-1 / 16)


def gelu_slope(s: Array) -> Array:
    """(The slope of gelu - 1/2) / x, as a function of s = x^2."""
    return special.erf(np.sqrt(s / 2)) / 2 / np.sqrt(s) + np.exp(-s / 2) / np.sqrt(2 * np.pi)


def sloping(gate: Array, x: Array, steepness: Array) -> Array:
    """The slope of x gate(x)."""
    return gate + x * steepness


def phish(x: Array) -> Array:
    return np.tanh(x * special.ndtr(x)) / x


def phish_slope(x: Array) -> Array:
    share, density = special.ndtr(x), np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    gate = np.tanh(x * share)
    return sloping(gate, x, (1 - gate**2) * (share + x * density)) / x


def tanh_soft(x: Array) -> Array:
    return np.tanh(0.87 * x) * np.logaddexp(0, x) / x


def tanh_soft_slope(x: Array) -> Array:
    return 0.87 * np.logaddexp(0, x) / np.cosh(0.87 * x) ** 2 + np.tanh(0.87 * x) * special.expit(x)


def tanh_exp_slope(x: Array) -> Array:
    return sloping(np.tanh(np.exp(x)), x, np.exp(x) / np.cosh(np.exp(x)) ** 2)


def serf_slope(x: Array) -> Array:
    soft = np.logaddexp(0, x)
    return sloping(special.erf(soft), x, 2 / np.sqrt(np.pi) * np.exp(-(soft**2)) * special.expit(x))


def over_x(x: Array) -> Array:
    """What is fitted is the function over x, so that it is exactly 0 at 0; its error counts as it is itself."""
    return 1 / np.maximum(0.3, np.abs(x))


def sine(s: Array) -> Array:
    return (np.sin(np.sqrt(s)) / np.sqrt(s) - 1) / s


def cosine(s: Array) -> Array:
    return (np.cos(np.sqrt(s)) - 1 + s / 2) / s**2


QUARTER, HALF = (np.pi / 4 + 0.01) ** 2, (np.pi / 2 + 0.01) ** 2
FITS = [
    Fit("near_expm1", [expm1], [4], 0, between(-0.3475, 0.3475), [lambda r: np.abs(np.expm1(r)) / r**2]),
    Fit("exp_brief", [expm1], [3], 0, between(-0.3475, 0.3475), [lambda r: np.exp(r) / r**2]),
    Fit("log1p_near", [log1p_near], [8], 0, between(0.5**0.5 - 1, 2**0.5 - 1), [lambda f: np.abs(np.log1p(f)) / f**2]),
    Fit("half_turned", [sine], [3], 0, between(1e-4, HALF), [lambda s: 1 / s]),
    Fit("arctan_parts", [arctan], [7], 0, between(1e-4, 1), [lambda s: np.arctan(np.sqrt(s)) / s**1.5]),
    Fit("erf", [erf], [5], 5, between(1e-8, 15.4), [erf]),
    Fit("log1p_unit", [log1p], [2], 3, between(1e-9, 1), [log1p]),
    Fit("mills", [mills], [4], 5, between(0, 13.2), [mills]),
    Fit("tanh_within", [tanh], [4], 4, between(1e-8, 81), [tanh]),
    Fit("short_tail", [root_of_tail], [10], 0, between(0, 5.6), [root_of_tail]),
    Fit("absolute_gelu_slope", [gelu_slope], [5], 6, between(1e-8, 5.6**2), [gelu_slope]),
    Fit("quarter_turned, sine", [sine], [2], 0, between(1e-4, QUARTER), [lambda s: 1 / s]),
    Fit("quarter_turned, cosine", [cosine], [2], 0, between(1e-3, QUARTER), [lambda s: 1 / s**2]),
    Fit("phish", [phish], [11], 12, between(-6, 8.7), [lambda x: over_x(x) / np.maximum(1, -x)]),
    Fit("phish_slope", [phish_slope], [13], 14, between(-6.3, 10.2), [over_x]),
    Fit("tanh_soft", [tanh_soft], [12], 12, between(-17, 14), [lambda x: over_x(x) * np.maximum(1, x / 2)]),
    Fit("tanh_soft_slope", [tanh_soft_slope], [12], 13, between(-18, 15.5), [np.ones_like]),
    Fit("tanh_exp_slope", [tanh_exp_slope], [12], 12, between(-19, 2.4), [np.ones_like]),
    Fit("serf_slope", [serf_slope], [11], 12, between(-19, 4.25), [np.ones_like]),
    Fit("erf_log", [erf_log], [5], 6, np.exp(np.linspace(-20, np.log(70.0), 1500)), [erf_log]),
    Fit("erf_log_slope", [bell_log], [5], 7, np.exp(np.linspace(-20, np.log(70.0), 1500)), [bell_counts]),
]


def solve(fit: Fit) -> tuple[float, list[Array], Array]:
    """The greatest error, each P's coefficients, and Q's."""
    reach = np.abs(fit.points).max()
    u = fit.points / reach
    true = [f(fit.points) for f in fit.functions]
    sizes = [size(fit.points) for size in fit.sizes]
    counts = np.ones((len(true), len(u)))
    below, best = np.ones_like(u), (np.inf, [u], u)
    for _ in range(ROUNDS):
        above, q = _least_squares(fit, u, true, np.sqrt(counts) / sizes / below)
        below = np.vander(u, fit.below + 1, increasing=True) @ q
        values = [np.polynomial.polynomial.polyval(u, p) / below for p in above]
        errors = np.abs(np.subtract(values, true)) / sizes
        if errors.max() < best[0] and (below > 0).all():
            best = (float(errors.max()), above, q)
        counts = np.maximum(counts * (errors / errors.max() + 1e-9), 1e-13)
        counts /= counts.max()
    return best[0], [p / reach ** np.arange(len(p)) for p in best[1]], best[2] / reach ** np.arange(len(best[2]))


def _least_squares(fit: Fit, u: Array, true: list[Array], weights: Array) -> tuple[list[Array], Array]:
    """P_i - f_i Q = 0, as nearly as these weights ask for."""
    lengths = [d + 1 for d in fit.degrees]
    rows = []
    for i, (f, weight) in enumerate(zip(true, weights, strict=True)):
        parts = [np.vander(u, n, increasing=True) * (i == k) for k, n in enumerate(lengths)]
        q = -f[:, None] * np.vander(u, fit.below + 1, increasing=True)[:, 1:]
        rows.append(np.hstack([*parts, q]) * weight[:, None])
    matrix, right = np.vstack(rows), np.concatenate(np.multiply(true, weights))
    scale = np.abs(matrix).max(0)
    found = np.linalg.lstsq(matrix / scale, right, rcond=1e-15)[0] / scale
    *above, q = np.split(found, np.cumsum(lengths))
    return above, np.concatenate([[1.0], q])


def words_of_inverse_pi(count: int = 48) -> list[int]:
    """1 / pi in words of 24 bits, by Machin's formula in whole numbers, with 64 bits to spare."""
    one = 1 << (24 * count + 64)

    def arctan_of_one_over(n: int) -> int:
        term = total = one // n
        for k in range(3, 24 * count, 2):
            term = -term // (n * n)
            total += term // k
        return total

    pi = 4 * (4 * arctan_of_one_over(5) - arctan_of_one_over(239))
    inverse = one * one // pi >> 64
    return [inverse >> 24 * (count - 1 - i) & 0xFFFFFF for i in range(count)]


def main() -> None:
    print("1 / pi:", words_of_inverse_pi(), sep="\n")
    for fit in FITS:
        error, above, below = solve(fit)
        print(f"{fit.name}: {error:.2g}")
        for label, coefficients in zip([*("P" * len(above)), "Q"], [*above, below], strict=True):
            print("   ", label, ", ".join(f"{c:.9e}f" for c in coefficients))


if __name__ == "__main__":
    main()
