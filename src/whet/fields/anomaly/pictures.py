"""What the report shows: scores over time with the threshold and the labelled windows, columns that were strange, rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from whet.fields.anomaly.outcome import compared, over_time
from whet.fields.anomaly.reading import stamps_of
from whet.fields.base import Shown
from whet.figures import Bars, Figure, Grid, Heat, Lines
from whet.tasks.detect import COLUMNS, JUDGED, at_the_moment, by_series, scores_of
from whet.tasks.detect_ranges import runs

MOST_SERIES = 4
"""Series that are drawn, those with labelled windows first."""
STRANGEST = 12
"""Rows that are listed."""
STRIPES = 120
"""Stretches of time in the picture of columns."""
CELLS = 6
"""Values of a row that are listed, of the columns that were strangest in it."""


def pictures(shown: Shown) -> tuple[Figure, ...]:
    timed = shown.data.x.timed
    drawn: list[Figure] = [*over_series(shown)] if timed else [histogram(shown)]
    measured = by_series(shown.truth, shown.predicted)
    return (*drawn, strangest_rows(shown), *([beside(shown)] if measured else []))


def over_series(shown: Shown) -> list[Figure]:
    rows, found = shown.parts["test"], list[Figure]()
    threshold = float(shown.network.inputs["threshold"])
    series = shown.truth[:, 1]
    order = sorted(np.unique(series), key=lambda s: -np.nansum(shown.truth[series == s, 0] > 0))
    for number in order[:MOST_SERIES]:
        at = np.flatnonzero(series == number)
        name = shown.data.x.names[int(number)]
        found += [score_line(shown, name, rows[at], at, threshold), *columns_heat(shown, name, at)]
    return found


def score_line(shown: Shown, name: str, rows: np.ndarray, at: np.ndarray, threshold: float) -> Lines:
    labels = np.nan_to_num(shown.truth[at, 0]) > 0
    steps = rows - rows[0]
    spans = [(float(steps[a]), float(steps[b - 1]), "labelled") for a, b in runs(labels)]
    soon, later = at_the_moment(shown.predicted)[at], scores_of(shown.predicted)[at]
    curves = {"at the moment": soon, "in hindsight": later, "threshold": np.full(len(at), threshold)}
    note = "Each step is judged by values up to it. Shaded: labelled as anomalies." if spans else "No labels."
    return Lines(f"Score of {name}", steps, curves, "step", "score", spans=spans, note=note)


def columns_heat(shown: Shown, name: str, at: np.ndarray) -> list[Heat]:
    """Where it was strange: the largest share of each column in each stretch of time, in units of its usual one."""
    features = shown.network.inputs["features"]
    if len(features) < 2:
        return []
    shares = np.asarray(shown.predicted[at, COLUMNS : COLUMNS + len(features)], np.float64)
    usual = np.median(shares, 0) + 1e-9
    stretches = np.array_split(shares / usual, min(STRIPES, len(at)))
    peaks = np.log10(1 + np.stack([s.max(0) for s in stretches], 1))
    note = "Dark: the column was stranger than usual in that stretch of time (logarithm)."
    return [Heat(f"Columns of {name}", peaks, rows=features, x_label="time", note=note)]


def histogram(shown: Shown) -> Bars:
    """How scores are spread, of rows with each label."""
    scores, labels = scores_of(shown.predicted), shown.truth[:, 0]
    edges = np.quantile(scores, [0.001, 0.999])
    cells = np.linspace(edges[0], edges[1] + 1e-9, 25)
    clipped = np.clip(scores, cells[0], cells[-1])
    groups = {"normal": labels == 0, "anomaly": labels == 1, "no label": np.isnan(labels)}
    counts = {n: np.histogram(clipped[g], cells)[0].astype(float).tolist() for n, g in groups.items() if g.any()}
    names = [f"{value:.3g}" if i % 6 == 0 else "" for i, value in enumerate(cells[:-1])]
    level = float(shown.network.inputs["threshold"])
    return Bars("Scores of the rows", names, counts, "rows", note=f"Flagged from {level:.4g} on.")


def strangest_rows(shown: Shown) -> Grid:
    """The rows with the highest scores; of each run of neighbours in time only the first of its highest."""
    scores, rows = judged(shown), shown.parts["test"]
    order = apart(np.argsort(-scores), shown.network.transform.window)
    names = stamps_of(shown.data.x) or [str(i) for i in range(len(shown.data.x))]
    features = shown.network.inputs["features"]
    lines = [[names[rows[i]], float(scores[i]), said(shown.truth[i, 0]), *cells(shown, i, features)] for i in order]
    header = ["Row", "Score", "Label", "Strangest columns"]
    return Grid("Strangest rows", header, lines, note="The column that adds most to the score comes first.")


def judged(shown: Shown) -> np.ndarray:
    """(n,) the scores that the threshold is for."""
    return at_the_moment(shown.predicted) if shown.data.x.timed else scores_of(shown.predicted)


def apart(order: np.ndarray, window: int) -> list[int]:
    """The first few of these rows that are no less than a window from each other."""
    found: list[int] = []
    for i in order[:5000]:
        if all(abs(int(i) - other) >= window for other in found):
            found.append(int(i))
        if len(found) == STRANGEST:
            break
    return found


def said(label: float) -> str:
    return "" if np.isnan(label) else "anomaly" if label > 0 else "normal"


def cells(shown: Shown, i: int, features: list[str]) -> list[Any]:
    """[the strangest columns of a row with their values, in words]."""
    shares = shown.predicted[i, COLUMNS : COLUMNS + len(features)]
    chosen = list(dict.fromkeys(features[j] for j in np.argsort(-shares)))[:CELLS]
    row = shown.data.x.frame.row(int(shown.parts["test"][i]), named=True)
    return [", ".join(f"{name} = {shown_value(row[name])}" for name in chosen)]


def shown_value(value: Any) -> str:
    return "missing" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def beside(shown: Shown) -> Grid:
    """All metrics of the network and the baselines."""
    rows = compared(shown, JUDGED)
    header = ["", *(m.replace("_", " ") for m in JUDGED)]
    if shown.data.x.timed:
        window = shown.network.transform.window
        header += ["VUS-ROC", "VUS-PR", "auc pr at the moment", "NAB score"]
        everyone = [shown.predicted, *shown.baselines.values()]
        for line, predicted in zip(rows, everyone, strict=True):
            found = over_time(shown.truth, predicted, window, None)
            line += [found[name] for name in ("vus_roc", "vus_pr", "auc_pr_at_the_moment", "nab_best")]
    which = "Best F1 and the NAB score are" if shown.data.x.timed else "Best F1 is"
    note = f"The higher the better. {which} at the threshold that would have been best."
    return Grid("Every metric", header, rows, note=note)
