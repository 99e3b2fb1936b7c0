"""A table of interactions as `Data`: who had what, when, and what it was worth to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from whet.data.core import Data, Inputs, Problem, Roles
from whet.data.raw import RawTable, counted
from whet.data.table_kinds import tidy
from whet.data.table_sources import PART_NAMES, name_of, raw_table
from whet.errors import DataError, did_you_mean, nearest
from whet.fields.recommend.features import Asked, asked_for, encode, names_in
from whet.fields.recommend.packing import pack_floats
from whet.fields.recommend.splitting import TEMPORAL, by_time

DOMAIN = "ratings"
TASKS = {
    "rank": "rank",
    "ranking": "rank",
    "rate": "regress",
    "rating": "regress",
    "ratings": "regress",
    "recommend": "",
    "recommendation": "",
}
"""What a user may call the task -> the goal; empty: it follows from the columns."""
USUAL = {
    "user": ("user", "userid", "uid", "customer", "customerid", "reviewerid", "visitorid", "member", "memberid"),
    "item": (
        *("item", "itemid", "movie", "movieid", "product", "productid", "asin", "book", "bookid", "isbn", "track"),
        *("trackid", "song", "songid", "artist", "artistid", "article", "articleid", "business", "businessid", "sku"),
    ),
    "rating": ("rating", "ratings", "score", "stars", "overall", "bookrating"),
    "time": ("timestamp", "time", "date", "datetime", "unixreviewtime", "eventtime", "ts"),
}
"""Names by which the columns are recognised, in lower case, without spaces and underscores."""
UNREADABLE = 0.5
"""Above this share of unreadable time stamps or ratings the column is refused."""


@dataclass(frozen=True)
class Columns:
    """Which column is which; None: there is none."""

    user: str
    item: str
    rating: str | None
    time: str | None


def plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def find(frame: pl.DataFrame, roles: Roles, where: str) -> tuple[Columns, tuple[str, ...]]:
    """The columns that were named, or that have a usual name; and what is to be said of the latter. Raises DataError."""
    said: list[str] = []
    found: dict[str, Any] = {}
    for role in ("user", "item", "rating", "time"):
        asked = getattr(roles, role)
        if asked is not None and asked not in frame.columns:
            step = did_you_mean(nearest(asked, frame.columns), frame.columns)
            raise DataError(f"{where} has no column {asked!r} for --{role}.", step)
        found[role] = asked or usual(role, frame.columns, [c for c in found.values() if c])
        if found[role] and asked is None:
            said.append(f"--{role} {found[role]}")
    for role in ("user", "item"):
        if not found[role]:
            seen = ", ".join(map(repr, frame.columns[:8]))
            raise DataError(
                f"{where} has no column of {role}s that can be recognised: {seen}.", f"Name it with --{role}."
            )
    taken = [c for c in found.values() if c]
    if len(set(taken)) < len(taken):
        raise DataError(f"One column of {where} was named twice: {', '.join(taken)}.", "Name four different columns.")
    return Columns(**found), (f"Recognised by their names: {', '.join(said)}.",) if said else ()


def usual(role: str, columns: Sequence[str], taken: Sequence[str]) -> str | None:
    """The first free column with one of the role's usual names, in the order of those names."""
    by_name = {plain(c): c for c in reversed(columns) if c not in taken}
    return next((by_name[name] for name in USUAL[role] if name in by_name), None)


def load(source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles) -> Data:
    """Interactions as `Data`: `x` with the columns user, item (codes) and time, rows by user and then by time."""
    if holdout is not None and split is not None:
        raise DataError("Both a holdout and a split were given.", "Give one of --holdout and --split.")
    tables = [raw_table(source)] + ([raw_table(holdout)] if holdout is not None else [])
    roles = roles if target is None else Roles(**{**roles.given(), "rating": roles.rating or target})
    columns, said = find(tables[0].frame, roles, tables[0].name)
    goal, why = goal_of(task, columns)
    temporal = split == TEMPORAL and TEMPORAL not in tables[0].frame.columns
    named = None if split is None or temporal else str(split)
    taken = [c for c in (*vars(columns).values(), named) if c]
    about = {role: asked_for(roles, role, tables, getattr(columns, role), taken) for role in ("user", "item")}
    parts = [read(t, columns, named, goal, "test" * i) for i, t in enumerate(tables)]
    frame = pl.concat([p.frame for p in parts])
    frame, more = without_repeats(frame)
    if temporal:
        frame = frame.with_columns(part=by_time(frame["time"], columns.time))
    data = coded(frame, goal, columns, name_of(source), about)
    more = (*more, *(alone(frame) if goal == "rank" and not data["official"] else ()), *described(data, about))
    more = (*more, *(line for role in ("user", "item") for line in alike(frame[role], role)))
    return Data(
        **data,
        name=name_of(source),
        problems=tuple(problem for p in parts for problem in p.problems),
        said=(*said, *why, *(s for p in parts for s in p.said), *more),
    )


def goal_of(task: str | None, columns: Columns) -> tuple[str, tuple[str, ...]]:
    """The goal, and what is to be said of it. Raises DataError for a task of another field."""
    if task is not None and task not in TASKS:
        raise DataError(f"--task {task} is nothing to do with users and items.", "Use --task rank or --task rate.")
    goal = TASKS[task or "recommend"]
    if goal == "regress" and columns.rating is None:
        raise DataError("To predict ratings there has to be a column of them.", "Name it with --rating.")
    if goal:
        return goal, ()
    asked = "; --task rate predicts the ratings instead" if columns.rating else ""
    return "rank", (f"The task is to rank what a user has not had yet{asked}.",)


@dataclass(frozen=True)
class Part:
    """The sound rows of one table."""

    frame: pl.DataFrame
    """user, item: text; time, rating: float; part: text, empty for none."""
    problems: tuple[Problem, ...]
    said: tuple[str, ...]


def read(raw: RawTable, columns: Columns, split: str | None, goal: str, part: str) -> Part:
    """The table's sound rows; those without a user, an item, or a needed rating or time are problems."""
    for name in (columns.user, columns.item, columns.rating, columns.time, split):
        if name is not None and name not in raw.frame.columns:
            step = did_you_mean(nearest(name, raw.frame.columns), raw.frame.columns)
            raise DataError(f"{raw.name} has no column {name!r}.", step)
    frame = pl.DataFrame(
        {
            "user": names_in(raw.frame[columns.user]),
            "item": names_in(raw.frame[columns.item]),
            "rating": numbers_in(raw, columns.rating, "rating"),
            "time": numbers_in(raw, columns.time, "time"),
            "part": parts_in(raw.frame[split]) if split else pl.Series([part] * raw.frame.height, dtype=pl.String),
        }
    )
    wanted = {"user": columns.user, "item": columns.item, "time": columns.time}
    wanted |= {"rating": columns.rating} if goal == "regress" else {}
    missing = {name: frame[name].is_null().to_numpy() for name, column in wanted.items() if column}
    bad = np.any(list(missing.values()), axis=0)
    if bad.all():
        raise DataError(f"{raw.name} has no row with {' and '.join(missing)}.", "Check the columns.")
    rows = np.flatnonzero(bad)
    problems = [
        Problem(f"{raw.name} {raw.unit} {raw.places[i]}", f"no {next(k for k, v in missing.items() if v[i])}")
        for i in rows[:1000]
    ]
    note = f"{counted(len(rows), 'row')} without {' or '.join(k for k, v in missing.items() if v.any())} left out."
    return Part(frame.filter(pl.Series(~bad)), (*raw.problems, *problems), (*raw.said, *([note] if len(rows) else [])))


def numbers_in(raw: RawTable, name: str | None, role: str) -> pl.Series:
    """Ratings, or time stamps in seconds or in their own unit. Raises DataError where most can't be read."""
    if name is None:
        return pl.Series([None] * raw.frame.height, dtype=pl.Float64)
    found = tidy(raw.frame.select(name), decimal_comma=raw.decimal_comma)
    kind = found.kinds[name].name if name in found.kinds else "nested"
    column = found.frame[name] if name in found.frame.columns else pl.Series([None] * raw.frame.height)
    if kind == "date" and role == "time":
        column = column.dt.epoch("us") / 1e6
    elif kind != "number" or column.null_count() > UNREADABLE * len(column):
        seen = ", ".join(repr(v) for v in raw.frame[name].drop_nulls().unique(maintain_order=True).head(3).to_list())
        what = "no ratings" if role == "rating" else "no times"
        said = f"Column {name!r} of {raw.name} holds {what}: {seen or 'all are missing'}."
        raise DataError(said, f"Name another with --{role}.")
    return column.cast(pl.Float64)


def parts_in(column: pl.Series) -> pl.Series:
    """train, val or test for each row. Raises DataError for another word."""
    by_name = {name: part for part, names in PART_NAMES.items() for name in names}
    words = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    strange = [w for w in words.unique(maintain_order=True).to_list() if w not in by_name]
    if strange:
        raise DataError(
            f"Column {column.name!r} holds {strange[0]!r}.", "It has to say train, val or test in each row."
        )
    return words.replace_strict(by_name, return_dtype=pl.String)


def without_repeats(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Rows by user and then by time, each pair of user and item once: its newest row stays. Ties keep the file's order."""
    first = frame["user"].unique(maintain_order=True)
    place = pl.DataFrame({"user": first, "at": np.arange(len(first))})
    ordered = frame.with_row_index("row").join(place, on="user").sort("at", "time", "row")
    once = ordered.unique(["user", "item"], keep="last", maintain_order=True)
    repeats = frame.height - once.height
    said = (f"{counted(repeats, 'repeated interaction')} of a user with the same item: the newest of each stays.",)
    return once.select(frame.columns), said if repeats else ()


def alone(frame: pl.DataFrame) -> tuple[str, ...]:
    """What is to be said of users with one interaction."""
    once = int((frame.group_by("user").len()["len"] == 1).sum())
    return (
        (f"{counted(once, 'user')} with one interaction: trained on; the newest of the others is tested.",)
        if once
        else ()
    )


def alike(column: pl.Series, role: str) -> Iterator[str]:
    """What is to be said of names that differ in nothing but case or spaces: two of what may be one."""
    names = pl.DataFrame({"name": column.unique(maintain_order=True)})
    plain_name = pl.col("name").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    groups = (
        names.group_by(plain_name.alias("plain"), maintain_order=True).agg("name").filter(pl.col("name").list.len() > 1)
    )
    if groups.height:
        first = " and ".join(map(repr, groups["name"][0].to_list()[:2]))
        yield (
            f"{counted(groups.height, role)} written in several ways that differ in nothing but case or spaces ({first}): "
            "each way counts as one of its own."
        )


def described(data: dict[str, Any], about: Mapping[str, Asked | None]) -> Iterator[str]:
    """Puts what describes users and items into the data's origin and fingerprint; what is to be said of it."""
    for role, asked in about.items():
        if asked is not None:
            features, said = encode(role, asked, data["origin"][f"{role}s"])
            table = pack_floats(features.table)
            data["origin"][f"{role}_features"] = {"names": list(features.names), "table": table}
            data["fingerprint"] = hashlib.sha256(f"{data['fingerprint']} {role} {table}".encode()).hexdigest()
            yield from said


def all_names(frame: pl.DataFrame, role: str, asked: Asked | None) -> tuple[str, ...]:
    """Users or items: those with interactions, and behind them those that only a table of their own knows."""
    seen = frame[role].unique(maintain_order=True).to_list()
    if asked is None or not asked.own_table:
        return tuple(seen)
    if asked.frame["key"].is_in(seen).sum() == 0:
        raise DataError(
            f"None of the {role}s that --{role}-features describes is in the interactions.",
            f"They name {seen[0]!r}, the table {asked.frame['key'][0]!r}: give the table of these {role}s.",
        )
    return tuple(dict.fromkeys([*seen, *asked.frame["key"].to_list()]))


def coded(
    frame: pl.DataFrame, goal: str, columns: Columns, name: str, about: Mapping[str, Asked | None]
) -> dict[str, Any]:
    """What a `Data` says of the interactions. Raises DataError for what nothing can be learned from."""
    users, items = (all_names(frame, role, about[role]) for role in ("user", "item"))
    had = {role: frame[role].n_unique() for role in ("user", "item")}
    if min(had.values()) < 2:
        raise DataError(
            f"{name} has {counted(had['user'], 'user')} and {counted(had['item'], 'item')}.",
            "There have to be two of each to learn from.",
        )
    if goal == "regress" and frame["rating"].n_unique() < 2:
        raise DataError(
            f"All ratings in {name} are {frame['rating'][0]:g}: there is nothing to predict.",
            "Rank what users have not had yet with --task rank.",
        )
    if goal == "rank" and frame.height == had["user"]:
        raise DataError(
            f"Each of the {had['user']:,} users in {name} has one interaction: none can be held out.",
            "Give users with two or more, or predict ratings with --task rate.",
        )
    x = frame.select(
        code_of(frame["user"], users).alias("user"), code_of(frame["item"], items).alias("item"), "time", "rating"
    )
    parts = frame["part"].to_numpy()
    official = {p: np.flatnonzero(parts == p) for p in ("train", "val", "test") if (parts == p).any()}
    y = x["item"].to_numpy() if goal == "rank" else x["rating"].to_numpy()
    return {
        "domain": DOMAIN,
        "x": x,
        "y": y.copy(),
        "goal": goal,
        "classes": items if goal == "rank" else (),
        "target": columns.item if goal == "rank" else str(columns.rating),
        "official": official,
        "fingerprint": hashlib.sha256(
            repr((goal, columns)).encode() + frame.hash_rows(seed=0).to_numpy().tobytes()
        ).hexdigest(),
        "origin": {"columns": vars(columns), "users": users, "items": items, "timed": columns.time is not None},
    }


def code_of(column: pl.Series, names: Sequence[str]) -> pl.Series:
    """Each name's place in the list; -1 for one that is not in it."""
    codes = pl.Series(range(len(names)), dtype=pl.Int64)
    found = column.replace_strict(pl.Series(names, dtype=pl.String), codes, default=-1, return_dtype=pl.Int64)
    return found.fill_null(-1)


def load_inputs(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """Users to recommend to, or pairs of user and item to score. Unknown ones are counted and said.

    For ratings, pairs are needed. `x` has the columns user and item (-1: unknown; item -2: not asked).
    """
    raw = raw_table([*source] if isinstance(source, set) else source)
    columns, rank = spec["columns"], spec["goal"] == "rank"
    user, item = (column_of(raw, columns[role], role) for role in ("user", "item"))
    if user is None or (item is None and not rank):
        role, needed = ("user", columns["user"]) if user is None else ("item", columns["item"])
        step = did_you_mean(nearest(needed, raw.frame.columns), raw.frame.columns)
        raise DataError(f"{raw.name} has no column {needed!r} of {role}s.", step)
    users = names_in(raw.frame[user])
    items = names_in(raw.frame[item]) if item is not None else None
    gone = users.is_null() | (items.is_null() if items is not None else False)
    problems = [
        Problem(f"{raw.name} {raw.unit} {raw.places[i]}", "no user or item") for i in np.flatnonzero(gone)[:1000]
    ]
    users, items = users.filter(~gone), None if items is None else items.filter(~gone)
    if items is None:
        users = users.unique(maintain_order=True)
    x = pl.DataFrame({"user": code_of(users, spec["users"])})
    x = x.with_columns(pl.lit(-2).alias("item") if items is None else code_of(items, spec["items"]).alias("item"))
    if not x.height:
        raise DataError(f"{raw.name} names no user.", "Give a table with a row per user.")
    cold = {"user": int((x["user"] == -1).sum()), "item": int((x["item"] == -1).sum())}
    said = [
        f"{counted(n, 'row')} with {role}s that the training did not know: {COLD[role, rank]}."
        for role, n in cold.items()
        if n
    ]
    ids = users.to_list() if items is None else [f"{u} {i}" for u, i in zip(users, items, strict=True)]
    y = None
    if not rank and columns["rating"] in raw.frame.columns:
        y = numbers_in(raw, columns["rating"], "rating").filter(~gone).to_numpy()
        y = None if np.isnan(y.astype(float)).any() else y
    return Inputs(x=x, ids=ids, y=y, problems=(*raw.problems, *problems), said=tuple(said))


COLD = {
    ("user", True): "they are answered with what is popular",
    ("item", True): "they score 0",
    ("user", False): "they are rated as the average user would",
    ("item", False): "they are rated as the average item",
}
"""(role, whether it is to rank) -> what is said of what the training did not know."""


def column_of(raw: RawTable, name: str, role: str) -> str | None:
    """The training data's column, or one with a usual name; None if there is none."""
    return name if name in raw.frame.columns else usual(role, raw.frame.columns, [])


def is_mine(source: Any, task: str | None, roles: Roles) -> bool:
    """Whether users and items were named, or the task says so."""
    return task in TASKS or roles.user is not None or roles.item is not None
