"""The sixth batch of invented trainings, written before the doctor was asked about any of them: mostly common mistakes of
moderate strength, on ordinary networks; and sound ones of which a hasty doctor might think ill."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from invented import Case, as_it_is, changers, fault, near
from invented_bases_sixth import (
    SOUND,
    Cloud,
    Levels,
    Noted,
    Order,
    Ties,
    beat_net,
    both,
    hazard,
    sensor_net,
    tile_net,
)
from inventions_fourth import biased, drawn_labels, with_l2
from inventions_third import drawn_anew, evaluating
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


def people(x: Tensor, y: Tensor) -> Rows:
    """Of twelve columns that matter four as a year, an income, a share and a distance in metres."""
    x = x.clone()
    x[:, 30:34] = x[:, 30:34] * torch.tensor([12.0, 20e3, 0.1, 900.0]) + torch.tensor([1980.0, 40e3, 0.4, 3e3])
    return x, y


def degrees(x: Tensor, y: Tensor) -> Rows:
    """Settings of a furnace as they are read."""
    return x * torch.tensor([120.0, 5.0, 0.02, 40.0, 1.0]) + torch.tensor([900.0, 30.0, 0.1, 250.0, 7.0]), y


def pixels(x: Tensor, y: Tensor) -> Rows:
    return (60 * x + 90).clamp(0, 255), y


def vickers(x: Tensor, y: Tensor) -> Rows:
    return x, 120 * y + 450


def millivolts(x: Tensor, y: Tensor) -> Rows:
    """A signal in volts, where millivolts were meant."""
    return 1e-3 * x, y


def flat_targets(x: Tensor, y: Tensor) -> Rows:
    """Targets without their last axis: the loss spreads them over all pairs."""
    return x, y[:, 0]


def one_yield_in_grams(x: Tensor, y: Tensor) -> Rows:
    return x, y * torch.tensor([1.0, 1.0, 500.0, 1.0])


def days(x: Tensor, y: Tensor) -> Rows:
    """In hours, and not about nought."""
    return x, y * torch.tensor([1.0, 60.0]) + torch.tensor([0.0, 200.0])


def rare(x: Tensor, y: Tensor) -> Rows:
    """Of all but the first class one row in thirty."""
    kept = (y == 0) | (torch.rand(len(y), generator=drawn(31)) < 1 / 30)
    return x[kept], y[kept]


def few(count: int) -> Any:
    return lambda x, y: (x[:count], y[:count])


def turned(share: float) -> Any:
    """So many of all orders the wrong way round."""
    return lambda x, y: (x, torch.where(torch.rand(y.shape, generator=drawn(len(y))) < share, 1 - y, y))


def by_class(family: str) -> Setup:
    """Never shuffled, one class after the other."""
    s = SOUND[family]()
    x, y = s.train
    order = y.argsort(stable=True)
    return dataclasses.replace(s, train=DataLoader(TensorDataset(x[order], y[order]), batch_size=s.batch_size))


def squares_of_indices(said: Tensor, y: Tensor) -> Tensor:
    """The index of a class taken for a value."""
    return F.mse_loss(said.max(1).values, y.float())


# -- networks ----------------------------------------------------------------------------------------------------------


def frozen(make: Any, part: Any) -> Any:
    """Weights whose names begin so need no gradient."""

    def model() -> nn.Module:
        made: nn.Module = make()
        for name, p in made.named_parameters():
            p.requires_grad_(not name.startswith(part))
        return made

    return model


def dropping(share: float) -> nn.Module:
    return nn.Sequential(
        nn.Linear(120, 64),
        nn.ReLU(),
        nn.Dropout(share),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(share),
        nn.Linear(64, 5),
    )


class Same(nn.Module):
    """All hidden layers are one."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.Linear(32, 32)
        self.all = nn.Sequential(nn.Linear(15, 32), *[nn.Sequential(nn.Tanh(), layer)] * 12, nn.Linear(32, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.all(x)


class Plain(Levels):
    def __init__(self, spread: float) -> None:
        super().__init__(24, nn.RNN)
        nn.init.normal_(self.read.weight_hh_l0, 0.0, spread)


def in_half(make: Any) -> Any:
    """Weights and numbers of sixteen bits."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = make().half()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x.half())

    return Half


# -- steps -------------------------------------------------------------------------------------------------------------


def each(k: int) -> Any:
    """A step each k batches, of gradients that are cleared with every batch."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.count = getattr(optimizer, "count", 0) + 1
        if optimizer.count % k == 0:
            optimizer.step()
        return value

    return step


def adadelta(p: Any) -> torch.optim.Optimizer:
    """With the rate that Adam has."""
    return torch.optim.Adadelta(p, lr=1e-3)


CASES: Mapping[str, Case] = {
    # -- tables
    "survey: Adam at 0.3": fault(S["survey"], "HLR OCH", of("survey", optimizer=adam(0.3))),
    "survey: plain steps of 1e-3": fault(S["survey"], "HLR OCH HNE", of("survey", optimizer=sgd(1e-3, 0.0))),
    "survey: drops 0.93 twice": fault(S["survey"], "RCD", of("survey", model=lambda: dropping(0.93))),
    "survey: columns in their own units": fault(S["survey"], "CPP", rows_of("survey", people)),
    "survey: 70 rows": fault(S["survey"], "TRD", rows_of("survey", few(70), as_it_is, epochs=60), repairable=False),
    "survey: rare classes": fault(
        S["survey"], "TRD TCL CPP LCH", rows_of("survey", rare, as_it_is), repairable=False
    ),
    "survey: six labels of ten drawn": fault(
        S["survey"], "TCL", rows_of("survey", drawn_labels(0.75), as_it_is), repairable=False
    ),
    "kiln: hardness as it is, plain steps": fault(
        S["kiln"], "CPP", rows_of("kiln", vickers, optimizer=sgd(1e-2))
    ),
    "kiln: hardness as it is, Adam": fault(S["kiln"], "CPP HLR HNE", rows_of("kiln", vickers, optimizer=adam(1e-3))),
    "kiln: settings as they are read": fault(S["kiln"], "CPP", rows_of("kiln", degrees)),
    "kiln: targets without their axis": fault(S["kiln"], "LCH CPP", rows_of("kiln", flat_targets, as_it_is)),
    "kiln: sigmoid at the end": fault(
        S["kiln"], "ACH CPP", of("kiln", model=lambda: dense(5, 32, 32, 1, end=nn.Sigmoid))
    ),
    "kiln: all rows in a batch": fault(S["kiln"], "HBS HNE HLR", of("kiln", batch_size=600, optimizer=adam(1e-3))),
    "kiln: decay of 0.3 in Adam": fault(S["kiln"], "RAW", of("kiln", optimizer=adam(5e-3, weight_decay=0.3))),
    "kiln: float16, hardness as it is": fault(
        S["kiln"], "PRC CPP", rows_of("kiln", lambda x, y: (x, (120 * y + 450).half()), lambda x, y: (x, 120 * y + 450),
                                      model=in_half(lambda: dense(5, 32, 32, 1)))
    ),
    "plant: momentum of 0.999": fault(S["plant"], "OCH HLR", of("plant", optimizer=sgd(0.05, 0.999))),
    "plant: rate of 1": fault(S["plant"], "HLR OCH", of("plant", optimizer=sgd(1.0))),
    "plant: rectified at the end": fault(
        S["plant"], "ACH", of("plant", model=lambda: dense(20, 48, 48, 4, end=nn.ReLU))
    ),
    "plant: validation as it is read": fault(
        S["plant"], "CPP", rows_of("plant", as_it_is, lambda x, y: (3 * x + 2, y)), repairable=False
    ),
    "plant: no bend": fault(S["plant"], "ACH LRM", of("plant", model=lambda: dense(20, 48, 48, 4, act=nn.Identity))),
    "shells: sigmoids": fault(
        S["shells"], "ACH WCI", of("shells", model=lambda: dense(15, *[32] * 5, 3, act=nn.Sigmoid))
    ),
    "shells: weights of spread 0.02": fault(
        S["shells"], "WCI", of("shells", model=drawn_anew(0.02, lambda: dense(15, *[32] * 5, 3)))
    ),
    "shells: weights of spread 1.5": fault(
        S["shells"], "WCI", of("shells", model=drawn_anew(1.5, lambda: dense(15, *[32] * 5, 3)))
    ),
    "shells: one layer twelve times": fault(S["shells"], "LRM WCI LCN ACH", of("shells", model=Same)),
    "shells: thirty layers": fault(
        S["shells"], "LRM WCI ACH", of("shells", model=lambda: dense(15, *[32] * 30, 3))
    ),
    "shells: through one unit": fault(S["shells"], "LCN", of("shells", model=lambda: dense(15, 32, 1, 32, 3))),
    # -- signals, pictures
    "beats: never trains but in evaluation mode": fault(
        S["beats"], "MOD", of("beats", step=evaluating, epochs=3)
    ),
    "beats: in volts, no norms": fault(
        S["beats"], "CPP", rows_of("beats", millivolts, model=lambda: beat_net(norm=False))
    ),
    "beats: two rows a step": fault(S["beats"], "HBS HLR", of("beats", batch_size=2, epochs=2, optimizer=adam(2e-2))),
    "tiles: pixels as they are": fault(S["tiles"], "CPP HLR", rows_of("tiles", pixels)),
    "tiles: Adam at 1e-5": fault(S["tiles"], "HLR HNE", of("tiles", optimizer=adam(1e-5))),
    "tiles: biases of -3": fault(S["tiles"], "WCI ACH", of("tiles", model=biased(tile_net, -3.0))),
    "tiles: convolutions frozen, rate low": fault(
        S["tiles"], "FRZ HLR", of("tiles", model=frozen(tile_net, ("0", "3", "8")))
    ),
    "tiles: by class": fault(S["tiles"], "CPP", lambda: by_class("tiles")),
    "tiles: one epoch": fault(S["tiles"], "HNE HLR", of("tiles", epochs=1)),
    # -- texts, points, graphs
    "notes: Adadelta at 1e-3": fault(S["notes"], "OCH HLR", of("notes", optimizer=adadelta)),
    "notes: likelihood of scores": fault(S["notes"], "LCH ACH", of("notes", loss=nn.NLLLoss())),
    "notes: class indices as values": fault(S["notes"], "LCH", of("notes", loss=squares_of_indices)),
    "notes: softmax first, plain steps": fault(
        S["notes"], "ACH LCH HLR OCH", of("notes", model=lambda: Noted(end=lambda: nn.Softmax(1)), optimizer=sgd(0.05))
    ),
    "votes: Adam at 0.1": fault(S["votes"], "HLR OCH", of("votes", optimizer=adam(0.1))),
    "votes: never cleared": fault(S["votes"], "ZGR", of("votes", step=forgotten)),
    "clouds: no bend": fault(S["clouds"], "ACH LRM", of("clouds", model=lambda: Cloud(nn.Identity))),
    "clouds: rectified scores": fault(S["clouds"], "ACH", of("clouds", model=lambda: Cloud(end=nn.ReLU), optimizer=adam(2e-2))),
    "clouds: clipped to 1e-4": fault(S["clouds"], "HLR OCH", of("clouds", step=clipped(1e-4), optimizer=sgd(0.05))),
    "ties: decay of 1": fault(S["ties"], "RAW", of("ties", optimizer=adam(5e-3, weight_decay=1.0))),
    "ties: saturated": fault(
        S["ties"], "WCI ACH", of("ties", model=drawn_anew(12.0, lambda: Ties(act=nn.Tanh)))
    ),
    # -- a value at each time, two answers, orders, months, sensors
    "levels: recurrent weights of spread 2": fault(S["levels"], "WCI ACH", of("levels", model=lambda: Plain(2.0))),
    "levels: one unit": fault(S["levels"], "LCN", of("levels", model=lambda: Levels(1))),
    "levels: rate that falls too soon": fault(
        S["levels"], "HLR", of("levels", step=scheduled(lambda o: RATES.ExponentialLR(o, 0.9)))
    ),
    "levels: tanh at the end": fault(
        S["levels"], "ACH CPP", rows_of("levels", lambda x, y: (x, 4 * y + 3), model=lambda: Levels(end=nn.Tanh))
    ),
    "patients: days in hours": fault(S["patients"], "CPP LCH", rows_of("patients", days)),
    "patients: Adam at 2e-5": fault(S["patients"], "HLR HNE", of("patients", optimizer=adam(2e-5))),
    "patients: kinds are not heard": fault(S["patients"], "LCH", of("patients", loss=both(0.0))),
    "orders: sigmoid twice, plain steps": fault(
        S["orders"], "ACH LCH HLR OCH", of("orders", model=lambda: Order(end=nn.Sigmoid), optimizer=sgd(0.02, 0.0))
    ),
    "orders: nearly half turned": fault(
        S["orders"], "TCL", rows_of("orders", turned(0.45), as_it_is), repairable=False
    ),
    "waits: stays taken for ends": fault(S["waits"], "LCH", of("waits", loss=lambda said, y: hazard(-said, y))),
    "waits: only the head is held": fault(
        S["waits"], "FRZ", of("waits", optimizer=lambda p: torch.optim.Adam(p[-1:], lr=3e-3))
    ),
    "sensors: through one number": fault(S["sensors"], "LCN", of("sensors", model=lambda: sensor_net(1))),
    "sensors: rectified at the end": fault(S["sensors"], "ACH", of("sensors", model=lambda: sensor_net(end=nn.ReLU))),
    "sensors: L2 of 0.3 by hand": fault(S["sensors"], "RAW", of("sensors", step=with_l2(0.3))),
    "sensors: a step each thirtieth batch": fault(S["sensors"], "HNE HLR OCH HBS ZGR", of("sensors", step=each(30))),
    # -- looks odd
    "odd: inputs of spread 3": near(S["survey"], rows_of("survey", lambda x, y: (3 * x, y))),
    "odd: a constant column": near(S["kiln"], rows_of("kiln", lambda x, y: (torch.cat([x, torch.ones(len(x), 1)], 1), y),
                                                      model=lambda: dense(6, 32, 32, 1))),
    "odd: absolute errors": near(S["kiln"], of("kiln", loss=nn.L1Loss())),
    "odd: large batches, more epochs": near(S["shells"], of("shells", batch_size=200, epochs=60)),
    "odd: drops 0.4": near(S["survey"], of("survey", model=lambda: dropping(0.4))),
    "odd: squares of one-hot classes": near(
        S["clouds"], of("clouds", loss=lambda s, y: F.mse_loss(s, F.one_hot(y, 3).float()), epochs=16)
    ),
    "odd: a weak signal": near(S["orders"], rows_of("orders", turned(0.33), epochs=4)),
    "odd: values that are mostly noise": near(
        S["kiln"], rows_of("kiln", lambda x, y: (x, y + 1.6 * torch.randn(y.shape, generator=drawn(len(y)))), epochs=6,
                           optimizer=adam(2e-3))
    ),
    "odd: one label in twelve drawn": near(S["survey"], rows_of("survey", drawn_labels(0.08), as_it_is)),
    "odd: half of the rows": near(S["tiles"], rows_of("tiles", few(300), as_it_is, epochs=20)),
    # -- well
    "well: one cycle": near(S["plant"], of("plant", step=scheduled(lambda o: RATES.OneCycleLR(o, 0.15, total_steps=625)))),
    "well: warm restarts": near(
        S["beats"], of("beats", step=scheduled(lambda o: RATES.CosineAnnealingWarmRestarts(o, 50)), epochs=10)
    ),
    "well: label smoothing": near(S["notes"], of("notes", loss=nn.CrossEntropyLoss(label_smoothing=0.1))),
    "well: LSTM, clipped": near(
        S["levels"], of("levels", model=lambda: Levels(28, nn.LSTM), step=clipped(1.0), epochs=15)
    ),
    "well: GELU, AdamW": near(
        S["tiles"], of("tiles", model=lambda: tile_net(nn.GELU, 0.2), optimizer=lambda p: torch.optim.AdamW(p, lr=3e-3))
    ),
    **{f"sound: {name}": near(make) for name, make in SOUND.items()},
}  # fmt: skip
"""What it is called -> the case."""
