"""What a recommender does, at a glance: some users' lists, how popular what it recommends is, whom it serves well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from whet.fields.base import Shown
from whet.fields.recommend.transform import RatingsTransform
from whet.figures import Bars, Figure, Grid
from whet.tasks.rank import gains, ranks

USERS, SHOWN, K = 4, 5, 10
"""Users that are shown, items of their past, items that are recommended to each."""
GROUPS = 4
"""Groups of users by activity, and of items by popularity."""


def figures(shown: Shown) -> tuple[Figure, ...]:
    if shown.task.goal != "rank":
        return (by_rating(shown),)
    known = shown.prepared.transform
    assert isinstance(known, RatingsTransform)
    users = shown.data.x["user"].to_numpy()[shown.parts["test"]]
    return (examples(shown, known, users), by_activity(shown, known, users), by_popularity(shown, known))


def examples(shown: Shown, known: RatingsTransform, users: np.ndarray) -> Grid:
    """Users whose item was found and users whose item was not, with what they had last and what is recommended."""
    places = ranks(shown.truth, shown.predicted)
    found, missed = np.flatnonzero(places < K), np.flatnonzero(places >= K)
    random = np.random.default_rng(shown.seed)
    some = [*picked(found, USERS // 2, random), *picked(missed, USERS - USERS // 2, random)]
    header = ["", *(column(shown, users[i]) for i in some)]
    names = shown.data.origin["items"]
    past = [[names[i] for i in known.had[known.starts[users[r]] : known.starts[users[r] + 1]][::-1]] for r in some]
    rows: list[Sequence[Any]] = [
        (f"had, {k + 1} back", *(own[k] if k < len(own) else "–" for own in past)) for k in range(SHOWN)
    ]
    rows.append(("next it was", *(names[shown.truth[r]] for r in some)))
    rows += [
        (f"{k + 1}.", *(mark(names[shown.predicted[r, k]], names[shown.truth[r]]) for r in some)) for k in range(K)
    ]
    note = (
        f"Half of these users were drawn among the {len(found)} of {len(users)} whose next item is in their list (✓)."
    )
    return Grid("Some users: what they had last, and the ten that come first for them", header, rows, note)


def column(shown: Shown, user: int) -> str:
    return f"{shown.data.origin['columns']['user']} {shown.data.origin['users'][user]}"


def mark(name: str, truth: str) -> str:
    return f"✓ {name}" if name == truth else name


def picked(rows: np.ndarray, count: int, random: np.random.Generator) -> list[int]:
    return sorted(random.choice(rows, min(count, len(rows)), replace=False).tolist())


def by_activity(shown: Shown, known: RatingsTransform, users: np.ndarray) -> Bars:
    """NDCG@10 of users with few and with many interactions, beside the best baseline."""
    had = np.diff(known.starts)[users]
    groups = grouped(had)
    named = [f"{had[g].min()}–{had[g].max()} ({len(g)})" for g in groups]
    series = {
        name: [float(gains(ranks(shown.truth[g], said[g]), K).mean()) for g in groups]
        for name, said in {"this network": shown.predicted, **best_baseline(shown)}.items()
    }
    note = "Users by how many interactions are known of them (how many users)."
    return Bars("For users with few and with many interactions", named, series, "NDCG@10", note)


def best_baseline(shown: Shown) -> dict[str, np.ndarray]:
    """The one of the highest score, by name; none if none ran."""
    names = sorted(shown.baselines, key=lambda name: -shown.task.score(shown.truth, shown.baselines[name]))
    return {name: shown.baselines[name] for name in names[:1]}


def by_popularity(shown: Shown, known: RatingsTransform) -> Bars:
    """From which part of the catalogue the first ten come, and where the true items lie."""
    often = np.bincount(known.had, minlength=known.items)
    order = np.argsort(-often, kind="stable")
    part = np.empty(known.items, np.int64)
    edges = [0.01, 0.1, 0.3]
    part[order] = np.searchsorted(np.asarray(edges) * known.items, np.arange(known.items), side="right")
    said = {"recommended": shown.predicted[:, :K], "what came next": shown.truth}
    series = {name: np.bincount(part[codes].ravel(), minlength=4)[:4] / codes.size for name, codes in said.items()}
    labels = ("first 1 %", "to 10 %", "to 30 %", "the rest")
    bars = {name: [float(v) for v in values] for name, values in series.items()}
    return Bars("How popular what it recommends is", labels, bars, "share", "Items by how many interactions they have.")


def grouped(values: np.ndarray) -> list[np.ndarray]:
    """Indices in `GROUPS` groups of about one size by value; equal values may be in two."""
    order = np.argsort(values, kind="stable")
    return [g for g in np.array_split(order, GROUPS) if len(g)]


def by_rating(shown: Shown) -> Bars:
    """How far off it is for low and for high ratings."""
    groups = grouped(shown.truth)
    named = [f"{shown.truth[g].min():g}–{shown.truth[g].max():g}" for g in groups]
    said = {"this network": shown.predicted, **{k: v for k, v in shown.baselines.items() if k in ("biases", "ALS")}}
    series = {name: [rmse(shown.truth[g], p[g]) for g in groups] for name, p in said.items()}
    return Bars("For low and for high ratings", named, series, "RMSE", "A quarter of the test ratings each.")


def rmse(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.sqrt(np.mean((p - y) ** 2)))
