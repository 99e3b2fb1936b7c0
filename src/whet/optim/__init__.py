"""Optimisers and schedules.

`OPTIMIZERS`: name -> make(params_or_groups, *, fused=None, **params) -> torch.optim.Optimizer.
`SCHEDULES`: name -> make(**params) -> schedule(progress in [0, 1]) -> what every learning rate is multiplied with.

From a recipe and a model, `build` makes the optimiser; the loop then calls `set_lr` before each step, wraps
validation in `evaluation_mode`, and puts a saved state back with `load_state`.
"""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

from whet.entry import Catalogue, Entry
from whet.errors import RecipeError
from whet.optim import make
from whet.optim.groups import parameter_groups
from whet.optim.lion import Lion
from whet.optim.muon import Muon, newton_schulz
from whet.optim.schedules import (
    Plateau,
    Schedule,
    constant,
    cosine,
    exponential,
    linear,
    one_cycle,
    step,
    trapezoid,
)
from whet.optim.state import evaluation_mode, load_state, remember_lr, set_lr
from whet.recipe import Choice

OPTIMIZERS: Catalogue[Optimizer] = Catalogue(
    "optimizer",
    [
        Entry(
            "gd",
            make.gd,
            "w - lr g: gradient descent, nothing else.",
            {"lr": 0.1, "weight_decay": 0.0},
            paper="Robbins & Monro 1951, A Stochastic Approximation Method",
            cost="no state",
            hurts_when="the loss is a narrow valley: it zigzags",
        ),
        Entry(
            "sgd",
            make.sgd,
            "Gradient descent with (Nesterov) momentum and coupled weight decay.",
            {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0},
            paper="Polyak 1964; Nesterov 1983; Sutskever et al. 2013, On the importance of initialization and momentum",
            cost="1 number per weight",
            hurts_when="layers need very different step lengths, as tables and transformers do",
        ),
        Entry(
            "adam",
            make.adam,
            "Step = mean gradient / root mean squared gradient, per weight; coupled weight decay.",
            {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
            paper="Kingma & Ba 2015, arXiv:1412.6980, algorithm 1",
            cost="2 numbers per weight",
            hurts_when="weight decay matters: it is divided by the gradient's size; use adamw",
        ),
        Entry(
            "adamw",
            make.adamw,
            "Adam with decoupled weight decay: w shrinks by lr * weight_decay per step.",
            {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
            paper="Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2",
            cost="2 numbers per weight",
            hurts_when="memory is short",
        ),
        Entry(
            "nadam",
            make.nadam,
            "Adam with Nesterov's look ahead; decoupled weight decay.",
            {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
            paper="Dozat 2016, Incorporating Nesterov Momentum into Adam",
            cost="2 numbers per weight; has no fused kernel",
            hurts_when="as adamw",
        ),
        Entry(
            "adagrad",
            make.adagrad,
            "Step = gradient / root of the sum of all squared gradients.",
            {"lr": 0.01, "eps": 1e-10, "weight_decay": 0.0},
            paper="Duchi, Hazan & Singer 2011, Adaptive Subgradient Methods, section 1.1",
            cost="1 number per weight",
            hurts_when="training is long: its steps only ever shrink",
        ),
        Entry(
            "rmsprop",
            make.rmsprop,
            "Step = gradient / root mean squared gradient, with momentum on wish.",
            {"lr": 1e-3, "alpha": 0.99, "momentum": 0.0, "eps": 1e-8, "weight_decay": 0.0},
            paper="Tieleman & Hinton 2012, Coursera lecture 6.5",
            cost="1-2 numbers per weight; has no fused kernel",
            hurts_when="the first steps are large: it has no bias correction",
        ),
        Entry(
            "lion",
            Lion.make,
            "Step = the sign of a mix of gradient and momentum; decoupled weight decay.",
            {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1},
            paper="Chen et al. 2023, Symbolic Discovery of Optimization Algorithms, arXiv:2302.06675, algorithm 2",
            cost="1 number per weight",
            hurts_when="batches are small (the sign is noisy), or lr is taken over from adamw (use a third to a tenth)",
        ),
        Entry(
            "muon",
            Muon.make,
            "Momentum made orthogonal for hidden matrices and filters; AdamW (or SGD) for all other weights.",
            {
                "lr": 0.02,
                "momentum": 0.95,
                "nesterov": True,
                "weight_decay": 0.01,
                "sphere": False,
                "rest": "adamw",
                "rest_lr": 0.002,
                "rest_momentum": 0.9,
            },
            paper="Jordan et al. 2024, Muon: An optimizer for hidden layers; its decay: arXiv:2502.16982",
            cost="1 number per weight, and about 20 rows^2 cols multiply-adds per matrix and step",
            hurts_when="batches are tiny, or the network has no hidden matrices",
        ),
        Entry(
            "schedule_free",
            make.schedule_free,
            "AdamW (or SGD) on an average of its own iterates: as good as a schedule that knows the end.",
            {"lr": 2.5e-3, "base": "adamw", "momentum": 0.9, "beta2": 0.999, "weight_decay": 0.0},
            paper="Defazio et al. 2024, The Road Less Scheduled, arXiv:2405.15682",
            cost="2 numbers per weight; batch norm's running averages lag behind its evaluation weights",
            hurts_when="a schedule that decays is used with it, or batch norm's averages are not measured anew",
        ),
        Entry(
            "prodigy",
            make.prodigy,
            "Adam that estimates its own learning rate from the distance to the start; leave lr at 1.",
            {"lr": 1.0, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "d_coef": 1.0},
            paper="Mishchenko & Defazio 2023, arXiv:2306.06101, algorithm 4",
            cost="4 numbers per weight, two passes over them in Python",
            hurts_when="training is short: the estimate grows from 1e-6; or layers carry their own lr_factor",
        ),
    ],
)

SCHEDULES: Catalogue[Schedule] = Catalogue(
    "schedule",
    [
        Entry(
            "constant",
            constant,
            "1 throughout.",
            {"warmup": 0.0},
            cost="none",
            hurts_when="the weights are used as they are at the end: they still jump about; average them",
        ),
        Entry(
            "step",
            step,
            "Multiplied by `factor` at each of the milestones.",
            {"milestones": (0.5, 0.75), "factor": 0.1, "warmup": 0.0},
            paper="He et al. 2016, Deep Residual Learning, arXiv:1512.03385, section 3.4",
            cost="none",
            hurts_when="time is short: the first drop comes late",
        ),
        Entry(
            "exponential",
            exponential,
            "end^t: falls by the same factor in each equal stretch.",
            {"end": 0.01, "warmup": 0.0},
            cost="none",
            hurts_when="the learning rate was right at first: half of the training runs below end^(1/2)",
        ),
        Entry(
            "cosine",
            cosine,
            "From 1 to `end` along half a cosine.",
            {"end": 0.0, "warmup": 0.0},
            paper="Loshchilov & Hutter 2017, SGDR, arXiv:1608.03983, without restarts",
            cost="none",
            hurts_when="the end of training is not known",
        ),
        Entry(
            "one_cycle",
            one_cycle,
            "Up along a cosine during `warmup`, down along one to 1/10,000.",
            {"warmup": 0.3},
            paper="Smith & Topin 2018, Super-Convergence, arXiv:1708.07120",
            cost="none",
            hurts_when="the learning rate can't be raised above the usual one",
        ),
        Entry(
            "linear",
            linear,
            "From 1 straight to `end`.",
            {"end": 0.0, "warmup": 0.0},
            paper="Defazio et al. 2023, When, Why and How Much?, arXiv:2310.07831, section 3",
            cost="none",
            hurts_when="the end of training is not known",
        ),
        Entry(
            "trapezoid",
            trapezoid,
            "Up during `warmup`, flat, and straight to 0 during the last `decay`.",
            {"warmup": 0.05, "decay": 0.3},
            paper="Hägele et al. 2024, Scaling Laws and Compute-Optimal Training, arXiv:2405.18392",
            cost="none",
            hurts_when="the decay is never reached",
            aliases=("wsd",),
        ),
        Entry(
            "plateau",
            Plateau,
            "Multiplied by `factor` whenever the validation score has not improved for `patience`.",
            {"factor": 0.3, "patience": 0.1, "end": 1e-3, "warmup": 0.0},
            paper="Bengio 2012, Practical Recommendations, arXiv:1206.5533",
            cost="needs validations during training",
            hurts_when="the validation score is noisy",
        ),
    ],
)


def build(choice: Choice, model: nn.Module, *, fused: bool | None = None) -> Optimizer:
    """The optimiser of a recipe's choice for this model, with a `base_lr` in each group.

    `fused`: use torch's fused kernel where the optimiser has one. Raises RecipeError for a model without trainable
    parameters.
    """
    entry = OPTIMIZERS[choice.name]
    params = entry.fill(choice.params)
    groups = parameter_groups(model, params.get("weight_decay", 0.0), by_matrix=entry.name == "muon")
    if not groups:
        raise RecipeError("The model has no trainable parameter.", "Let at least one require a gradient.")
    return remember_lr(entry.make(groups, fused=fused, **params))


__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "Lion",
    "Muon",
    "Plateau",
    "Schedule",
    "build",
    "evaluation_mode",
    "load_state",
    "newton_schulz",
    "parameter_groups",
    "set_lr",
]
