"""What networks that make examples share: how they are asked, and flow matching around any network of velocities.

    x       (B, …) examples, in units in which normal noise has a spread like theirs
    u       (B,) uniform in (0, 1): at which time of its path an example is looked at
    label   (B,) int64, the class that is wanted; 0 where there are none
    noise   (B, …) standard normal, of the examples' shape

In training the answer is (B,), what each example costs; in evaluation (B, 2, …): what was made for the label from the
noise, and the example itself, so that the two can be compared.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from whet.families.spec import InputSpec


class Generating(nn.Module):
    """A network that makes examples: it says what they cost, and makes some."""

    def costs(self, x: Tensor, u: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """(B,) what training makes small."""
        raise NotImplementedError

    def made(self, label: Tensor, noise: Tensor) -> Tensor:
        """Examples of these classes; the same noise gives the same ones."""
        raise NotImplementedError

    def forward(self, x: Tensor, u: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        if self.training:
            return self.costs(x, u, label, noise)
        return torch.stack([self.made(label, noise).float(), x.float()], 1)


class Flow(Generating):
    """Flow matching on straight paths (Lipman et al. 2023, arXiv:2210.02747, eq. 22; Liu et al. 2023, arXiv:2209.03003).

    x_t = (1 - t) noise + t x, and the network learns the velocity x - noise. Times near the middle of the path, which is
    where it is hard, are drawn more often: t = sigmoid(a normal number) (Esser et al. 2024, arXiv:2403.03206).
    """

    def __init__(self, velocity: nn.Module, steps: int) -> None:
        super().__init__()
        self.velocity, self.steps = velocity, steps

    def costs(self, x: Tensor, u: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        t = torch.sigmoid(torch.special.ndtri(u.float()))
        at = t.view(-1, *(1,) * (x.ndim - 1))
        seen = self.velocity((1 - at) * noise + at * x, t, label).float()
        return (seen - (x - noise)).square().flatten(1).mean(1)

    def made(self, label: Tensor, noise: Tensor) -> Tensor:
        """Heun's method from noise to example: two velocities a step, one for the last."""
        x, step = noise.float(), 1 / self.steps
        for i in range(self.steps):
            first = self.at(x, i * step, label)
            ahead = x + step * first
            last = i == self.steps - 1
            x = ahead if last else x + step / 2 * (first + self.at(ahead, (i + 1) * step, label))
        return x

    def at(self, x: Tensor, t: float, label: Tensor) -> Tensor:
        velocity: Tensor = self.velocity(x, x.new_full((len(x),), t), label)
        return velocity.float()


class Asked(nn.Module):
    """(t, label) -> (B, width): what a network of velocities is asked, as one vector.

    Times as sines and cosines of many lengths (Vaswani et al. 2017, section 3.5), classes as learned vectors.
    """

    lengths: Tensor

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.label = nn.Embedding(spec.outputs, width)
        self.mix = nn.Sequential(nn.Linear(width, width), spec.activation(), nn.Linear(width, width))
        lengths = torch.exp(-math.log(100.0) * torch.arange(width // 2) / max(1, width // 2 - 1))
        self.register_buffer("lengths", 50.0 * lengths, persistent=False)
        self.width = width

    def forward(self, t: Tensor, label: Tensor) -> Tensor:
        angles = t.float()[:, None] * self.lengths
        waves = torch.cat([angles.sin(), angles.cos()], 1)
        waves = nn.functional.pad(waves, (0, self.width - waves.shape[1]))
        out: Tensor = self.mix(waves + self.label(label))
        return out


def zeroed(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """A layer that says nothing at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def inputs_like(shape: tuple[int, ...], rows: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs of that shape from a fixed seed."""
    draw = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, rows, *shape, generator=draw)
    return x, torch.full((rows,), 0.5), torch.zeros(rows, dtype=torch.int64), noise
