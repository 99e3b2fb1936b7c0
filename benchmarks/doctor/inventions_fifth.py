"""The fifth batch of invented trainings, written before the doctor was asked about any of them; of other data and families."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from invented import Case, as_it_is, changers, fault, near
from invented_bases import Rows
from invented_bases_fifth import (
    LEVELS,
    SOUND,
    Babbler,
    Bonds,
    Chosen,
    Crate,
    Gathering,
    Liking,
    Radial,
    Touched,
    Turner,
    Verdict,
    Views,
    density,
    matched,
    partial_likelihood,
)
from inventions_fourth import biased, drawn_labels, equal, first_held, with_l2
from inventions_third import drawn_anew, of_two, penalised
from others import clipped, forgotten, scheduled
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, sgd
from whet.setups import Setup

RATES = torch.optim.lr_scheduler
S = SOUND
of, rows_of = changers(SOUND)


def earlier_is_better(said: Tensor, y: Tensor) -> Tensor:
    """The order the wrong way round."""
    return partial_likelihood(-said, y)


def one_sided(said: Tensor, y: Tensor) -> Tensor:
    """Too much costs nothing."""
    return (LEVELS * (y - said).clamp_min(0)).mean()


def mostly_spread(said: Tensor, y: Tensor) -> Tensor:
    """The likelihood, and a pull on all outputs that outweighs it."""
    return density(said, y) + 20 * said.square().mean()


def wrong_border(said: Tensor, y: Tensor) -> Tensor:
    """Borders counted from one where grades begin at nought."""
    return F.binary_cross_entropy_with_logits(said, (y[:, None] + 1 > torch.arange(4)).float())


def absolute_labels(said: Tensor, y: Tensor) -> Tensor:
    return (said.sigmoid() - y).abs().mean()


def one_column(index: int, factor: float, moved: float) -> Any:
    """One number of each row in another unit."""

    def change(x: Tensor, y: Tensor) -> Rows:
        x = x.clone()
        x[:, index] = factor * x[:, index] + moved
        return x, y

    return change


def years(x: Tensor, y: Tensor) -> Rows:
    """Demand in single pieces."""
    return x, 2500 * y + 12000


def by_class(family: str) -> Setup:
    """Never shuffled, one class after the other."""
    s = SOUND[family]()
    x, y = s.train
    order = y.argsort(stable=True)
    rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[order], y[order]), batch_size=32)
    return dataclasses.replace(s, train=rows)


def few(count: int) -> Any:
    return lambda x, y: (x[:count], y[:count])


def other_rows(x: Any, y: Tensor) -> Rows:
    return x, y.roll(7, 0)


def after(step: int, factor: float) -> Any:
    """A rate that falls to next to nothing after so many steps."""
    return scheduled(lambda o: RATES.LambdaLR(o, lambda k: 1.0 if k < step else factor))


CASES: Mapping[str, Case] = {
    # -- by a known metric
    "molecules: Adam at 0.5": fault(S["molecules"], "HLR", of("molecules", optimizer=adam(0.5))),
    "molecules: twelve rounds, tiny weights": fault(
        S["molecules"], "WCI ACH", of("molecules", model=drawn_anew(0.03, lambda: Bonds(rounds=12)))
    ),
    "molecules: values of other rows": fault(
        S["molecules"], "TCL", rows_of("molecules", other_rows, as_it_is), repairable=False
    ),
    "provinces: equal experts": fault(S["provinces"], "WCI", of("provinces", model=equal(Chosen))),
    "provinces: plain steps of 3e-4": fault(S["provinces"], "HLR OCH HNE", of("provinces", optimizer=sgd(3e-4, 0.0))),
    "provinces: one number in another unit": fault(
        S["provinces"], "CPP", rows_of("provinces", one_column(3, 4000.0, 90.0))
    ),
    "provinces: 24 rows": fault(S["provinces"], "TRD HNE", rows_of("provinces", few(24), as_it_is), repairable=False),
    "bumps: validation in degrees": fault(
        S["bumps"], "CPP", rows_of("bumps", as_it_is, one_column(0, 1.8, 3.2)), repairable=False
    ),
    "bumps: bumps far too narrow": fault(S["bumps"], "WCI ACH LCN", of("bumps", model=lambda: Radial(wide=0.005))),
    "bumps: only the centres are held": fault(
        S["bumps"], "FRZ", of("bumps", optimizer=lambda p: torch.optim.Adam(p[:1], lr=2e-2))
    ),
    "corners: softmax, then cross-entropy, low rate": fault(
        S["corners"],
        "ACH HLR HNE",
        of("corners", model=lambda: Gathering(end=lambda: nn.Softmax(1)), optimizer=adam(5e-4)),
    ),
    "corners: one epoch": fault(S["corners"], "HNE HLR", of("corners", epochs=1, optimizer=adam(1e-3))),
    "corners: by class": fault(S["corners"], "CPP", lambda: by_class("corners")),
    "corners: two pictures a step, high rate": fault(
        S["corners"], "HBS HLR", of("corners", batch_size=2, epochs=1, optimizer=sgd(0.3))
    ),
    "crates: biases of -20": fault(S["crates"], "WCI ACH", of("crates", model=biased(Crate, -20.0))),
    "crates: nine labels of ten drawn": fault(
        S["crates"], "TCL", rows_of("crates", drawn_labels(0.9), as_it_is), repairable=False
    ),
    "verdicts: L2 of 0.5 by hand": fault(S["verdicts"], "RAW", of("verdicts", step=with_l2(0.5))),
    "verdicts: Adam at 3e-6": fault(S["verdicts"], "HLR HNE OCH", of("verdicts", optimizer=adam(3e-6))),
    "verdicts: tanh, targets of 60": fault(
        S["verdicts"], "ACH CPP", rows_of("verdicts", lambda x, y: (x, 60 * y), model=lambda: Verdict(end=nn.Tanh))
    ),
    "stars: vectors that begin at nought": fault(S["stars"], "WCI", of("stars", model=equal(Liking, 0.0))),
    "stars: rates that die at once": fault(S["stars"], "HLR", of("stars", step=after(20, 1e-4))),
    "stars: decay of 0.3": fault(S["stars"], "RAW", of("stars", optimizer=adam(2e-2, weight_decay=0.3))),
    # -- by a metric of their own
    "views: rectified far below nought": fault(
        S["views"], "ACH WCI", of("views", model=biased(lambda: Views(act=nn.ReLU), -20.0))
    ),
    "views: momentum at a rate of 20": fault(S["views"], "HLR OCH", of("views", step=of_two(), optimizer=sgd(20.0))),
    "views: pairs of other rows": fault(
        S["views"],
        "TCL CPP LCH",
        rows_of("views", lambda x, y: ((x[0], x[1].roll(5, 0)), y), as_it_is),
        repairable=False,
    ),
    "backwards: two units": fault(S["backwards"], "LCN", of("backwards", model=lambda: Turner(2))),
    "babble: places a hundred times too loud, no norms": fault(
        S["babble"], "WCI", of("babble", model=lambda: Babbler(norm=False, start=100.0))
    ),
    "babble: never cleared": fault(S["babble"], "ZGR", of("babble", step=forgotten)),
    "babble: all in one batch, five epochs": fault(
        S["babble"], "HBS HNE HLR", of("babble", batch_size=400, epochs=6, optimizer=adam(1e-3))
    ),
    "topics: absolute errors of labels": fault(S["topics"], "LCH", of("topics", loss=absolute_labels)),
    "topics: softmax over several topics": fault(
        S["topics"], "ACH LCH", of("topics", model=lambda: Touched(end=lambda: nn.Softmax(1)))
    ),
    "topics: L1 of 0.05": fault(S["topics"], "RAW", of("topics", step=penalised(0.05))),
    "grades: borders counted from one": fault(S["grades"], "LCH", of("grades", loss=wrong_border)),
    "grades: ten sigmoid layers": fault(
        S["grades"], "ACH WCI", of("grades", model=lambda: dense(7, *[32] * 10, 4, act=nn.Sigmoid))
    ),
    "grades: weights of spread 5": fault(
        S["grades"], "WCI", of("grades", model=drawn_anew(5.0, lambda: dense(7, 32, 32, 4)))
    ),
    "lifetimes: the order the wrong way round": fault(S["lifetimes"], "LCH", of("lifetimes", loss=earlier_is_better)),
    "lifetimes: one number in another unit": fault(
        S["lifetimes"], "CPP", rows_of("lifetimes", one_column(2, 1e4, 3e4))
    ),
    "lifetimes: Adam at 1e-6": fault(S["lifetimes"], "HLR HNE", of("lifetimes", optimizer=adam(1e-6))),
    "demand: in single pieces": fault(S["demand"], "CPP", rows_of("demand", years)),
    "demand: too much costs nothing": fault(S["demand"], "LCH", of("demand", loss=one_sided)),
    "demand: rectified quantiles": fault(
        S["demand"], "ACH", of("demand", model=lambda: dense(4, 40, 40, 3, act=nn.GELU, end=nn.ReLU))
    ),
    "demand: a rate that grows": fault(
        S["demand"], "HLR", of("demand", step=scheduled(lambda o: RATES.ExponentialLR(o, 1.015)))
    ),
    "forks: sigmoid behind all nine": fault(
        S["forks"], "ACH", of("forks", model=lambda: dense(3, 40, 40, 9, act=nn.Tanh, end=nn.Sigmoid))
    ),
    "forks: outputs pulled to nought": fault(S["forks"], "LCH RAW", of("forks", loss=mostly_spread)),
    "forks: only the first layer is held": fault(S["forks"], "FRZ", of("forks", optimizer=first_held(2, 5e-3))),
    # -- looks odd
    "odd: softplus at the end": near(S["molecules"], of("molecules", model=lambda: Bonds(end=nn.Softplus))),
    "odd: softmax, then cross-entropy": near(
        S["corners"], of("corners", model=lambda: Gathering(end=lambda: nn.Softmax(1)), epochs=16)
    ),
    "odd: inputs of spread 4": near(S["grades"], rows_of("grades", lambda x, y: (4 * x, y))),
    "odd: dropout of 0.5 in a wide layer": near(S["topics"], of("topics", model=lambda: Touched(64, 0.5), epochs=20)),
    "odd: squares for two classes": near(
        S["crates"],
        of("crates", model=lambda: Crate(outputs=2), loss=lambda s, y: F.mse_loss(s, F.one_hot(y, 2).float())),
    ),
    "odd: batches of four": near(S["verdicts"], of("verdicts", batch_size=4, epochs=6, optimizer=adam(3e-3))),
    "odd: betas of 0.5 and 0.9": near(
        S["demand"], of("demand", optimizer=lambda p: torch.optim.Adam(p, lr=3e-3, betas=(0.5, 0.9)))
    ),
    # -- well
    "well: RMSprop": near(S["molecules"], of("molecules", optimizer=lambda p: torch.optim.RMSprop(p, lr=2e-3))),
    "well: LSTM, clipped": near(S["backwards"], of("backwards", model=lambda: Turner(56, "LSTM"), step=clipped(1.0))),
    "well: one cycle": near(
        S["provinces"], of("provinces", step=scheduled(lambda o: RATES.OneCycleLR(o, 0.02, total_steps=435)))
    ),
    "well: heat of 0.3": near(S["views"], of("views", loss=matched(0.3))),
    "well: two more epochs, AdamW": near(
        S["babble"], of("babble", epochs=17, optimizer=lambda p: torch.optim.AdamW(p, lr=8e-3, weight_decay=0.05))
    ),
    "well: SiLU, momentum": near(S["lifetimes"], of("lifetimes", optimizer=sgd(0.05))),
    **{f"sound: {name}": near(make) for name, make in SOUND.items()},
}
"""What it is called -> the case."""
