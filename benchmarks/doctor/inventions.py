"""The first batch of invented trainings: each is a change of a sound one (`invented_bases.py`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from invented import Case, Make, fault, near
from invented_bases import (
    SOUND,
    Bagged,
    Forecaster,
    Pair,
    Patches,
    Rows,
    Scan,
    cancer,
    cnn,
    conv1d,
    residual,
    squeezed,
    wine,
    with_divergence,
)
from others import clipped, evaluating, scheduled
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from families import adam, dense, drawn, sgd, spread
from whet.setups import Setup

R = dataclasses.replace
RATES = torch.optim.lr_scheduler


def of(family: str, **changes: Any) -> Make:
    return lambda: R(SOUND[family](), **changes)


def rows_of(family: str, change: Callable[..., Rows], val: bool = True, **changes: Any) -> Make:
    """With other rows, the validation part too or not."""

    def make() -> Setup:
        s = SOUND[family]()
        return R(s, train=change(*s.train), val=change(*s.val) if val else s.val, **changes)

    return make


def penalised(factor: float) -> Any:
    """L1 of all weights."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1]) + factor * sum(p.abs().sum() for p in model.parameters())
        value.backward()
        optimizer.step()
        return value

    return step


def noisy(share: float) -> Any:
    def change(x: Any, y: Tensor) -> Rows:
        wrong = torch.rand(len(y), generator=drawn(7)) < share
        return x, torch.where(wrong, y[torch.randperm(len(y), generator=drawn(8))], y)

    return change


def pixels(x: Tensor, y: Tensor) -> Rows:
    """As they come from a file: 0 to 255."""
    return (x + 1) * 127.5, y


def sorted_loader(batch: int = 32) -> Make:
    def make() -> Setup:
        s = SOUND["cnn"]()
        x, y = s.train
        order = y.argsort(stable=True)
        return R(s, train=DataLoader(TensorDataset(x[order], y[order]), batch_size=batch))

    return make


def filled(model: nn.Module, weight: float | None = None, bias: float | None = None, last: bool = False) -> nn.Module:
    """With these weights or biases everywhere; in the last layer too, or not."""
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    for m in layers if last else layers[:-1]:
        if weight is not None:
            nn.init.constant_(m.weight, weight)
        if bias is not None:
            nn.init.constant_(m.bias, bias)
    return model


def held(part: str) -> Any:
    """An optimiser that was given one part of the model: the last `part` tensors."""
    return lambda p: torch.optim.Adam(p[-int(part) :], lr=5e-3)


def frozen(model: nn.Module, *names: str) -> nn.Module:
    for path, p in model.named_parameters():
        if path.startswith(names):
            p.requires_grad = False
    return model


def pair_step(clear: bool = True) -> Any:
    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        if clear:
            optimizer.zero_grad()
        value: Tensor = loss(model(*batch[0]), batch[1])
        value.backward()
        optimizer.step()
        return value

    return step


class Exp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


SIZES = torch.tensor([1000.0, 1.0])
S = SOUND
CASES: Mapping[str, Case] = {
    # -- pictures, convolutions
    "cnn: momentum at a rate of 0.5": fault(S["cnn"], "HLR OCH", of("cnn", optimizer=sgd(0.5))),
    "cnn: raw pixels, plain steps": fault(S["cnn"], "CPP HLR", rows_of("cnn", pixels, optimizer=sgd(0.01))),
    "cnn: drops 0.85": fault(S["cnn"], "RCD", of("cnn", model=lambda: cnn(drop=0.85))),
    "cnn: rows sorted by class": fault(S["cnn"], "CPP", sorted_loader()),
    "cnn: equal weights": fault(S["cnn"], "WCI", of("cnn", model=lambda: filled(cnn(), 0.01, 0.0))),
    "cnn: sigmoids, plain steps": fault(
        S["cnn"], "ACH HLR OCH WCI", of("cnn", model=lambda: cnn(nn.Sigmoid), optimizer=sgd(0.01, 0.0))
    ),
    "cnn: softmax, and a rate ten times too low": fault(
        S["cnn"],
        "ACH LCH HLR HNE",
        of("cnn", model=lambda: nn.Sequential(cnn(), nn.Softmax(1)), optimizer=adam(1e-4)),
    ),
    "cnn: raw pixels, and a rate ten times too high": fault(
        S["cnn"], "CPP HLR", rows_of("cnn", pixels, optimizer=adam(2e-2))
    ),
    "cnn: front frozen, rate low": fault(
        S["cnn"],
        "FRZ HLR HNE OCH",
        of("cnn", model=lambda: frozen(cnn(), "0.", "3.", "8."), optimizer=sgd(1e-3, 0.0)),
    ),
    # -- recurrent
    "scan: Adam at 1e-5": fault(S["scan"], "HLR HNE", of("scan", optimizer=adam(1e-5))),
    "scan: gradients clipped to 1e-3": fault(S["scan"], "HLR OCH", of("scan", step=clipped(1e-3), optimizer=sgd(0.1))),
    "scan: weights all zero": fault(
        S["scan"], "WCI", of("scan", model=lambda: spread(Scan("RNN"), 0.0), optimizer=adam(5e-3))
    ),
    "scan: rate of 0.3": fault(S["scan"], "HLR", of("scan", optimizer=adam(0.3))),
    "forecast: values in thousands": fault(S["forecast"], "CPP", rows_of("forecast", lambda x, y: (x, 5000 + 300 * y))),
    "forecast: series and values in thousands": fault(
        S["forecast"], "CPP", rows_of("forecast", lambda x, y: (5000 + 300 * x, 5000 + 300 * y))
    ),
    "forecast: rectified output": fault(
        S["forecast"], "ACH", of("forecast", model=lambda: nn.Sequential(Forecaster(), nn.ReLU()))
    ),
    "forecast: one epoch": fault(S["forecast"], "HNE HLR", of("forecast", epochs=1, optimizer=adam(1e-3))),
    # -- attention, words
    "patches: rate of 0.1": fault(S["patches"], "HLR", of("patches", optimizer=adam(0.1))),
    "patches: weights 40 times as large": fault(
        S["patches"], "WCI", of("patches", model=lambda: spread(Patches(), 40.0))
    ),
    "patches: only the head is held": fault(S["patches"], "FRZ", of("patches", optimizer=held("2"))),
    "patches: schedule that dies": fault(
        S["patches"], "HLR HNE", of("patches", step=scheduled(lambda o: RATES.ExponentialLR(o, 0.9)))
    ),
    "bag: plain steps of 0.01": fault(S["bag"], "HLR OCH HNE", of("bag", optimizer=sgd(0.01, 0.0))),
    "bag: three of five labels drawn": fault(S["bag"], "TCL", rows_of("bag", noisy(0.75), val=False), repairable=False),
    "bag: L2 of 0.1 in Adam": fault(S["bag"], "RAW", of("bag", optimizer=adam(1e-2, weight_decay=0.1))),
    "bag: one number a word": fault(S["bag"], "LCN", of("bag", model=lambda: Bagged(1))),
    # -- autoencoders
    "squeezed: sigmoid at its end": fault(
        S["squeezed"], "ACH CPP", of("squeezed", model=lambda: squeezed(end=nn.Sigmoid))
    ),
    "squeezed: through one number": fault(S["squeezed"], "LCN", of("squeezed", model=lambda: squeezed(1))),
    "variational: divergence times 100": fault(
        S["variational"], "RAW LCH", of("variational", step=with_divergence(2.0))
    ),
    # -- pairs
    "pairs: gradients never cleared": fault(S["pairs"], "ZGR", of("pairs", step=pair_step(False))),
    "pairs: towers cut off": fault(S["pairs"], "FRZ", of("pairs", model=lambda: Pair(True)), repairable=False),
    "pairs: sigmoid before the loss of logits": fault(S["pairs"], "ACH LCH", of("pairs", model=lambda: Sigmoided())),
    # -- values
    "arm: rectified output": fault(
        S["arm"], "ACH", of("arm", model=lambda: dense(3, 40, 40, 2, act=nn.Tanh, end=nn.ReLU))
    ),
    "arm: one value in millimetres": fault(S["arm"], "CPP", rows_of("arm", lambda x, y: (x, y * SIZES))),
    "arm: eight sigmoid layers": fault(
        S["arm"], "ACH WCI", of("arm", model=lambda: dense(3, *[40] * 8, 2, act=nn.Sigmoid))
    ),
    "arm: degrees": fault(S["arm"], "CPP HLR", rows_of("arm", lambda x, y: (x * 40 + 180, y), optimizer=adam(1e-3))),
    "friedman: linear": fault(
        S["friedman"], "ACH LRM", of("friedman", model=lambda: dense(8, 48, 48, 1, act=nn.Identity))
    ),
    "friedman: exponential": fault(
        S["friedman"], "ACH", of("friedman", model=lambda: dense(8, 48, 48, 48, 1, act=Exp))
    ),
    "friedman: absolute shapes": fault(S["friedman"], "LCH CPP", rows_of("friedman", lambda x, y: (x, y[:, 0]))),
    # -- signals
    "pulses: biases of -10": fault(S["pulses"], "WCI ACH", of("pulses", model=lambda: filled(conv1d(), bias=-10.0))),
    "pulses: RMSprop at 0.3": fault(
        S["pulses"], "HLR OCH", of("pulses", optimizer=lambda p: torch.optim.RMSprop(p, lr=0.3))
    ),
    "pulses: the whole part in a batch": fault(
        S["pulses"], "HBS HNE HLR", of("pulses", batch_size=640, optimizer=adam(1e-3))
    ),
    # -- tables
    "cancer: norms of two rows": fault(S["cancer"], "HBS", of("cancer", batch_size=2, epochs=2, optimizer=adam(2e-2))),
    "cancer: evaluation mode from the start, rate high": fault(
        S["cancer"], "MOD HLR", of("cancer", step=evaluating(0), optimizer=sgd(0.5))
    ),
    "cancer: columns as they are, plain network": fault(
        S["cancer"],
        "CPP HLR",
        of("cancer", train=cancer(False)[0], val=cancer(False)[1], model=lambda: dense(30, 32, 2), optimizer=sgd(0.01)),
    ),
    "wine: columns as they are": fault(S["wine"], "CPP", of("wine", train=wine(False)[0], val=wine(False)[1])),
    "wine: likelihood of outputs as they are": fault(S["wine"], "LCH ACH", of("wine", loss=nn.NLLLoss())),
    "wine: fifteen rows": fault(
        S["wine"], "TRD", rows_of("wine", lambda x, y: (x[:9], y[:9]), val=False), repairable=False
    ),
    "wine: L1 of 0.2 and a softmax": fault(
        S["wine"],
        "RAW ACH LCH",
        of("wine", model=lambda: dense(13, 24, 3, end=lambda: nn.Softmax(1)), step=penalised(0.2)),
    ),
    # -- well
    "cnn: sgd": near(S["cnn"], of("cnn", optimizer=sgd(0.05))),
    "cnn: drops 0.2": near(S["cnn"], of("cnn", model=lambda: cnn(drop=0.2), epochs=12)),
    "scan: lstm, clipped to 1": near(
        S["scan"], of("scan", model=lambda: Scan("LSTM"), step=clipped(1.0), optimizer=adam(8e-3), epochs=14)
    ),
    "patches: one cycle": near(
        S["patches"], of("patches", step=scheduled(lambda o: RATES.OneCycleLR(o, 8e-3, total_steps=280)))
    ),
    "bag: sparse steps of 3": near(S["bag"], of("bag", optimizer=sgd(1.0), epochs=20)),
    "bag: one label of twenty drawn": near(S["bag"], rows_of("bag", noisy(0.05), val=False)),
    "cancer: columns as they are, behind a norm": fault(
        S["cancer"],
        "CPP",
        of(
            "cancer",
            train=cancer(False)[0],
            val=cancer(False)[1],
            model=lambda: nn.Sequential(nn.BatchNorm1d(30), residual()),
        ),
    ),
    "wine: softmax": fault(S["wine"], "ACH", of("wine", model=lambda: dense(13, 24, 3, end=lambda: nn.Softmax(1)))),
    "friedman: decay of 1e-4": near(S["friedman"], of("friedman", optimizer=adam(2e-3, weight_decay=1e-4))),
    "squeezed: tied to four numbers": near(S["squeezed"], of("squeezed", model=lambda: squeezed(4))),
    **{f"sound: {name}": near(make) for name, make in SOUND.items()},
}
"""What it is called -> the case."""


class Sigmoided(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.pair(a, b).sigmoid()
