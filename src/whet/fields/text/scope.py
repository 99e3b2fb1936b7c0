"""How well texts of no known class are told from the others: by the highest probability that a class has.

Hendrycks & Gimpel 2017, arXiv:1610.02136: the simplest score, and of an ensemble of kinds that disagree about strange
texts a good one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from whet.fields.base import Shown
from whet.tasks.metrics import auc

FEWEST = 5
"""Rows of each side."""


def out_of_scope(shown: Shown) -> dict[str, Any]:
    """The area under the ROC curve of known against unknown test rows; {} where there are none."""
    rows = np.asarray(shown.data.origin.get("unknown", []), np.int64)
    if len(rows) < FEWEST or len(shown.truth) < FEWEST or shown.task.goal != "classify":
        return {}
    strange = shown.network.predict(shown.data.x[rows]).max(1)
    known = shown.predicted.max(1)
    area = known_auroc(known, strange)
    least = float(shown.network.inputs.get("known_from", 0.0))
    found = {"auroc": area, "score": "highest probability", "n": len(rows), "known_from": least}
    return {
        "out_of_scope": {**found, "recall": float((strange < least).mean()), "kept": float((known >= least).mean())}
    }


def known_auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """The chance that a known text scores higher than a strange one."""
    return auc(np.repeat([1, 0], [len(known), len(strange)]), np.concatenate([known, strange]))
