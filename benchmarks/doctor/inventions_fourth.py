"""The fourth batch of invented trainings, written before the doctor was asked about any of them; of other data and families."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from invented import Case, as_it_is, changers, fault, near
from invented_bases import Rows
from invented_bases_fourth import (
    SOUND,
    Composer,
    Customer,
    Dilated,
    Drawer,
    Experts,
    Guessing,
    Placed,
    ResidualDense,
    Separable,
    Tagger,
    Twofold,
    Weighing,
    evidence_bound,
    nearer,
    share_error,
    shares,
    weighed,
)
from inventions_third import Half, drawn_anew, of_two, penalised, recurrent
from others import accumulated, clipped, forgotten, mixed, scheduled
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from families import adam, dense, drawn, sgd
from whet.setups import Setup

RATES = torch.optim.lr_scheduler
S = SOUND
of, rows_of = changers(SOUND)


def each_sixteenth(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """Clears each time, and steps each sixteenth time."""
    optimizer.count = getattr(optimizer, "count", 0) + 1
    optimizer.zero_grad()
    value: Tensor = loss(model(batch[0]), batch[1])
    value.backward()
    if optimizer.count % 16 == 0:
        optimizer.step()
    return value


def growing(model: nn.Module) -> None:
    """Gradients ten times as long from layer to layer, the wrong way of a layer-wise rate."""
    for i, p in enumerate(model.parameters()):
        if p.grad is not None:
            p.grad.mul_(10.0**i)


def with_l2(factor: float) -> Any:
    """A penalty of all weights, for models of one input or several."""

    def change(model: nn.Module) -> None:
        for p in model.parameters():
            if p.grad is not None:
                p.grad.add_(p.detach(), alpha=factor)

    return of_two(change)


def background_only(said: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(said, y, weight=torch.tensor([1.0, 1e-5]))


def same_way_lost(said: Tensor, y: Tensor) -> Tensor:
    """The likeness itself, instead of what lacks to it."""
    return F.cosine_similarity(said, y).mean()


def crossed_over(said: Tensor, y: Tensor) -> Tensor:
    """The divergence the other way round."""
    return F.kl_div(y.clamp_min(1e-8).log(), said.exp(), reduction="batchmean")


class First(nn.Module):
    """A function of the first numbers of an output."""

    def __init__(self, inner: nn.Module, first: int, act: Any) -> None:
        super().__init__()
        self.inner, self.first, self.act = inner, first, act

    def forward(self, x: Tensor) -> Tensor:
        said = self.inner(x)
        return torch.cat([self.act(said[:, : self.first]), said[:, self.first :]], 1)


class Exp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


def biased(make: Any, bias: float) -> Any:
    """With these biases in all but the last linear layer."""

    def model() -> nn.Module:
        made: nn.Module = make()
        for m in [m for m in made.modules() if isinstance(m, nn.Linear)][:-1]:
            nn.init.constant_(m.bias, bias)
        return made

    return model


def equal(make: Any, weight: float = 0.02) -> Any:
    def model() -> nn.Module:
        made: nn.Module = make()
        for p in made.parameters():
            nn.init.constant_(p, weight)
        return made

    return model


def first_held(count: int, lr: float) -> Any:
    return lambda p: torch.optim.Adam(p[:count], lr=lr)


def pixels(x: Tensor, y: Tensor) -> Rows:
    """As they come from a file."""
    return (40 * x + 80).clamp(0, 255), y


def rows_in_order() -> Setup:
    """Never shuffled, one class after the other, without norms, and the pixels as they come from a file."""
    s = SOUND["crosses"]()
    x, y = s.train
    order = y.argsort(stable=True)
    rows = DataLoader(TensorDataset(pixels(x, y)[0][order], y[order]), batch_size=25)
    return dataclasses.replace(s, train=rows, val=pixels(*s.val), model=lambda: Separable(norm=False))


def drawn_labels(share: float) -> Any:
    def change(x: Any, y: Tensor) -> Rows:
        wrong = torch.rand(y.shape, generator=drawn(15)) < share
        return x, torch.where(wrong, torch.randint(0, int(y.max()) + 1, y.shape, generator=drawn(16)), y)

    return change


def missing_targets(x: Any, y: Tensor) -> Rows:
    return x, torch.where(torch.rand(y.shape, generator=drawn(17)) < 0.02, torch.nan, y)


UNITS = torch.tensor([1.0, 3e4, 1.0, 1e-3])
THOUSANDS = torch.tensor([1.0, 3000.0])
CASES: Mapping[str, Case] = {
    # -- pictures
    "discs: grey values, no norms, plain steps": fault(
        S["discs"], "CPP HLR", rows_of("discs", pixels, model=lambda: Drawer(norm=False), optimizer=sgd(0.01))
    ),
    "discs: the disc is not heard of": fault(S["discs"], "LCH", of("discs", loss=background_only)),
    "discs: Adam at 1": fault(S["discs"], "HLR", of("discs", optimizer=adam(1.0))),
    "discs: sigmoids, no norms, plain steps": fault(
        S["discs"],
        "ACH HLR OCH WCI",
        of("discs", model=lambda: Drawer(act=nn.Sigmoid, norm=False), optimizer=sgd(0.01, 0.0)),
    ),
    "crosses: fifteen pictures": fault(
        S["crosses"], "TRD", rows_of("crosses", lambda x, y: (x[:15], y[:15]), as_it_is), repairable=False
    ),
    "crosses: a warm-up that never ends": fault(
        S["crosses"], "HLR HNE", of("crosses", step=scheduled(lambda o: RATES.LambdaLR(o, lambda k: k / 1e5)))
    ),
    "crosses: by class, and grey values": fault(S["crosses"], "CPP HLR", rows_in_order),
    "crosses: weights of spread 3, no norms": fault(
        S["crosses"], "WCI", of("crosses", model=drawn_anew(3.0, lambda: Separable(norm=False)))
    ),
    "margins: shares instead of scores": fault(
        S["margins"], "ACH LCH", of("margins", model=lambda: nn.Sequential(ResidualDense(), nn.Softmax(1)))
    ),
    "margins: exponentials": fault(S["margins"], "ACH", of("margins", model=lambda: ResidualDense(act=Exp))),
    "margins: float16, small steps": fault(
        S["margins"], "PRC HLR HNE OCH", of("margins", model=lambda: Half(ResidualDense()), optimizer=sgd(3e-5))
    ),
    "margins: L1 of 0.02": fault(S["margins"], "RAW", of("margins", step=penalised(0.02))),
    "margins: gradients ten times as long from layer to layer": fault(
        S["margins"], "HLR RAW LCH FRZ OCH", of("margins", step=of_two(growing))
    ),
    "guessing: divergence weighs 3": fault(S["guessing"], "LCH RAW", of("guessing", loss=evidence_bound(3.0))),
    "guessing: sigmoid at the end": fault(
        S["guessing"], "ACH CPP", of("guessing", model=lambda: First(Guessing(), 64, torch.sigmoid))
    ),
    "guessing: through one number": fault(
        S["guessing"], "LCN", of("guessing", model=lambda: Guessing(1), loss=evidence_bound(2e-3, 1))
    ),
    # -- texts and series
    "brackets: one unit": fault(S["brackets"], "LCN", of("brackets", model=lambda: Tagger(1))),
    "brackets: one epoch, low rate": fault(S["brackets"], "HNE HLR", of("brackets", epochs=1, optimizer=adam(5e-4))),
    "brackets: steps each sixteenth time": fault(
        S["brackets"],
        "HLR HNE FRZ ZGR HBS OCH",
        of("brackets", step=each_sixteenth, optimizer=adam(2e-3)),
    ),
    "opinions: attention five hundred times too sharp": fault(
        S["opinions"], "WCI ACH", of("opinions", model=lambda: Weighing(sharp=500.0))
    ),
    "opinions: decay of 0.1": fault(S["opinions"], "RAW", of("opinions", optimizer=adam(8e-3, weight_decay=0.1))),
    "opinions: nine labels of ten drawn": fault(
        S["opinions"], "TCL", rows_of("opinions", drawn_labels(0.9), as_it_is), repairable=False
    ),
    "opinions: recurrent weights of spread 5": fault(
        S["opinions"], "WCI", of("opinions", model=recurrent(5.0, Weighing))
    ),
    "tuned: never cleared": fault(S["tuned"], "ZGR", of("tuned", step=forgotten, optimizer=sgd(0.3))),
    "tuned: one unit": fault(S["tuned"], "LCN", of("tuned", model=lambda: Composer(1))),
    "tuned: betas of 0.9999 and 0.5": fault(
        S["tuned"], "OCH HLR", of("tuned", optimizer=lambda p: torch.optim.Adam(p, lr=1e-2, betas=(0.9999, 0.5)))
    ),
    "tuned: all rows in a batch": fault(S["tuned"], "HBS HNE HLR", of("tuned", batch_size=600, optimizer=adam(2e-3))),
    "echoes: no skips, weights of spread 0.01": fault(
        S["echoes"], "WCI", of("echoes", model=drawn_anew(0.01, lambda: Dilated(skip=0.0)))
    ),
    "echoes: plain steps of 1e-4": fault(S["echoes"], "HLR OCH HNE", of("echoes", optimizer=sgd(1e-4, 0.0))),
    "echoes: in another unit": fault(
        S["echoes"], "CPP HLR", rows_of("echoes", lambda x, y: (200 * x + 5000, 200 * y + 5000))
    ),
    # -- rows
    "triplets: biases of -30": fault(S["triplets"], "WCI ACH", of("triplets", model=biased(Placed, -30.0))),
    "triplets: momentum at a rate of 3": fault(
        S["triplets"], "HLR OCH", of("triplets", step=of_two(), optimizer=sgd(3.0))
    ),
    "triplets: everything negative, rectified": fault(
        S["triplets"], "ACH", of("triplets", model=biased(lambda: Placed(end=nn.ReLU), -3.0))
    ),
    "twofold: kinds are hardly heard": fault(
        S["twofold"], "LCH", of("twofold", loss=weighed(1e-4, 10.0)), repairable=False
    ),
    "twofold: values in thousands": fault(S["twofold"], "CPP LCH", rows_of("twofold", lambda x, y: (x, y * THOUSANDS))),
    "twofold: fourteen layers, tiny weights": fault(
        S["twofold"],
        "WCI ACH",
        of("twofold", model=drawn_anew(0.02, lambda: Twofold(deep=14, act=nn.Tanh))),
    ),
    "twofold: Adam at 2e-6": fault(S["twofold"], "HLR HNE", of("twofold", optimizer=adam(2e-6))),
    "customers: numbers in their own units": fault(
        S["customers"], "CPP", rows_of("customers", lambda x, y: ((x[0] * UNITS, x[1]), y))
    ),
    "customers: only the first vectors are held": fault(
        S["customers"], "FRZ", of("customers", optimizer=first_held(2, 5e-3))
    ),
    "customers: drops 0.97": fault(S["customers"], "RCD LCN", of("customers", model=lambda: Customer(8, 2, 0.97))),
    "customers: labels of -1 and 1": fault(
        S["customers"], "LCH CPP TCL ACH", rows_of("customers", lambda x, y: (x, 2 * y - 1), as_it_is)
    ),
    "customers: units, and momentum of 0.999": fault(
        S["customers"],
        "CPP OCH HLR",
        rows_of("customers", lambda x, y: ((x[0] * UNITS, x[1]), y), optimizer=sgd(0.05, 0.999)),
    ),
    "customers: L2 of 1 by hand": fault(S["customers"], "RAW", of("customers", step=with_l2(1.0))),
    "regions: equal weights": fault(S["regions"], "WCI", of("regions", model=equal(Experts))),
    "regions: targets that are no numbers": fault(
        S["regions"], "CPP TCL", rows_of("regions", missing_targets, as_it_is), repairable=False
    ),
    "regions: a rate that grows": fault(
        S["regions"], "HLR", of("regions", step=scheduled(lambda o: RATES.ExponentialLR(o, 1.02)))
    ),
    "regions: values of other rows": fault(
        S["regions"], "TCL", rows_of("regions", lambda x, y: (x, y.roll(11, 0)), as_it_is), repairable=False
    ),
    "mixtures: shares instead of their logarithms": fault(
        S["mixtures"], "LCH ACH", of("mixtures", model=lambda: shares(end=lambda: nn.Softmax(1)))
    ),
    "mixtures: rectified scores": fault(S["mixtures"], "ACH LCH", of("mixtures", model=lambda: shares(end=nn.ReLU))),
    "mixtures: weights of spread 8": fault(S["mixtures"], "WCI", of("mixtures", model=drawn_anew(8.0, shares))),
    "spreads: values in thousands": fault(S["spreads"], "CPP", rows_of("spreads", lambda x, y: (x, 4000 * y + 1e5))),
    "spreads: rectified at the end": fault(
        S["spreads"], "ACH", of("spreads", model=lambda: dense(3, 40, 40, 2, act=nn.GELU, end=lambda: Minus()))
    ),
    "spreads: AdamW with a decay of 40": fault(
        S["spreads"], "RAW", of("spreads", optimizer=lambda p: torch.optim.AdamW(p, lr=5e-3, weight_decay=40.0))
    ),
    "directions: sigmoid at the end": fault(
        S["directions"], "ACH", of("directions", model=lambda: dense(8, 64, 64, 5, end=nn.Sigmoid))
    ),
    "directions: likeness is driven down": fault(S["directions"], "LCH", of("directions", loss=same_way_lost)),
    "directions: one row a step": fault(
        S["directions"], "HBS HLR", of("directions", batch_size=1, epochs=2, optimizer=sgd(0.5))
    ),
    "directions: ten sigmoid layers": fault(
        S["directions"], "ACH WCI", of("directions", model=lambda: dense(8, *[64] * 10, 5, act=nn.Sigmoid))
    ),
    "directions: validation in other units": fault(
        S["directions"], "CPP", rows_of("directions", as_it_is, lambda x, y: (5 * x - 8, y)), repairable=False
    ),
    # -- well
    "discs: LeakyReLU, RMSprop": near(
        S["discs"],
        of("discs", model=lambda: Drawer(act=nn.LeakyReLU), optimizer=lambda p: torch.optim.RMSprop(p, lr=3e-3)),
    ),
    "brackets: LSTM, clipped to 1": near(
        S["brackets"], of("brackets", model=lambda: Tagger(cell="LSTM"), step=clipped(1.0), epochs=16)
    ),
    "opinions: label smoothing": near(S["opinions"], of("opinions", loss=nn.CrossEntropyLoss(label_smoothing=0.1))),
    "triplets: a margin of 0.3, tanh": near(
        S["triplets"], of("triplets", model=lambda: Placed(act=nn.Tanh), loss=nearer(0.3))
    ),
    "twofold: values count for a third": near(S["twofold"], of("twofold", loss=weighed(1.0, 0.3), epochs=40)),
    "customers: leavers count twice, decoupled decay": near(
        S["customers"],
        of(
            "customers",
            loss=nn.BCEWithLogitsLoss(pos_weight=torch.tensor(1.5)),
            optimizer=lambda p: torch.optim.AdamW(p, lr=5e-3, weight_decay=1e-2),
        ),
    ),
    "customers: some dropout": near(S["customers"], of("customers", model=lambda: Customer(48, 6, 0.15), epochs=20)),
    "echoes: squares, batches of 10": near(S["echoes"], of("echoes", loss=nn.MSELoss(), batch_size=10, epochs=8)),
    "regions: absolute errors": near(S["regions"], of("regions", loss=nn.L1Loss(), epochs=40)),
    "mixtures: cross-entropy with shares": near(
        S["mixtures"],
        of("mixtures", model=lambda: shares(end=nn.Identity), loss=nn.CrossEntropyLoss(), metric=share_error),
    ),
    "mixtures: the divergence the other way": near(S["mixtures"], of("mixtures", loss=crossed_over)),
    "directions: squares": near(S["directions"], of("directions", loss=nn.MSELoss())),
    "crosses: four small batches a step": near(S["crosses"], of("crosses", step=accumulated, batch_size=20)),
    "crosses: mixup": near(S["crosses"], of("crosses", step=mixed, epochs=14)),
    "tuned: two layers of GRU, clipped": near(
        S["tuned"], of("tuned", model=lambda: Composer(32, "GRU", 2), step=clipped(0.5))
    ),
    "margins: likelihood, one cycle": near(
        S["margins"],
        of(
            "margins",
            loss=nn.CrossEntropyLoss(),
            step=scheduled(lambda o: RATES.OneCycleLR(o, 0.02, total_steps=360)),
        ),
    ),
    "guessing: divergence weighs 1e-4": near(S["guessing"], of("guessing", loss=evidence_bound(1e-4))),
    **{f"sound: {name}": near(make) for name, make in SOUND.items()},
}
"""What it is called -> the case."""


class Minus(nn.Module):
    """The values rectified downwards, the spreads left as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([-x[:, :1].relu(), x[:, 1:]], 1)
