"""What can be wrong with a training: each ailment at several strengths, as a change of a sound plan."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from bases import Plan, Rows
from torch import Tensor, nn

R = dataclasses.replace
Change = Callable[[Plan, Any], Plan | None]


@dataclass(frozen=True)
class Ailment:
    """A fault with its accepted causes."""

    code: str
    also: frozenset[str]
    """Other causes that are right as well, since they say the same of another side."""
    strengths: tuple[Any, ...]
    change: Change
    """(plan, strength) -> the faulty plan; None where it makes no sense."""
    repairable: bool = True
    """Without touching the data."""


class Exp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x


def has_functions(p: Plan) -> bool:
    return bool(p.widths) and p.kind != "texts"


def deep(p: Plan, depth: int, **more: Any) -> Plan | None:
    """A tower of equal layers in the place of the hidden ones."""
    if p.kind in ("pictures", "texts"):
        return None
    return R(p, widths=(24,) * depth, dropout=0.0, norm="", **more)


def narrow(p: Plan, width: int) -> Plan | None:
    few = p.outputs <= 2 if p.classes else p.outputs > 1
    return None if few or p.kind in ("selves", "labels", "pictures") else R(p, widths=(*p.widths, width))


def weights(plan: Plan, spread: float, bias: float = 0.0) -> Plan:
    """Normal weights of this spread in all layers that are no embedding; every bias the same."""

    def init(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.normal_(module.weight, 0, spread)
                nn.init.constant_(module.bias, bias)

    return R(plan, init=init)


def filled(plan: Plan, value: float) -> Plan:
    def init(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.constant_(module.weight, value)
                nn.init.zeros_(module.bias)

    return R(plan, init=init)


def biased(plan: Plan, bias: float) -> Plan | None:
    """Biases far below zero in front of rectifiers."""

    def init(model: nn.Module) -> None:
        layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        for module in layers[:-1]:
            nn.init.constant_(module.bias, bias)

    return R(plan, act=nn.ReLU, init=init, norm="") if has_functions(plan) else None


def moved(rows: Rows, scale: Any, shift: Any) -> Rows:
    return rows[0] * scale + shift, rows[1]


def both(p: Plan, scale: Any = 1.0, shift: Any = 0.0) -> Plan | None:
    if p.kind in ("texts", "selves"):
        return None
    return R(p, train=moved(p.train, scale, shift), val=moved(p.val, scale, shift))


def one_feature(p: Plan, by: float) -> Plan | None:
    if p.kind in ("texts", "selves", "pictures") or p.train[0].shape[-1] < 2:
        return None
    scale = torch.ones(p.train[0].shape[-1])
    scale[0] = by
    return both(p, scale)


def val_only(p: Plan, how: tuple[float, float]) -> Plan | None:
    return None if p.kind in ("texts", "selves") else R(p, val=moved(p.val, *how))


def holes(p: Plan, share: float) -> Plan | None:
    if p.kind in ("texts", "selves"):
        return None
    x = p.train[0].clone()
    x[torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < share] = float("nan")
    return R(p, train=(x, p.train[1]))


def targets(p: Plan, how: tuple[float, float]) -> Plan | None:
    if p.kind != "values":
        return None
    return R(p, train=(p.train[0], p.train[1] * how[0] + how[1]), val=(p.val[0], p.val[1] * how[0] + how[1]))


def shuffled_labels(p: Plan, share: float) -> Plan | None:
    if p.kind in ("selves", "labels"):
        return None
    y, draw = p.train[1].clone(), torch.Generator().manual_seed(0)
    rows = torch.rand(len(y), generator=draw) < share
    y[rows] = y[rows][torch.randperm(int(rows.sum()), generator=draw)]
    return R(p, train=(p.train[0], y))


def merged_labels(p: Plan, by: int) -> Plan | None:
    """Training labels divided: two classes became one, as by a wrong table of classes."""
    return R(p, train=(p.train[0], p.train[1] // by)) if p.classes and p.outputs > 2 and p.kind != "labels" else None


def rare_classes(p: Plan, kept: int) -> Plan | None:
    """All classes but the first are rare among training rows."""
    if not p.classes or p.kind == "labels":
        return None
    y = p.train[1].reshape(-1).long()
    rows = torch.cat([(y == c).nonzero()[: kept if c else len(y), 0] for c in y.unique().tolist()])
    return R(p, train=(p.train[0][rows], p.train[1][rows]))


def fewer_rows(p: Plan, rows: int) -> Plan | None:
    return R(p, train=(p.train[0][:rows], p.train[1][:rows]), epochs=2 * p.epochs)


def of_shares(kind: str) -> Any:
    """A distance between probabilities and one-hot targets."""
    distance = nn.functional.l1_loss if kind == "mae" else nn.functional.mse_loss

    def loss(p: Tensor, y: Tensor) -> Tensor:
        wanted = nn.functional.one_hot(y, p.shape[1]).float() if p.shape[1] > 1 else y
        return distance(p, wanted)

    return loss


def distance_of_classes(p: Plan, kind: str) -> Plan | None:
    if not p.classes or p.kind == "labels":
        return None
    return R(p, loss=of_shares(kind), end=nn.Sigmoid if p.outputs == 1 else functools.partial(nn.Softmax, 1))


def every_pair(p: Plan, _: Any) -> Plan | None:
    if p.kind != "values" or p.outputs > 1:
        return None
    flat = [(x, y[:, 0]) for x, y in (p.train, p.val)]
    return R(p, train=flat[0], val=flat[1], loss=lambda z, y: ((z - y) ** 2).mean())


def ends_in(p: Plan, what: str) -> Plan | None:
    """A function behind the last layer that does not belong there."""
    if p.end is not None:
        return None
    if what == "softmax":
        several = p.classes and p.outputs > 1 and p.kind != "labels"
        return R(p, end=functools.partial(nn.Softmax, 1)) if several else None
    return R(p, end={"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[what])


def one_unit(p: Plan, _: Any) -> Plan | None:
    return R(p, end=functools.partial(nn.Softmax, 1), loss=nn.BCELoss()) if p.classes and p.outputs == 1 else None


def steps_of(p: Plan, steps: float) -> Plan:
    """About so many steps in all."""
    epochs = max(1, round(steps / -(-len(p.train[1]) // p.batch_size)))
    return R(p, epochs=epochs, batch_size=p.batch_size if epochs > 1 else 128)


def optim(p: Plan, name: str, lr: float, **settings: Any) -> Plan:
    return R(p, optimizer=name, lr=lr, settings=settings)


def of(code: str, also: str, strengths: tuple[Any, ...], change: Change, repairable: bool = True) -> Ailment:
    return Ailment(code, frozenset(also.split()), strengths, change, repairable)


AILMENTS: dict[str, Ailment] = {
    "deep sigmoid": of("ACH", "WCI LAD", (4, 7, 10), lambda p, s: deep(p, s, act=nn.Sigmoid)),
    "deep plain relu": of("WCI", "ACH LAD", (12, 20, 30), lambda p, s: deep(p, s, act=nn.ReLU)),
    "exponential": of("ACH", "WCI LAD", (2, 4, 6), lambda p, s: deep(p, s, act=Exp)),
    "square": of("ACH", "WCI LAD", (2, 3, 5), lambda p, s: deep(p, s, act=Square)),
    "linear": of("ACH", "LRM", (1,), lambda p, s: R(p, act=nn.Identity) if has_functions(p) else None),
    "tiny weights": of(
        "WCI",
        "ACH LAD",
        (0.05, 0.02, 0.005),
        lambda p, s: None if (q := deep(p, 5, act=nn.ReLU)) is None else weights(q, s),
    ),
    "large weights": of("WCI", "HLR ACH", (1.0, 3.0, 10.0), weights),
    "saturated": of(
        "WCI", "ACH HLR", (1.5, 5.0), lambda p, s: weights(R(p, act=nn.Tanh), s) if has_functions(p) else None
    ),
    "equal weights": of("WCI", "", (0.0, 0.05, 0.3), filled),
    "dead by bias": of("WCI", "ACH", (-1.0, -3.0, -10.0), biased),
    "relu output": of("ACH", "LCH", (1,), lambda p, s: ends_in(p, "relu")),
    "squashed values": of("ACH", "LCH CPP", ("sigmoid", "tanh"), lambda p, s: ends_in(p, s) if not p.classes else None),
    "doubled output": of("ACH", "LCH", ("softmax", "sigmoid"), lambda p, s: ends_in(p, s) if p.classes else None),
    "softmax of one unit": of("ACH", "LCN LCH", (1,), one_unit),
    "rate too high": of("HLR", "OCH", (10, 30, 100, 1000), lambda p, s: R(p, lr=p.lr * s)),
    "rate too low": of("HLR", "OCH HNE", (0.1, 0.03, 1e-2, 1e-3), lambda p, s: R(p, lr=p.lr * s)),
    "fading rate": of("HLR", "OCH HNE", (0.99, 0.95, 0.8), lambda p, s: R(p, fades=s)),
    "slow optimiser": of("OCH", "HLR HNE", (3e-3, 3e-4, 3e-5), lambda p, s: optim(p, "SGD", s)),
    "wild momentum": of("OCH", "HLR", (0.98, 0.995, 0.999), lambda p, s: optim(p, "SGD", 0.1, momentum=s)),
    "wild betas": of(
        "OCH", "HLR", ((0.9, 0.3), (0.99, 0.5), (0.999, 0.9)), lambda p, s: optim(p, "Adam", 3 * p.lr, betas=s)
    ),
    "few epochs": of("HNE", "HLR HBS", (3, 12, 40), steps_of),
    "batch of one": of(
        "HBS",
        "HLR OCH",
        (3, 10),
        lambda p, s: R(p, batch_size=1, lr=p.lr * s, epochs=2) if p.norm != "batch" else None,
    ),
    "batch of all": of("HBS", "HNE HLR", (0.1, 0.3), lambda p, s: R(p, batch_size=400, epochs=int(p.epochs * s) + 1)),
    "norm of two rows": of(
        "HBS", "HLR", (1,), lambda p, s: R(p, norm="batch", batch_size=2, epochs=2) if p.widths else None
    ),
    "l1": of("RAW", "", (1e-3, 0.01, 0.1, 1.0), lambda p, s: R(p, l1=s)),
    "decay": of(
        "RAW", "", (0.03, 0.3, 3.0), lambda p, s: optim(p, "Adam", p.lr if p.lr < 0.01 else 3e-3, weight_decay=s)
    ),
    "decoupled decay": of("RAW", "", (1.0, 10.0, 100.0), lambda p, s: optim(p, "AdamW", 3e-3, weight_decay=s)),
    "dropout": of("RCD", "LRM", (0.6, 0.8, 0.95), lambda p, s: R(p, dropout=s) if p.widths else None),
    "inputs moved": of("CPP", "LRM", (10.0, 100.0, 1000.0), lambda p, s: both(p, 1.0, s)),
    "inputs large": of("CPP", "LRM HLR", (30.0, 300.0, 3000.0), both),
    "inputs small": of("CPP", "LRM HLR HNE", (1e-2, 1e-3, 1e-5), both),
    "one feature large": of("CPP", "LRM", (100.0, 1e3, 1e4), one_feature),
    "validation moved": of("CPP", "", ((1.0, 3.0), (5.0, 0.0), (0.1, 0.0)), val_only, False),
    "holes": of("CPP", "", (0.01, 0.1), holes),
    "targets moved": of("CPP", "HLR HNE OCH", ((1.0, 100.0), (500.0, 3e4), (1e-3, 0.0)), targets),
    "distance of classes": of("LCH", "ACH", ("mae", "mse"), distance_of_classes),
    "every pair": of("LCH", "", (1,), every_pair),
    "bottleneck": of("LCN", "", (1, 2), narrow),
    "too narrow": of("LCN", "", (1, 2), lambda p, s: R(p, widths=(s,)) if p.kind in ("dense", "values") else None),
    "few rows": of("TRD", "LCN", (20, 40), fewer_rows, False),
    "shuffled labels": of("TCL", "", (0.3, 0.6, 1.0), shuffled_labels, False),
    "merged labels": of("TCL", "", (2,), merged_labels, False),
    "rare classes": of("TRD", "TCL", (3, 10), rare_classes, False),
    "frozen": of("FRZ", "", (0.01, 1.0), lambda p, s: R(weights(p, 0.3 * s), frozen=True)),
    "not held": of("FRZ", "", (-1, -2), lambda p, s: R(p, held=s)),
    "not cleared": of("ZGR", "HLR", (0.02, 0.2), lambda p, s: R(optim(p, "SGD", s), clears=False)),
    "sorted rows": of(
        "CPP", "HBS", (1,), lambda p, s: R(p, in_order=True) if p.classes and p.kind != "labels" else None
    ),
    "one layer many times": of(
        "LRM", "LCN", (4, 8), lambda p, s: None if (q := deep(p, s)) is None else R(q, shared=True, written=False)
    ),
}
