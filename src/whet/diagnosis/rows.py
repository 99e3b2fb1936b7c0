"""Numbers about a set-up's data, from at most some thousand rows of each part."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from torch import Tensor

from whet.diagnosis.evidence import DataFacts
from whet.rng import generator
from whet.setups import Criterion, Setup
from whet.setups.metrics import is_classes
from whet.setups.operations import MOST_QUANTITIES, has_scale
from whet.setups.parts import Batch

ROWS = 2_000
"""Rows of each part that are looked at."""
NEIGHBOURS = 7
FEATURES = 1_024
"""Features of a row above which distances are taken in a random projection of so many."""
MOST_NUMBERS, MOST_FEATURES = 2**23, 2**17
"""Numbers of a part, and of one of its rows, that are looked at: of larger rows fewer are drawn, and every second, third, …
of their numbers is taken."""
MOST_COLUMNS = 512
"""Of targets, for which simple methods are tried."""
TINY = 1e-12
STILL = 1e-6
"""Of the largest spread of a column of targets, what varies by rounding alone."""
WORDS = 1_024
"""Places for the counts of indices, at most."""


def facts(setup: Setup, criterion: Criterion) -> DataFacts:
    """What the rows look like."""
    train, val = setup.parts
    seen, val_seen = train.some(ROWS), val.some(ROWS)
    (inputs, y), (val_inputs, val_y) = fewer(seen), fewer(val_seen)
    known = targets(answers(seen), answers(val_seen) if setup.val is not None else y[:0], is_classes(y, criterion))
    found: dict[str, Any] = {"rows": len(train), "val_rows": len(val), **known}
    if known["classes"] and not several(y) and not by_place(y) and train.loader is not None:
        found["sorted_runs"] = runs(labels(seen[1]))
    floats = [i for i, x in enumerate(inputs) if x.is_floating_point()]
    scaled = [i for i in floats if has_scale(inputs[i])] or floats
    x, xv = features(inputs, val_inputs)
    if scaled:
        found |= values(*(raw(tuple(part[i] for i in scaled)) for part in (inputs, val_inputs)))
    if setup.val is not None and inputs:
        found["copies"] = copies(raw(inputs), raw(val_inputs))
    if by_place(y):  # rows have no class that others could foretell
        return DataFacts(**found, numbers=bool(scaled))
    a, b = columns(y, val_y, known["classes"] > 0)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return DataFacts(**found, numbers=bool(scaled))
    if a.shape[1] <= MOST_COLUMNS and found.get("copies", 1.0) == 0:
        found["disagreement"], found["foretold"] = disagreement(x, a, xv, b, known["classes"] > 0)
        found["renamed"] = renamed(x, a, xv, b)
    return DataFacts(**found, numbers=bool(scaled))


def fewer(batch: Batch) -> Batch:
    """So many of these rows, drawn at random, as can be held as a table however large each of them is."""
    inputs, y = batch
    kept = max(1, MOST_NUMBERS // max(1, sum(min(x[0].numel(), MOST_FEATURES) for x in (*inputs, y))))
    if kept >= len(y):
        return batch
    rows = np.sort(generator(0, "rows").choice(len(y), kept, replace=False))
    return tuple(x[rows] for x in inputs), y[rows]


def answers(batch: Batch) -> Tensor:
    """Targets: of all these rows where they are small, as classes are."""
    y = batch[1]
    return y if y.numel() <= MOST_NUMBERS else fewer(batch)[1]


def flat(x: Tensor) -> np.ndarray:
    """(rows, features), as doubles."""
    table = x.reshape(len(x), -1)
    return table[:, :: max(1, -(-table.shape[1] // MOST_FEATURES))].double().numpy()


def raw(inputs: tuple[Tensor, ...]) -> np.ndarray:
    """(rows, numbers) of all inputs side by side."""
    return np.concatenate([flat(x) for x in inputs], 1)


def features(inputs: tuple[Tensor, ...], val_inputs: tuple[Tensor, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(rows, features) of both parts' inputs, side by side: numbers as they are, of indices how often each of them occurs."""
    sizes = [words(x, xv) for x, xv in zip(inputs, val_inputs, strict=True)]
    a, b = (np.concatenate([table(x, n) for x, n in zip(part, sizes, strict=True)], 1) for part in (inputs, val_inputs))
    return a, b


def words(*parts: Tensor) -> int:
    """Places for the counts of these indices; 0 for numbers."""
    if any(x.is_floating_point() for x in parts):
        return 0
    return min(WORDS, 1 + max((int(x.max()) for x in parts if x.numel()), default=0))


def table(x: Tensor, places: int) -> np.ndarray:
    """(rows, features): numbers as they are; how often a row has each index, where large ones share their places."""
    if not places:
        return flat(x)
    found = np.zeros((len(x), places))
    indices = (x.reshape(len(x), -1) % places).numpy()
    np.add.at(found, (np.arange(len(x))[:, None], indices), 1.0)
    return found


def several(y: Tensor) -> bool:
    """Whether rows have any number of labels, as columns, or pictures, of zeros and ones."""
    if y.dim() < 2 or y.numel() == len(y) or not bool(((y == 0) | (y == 1)).all()):
        return False  # shares of each class are no labels
    return y.shape[1] == 1 or not bool((y.sum(1) == 1).all())


def by_place(y: Tensor) -> bool:
    """Whether rows have one of more than two classes at each of several places, as pixels and letters have: by its index, or
    as ones and zeros along the second of three axes or more."""
    if y.dim() < 2 or y.numel() == len(y):
        return False
    if not y.is_floating_point() and not bool(((y == 0) | (y == 1)).all()):
        return True
    return y.dim() > 2 and y.shape[1] > 1 and not several(y) and bool((y.sum(1) == 1).all())


def labels(y: Tensor) -> np.ndarray:
    """Class indices: of each row, or of each place of all rows, one after the other."""
    if y.is_floating_point() and by_place(y):
        return y.argmax(1).reshape(-1).numpy()
    if y.dim() > 1 and not by_place(y) and y.shape[1] > 1:
        return y.argmax(1).numpy()
    return y.reshape(-1).long().numpy()


def values(x: np.ndarray, xv: np.ndarray) -> dict[str, float]:
    """Of the inputs: scales, offsets, and how far the validation part lies from the training part."""
    fine = np.isfinite(x)
    if not fine.all():
        return {"bad": float(1 - fine.mean())}
    mean, std = x.mean(0), x.std(0)
    within = float(np.sqrt((std**2).mean()))
    moving = std > TINY
    typical = float(np.median(std[moving])) if moving.any() else 1.0
    spread = np.sqrt(std**2 + (0.05 * within) ** 2) + TINY
    apart = (xv.mean(0) - mean) / spread if np.isfinite(xv).all() else np.full(len(mean), np.nan)
    return {
        "std": float(x.std()),
        "offset": float(np.abs(mean).max() / max(within, TINY)),
        "scales": float(std.max() / max(typical, TINY)),
        "constant": float(1 - moving.mean()),
        "shift": float(np.sqrt((apart**2).mean())),
        "stretch": float(np.sqrt((xv.std(0) ** 2).mean()) / max(within, TINY)),
    }


def no_numbers(y: Tensor) -> float:
    """Share of values that are NaN or infinite; 0 of none."""
    return int((~y.isfinite()).sum()) / max(1, y.numel())


def targets(y: Tensor, val_y: Tensor, classes: bool) -> dict[str, float]:
    """What targets look like; `val_y` has no row where there is no validation part."""
    bad = {"bad_targets": no_numbers(y), "bad_val_targets": no_numbers(val_y)}
    if any(bad.values()):
        return {"classes": 0, **bad}
    if not classes:
        v = y.double().flatten()
        return {
            "classes": 0,
            "target_mean": float(v.mean()),
            "target_std": float(v.std(correction=0)),
            "target_scales": uneven(y),
            "target_low": float(v.min()),
            "target_high": float(v.max()),
        }
    if several(y):
        return {"classes": y.shape[1], "several": True}
    known, each = np.unique(labels(y), return_counts=True)
    seen = np.unique(labels(val_y))
    if by_place(y):
        return {"classes": max(len(known), len(seen)), "unseen": len(set(seen.tolist()) - set(known.tolist()))}
    return {
        "classes": max(len(known), len(seen)),
        "imbalance": float(each.max() / each.min()),
        "rarest": float(each.min() / len(y)),
        "unseen": len(set(seen.tolist()) - set(known.tolist())),
        "target_low": float(y.min()),
        "target_high": float(y.max()),
    }


def uneven(y: Tensor) -> float:
    """The largest spread of a column of (rows, columns) over the smallest one that varies beside it; 1 of one, or of
    many."""
    if y.dim() != 2 or y.shape[1] > MOST_QUANTITIES:
        return 1.0
    spread = y.double().std(0, correction=0)
    moving = spread[spread > max(TINY, STILL * float(spread.max()))]
    return float(moving.max() / moving.min()) if len(moving) else 1.0


def copies(x: np.ndarray, xv: np.ndarray) -> float:
    """Share of validation rows that are training rows too, among those that are looked at, beyond what training rows repeat
    each other: where few values are possible, equal rows say nothing."""
    known = Counter(row.tobytes() for row in x)
    again = sum(n - 1 for n in known.values()) / max(1, len(x))
    return max(0.0, float(np.mean([row.tobytes() in known for row in xv])) - again) if len(x) else 0.0


def runs(y: np.ndarray) -> float:
    """How much more often neighbours share a class than by chance, in [0, 1]."""
    if len(y) < 2:
        return 0.0
    shares = np.bincount(y) / len(y)
    chance = float((shares**2).sum())
    same = float((y[1:] == y[:-1]).mean())
    return max(0.0, (same - chance) / max(1 - chance, TINY))


def standard(x: np.ndarray, xv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both by the mean and spread of the first; of very many features a random projection."""
    mean, std = x.mean(0), x.std(0)
    std = np.where(std > TINY, std, 1.0)
    x, xv = (x - mean) / std, (xv - mean) / std
    return (x, xv) if x.shape[1] <= FEATURES else (projected(x), projected(xv))


def projected(x: np.ndarray) -> np.ndarray:
    """(rows, FEATURES): features with random signs are shared out evenly and summed, which keeps distances on average.

    Weinberger et al. 2009, Feature Hashing for Large Scale Multitask Learning, arXiv:0902.2206, section 3; with a shuffled
    order in the place of a hash.
    """
    rng, size = generator(0, "projection"), x.shape[1]
    order, signs = rng.permutation(size), rng.choice((-1.0, 1.0), size)
    rounds = -(-size // FEATURES)
    table = np.zeros((len(x), rounds * FEATURES))
    table[:, :size] = (x * signs)[:, order]
    found: np.ndarray = table.reshape(len(x), rounds, FEATURES).sum(1)
    return found


def nearest(x: np.ndarray, xv: np.ndarray, k: int, others: bool = False) -> np.ndarray:
    """(rows of xv, k) the indices of the nearest rows of x, `NEIGHBOURS` of them first; with `others` a row is not its own."""
    distance = (x**2).sum(1)[None, :] - 2 * xv @ x.T
    if others:
        np.fill_diagonal(distance, np.inf)
    k = min(k, len(x) - (1 if others else 0))
    return np.argpartition(distance, sorted({min(k, NEIGHBOURS) - 1, k - 1}), axis=1)[:, :k]


def disagreement(x: np.ndarray, y: np.ndarray, xv: np.ndarray, yv: np.ndarray, classes: bool) -> tuple[float, float]:
    """(how much worse training targets are foretold by their neighbours than those of a clean part, how well these are), in
    accuracy or R2.

    Labels that were shuffled are contradicted by most of their neighbours. What cleanly labelled data shows is estimated
    from validation targets, which stay as they are: foretold by training rows or, where there are no more of them, by one
    another, whichever goes better.
    """
    if not are_enough(x, xv):
        return 0.0, 0.0
    a, b = standard(x, xv)
    metric = "accuracy" if classes else "r2"

    def foretold(x: np.ndarray, y: np.ndarray, others: np.ndarray, truth: np.ndarray) -> float:
        return scored(truth, mean_of(y, nearest(x, others, NEIGHBOURS, others=x is others)), metric)

    clean = [foretold(a, y, b, yv)] + ([foretold(b, yv, b, yv)] if len(b) <= len(a) else [])
    return max(0.0, max(clean) - max(0.0, foretold(a, y, a, y))), max(clean)


def renamed(x: np.ndarray, y: np.ndarray, xv: np.ndarray, yv: np.ndarray) -> float:
    """How much better training rows foretell validation targets, once these are called by other names, in accuracy or R2.

    0 where rows have any number of labels, or are too few.
    """
    if not are_enough(x, xv):
        return 0.0
    a, b = standard(x, xv)
    said = mean_of(y, nearest(a, b, NEIGHBOURS))
    if y.shape[1] == 1:
        return moved(said, yv)
    return swapped(said, yv) if (yv.sum(1) == 1).all() else 0.0


def swapped(said: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy to gain where each foretold class stands for the true one that it meets most often; 0 if two stand for one."""
    met = np.eye(truth.shape[1])[said.argmax(1)].T @ truth  # (foretold, true)
    seen = met.sum(1) > 0
    one_to_one = len(set(met.argmax(1)[seen])) == int(seen.sum())
    return float(met.max(1).sum() - np.trace(met)) / len(truth) if one_to_one else 0.0


def moved(said: np.ndarray, truth: np.ndarray) -> float:
    """R2 to gain by the straight line through (foretold, true), both (n, 1)."""
    if said.std() < TINY:
        return 0.0
    line = np.polyval(np.polyfit(said[:, 0], truth[:, 0], 1), said)
    return max(0.0, scored(truth, line, "r2")) - max(0.0, scored(truth, said, "r2"))


def are_enough(x: np.ndarray, xv: np.ndarray) -> bool:
    """Whether neighbours can say something: inputs are numbers, and neither part has only a handful of rows."""
    return bool(np.isfinite(x).all() and np.isfinite(xv).all()) and min(len(x), len(xv)) >= 5 * NEIGHBOURS


def columns(y: Tensor, val_y: Tensor, classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Targets of both parts as (rows, columns) of numbers: a column for each class, label, or value."""
    if not classes or several(y):
        return y.reshape(len(y), -1).double().numpy(), val_y.reshape(len(val_y), -1).double().numpy()
    known, place = np.unique(np.concatenate([labels(y), labels(val_y)]), return_inverse=True)
    one_hot = np.eye(len(known))[place.reshape(-1)]  # of classes that are there: indices may be large, or below 0
    return one_hot[: len(y)], one_hot[len(y) :]


def scored(truth: np.ndarray, said: np.ndarray, metric: str) -> float:
    """A metric of (rows, columns); for the accuracy of one class a row, the column with the most counts."""
    if metric == "accuracy":
        if (truth.sum(1) == 1).all():
            return float((said.argmax(1) == truth.argmax(1)).mean())
        return float(((said > 0.5) == (truth > 0.5)).mean())
    error = said - truth
    if metric == "mae":
        return float(np.abs(error).mean())
    if metric == "rmse":
        return float(np.sqrt((error**2).mean()))
    return float(1 - (error**2).mean() / max(TINY, truth.var()))


def mean_of(y: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(rows, columns): of each row's neighbours, one neighbour after the other, since there may be many columns."""
    total = np.zeros((len(near), y.shape[1]))
    for place in near.T:
        total += y[place]
    return total / near.shape[1]
