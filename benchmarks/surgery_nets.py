"""Networks as people write them, for surgery_table.py: calls, methods, operators, formulas, reuse, control flow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Functional(nn.Module):
    """The network of a thousand tutorials."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3)
        self.fc1, self.fc2 = nn.Linear(16 * 25, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = F.dropout(self.fc1(x.flatten(1)).relu(), 0.3, self.training)
        return F.log_softmax(self.fc2(x), dim=1)


class Methods(nn.Module):
    """Tensor methods, in place and not, and clamps that are rectifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(7))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, f, g = self.layers
        x = a(x).relu_()
        x = b(x).clamp(min=0)
        x = torch.clamp(c(x), 0.0)
        x = torch.maximum(d(x), torch.zeros(()))
        x = e(x).clip(0, 6)
        x = f(x).tanh().mul(2)
        return g(x).clamp_(min=0) / x.norm(dim=1, keepdim=True).clamp(min=1e-6)


class PreActivation(nn.Module):
    """A rectifier in place, whose overwritten input is read again by the skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.bn, self.conv, self.relu = nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(x)
        return self.conv(self.relu(x)) + x


class Formulas(nn.Module):
    """Activations spelt out."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e = self.layers
        x = 4 * a(x)
        x = x * torch.sigmoid(x)
        x = 4 * b(x)
        x = 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))
        x = 4 * c(x)
        x = x * torch.tanh(F.softplus(x))
        x = 4 * d(x)
        gate = x.sigmoid()
        x = x * gate
        return e(F.relu(x) ** 2)


def swish(x: Tensor) -> Tensor:
    """x sigmoid(x)."""
    return x * x.sigmoid()


def block(x: Tensor, layer: nn.Linear) -> Tensor:
    """A function that others use too, with an activation inside."""
    return F.elu(layer(x)) + x


class Helpers(nn.Module):
    """Activations in functions that lie between the module and torch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(8, 8) for _ in range(3))

    def inner(self, x: Tensor) -> Tensor:
        return F.selu(self.third(x))

    @staticmethod
    def bent(x: Tensor) -> Tensor:
        return F.leaky_relu(x, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.bent(self.inner(block(swish(self.first(x)), self.second)))


class Kept(nn.Module):
    """Functions kept as attributes, in lists, in tables, half filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(6))
        self.act: Callable = F.gelu
        self.bent = partial(F.leaky_relu, negative_slope=0.1)
        self.plain = [torch.tanh, F.elu]
        self.table = {"a": F.mish}
        self.hidden = [nn.ReLU()]

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, f = self.layers
        x = self.bent(b(self.act(a(x))))
        for layer, function in zip((c, d), self.plain, strict=True):
            x = function(layer(x))
        return self.hidden[0](f(self.table["a"](e(x))))


class Reused(nn.Module):
    """One module at many places, and tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.b.weight = self.a.weight
        self.tail = nn.Sequential(self.act, nn.Linear(8, 8), self.act)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.act(self.b(self.act(self.a(x)))))


class Branching(nn.Module):
    """What is computed depends on the data, on the mode and on an argument."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor, wide: bool = False) -> Tensor:
        x = F.relu(self.a(x)) if x.mean() > 0 else torch.tanh(self.a(x))
        if wide:
            x = F.celu(self.c(x))
        if self.training:
            return self.b(F.softplus(x))
        for _ in range(int(x.abs().sum()) % 3 + 1):
            x = F.silu(self.b(x))
        return x


class Gates(nn.Module):
    """Squeeze and excitation, a gated unit, a gated recurrent cell by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.squeeze, self.excite = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), nn.Linear(4, 8)
        self.twice, self.update, self.new = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        weight = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        h = F.glu(self.twice((x * weight[:, :, None, None]).mean((2, 3))))
        z = torch.sigmoid(self.update(torch.cat([h, h], 1)))
        return (1 - z) * h + z * torch.tanh(self.new(torch.cat([h, h], 1)))


class Sines(nn.Module):
    """A network of sines for coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 1)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.sin(30 * layer(x))
        return self.layers[-1](x)


class OwnModules(nn.Module):
    """Activations that somebody wrote as modules, one of them learned."""

    class Swish(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mul_(x.sigmoid())

    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.beta = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return x * torch.sigmoid(self.beta * x)

    class Squared(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.square(F.relu(x))

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 8), self.Swish(), nn.Linear(8, 8), self.Learned(), nn.Linear(8, 8), self.Squared()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Nested(nn.Module):
    """Lambdas, comprehensions, several calls in a line, calls over several lines, recomputed parts."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d = self.layers
        parts = [F.relu(layer(x)) for layer in (a, b)]
        bend = lambda t: F.elu(t) - F.elu(-t)  # noqa: E731
        x = F.relu(F.silu(c(bend(sum(parts)))))
        x = (
            d(x)
            .add(x)
            .relu()
        )  # fmt: skip
        return checkpoint(lambda t: torch.tanh(a(t)) * 2, x, use_reentrant=False) + x


class Encoder(nn.Module):
    """An autoencoder whose methods are called by each other, not through `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(8, 3), nn.Linear(3, 8)

    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(self.down(x))

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.up(F.leaky_relu(z)))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        z = self.encode(x)
        return {"code": z, "picture": self.decode(z)}


class Physics(nn.Module):
    """A network for a differential equation: first derivatives are part of the result."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(1, 16), nn.Linear(16, 1)

    def forward(self, t: Tensor) -> Tensor:
        with torch.enable_grad():
            t = t.detach().requires_grad_()
            u = self.b(torch.tanh(self.a(t)))
            (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        return u + slope


class Mixture(nn.Module):
    """Experts chosen by a router, each example its own."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(8, 3)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 8), act, nn.Linear(8, 8)) for act in (nn.ReLU(), nn.GELU(), nn.Tanh())
        )

    def forward(self, x: Tensor) -> Tensor:
        weight, chosen = self.router(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows = chosen == i
            if rows.any():
                out[rows] = expert(x[rows]) * weight[rows, None]
        return out


class Unet(nn.Module):
    """Down, up, and concatenated skips, in functional style with a shared rectifier in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (
            nn.Conv2d(1, 4, 3, padding=1),
            nn.Conv2d(4, 8, 3, padding=1),
            nn.Conv2d(12, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        top = F.relu(self.a(x), inplace=True)
        low = F.relu_(self.b(F.max_pool2d(top, 2)))
        return torch.sigmoid(self.c(torch.cat([top, F.interpolate(low, scale_factor=2.0)], 1)))


class DeepSets(nn.Module):
    """A sum over a set; functions mapped over lists."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = map(torch.relu, [self.inner(row) for row in x.unbind(1)])
        return self.outer(torch.stack(list(parts)).sum(0))


def _of(kind: type[nn.Module], *shape: int, scale: float = 1.0) -> Callable[[], tuple[nn.Module, Any]]:
    return lambda: (kind(), scale * torch.randn(*shape))


NETS = {
    "functional calls": _of(Functional, 2, 1, 28, 28),
    "tensor methods": _of(Methods, 4, 8),
    "pre-activation, in place": _of(PreActivation, 2, 4, 6, 6),
    "formulas": _of(Formulas, 16, 64, scale=3.0),
    "helpers": _of(Helpers, 4, 8),
    "functions as attributes": _of(Kept, 4, 8),
    "reused module, tied weights": _of(Reused, 4, 8),
    "control flow": _of(Branching, 4, 8),
    "gates": _of(Gates, 2, 3, 8, 8),
    "sines": _of(Sines, 4, 2),
    "own modules": _of(OwnModules, 4, 8),
    "lambdas, checkpoint": _of(Nested, 4, 8),
    "encode and decode": _of(Encoder, 4, 8),
    "derivatives inside": _of(Physics, 4, 1),
    "mixture of experts": _of(Mixture, 16, 8),
    "U-net, in place": _of(Unet, 2, 1, 8, 8),
    "map over a set": _of(DeepSets, 4, 3, 4),
}
"""Name -> a maker of (network, sample)."""
