"""Regularisers: what keeps a network from learning its training rows by heart.

`REGULARISERS`: name -> make(**params) -> something that the builder puts in its place:

    l1, l2             Penalty               penalty(model) -> scalar, added to the loss; l1 also as a proximal step
    ema                model -> Average      a running average of the weights
    clip               Clip                  clip(model) -> the gradient's norm before
    mixup, cutmix      Mix                   mix(inputs, target, generator) -> (inputs, target)
    r_drop             RDrop                 prepare(prepare), loss(loss): the same, of rows that are seen twice
    early_stop         EarlyStop             observe(score, progress) -> whether to stop
    stochastic_depth   StochasticDepth       a module at the end of a residual branch

Dropout belongs to the families, label smoothing to the loss, decoupled weight decay to the optimiser.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from whet.entry import Catalogue, Entry
from whet.regularise.average import Average
from whet.regularise.depth import StochasticDepth
from whet.regularise.mixing import Mix, Mixture, apply_mixture, draw_mixture, mix
from whet.regularise.penalties import L1, L2, Clip
from whet.regularise.stopping import EarlyStop
from whet.regularise.twins import RDrop

REGULARISERS: Catalogue[Any] = Catalogue(
    "regulariser",
    [
        Entry(
            "l1",
            L1,
            "Adds strength * sum |w| to the loss, or shrinks towards exact zeros after each step.",
            {"strength": 1e-4, "proximal": False},
            paper="Tibshirani 1996, the Lasso; proximal step: Parikh & Boyd 2014, Proximal Algorithms, section 6.5.2",
            cost="one pass over the weights per step",
            hurts_when="many weak inputs matter together",
        ),
        Entry(
            "l2",
            L2,
            "Adds strength / 2 * sum w^2 to the loss.",
            {"strength": 1e-4},
            paper="Hoerl & Kennard 1970, Ridge Regression; Krogh & Hertz 1991, A Simple Weight Decay",
            cost="one pass over the weights per step",
            hurts_when="an adaptive optimiser divides it away: use adamw's weight_decay",
        ),
        Entry(
            "ema",
            lambda **settings: partial(Average, **settings),
            "Evaluates and delivers a running average of the weights.",
            {"decay": 0.999, "warmup": True, "every": 1},
            paper="Polyak & Juditsky 1992; Morales-Brotons et al. 2024, EMA of Weights, arXiv:2411.18704",
            cost="one more copy of the weights, and one pass over it per `every` steps",
            hurts_when="training is shorter than a few times 1 / (1 - decay) steps",
            aliases=("average",),
        ),
        Entry(
            "clip",
            Clip,
            "Shortens the gradient to `max_norm` where it is longer.",
            {"max_norm": 1.0},
            paper="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm 1",
            cost="one pass over the gradients",
            hurts_when="max_norm is below the usual norm: it then only lowers the learning rate",
        ),
        Entry(
            "mixup",
            partial(Mix, "mixup"),
            "Trains on blends of two rows and of their targets.",
            {"alpha": 0.2, "until": 1.0},
            paper="Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, arXiv:1710.09412",
            cost="one pass over the batch; longer training",
            hurts_when="time is short: it under-fits first",
        ),
        Entry(
            "cutmix",
            partial(Mix, "cutmix"),
            "Pastes a box of another image, and its share of the target.",
            {"alpha": 1.0, "until": 1.0},
            domains=("image", "table"),
            paper="Yun et al. 2019, CutMix, arXiv:1905.04899",
            cost="one copy of the batch; longer training",
            hurts_when="time is short, or the class is decided by a small spot",
        ),
        Entry(
            "r_drop",
            RDrop,
            "Sees every row twice, and pulls the two answers towards each other.",
            {"alpha": 1.0},
            paper="Liang et al. 2021, R-Drop, arXiv:2106.14448, equation 4",
            cost="two rows for each one: a step takes twice as long",
            hurts_when="time is short, or neither dropout nor augmentation makes the two looks differ",
        ),
        Entry(
            "early_stop",
            EarlyStop,
            "Stops when the validation score has not improved for `patience`, a share of the training.",
            {"patience": 0.3},
            paper="Prechelt 1998, Early Stopping - But When?",
            cost="needs validations during training",
            hurts_when="the schedule would have lowered the learning rate later: the score improves then",
        ),
        Entry(
            "stochastic_depth",
            StochasticDepth,
            "Leaves out a residual branch for a row with probability p.",
            {"p": 0.1},
            domains=("image",),
            paper="Huang et al. 2016, Deep Networks with Stochastic Depth, arXiv:1603.09382",
            cost="one multiplication per branch",
            hurts_when="the network is shallow",
        ),
    ],
)

__all__ = [
    "REGULARISERS",
    "Average",
    "Clip",
    "EarlyStop",
    "L1",
    "L2",
    "Mix",
    "Mixture",
    "RDrop",
    "StochasticDepth",
    "apply_mixture",
    "draw_mixture",
    "mix",
]
