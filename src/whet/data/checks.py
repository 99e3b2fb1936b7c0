"""What is odd about a table, as findings: constant, missing, ID-like and leaking columns, duplicates.

A column that names its row is left out of training; the others are named only. A leak is judged on held-out rows, and only
where there are enough of them to tell an answer that slipped in from a problem that is easy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from whet.record import Finding
from whet.rng import generator

FEW = 20
"""Rows below which nothing is called ID-like."""
SAMPLE = 8000
"""Rows on which leaks are judged."""
LEAK = 0.999
"""Held-out accuracy, or R², of a single column from which on it is suspected to hold the answer."""
MOSTLY_MISSING = 0.5
ID_NAME = re.compile(
    r"(^|[_\s.-])(id|idx|index|uuid|guid|key|nr|no|number|rownames?|rowid|row|serial|unnamed.*)$", re.I
)
CAMEL_ID = re.compile(r"[a-z](Id|ID|Uuid|Key|Nr|No)$")
TIME_NAME = re.compile(r"(time|date|year|month|week|day|hour|minute|second|epoch|step|^t$|age|period|quarter)", re.I)
WORDS = 4.0
"""Mean number of words from which on a text column with hardly a value repeated is free text."""


def clean_columns(x: pl.DataFrame, unnamed: bool) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """(the table without ID-like and free text columns, a finding each).

    `unnamed`: the columns come from an array, so that their names say nothing. The last column is never left out.
    """
    findings = []
    for series in x:
        why, name = "" if unnamed and series.dtype != pl.String else id_like(series), "id-column"
        if not why:
            why, name = free_text(series), "free-text"
        if why:
            findings.append(
                Finding(
                    name,
                    f"Column {series.name!r} {why}; it is left out of training.",
                    where=series.name,
                    evidence={"distinct": series.n_unique(), "rows": x.height},
                    severity="info",
                )
            )
    gone = [f.where for f in findings]
    if len(gone) == x.width:
        texts = [f for f in findings if f.name == "free-text"]
        if texts:
            return x.drop(gone), tuple(findings)
        findings, gone = findings[:-1], gone[:-1]
    return x.drop(gone), tuple(findings)


def id_like(series: pl.Series) -> str:
    """Why the column names its rows rather than describing them; "" if it doesn't."""
    n = series.len()
    if n < FEW or series.null_count():
        return ""
    named = bool(ID_NAME.search(series.name) or CAMEL_ID.search(series.name))
    if series.dtype == pl.Int64:
        if (TIME_NAME.search(series.name) and not named) or series.n_unique() < n:
            return ""
        if int(series.max()) - int(series.min()) == n - 1:  # type: ignore[arg-type]
            return "numbers the rows"
        return "holds a different number in each row and is named like an identifier" if named else ""
    if series.dtype == pl.String and not _is_sentence(series):
        distinct = series.n_unique()
        if distinct == n or (distinct > 0.98 * n and n >= 100) or (named and distinct > 0.9 * n):
            return "holds a different text in (nearly) each row, like an identifier"
    return ""


def free_text(series: pl.Series) -> str:
    """Why a column is running text, from which a network for tables can't learn; "" if it isn't."""
    if series.dtype != pl.String or series.len() < FEW or not _is_sentence(series):
        return ""
    filled = series.drop_nulls()
    return "holds free text" if filled.n_unique() > 0.5 * filled.len() else ""


def _is_sentence(series: pl.Series) -> bool:
    sample = series.drop_nulls().head(1000)
    if not sample.len():
        return False
    return float(sample.str.count_matches(r"\S+").mean()) >= WORDS  # type: ignore[arg-type]


def check_table(x: pl.DataFrame, y: np.ndarray, goal: str, classes: Sequence[str]) -> tuple[Finding, ...]:
    """Findings about the columns and the target: constant, missing and leaking columns, imbalance."""
    return (
        *constant_columns(x),
        *missing_columns(x),
        *leaking_columns(x, y, goal),
        *rare_classes(y, goal, classes),
    )


def constant_columns(x: pl.DataFrame) -> list[Finding]:
    """A finding for each column with at most one value, missing ones apart."""
    found = []
    for series in x:
        filled = series.drop_nulls()
        if filled.len() and (series.null_count() or filled.n_unique() > 1):
            continue
        cause = f"holds nothing but {filled[0]!r}" if filled.len() else "has no value at all"
        found.append(
            Finding(
                "constant-column",
                f"Column {series.name!r} {cause}; nothing can be learned from it.",
                where=series.name,
                evidence={"distinct": int(filled.len() > 0)},
                severity="info",
            )
        )
    return found


def missing_columns(x: pl.DataFrame) -> list[Finding]:
    """A finding for each column that is mostly missing, and one for all the others with gaps."""
    shares = {s.name: s.null_count() / max(1, s.len()) for s in x if 0 < s.null_count() < s.len()}
    found = [
        Finding(
            "missing",
            f"Column {name!r} is missing in {share:.0%} of the rows.",
            where=name,
            evidence={"share": share, "threshold": MOSTLY_MISSING},
            advice="Gaps are filled with the median and flagged; check that the column is worth keeping.",
        )
        for name, share in shares.items()
        if share > MOSTLY_MISSING
    ]
    some = {name: share for name, share in shares.items() if share <= MOSTLY_MISSING}
    if some:
        worst = sorted(some, key=lambda name: -some[name])[:5]
        shown = ", ".join(f"{name} {some[name]:.1%}" for name in worst)
        found.append(
            Finding(
                "missing",
                f"Missing values in {len(some)} column{'s' * (len(some) > 1)} ({shown}{', …' if len(some) > 5 else ''}).",
                evidence={"share": some},
                severity="info",
                advice="Gaps in numbers are filled with the median and flagged; gaps in texts are a category.",
            )
        )
    return found


def leaking_columns(x: pl.DataFrame, y: np.ndarray, goal: str) -> list[Finding]:
    """A finding for each column that alone gives the target away on held-out rows."""
    n = len(y)
    if n < FEW:
        return []
    rows = generator(0, "leaks").permutation(n)[:SAMPLE]
    fit, held = rows[::2], rows[1::2]
    found = []
    for series in x:
        codes = _codes(series)
        if codes is None:
            continue
        if goal == "classify":
            found += _class_leak(series.name, codes, y.astype(np.int64), fit, held)
        else:
            found += _value_leak(series.name, codes, y, fit, held)
    return found


def _codes(series: pl.Series) -> np.ndarray | None:
    """(n,) float64 values whose order means something for numbers and nothing for texts; None if they don't vary."""
    if series.dtype == pl.String:
        codes = series.fill_null("\0").rank("dense").cast(pl.Float64).to_numpy()
    else:
        number = series.cast(pl.Int64).cast(pl.Float64) if series.dtype == pl.Datetime else series.cast(pl.Float64)
        low = number.min()
        codes = number.fill_null(0.0 if low is None else float(low) - 1).to_numpy()  # type: ignore[arg-type]
    return codes if codes.size and codes.min() < codes.max() else None


def _nearest(codes: np.ndarray, fit: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """(group of each fitted row, group of each held row, groups): rows of one value share a group; a held row joins the
    group with the nearest value."""
    values, group = np.unique(codes[fit], return_inverse=True)
    right = np.clip(np.searchsorted(values, codes[held]), 1, max(1, values.size - 1))
    left = right - 1
    right = np.minimum(right, values.size - 1)
    closer = np.where(np.abs(values[right] - codes[held]) < np.abs(codes[held] - values[left]), right, left)
    return group.ravel(), closer, values.size


def _class_leak(name: str, codes: np.ndarray, y: np.ndarray, fit: np.ndarray, held: np.ndarray) -> list[Finding]:
    group, nearest_group, groups = _nearest(codes, fit, held)
    classes = int(y.max()) + 1
    table = np.bincount(group * classes + y[fit], minlength=groups * classes).reshape(groups, classes)
    accuracy = float((table.argmax(1)[nearest_group] == y[held]).mean())
    majority = float(np.bincount(y[held]).max() / len(held))
    # A copy: as many values as classes, one for one. Otherwise even no mistake at all must be out of reach of luck on an
    # easy problem: the lower end of the 95 % interval of the accuracy (rule of three) has to be near 1 as well.
    present = int((table.sum(0) > 0).sum())
    copy = groups == present and accuracy == 1.0 and len(held) >= 10
    sure = accuracy >= LEAK and 3 / len(held) < 0.01
    if not (copy or sure) or majority > 1 - 2 * (1 - LEAK) - 0.03:
        return []
    return [
        _leak(name, f"predicts the target alone: accuracy {accuracy:.4f}", {"accuracy": accuracy}, majority, len(held))
    ]


def _value_leak(name: str, codes: np.ndarray, y: np.ndarray, fit: np.ndarray, held: np.ndarray) -> list[Finding]:
    group, nearest_group, groups = _nearest(codes, fit, held)
    if groups < 5:
        return []
    means = np.bincount(group, weights=y[fit], minlength=groups) / np.bincount(group, minlength=groups)
    spread = float(np.var(y[held]))
    r2 = 1 - float(np.mean((means[nearest_group] - y[held]) ** 2)) / spread if spread > 0 else 0.0
    order = abs(_rank_correlation(codes[held], y[held]))
    # A monotone transform of the target keeps its order, however crooked it is.
    if max(r2, order if len(held) >= 50 else 0.0) < LEAK or groups < 0.2 * np.unique(y[fit]).size:
        return []
    return [
        _leak(name, f"predicts the target alone: R² {r2:.4f}", {"r2": r2, "rank_correlation": order}, 0.0, len(held))
    ]


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation."""
    ranks = [pl.Series(v).rank().to_numpy() for v in (a, b)]
    if min(np.std(r) for r in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _leak(name: str, what: str, evidence: Mapping[str, float], chance: float, rows: int) -> Finding:
    return Finding(
        "leak",
        f"Column {name!r} {what} on {rows:,} held-out rows; it probably holds the answer.",
        where=name,
        evidence={**evidence, "threshold": LEAK, "without": chance, "rows": rows},
        severity="error",
        advice="Remove it if it isn't known when a prediction is needed.",
    )


def row_keys(x: pl.DataFrame) -> np.ndarray:
    """(n,) uint64: equal rows have equal keys."""
    return x.hash_rows(seed=7).to_numpy()


def duplicate_rows(x: pl.DataFrame, y: np.ndarray, goal: str) -> list[Finding]:
    """Findings about repeated rows, and about rows that are equal but for their target."""
    n = x.height
    if n < FEW:
        return []
    frame = pl.DataFrame({"key": row_keys(x), "y": y})
    groups = frame.group_by("key").agg(pl.len().alias("n"), pl.col("y").n_unique().alias("targets"))
    exact = n - frame.n_unique()
    torn = int(groups.filter(pl.col("targets") > 1).get_column("n").sum())
    found = []
    if exact:
        found.append(
            Finding(
                "duplicates",
                f"Rows that repeat another one, target included: {exact:,} of {n:,}.",
                evidence={"rows": exact, "share": exact / n},
                severity="warning" if exact > 0.05 * n else "info",
                advice="Rows that are in several parts of a split make its score too good.",
            )
        )
    if torn > 0.01 * n and goal == "classify":
        found.append(
            Finding(
                "contradicting-labels",
                f"Rows that equal another one but for the target: {torn:,} of {n:,}.",
                evidence={"rows": torn, "share": torn / n, "threshold": 0.01},
                severity="info",
                advice="No model can get all of them right.",
            )
        )
    return found


def rare_classes(y: np.ndarray, goal: str, classes: Sequence[str]) -> list[Finding]:
    """A finding if the rarest class is far below its even share."""
    if goal != "classify":
        return []
    counts = np.bincount(y.astype(np.int64), minlength=len(classes))
    rarest, share = int(counts.argmin()), float(counts.min() / counts.sum())
    if share >= 0.2 / len(classes):
        return []
    return [
        Finding(
            "class-imbalance",
            f"Class {classes[rarest]!r} has {counts[rarest]:,} of {counts.sum():,} rows ({share:.1%}).",
            where=classes[rarest],
            evidence={"share": share, "threshold": 0.2 / len(classes)},
            severity="info",
            advice="Look at its own recall, not only at accuracy.",
        )
    ]


def unseen_classes(y: np.ndarray, classes: Sequence[str], official: Mapping[str, np.ndarray]) -> list[Finding]:
    """A finding if the source's own training part lacks classes that its other parts have."""
    if "train" not in official or not classes:
        return []
    known = np.bincount(y[official["train"]], minlength=len(classes)) > 0
    missed = [classes[i] for i in np.flatnonzero(~known).tolist()]
    if not missed:
        return []
    rows = int((~known[y]).sum())
    return [
        Finding(
            "unseen-class",
            f"The training part has no row of class {', '.join(map(repr, missed[:5]))}{', …' * (len(missed) > 5)}.",
            where=missed[0],
            evidence={"classes": len(missed), "rows": rows},
            advice=f"It can't be learned: all {rows:,} rows of it will be wrong.",
        )
    ]
