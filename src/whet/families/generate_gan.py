"""A generative adversarial network with spectral norm; the critic judges an example together with its class.

Goodfellow et al. 2014, arXiv:1406.2661 (non-saturating: section 3); hinge: Lim & Ye 2017, arXiv:1705.02894; spectral norm:
Miyato et al. 2018, arXiv:1802.05957; the class as a projection: Miyato & Koyama 2018, arXiv:1802.05637.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from whet.errors import RecipeError
from whet.families.generate import Generating
from whet.families.generate_vae import Decoder
from whet.families.spec import InputSpec

LOSSES = ("hinge", "non_saturating")


class Critic(nn.Module):
    """(B,) how real an example looks, as one of its class."""

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        channels, height, width_ = spec.shape
        size = 4 * width * (height // 4) * (width_ // 4)
        self.maps = nn.Sequential(
            spectral_norm(nn.Conv2d(channels, width, 3, padding=1)),
            nn.LeakyReLU(0.1),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.1),
            spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
        )
        self.real = spectral_norm(nn.Linear(size, 1))
        self.label = spectral_norm(nn.Embedding(spec.outputs, size))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        maps = self.maps(x)
        return self.real(maps)[:, 0] + (self.label(label) * maps).sum(1)


class Gan(Generating):
    """Two players in one loss: each part of it reaches the weights of one of them alone."""

    def __init__(self, generator: nn.Module, critic: nn.Module, code: int, loss: str) -> None:
        super().__init__()
        self.generator, self.critic, self.code, self.hinge = generator, critic, code, loss == "hinge"

    def made(self, label: Tensor, noise: Tensor) -> Tensor:
        out: Tensor = self.generator(noise.flatten(1)[:, : self.code], label).tanh()
        return out

    def costs(self, x: Tensor, u: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        made = self.made(label, noise)
        return self.judging(self.critic(x, label), self.critic(made.detach(), label)) + self.pleasing(made, label)

    def judging(self, real: Tensor, fake: Tensor) -> Tensor:
        """(B,) what the critic wants small."""
        if self.hinge:
            return (1 - real).relu() + (1 + fake).relu()
        return F.softplus(-real) + F.softplus(fake)

    def pleasing(self, made: Tensor, label: Tensor) -> Tensor:
        """(B,) what the generator wants small, by a critic whose weights stand still."""
        still = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        judged: Tensor = functional_call(self.critic, still, (made, label))
        return -judged if self.hinge else F.softplus(-judged)


def make(spec: InputSpec, width: int = 32, code: int = 64, loss: str = "hinge") -> nn.Module:
    if loss not in LOSSES:
        raise RecipeError(f"gan.loss={loss!r} is unknown.", f"Choose {' or '.join(LOSSES)}.")
    return Gan(Decoder(spec, width, code), Critic(spec, width), code, loss)
