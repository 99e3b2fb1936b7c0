"""Expectations under a normal law, with an error estimate, for functions that nobody has tabulated.

    z, w     standard normal variables                      phi    their density
    x        mean + std z, what the function sees           rho    correlation of z and w
    owner    which of many integrals a panel belongs to     R      the integral runs over |z| <= R

Gauss-Hermite nodes lie where the density lies, not where the function bends: for relu the error shrinks like 1 / nodes,
and a step or sin(30 x) falls between them. Here the line is cut into panels, at the kinks that are known, each with a
Gauss-Legendre rule; a panel whose two halves disagree with it is replaced by them, until the halves agree. A bend in
the gap between a panel's last node and its end would be seen by neither, so the function is also asked at the ends, and
compared with what the nodes say of them. Smooth functions come out at rounding error, unknown kinks and jumps are closed
in by bisection, and what could not be settled is in the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Owners = NDArray[np.int64]
Function = Callable[[Array], Array]
Family = Callable[[Array, Owners], Array]
"""Many functions at once: the values at z of the functions that `owner` numbers; both (panel, node), or broadcast to it."""

POINTS, WEIGHTS = np.polynomial.legendre.leggauss(16)
GAP = 1 - float(POINTS[-1])
"""Between the last point and the end of a panel that reaches from -1 to 1."""
INSIDE = 1e-12
"""The ends are asked this far inside, because a known jump lies exactly on them."""
NODES = np.concatenate([POINTS, [INSIDE - 1, 1 - INSIDE]])
RADII = (10.0, 20.0, 30.0, 37.0)
"""Tried in turn until the rest is negligible; phi(37) is near the smallest number that float64 can hold."""
WIDTH = 2.0
"""Of the first panels. Their halves are always looked at too, so that a bend less than 0.05 wide is rarely missed."""
TOLERANCE = 1e-14
"""A panel is settled when its halves change it by no more than this share of the integral of |f| phi."""
DEEPEST = 50
"""Bisections at most: a panel is then as narrow as the spacing of float64 near 1."""
MOST_PANELS = 8_000
"""Panels that one integral bisects at once at most; beyond it (noise, a frequency in the thousands) the error says what
is open."""
MOST_OF_MANY = 60_000
"""The same, for many integrals together."""
ROUNDING = 8 * float(np.finfo(np.float64).eps)


class Mean(NamedTuple):
    """An expectation and a bound of its error; a mean that does not exist, or overflows, has an infinite error."""

    value: float
    error: float


def gaussian_mean(f: Function, std: float = 1.0, mean: float = 0.0, kinks: Iterable[float] = ()) -> Mean:
    """E f(mean + std z) for z ~ N(0, 1) and a function of float64 arrays.

    `kinks` are the places x where f or a derivative jumps: not needed, but they save the search for them.

    >>> value, error = gaussian_mean(lambda x: np.maximum(x, 0) ** 2, std=2.0, kinks=(0.0,))
    >>> abs(value - 2.0) < 1e-14, error < 1e-12
    (True, True)
    """
    assert std >= 0, f"std={std} is negative"
    if std == 0:
        with np.errstate(all="ignore"):
            value = float(_called(f, np.array([float(mean)]))[0])
        return Mean(value, 0.0 if np.isfinite(value) else np.inf)
    splits = (np.array(list(kinks), dtype=np.float64)[None] - mean) / std  # (1, kinks)
    values, errors = _means(lambda z, _: f(mean + std * z), 1, splits)
    return Mean(float(values[0]), float(errors[0]))


def gaussian_means(f: Function, stds: Array, kinks: Iterable[float] = ()) -> tuple[Array, Array]:
    """E f(std z) for many std above 0 at once, and the errors."""
    splits = np.array(list(kinks), dtype=np.float64)[None] / stds[:, None]  # (std, kinks)
    return _means(lambda z, owner: f(stds[owner] * z), len(stds), splits)


def gaussian_pair_mean(
    f: Function,
    g: Function,
    rho: float,
    std: tuple[float, float] = (1.0, 1.0),
    mean: tuple[float, float] = (0.0, 0.0),
    kinks: tuple[Iterable[float], Iterable[float]] = ((), ()),
) -> Mean:
    """E f(x) g(y) for normal x and y with correlation `rho`; `std`, `mean` and `kinks` are of x, then of y.

    The mean over y given x is an integral of its own, done for all the x of a panel at once; when rho comes near 1 that
    inner law is narrow, and the outer panels close in on the kinks of g by themselves.
    """
    assert -1 <= rho <= 1, f"rho={rho} is no correlation"
    rest = float(np.sqrt((1 - rho) * (1 + rho)))
    f_kinks, g_kinks = (
        (np.array(list(k), dtype=np.float64) - m) / s if s > 0 else np.empty(0)
        for k, m, s in zip(kinks, mean, std, strict=True)
    )
    if rest * std[1] == 0:
        both = np.concatenate([f_kinks, g_kinks * np.sign(rho)])
        return gaussian_mean(lambda z: f(mean[0] + std[0] * z) * g(mean[1] + std[1] * rho * z), kinks=both)
    inner_errors: list[float] = []

    def outer(z: Array, _: Owners) -> Array:
        centres = rho * z.ravel()
        splits = (g_kinks[None] - centres[:, None]) / rest  # (outer node, kinks)
        values, errors = _means(lambda w, i: g(mean[1] + std[1] * (centres[i] + rest * w)), len(centres), splits)
        left = _called(f, mean[0] + std[0] * z)
        inner_errors.append(float(np.nanmax(np.abs(left.ravel()) * errors * _density(z.ravel()), initial=0.0)))
        return left * values.reshape(z.shape)

    near = [g_kinks / rho] if rho else []
    values, errors = _means(outer, 1, np.concatenate([f_kinks, *near])[None])
    return Mean(float(values[0]), float(errors[0] + 2 * RADII[0] * max(inner_errors)))


@np.errstate(all="ignore")
def _means(family: Family, count: int, splits: Array) -> tuple[Array, Array]:
    """E f_i(z) for the `count` functions of a family, and their errors; panels are cut at `splits`, (count, kinks)."""
    owners = np.arange(count)
    for radius in RADII:
        panels = _first_panels(radius, count, splits)
        values, sizes, errors = _integrate(family, *panels, count)
        ends = np.array([-radius, radius])[None]
        tails = np.abs(_called(family, ends, owners[:, None]) * _density(ends)).sum(1)
        if not np.any(tails > ROUNDING * sizes):
            break
    errors = errors + tails + TOLERANCE * sizes
    return values, np.where(np.isfinite(values) & np.isfinite(errors), errors, np.inf)


def _first_panels(radius: float, count: int, splits: Array) -> tuple[Array, Array, Owners]:
    """The left ends, right ends and owners of the panels to start with; splits beyond the radius cut nothing."""
    inner = np.arange(-RADII[0], RADII[0] + WIDTH / 2, WIDTH)
    outer = np.arange(RADII[0], radius, 2 * WIDTH)[1:]
    grid = np.concatenate([[-radius], -outer[::-1], inner, outer, [radius]] if radius > RADII[0] else [inner])
    edges = np.concatenate([np.broadcast_to(grid, (count, len(grid))), np.clip(splits, -radius, radius)], axis=1)
    edges = np.sort(edges, axis=1)
    left, right = edges[:, :-1], edges[:, 1:]
    wide = right > left
    return left[wide], right[wide], np.broadcast_to(np.arange(count)[:, None], left.shape)[wide]


def _integrate(family: Family, left: Array, right: Array, owner: Owners, count: int) -> tuple[Array, Array, Array]:
    """The integrals of f phi, of |f| phi, and the errors, per owner: panels are halved until their halves agree."""
    total, sizes, errors = np.zeros(count), np.zeros(count), np.zeros(count)
    whole, size, _ = _panels(family, left, right, owner)
    np.add.at(sizes, owner, size)
    for level in range(DEEPEST):
        middle = (left + right) / 2
        lefts, rights, owners = np.stack([left, middle]), np.stack([middle, right]), np.stack([owner, owner])
        halves, _, surprise = _panels(family, lefts, rights, owners)
        change = np.abs(halves.sum(0) - whole) + surprise.sum(0)
        done = ~(change > TOLERANCE * sizes[owner])
        if level == DEEPEST - 1 or np.count_nonzero(~done) > min(MOST_PANELS * count, MOST_OF_MANY):
            done[:] = True
        np.add.at(total, owner[done], halves[:, done].sum(0))
        np.add.at(errors, owner[done], change[done])
        if done.all():
            break
        left, right, whole = (part[:, ~done].ravel() for part in (lefts, rights, halves))
        owner = owners[:, ~done].ravel()
    return total, sizes, errors


def _panels(family: Family, left: Array, right: Array, owner: Owners) -> tuple[Array, Array, Array]:
    """Of each panel: the integrals of f phi and of |f| phi, and what may hide in the gaps at its ends."""
    half = (right.ravel() - left.ravel())[:, None] / 2
    z = (left.ravel() + right.ravel())[:, None] / 2 + half * NODES  # (panel, node)
    values = _called(family, z, owner.reshape(-1, 1)) * _density(z) * half
    inner, ends = values[:, : len(POINTS)], values[:, len(POINTS) :]
    hidden = np.abs(ends - inner @ TO_ENDS.T).sum(1) * GAP
    return tuple(part.reshape(left.shape) for part in (inner @ WEIGHTS, np.abs(inner) @ WEIGHTS, hidden))  # type: ignore[return-value]


def _to_ends() -> Array:
    """The matrix that extrapolates a polynomial from the points to the two ends, (end, point)."""
    basis = np.polynomial.legendre.legvander
    degree = len(POINTS) - 1
    return basis(NODES[len(POINTS) :], degree) @ np.linalg.inv(basis(POINTS, degree))


TO_ENDS = _to_ends()


def _density(z: Array) -> Array:
    density: Array = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return density


def _called(f: Callable[..., Array], *args: Array | Owners) -> Array:
    """f in float64; a constant is spread over its argument."""
    return np.broadcast_to(np.asarray(f(*args), dtype=np.float64), np.broadcast_shapes(*(a.shape for a in args)))
