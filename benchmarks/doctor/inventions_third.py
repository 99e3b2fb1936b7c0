"""The third batch of invented trainings, written before the doctor was asked about any of them; of other data and families."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from invented import Case, Make, as_it_is, changers, fault, near
from invented_bases import Rows
from invented_bases_third import (
    SOUND,
    Adder,
    Causal,
    Keyed,
    Layered,
    Message,
    Sine,
    Twins,
    contrast,
    folded,
    gated,
    listening,
    shown,
    woven,
)
from others import clipped, forgotten, scheduled
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from families import adam, dense, drawn, sgd
from whet.setups import Setup

R = dataclasses.replace
RATES = torch.optim.lr_scheduler
S = SOUND
of, rows_of = changers(SOUND)


def leaking() -> Setup:
    """Validated on training rows."""
    s = SOUND["claims"]()
    return R(s, val=tuple(part[:350] for part in s.train))


def in_order(family: str, batch: int = 32, **changes: Any) -> Make:
    """Rows from the smallest target to the largest, never shuffled."""

    def make() -> Setup:
        s = SOUND[family]()
        x, y = s.train
        order = y.flatten().argsort(stable=True)
        return R(s, train=DataLoader(TensorDataset(x[order], y[order]), batch_size=batch), **changes)

    return make


def drawn_anew(spread: float, make: Any) -> Any:
    """Weights of linear and convolutional layers from a normal density with this spread."""

    def model() -> nn.Module:
        made: nn.Module = make()
        for m in made.modules():
            if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(m.weight, 0.0, spread)
        return made

    return model


def recurrent(spread: float, make: Any) -> Any:
    """With recurrent weights from a normal density with this spread."""

    def model() -> nn.Module:
        made: nn.Module = make()
        for name, p in made.named_parameters():
            if "_hh_" in name or "_ih_" in name:
                nn.init.normal_(p, 0.0, spread)
        return made

    return model


def frozen(make: Any, *names: str) -> Any:
    """With these parameters held still."""

    def model() -> nn.Module:
        made: nn.Module = make()
        for path, p in made.named_parameters():
            p.requires_grad = not path.startswith(names)
        return made

    return model


def asked(model: nn.Module, x: Any) -> Tensor:
    said: Tensor = model(*x) if isinstance(x, tuple | list) else model(x)
    return said


def of_two(change: Any = None) -> Any:
    """The plain step for several inputs; `change` is done between backward and step."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(asked(model, batch[0]), batch[1])
        value.backward()
        if change is not None:
            change(model)
        optimizer.step()
        return value

    return step


def scaled_loss(factor: float) -> Any:
    """Divided for an accumulation that never comes, or with the wrong sign."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(asked(model, batch[0]), batch[1])
        (factor * value).backward()
        optimizer.step()
        return value

    return step


def never_stepped(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    optimizer.zero_grad()
    value: Tensor = loss(asked(model, batch[0]), batch[1])
    value.backward()
    return value


def penalised(factor: float) -> Any:
    """L1 of all weights, by hand."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(asked(model, batch[0]), batch[1]) + factor * sum(p.abs().sum() for p in model.parameters())
        value.backward()
        optimizer.step()
        return value

    return step


def evaluating(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """After a look at the validation part nobody switched back."""
    model.eval()
    optimizer.zero_grad()
    value: Tensor = loss(model(batch[0]), batch[1])
    value.backward()
    optimizer.step()
    return value


def noisy_gradient(model: nn.Module) -> None:
    for p in model.parameters():
        if p.grad is not None:
            p.grad.add_(torch.randn_like(p.grad), alpha=0.3)


def signs_only(model: nn.Module) -> None:
    for p in model.parameters():
        if p.grad is not None:
            p.grad.sign_()


class Cube(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x**3


class Half(nn.Module):
    """All in float16."""

    def __init__(self, inner: nn.Module, size: float = 1.0) -> None:
        super().__init__()
        self.inner, self.size = inner.half(), size

    def forward(self, x: Tensor) -> Tensor:
        return self.inner((self.size * x).half()).float() / self.size


class Before(nn.Module):
    """A function of the input before the network."""

    def __init__(self, change: Any, inner: nn.Module) -> None:
        super().__init__()
        self.change, self.inner = change, inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.change(x))


class OneUnit(nn.Module):
    """A network whose scores are made of one number."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.head = gated(), nn.Linear(1, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.net(x).mean(1, keepdim=True))


def nll_of_shares(said: Tensor, y: Tensor) -> Tensor:
    return F.nll_loss(said.softmax(1), y)


def towards_noise(said: Tensor, y: Tensor) -> Tensor:
    """Labels smoothed until hardly anything is left of them."""
    return F.cross_entropy(said, y, label_smoothing=0.97)


def one_class_only(said: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(said, y, weight=torch.tensor([1.0, 1.0, 1e-4, 1e-4, 1e-4]))


def distance_of_shares(said: Tensor, y: Tensor) -> Tensor:
    """The distance between shares and one-hot rows."""
    return (said.softmax(1) - F.one_hot(y, said.shape[1]).float()).abs().mean()


def everyone(said: Tensor, y: Tensor) -> Tensor:
    """(n, 1) against (n,)."""
    return F.mse_loss(said, y[:, 0])


def mostly_drawn(x: Any, y: Tensor) -> Rows:
    wrong = torch.rand(len(y), generator=drawn(5)) < 0.7
    return x, torch.where(wrong, torch.randint(0, int(y.max()) + 1, y.shape, generator=drawn(6)), y)


def with_constants(x: Tensor, y: Tensor) -> Rows:
    return torch.cat([x, torch.ones(len(x), 5)], 1), y


def holes(x: Tensor, y: Tensor) -> Rows:
    return torch.where(torch.rand(x.shape, generator=drawn(3)) < 0.02, torch.inf, x), y


UNEVEN = torch.tensor([1e4, 1.0, 1.0, 1e-3, 1.0, 100.0, 1.0])
CASES: Mapping[str, Case] = {
    # -- values
    "claims: sorted by size": fault(S["claims"], "CPP", in_order("claims")),
    "claims: columns in their own units": fault(S["claims"], "CPP", rows_of("claims", lambda x, y: (x * UNEVEN, y))),
    "claims: every claim against every other": fault(S["claims"], "LCH", of("claims", loss=everyone)),
    "claims: validation in other units": fault(
        S["claims"], "CPP", rows_of("claims", as_it_is, lambda x, y: (x * 6 + 3, y)), repairable=False
    ),
    "claims: decay of 1": fault(S["claims"], "RAW", of("claims", optimizer=adam(4e-3, weight_decay=1.0))),
    "claims: twenty-four rows": fault(
        S["claims"], "TRD", rows_of("claims", lambda x, y: (x[:24], y[:24]), as_it_is), repairable=False
    ),
    "counts: logarithms taken for counts": fault(
        S["counts"], "LCH ACH", of("counts", loss=nn.PoissonNLLLoss(log_input=True))
    ),
    "counts: sigmoid at the end": fault(
        S["counts"],
        "ACH CPP LCH",
        of("counts", model=lambda: dense(6, 48, 48, 1, act=nn.SiLU, end=nn.Sigmoid), loss=nn.MSELoss()),
    ),
    "counts: plain steps of 1e-5": fault(S["counts"], "HLR OCH HNE", of("counts", optimizer=sgd(1e-5, 0.0))),
    "field: momentum of 0.999": fault(S["field"], "OCH HLR", of("field", optimizer=sgd(0.02, 0.999))),
    "field: sines forty times too fast": fault(
        S["field"], "ACH WCI", of("field", model=lambda: dense(2, 48, 48, 1, act=lambda: Sine(60.0)))
    ),
    "field: six sigmoid layers": fault(
        S["field"], "ACH WCI", of("field", model=lambda: dense(2, *[48] * 6, 1, act=nn.Sigmoid))
    ),
    "field: height in millimetres": fault(S["field"], "CPP", rows_of("field", lambda x, y: (x, 8000 * y + 4e5))),
    # -- signals and pictures
    "channels: norms of two rows": fault(
        S["channels"], "HBS HLR", of("channels", batch_size=2, epochs=2, optimizer=sgd(0.1))
    ),
    "channels: never switched back": fault(
        S["channels"], "MOD HLR", of("channels", step=evaluating, optimizer=sgd(0.3))
    ),
    "channels: volts as counts": fault(
        S["channels"],
        "CPP HLR",
        rows_of("channels", lambda x, y: (600 * x + 2048, y), model=lambda: listening(None), optimizer=sgd(0.01)),
    ),
    "channels: biases of -20": fault(
        S["channels"],
        "WCI ACH",
        of("channels", model=lambda: biased(listening(None), -20.0), optimizer=sgd(0.02)),
    ),
    "textures: norms that never take note": fault(
        S["textures"], "MOD HBS LRM RCD", of("textures", model=lambda: woven(1e-4))
    ),
    "textures: rate of 0.5": fault(S["textures"], "HLR", of("textures", optimizer=adam(0.5))),
    "textures: weights of spread 2, no norms": fault(
        S["textures"], "WCI", of("textures", model=drawn_anew(2.0, lambda: woven(norm=False)))
    ),
    "textures: float16, pixels to 255": fault(
        S["textures"],
        "PRC CPP",
        of("textures", model=lambda: Half(woven(norm=False), 3000.0), optimizer=sgd(1e-3)),
    ),
    "textures: one share of gradient in a thousand": fault(
        S["textures"], "HLR OCH HNE", of("textures", step=scaled_loss(1e-3), optimizer=sgd(0.05))
    ),
    "bars: through one number": fault(S["bars"], "LCN", of("bars", model=lambda: folded(1))),
    "bars: sigmoid at the end": fault(S["bars"], "ACH CPP", of("bars", model=lambda: folded(end=nn.Sigmoid))),
    "bars: drops nine of ten": fault(S["bars"], "RCD", of("bars", model=lambda: folded(drop=0.9))),
    "bars: rate that halves every four batches": fault(
        S["bars"], "HLR HNE", of("bars", step=scheduled(lambda o: RATES.StepLR(o, 4, 0.5)))
    ),
    "several: softmax over labels": fault(
        S["several"],
        "ACH LCH",
        of("several", model=lambda: shown(end=lambda: nn.Softmax(1)), loss=nn.BCELoss()),
    ),
    "several: only the head is held": fault(
        S["several"], "FRZ", of("several", optimizer=lambda p: torch.optim.Adam(p[-2:], lr=1e-3))
    ),
    "several: all in one batch": fault(
        S["several"], "HBS HNE HLR", of("several", batch_size=560, epochs=10, optimizer=adam(1e-3))
    ),
    # -- texts and letters
    "padded: one unit": fault(S["padded"], "LCN", of("padded", model=lambda: Keyed(width=1))),
    "padded: recurrent weights of spread 3": fault(
        S["padded"], "WCI", of("padded", model=recurrent(3.0, lambda: Keyed("RNN")))
    ),
    "padded: plain steps of 1e-3": fault(S["padded"], "HLR OCH HNE", of("padded", optimizer=sgd(1e-3, 0.0))),
    "padded: never cleared": fault(S["padded"], "ZGR", of("padded", step=forgotten, optimizer=sgd(0.1))),
    "padded: labels of seven in ten drawn": fault(
        S["padded"], "TCL", rows_of("padded", mostly_drawn, as_it_is), repairable=False
    ),
    "largest: looks ahead only": fault(
        S["largest"], "LRM ACH LCN", of("largest", model=lambda: Causal(ahead=True)), repairable=False
    ),
    "largest: six layers, norms behind, no warm-up": fault(
        S["largest"], "HLR WCI", of("largest", model=lambda: Causal(6, False), optimizer=adam(1e-2))
    ),
    "largest: AdamW with a decay of 20": fault(
        S["largest"], "RAW", of("largest", optimizer=lambda p: torch.optim.AdamW(p, lr=4e-3, weight_decay=20.0))
    ),
    "largest: Adagrad, hardly moving": fault(
        S["largest"], "OCH HLR HNE", of("largest", optimizer=lambda p: torch.optim.Adagrad(p, lr=1e-4))
    ),
    "largest: two epochs, low rate": fault(S["largest"], "HNE HLR OCH", of("largest", epochs=2, optimizer=adam(2e-4))),
    # -- pairs, series, tables, graphs
    "twins: a margin of 100": fault(S["twins"], "LCH CPP", of("twins", loss=contrast(100.0))),
    "twins: equal weights": fault(S["twins"], "WCI", of("twins", model=lambda: alike(Twins()))),
    "twins: wrong sign": fault(S["twins"], "LCH HLR", of("twins", step=scaled_loss(-1.0), optimizer=sgd(0.01))),
    "sums: gradients of noise": fault(S["sums"], "RAW HLR HBS", of("sums", step=of_two(noisy_gradient))),
    "sums: rate of 0.5": fault(S["sums"], "HLR", of("sums", optimizer=adam(0.5))),
    "sums: clipped to 1e-4": fault(S["sums"], "HLR OCH", of("sums", step=clipped(1e-4), optimizer=sgd(0.05))),
    "sums: infinite numbers": fault(S["sums"], "CPP", rows_of("sums", holes)),
    "gates: weights for two of five classes": fault(S["gates"], "LCH", of("gates", loss=one_class_only)),
    "gates: labels smoothed away": fault(S["gates"], "LCH RAW", of("gates", loss=towards_noise)),
    "gates: absolute distance of shares": fault(
        S["gates"], "LCH", of("gates", loss=distance_of_shares, optimizer=sgd(0.01))
    ),
    "gates: scores of one number": fault(S["gates"], "LCN", of("gates", model=OneUnit), repairable=False),
    "gates: one row a step": fault(S["gates"], "HBS HLR", of("gates", batch_size=1, epochs=2, optimizer=sgd(0.1))),
    "gates: likelihood of shares, no logarithm, slow": fault(
        S["gates"], "LCH HLR OCH HNE", of("gates", loss=nll_of_shares, optimizer=sgd(1e-3, 0.0))
    ),
    "gates: never stepped": fault(S["gates"], "FRZ HLR HNE ZGR OCH", of("gates", step=never_stepped)),
    "stacked: no skips, no norms, squashing": fault(
        S["stacked"], "ACH WCI", of("stacked", model=lambda: Layered(12, skip=0.0, act=nn.Sigmoid, norm=False))
    ),
    "stacked: twenty layers without skips": fault(
        S["stacked"], "WCI ACH", of("stacked", model=lambda: Layered(20, 8, skip=0.0, act=nn.ReLU, norm=False))
    ),
    "stacked: cubes": fault(S["stacked"], "ACH", of("stacked", model=lambda: Layered(4, act=Cube, norm=False))),
    "stacked: all but the head frozen, plain": fault(
        S["stacked"], "FRZ", of("stacked", model=frozen(lambda: Layered(10, 4), "front", "body"))
    ),
    "graphs: penalty of 0.05": fault(S["graphs"], "RAW", of("graphs", step=penalised(0.05))),
    "graphs: no bend": fault(S["graphs"], "ACH LRM", of("graphs", model=lambda: Message(act=lambda h: h))),
    "graphs: nodes a thousandth, plain steps": fault(
        S["graphs"],
        "CPP HLR OCH HNE",
        rows_of("graphs", lambda x, y: ((x[0] * 1e-3, x[1]), y), optimizer=sgd(0.05)),
    ),
    # -- two faults
    "claims: values in cents, rate low": fault(
        S["claims"], "CPP HLR OCH HNE", rows_of("claims", lambda x, y: (x, 2e4 * y + 5e4), optimizer=sgd(1e-6, 0.0))
    ),
    "textures: softmax twice, rate low": fault(
        S["textures"],
        "ACH LCH HLR OCH HNE",
        of("textures", model=lambda: woven(end=lambda: nn.Softmax(1)), optimizer=sgd(1e-3, 0.0)),
    ),
    # -- well
    "claims: leak": near(S["claims"], leaking),
    "claims: five constant columns": near(
        S["claims"], rows_of("claims", with_constants, model=lambda: dense(12, 48, 48, 1))
    ),
    "channels: layer norms in small": near(
        S["channels"], of("channels", model=lambda: listening(lambda c: nn.GroupNorm(4, c)), optimizer=adam(5e-3))
    ),
    "channels: cosine, warm-up": near(
        S["channels"],
        of("channels", step=scheduled(lambda o: RATES.OneCycleLR(o, 0.1, total_steps=216))),
    ),
    "padded: LSTM, clipped": near(S["padded"], of("padded", model=lambda: Keyed("LSTM"), step=clipped(1.0))),
    "padded: one label of twelve drawn": near(
        S["padded"], rows_of("padded", lambda x, y: (x, torch.where(torch.arange(len(y)) % 12 > 0, y, 0)), as_it_is)
    ),
    "several: sigmoid and its loss": near(
        S["several"], of("several", model=lambda: shown(end=nn.Sigmoid), loss=nn.BCELoss())
    ),
    "largest: norms behind, two layers": near(
        S["largest"], of("largest", model=lambda: Causal(2, False), optimizer=adam(2e-3), epochs=14)
    ),
    "stacked: logarithm of shares": near(
        S["stacked"], of("stacked", model=lambda: nn.Sequential(Layered(), nn.LogSoftmax(1)), loss=nn.NLLLoss())
    ),
    "stacked: logarithm of shares, twice": near(
        S["stacked"], of("stacked", model=lambda: nn.Sequential(Layered(), nn.LogSoftmax(1)))
    ),
    "gates: some dropout, more epochs": near(S["gates"], of("gates", model=lambda: gated(64, 0.2), epochs=30)),
    "gates: label smoothing": near(S["gates"], of("gates", loss=nn.CrossEntropyLoss(label_smoothing=0.1))),
    "field: tanh, decoupled decay": near(
        S["field"],
        of(
            "field",
            model=lambda: dense(2, 64, 64, 1, act=nn.Tanh),
            optimizer=lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=1e-3),
        ),
    ),
    "graphs: RMSprop": near(S["graphs"], of("graphs", optimizer=lambda p: torch.optim.RMSprop(p, lr=3e-3))),
    "sums: LSTM": near(S["sums"], of("sums", model=lambda: Adder("LSTM", 32), epochs=25)),
    **{f"sound: {name}": near(make) for name, make in SOUND.items()},
}
"""What it is called -> the case."""


def biased(model: nn.Module, bias: float) -> nn.Module:
    """With these biases in all convolutions."""
    for m in model.modules():
        if isinstance(m, nn.Conv1d):
            nn.init.constant_(m.bias, bias)  # type: ignore[arg-type]
    return model


def alike(model: nn.Module) -> nn.Module:
    for m in model.modules():
        if isinstance(m, nn.Linear):
            nn.init.constant_(m.weight, 0.02)
            nn.init.zeros_(m.bias)
    return model
