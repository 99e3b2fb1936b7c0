"""Losses: name -> make(**params) -> loss(outputs, target) -> scalar in float32.

Classification: outputs are logits (B, C), or (B, M, C) from a network of M members, whose losses are averaged;
the target is a class index (B,) int64 or class probabilities (B, C), as mixing makes them.
Regression: outputs (B,), (B, T) or (B, M, T); target (B,) or (B, T).
Sequences (`SEQUENCES`): outputs (B, T, C), see ctc.py.
"""

from __future__ import annotations

from whet.entry import Catalogue, Entry
from whet.losses.classes import binary, cross_entropy, focal
from whet.losses.ctc import ctc, step_cross_entropy
from whet.losses.generate import own
from whet.losses.labels import one_vs_rest
from whet.losses.quantile import quantile, quantiles
from whet.losses.sampled import sampled_softmax
from whet.losses.surprise import surprise
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
            "quantile",
            quantile,
            "Under-forecasts cost `level`, over-forecasts 1 - level: its minimum is that quantile.",
            {"level": 0.5},
            paper="Koenker & Bassett 1978, Regression Quantiles, doi:10.2307/1913643",
            cost="none",
            hurts_when="the metric is a squared one",
            aliases=("pinball",),
        ),
        Entry(
            "quantiles",
            quantiles,
            "The quantile loss of several levels at once: a network says them all, the median among them.",
            {"levels": (0.05, 0.5, 0.95)},
            domains=("series",),
            paper="Koenker & Bassett 1978, doi:10.2307/1913643; of networks: Wen et al. 2017, arXiv:1711.11053",
            cost="as many outputs more as there are levels",
            hurts_when="the metric is a squared one",
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
            paper="Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv:1708.02002",
            cost="a softmax",
            hurts_when="classes are balanced or labels noisy: it chases the mislabelled rows",
        ),
        Entry(
            "surprise",
            surprise,
            "The mean cost that a network gives the rows, without the dearest share; known anomalies are pushed away.",
            {"trim": 0.0, "push": 1.0},
            domains=("anomaly",),
            paper="Ruff et al. 2020, Deep SAD, arXiv:1906.02694; trimmed: Shen & Sanghavi 2019, arXiv:1810.11874",
            cost="a sort of the batch",
            hurts_when="more is trimmed than there are anomalies: rare normal rows are not learned then",
        ),
        Entry(
            "sampled_softmax",
            sampled_softmax,
            "Cross-entropy of what came next among some items that are drawn for the batch, corrected for how often each is.",
            {"items": 2000},
            domains=("ratings",),
            paper="Bengio & Senecal 2008, Adaptive Importance Sampling, doi:10.1109/TNN.2007.912312, section IV; "
            "Jean et al. 2015, arXiv:1412.2007, section 3.2",
            cost="that of `items` outputs, however many there are",
            hurts_when="all items can be compared in time: its gradients are noisier",
        ),
        Entry(
            "own",
            lambda: own,
            "The mean of what the network itself says that each example costs.",
            domains=("pictures", "rows"),
            paper="the one that the network's family names",
            cost="none",
            hurts_when="the network gives predictions: it refuses",
        ),
        Entry(
            "one_vs_rest",
            lambda: one_vs_rest,
            "Cross-entropy of every label on its own: a row may have any number of them.",
            paper="Boutell et al. 2004, Learning multi-label scene classification, section 3.1",
            cost="none",
            hurts_when="exactly one label is right: the others then have to be learned as wrong one by one",
        ),
        Entry(
            "ctc",
            ctc,
            "Minus the log-probability of a transcript, over all ways to lay its units along the time.",
            domains=("audio",),
            paper="Graves et al. 2006, Connectionist Temporal Classification, eq. 3",
            cost="a recursion over all steps for each transcript",
            hurts_when="the outputs are fewer than the units that are to be written",
        ),
        Entry(
            "step_cross_entropy",
            step_cross_entropy,
            "Cross-entropy of every step whose class is known.",
            {"label_smoothing": 0.0},
            domains=("audio", "sequence", "tagged", "language"),
            paper="Robinson 1994, An application of recurrent nets to phone probability estimation, section III",
            cost="none",
            hurts_when="what follows each other matters as a whole: every step is judged alone",
        ),
    ],
)

SEQUENCES = ("ctc", "step_cross_entropy")
"""Losses whose outputs have a time."""

__all__ = ["LOSSES", "SEQUENCES", "Loss"]
