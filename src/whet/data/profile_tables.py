"""What a table looks like, and what that suggests. Values are measured on training rows only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from whet.data.core import PARTS, Data, Profile, Row, Section
from whet.data.raw import counted
from whet.data.splits import duplicates, row_groups
from whet.data.table_kinds import in_days
from whet.data.transforms import TableTransform
from whet.errors import DataError
from whet.record import Finding
from whet.rng import generator

SAMPLE = 20_000
"""Training rows whose values are measured."""
NEIGHBOURS = 3_000
"""Training rows among which nearest neighbours are looked for."""
SHOWN = 20
"""Columns that are listed one by one: the oddest first."""
SKEWED = 2.0
HEAVY = 10.0
"""Excess kurtosis from which on tails are heavy; 0 for a normal distribution."""
MOSTLY_ZERO = 0.5
MANY_CATEGORIES = 50
ALIKE = 0.99
"""Correlation from which on two columns say the same."""
PAIRED = 300
"""Columns up to which all pairs are compared."""
CAPPED = 0.01
"""Share of rows at the target's largest or smallest value that looks like a cap."""
UNBALANCED = 3.0


def profile(data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
    """The profile of a table with this split."""
    assert isinstance(data.x, pl.DataFrame)
    train = parts["train"]
    sample = train[:: max(1, -(-len(train) // SAMPLE))]
    x, y = data.x[sample], data.y[sample]
    sections = [
        Section("Table", _table(data)),
        _target(data, y),
        Section("Parts", _parts(parts, data)),
    ]
    for title, rows in (("Numbers", _numbers(x)), ("Categories", _categories(x)), ("Dates", _dates(x))):
        if rows:
            sections.append(Section(f"{title} (training part)", rows))
    copies, found = _copies(data, parts)
    alike, alike_found = _alike(x)
    sections += [copies, Section("Structure", (*alike, *_noise(x, y, data)))]
    return Profile(data.name, tuple(sections), (*data.findings, *found, *alike_found))


# -- the whole -----------------------------------------------------------------------------------------------------


def _table(data: Data) -> tuple[Row, ...]:
    x = data.x
    assert isinstance(x, pl.DataFrame)
    n, width = x.shape
    kinds = [c["kind"] for c in data.origin.get("columns", ())]
    found = ", ".join(f"{kinds.count(k)} {k}" for k in ("number", "boolean", "date", "text") if kinds.count(k))
    missing = sum(s.null_count() for s in x) / max(1, n * width)
    numbers = [s for s in x if s.dtype.is_numeric()]
    zeros = float(np.mean([(s == 0).sum() / n for s in numbers])) if numbers else 0.0
    corrupt = f"{len(data.problems):,}"
    if data.problems:
        corrupt += f" (such as {data.problems[0].where}: {data.problems[0].why})"
    rows = [
        Row("rows", f"{n:,}", _about_number(n)),
        Row("columns", f"{width} ({found})" if found else f"{width}", _about_width(n, width)),
        Row("missing", f"{missing:.1%} of all values", "gaps are filled and flagged" if missing else ""),
        Row("zeros", f"{zeros:.0%} of all numbers", "sparse: scale by range, not by spread" if zeros > 0.5 else ""),
        Row("corrupt rows", corrupt, "they are skipped; repair or remove them" if data.problems else ""),
    ]
    left_out = [f.where for f in data.findings if f.name in ("id-column", "free-text")]
    if left_out:
        rows.append(Row("left out", ", ".join(left_out), "they name rows, or are running text"))
    return tuple(rows)


def _about_number(n: int) -> str:
    if n < 1000:
        return "few: several members or seeds, strong regularisation, simple models beside it"
    return "boosted trees are a strong yardstick" if n < 50_000 else "enough for a wide network"


def _about_width(n: int, width: int) -> str:
    return "more columns than rows allow: regularise" if width > n / 10 else ""


def _parts(parts: Mapping[str, np.ndarray], data: Data) -> tuple[Row, ...]:
    return tuple(
        Row(part, f"{len(parts[part]):,}", "the source's own" if part in data.official else "drawn, stratified")
        for part in PARTS
        if part in parts
    )


# -- the target ----------------------------------------------------------------------------------------------------


def _target(data: Data, y: np.ndarray) -> Section:
    if data.goal == "regress":
        return Section(f"Target {data.target!r} (training part)", _values(y))
    counts = np.bincount(y, minlength=len(data.classes))
    order = np.argsort(-counts, kind="stable")
    ratio = counts.max() / max(1, counts.min())
    advice = "accuracy alone misleads: look at AUC and recall" if ratio >= UNBALANCED else ""
    rows = [
        Row("classes", f"{len(counts):,}"),
        Row("largest against smallest", f"{ratio:.1f}", advice),
        Row("always the largest", f"{counts.max() / max(1, counts.sum()):.1%}", "the accuracy to beat"),
        *(Row(data.classes[i], f"{counts[i] / max(1, counts.sum()):.1%}") for i in order[:SHOWN]),
    ]
    if len(order) > SHOWN:
        rows.append(Row(f"{len(order) - SHOWN:,} more", f"{counts[order[SHOWN:]].sum() / counts.sum():.1%} together"))
    return Section(f"Target {data.target!r} (training part)", tuple(rows))


def _values(y: np.ndarray) -> tuple[Row, ...]:
    quarter, median, three_quarters = np.quantile(y, [0.25, 0.5, 0.75])
    fence = 3 * (three_quarters - quarter)
    far = float(((y < quarter - fence) | (y > three_quarters + fence)).mean()) if fence > 0 else 0.0
    skew, kurtosis = moments(y)
    log = "skewed and positive: try its logarithm" if skew > SKEWED and y.min() > 0 else ""
    rows = [
        Row("values", f"{y.min():g} to {y.max():g}, median {median:g}, standard deviation {y.std():g}"),
        Row(
            "distinct",
            f"{np.unique(y).size:,}",
            "few distinct values: --task classification may fit" * (np.unique(y).size <= 10),
        ),
        Row("skew, kurtosis", f"{skew:.1f}, {kurtosis:.1f}", log),
        Row("far out", f"{far:.1%}", "outliers: try the Huber loss" if far > 0.005 else ""),
    ]
    for name, end in (("lowest", y.min()), ("highest", y.max())):
        share = float((y == end).mean())
        if share > CAPPED and np.unique(y).size > 50:
            rows.append(
                Row(f"at the {name} value", f"{share:.1%}", f"capped at {end:g}? such rows can't be told apart")
            )
    return tuple(rows)


def moments(values: np.ndarray) -> tuple[float, float]:
    """(skew, excess kurtosis); (0, 0) for constants."""
    with np.errstate(over="ignore"):  # of values near the end of floats, the square is infinite
        spread = values.std()
    if not np.isfinite(spread) or spread == 0:
        return 0.0, 0.0
    z = (values - values.mean()) / spread
    return float((z**3).mean()), float((z**4).mean() - 3)


# -- the columns ---------------------------------------------------------------------------------------------------


def _numbers(x: pl.DataFrame) -> tuple[Row, ...]:
    rows: list[tuple[float, Row]] = []
    for series in x:
        if not series.dtype.is_numeric():
            continue
        values = series.drop_nulls().cast(pl.Float64).to_numpy()
        if values.size:
            rows.append(_number(series.name, values, series.null_count() / series.len()))
    rows.sort(key=lambda pair: -pair[0])
    return _listed([row for _, row in rows], "columns of numbers")


def _number(name: str, values: np.ndarray, missing: float) -> tuple[float, Row]:
    """(how odd the column is, its row)."""
    skew, kurtosis = moments(values)
    zeros = float((values == 0).mean())
    shown = f"{values.min():g} to {values.max():g}, skew {skew:.1f}, kurtosis {kurtosis:.1f}"
    shown += f", zeros {zeros:.0%}" * (zeros > 0.2) + f", missing {missing:.1%}" * (missing > 0)
    advice = ""
    if values.min() == values.max():
        advice = "constant"
    elif zeros > MOSTLY_ZERO:
        advice = "mostly zero"
    elif kurtosis > HEAVY:
        advice = "heavy tails: clip smoothly, or quantile bins"
    elif abs(skew) > SKEWED:
        advice = "skewed: robust scale, quantile bins"
    return abs(kurtosis) + 10 * missing, Row(name, shown, advice)


def _categories(x: pl.DataFrame) -> tuple[Row, ...]:
    rows = []
    for series in x:
        if series.dtype not in (pl.String, pl.Boolean):
            continue
        counts = series.drop_nulls().value_counts(sort=True, name="n")
        if not counts.height:
            continue
        once = int((counts.get_column("n") == 1).sum())
        share = counts.item(0, "n") / max(1, series.len())
        shown = f"{counted(counts.height, 'value')}, most frequent {str(counts.item(0, 0))[:30]!r} {share:.0%}"
        gone = series.null_count() / series.len()
        shown += f", {once:,} of them once" * (once > 0) + f", missing {gone:.1%}" * (gone > 0)
        advice = "many values: embed them, rare ones together" if counts.height > MANY_CATEGORIES else ""
        rows.append((counts.height, Row(series.name, shown, "constant" if counts.height == 1 and not gone else advice)))
    rows.sort(key=lambda pair: -pair[0])
    return _listed([row for _, row in rows], "columns of categories")


def _dates(x: pl.DataFrame) -> tuple[Row, ...]:
    dates = [s for s in in_days(x) if s.dtype in (pl.Date, pl.Datetime) and s.null_count() < s.len()]
    advice = "is the future to be predicted? then split by time (--split)"
    return tuple(Row(s.name, " to ".join(str(v) for v in (s.min(), s.max())), advice) for s in dates)


def _listed(rows: Sequence[Row], what: str) -> tuple[Row, ...]:
    more = len(rows) - SHOWN
    return (*rows[:SHOWN], Row(f"{more:,} more {what}", "")) if more > 0 else tuple(rows)


# -- rows and columns that say the same ----------------------------------------------------------------------------


def _copies(data: Data, parts: Mapping[str, np.ndarray]) -> tuple[Section, list[Finding]]:
    groups = row_groups(data.x)
    train = parts["train"]
    within = len(train) - np.unique(groups[train]).size
    frame = pl.DataFrame({"group": groups[train], "y": data.y[train]})
    torn = frame.group_by("group").agg(pl.col("y").n_unique().alias("n"), pl.len().alias("rows"))
    contradicting = int(torn.filter(pl.col("n") > 1).get_column("rows").sum())
    seen = np.unique(groups[train])
    rows = [Row("rows of train that repeat another", f"{within:,}", "they count double" if within else "")]
    for part in ("val", "test"):
        if part in parts:
            n = int(np.isin(groups[parts[part]], seen).sum())
            rows.append(Row(f"{part} rows also in train", f"{n:,}", "the score may be too good" if n else ""))
    share = contradicting / max(1, len(train))
    advice = "no model can get all of them right" if contradicting else ""
    rows.append(Row("same values, other target", f"{contradicting:,} ({share:.1%})", advice))
    finding = duplicates(data, parts, groups)
    return Section("Copies", tuple(rows)), [finding] if finding else []


def _alike(x: pl.DataFrame) -> tuple[tuple[Row, ...], list[Finding]]:
    """Pairs of columns of numbers that say nearly the same."""
    names = [s.name for s in x if s.dtype.is_numeric()]
    if not 2 <= len(names) <= PAIRED:
        return (), []
    ranks = [
        x.get_column(n).cast(pl.Float64).fill_null(strategy="mean").fill_null(0.0).rank().to_numpy() for n in names
    ]
    keep = [i for i, r in enumerate(ranks) if r.std() > 0]
    if len(keep) < 2:
        return (), []
    close = np.abs(np.corrcoef(np.stack([ranks[i] for i in keep])))
    pairs = [(names[keep[i]], names[keep[j]], close[i, j]) for i, j in np.argwhere(np.triu(close > ALIKE, 1))]
    pairs.sort(key=lambda pair: -pair[2])
    rows = [Row(f"{a} and {b}", f"rank correlation {r:.4f}", "one of them is enough") for a, b, r in pairs[:5]]
    found = [
        Finding(
            "alike-columns",
            f"Columns {a!r} and {b!r} say nearly the same.",
            where=a,
            evidence={"rank_correlation": float(r), "threshold": ALIKE},
            severity="info",
            advice="One of them is enough.",
        )
        for a, b, r in pairs[:5]
    ]
    return tuple(rows), found


def _noise(x: pl.DataFrame, y: np.ndarray, data: Data) -> tuple[Row, ...]:
    """How well the nearest other row tells a row's target: little noise makes neighbours agree."""
    rows = generator(0, "noise").permutation(len(y))[:NEIGHBOURS]
    if len(rows) < 20:
        return ()
    try:
        transform = TableTransform.fit(x[rows], y[rows], data.goal)
    except DataError:
        return ()
    nearest = _nearest(_points(transform, x[rows]))
    y = y[rows]
    if data.goal == "classify":
        agree = float((y[nearest] == y).mean())
        majority = float(np.bincount(y).max() / len(y))
        advice = "neighbours hardly agree: noisy, or most columns don't matter" if agree < majority + 0.02 else ""
        return (Row("nearest row has the same class", f"{agree:.1%} (majority {majority:.1%})", advice),)
    half = float(np.sqrt(np.mean((y[nearest] - y) ** 2) / 2))
    share = half / max(float(y.std()), 1e-300)
    advice = "neighbours hardly agree: noisy, or most columns don't matter" if share > 0.9 else ""
    return (Row("noise, from nearest rows", f"at most about {half:.3g} ({share:.0%} of the target's spread)", advice),)


def _points(transform: TableTransform, x: pl.DataFrame) -> np.ndarray:
    """(n, d) float32: standardised numbers, and one-hot columns for short categories."""
    numeric, category = (t.numpy() for t in transform.apply(x))
    spread = numeric.std(0)
    blocks: list[Any] = [(numeric - numeric.mean(0)) / np.where(spread > 0, spread, 1)]
    for k, cardinality in enumerate(transform.cardinalities):
        if cardinality <= MANY_CATEGORIES:
            blocks.append(np.eye(cardinality, dtype=np.float32)[category[:, k]])
    return np.concatenate(blocks, 1).astype(np.float32)


def _nearest(points: np.ndarray) -> np.ndarray:
    """(n,) the index of each point's nearest other point."""
    squares = (points**2).sum(1)
    distance = squares[:, None] + squares[None] - 2 * points @ points.T
    np.fill_diagonal(distance, np.inf)
    return distance.argmin(1)
