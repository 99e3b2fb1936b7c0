"""Networks that make examples: what the mathematics of each promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from whet.errors import RecipeError
from whet.families import FAMILIES, InputSpec
from whet.families.generate import Flow, inputs_like
from whet.families.generate_rows import decided

SHAPE = (1, 8, 8)
GROUPS = ((1, 3), (4, 7))


def spec(shape: tuple[int, ...] = SHAPE, outputs: int = 3) -> InputSpec:
    norm = nn.BatchNorm2d if len(shape) == 3 else nn.LayerNorm
    return InputSpec(shape, outputs, "generate", nn.SiLU, norm, domain="any", more={"groups": GROUPS})


def network(name: str, shape: tuple[int, ...] = SHAPE, **params: object) -> nn.Module:
    torch.manual_seed(0)
    entry = FAMILIES[name]
    return entry.make(spec(shape), **entry.fill({"width": 8, **params}))


ALL = [("unet_flow", SHAPE), ("conv_vae", SHAPE), ("gan", SHAPE), ("row_flow", (8,)), ("row_vae", (8,))]


@pytest.mark.parametrize(("name", "shape"), ALL)
def test_it_costs_in_training_and_makes_something_in_evaluation(name: str, shape: tuple[int, ...]) -> None:
    model, inputs = network(name, shape), inputs_like(shape, 4)
    costs = model.train()(*inputs)
    assert costs.shape == (4,)
    costs.mean().backward()
    with torch.no_grad():
        pair = model.eval()(*inputs)
    assert pair.shape == (4, 2, *shape)
    assert torch.equal(pair[:, 1], inputs[0])


@pytest.mark.parametrize(("name", "shape"), ALL)
def test_the_same_noise_makes_the_same_and_the_example_is_not_looked_at(name: str, shape: tuple[int, ...]) -> None:
    model = network(name, shape).eval()
    x, u, label, noise = inputs_like(shape)
    with torch.no_grad():
        first, second = model(x, u, label, noise), model(x + 1, u * 0.5, label, noise)
    assert torch.equal(first[:, 0], second[:, 0])


class Towards(nn.Module):
    """The velocity of straight paths that all end at one point."""

    def __init__(self, point: Tensor) -> None:
        super().__init__()
        self.point = point

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return (self.point - x) / (1 - t.view(-1, 1, 1, 1))


def test_flow_follows_a_true_velocity_to_the_data() -> None:
    x, u, label, noise = inputs_like(SHAPE)
    flow = Flow(Towards(x[:1]), steps=3)
    assert torch.allclose(flow.made(label, noise), x[:1].expand_as(x), atol=1e-4)
    assert flow.costs(x[:1].expand_as(x), u, label, noise).max() < 1e-8


class Time(nn.Module):
    """A velocity that grows with the time."""

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return t.view(-1, 1, 1, 1).expand_as(x)


def test_steps_are_exact_for_a_velocity_that_is_linear_in_time_but_for_the_last() -> None:
    _, _, label, noise = inputs_like(SHAPE)
    gone = 0.75**2 / 2 + 0.25 * 0.75  # three steps of Heun's method, one of Euler's
    assert torch.allclose(Flow(Time(), steps=4).made(label, noise), noise + gone, atol=1e-6)


def test_the_bound_of_the_autoencoder_is_the_one_of_its_distributions() -> None:
    model = network("conv_vae", code=4).eval()
    x, _, label, noise = inputs_like(SHAPE)
    mean, log_var = model.encode(x, label).chunk(2, 1)
    posterior = Normal(mean, (log_var / 2).exp())
    z = mean + posterior.stddev * noise.flatten(1)[:, :4]
    log_p = Normal(model.decode(z, label), model.sigma).log_prob(x).flatten(1).sum(1)
    bound = log_p - kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(model.bound(x, label, noise), -bound / x[0].numel(), atol=1e-5)


@pytest.mark.parametrize("loss", ["hinge", "non_saturating"])
def test_each_player_is_moved_by_its_own_part_of_the_loss_alone(loss: str) -> None:
    model = network("gan", loss=loss).train()
    x, _, label, noise = inputs_like(SHAPE, 4)
    made = model.made(label, noise)
    model.pleasing(made, label).mean().backward()
    assert all(p.grad is None for p in model.critic.parameters())
    assert all(p.grad is not None for p in model.generator.parameters())
    model.zero_grad()
    model.judging(model.critic(x, label), model.critic(model.made(label, noise).detach(), label)).mean().backward()
    assert all(p.grad is None for p in model.generator.parameters())
    assert any(p.grad is not None for p in model.critic.parameters())


def test_a_critic_that_is_sure_pays_nothing_with_hinges() -> None:
    model = network("gan")
    assert model.judging(torch.tensor([2.0]), torch.tensor([-2.0])) == 0
    assert model.judging(torch.tensor([0.0]), torch.tensor([0.0])) == 2


def test_an_unknown_loss_of_a_gan_is_refused() -> None:
    with pytest.raises(RecipeError, match="hinge or non_saturating"):
        network("gan", loss="wasserstein")


def test_of_a_group_one_number_is_1_and_numbers_of_their_own_stay() -> None:
    x = torch.tensor([[0.3, 0.2, 0.1, -7.0, 0.5, 0.9, 0.6, 2.0]])
    assert decided(x, GROUPS).tolist() == [[pytest.approx(0.3), 1, 0, -7, 0, 1, 0, 2]]


@pytest.mark.parametrize("name", ["row_flow", "row_vae"])
def test_made_rows_have_one_value_of_each_category(name: str) -> None:
    _, _, label, noise = inputs_like((8,), 5)
    with torch.no_grad():
        made = network(name, (8,)).eval().made(label, noise)
    for first, end in GROUPS:
        assert torch.equal(made[:, first:end].sum(1), torch.ones(5))


def test_flow_learns_where_two_classes_lie() -> None:
    model = network("row_flow", (8,), depth=1, steps=5).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    draw = torch.Generator().manual_seed(0)
    label = torch.arange(64) % 2
    for _ in range(150):
        x = torch.randn(64, 8, generator=draw) * 0.1 + (label[:, None] * 4.0 - 2.0)
        u, noise = torch.rand(64, generator=draw), torch.randn(64, 8, generator=draw)
        optimizer.zero_grad()
        model(x, u, label, noise).mean().backward()
        optimizer.step()
    with torch.no_grad():
        made = Flow.made(model.eval(), label, torch.randn(64, 8, generator=draw))
    assert made[label == 0].mean() < -1.5
    assert made[label == 1].mean() > 1.5
