"""What simple methods recommend: popularity, item-item cosine, EASE^R, ALS; and what they rate: means, biases, factors.

X   users x items, 1 where a user had an item (dense: none of these is run where X would not fit)
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from whet.fields.base import Wanted
from whet.fields.recommend.biases import Biases, fitted
from whet.fields.recommend.ease import MOST_CELLS, Scores, chosen_ridge, ease, matrix, top
from whet.fields.recommend.transform import RatingsTransform
from whet.tasks import Baseline
from whet.tasks.rank import KEPT

FACTORS, SWEEPS, ALPHA, REGULARISER = 32, 8, 10.0, 10.0
"""Of ALS: vectors' length, sweeps, the confidence of an interaction, the ridge."""
RIDGES = (15.0, 4.0, 8.0)
"""Ratings that pull a user's and an item's factors to 0; the best by the validation ratings, of those there is time for."""
RATE_FACTORS, RATE_SWEEPS = 16, 6
"""On MovieLens 16 factors with a ridge of 15 rated validation rows better (RMSE 0.8808) than 8 (0.8848), or 32."""


def baselines(wanted: Wanted) -> list[Baseline]:
    """Each method's answer for the test rows, or why it has none."""
    return list(rankings(wanted) if wanted.task.goal == "rank" else ratings(wanted))


# -- ranking -------------------------------------------------------------------------------------------------------


def rankings(wanted: Wanted) -> Iterator[Baseline]:
    """The methods know what the network knows at the end: the training rows and the validation rows."""
    known = wanted.prepared.transform
    assert isinstance(known, RatingsTransform)
    rows, clock = wanted.parts["test"], time.monotonic()
    users = wanted.data.x["user"].to_numpy()[rows]
    often = np.bincount(known.had, minlength=known.items).astype(np.float32)
    if known.users * known.items > MOST_CELLS:
        yield done("popularity", popular(known, users, often), clock)
        for name in ("item-item", "EASE^R", "ALS"):
            yield Baseline(name, None, 0.0, f"skipped: {known.users:,} x {known.items:,} cells are too many.")
        return
    x = matrix(known.owner, known.had, known.users, known.items)
    yield done("popularity", top(np.broadcast_to(often, (len(users), known.items)), x[users]), clock)
    began = time.monotonic()
    yield done("item-item", top(cosine(x)(x[users]), x[users]), began)
    began = time.monotonic()
    if known.users > known.items and known.items > 12_000:
        yield Baseline("EASE^R", None, 0.0, f"skipped: an inverse of {known.items:,} items costs more than its time.")
    else:
        own, held = known.trained, ~known.trained
        shown = matrix(known.owner[own], known.had[own], known.users, known.items)
        until = clock + 0.6 * wanted.seconds
        how = "by the validation rows" if began < until else "without time to choose it"
        ridge = chosen_ridge(shown, known.owner[held], known.had[held], until)
        note = f"lambda {ridge:g} {how}"
        yield done("EASE^R", top(ease(x, ridge)(x[users]), x[users]), began, note)
    began = time.monotonic()
    yield done("ALS", top(als(x, wanted.seed, clock + wanted.seconds)[users], x[users]), began)


def done(name: str, predicted: np.ndarray, began: float, note: str = "") -> Baseline:
    return Baseline(name, predicted, time.monotonic() - began, note)


def popular(known: RatingsTransform, users: np.ndarray, often: np.ndarray) -> np.ndarray:
    """The same for popularity without X."""
    order, most = np.argsort(-often, kind="stable"), min(KEPT, len(often))
    found, mine = np.empty((len(users), most), np.int64), np.zeros(len(often), bool)
    for row, user in zip(found, users, strict=True):
        own = known.had[known.starts[user] : known.starts[user + 1]]
        mine[own] = True
        head = order[: most + len(own)]
        row[:] = np.concatenate([head[~mine[head]], own])[:most]  # own ones last, where too few others are left
        mine[own] = False
    return found


def cosine(x: np.ndarray) -> Scores:
    """Items are near that the same users had (Sarwar et al. 2001, section 3.1.1); an item's nearness to itself counts 0."""
    length = np.sqrt(np.maximum(x.sum(0), 1))
    unit = x / length
    return lambda h: (h / length) @ x.T @ unit - h * (h / length**2) * x.sum(0)


def als(x: np.ndarray, seed: int, until: float) -> np.ndarray:
    """(users, items) scores of implicit alternating least squares (Hu, Koren & Volinsky 2008)."""
    random = np.random.default_rng(seed)
    item = 0.1 * random.standard_normal((x.shape[1], FACTORS)).astype(np.float32)
    for _ in range(SWEEPS):
        user = solved(x, item)
        item = solved(x.T, user)
        if time.monotonic() > until:
            break
    scores: np.ndarray = solved(x, item) @ item.T
    return scores


def solved(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Each row's vector: (V'V + ALPHA sum v v' + REGULARISER I)^-1 (1 + ALPHA) sum v, over what the row has."""
    width = other.shape[1]
    squares = (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)
    left = (ALPHA * (x @ squares)).reshape(-1, width, width) + other.T @ other
    left += REGULARISER * np.eye(width, dtype=np.float32)
    found: np.ndarray = np.linalg.solve(left, (1 + ALPHA) * (x @ other)[..., None])[..., 0]
    return found


# -- rating --------------------------------------------------------------------------------------------------------


def ratings(wanted: Wanted) -> Iterator[Baseline]:
    """The mean, biases, and factors on top of them."""
    data, train, test = wanted.data, wanted.parts["train"], wanted.parts["test"]
    user, item = (data.x[name].to_numpy() for name in ("user", "item"))
    known: RatingsTransform = wanted.prepared.transform  # type: ignore[assignment]
    began, y = time.monotonic(), data.y[train]
    mean = float(y.mean())
    yield done("mean", np.full(len(test), mean), began)
    began = time.monotonic()
    seen = np.concatenate([train, wanted.parts["val"]])
    trained = np.arange(len(seen)) < len(train)
    found = fitted(user[seen], item[seen], data.y[seen] - mean, trained, (known.users, known.items))
    said = mean + found.of(user[test], item[test])
    damping = "damped by {:g} (users) and {:g} (items) ratings, by the validation rows".format(*found.damping)
    yield done("biases", said, began, damping)
    began = time.monotonic()
    left = y - mean - found.of(user[train], item[train])
    ridge, p, q = chosen_factors(wanted, mean, found, left, until=began + 0.8 * wanted.seconds)
    added = (p[user[test]] * q[item[test]]).sum(1)
    yield done("ALS", said + added, began, f"on these biases; ridge {ridge:g} by the validation rows")


def chosen_factors(
    wanted: Wanted, mean: float, known: Biases, left: np.ndarray, until: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """(ridge, factors of users, of items) that rate the validation rows best. `left`: what biases leave of training rows."""
    data, train, val = wanted.data, wanted.parts["train"], wanted.parts["val"]
    user, item = (data.x[name].to_numpy() for name in ("user", "item"))
    missed, found = data.y[val] - mean - known.of(user[val], item[val]), {}
    for ridge in RIDGES:
        began = time.monotonic()
        p, q = factors(user[train], item[train], left, (len(known.user), len(known.item)), wanted.seed, ridge)
        found[float(np.square(missed - (p[user[val]] * q[item[val]]).sum(1)).mean())] = ridge, p, q
        if time.monotonic() + (time.monotonic() - began) > until:
            break
    return found[min(found)]


def factors(
    user: np.ndarray, item: np.ndarray, left: np.ndarray, sizes: tuple[int, int], seed: int, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of users and items whose products are what is left, by ridge regressions in turn (Zhou et al. 2008)."""
    q = 0.1 * np.random.default_rng(seed).standard_normal((sizes[1], RATE_FACTORS))
    p = np.zeros((sizes[0], RATE_FACTORS))
    for _ in range(RATE_SWEEPS):
        p = regressed(user, q[item], left, sizes[0], ridge)
        q = regressed(item, p[user], left, sizes[1], ridge)
    return p, q


def regressed(row: np.ndarray, x: np.ndarray, y: np.ndarray, count: int, ridge: float) -> np.ndarray:
    """(count, d): each row's ridge regression of its y on its x."""
    width = x.shape[1]
    left = np.zeros((count, width, width))
    right = np.zeros((count, width))
    for i in range(width):
        right[:, i] = np.bincount(row, x[:, i] * y, count)
        for j in range(i + 1):
            left[:, i, j] = left[:, j, i] = np.bincount(row, x[:, i] * x[:, j], count)
    left += ridge * np.eye(width)
    found: np.ndarray = np.linalg.solve(left, right[..., None])[..., 0]
    return found
