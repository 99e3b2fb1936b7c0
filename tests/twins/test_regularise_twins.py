"""Regularisers against their formulas."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from whet.regularise import L1, L2, REGULARISERS, Average, EarlyStop, StochasticDepth, apply_mixture, draw_mixture, mix
from whet.regularise.mixing import box, paste


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_l1_and_l2_count_weights_but_no_biases() -> None:
    model = nn.Linear(4, 3)
    torch.testing.assert_close(L1(0.5)(model), 0.5 * model.weight.abs().sum())
    torch.testing.assert_close(L2(0.5)(model), 0.25 * model.weight.square().sum())


def test_the_l2_penalty_has_the_gradient_of_weight_decay() -> None:
    model = nn.Linear(4, 3)
    L2(0.3)(model).backward()
    torch.testing.assert_close(model.weight.grad, 0.3 * model.weight.detach())


def test_the_proximal_step_solves_its_small_problem() -> None:
    """argmin over v of (v - w)^2 / 2 + step * strength * |v|, found on a grid."""
    model = nn.Linear(5, 1)
    w = model.weight.detach().flatten().clone()
    L1(2.0, proximal=True).after_step(lr=0.2)(model, 0.5)
    grid = torch.linspace(-2, 2, 40_001)
    best = grid[((grid - w[:, None]) ** 2 / 2 + 0.2 * grid.abs()).argmin(1)]
    torch.testing.assert_close(model.weight.detach().flatten(), best, atol=2e-4, rtol=0)


def test_gradient_descent_with_proximal_l1_finds_the_lasso() -> None:
    from sklearn.linear_model import Lasso

    x = torch.randn(80, 6, generator=seeded())
    y = x @ torch.tensor([2.0, -1.0, 0.0, 0.0, 0.5, 0.0]) + 0.1 * torch.randn(80, generator=seeded(1))
    model = nn.Linear(6, 1)
    shrink = L1(0.2, proximal=True).after_step(lr=0.2)
    for _ in range(300):
        loss = F.mse_loss(model(x)[:, 0], y) / 2
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.2 * p.grad
        shrink(model, 1.0)
    control = torch.tensor(Lasso(alpha=0.2).fit(x.numpy(), y.numpy()).coef_, dtype=torch.float32)
    torch.testing.assert_close(model.weight.detach()[0], control, atol=1e-3, rtol=0)


def walk(average: Average, model: nn.Module, steps: int) -> list[torch.Tensor]:
    seen = []
    for step in range(1, steps + 1):
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn(p.shape, generator=seeded(step)))
        average.update(model, step)
        seen.append(model.weight.detach().clone())
    return seen


def test_the_average_is_the_closed_form() -> None:
    model = nn.Linear(3, 2)
    start = model.weight.detach().clone()
    average = Average(model, 0.8, warmup=False)
    seen = walk(average, model, 6)
    closed = 0.8**6 * start + sum(0.2 * 0.8 ** (6 - k) * w for k, w in enumerate(seen, 1))
    torch.testing.assert_close(average.state_dict()["weight"], closed)


def test_infinite_limits_in_a_model_stay_what_they_are_in_its_average() -> None:
    """The lowest of a column's bins has no lower limit; -inf moved towards -inf is no number."""
    model = nn.Linear(3, 2)
    model.register_buffer("low", torch.tensor([-math.inf, 0.0]))
    average = Average(model, 0.5)
    walk(average, model, 2)
    assert average.state_dict()["low"].tolist() == [-math.inf, 0.0]


def test_a_warming_average_soon_forgets_its_start() -> None:
    model = nn.Linear(3, 2)
    average = Average(model, 0.9999)
    assert average.decay_at(1) == pytest.approx(2 / 11)
    assert average.decay_at(10**6) == 0.9999


def test_an_average_at_every_third_step_moves_as_far_on_still_weights() -> None:
    model = nn.Linear(3, 2)
    often, seldom = Average(model, 0.9, warmup=False), Average(model, 0.9, warmup=False, every=3)
    with torch.no_grad():
        model.weight += 1
    for step in range(1, 7):
        often.update(model, step)
        seldom.update(model, step)
    torch.testing.assert_close(often.state_dict()["weight"], seldom.state_dict()["weight"])


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_swapping_averages_in_and_out_leaves_no_trace(mode: type) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    average = Average(model, 0.5)
    model(torch.randn(4, 2, 6, 6))
    with torch.no_grad():
        model[0].weight += 1
    average.update(model, 1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with mode(), average.swapped(model) as inside:
        assert inside is model
        assert all(torch.equal(v, average.state_dict()[k]) for k, v in model.state_dict().items())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    model(torch.randn(4, 2, 6, 6)).sum().backward()


def test_an_average_goes_on_from_its_state_to_the_bit() -> None:
    model = nn.BatchNorm1d(3)
    whole = Average(model, 0.9)
    walk(whole, model, 5)
    half = Average(model, 0.9)
    half.load_state_dict({k: v.clone() for k, v in whole.state_dict().items()})
    for average in (whole, half):
        average.update(model, 6)
    assert all(torch.equal(v, half.state_dict()[k]) for k, v in whole.state_dict().items())


def test_mixup_is_linear_in_inputs_and_target() -> None:
    x, q = torch.rand(6, 3, 4, 4), F.one_hot(torch.arange(6) % 3, 3).float()
    drawn = draw_mixture(x, seeded(), 0.7, "mixup")
    mixed, target = apply_mixture(x, q, drawn)
    for i, j in enumerate(drawn.partner.tolist()):
        torch.testing.assert_close(mixed[i], drawn.lam * x[i] + (1 - drawn.lam) * x[j])
        torch.testing.assert_close(target[i], drawn.lam * q[i] + (1 - drawn.lam) * q[j])


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_pastes_exactly_the_share_that_the_target_says(seed: int) -> None:
    x = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 2, 8, 10).contiguous()
    q = torch.eye(6)
    drawn = draw_mixture(x, seeded(seed), 1.0, "cutmix")
    mixed, target = apply_mixture(x, q, drawn)
    for i, j in enumerate(drawn.partner.tolist()):
        share = (mixed[i] == i).float().mean().item()
        assert target[i, i].item() == pytest.approx(share)
        assert j == i or target[i, j].item() == pytest.approx(1 - share)


def test_a_box_has_the_share_it_was_drawn_for_when_it_fits() -> None:
    assert box(0.75, (0.5, 0.5), (32, 32)) == (8, 24, 8, 24)
    _, lam = paste(torch.rand(2, 1, 32, 32), torch.tensor([1, 0]), (8, 24, 8, 24))
    assert lam == 0.75


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_a_tables_categories_are_swapped_and_never_blended(kind: str) -> None:
    numbers, codes = torch.rand(50, 4), torch.randint(0, 100, (50, 3))
    (mixed, swapped), q = mix((numbers, codes), torch.rand(50, 2), seeded(), 1.0, kind)
    assert mixed.shape == numbers.shape
    assert swapped.dtype == torch.int64
    assert set(swapped.flatten().tolist()) <= set(codes.flatten().tolist())
    assert q.shape == (50, 2)


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_mixing_with_alpha_0_gives_the_batch_back(kind: str) -> None:
    x, q = torch.rand(4, 1, 5, 5), torch.eye(4)
    assert mix(x, q, seeded(), 0.0, kind) == (x, q)


def test_the_same_generator_state_mixes_the_same_rows() -> None:
    x, q = torch.rand(4, 1, 5, 5), torch.eye(4)
    one, two = (mix(x, q, seeded(3), 1.0, "cutmix")[0] for _ in range(2))
    assert torch.equal(one, two)


def test_lam_is_beta_distributed() -> None:
    g = seeded()
    lams = torch.tensor([draw_mixture(torch.zeros(2, 1), g, 0.4, "mixup").lam for _ in range(4000)])
    assert lams.mean().item() == pytest.approx(0.5, abs=0.02)
    assert lams.var().item() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.01)


def test_stochastic_depth_drops_whole_rows_and_keeps_the_mean() -> None:
    drop = StochasticDepth(0.25)
    torch.manual_seed(0)
    y = drop(torch.ones(4000, 3))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (y == y[:, :1]).all()
    assert y.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(drop.eval()(y), y)


def test_early_stopping_waits_out_its_patience() -> None:
    stop = EarlyStop(0.3)
    assert [stop.observe(s, p) for s, p in [(1.0, 0.1), (0.9, 0.2), (1.0, 0.3), (float("nan"), 0.4), (1.0, 0.5)]] == [
        False, False, False, False, True,
    ]  # fmt: skip


def test_clipping_shortens_long_gradients_only() -> None:
    model = nn.Linear(3, 1)
    clip = REGULARISERS["clip"].make(max_norm=1.0)
    model(torch.full((1, 3), 5.0)).sum().backward()
    assert clip(model) > 1
    assert clip(model).item() == pytest.approx(1, abs=1e-4)
