"""What the interactions look like, and what that suggests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import numpy as np

from whet.data.core import Data, Profile, Row, Section

TAIL = 0.2
"""The most popular share of the items, whose share of the interactions is told."""
SECONDS = (1e8, 5e9)
"""Times in this range are seconds since 1970 (from 1973 to 2128); a thousand times that, milliseconds."""


def profile(data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
    train = np.sort(np.concatenate([parts["train"], parts["val"]]))
    user, item = (data.x[name].to_numpy() for name in ("user", "item"))
    sections = [
        Section("Size", sizes(data, parts)),
        Section("Users", activity(user[train], len(data.origin["users"]))),
        Section("Items", popularity(data, item, train, parts["test"])),
    ]
    if data.origin["timed"]:
        sections.append(Section("Time", times(data.x["time"].to_numpy(), user)))
    if data.x["rating"].null_count() < len(data):
        sections.append(Section("Ratings", rated(data.x["rating"].drop_nulls().to_numpy())))
    if told := tuple(described(data)):
        sections.append(Section("Described by", told))
    return Profile(data.name, tuple(sections), data.findings)


def described(data: Data) -> Iterator[Row]:
    """What is known of users and items beside their interactions."""
    for role in ("user", "item"):
        if found := data.origin.get(f"{role}_features"):
            columns = dict.fromkeys(name.partition(": ")[0] for name in found["names"])
            yield Row(f"{role}s", f"{len(found['names'])} numbers", f"from {', '.join(columns)}")


def sizes(data: Data, parts: Mapping[str, np.ndarray]) -> tuple[Row, ...]:
    users, items = len(data.origin["users"]), len(data.origin["items"])
    said = ", ".join(f"{len(rows):,} {name}" for name, rows in parts.items())
    return (
        Row("interactions", f"{len(data):,}", said),
        Row("users", f"{users:,}"),
        Row("items", f"{items:,}"),
        Row("density", f"{100 * len(data) / (users * items):.3g} %", "of all pairs"),
    )


def activity(user: np.ndarray, users: int) -> tuple[Row, ...]:
    counts = np.bincount(user, minlength=users)
    few, cold = int((counts == 1).sum()), int((counts == 0).sum())
    middle = Row(
        "interactions each", f"median {np.median(counts):g}, {counts.min():,} to {counts.max():,}", uneven(counts)
    )
    rows = [middle, Row("with one", f"{few:,}", "never tested when the newest of each is held out" if few else "")]
    return (
        *rows,
        Row("unknown to the training", f"{cold:,}", "they are answered with what is popular" if cold else ""),
    )


def uneven(counts: np.ndarray) -> str:
    """Said where few users have most of the interactions."""
    most = np.sort(counts)[::-1]
    share = most[: max(1, len(most) // 10)].sum() / max(1, most.sum())
    said = f"the busiest tenth of the users has {100 * share:.0f} % of them"
    return f"{said}: training rows are drawn so that it does not drown the others" if share > 0.4 else said


def popularity(data: Data, item: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[Row, ...]:
    counts = np.bincount(item[train], minlength=len(data.origin["items"]))
    order = np.sort(counts)[::-1]
    head = order[: max(1, round(TAIL * len(order)))].sum() / max(1, order.sum())
    cold, once = int((counts[item[test]] == 0).sum()), int((counts == 1).sum())
    return (
        Row("interactions each", f"median {np.median(counts):g}, up to {counts.max():,}"),
        Row("long tail", f"the first {TAIL:.0%} have {head:.0%} of the interactions"),
        Row("with one", f"{once:,}", "hardly anything can be learned of them" if once > len(counts) / 4 else ""),
        Row(
            "test rows with an unknown item",
            f"{cold:,}",
            "no method can rank them; they count as misses" if cold else "",
        ),
    )


def times(time: np.ndarray, user: np.ndarray) -> tuple[Row, ...]:
    same = (np.diff(time) == 0) & (np.diff(user) == 0)
    share = same.mean() if len(same) else 0.0
    return (
        Row("span", f"{moment(time.min())} to {moment(time.max())}"),
        Row("same time as the one before", f"{100 * share:.1f} %", "they keep the order of the file" if share else ""),
    )


def moment(value: float) -> str:
    """A time in words, where it is one."""
    seconds = value / 1e3 if SECONDS[0] * 1e3 <= value < SECONDS[1] * 1e3 else value
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if SECONDS[0] <= seconds < SECONDS[1] else f"{value:g}"


def rated(rating: np.ndarray) -> tuple[Row, ...]:
    values = len(np.unique(rating))
    return (
        Row("range", f"{rating.min():g} to {rating.max():g}", f"{values:,} different values"),
        Row("mean", f"{rating.mean():.3g}"),
    )
