"""Optimisers against their formulas, written out for one weight matrix in plain arithmetic."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from whet.optim import OPTIMIZERS, SCHEDULES, Lion, Muon, build, newton_schulz, parameter_groups, set_lr
from whet.optim.eager import eager
from whet.optim.muon import A, B, C, _by_gram, _plain
from whet.recipe import Choice


def given(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def one_layer() -> nn.Linear:
    layer = nn.Linear(3, 4, bias=False)
    with torch.no_grad():
        layer.weight.copy_(given(0, 4, 3))
    return layer


def run(optimizer: torch.optim.Optimizer, w: Tensor, steps: int = 5) -> Tensor:
    for i in range(steps):
        w.grad = given(i + 1, *w.shape)
        optimizer.step()
    return w.detach()


def test_gradient_descent_is_w_minus_lr_g() -> None:
    layer = one_layer()
    w = layer.weight.detach().clone()
    run(build(Choice("gd", lr=0.1), layer), layer.weight)
    for i in range(5):
        w -= 0.1 * given(i + 1, 4, 3)
    torch.testing.assert_close(layer.weight.detach(), w)


@pytest.mark.parametrize("nesterov", [True, False])
def test_momentum_is_a_sum_of_faded_gradients(nesterov: bool) -> None:
    layer = one_layer()
    w, v = layer.weight.detach().clone(), torch.zeros(4, 3)
    run(build(Choice("sgd", lr=0.1, momentum=0.8, nesterov=nesterov), layer), layer.weight)
    for i in range(5):
        g = given(i + 1, 4, 3)
        v = 0.8 * v + g
        w -= 0.1 * (g + 0.8 * v if nesterov else v)
    torch.testing.assert_close(layer.weight.detach(), w)


def test_sgd_without_momentum_needs_no_other_setting() -> None:
    build(Choice("sgd", momentum=0.0), one_layer())


@pytest.mark.parametrize("name", ["adamw", "nadam", "lion", "muon"])
def test_decoupled_decay_shrinks_weights_by_lr_times_decay_whatever_the_gradient(name: str) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    optimizer = build(Choice(name, lr=0.1, weight_decay=0.5), model)
    before = {k: p.detach().clone() for k, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(model[1].weight.detach(), before["1.weight"] * (1 - 0.1 * 0.5))
    assert torch.equal(model[1].bias, before["1.bias"])


def test_lion_is_the_papers_algorithm() -> None:
    layer = one_layer()
    w, m = layer.weight.detach().clone(), torch.zeros(4, 3)
    run(Lion([layer.weight], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1), layer.weight)
    for i in range(5):
        g = given(i + 1, 4, 3)
        w -= 0.01 * (torch.sign(0.9 * m + 0.1 * g) + 0.1 * w)
        m = 0.95 * m + 0.05 * g
    torch.testing.assert_close(layer.weight.detach(), w)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 8, 40), (2, 40, 8), (1, 160, 200), (1, 130, 1200)])
def test_newton_schulz_brings_all_singular_values_near_1(shape: tuple[int, int, int]) -> None:
    sigma = torch.linalg.svdvals(newton_schulz(given(0, *shape)).float())
    # A square random matrix has singular values near 0, which five steps can't lift.
    assert sigma.max() < 1.3
    assert sigma.median() > 0.6
    if shape[1] != shape[2]:
        assert sigma.min() > 0.4


@pytest.mark.parametrize("shape", [(1, 6, 30), (2, 30, 6)])
def test_newton_schulz_keeps_the_directions(shape: tuple[int, int, int]) -> None:
    x = given(0, *shape)
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    inner = u.mT @ newton_schulz(x) @ v.mT  # diagonal if and only if the directions are the same
    torch.testing.assert_close(inner, torch.diag_embed(inner.diagonal(dim1=1, dim2=2)), atol=2e-3, rtol=0)


def test_newton_schulz_is_the_quintic_on_each_singular_value() -> None:
    x = given(0, 1, 5, 9).double()
    u, sigma, v = torch.linalg.svd(x / x.norm(), full_matrices=False)
    for _ in range(5):
        sigma = A * sigma + B * sigma**3 + C * sigma**5
    torch.testing.assert_close(_plain(x / x.norm()), u @ torch.diag_embed(sigma) @ v)


@pytest.mark.parametrize("rank", [2, 16])
def test_the_gram_form_equals_the_plain_one(rank: int) -> None:
    x = given(0, 2, 16, rank) @ given(1, 2, rank, 100)
    x = x / x.norm(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(_by_gram(x, low=False), _plain(x.double()).float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("falls", [0.0, 1.0])
def test_the_gram_form_rounded_at_the_end_is_about_as_exact_as_bfloat16_throughout(falls: float) -> None:
    u, v = (torch.linalg.qr(given(i, n, 128))[0] for i, n in ((0, 128), (1, 1152)))
    x = ((u * torch.arange(1.0, 129.0) ** -falls) @ v.T)[None]  # singular values 1 / k^falls
    x = x / x.norm()
    exact = _plain(x.double()).float()
    rounded, low = (float((o.float() - exact).norm()) for o in (_by_gram(x, low=True), _plain(x.to(torch.bfloat16))))
    assert rounded < 1.25 * low
    assert rounded < 0.04 * float(exact.norm())


def test_a_zero_gradient_moves_nothing_in_muon() -> None:
    assert torch.equal(newton_schulz(torch.zeros(1, 4, 6)), torch.zeros(1, 4, 6))


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (4, 3, 3, 3)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_its_formula_with_a_matrix_at_a_time(shape: tuple[int, ...], nesterov: bool) -> None:
    p = nn.Parameter(given(0, *shape))
    w, m = p.detach().clone(), torch.zeros(shape)
    run(Muon([p], lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.2), p)
    for i in range(5):
        g = given(i + 1, *shape)
        m = 0.9 * m + 0.1 * g
        flat = (0.9 * m + 0.1 * g if nesterov else m).flatten(1)
        u, sigma, v = torch.linalg.svd(flat / flat.norm(), full_matrices=False)
        for _ in range(5):
            sigma = A * sigma + B * sigma**3 + C * sigma**5
        o = (u * sigma) @ v
        w = w * (1 - 0.1 * 0.2) - 0.1 * max(1, flat.shape[0] / flat.shape[1]) ** 0.5 * o.view(shape)
    torch.testing.assert_close(p.detach(), w, atol=2e-4, rtol=1e-3)


def test_the_layout_of_a_filter_and_its_neighbours_change_no_step() -> None:
    shape = (512, 64, 3, 3)  # large enough to be taken alone
    plain = [nn.Parameter(given(i, *shape)) for i in range(2)]
    last = [nn.Parameter(given(i, *shape).contiguous(memory_format=torch.channels_last)) for i in range(2)]
    for chosen in (plain, last):
        run(Muon(chosen, lr=0.1, sphere=True), chosen[0])
    torch.testing.assert_close(plain[0], last[0], atol=1e-3, rtol=1e-3)  # the last product's rounding


def test_filters_of_one_shape_and_two_layouts_move_each_as_if_it_were_alone() -> None:
    def filters() -> list[nn.Parameter]:
        plain, last = given(0, 8, 4, 3, 3), given(1, 8, 4, 3, 3).contiguous(memory_format=torch.channels_last)
        return [nn.Parameter(plain), nn.Parameter(last)]

    together, apart = filters(), filters()
    for chosen in (together, *([p] for p in apart)):
        optimizer = Muon(chosen, lr=0.1, sphere=True)
        for p in chosen:
            p.grad = given(2, 8, 4, 3, 3)
        optimizer.step()
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("shape", [(3, 5, 7, 2), (3, 6, 1, 1)])
def test_a_stack_has_the_same_rows_in_any_layout(shape: tuple[int, ...]) -> None:
    plain = nn.Parameter(given(0, *shape))
    last = nn.Parameter(given(0, *shape).contiguous(memory_format=torch.channels_last))
    flat = nn.Parameter(given(0, *shape).flatten(2))
    for p in (plain, last, flat):
        p.grad = given(1, *shape).view(p.shape)
        Muon([{"params": [p], "matrix": True, "stacked": True, "sphere": True}], lr=0.1).step()
        torch.testing.assert_close(p.detach().flatten(2), plain.detach().flatten(2))


def test_stacked_matrices_move_as_if_they_were_alone() -> None:
    stack = nn.Parameter(given(0, 3, 5, 7))
    alone = [nn.Parameter(given(0, 3, 5, 7)[i].clone()) for i in range(3)]
    stacked = Muon([{"params": [stack], "matrix": True, "stacked": True}])
    apart = Muon(alone)
    stack.grad = given(1, 3, 5, 7)
    for i, p in enumerate(alone):
        p.grad = given(1, 3, 5, 7)[i]
    stacked.step()
    apart.step()
    torch.testing.assert_close(stack.detach(), torch.stack([p.detach() for p in alone]))


def test_muon_leaves_first_last_norms_biases_and_embeddings_to_the_rest() -> None:
    model = nn.Sequential(
        nn.Embedding(5, 4), nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 6), nn.Conv1d(6, 6, 3), nn.Linear(6, 2)
    )
    groups = parameter_groups(model, 0.1, by_matrix=True)
    matrices = [p for g in groups if g["matrix"] for p in g["params"]]
    assert [id(p) for p in matrices] == [id(model[3].weight), id(model[4].weight)]
    optimizer = build(Choice("muon", lr=0.02, rest_lr=0.003), model)
    assert {g["base_lr"] for g in optimizer.param_groups if g["matrix"]} == {0.02}
    assert {g["base_lr"] for g in optimizer.param_groups if not g["matrix"]} == {0.003}


def build_muon(params: list[torch.nn.Parameter], **chosen: object) -> torch.optim.Optimizer:
    entry = OPTIMIZERS["muon"]
    return entry.make(params, **entry.fill(chosen))


def test_muon_on_the_sphere_keeps_each_members_norm_and_forgets_its_scale() -> None:
    torch.manual_seed(0)
    small = torch.nn.Parameter(torch.randn(3, 6, 4))
    large = torch.nn.Parameter(small.detach() * 7)
    for p in (small, large):
        group = [{"params": [p], "matrix": True, "stacked": True}]
        optimizer = build_muon(group, lr=0.1, sphere=True, weight_decay=0.0)
        p.grad = torch.ones_like(p).cumsum(1)
        optimizer.step()
    torch.testing.assert_close(small, large)
    still = build_muon([{"params": [large], "matrix": True, "stacked": True}], lr=0.0, sphere=True, weight_decay=0.0)
    still.step()
    torch.testing.assert_close(large.flatten(1).norm(dim=1), torch.full((3,), 6**0.5))


@pytest.mark.parametrize("rest", ["adamw", "sgd"])
def test_muons_rest_is_the_optimizer_it_is_named_after(rest: str) -> None:
    p, q = nn.Parameter(given(0, 7)), nn.Parameter(given(0, 7))
    choice = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[rest]
    extra = {} if rest == "adamw" else {"momentum": 0.9, "nesterov": True}
    control = choice([q], lr=0.01, weight_decay=0.3, **extra)
    muon = build_muon([p], weight_decay=0.3, rest=rest, rest_lr=0.01)
    assert torch.equal(run(muon, p), run(control, q))


def test_only_weights_decay() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    model[2].weight.no_decay = True
    decayed = [id(p) for g in parameter_groups(model, 0.1) if g["weight_decay"] for p in g["params"]]
    assert decayed == [id(model[0].weight)]


def test_every_trainable_parameter_is_in_one_group_even_if_shared() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    model[2].weight.requires_grad_(False)
    inside = [id(p) for g in parameter_groups(model) for p in g["params"]]
    assert sorted(inside) == sorted(id(p) for p in model.parameters() if p.requires_grad)


def test_a_learning_rate_factor_scales_one_parameter() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[0].weight.lr_factor = 0.25
    optimizer = build(Choice("sgd", lr=0.4), model)
    set_lr(optimizer, 0.5)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert rates[id(model[0].weight)] == pytest.approx(0.4 * 0.25 * 0.5)
    assert rates[id(model[1].weight)] == pytest.approx(0.4 * 0.5)


def test_prodigy_says_that_it_has_one_learning_rate() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[0].weight.lr_factor = 0.25
    with pytest.warns(UserWarning, match="lr_factor is ignored"):
        optimizer = build(Choice("prodigy"), model)
    assert {g["lr"] for g in optimizer.param_groups} == {1.0}


def value(name: str, progress: float, **params: object) -> float:
    entry = SCHEDULES[name]
    return entry.make(**entry.fill(params))(progress)


def test_schedules_pass_through_their_known_points() -> None:
    assert value("constant", 1.0) == 1
    assert [value("step", p) for p in (0.0, 0.49, 0.5, 0.75, 1.0)] == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    assert value("exponential", 0.5, end=0.01) == pytest.approx(0.1)
    assert [value("cosine", p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.5, 0])
    assert [value("linear", p) for p in (0.0, 0.25, 1.0)] == pytest.approx([1, 0.75, 0])
    assert [value("one_cycle", p) for p in (0.0, 0.3, 1.0)] == pytest.approx([1 / 25, 1, 1e-4])
    assert [value("trapezoid", p, warmup=0.1, decay=0.2) for p in (0.1, 0.5, 0.8, 0.9, 1.0)] == pytest.approx(
        [1, 1, 1, 0.5, 0]
    )


def test_a_plateau_lowers_the_rate_only_after_its_patience_and_survives_a_restart() -> None:
    entry = SCHEDULES["plateau"]
    schedule = entry.make(**entry.fill({"factor": 0.5, "patience": 0.2}))
    for progress, score, expected in [(0.1, 1.0, 1), (0.2, 1.1, 1), (0.3, 1.2, 0.5), (0.4, 0.9, 0.5), (0.7, 2, 0.25)]:
        schedule(progress)
        schedule.observe(score)
        assert schedule(progress) == expected
    other = entry.make(**entry.fill({"factor": 0.5, "patience": 0.2}))
    other.load_state_dict(schedule.state_dict())
    assert other.state_dict() == schedule.state_dict()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "Adagrad", "RMSprop"])
def test_an_eager_optimiser_is_torchs_own_to_the_bit(name: str) -> None:
    kind = getattr(torch.optim, name)
    mine, theirs = one_layer().weight, one_layer().weight
    for w, make in ((mine, eager(kind)), (theirs, kind)):
        optimizer = make([w], lr=0.1, weight_decay=0.01)
        run(optimizer, w)
        again = make([w], lr=0.5)
        again.load_state_dict(optimizer.state_dict())
        again.zero_grad()
        assert w.grad is None
        run(again, w)
    assert torch.equal(mine, theirs)


def test_training_and_surgery_do_not_import_torchs_compiler() -> None:
    lines = [
        "import sys, torch",
        "from whet import surgery",
        "from whet.optim import build",
        "from whet.recipe import Choice",
        "for name in ('sgd', 'adamw', 'lion', 'muon'):",
        "    layer = torch.nn.Linear(3, 4)",
        "    optimizer = build(Choice(name), layer, fused=True)",
        "    layer(torch.ones(2, 3)).sum().backward()",
        "    optimizer.step()",
        "    optimizer.load_state_dict(optimizer.state_dict())",
        "    optimizer.zero_grad()",
        "network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())",
        "new, _ = surgery.replace_activations(network, 'gelu', sample=torch.ones(2, 3))",
        "surgery.verify(network, new, sample=torch.ones(2, 3))",
        "sys.exit('torch._dynamo' in sys.modules)",
    ]
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False).returncode == 0
