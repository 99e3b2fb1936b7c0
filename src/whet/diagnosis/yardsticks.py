"""What simple methods reach on a set-up's rows: one answer for all, nearest neighbours, a linear model, random features."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import torch
from torch import Tensor, nn

from whet.diagnosis.rows import (
    FEATURES,
    MOST_COLUMNS,
    NEIGHBOURS,
    ROWS,
    TINY,
    by_place,
    columns,
    features,
    fewer,
    flat,
    mean_of,
    nearest,
    scored,
    standard,
    words,
)
from whet.rng import generator
from whet.setups import Criterion, Setup
from whet.setups.metrics import is_classes
from whet.setups.training import forward

RANDOM, BEND = 200, 1.5
"""Random features, and the spread of their weights times the root of the inputs."""
MANY = 31
"""Neighbours that outvote wrong labels."""
DISTANCE, DECOMPOSED = 6e-8, 4e-10
"""Seconds on paper of a pair of rows, and of a number of a decomposition."""
ALIKE = 0.8
"""Correlation of targets with inputs from which they are the inputs, with noise perhaps."""


def yardsticks(setup: Setup, criterion: Criterion, narrowest: int = 0) -> dict[str, float]:
    """name -> what a simple method reaches by the set-up's own metric, where that is a known one.

    `narrowest`: units of the network's narrowest layer, if that is known: what is given back through fewer units than it has
    numbers is measured by a linear map that is as narrow.
    """
    (inputs, y), (val_inputs, val_y) = (fewer(part.some(ROWS)) for part in setup.parts)
    if setup.val is None or not isinstance(setup.metric, str) or setup.metric == "loss":
        return {}
    classes = is_classes(y, criterion)
    if classes != (setup.metric == "accuracy"):
        return {}
    if by_place(y):
        return {"guess": most_frequent(y, val_y)}
    a, b = columns(y, val_y, classes)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return {}
    found = {"guess": scored(b, np.broadcast_to(a.mean(0), b.shape), setup.metric)}
    back = gives_back(inputs[0], y)
    if a.shape[1] > MOST_COLUMNS or (back and not narrowest):
        return found
    x, xv = standard(*features(inputs, val_inputs))
    if not (np.isfinite(x).all() and np.isfinite(xv).all()):
        return found
    if back:
        return found | {"linear": scored(b, narrowed(x, a, xv, narrowest), setup.metric)}
    found["neighbours"] = scored(b, neighbours(x, a, xv, setup.metric), setup.metric)
    found["linear"] = scored(b, ridge(x, a, xv), setup.metric)
    found["random features"] = scored(b, bent(x, a, xv), setup.metric)
    return found


def most_frequent(y: Tensor, val_y: Tensor) -> float:
    """The share of validation places that have the class which most training rows have there."""
    a, b = (part.argmax(1) if part.is_floating_point() else part for part in (y, val_y))
    return float((a.mode(0).values == b).float().mean())


def same_for_all(setup: Setup, fresh: nn.Module, trained: nn.Module) -> dict[str, float]:
    """What the best of some constant answers reaches by a metric that is the loss or a function of one's own: each network's
    mean answer, and the mean target where it has an answer's shape; and what the fresh network reaches, alone where the metric
    does not ask for targets (which of two rows is nearer). Random state is put back."""
    (inputs, y), (_, given) = (part.some(ROWS) for part in reversed(setup.parts))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        start, end = forward(fresh, inputs), forward(trained, inputs)
        at_start = value_of(setup, start, y)
        found = {"start": at_start} if math.isfinite(at_start) else {}
        drawn = torch.randn(end.shape, generator=torch.Generator().manual_seed(0)).to(end.dtype)
        if all(value_of(setup, said, y) == value_of(setup, said, y.roll(1, 0)) for said in (end, drawn)):
            return found
        means = [said.mean(0, keepdim=True) for said in (start, end) if said.is_floating_point()]
        if given.is_floating_point() and given.shape[1:] == end.shape[1:]:
            means.append(given.mean(0, keepdim=True).to(end.dtype))
        reached = [value_of(setup, mean.expand(len(y), *mean.shape[1:]), y) for mean in means]
    known = [value for value in reached if math.isfinite(value)]
    return found | {"guess": max(known) if setup.higher_is_better else min(known)} if known else {}


def unheard(setup: Setup, fresh: nn.Module, trained: nn.Module) -> tuple[float, float]:
    """(how far a metric of one's own moves with outputs of which the loss hears nothing, and which have weights of their own
    that nothing teaches, how much better it is with them than with their mean), as shares of it. 0 where there are none, or the
    training step is one's own and may hear more."""
    inputs, y = fewer(setup.parts[0].some(ROWS))
    if setup.step is not None or not callable(setup.metric):
        return 0.0, 0.0
    with contextlib.suppress(Exception), torch.random.fork_rng(devices=[]):  # loss and metric may raise anything
        end = forward(trained, inputs)
        deaf = never_heard(setup, fresh.eval(), inputs, y, end)
        own = value_of(setup, end, y)
        size, others = max(abs(own), TINY), (end.roll(1, 0), -end, end.mean(0, keepdim=True))
        *asked, mean = ((value_of(setup, torch.where(deaf, other, end), y) - own) / size for other in others)
        moved = max(abs(value) for value in asked)
        gain = -mean if setup.higher_is_better else mean
        return (moved, gain if math.isfinite(gain) else 0.0) if math.isfinite(moved) else (0.0, 0.0)
    return 0.0, 0.0


def never_heard(setup: Setup, fresh: nn.Module, inputs: tuple[Tensor, ...], y: Tensor, end: Tensor) -> Tensor:
    """(1, outputs, ...) which outputs have no slope in the loss, of the fresh network and of the trained one, and weights of
    their own; none where there are no such weights. A unit that is dead stops gradients too, and of a matrix some only: what
    counts is a tensor of which nothing that they ask for is taught."""
    leaf, said = end.clone().requires_grad_(), fresh(*inputs)
    weights = [p for p in fresh.parameters() if p.requires_grad]
    value = setup.loss(said, y)
    (later,) = torch.autograd.grad(setup.loss(leaf, y), leaf)
    slope, *taught = torch.autograd.grad(value, [said, *weights], retain_graph=True, allow_unused=True)
    places = [0, *range(2, said.dim())]
    deaf = ((slope == 0) & (later == 0)).all(0, keepdim=True).expand(1, *said.shape[1:])
    deaf = deaf.amin(places, keepdim=True) if places else deaf
    drawn = torch.randn(said.shape, generator=torch.Generator().manual_seed(0)).to(said.dtype)
    own = torch.autograd.grad((said * drawn * deaf).sum(), weights, allow_unused=True)
    pairs = [(a, b) for a, b in zip(own, taught, strict=True) if a is not None]
    alone = any(bool(a.any()) and (b is None or not bool(b[a != 0].any())) for a, b in pairs)
    return deaf & alone


def value_of(setup: Setup, said: Tensor, y: Tensor) -> float:
    """The metric, a function of one's own or the loss; NaN where it fails on these answers."""
    with contextlib.suppress(Exception):  # it is the user's, and may raise anything
        return float(torch.as_tensor((setup.metric if callable(setup.metric) else setup.loss)(said, y)).float().mean())
    return math.nan


def rows_cost(setup: Setup) -> float:
    """Seconds on paper (`setups.work`) of looking at the rows: mostly two decompositions and three tables of distances."""
    inputs, _ = fewer(setup.parts[0].some(ROWS))
    rows, size = len(inputs[0]), sum(min(words(x) or x[0].numel(), FEATURES) for x in inputs)
    return DISTANCE * rows**2 + DECOMPOSED * rows * (size**2 + (size + RANDOM) ** 2)


def neighbours(x: np.ndarray, y: np.ndarray, xv: np.ndarray, metric: str) -> np.ndarray:
    """The mean of the nearest rows' targets: of a few or, where that serves other training rows better, of many.

    With labels that are often wrong, many neighbours still see the right one.
    """
    near = nearest(x, x, MANY, others=True) if len(x) > 2 * MANY else None
    found = nearest(x, xv, min(NEIGHBOURS if near is None else MANY, len(x)))
    if near is not None:
        few, many = (scored(y, mean_of(y, near[:, :k]), metric) for k in (NEIGHBOURS, MANY))
        found = found if (many > few) == (metric in ("accuracy", "r2")) else found[:, :NEIGHBOURS]
    return mean_of(y, found)


def bent(x: np.ndarray, y: np.ndarray, xv: np.ndarray) -> np.ndarray:
    """Predictions of ridge regression on random rectified features: a network whose first layer is left as it was drawn.

    Rahimi & Recht 2008, Weighted Sums of Random Kitchen Sinks, section 2.
    """
    rng, size = generator(0, "random features"), x.shape[1]
    weights, biases = BEND * rng.standard_normal((size, RANDOM)) / size**0.5, rng.standard_normal(RANDOM)

    def features_of(x: np.ndarray) -> np.ndarray:
        bends = np.maximum(0.0, x @ weights + biases)
        return np.concatenate([x, bends], 1) if size <= RANDOM else bends

    return ridge(features_of(x), y, features_of(xv))


def narrowed(x: np.ndarray, y: np.ndarray, xv: np.ndarray, rank: int) -> np.ndarray:
    """Predictions of ridge regression through so few numbers: reduced-rank regression (Izenman 1975)."""
    both = ridge(x, y, np.concatenate([x, xv]))
    centre = y.mean(0)
    _, _, directions = np.linalg.svd(both[: len(x)] - centre, full_matrices=False)
    kept = directions[:rank]
    found: np.ndarray = (both[len(x) :] - centre) @ kept.T @ kept + centre
    return found


def gives_back(x: Tensor, y: Tensor) -> bool:
    """Whether targets are the inputs, or nearly, as an autoencoder's: what a network loses on the way is meant to be lost."""
    if y.dim() < 2 or x.shape != y.shape or y[0].numel() < 2:
        return False
    a, b = (flat(t) - flat(t).mean(0) for t in (x, y))
    alike = (a * b).sum() / max(TINY, float(np.sqrt((a * a).sum() * (b * b).sum())))
    return bool(alike > ALIKE)


def ridge(x: np.ndarray, y: np.ndarray, xv: np.ndarray) -> np.ndarray:
    """Predictions of ridge regression with an intercept; the penalty is the one that generalises best (leave-one-out).

    By the singular values: one decomposition serves all penalties (Golub, Heath & Wahba 1979).
    """
    mean, centre = x.mean(0), y.mean(0)
    u, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    rotated = u.T @ (y - centre)
    best, chosen = np.inf, 1.0
    for penalty in np.geomspace(1e-3, 1e3, 7) * max(float((s**2).mean()), TINY):
        shrink = s**2 / (s**2 + penalty)
        residual = (y - centre) - u @ (shrink[:, None] * rotated)
        leverage = (u**2 * shrink).sum(1)
        error = float(((residual / np.maximum(1e-6, 1 - leverage)[:, None]) ** 2).mean())
        if error < best:
            best, chosen = error, float(penalty)
    weights = vt.T @ ((s / (s**2 + chosen))[:, None] * rotated)
    found: np.ndarray = (xv - mean) @ weights + centre
    return found
