"""The seventh batch of invented trainings, written before the doctor was asked about any of them: common mistakes of moderate
strength, a third of them judged by a function of one's own; and sound ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from invented import Case, as_it_is, changers, fault, near
from invented_bases_seventh import SOUND, Caller, Liking, Reviewer, Tide, leaf_net, mask_net
from inventions_fourth import biased, drawn_labels, with_l2
from inventions_third import drawn_anew
from others import clipped, forgotten, scheduled
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from families import adam, dense, drawn, sgd
from whet.setups import Setup

RATES = torch.optim.lr_scheduler
Rows = tuple[Tensor, Tensor]
S = SOUND
of, rows_of = changers(SOUND)


# -- rows --------------------------------------------------------------------------------------------------------------


def borrowers(x: Tensor, y: Tensor) -> Rows:
    """Three columns as an income, an age and a share of a debt."""
    x = x.clone()
    x[:, :3] = x[:, :3] * torch.tensor([15e3, 11.0, 0.1]) + torch.tensor([42e3, 45.0, 0.3])
    return x, y


def one_in_thousands(x: Tensor, y: Tensor) -> Rows:
    """The temperature in thousandths of a degree."""
    return x, y * torch.tensor([1.0, 2000.0])


def prices(x: Tensor, y: Tensor) -> Rows:
    return x, 8e4 * y + 2.5e5


def first(count: int) -> Any:
    return lambda x, y: (x[:count], y[:count])


def bytes_of(x: Tensor, y: Tensor) -> Rows:
    return (50 * x + 60).clamp(0, 255), y


def in_order(family: str) -> Setup:
    """A loader that does not shuffle rows sorted by class."""
    s = SOUND[family]()
    x, y = s.train
    order = y.argsort(stable=True)
    return dataclasses.replace(s, train=DataLoader(TensorDataset(x[order], y[order]), batch_size=s.batch_size))


# -- losses ------------------------------------------------------------------------------------------------------------


def one_of_them(said: Tensor, y: Tensor) -> Tensor:
    """As though a gene had one function alone."""
    return F.cross_entropy(said, y.argmax(1))


def first_column(said: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(said[:, 0], y[:, 0])


def flat(said: Tensor, y: Tensor) -> Tensor:
    """One axis less: each answer is held against all targets."""
    return F.mse_loss(said, y[:, 0])


# -- networks ----------------------------------------------------------------------------------------------------------


class Again(nn.Module):
    """Made as `[layer] * 8`."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Sequential(nn.Linear(40, 40), nn.ReLU())
        self.all = nn.Sequential(nn.Linear(12, 40), nn.ReLU(), *[block] * 8, nn.Linear(40, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.all(x)


def dropping(drop: float) -> nn.Module:
    parts = [nn.Linear(14, 32), nn.ReLU(), nn.Dropout(drop), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(drop)]
    return nn.Sequential(*parts, nn.Linear(32, 1))


def frozen_but_last(make: Any) -> Any:
    def model() -> nn.Module:
        made: nn.Module = make()
        for p in list(made.parameters())[:-2]:
            p.requires_grad_(False)
        return made

    return model


def tiny_words() -> nn.Module:
    made = Reviewer()
    nn.init.normal_(made.words.weight, 0.0, 1e-3)
    return made


def with_l1(factor: float) -> Any:
    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1]) + factor * sum(p.abs().sum() for p in model.parameters())
        value.backward()
        optimizer.step()
        return value

    return step


CASES: Mapping[str, Case] = {
    # -- judged by a function of one's own
    "loans: columns in their own units": fault(S["loans"], "CPP", rows_of("loans", borrowers)),
    "loans: sigmoid twice, plain steps": fault(
        S["loans"], "ACH LCH HLR OCH", of("loans", model=lambda: dense(14, 32, 32, 1, end=nn.Sigmoid), optimizer=sgd(0.01, 0.0))
    ),
    "loans: drops 0.95 twice": fault(S["loans"], "RCD", of("loans", model=lambda: dropping(0.95))),
    "loans: a rate of 0.3 in Adam": fault(S["loans"], "HLR OCH", of("loans", optimizer=adam(0.3))),
    "masks: blots weigh 0.03": fault(
        S["masks"], "LCH", of("masks", loss=nn.BCEWithLogitsLoss(pos_weight=torch.tensor(0.03)))
    ),
    "masks: rectified scores": fault(S["masks"], "ACH", of("masks", model=lambda: mask_net(end=nn.ReLU))),
    "masks: Adam at 2e-5": fault(S["masks"], "HLR HNE", of("masks", optimizer=adam(2e-5))),
    "genes: one function alone": fault(S["genes"], "LCH ACH", of("genes", loss=one_of_them)),
    "genes: decay of 0.2 in Adam": fault(S["genes"], "RAW", of("genes", optimizer=adam(3e-3, weight_decay=0.2))),
    "genes: never cleared": fault(S["genes"], "ZGR", of("genes", step=forgotten, optimizer=sgd(0.05))),
    "engines: one target in thousands": fault(S["engines"], "CPP", rows_of("engines", one_in_thousands)),
    "engines: only the last layer moves": fault(
        S["engines"], "FRZ", of("engines", model=frozen_but_last(lambda: dense(8, 6, 6, 2)))
    ),
    "engines: one target forgotten": fault(S["engines"], "LCH", of("engines", loss=first_column)),
    # -- pictures
    "leaves: validation not divided": fault(
        S["leaves"], "CPP", rows_of("leaves", as_it_is, lambda x, y: (50 * x + 60, y)), repairable=False
    ),
    "leaves: six labels of ten drawn": fault(
        S["leaves"], "TCL", rows_of("leaves", drawn_labels(0.75), as_it_is), repairable=False
    ),
    "leaves: a rate of 3": fault(S["leaves"], "HLR OCH", of("leaves", optimizer=sgd(3.0))),
    "leaves: weights of nought": fault(S["leaves"], "WCI", of("leaves", model=drawn_anew(0.0, leaf_net))),
    "leaves: softmax first, plain steps": fault(
        S["leaves"], "ACH LCH HLR OCH",
        of("leaves", model=lambda: leaf_net(end=lambda: nn.Softmax(1)), optimizer=sgd(0.01, 0.0)),
    ),
    "leaves: 40 rows": fault(S["leaves"], "TRD", rows_of("leaves", first(40), as_it_is, epochs=60), repairable=False),
    # -- sequences, words
    "calls: numbers of hundreds": fault(S["calls"], "CPP", rows_of("calls", lambda x, y: (300 * x + 500, y))),
    "calls: one epoch": fault(S["calls"], "HNE HLR", of("calls", epochs=1)),
    "calls: clipped to 1e-3, plain steps": fault(
        S["calls"], "HLR OCH", of("calls", step=clipped(1e-3), optimizer=sgd(0.05))
    ),
    "calls: rectified scores of a wide rate": fault(
        S["calls"], "ACH HLR", of("calls", model=lambda: Caller(end=nn.ReLU), optimizer=adam(0.05))
    ),
    "reviews: words of spread 1e-3, plain steps": fault(
        S["reviews"], "HLR OCH WCI", of("reviews", model=tiny_words, optimizer=sgd(0.02))
    ),
    "reviews: by class": fault(S["reviews"], "CPP", lambda: in_order("reviews")),
    "reviews: drops 0.95": fault(S["reviews"], "RCD HNE", of("reviews", model=lambda: Reviewer(drop=0.97), epochs=5)),
    # -- values
    "houses: prices as they are": fault(S["houses"], "CPP", rows_of("houses", prices)),
    "houses: L1 of 0.01": fault(S["houses"], "RAW", of("houses", step=with_l1(0.01))),
    "houses: through one unit": fault(S["houses"], "LCN", of("houses", model=lambda: dense(12, 40, 1, 40, 1))),
    "houses: biases of -6": fault(
        S["houses"], "WCI ACH", of("houses", model=biased(lambda: dense(12, *[40] * 4, 1), -6.0))
    ),
    "houses: sigmoids, plain steps": fault(
        S["houses"], "ACH HLR OCH WCI", of("houses", model=lambda: dense(12, *[40] * 4, 1, act=nn.Sigmoid), optimizer=sgd(0.05))
    ),
    "houses: one block eight times": fault(S["houses"], "LRM WCI LCN ACH", of("houses", model=Again)),
    "films: one axis less": fault(S["films"], "LCH CPP", of("films", loss=flat)),
    "films: plain steps of 1e-3": fault(S["films"], "HLR OCH HNE", of("films", optimizer=sgd(1e-3))),
    "films: L2 of 0.1 by hand": fault(S["films"], "RAW", of("films", step=with_l2(0.1))),
    "tides: Adam at 0.1": fault(S["tides"], "HLR OCH", of("tides", optimizer=adam(0.1))),
    "tides: heights in centimetres, tanh": fault(
        S["tides"], "ACH CPP", rows_of("tides", lambda x, y: (x, 100 * y), model=lambda: Tide(end=nn.Tanh))
    ),
    "tides: a rate that falls too soon": fault(
        S["tides"], "HLR", of("tides", step=scheduled(lambda o: RATES.ExponentialLR(o, 0.85)))
    ),
    # -- well
    "odd: a weak borrower": near(S["loans"], rows_of("loans", lambda x, y: (
        x, torch.where(torch.rand(y.shape, generator=drawn(len(y))) < 0.25, 1 - y, y)), epochs=6)),
    "well: AdamW, one cycle": near(S["houses"], of(
        "houses", step=scheduled(lambda o: RATES.OneCycleLR(o, 1e-2, total_steps=500)))),
    "well: tanh": near(S["engines"], of("engines", model=lambda: dense(8, 48, 48, 2, act=nn.Tanh))),
    "well: plain steps on likings": near(
        S["films"], of("films", model=lambda: Liking(12), optimizer=adam(5e-3, weight_decay=1e-3))
    ),
    **{f"sound: {name}": near(make) for name, make in SOUND.items()},
}  # fmt: skip
"""What it is called -> the case."""
