"""Losses: name -> make(**params) -> loss(outputs, target) -> scalar in float32.

Classification: outputs are logits (B, C), or (B, M, C) from a network of M members, whose losses are averaged;
the target is a class index (B,) int64 or class probabilities (B, C), as mixing makes them.
Regression: outputs (B,), (B, T) or (B, M, T); target (B,) or (B, T).
"""

from __future__ import annotations

from whet.entry import Catalogue, Entry
from whet.losses.classes import binary, cross_entropy, focal
from whet.losses.values import Loss, huber, mae, mse

LOSSES: Catalogue[Loss] = Catalogue(
    "loss",
    [
        Entry(
            "mse",
            lambda: mse,
            "Mean squared error: its minimum is the conditional mean.",
            paper="Legendre 1805; Gauss 1809, least squares",
            cost="none",
            hurts_when="the target has outliers: one of them outweighs many rows",
            aliases=("l2_loss",),
        ),
        Entry(
            "mae",
            lambda: mae,
            "Mean absolute error: its minimum is the conditional median.",
            paper="Laplace 1774; Boscovich 1757, least absolute deviations",
            cost="none",
            hurts_when="the metric is a squared one, or the learning rate doesn't fall: its slope never fades",
            aliases=("l1_loss",),
        ),
        Entry(
            "huber",
            huber,
            "Squared within delta of the target, straight beyond; in units of the scaled target.",
            {"delta": 1.0},
            paper="Huber 1964, Robust Estimation of a Location Parameter",
            cost="none",
            hurts_when="large errors are real and the metric counts them squared",
        ),
        Entry(
            "cross_entropy",
            cross_entropy,
            "Minus the log-probability of the true class; smoothed targets and class weights on wish.",
            {"label_smoothing": 0.0, "class_weights": ()},
            paper="smoothing: Szegedy et al. 2016, Rethinking the Inception Architecture, arXiv:1512.00567, section 7",
            cost="none",
            hurts_when="labels are noisy (without smoothing), or probabilities must be calibrated (with much of it)",
        ),
        Entry(
            "binary",
            binary,
            "Cross-entropy of two classes from one logit, or from the difference of two.",
            cost="none",
            hurts_when="there are more than two classes: it refuses",
        ),
        Entry(
            "focal",
            focal,
            "Cross-entropy times (1 - p)^gamma: rows that are already right count less.",
            {"gamma": 2.0},
            paper="Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv:1708.02002, eq. 4",
            cost="a softmax",
            hurts_when="classes are balanced or labels noisy: it chases the mislabelled rows",
        ),
    ],
)

__all__ = ["LOSSES", "Loss"]
