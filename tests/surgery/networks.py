"""Small networks that compute activations in every way that people write them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Calls(nn.Module):
    """Functions, methods, in place and not, clamps that are rectifiers and one that is a guard."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(8))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, f, g, h = self.layers
        x = F.relu(a(x))
        x = torch.tanh(b(x)).relu()
        x = torch.sigmoid(c(x)).sub(0.5)
        x = d(x).relu_()
        x = e(x).clamp(min=0)
        x = torch.clip(f(x), 0, 6)
        x = torch.maximum(torch.zeros(()), g(x))
        return F.gelu(h(x), approximate="tanh") / x.norm(dim=1, keepdim=True).clamp(min=1e-6)


class Overwriting(nn.Module):
    """The skip connection reads what the rectifier overwrote."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out, self.relu = nn.Linear(6, 6), nn.Linear(6, 6), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        return self.out(self.relu(x)) + x


class SpeltOut(nn.Module):
    """Formulas of x."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e = self.layers
        x = 5 * a(x)
        x = x * torch.sigmoid(x)
        x = 5 * b(x)
        x = 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))
        x = 5 * c(x)
        gate = torch.tanh(F.softplus(x))
        x = x * gate
        x = 5 * d(x)
        x *= x.sigmoid()
        x = 5 * e(x)
        return x * F.relu6(x + 3) / 6


def swish(x: Tensor) -> Tensor:
    return x * x.sigmoid()


def block(x: Tensor, layer: nn.Module) -> Tensor:
    return F.elu(layer(x)) + x


class Helped(nn.Module):
    """Functions and methods between `forward` and torch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(6, 6) for _ in range(3))

    def outer(self, x: Tensor) -> Tensor:
        return swish(self.first(x))

    def inner(self, x: Tensor) -> Tensor:
        return F.selu(self.third(x))

    @staticmethod
    def bent(x: Tensor) -> Tensor:
        return F.leaky_relu(x, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.bent(self.inner(block(self.outer(x), self.second)))


class Held(nn.Module):
    """Functions and modules in attributes, lists and tables."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(6))
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


class Shared(nn.Module):
    """One activation at four places, and tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
        self.b.weight = self.a.weight
        self.tail = nn.Sequential(self.act, nn.Linear(6, 6), self.act)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.act(self.b(self.act(self.a(x)))))


class Branching(nn.Module):
    """What is computed depends on the data, the mode and an argument."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
        self.idle = nn.SELU()

    def forward(self, x: Tensor, wide: bool = False) -> Tensor:
        x = F.relu(self.a(x)) if x.mean() > 100 else torch.tanh(self.a(x))
        if wide:
            x = F.celu(x)
        return F.softplus(self.b(x)) if self.training else F.silu(self.b(x))


class Gating(nn.Module):
    """Squeeze and excitation, a gated unit, and a gated recurrent step by hand."""

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


class Written(nn.Module):
    """Lambdas, comprehensions, several calls in a line and one over several lines."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d = self.layers
        parts = [F.relu(layer(x)) for layer in (a, b)]
        bend = lambda t: F.elu(t) - F.elu(-t)  # noqa: E731
        x = F.relu(F.silu(c(bend(sum(parts)))))
        return (
            d(x)
            .add(x)
            .relu()
        )  # fmt: skip


class Mapped(nn.Module):
    """A function of torch handed to another function: no expression calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(list(map(torch.relu, self.layer(x).unbind(0))))


class OwnSwish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(x.sigmoid())


class OwnLayers(nn.Module):
    """Activations that somebody wrote as modules, and an autograd function."""

    class Bend(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return torch.tanh(x)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return grad * (1 - torch.tanh(ctx.saved_tensors[0]) ** 2)

    class Bent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return OwnLayers.Bend.apply(x)

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 6), OwnSwish(), nn.Linear(6, 6), self.Bent(), nn.Linear(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Autoencoder(nn.Module):
    """Methods that call each other, none of them `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(6, 3), nn.Linear(3, 6)

    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(F.relu(self.down(x)))

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.up(F.leaky_relu(z)))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def encoder() -> nn.Module:
    """torch's encoder, whose layers keep their activation as a function."""
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)


def decoder_sample() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 5, 8), torch.randn(2, 4, 8)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]] = {
    "calls": (Calls, lambda: torch.randn(4, 6)),
    "overwriting": (Overwriting, lambda: torch.randn(4, 6)),
    "spelt out": (SpeltOut, lambda: 3 * torch.randn(8, 32)),
    "helped": (Helped, lambda: torch.randn(4, 6)),
    "held": (Held, lambda: torch.randn(4, 6)),
    "shared": (Shared, lambda: torch.randn(4, 6)),
    "branching": (Branching, lambda: torch.randn(4, 6)),
    "gating": (Gating, lambda: torch.randn(2, 3, 8, 8)),
    "written": (Written, lambda: torch.randn(4, 6)),
    "mapped": (Mapped, lambda: torch.randn(4, 6)),
    "own layers": (OwnLayers, lambda: torch.randn(4, 6)),
    "autoencoder": (Autoencoder, lambda: torch.randn(4, 6)),
    "encoder": (encoder, lambda: torch.randn(2, 5, 8)),
    "transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), decoder_sample),
}
"""Name -> makers of a network and of a sample for it."""


def case(name: str) -> tuple[nn.Module, Any]:
    """The network of this name, in evaluation, and a sample."""
    torch.manual_seed(3)
    network, sample = CASES[name]
    return network().eval(), sample()


def run(model: nn.Module, sample: Any) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(*sample) if isinstance(sample, tuple) else model(sample)
    return out
