"""The causes that a diagnosis names, with the codes of the published taxonomy (Humbatova et al. 2020, extended by six)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whet.record import Finding

CAUSES: Mapping[str, str] = {
    "ACH": "an activation function, hidden or at the output, that does not suit the network, the loss or the data",
    "WCI": "initial weights or biases that carry no signal, or far too much",
    "HLR": "the learning rate",
    "OCH": "the optimiser",
    "HNE": "the number of epochs",
    "HBS": "the batch size",
    "LCH": "the loss",
    "RAW": "regularisation that is too strong",
    "RCD": "dropout that is too strong",
    "CPP": "inputs or targets that are not brought to a common scale, or not alike in training and validation",
    "LCN": "layers that are too narrow",
    "LRM": "a layer that is missing",
    "TRD": "too few training data",
    "TCL": "labels that are wrong or missing",
    "FRZ": "weights that are frozen or that the optimiser does not hold",
    "ZGR": "gradients that are not cleared",
    "MOD": "a network that is trained in evaluation mode",
    "PRC": "numbers that are too large or too small for half precision",
    "IPL": "batches that come slower than the network can take them",
    "LKG": "rows that stand in the training and in the validation part",
}
"""code -> the cause in words."""


def finding(
    name: str,
    code: str,
    cause: str,
    confidence: float,
    advice: str,
    *,
    where: str = "",
    cost: str = "",
    **evidence: Any,
) -> Finding:
    """A finding with a documented cause; how grave it is depends on whether the training suffers."""
    return Finding(
        name,
        cause,
        where=where,
        evidence=evidence,
        severity="warning",
        confidence=round(min(0.99, confidence), 3),
        advice=advice,
        code=code,
        cost=cost,
    )
