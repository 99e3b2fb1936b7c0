"""Random trainings, sound and with a planted fault: what the doctor's borders are checked on.

A base is drawn (data, network, optimiser), trained with three seeds, and kept if it learns. A fault operator of random
strength is then applied. It counts as a fault where at least two of three seeds end 8 points of accuracy or 0.15 R2 below
the base, as a benign smell otherwise. Bases themselves, with harmless variations, are the healthy cases.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whet.setups import Setup, train

DROP = {"accuracy": 0.08, "r2": 0.15}
SLACK = {"accuracy": 0.04, "r2": 0.08}
SEEDS = (0, 1, 2)


@dataclass
class Plan:
    """A training as choices that operators can change."""

    name: str
    train: tuple[Tensor, Tensor]
    val: tuple[Tensor, Tensor]
    kind: str
    """"dense", "conv" or "recurrent"."""
    outputs: int
    metric: str
    act: Callable[[], nn.Module] = nn.ReLU
    widths: tuple[int, ...] = (32, 32)
    end: Callable[[], nn.Module] | None = None
    init: Callable[[nn.Module], None] | None = None
    dropout: float = 0.0
    loss: Any = None
    optimizer: str = "Adam"
    lr: float = 2e-3
    settings: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    epochs: int = 30
    l1: float = 0.0
    clears: bool = True
    held: int = 0
    """The first parameter that the optimiser is given."""
    frozen: bool = False

    def setup(self) -> Setup:
        plan = dataclasses.replace(self)
        return Setup(
            model=functools.partial(network, plan),
            loss=plan.loss or (nn.CrossEntropyLoss() if plan.metric == "accuracy" else nn.MSELoss()),
            optimizer=lambda p: getattr(torch.optim, plan.optimizer)(p[plan.held :], lr=plan.lr, **plan.settings),
            train=plan.train,
            val=plan.val,
            batch_size=plan.batch_size,
            epochs=plan.epochs,
            metric=plan.metric,
            step=functools.partial(own_step, plan) if plan.l1 or not plan.clears else None,
        )


def own_step(plan: Plan, model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    x, y = batch
    if plan.clears:
        optimizer.zero_grad()
    value = loss(model(x), y)
    (value + plan.l1 * sum(p.abs().sum() for p in model.parameters())).backward()
    optimizer.step()
    return value


class Last(nn.Module):
    def forward(self, x: Any) -> Tensor:
        return x[0][:, -1]


def network(plan: Plan) -> nn.Module:
    x = plan.train[0]
    layers: list[nn.Module] = []
    if plan.kind == "conv":
        layers += [nn.Conv2d(x.shape[1], plan.widths[0], 3, padding=1), plan.act(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(plan.widths[0], plan.widths[1], 3, padding=1), plan.act(), nn.MaxPool2d(2), nn.Flatten()]
        size, hidden = plan.widths[1] * (x.shape[2] // 4) * (x.shape[3] // 4), plan.widths[2:]
    elif plan.kind == "recurrent":
        layers += [nn.GRU(x.shape[2], plan.widths[0], batch_first=True), Last()]
        size, hidden = plan.widths[0], plan.widths[1:]
    else:
        size, hidden = x.shape[1], plan.widths
    for width in hidden:
        layers += [nn.Linear(size, width), plan.act()]
        layers += [nn.Dropout(plan.dropout)] if plan.dropout else []
        size = width
    layers.append(nn.Linear(size, plan.outputs))
    if plan.end is not None:
        layers.append(plan.end())
    model = nn.Sequential(*layers)
    if plan.init is not None:
        plan.init(model)
    if plan.frozen:
        for p in list(model.parameters())[:-2]:
            p.requires_grad_(False)
    return model


# -- bases -------------------------------------------------------------------------------------------------------------


def split(x: Any, y: Any, draw: random.Random, classes: bool) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    x, y = np.asarray(x, np.float64), np.asarray(y)
    order = np.random.RandomState(draw.randrange(1 << 30)).permutation(len(x))
    x, y = x[order], y[order]
    cut = int(0.7 * len(x))
    flat = x.reshape(len(x), -1)
    mean, std = flat[:cut].mean(0), flat[:cut].std(0)
    std[std < 1e-9] = 1
    x = ((flat - mean) / std).reshape(x.shape)
    if not classes:
        y = (y - y[:cut].mean()) / y[:cut].std()
    dtype = torch.int64 if classes else torch.float32
    a, b = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=dtype)
    b = b if classes else b[:, None]
    return (a[:cut], b[:cut]), (a[cut:], b[cut:])


def data(name: str, draw: random.Random) -> tuple[Any, Any, str, int, bool]:
    """(x, y, kind, outputs, classes)."""
    from sklearn import datasets as D

    seed = draw.randrange(1 << 30)
    rng = np.random.RandomState(seed)
    if name == "moons":
        return *D.make_moons(900, noise=draw.uniform(0.1, 0.25), random_state=seed), "dense", 2, True
    if name == "blobs":
        k = draw.randint(3, 6)
        return (
            *D.make_blobs(900, centers=k, n_features=draw.randint(2, 6), cluster_std=1.5, random_state=seed),
            "dense",
            k,
            True,
        )
    if name == "spiral":
        t, c = rng.rand(900) * 3 * np.pi, rng.randint(0, 3, 900)
        x = np.stack([t * np.cos(t + c * 2.1), t * np.sin(t + c * 2.1)], 1) + rng.randn(900, 2) * 0.4
        return x, c, "dense", 3, True
    if name == "friedman":
        return *D.make_friedman1(800, noise=0.5, random_state=seed), "dense", 1, False
    if name == "sines":
        x = rng.randn(700, 3)
        return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2], "dense", 1, False
    if name == "order":
        x = rng.randn(900, 12, 2)
        return x, (x[:, :6, 0].sum(1) > x[:, 6:, 1].sum(1)).astype(int), "recurrent", 2, True
    if name in ("digits", "pictures"):
        x, y = D.load_digits(return_X_y=True)
        return (
            (x.reshape(-1, 1, 8, 8) if name == "pictures" else x),
            y,
            "conv" if name == "pictures" else "dense",
            10,
            True,
        )
    x, y = getattr(D, f"load_{name}")(return_X_y=True)
    classes = name != "diabetes"
    return x, y, "dense", len(set(y.tolist())) if classes else 1, classes


NAMES = ("moons", "blobs", "spiral", "friedman", "sines", "order", "digits", "pictures", "wine", "breast_cancer")
ACTS = (nn.ReLU, nn.Tanh, nn.ELU, nn.GELU, nn.SiLU, nn.LeakyReLU)


def base(seed: int) -> Plan:
    """A sound training, drawn by a seed."""
    draw = random.Random(seed)
    name = draw.choice(NAMES)
    x, y, kind, outputs, classes = data(name, draw)
    train_part, val_part = split(x, y, draw, classes)
    widths = tuple(draw.choice((16, 32, 64, 128)) for _ in range(draw.randint(2, 3) + (kind == "conv")))
    optimizer, lr, settings = draw.choice(
        (("Adam", 2e-3, {}), ("SGD", 0.05, {"momentum": 0.9}), ("RMSprop", 1e-3, {}), ("AdamW", 2e-3, {}))
    )
    steps = draw.choice((800, 1200))
    batch = draw.choice((16, 32, 64))
    epochs = max(5, math.ceil(steps / math.ceil(len(train_part[1]) / batch)))
    metric = "accuracy" if classes else "r2"
    return Plan(
        name,
        train_part,
        val_part,
        kind,
        outputs,
        metric,
        draw.choice(ACTS),
        widths,
        optimizer=optimizer,
        lr=lr,
        settings=settings,
        batch_size=batch,
        epochs=epochs,
        dropout=draw.choice((0.0, 0.0, 0.1)),
    )


# -- faults ------------------------------------------------------------------------------------------------------------


def weights(how: Callable[[Tensor], Any]) -> Callable[[nn.Module], None]:
    def init(model: nn.Module) -> None:
        for m in model.modules():
            if isinstance(m, nn.Linear | nn.Conv2d):
                how(m.weight)
                nn.init.zeros_(m.bias)

    return init


class Exp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x


def deep(plan: Plan, act: Any, depth: int, **more: Any) -> Plan:
    return dataclasses.replace(plan, act=act, widths=(*plan.widths[:2], *([32] * depth)), dropout=0.0, **more)


def moved(part: tuple[Tensor, Tensor], scale: Any, shift: float) -> tuple[Tensor, Tensor]:
    return part[0] * scale + shift, part[1]


def uneven(plan: Plan, by: float) -> Plan:
    scale = torch.ones(plan.train[0].shape[1:])
    scale.reshape(-1)[0] = by
    return dataclasses.replace(plan, train=moved(plan.train, scale, 0), val=moved(plan.val, scale, 0))


def noisy(plan: Plan, share: float, draw: random.Random) -> Plan:
    y = plan.train[1].clone()
    g = torch.Generator().manual_seed(draw.randrange(1 << 30))
    rows = torch.rand(len(y), generator=g) < share
    y[rows] = y[rows][torch.randperm(int(rows.sum()), generator=g)]
    return dataclasses.replace(plan, train=(plan.train[0], y))


def shares_loss(kind: str) -> Any:
    def loss(z: Tensor, y: Tensor) -> Tensor:
        wanted = nn.functional.one_hot(y, z.shape[1]).float()
        return (z - wanted).abs().mean() if kind == "mae" else ((z - wanted) ** 2).mean()

    return loss


R = dataclasses.replace
FAULTS: dict[str, tuple[str, set[str], Callable[[Plan, random.Random], Plan | None]]] = {
    "deep_sigmoid": ("ACH", {"WCI", "LAD"}, lambda p, d: deep(p, nn.Sigmoid, d.randint(6, 12))),
    "exponential": ("ACH", {"WCI", "LAD"}, lambda p, d: deep(p, Exp, d.randint(3, 6))),
    "square": ("ACH", {"WCI", "LAD"}, lambda p, d: deep(p, Square, d.randint(3, 5))),
    "linear": ("ACH", {"LRM"}, lambda p, d: R(p, act=nn.Identity) if p.name in ("moons", "spiral", "sines") else None),
    "relu_output": ("ACH", {"LCH"}, lambda p, d: R(p, end=nn.ReLU)),
    "sigmoid_regression": ("ACH", {"LCH", "CPP"}, lambda p, d: R(p, end=nn.Sigmoid) if p.metric == "r2" else None),
    "softmax_then_ce": ("ACH", {"LCH"}, lambda p, d: R(p, end=lambda: nn.Softmax(1)) if p.outputs > 1 else None),
    "tiny_init": (
        "WCI",
        {"ACH", "LAD"},
        lambda p, d: deep(p, nn.ReLU, d.randint(4, 8), init=weights(lambda w: nn.init.normal_(w, 0, 0.02))),
    ),
    "zero_init": ("WCI", set(), lambda p, d: R(p, init=weights(nn.init.zeros_))),
    "huge_init": ("WCI", {"HLR"}, lambda p, d: R(p, init=weights(lambda w: nn.init.normal_(w, 0, 5)))),
    "lr_high": ("HLR", {"OCH"}, lambda p, d: R(p, lr=p.lr * d.choice((100, 300, 1000)))),
    "lr_low": ("HLR", {"OCH", "HNE"}, lambda p, d: R(p, lr=p.lr * d.choice((1e-3, 3e-4, 1e-4)))),
    "slow_sgd": ("OCH", {"HLR", "HNE"}, lambda p, d: R(p, optimizer="SGD", lr=d.choice((1e-4, 3e-5)), settings={})),
    "few_epochs": ("HNE", {"HLR", "HBS"}, lambda p, d: R(p, epochs=1, batch_size=256)),
    "one_row": ("HBS", {"HLR", "OCH"}, lambda p, d: R(p, batch_size=1, lr=p.lr * 15, epochs=max(1, p.epochs // 10))),
    "l1": ("RAW", set(), lambda p, d: R(p, l1=d.choice((0.05, 0.2, 1.0)))),
    "decay": (
        "RAW",
        set(),
        lambda p, d: R(p, optimizer="Adam", lr=2e-3, settings={"weight_decay": d.choice((0.5, 2.0))}),
    ),
    "dropout": ("RCD", {"LRM"}, lambda p, d: R(p, dropout=d.choice((0.8, 0.9, 0.95)))),
    "inputs_moved": (
        "CPP",
        {"LRM"},
        lambda p, d: R(p, train=moved(p.train, d.choice((10, 100)), 1000), val=moved(p.val, 100, 1000)),
    ),
    "inputs_large": (
        "CPP",
        {"LRM", "HLR"},
        lambda p, d: (lambda s: R(p, train=moved(p.train, s, 0), val=moved(p.val, s, 0)))(d.choice((300.0, 3000.0))),
    ),
    "inputs_small": (
        "CPP",
        {"LRM", "HLR", "HNE"},
        lambda p, d: (lambda s: R(p, train=moved(p.train, s, 0), val=moved(p.val, s, 0)))(1e-4),
    ),
    "one_feature": ("CPP", {"LRM"}, lambda p, d: uneven(p, d.choice((1e3, 1e4))) if p.kind == "dense" else None),
    "val_moved": ("CPP", set(), lambda p, d: R(p, val=moved(p.val, 5.0, 10.0))),
    "targets_moved": (
        "CPP",
        {"HLR", "HNE", "OCH"},
        lambda p, d: (
            R(p, train=(p.train[0], p.train[1] * 500 + 3e4), val=(p.val[0], p.val[1] * 500 + 3e4))
            if p.metric == "r2"
            else None
        ),
    ),
    "mae_classes": (
        "LCH",
        {"ACH"},
        lambda p, d: R(p, loss=shares_loss("mae"), end=lambda: nn.Softmax(1)) if p.outputs > 1 else None,
    ),
    "bottleneck": ("LCN", set(), lambda p, d: R(p, widths=(*p.widths[:2], 1, 16)) if p.outputs >= 3 else None),
    "few_rows": (
        "TRD",
        {"LCN"},
        lambda p, d: R(p, train=(p.train[0][:30], p.train[1][:30])) if p.outputs >= 3 else None,
    ),
    "labels": ("TCL", set(), lambda p, d: noisy(p, d.choice((0.8, 0.95)), d) if p.metric == "accuracy" else None),
    "frozen": ("FRZ", set(), lambda p, d: R(p, frozen=True, init=weights(lambda w: nn.init.normal_(w, 0, 0.01)))),
    "not_held": ("FRZ", set(), lambda p, d: R(p, held=-1)),
    "not_cleared": ("ZGR", {"HLR"}, lambda p, d: R(p, clears=False, optimizer="SGD", lr=0.1, settings={})),
    "momentum": ("OCH", {"HLR"}, lambda p, d: R(p, optimizer="SGD", lr=0.05, settings={"momentum": 0.999})),
}
"""name -> (cause, also accepted, (plan, random) -> the faulty plan, or None where it makes no sense)."""
NOT_REPAIRABLE = ("val_moved", "few_rows", "labels")


@dataclass
class Case:
    name: str
    kind: str
    """"fault", "benign" or "healthy"."""
    setup: Setup
    codes: set[str]
    also: set[str]
    base: float
    values: tuple[float, ...]
    repairable: bool

    @property
    def target(self) -> float:
        return self.base - SLACK[str(self.setup.metric)]


def reached(setup: Setup) -> tuple[float, ...]:
    return tuple(train(setup, seed).value for seed in SEEDS)


def cases(seed: int) -> list[Case]:
    """The cases of one base: itself, and three faults. Empty where the base does not learn."""
    plan = base(seed)
    sound = reached(plan.setup())
    value = float(np.median(sound))
    if not math.isfinite(value) or value < {"accuracy": 0.8, "r2": 0.6}[plan.metric]:
        return []
    made = [Case(f"{plan.name}-{plan.kind}", "healthy", plan.setup(), set(), set(), value, sound, True)]
    draw = random.Random(seed + 1)
    for name in draw.sample(sorted(FAULTS), 4):
        code, also, change = FAULTS[name]
        faulty = change(plan, draw)
        if faulty is None:
            continue
        values = reached(faulty.setup())
        fails = sum(not math.isfinite(v) or v < value - DROP[plan.metric] for v in values)
        made.append(
            Case(
                f"{plan.name}-{plan.kind}-{name}",
                "fault" if fails >= 2 else "benign",
                faulty.setup(),
                {code},
                also,
                value,
                values,
                name not in NOT_REPAIRABLE,
            )
        )
    return made
