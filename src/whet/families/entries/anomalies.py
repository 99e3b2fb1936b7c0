"""Networks that say how strange a row or a window is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Entry
from whet.families.entries.shared import late

if TYPE_CHECKING:
    from torch import nn

ANOMALIES: list[Entry[nn.Module]] = [
    Entry(
        "committee",
        late("anomaly_committee"),
        "Rare values, rare directions, few cuts, far neighbours, gaps, steps and an autoencoder's error, judged together.",
        defaults={
            "views": ("columns", "directions", "cuts", "neighbours", "code"),
            "shrink": 0.005,
            "places": 2000,
            "k": 10,
            "first": 10,
            "rounds": 2,
            "say": "all",
            "trim": 0.15,
            "width": 64,
            "code": 8,
        },
        domains=("anomaly",),
        paper="Aggarwal & Sathe 2017, Outlier Ensembles; Li et al. 2022, arXiv:2201.00382; Liu et al. 2008, "
        "Isolation Forest; Ramaswamy et al. 2000; Angiulli & Pizzuti 2002; "
        "Breunig et al. 2000, LOF; Schubert et al. 2014; "
        "Akbarinia & Cloez 2019, arXiv:1901.05708; Lauritzen 1996, section 5.1.3; Hill 1975",
        cost="low; grows with the places that are remembered",
        hurts_when="one view alone is known to be right",
    ),
    Entry(
        "autoencoder",
        late("anomaly_autoencoder"),
        "A dense autoencoder that begins as the principal components of training rows.",
        defaults={"width": 64, "depth": 1, "code": 8},
        domains=("anomaly",),
        paper="Baldi & Hornik 1989; Hinton & Salakhutdinov 2006",
        cost="low",
        hurts_when="the code is so wide that anomalies fit through it",
    ),
    Entry(
        "conv_autoencoder",
        late("anomaly_autoencoder", "conv"),
        "Convolutions over time down to a narrow code, and back.",
        defaults={"width": 32, "code": 4},
        domains=("anomaly",),
        paper="Masci et al. 2011, Stacked Convolutional Auto-Encoders",
        cost="moderate",
        hurts_when="rows have no order",
    ),
    Entry(
        "lstm_autoencoder",
        late("anomaly_autoencoder", "lstm"),
        "An LSTM reads the window, another writes it again from the last step to the first.",
        defaults={"width": 32},
        domains=("anomaly",),
        paper="Malhotra et al. 2016, arXiv:1607.00148",
        cost="one step after the other: high for long windows",
        hurts_when="rows have no order, or time is short",
    ),
    Entry(
        "forecaster",
        late("anomaly_forecaster"),
        "Predicts the newest steps from the ones before; what it misses is strange.",
        defaults={"width": 64, "depth": 1, "ahead": 1},
        domains=("anomaly",),
        paper="Hundman et al. 2018, arXiv:1802.04431",
        cost="low",
        hurts_when="a strange state lasts: it is predicted well from itself",
    ),
    Entry(
        "one_class",
        late("anomaly_one_class", "sphere"),
        "Maps normal rows near a fixed centre (Deep SVDD); with labels, known anomalies away from it (Deep SAD).",
        defaults={"width": 64, "depth": 1, "code": 16},
        domains=("anomaly",),
        paper="Ruff et al. 2018, Deep One-Class Classification; Ruff et al. 2020, arXiv:1906.02694",
        cost="low",
        hurts_when="it trains long, or the activation is bounded: everything ends at the centre",
    ),
    Entry(
        "neutral",
        late("anomaly_one_class", "transformed"),
        "Learned views of a row that are near it and unlike each other; strange rows break that.",
        defaults={"width": 32, "depth": 1, "views": 8, "temperature": 0.1},
        domains=("anomaly",),
        paper="Qiu et al. 2021, Neural Transformation Learning, arXiv:2103.16440",
        cost="moderate: a small network per view",
        hurts_when="training rows are full of anomalies",
    ),
]
