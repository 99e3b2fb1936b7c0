"""What the result says of made rows: what they teach, how columns agree, and whether they give training rows away."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from whet.fields.base import Shown
from whet.fields.generate.making import draw
from whet.fields.generate.outcome import beside
from whet.fields.generate.wording import spelled
from whet.figures import Bars, Figure, Grid
from whet.tasks.generate import distances

MOST_TAUGHT = 5_000
"""Rows that a model is trained on, made or real: as many of one as of the other."""
CHECKED, LOOKED_UP = 1_000, 10_000
"""Rows whose nearest training row is looked for, among at most so many."""
SHOWN_ROWS, SHOWN_MADE = 10, 1_000
"""Rows that the report shows, of so many that columns are compared by."""
TAUGHT_SECONDS = (1.0, 4.0)
"""Of one processor: for whatever few rows, and for `MOST_TAUGHT`, beyond making them (8 columns, 5 classes)."""
SHOWN_COLUMNS = 24
RIDGE = 1.0
"""Of trees: without one a class of two rows took their accuracy from 0.96 to 0.72 (5,000 rows of california-housing)."""


def outcome(shown: Shown) -> dict[str, Any]:
    """Further entries of result.json."""
    made = made_rows(shown, min(MOST_TAUGHT, len(shown.parts["train"])))
    apart = column_distances(shown, made)
    found: dict[str, Any] = {"bounds": ["training_rows"], "column_distance": float(np.mean(list(apart.values())))}
    return found | {"column_distances": apart, "usefulness": usefulness(shown, made), "privacy": privacy(shown)}


def to_close(train: int, test: int) -> tuple[int, float]:
    """(rows that are made for all of this, seconds of one processor besides)."""
    rows, (always, whole) = min(MOST_TAUGHT, train), TAUGHT_SECONDS
    return rows + 2 * min(CHECKED, test) + SHOWN_MADE, always + whole * rows / MOST_TAUGHT


def made_rows(shown: Shown, n: int) -> pl.DataFrame:
    frame: pl.DataFrame = shown.network.transform.back(draw(shown.network, np.zeros(n, np.int64), shown.seed))
    return frame


def column_distances(shown: Shown, made: pl.DataFrame) -> dict[str, float]:
    """Kolmogorov-Smirnov for numbers, total variation for categories: 0 is the same, 1 has nothing in common."""
    real = shown.data.x[shown.parts["test"]]
    return {name: distance(real[name], made[name]) for name in real.columns}


def distance(a: pl.Series, b: pl.Series) -> float:
    if a.dtype in (pl.String, pl.Boolean):
        shares = [dict(s.cast(pl.String).value_counts().iter_rows()) for s in (a, b)]
        levels = {*shares[0], *shares[1]}
        return sum(abs(shares[0].get(v, 0) / len(a) - shares[1].get(v, 0) / len(b)) for v in levels) / 2
    from scipy.stats import ks_2samp

    values = [s.drop_nulls().cast(pl.Int64 if s.dtype.is_temporal() else pl.Float64).to_numpy() for s in (a, b)]
    return float(ks_2samp(*values).statistic) if all(len(v) for v in values) else 1.0


def usefulness(shown: Shown, made: pl.DataFrame) -> dict[str, Any]:
    """Train on made rows, test on real ones, beside the same with as many real rows (Esteban et al. 2017, section 5)."""
    data, target = shown.data, shown.data.target
    rows = shown.parts["train"]
    rows = rows[np.linspace(0, len(rows) - 1, made.height).astype(np.int64)]
    test = data.x[shown.parts["test"]]
    scored = {
        name: taught(frame, test, target, data.origin["goal"])
        for name, frame in (("made", made), ("real", data.x[rows]))
    }
    metric = "accuracy" if data.origin["goal"] == "classify" else "r2"
    return {
        "metric": metric,
        "target": target,
        "rows": made.height,
        **{f"trained_on_{k}": v for k, v in scored.items()},
    }


def taught(train: pl.DataFrame, test: pl.DataFrame, target: str, goal: str) -> float | None:
    """The score of gradient-boosted trees; None where the target has one value only, or no other column any."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    known = [s.name for s in train if s.name != target and s.null_count() < len(s)]
    if train[target].n_unique() < 2 or not known:
        return None
    x, again = coded(train[known], test[known])
    kind = HistGradientBoostingClassifier if goal == "classify" else HistGradientBoostingRegressor
    y, truth = (frame[target].to_numpy() for frame in (train, test))
    return float(kind(random_state=0, l2_regularization=RIDGE).fit(x, y).score(again, truth))


def coded(train: pl.DataFrame, test: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Both as numbers, categories by their place among the values of both, NaN for what is missing."""
    found = []
    both = pl.concat([train, test], how="vertical_relaxed")
    for series in both:
        if series.dtype in (pl.String, pl.Boolean):
            series = series.cast(pl.String).rank("dense")
        found.append(series.cast(pl.Float64).fill_null(np.nan).to_numpy())
    values = np.stack(found, 1)
    return values[: train.height], values[train.height :]


def privacy(shown: Shown) -> dict[str, float]:
    """Distance to the closest training row: of made rows beside that of test rows, which can't have been copied.

    In the numbers that the network sees. Private is what is no nearer to training rows than new rows are.
    """
    train = shown.prepared.inputs[0][shown.prepared.rows["train"]].numpy()
    train = train[:: -(-len(train) // LOOKED_UP) or 1]
    test = shown.predicted[:CHECKED, 1]
    made = draw(shown.network, np.zeros(len(test), np.int64), shown.seed + 1)
    near = {name: distances(rows, train).min(1) for name, rows in (("made", made), ("test", test))}
    found = {
        f"{name}_{q}": float(np.quantile(v, p))
        for name, v in near.items()
        for q, p in (("median", 0.5), ("5_percent", 0.05))
    }
    return found | {f"{name}_copies": float((v < 1e-6).mean()) for name, v in near.items()}


def figures(shown: Shown) -> tuple[Figure, ...]:
    made = made_rows(shown, SHOWN_MADE)
    apart = column_distances(shown, made)
    worst = sorted(apart, key=lambda name: -apart[name])[:SHOWN_COLUMNS]
    note = "Kolmogorov-Smirnov for numbers, total variation for categories: 0 is the same as in the test rows."
    bars = Bars("How columns differ", worst, {"distance": [apart[n] for n in worst]}, "distance", note)
    shown_rows = spelled(made.head(SHOWN_ROWS), shown.network.transform.wording)
    rows = [list(row) for row in shown_rows.rows()]
    near = privacy(shown)
    close = [
        [name, near[f"{name}_median"], near[f"{name}_5_percent"], near[f"{name}_copies"]] for name in ("made", "test")
    ]
    header = ["Rows", "median", "5 % nearest", "copies"]
    said = "Distance to the closest training row; made rows should be no nearer than test rows are."
    return (Grid("Made rows", made.columns, rows), bars, Grid("Privacy", header, close, said), beside(shown))
