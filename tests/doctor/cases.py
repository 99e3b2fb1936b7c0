"""Small trainings with one known fault each, and the healthy ones that look like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from whet.setups import Setup


def moons(rows: int = 600, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two half circles with a little noise; mean 0, spread about 1."""
    draw = torch.Generator().manual_seed(seed)
    angle = torch.rand(rows, generator=draw) * torch.pi
    label = torch.randint(0, 2, (rows,), generator=draw)
    x = torch.stack([angle.cos() + label - 0.5, angle.sin() * (1 - 2 * label) + 0.5 * label - 0.25], 1)
    return x * 1.5 + 0.2 * torch.randn(rows, 2, generator=draw), label


def waves(rows: int = 400, seed: int = 0) -> tuple[Tensor, Tensor]:
    """y = sin(2 x1) + x2, standardised."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 2, generator=draw)
    y = (2 * x[:, :1]).sin() + x[:, 1:]
    return x, (y - y.mean()) / y.std()


def net(
    *between: Callable[[], nn.Module], width: int = 24, depth: int = 2, outputs: int = 2
) -> Callable[[], nn.Module]:
    """A plain network with these after each hidden layer."""

    def make() -> nn.Module:
        layers: list[nn.Module] = []
        size = 2
        for _ in range(depth):
            layers += [nn.Linear(size, width), *(b() for b in between or (nn.ReLU,))]
            size = width
        return nn.Sequential(*layers, nn.Linear(size, outputs))

    return make


def adam(lr: float = 5e-3, **more: Any) -> Callable[[Any], torch.optim.Optimizer]:
    return lambda p: torch.optim.Adam(p, lr=lr, **more)


def setup(**changes: Any) -> Setup:
    """A healthy training on the half circles, with changes."""
    parts: dict[str, Any] = {
        "model": net(),
        "loss": nn.CrossEntropyLoss(),
        "optimizer": adam(),
        "train": moons(),
        "val": moons(300, 1),
        "batch_size": 32,
        "epochs": 20,
        "metric": "accuracy",
    }
    return Setup(**{**parts, **changes})


def regression(**changes: Any) -> Setup:
    parts: dict[str, Any] = {"model": net(outputs=1), "loss": nn.MSELoss(), "train": waves(), "val": waves(200, 1)}
    return setup(**{**parts, "metric": "r2", "epochs": 30, **changes})


def initialised(how: Callable[[Tensor], Any], make: Callable[[], nn.Module] | None = None) -> Callable[[], nn.Module]:
    def made() -> nn.Module:
        model = (make or net())()
        for module in model.modules():
            if isinstance(module, nn.Linear):
                how(module.weight)
                nn.init.zeros_(module.bias)
        return model

    return made


def penalised(strength: float) -> Any:
    """A training step of one's own with an L1 penalty."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        x, y = batch
        optimizer.zero_grad()
        value = loss(model(x), y)
        (value + strength * sum(p.abs().sum() for p in model.parameters())).backward()
        optimizer.step()
        return value

    return step


def forgetful(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """A training step that never clears gradients."""
    x, y = batch
    value = loss(model(x), y)
    value.backward()
    optimizer.step()
    return value


def moved(part: tuple[Tensor, Tensor], scale: float, shift: float) -> tuple[Tensor, Tensor]:
    return part[0] * scale + shift, part[1]


class Exp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


def rectified() -> nn.Module:
    """A rectifier behind the last layer, whose units are below zero for nearly every row."""
    model = net()()
    with torch.no_grad():
        model[-1].bias.fill_(-0.3)  # type: ignore[index,union-attr]
    return nn.Sequential(model, nn.ReLU())


def held_back(p: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(p[-1:], lr=5e-3)


def frozen() -> nn.Module:
    model = net(depth=3)()
    for p in model[:-1].parameters():
        p.requires_grad_(False)
    with torch.no_grad():
        for p in model[:-1].parameters():
            p.mul_(0.1)
    return model


SICK: dict[str, tuple[str, Callable[[], Setup]]] = {
    "deep sigmoid": ("ACH", lambda: setup(model=net(nn.Sigmoid, depth=8))),
    "exponential": ("ACH", lambda: setup(model=net(Exp, depth=6))),
    "linear": ("ACH", lambda: setup(model=net(nn.Identity))),
    "relu on the output": ("ACH", lambda: setup(model=rectified)),
    "tiny weights": (
        "WCI",
        lambda: setup(model=initialised(lambda w: nn.init.normal_(w, 0, 0.01), net(depth=6))),
    ),
    "zero weights": ("WCI", lambda: setup(model=initialised(nn.init.zeros_))),
    "huge weights": ("WCI", lambda: setup(model=initialised(lambda w: nn.init.normal_(w, 0, 20.0), net(nn.Tanh)))),
    "high rate": ("HLR", lambda: setup(optimizer=adam(5.0))),
    "low rate": ("HLR", lambda: setup(optimizer=adam(1e-7))),
    "slow optimiser": ("OCH", lambda: setup(optimizer=lambda p: torch.optim.SGD(p, lr=1e-5))),
    "one epoch": ("HNE", lambda: setup(epochs=1, batch_size=200, optimizer=adam(1e-3))),
    "penalty": ("RAW", lambda: setup(step=penalised(0.5))),
    "weight decay": ("RAW", lambda: setup(optimizer=adam(weight_decay=3.0))),
    "dropout": ("RCD", lambda: setup(model=net(nn.ReLU, lambda: nn.Dropout(0.95)))),
    "unscaled inputs": (
        "CPP",
        lambda: setup(train=moved(moons(), 300.0, 9000.0), val=moved(moons(300, 1), 300.0, 9000.0)),
    ),
    "held back": ("FRZ", lambda: setup(optimizer=held_back)),
    "gradients pile up": ("ZGR", lambda: setup(step=forgetful, optimizer=lambda p: torch.optim.SGD(p, lr=1.0))),
    "targets out of range": (
        "ACH",
        lambda: regression(model=lambda: nn.Sequential(net(outputs=1)(), nn.Sigmoid())),
    ),
    "pairs": (
        "LCH",
        lambda: regression(
            loss=lambda z, y: ((z - y) ** 2).mean(),
            train=(waves()[0], waves()[1][:, 0]),
            val=(waves(200, 1)[0], waves(200, 1)[1][:, 0]),
        ),
    ),
    "unscaled targets": (
        "CPP",
        lambda: regression(
            train=(waves()[0], waves()[1] * 900 + 40_000), val=(waves(200, 1)[0], waves(200, 1)[1] * 900 + 40_000)
        ),
    ),
}
"""What it is called -> (the code of its cause, the training)."""

HEALTHY: dict[str, Callable[[], Setup]] = {
    "as it is": setup,
    "tanh": lambda: setup(model=net(nn.Tanh)),
    "a few sigmoids": lambda: setup(model=net(nn.Sigmoid, depth=2), optimizer=adam(2e-2)),
    "some dropout": lambda: setup(model=net(nn.ReLU, lambda: nn.Dropout(0.1))),
    "momentum": lambda: setup(optimizer=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "decay": lambda: setup(optimizer=adam(weight_decay=1e-4)),
    "a little penalty": lambda: setup(step=penalised(1e-5)),
    "inputs nearly scaled": lambda: setup(train=moved(moons(), 2.0, 1.0), val=moved(moons(300, 1), 2.0, 1.0)),
    "values": regression,
}
