"""What the result says beside the deciding metric: the chosen threshold, and for series VUS and the NAB score."""

from __future__ import annotations

from typing import Any

import numpy as np

from whet.fields.base import Shown
from whet.tasks.detect import JUDGED, at_the_moment, at_threshold, scores_of
from whet.tasks.detect_ranges import nab, vus
from whet.tasks.metrics import Metric


def outcome(shown: Shown) -> dict[str, Any]:
    """Entries of result.json: "anomalies" of the network, and the same of the baselines, whose threshold is unknown."""
    threshold, rate = shown.network.inputs["threshold"], shown.network.inputs["false_alarms"]
    timed = shown.data.x.timed
    soon = at_the_moment(shown.predicted) if timed else scores_of(shown.predicted)
    found = {
        "threshold": threshold,
        "false_alarms_allowed": rate,
        "flagged": float((soon > threshold).mean()),
        "at_threshold": at_threshold(shown.truth, soon, threshold),
        "labelled": int(np.isfinite(shown.truth[:, 0]).sum()),
        "strange": int((shown.truth[:, 0] > 0).sum()),
    }
    if timed:
        window = shown.network.transform.window
        found |= over_time(shown.truth, shown.predicted, window, threshold)
        found["baselines"] = {name: over_time(shown.truth, p, window, None) for name, p in shown.baselines.items()}
    return {"anomalies": found}


def over_time(truth: np.ndarray, predicted: np.ndarray, window: int, threshold: float | None) -> dict[str, float]:
    """VUS of the scores in hindsight, with labels that reach up to a window far; and of those of the moment the AUC-PR and
    NAB's score, at the best and at the chosen threshold. NaN without labels."""
    both = [s for s in whole_series(truth, scores_of(predicted)) if s[0].any() and not s[0].all()]
    series = whole_series(truth, at_the_moment(predicted))
    nan = float("nan")
    areas = np.asarray([vus(labels, scores, window) for labels, scores in both]) if both else np.full((1, 2), nan)
    found = {"vus_roc": float(areas[:, 0].mean()), "vus_pr": float(areas[:, 1].mean())}
    best, level = nab(series) if both else (nan, nan)
    at_once = JUDGED["auc_pr"].function(truth, at_the_moment(predicted))
    found |= {"auc_pr_at_the_moment": at_once, "nab_best": best, "nab_best_threshold": level}
    return found | ({} if threshold is None else {"nab": nab(series, threshold)[0] if both else nan})


def whole_series(truth: np.ndarray, scores: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(labels, scores) of each series whose rows all have a label."""
    parts = [truth[:, 1] == s for s in np.unique(truth[:, 1])]
    return [(truth[rows, 0] > 0, scores[rows]) for rows in parts if np.isfinite(truth[rows, 0]).all()]


def compared(shown: Shown, metrics: dict[str, Metric]) -> list[list[Any]]:
    """Rows of a table: who, then each metric."""
    everyone = {"this network": shown.predicted, **shown.baselines}
    return [[name, *(m.function(shown.truth, p) for m in metrics.values())] for name, p in everyone.items()]
