"""The second batch of invented trainings, written after what the first one showed was mended; of other data and families."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from invented import Case, as_it_is, changers, fault, near
from invented_bases_second import SOUND, Copier, Reader, Rows, cleaning, seeing, turning
from others import clipped, forgotten, scheduled
from torch import Tensor, nn
from torch.nn import functional as F

from families import adam, dense, drawn, sgd

R = dataclasses.replace
RATES = torch.optim.lr_scheduler
S = SOUND
of, rows_of = changers(SOUND)


def drawn_anew(spread: float, make: Any) -> Any:
    """Weights of linear and convolutional layers from a normal density with this spread."""

    def model() -> nn.Module:
        made: nn.Module = make()
        for m in made.modules():
            if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d):
                nn.init.normal_(m.weight, 0.0, spread)
        return made

    return model


def raw(x: Tensor, y: Tensor) -> Rows:
    """Pixels as they come from a file."""
    return 255 * (0.35 * x + 0.15), y


def decayed(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """L2 of all weights, written by hand."""
    optimizer.zero_grad()
    value: Tensor = loss(model(batch[0]), batch[1]) + 0.3 * sum(p.square().sum() for p in model.parameters())
    value.backward()
    optimizer.step()
    return value


def offered(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """A step for two inputs in which gradients are cleared after they were made."""
    value: Tensor = loss(model(*batch[0]), batch[1])
    value.backward()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    return value


def shares(said: Tensor, y: Tensor) -> Tensor:
    """The likelihood of shares without a logarithm."""
    return F.nll_loss(said.softmax(1), y)


def holes(x: Tensor, y: Tensor) -> Rows:
    gone = torch.rand(x.shape, generator=drawn(3)) < 0.01
    return torch.where(gone, torch.nan, x), y


class Head(nn.Module):
    """A reader whose front is told to keep still."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = Reader(vectors=torch.ones(10, 12))

    def forward(self, x: Tensor) -> Tensor:
        return self.reader(x)


class Cube(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x**3


def only_first(p: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(p[:1], lr=0.05, momentum=0.9)


CASES: Mapping[str, Case] = {
    # -- one fault
    "spiral: rate of 3": fault(S["spiral"], "HLR OCH", of("spiral", optimizer=sgd(3.0))),
    "spiral: weights of spread 8": fault(S["spiral"], "WCI", of("spiral", model=drawn_anew(8.0, turning))),
    "spiral: no bend": fault(S["spiral"], "ACH LRM", of("spiral", model=lambda: dense(2, 40, 40, 3, act=nn.Identity))),
    "spiral: decay written by hand": fault(S["spiral"], "RAW", of("spiral", step=decayed)),
    "letters: frozen and all alike": fault(S["letters"], "FRZ WCI", of("letters", model=Head)),
    "letters: rate falls every eight steps": fault(
        S["letters"], "HLR HNE", of("letters", step=scheduled(lambda o: RATES.StepLR(o, 8, 0.3)))
    ),
    "letters: two units": fault(S["letters"], "LCN", of("letters", model=lambda: Reader(1))),
    "signs: rectified scores": fault(
        S["signs"], "ACH", of("signs", model=drawn_anew(0.3, lambda: seeing(end=nn.ReLU)), optimizer=sgd(0.1))
    ),
    "signs: one picture a step": fault(S["signs"], "HBS HLR", of("signs", batch_size=1, epochs=3, optimizer=sgd(0.05))),
    "signs: likelihood of shares, slow": fault(
        S["signs"], "LCH ACH HLR HNE OCH", of("signs", loss=shares, optimizer=sgd(1e-3, 0.0))
    ),
    "rolled: values times 20,000": fault(S["rolled"], "CPP", rows_of("rolled", lambda x, y: (x, 2e4 * y + 1e5))),
    "rolled: 400 to the right": fault(S["rolled"], "CPP", rows_of("rolled", lambda x, y: (x + 400, y))),
    "rolled: through one unit": fault(S["rolled"], "LCN", of("rolled", model=lambda: dense(3, 48, 1, 48, 1))),
    "rolled: cubes": fault(S["rolled"], "ACH", of("rolled", model=lambda: dense(3, 48, 48, 48, 1, act=Cube))),
    "labels: softmax": fault(
        S["labels"],
        "ACH LCH",
        of("labels", model=lambda: dense(12, 40, 4, end=lambda: nn.Softmax(1)), loss=nn.BCELoss()),
    ),
    "labels: Adagrad, hardly moving": fault(
        S["labels"], "OCH HLR HNE", of("labels", optimizer=lambda p: torch.optim.Adagrad(p, lr=1e-4))
    ),
    "curves: drops 0.9": fault(S["curves"], "RCD", of("curves", model=lambda: cleaning(0.9, 3))),
    "curves: tiny weights": fault(S["curves"], "WCI", of("curves", model=drawn_anew(1e-4, lambda: cleaning(0.0, 5)))),
    "curves: holes": fault(S["curves"], "CPP", rows_of("curves", holes)),
    "crowds: AdamW with a decay of 30": fault(
        S["crowds"], "RAW", of("crowds", optimizer=lambda p: torch.optim.AdamW(p, lr=4e-3, weight_decay=30.0))
    ),
    "crowds: momentum of 0.998": fault(S["crowds"], "OCH HLR", of("crowds", optimizer=sgd(0.1, 0.998))),
    "crowds: labels of other rows": fault(
        S["crowds"], "TCL", rows_of("crowds", lambda x, y: (x, y.roll(7)), as_it_is), repairable=False
    ),
    "copies: never cleared": fault(S["copies"], "ZGR", of("copies", step=forgotten, optimizer=sgd(0.1))),
    "copies: clipped to 1e-4": fault(S["copies"], "HLR OCH", of("copies", step=clipped(1e-4), optimizer=sgd(0.1))),
    "offers: only one tensor is held": fault(S["offers"], "FRZ", of("offers", optimizer=only_first)),
    "offers: cleared before the step": fault(S["offers"], "ZGR HLR OCH FRZ HNE", of("offers", step=offered)),
    "offers: three epochs, low rate": fault(S["offers"], "HNE HLR OCH", of("offers", epochs=3, optimizer=adam(1e-4))),
    # -- two faults
    "signs: raw pixels, and a softmax": fault(
        S["signs"],
        "CPP ACH",
        rows_of(
            "signs",
            raw,
            model=lambda: seeing(norm=False, end=lambda: nn.Softmax(1)),
        ),
    ),
    "spiral: six sigmoids, plain steps": fault(
        S["spiral"],
        "ACH WCI HLR OCH",
        of("spiral", model=lambda: dense(2, *[40] * 6, 3, act=nn.Sigmoid), optimizer=sgd(0.01, 0.0)),
    ),
    "offers: values in cents, and a rate too high": fault(
        S["offers"], "CPP HLR", rows_of("offers", lambda x, y: (x, 300 * y + 900), optimizer=sgd(0.3))
    ),
    # -- well
    "signs: Nesterov, one cycle": near(
        S["signs"],
        of(
            "signs",
            optimizer=sgd(0.05, 0.9, nesterov=True),
            step=scheduled(lambda o: RATES.OneCycleLR(o, 0.1, total_steps=180)),
        ),
    ),
    "letters: clipped to a half": near(S["letters"], of("letters", step=clipped(0.5))),
    "labels: sigmoid and its loss": near(
        S["labels"], of("labels", model=lambda: dense(12, 40, 4, end=nn.Sigmoid), loss=nn.BCELoss())
    ),
    "offers: Huber": near(S["offers"], of("offers", loss=nn.SmoothL1Loss())),
    "curves: LeakyReLU, some dropout": near(
        S["curves"], of("curves", model=lambda: cleaning(0.1, 2, nn.LeakyReLU), epochs=20)
    ),
    "crowds: label smoothing": near(S["crowds"], of("crowds", loss=nn.CrossEntropyLoss(label_smoothing=0.1))),
    "copies: norms behind": near(
        S["copies"], of("copies", model=lambda: Copier(False), optimizer=adam(3e-3), epochs=16)
    ),
    "rolled: RMSprop": near(S["rolled"], of("rolled", optimizer=lambda p: torch.optim.RMSprop(p, lr=2e-3))),
    "signs: pixels as they are, behind norms": fault(S["signs"], "CPP", rows_of("signs", raw)),
    "offers: a little decay": near(S["offers"], of("offers", optimizer=sgd(0.05, weight_decay=1e-4))),
    **{f"sound: {name}": near(make) for name, make in SOUND.items()},
}
"""What it is called -> the case."""
