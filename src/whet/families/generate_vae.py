"""A convolutional variational autoencoder whose noise of pixels is found by the data.

    z   (B, code)   p(x | z) = N(decoder(z, label), sigma^2)   q(z | x) = N(mean, exp(log_var))

The cost is minus the evidence lower bound per number, in nats (Kingma & Welling 2014, arXiv:1312.6114), with the
sigma that is best for the batch (Rybkin et al. 2021, arXiv:2006.13202), so that nothing has to be weighed by hand.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from whet.families.generate import Generating
from whet.families.spec import InputSpec

LEAST_SIGMA = 1e-3


class Vae(Generating):
    """Encoder and decoder are told the class."""

    sigma: Tensor

    def __init__(self, encode: nn.Module, decode: nn.Module, code: int) -> None:
        super().__init__()
        self.encode, self.decode, self.code = encode, decode, code
        self.register_buffer("sigma", torch.ones(()))

    def costs(self, x: Tensor, u: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        seen, surprise = self.coded(x, label, noise)
        error = (seen - x).square().flatten(1).mean(1)
        variance = error.mean().clamp(min=LEAST_SIGMA**2)
        with torch.no_grad():
            self.sigma.lerp_(variance.detach().sqrt(), 0.01)
        return self.nats(error, variance, surprise, x[0].numel())

    def bound(self, x: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """(B,) an upper bound of -log p(x | label) in nats per number, from one draw of the code."""
        seen, surprise = self.coded(x, label, noise)
        return self.nats((seen - x).square().flatten(1).mean(1), self.sigma.square(), surprise, x[0].numel())

    def coded(self, x: Tensor, label: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """(what comes back, (B,) the divergence of the code from its prior in nats)."""
        mean, log_var = self.encode(x, label).float().chunk(2, 1)
        log_var = log_var.clamp(-12, 8)
        z = mean + (log_var / 2).exp() * noise.flatten(1)[:, : self.code]
        divergence = (mean.square() + log_var.exp() - log_var - 1).sum(1) / 2
        return self.decode(z, label).float(), divergence

    def nats(self, error: Tensor, variance: Tensor, divergence: Tensor, numbers: int) -> Tensor:
        return error / (2 * variance) + (2 * math.pi * variance).log() / 2 + divergence / numbers

    def made(self, label: Tensor, noise: Tensor) -> Tensor:
        """The middle of p(x | z): without its noise of pixels."""
        out: Tensor = self.decode(noise.flatten(1)[:, : self.code], label)
        return out


class Encoder(nn.Module):
    """Two strided convolutions over folded pixels, then (mean, log variance) of the code."""

    def __init__(self, spec: InputSpec, width: int, code: int) -> None:
        super().__init__()
        channels, height, width_ = spec.shape
        self.label = nn.Embedding(spec.outputs, width)
        self.begin = nn.Conv2d(channels, width, 4, stride=2, padding=1)
        self.maps = nn.Sequential(
            spec.norm(width),
            spec.activation(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            spec.norm(2 * width),
            spec.activation(),
        )
        self.end = nn.Linear(2 * width * (height // 4) * (width_ // 4), 2 * code)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        out: Tensor = self.end(self.maps(self.begin(x) + self.label(label)[:, :, None, None]).flatten(1))
        return out


class Decoder(nn.Module):
    """The way back: each doubling is a convolution whose channels are unfolded into pixels (Shi et al. 2016)."""

    def __init__(self, spec: InputSpec, width: int, code: int) -> None:
        super().__init__()
        channels, height, width_ = spec.shape
        self.start = (2 * width, height // 4, width_ // 4)
        self.label = nn.Embedding(spec.outputs, code)
        self.begin = nn.Linear(2 * code, math.prod(self.start))
        self.maps = nn.Sequential(
            spec.norm(2 * width),
            spec.activation(),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1),
            nn.PixelShuffle(2),
            spec.norm(width),
            spec.activation(),
            nn.Conv2d(width, 4 * width, 3, padding=1),
            nn.PixelShuffle(2),
            spec.norm(width),
            spec.activation(),
            nn.Conv2d(width, channels, 3, padding=1),
        )

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        start = self.begin(torch.cat([z, self.label(label)], 1))
        out: Tensor = self.maps(start.view(-1, *self.start))
        return out


def make(spec: InputSpec, width: int = 32, code: int = 32) -> nn.Module:
    code = min(code, math.prod(spec.shape))
    return Vae(Encoder(spec, width, code), Decoder(spec, width, code), code)
