"""Networks that compute activations where one does not look for them, or as formulas of their own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint


class Layers(nn.Module):
    """A few linear layers, `self.l`."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.ModuleList(nn.Linear(6, 6) for _ in range(6))


class Selected(Layers):
    """Rectifiers by comparison and selection."""

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, _ = self.l
        x = a(x)
        x = torch.where(x > 0, x, torch.zeros_like(x))
        x = b(x)
        x = x * (x > 0)
        x = c(x)
        x = torch.where(x > 0, x, 0.1 * x)
        x = d(x)
        x.masked_fill_(x < 0, 0)
        x = e(x)
        return (x + x.abs()) / 2


class Masked(Layers):
    """Rectifiers written by index, one in a function; and what is no activation: a guard, and rows taken out."""

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, *_ = self.l
        x = a(x)
        x[x < 0] = 0
        x = b(x).clone()
        negative = x <= 0
        seen = x.view(-1)
        x[negative] = 0.0
        x = self.without_negatives(c(x)) + seen.view_as(x)
        sizes = x.sum(1)
        sizes[sizes < 1] = 1
        x[x[:, 0] > 9] = 0
        return d(x) / sizes[:, None]

    def without_negatives(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[x < 0] = 0
        return x


class Scaled(Layers):
    """Bends written by index, with what stood there; a guard that does the same; and what a mask of another tensor picks."""

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, f = self.l
        x = a(x)
        x[x < 0] *= 0.1
        x = b(x)
        x[x < 0] = torch.exp(x[x < 0]) - 1
        negative = (x := c(x)) < 0
        x[negative] = 0.3 * x[negative]
        x = d(x)
        x[~(x > 0)] /= 5
        x = e(x)
        x.masked_scatter_(x < 0, x[x < 0] / 4)
        sizes = x.sum(1)
        sizes[sizes == 0] += 1
        x = f(x / sizes[:, None])
        rows = (sizes > 0)[:, None].expand_as(x)
        x[rows] = x[rows] * torch.sigmoid(x[rows])
        return x


class Chosen(Layers):
    """A function of the user's choice, with and without further arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.act = F.gelu

    def forward(self, x: Tensor) -> Tensor:
        return self.l[2](self.act(self.l[1](self.act(self.l[0](x), approximate="tanh"))))


class Formulas(Layers):
    """Formulas in one expression, with and without a name."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, f = self.l
        x = a(x)
        x = x / torch.sqrt(1 + x * x)
        x = b(x)
        x = x * torch.tanh(torch.exp(x))
        x = c(x)
        x = x * torch.sigmoid(self.beta * x)
        x = d(x)
        x = x * torch.exp(-x.abs())
        x = e(x)
        x = 1 / (1 + torch.exp(-x))
        x = f(x)
        return x / (x * x).mean().sqrt()


class Small(Layers):
    """Spelt out, and given a signal so small, or of one sign only, that its values tell nothing."""

    def forward(self, x: Tensor) -> Tensor:
        x = 1e-3 * self.l[0](x)
        x = x * torch.sigmoid(x)
        x = self.l[1](x).abs() + 1
        return self.l[2](x * torch.tanh(F.softplus(x)))


class Immediate(Layers):
    """Functions that are made where they are called."""

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d, e, _ = self.l
        x = partial(F.leaky_relu, negative_slope=0.3)(a(x))
        x = nn.Tanh()(b(x))
        x = getattr(F, "elu")(c(x))  # noqa: B009
        x = {"s": F.silu}["s"](d(x))
        arguments, named = (e(x),), {"alpha": 2.0}
        return F.celu(*arguments, **named)


def bent(method: Callable) -> Callable:
    @functools.wraps(method)
    def wrapper(self: Any, *args: Any) -> Tensor:
        return F.silu(method(self, *args))

    return wrapper


class Decorated(Layers):
    """A decorator computes an activation too."""

    @bent
    def forward(self, x: Tensor) -> Tensor:
        return self.l[1](F.relu(self.l[0](x)))


class Parent(Layers):
    def forward(self, x: Tensor) -> Tensor:
        return self.l[1](F.relu(self.l[0](x)))


class Bending:
    def bend(self, x: Tensor) -> Tensor:
        return F.softplus(x)


class Heir(Bending, Parent):
    """Calls what it overrides, and a method of a class that is no module."""

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(self.l[2](super().forward(x)))


class Hidden(nn.Module):
    """Modules where torch does not register them."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "part", nn.Sequential(nn.Linear(6, 6), nn.ReLU()))
        self.pair, self.nested, self.out = (nn.Tanh(), nn.ELU()), [[nn.GELU()]], nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.nested[0][0](self.out(self.pair[1](self.pair[0](self.part(x)))))


class Rectify(torch.autograd.Function):
    """x where it is positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * (x > 0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * (ctx.saved_tensors[0] > 0)


class Derived(Layers):
    """Autograd functions, called in two ways."""

    def forward(self, x: Tensor) -> Tensor:
        rectify = Rectify.apply
        return rectify(self.l[1](Rectify.apply(self.l[0](x))))


class Step(torch.autograd.Function):
    """1 where it is positive, and a straight line to the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x > 0).float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class Spiking(Layers):
    """Neurons with a state, which fire."""

    def forward(self, x: Tensor) -> Tensor:
        state, out = torch.zeros_like(x), torch.zeros_like(x)
        for _ in range(3):
            state = 0.9 * state + self.l[0](x)
            spikes = Step.apply(state - 1)
            state, out = state - spikes, out + self.l[1](spikes)
        return out


class Complex(nn.Module):
    """Complex weights, and rectifiers of both parts."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(6, 6, dtype=torch.cfloat)

    def forward(self, x: Tensor) -> Tensor:
        z = self.l(x)
        return self.l(torch.complex(F.relu(z.real), F.relu(z.imag))).real


def rectified(x: Tensor) -> Tensor:
    return F.relu(x - x.mean(-1, keepdim=True))


class Within(Layers):
    """Activations in functions that do other things too: once those went with them, and this was called proven."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.norm.running_mean += 0.5
        self.bent = lambda x: F.softplus(self.l[4](x))
        self.normed = lambda x: F.silu(self.norm(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.l[3](self.normed(self.bent(self.l[1](rectified(self.l[0](x))))))


class Looping(Layers):
    """Loops as long as the data want, recursion, an early exit, parts that are recomputed."""

    def deeper(self, x: Tensor, depth: int) -> Tensor:
        return self.deeper(F.softplus(self.l[depth](x)), depth - 1) if depth else x

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(4):
            x = torch.tanh(self.l[4](x)) / 2
            if x.norm() < 0.1:
                return x
        return checkpoint(lambda t: F.relu(self.l[5](self.deeper(t, 2))), x, use_reentrant=False)


class Mapped(Layers):
    """vmap over the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.vmap(lambda row: F.relu(self.l[0](row)))(x)


class Helping(Layers):
    """A function of its own in a static method, with a setting."""

    @staticmethod
    def swish(x: Tensor, beta: float = 1.0) -> Tensor:
        return x * torch.sigmoid(beta * x)

    def forward(self, x: Tensor) -> Tensor:
        return self.l[2](self.swish(self.l[0](x), 1.5) + self.swish(self.l[1](x), beta=0.5))


class Elsewhere(Layers):
    """The signal leaves torch, and comes back."""

    def forward(self, x: Tensor) -> Tensor:
        y = np.maximum(F.relu(self.l[0](x)).detach().numpy(), 0.1)
        return self.l[1](torch.tanh(torch.from_numpy(y) - 0.5))


class NormFree(Layers):
    """Its name holds a norm's, and it has none."""

    def forward(self, x: Tensor) -> Tensor:
        return self.l[1](F.relu(self.l[0](x)))


class Spectral(Layers):
    """Complex numbers between two layers."""

    def forward(self, x: Tensor) -> Tensor:
        return self.l[0](torch.fft.ifft(torch.tanh(torch.fft.fft(x))).real)


class FromTable(Layers):
    """One expression that calls several functions, two of them the same one in other words."""

    ACTS = {"where": lambda x: torch.where(x > 0, x, 0.0), "times": lambda x: x * (x > 0), "silu": F.silu}  # noqa: RUF012

    def forward(self, x: Tensor) -> Tensor:
        for layer, name in zip(self.l, ("where", "times", "silu", "where", "times"), strict=False):
            x = self.ACTS[name](layer(x))
        return self.l[5](x)


def halved(function: Callable) -> Callable:
    return lambda x: 0.5 * function(x)


class Closures(Layers):
    """One expression that calls functions of one text, which differ in what they hold."""

    ACTS = (halved(F.relu), halved(torch.tanh))

    def forward(self, x: Tensor) -> Tensor:
        for layer, f in zip(self.l, self.ACTS, strict=False):
            x = f(layer(x))
        return self.l[5](x)


class Positive(nn.Module):
    """Makes a weight positive, which is no activation of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.bend = nn.Softplus()

    def forward(self, weight: Tensor) -> Tensor:
        return self.bend(weight)


def of_positive_weights() -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
    parametrize.register_parametrization(model[2], "weight", Positive())
    return model


def weight_normed() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(torch.nn.utils.weight_norm(nn.Linear(6, 6)), nn.ReLU(), nn.Linear(6, 6))


def half() -> nn.Module:
    return Small().to(torch.bfloat16)


ODD: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "selected": (Selected, "leaky_relu relu relu relu relu"),
    "masked": (Masked, "relu relu relu"),
    "scaled": (Scaled, "elu leaky_relu leaky_relu leaky_relu leaky_relu"),
    "chosen": (Chosen, "gelu gelu"),
    "formulas": (Formulas, "isru sigmoid tanh_exp x * torch.exp(-x.abs()) x * torch.sigmoid(self.beta * x)"),
    "small": (Small, "mish silu"),
    "half": (half, "mish silu"),
    "immediate": (Immediate, "celu elu leaky_relu silu tanh"),
    "decorated": (Decorated, "relu silu"),
    "heir": (Heir, "relu softplus"),
    "hidden": (Hidden, "elu gelu relu tanh"),
    "derived": (Derived, "relu relu"),
    "spiking": (Spiking, "step"),
    "complex": (Complex, "relu relu"),
    "within": (Within, "relu silu softplus"),
    "looping": (Looping, "relu softplus tanh"),
    "vmap": (Mapped, "relu"),
    "helping": (Helping, "swish swish"),
    "elsewhere": (Elsewhere, "relu tanh"),
    "norm-free": (NormFree, "relu"),
    "spectral": (Spectral, "tanh"),
    "weight norm": (weight_normed, "relu"),
    "table": (FromTable, "relu relu silu"),
    "positive": (of_positive_weights, "tanh"),
    "closures": (Closures, "relu tanh"),
}
"""Name -> maker of a network for a sample (4, 6), and the activations that it computes."""


def odd_case(name: str) -> tuple[nn.Module, Tensor]:
    """The network of this name, in evaluation, and a sample."""
    torch.manual_seed(3)
    model = ODD[name][0]().eval()
    return model, torch.randn(4, 6).to(next(model.parameters()).dtype)
