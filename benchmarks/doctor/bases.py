"""Sound trainings drawn at random: data, a network of one of seven families, an optimiser. Each takes well under a second."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import data
from whet.setups import Setup

Rows = tuple[Tensor, Tensor]


@dataclass
class Plan:
    """A training as choices that faults can change."""

    name: str
    kind: str
    """The family: a key of `KINDS`."""
    train: Rows
    val: Rows
    metric: str
    outputs: int
    loss: Any
    act: Callable[[], nn.Module] = nn.ReLU
    widths: tuple[int, ...] = (32, 32)
    cell: str = "GRU"
    norm: str = ""
    """"", "batch" or "layer", behind each dense layer."""
    dropout: float = 0.0
    written: bool = False
    """Whether functions are called in `forward`, and are no modules."""
    shared: bool = False
    """Whether all hidden layers are one and the same."""
    end: Callable[[], nn.Module] | None = None
    init: Callable[[nn.Module], None] | None = None
    optimizer: str = "Adam"
    lr: float = 3e-3
    settings: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    epochs: int = 30
    l1: float = 0.0
    clears: bool = True
    fades: float = 1.0
    """What the learning rate is multiplied by after each step."""
    held: int = 0
    """The first parameter that the optimiser is given."""
    frozen: bool = False
    in_order: bool = False
    """Whether rows come sorted by class."""

    @property
    def classes(self) -> bool:
        return self.metric == "accuracy"

    def setup(self) -> Setup:
        plan = dataclasses.replace(self)
        own = plan.l1 or not plan.clears or plan.fades != 1
        return Setup(
            model=functools.partial(network, plan),
            loss=plan.loss,
            optimizer=functools.partial(optimiser, plan),
            train=in_order(plan) if plan.in_order else plan.train,
            val=plan.val,
            batch_size=plan.batch_size,
            epochs=plan.epochs,
            metric=plan.metric,
            step=functools.partial(own_step, plan) if own else None,
        )


def optimiser(plan: Plan, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    found: torch.optim.Optimizer = getattr(torch.optim, plan.optimizer)(
        parameters[plan.held :], lr=plan.lr, **plan.settings
    )
    return found


def in_order(plan: Plan) -> Any:
    order = plan.train[1].reshape(len(plan.train[1]), -1)[:, 0].argsort(stable=True)
    rows = torch.utils.data.TensorDataset(plan.train[0][order], plan.train[1][order])
    return torch.utils.data.DataLoader(rows, batch_size=plan.batch_size)


def own_step(plan: Plan, model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    x, y = batch
    if plan.clears:
        optimizer.zero_grad()
    value: Tensor = loss(model(x), y)
    (value + plan.l1 * sum(p.abs().sum() for p in model.parameters())).backward()
    optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] *= plan.fades
    return value


# -- networks ----------------------------------------------------------------------------------------------------------


class Last(nn.Module):
    def forward(self, x: Any) -> Tensor:
        return x[0][:, -1]


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class Written(nn.Module):
    """Layers with one function between them that is called by hand, as people write it."""

    def __init__(self, layers: list[nn.Module], function: nn.Module) -> None:
        super().__init__()
        self.layers, self.call = nn.ModuleList(layers), function.forward

    def forward(self, x: Tensor) -> Tensor:
        for layer in list(self.layers)[:-1]:
            x = self.call(layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]


def network(plan: Plan) -> nn.Module:
    front, size = FRONTS[plan.kind](plan)
    body = written(plan, size) if plan.written else dense(plan, size)
    model = nn.Sequential(*front, *body, *([plan.end()] if plan.end else []))
    if plan.init is not None:
        plan.init(model)
    if plan.frozen:
        for p in list(model.parameters())[:-2]:
            p.requires_grad_(False)
    return model


def sizes(plan: Plan) -> tuple[int, ...]:
    """Widths of the dense layers behind the front."""
    return plan.widths[2:] if plan.kind == "pictures" else plan.widths


def dense(plan: Plan, size: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    one: nn.Linear | None = None
    for width in sizes(plan):
        one = one if plan.shared and one is not None and one.in_features == size else nn.Linear(size, width)
        layers += [one, *normed(plan, width), plan.act(), *([nn.Dropout(plan.dropout)] if plan.dropout else [])]
        size = width
    return [*layers, nn.Linear(size, plan.outputs)]


def written(plan: Plan, size: int) -> list[nn.Module]:
    ends = (size, *sizes(plan), plan.outputs)
    return [Written([nn.Linear(a, b) for a, b in itertools.pairwise(ends)], plan.act())]


def normed(plan: Plan, width: int) -> list[nn.Module]:
    return [nn.BatchNorm1d(width)] if plan.norm == "batch" else [nn.LayerNorm(width)] if plan.norm == "layer" else []


def picture_front(plan: Plan) -> tuple[list[nn.Module], int]:
    a, b = plan.widths[:2]
    first = [nn.Conv2d(plan.train[0].shape[1], a, 3, padding=1), plan.act(), nn.MaxPool2d(2)]
    norm = [nn.BatchNorm2d(b)] if plan.norm else []
    return [*first, nn.Conv2d(a, b, 3, padding=1), *norm, plan.act(), nn.MaxPool2d(2), nn.Flatten()], b * 4


def sequence_front(plan: Plan) -> tuple[list[nn.Module], int]:
    return [getattr(nn, plan.cell)(plan.train[0].shape[2], 24, batch_first=True), Last()], 24


def text_front(plan: Plan) -> tuple[list[nn.Module], int]:
    words = int(plan.train[0].max()) + 1
    inside = [nn.TransformerEncoderLayer(16, 2, 32, plan.dropout, batch_first=True)] if plan.cell == "attention" else []
    return [nn.Embedding(words, 16), *inside, Mean()], 16


def no_front(plan: Plan) -> tuple[list[nn.Module], int]:
    return [], plan.train[0].shape[1]


FRONTS: dict[str, Callable[[Plan], tuple[list[nn.Module], int]]] = {
    "pictures": picture_front,
    "sequences": sequence_front,
    "texts": text_front,
    "dense": no_front,
    "values": no_front,
    "labels": no_front,
    "selves": no_front,
}
KINDS = {
    "dense": data.DENSE,
    "values": data.VALUES,
    "pictures": data.PICTURES,
    "sequences": data.SEQUENCES,
    "texts": data.TEXTS,
    "labels": data.LABELS,
    "selves": data.SELVES,
}
WEIGHTS = (7, 4, 2, 2, 2, 2, 1)
"""How often each kind is drawn."""
ACTS = (nn.ReLU, nn.ReLU, nn.Tanh, nn.ELU, nn.GELU, nn.SiLU, nn.LeakyReLU)


# -- drawing one -------------------------------------------------------------------------------------------------------


def parts(x: Any, y: Any, rng: np.random.Generator, classes: bool) -> tuple[Rows, Rows]:
    """Training and validation rows, both scaled by the training rows."""
    order = rng.permutation(len(x))
    x, y = np.asarray(x)[order], np.asarray(y)[order]
    cut = int(len(x) * 2 / 3)
    if x.dtype.kind == "f":
        flat = x.reshape(len(x), -1)
        spread = flat[:cut].std(0)
        x = ((flat - flat[:cut].mean(0)) / np.where(spread > 1e-9, spread, 1)).reshape(x.shape)
    if not classes:
        y = (y - y[:cut].mean(0)) / y[:cut].std(0)
    a = torch.tensor(x, dtype=torch.float32 if x.dtype.kind == "f" else torch.int64)
    b = torch.tensor(y, dtype=torch.int64 if classes and y.ndim == 1 else torch.float32)
    b = b if classes or b.dim() > 1 else b[:, None]
    return (a[:cut], b[:cut]), (a[cut:], b[cut:])


def nll_of_shares(p: Tensor, y: Tensor) -> Tensor:
    return nn.functional.nll_loss(p.clamp(1e-7, 1).log(), y)


def base(seed: int) -> Plan:
    """A training that is sound as far as anybody can tell before it is tried."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    kind = draw.choices(tuple(KINDS), WEIGHTS)[0]
    name = draw.choice(tuple(KINDS[kind]))
    x, y = KINDS[kind][name](rng)
    classes = kind not in ("values", "selves") and name != "running_mean"
    train, val = parts(x, y, rng, classes)
    outputs = 1 if train[1].dim() == 1 else train[1].shape[1]
    plan = Plan(name, kind, train, val, "accuracy" if classes else "r2", outputs, nn.MSELoss())
    plan.act, plan.widths = draw.choice(ACTS), widths(plan, draw)
    plan.cell = draw.choice(("GRU", "LSTM", "RNN") if kind == "sequences" else ("attention", "bag"))
    plan.norm, plan.dropout = draw.choice(("", "", "", "batch", "layer")), draw.choice((0.0, 0.0, 0.0, 0.1))
    if classes:
        answered(plan, draw)
    plan.written = kind in ("dense", "values") and not plan.norm and not plan.dropout and draw.random() < 0.4
    moved(plan, draw)
    return plan


def widths(plan: Plan, draw: random.Random) -> tuple[int, ...]:
    if plan.kind == "pictures":
        return (8, 16, *draw.choice(((), (32,))))
    if plan.kind in ("sequences", "texts"):
        return draw.choice(((), (16,), (32,)))
    if plan.kind == "selves":
        return draw.choice(((16, 4, 16), (8,), (24, 6, 24)))
    return tuple(draw.choice((12, 16, 32, 64)) for _ in range(draw.randint(1, 3)))


def answered(plan: Plan, draw: random.Random) -> None:
    """The outputs and the loss of classes: logits, or probabilities as in Keras; one unit for two classes, now and then."""
    if plan.kind == "labels":
        plan.loss = nn.BCEWithLogitsLoss()
        return
    plan.outputs, plan.loss = int(plan.train[1].max()) + 1, nn.CrossEntropyLoss()
    how = draw.random()
    if plan.outputs == 2 and how < 0.4:
        plan.outputs, plan.loss = 1, nn.BCEWithLogitsLoss()
        if how < 0.1:
            plan.end, plan.loss = nn.Sigmoid, nn.BCELoss()
        plan.train, plan.val = ((x, y[:, None].float()) for x, y in (plan.train, plan.val))
    elif how > 0.85:
        plan.end, plan.loss = functools.partial(nn.Softmax, 1), nll_of_shares


def moved(plan: Plan, draw: random.Random) -> None:
    """Optimiser, rate, batch and epochs."""
    fused = {"fused": True}  # the same steps in less time
    plan.optimizer, plan.lr, plan.settings = draw.choice(
        (
            ("Adam", draw.choice((4e-3, 8e-3)), fused),
            ("AdamW", draw.choice((4e-3, 8e-3)), fused),
            ("SGD", draw.choice((0.05, 0.1)), {"momentum": 0.9, **fused}),
            ("RMSprop", 2e-3, {}),
        )
    )
    plan.batch_size = draw.choice((16, 32, 64))
    steps = draw.choice((200, 300)) if plan.kind in ("pictures", "sequences", "texts") else draw.choice((300, 500))
    plan.epochs = max(5, math.ceil(steps / math.ceil(len(plan.train[1]) / plan.batch_size)))
