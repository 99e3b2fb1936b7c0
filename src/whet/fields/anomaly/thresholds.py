"""The score from which a row is called an anomaly: so few training rows are stranger as false alarms are allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from whet.data.prepared import Prepared
from whet.fields.anomaly.windows import parted

FALSE_ALARMS = 0.01
"""Share of rows above the threshold where nothing is wrong."""
ENOUGH = 1000
"""Held-out rows from which they alone set the threshold; fewer say little about one in a hundred."""
MOST = 20_000
"""Rows that are scored for it."""


def calibration(network: Any, data: Prepared) -> dict[str, Any]:
    """The threshold, and what the features are called.

    A quantile is robust: rows that are anomalies themselves, as long as they are fewer than `FALSE_ALARMS`, move it only
    to the strangest normal row. Of windows as wholes: single steps have a say where they are rarer than that anyway.
    """
    rows = data.rows["val"] if len(data.rows["val"]) >= ENOUGH else torch.cat([data.rows["train"], data.rows["val"]])
    unknown = rows[data.target[rows] != 1]
    some = unknown[torch.linspace(0, len(unknown) - 1, min(MOST, len(unknown))).long()]
    transform: Any = data.transform
    scores, _ = parted(network.from_tensors(data.inputs, some), len(transform.features))
    return {
        "threshold": float(np.quantile(scores, 1 - FALSE_ALARMS)),
        "false_alarms": FALSE_ALARMS,
        "features": list(transform.features),
    }
