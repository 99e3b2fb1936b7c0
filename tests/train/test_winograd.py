"""3x3 convolutions with fewer products: the same numbers as any other way, while a network trains in bfloat16 and only then."""

import copy
import shutil
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whet.activations.kernel import library
from whet.train import winograd
from whet.train.plan import Plan, changes

needs_kernel = pytest.mark.skipif(
    winograd.kernel() is None, reason="no C compiler, or a processor without dot products of bfloat16"
)
MAPS = [  # images, channels in, channels out, height, width
    (1, 64, 64, 1, 1),
    (3, 64, 96, 2, 5),
    (2, 96, 64, 7, 7),
    (5, 128, 160, 4, 3),
    (2, 64, 64, 31, 8),
    (70, 64, 64, 3, 3),
    (9, 64, 64, 15, 16),
]
GRADIENT = torch.ops.aten.convolution_backward


def whole_numbers(*shape: int, most: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-most, most + 1, shape, generator=generator).float()


def maps(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def plain(x: Tensor, weight: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The output, the input's gradient and the weight's, in float64."""
    x, weight, g = x.double(), weight.double(), g.double()
    ones = (1, 1)
    there = GRADIENT(g, x, weight, None, ones, ones, ones, False, (0, 0), 1, (True, True, False))
    return F.conv2d(x, weight, padding=1), there[0], there[1]


@needs_kernel
@pytest.mark.parametrize("shape", MAPS, ids=str)
def test_numbers_that_need_no_rounding_come_out_to_the_bit(shape: tuple[int, ...]) -> None:
    """Fours in the filters: every spread filter is whole, and every factor has fewer than eight bits."""
    n, c, k, height, width = shape
    x, g = whole_numbers(n, c, height, width), whole_numbers(n, k, height, width, seed=1)
    weight = 4 * whole_numbers(k, c, 3, 3, most=1, seed=2)
    y, towards_input, towards_weight = plain(x, weight, g)
    assert torch.equal(winograd.convolve(maps(x), weight), y.to(torch.bfloat16))
    assert torch.equal(winograd.convolve(maps(g), weight, turned=True), towards_input.to(torch.bfloat16))
    assert torch.equal(winograd.gradient(maps(x), maps(g)), towards_weight.float())


@needs_kernel
@pytest.mark.parametrize("shape", MAPS, ids=str)
def test_rounding_costs_at_most_two_and_a_half_times_that_of_a_plain_convolution(shape: tuple[int, ...]) -> None:
    n, c, k, height, width = shape
    torch.manual_seed(0)
    x, g = maps(torch.randn(n, c, height, width)), maps(torch.randn(n, k, height, width))
    weight = torch.randn(k, c, 3, 3) / (9 * c) ** 0.5
    rounded = F.conv2d(x, weight.to(torch.bfloat16), padding=1)
    exact = plain(x, weight, g)
    ours = winograd.convolve(x, weight), winograd.convolve(g, weight, turned=True), winograd.gradient(x, g)
    bound = 2.5 * off(rounded, exact[0])
    assert all(off(a, b) < bound for a, b in zip(ours, exact, strict=True))


def off(value: Tensor, exact: Tensor) -> float:
    return float((value.double() - exact).norm() / exact.norm())


@needs_kernel
def test_the_number_of_threads_changes_no_bit() -> None:
    torch.manual_seed(0)
    x, g, weight = maps(torch.randn(20, 64, 9, 9)), maps(torch.randn(20, 96, 9, 9)), torch.randn(96, 64, 3, 3)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append((winograd.convolve(x, weight), winograd.gradient(x, g)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    inside = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.GELU(), nn.Conv2d(64, 96, 3, padding=1, bias=False))
    return nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.GELU(), inside)


def trained(model: nn.Module, x: Tensor, dtype: torch.dtype = torch.bfloat16) -> list[Tensor]:
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        y = model(x)
    y.float().square().mean().backward()
    return [y.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]


@needs_kernel
def test_a_network_trains_alike_with_fewer_products() -> None:
    x = torch.randn(4, 3, 10, 10)
    ours, theirs = trained(winograd.use(network()), x), trained(network(), x)
    assert all(off(a, b.double()) < 0.02 for a, b in zip(ours, theirs, strict=True))
    assert not all(map(torch.equal, ours, theirs))


@needs_kernel
def test_names_weights_hooks_and_copies_stay() -> None:
    model, seen = network(), []
    model[2][2].register_forward_hook(lambda *_: seen.append("called"))
    names = [*model.state_dict()]
    changed = winograd.use(model)
    assert changed is model
    assert [*model.state_dict()] == names
    x = torch.randn(2, 3, 6, 6)
    again = trained(copy.deepcopy(model), x)
    assert all(map(torch.equal, trained(model, x), again))
    assert seen == ["called", "called"]
    assert str(model) == str(network()).replace("Conv2d(64", "Conv3x3(64")


@needs_kernel
def test_answers_and_trainings_in_float32_are_those_of_any_convolution() -> None:
    x = torch.randn(4, 3, 10, 10)
    assert all(
        map(torch.equal, trained(winograd.use(network()), x, torch.float32), trained(network(), x, torch.float32))
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answers = [model.eval()(x) for model in (winograd.use(network()), network())]
        with torch.no_grad():
            answers += [model.train()(x) for model in (winograd.use(network()), network())]
    assert all(torch.equal(answers[0].detach(), other.detach()) for other in answers[1:])


@needs_kernel
def test_what_is_no_number_is_not_hidden() -> None:
    x = maps(torch.ones(1, 64, 6, 6))
    x[0, 3, 2, 2] = torch.nan
    y = winograd.convolve(x, torch.ones(64, 64, 3, 3))
    assert y[:, :, 1:4, 1:4].isnan().all()
    assert y[:, :, 4:].isfinite().all()


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(64, 64, 3, padding=1, stride=2),
        nn.Conv2d(64, 64, 3, padding=1, dilation=2),
        nn.Conv2d(64, 64, 3, padding=1, groups=2),
        nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(64, 64, 3, padding="same"),
        nn.Conv2d(64, 64, 3),
        nn.Conv2d(64, 64, (1, 3), padding=1),
        nn.Conv2d(64, 64, 5, padding=2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.Conv2d(64, 80, 3, padding=1),
        nn.Conv2d(64, 64, 3, padding=1).double(),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(64, 64, 3, padding=1)),
        nn.Conv1d(64, 64, 3, padding=1),
        nn.LazyConv2d(64, 3, padding=1),
    ],
    ids=str,
)
def test_other_convolutions_are_left_alone(other: nn.Module) -> None:
    kind = type(other)
    assert winograd.fits(nn.Conv2d(64, 64, 3, padding=1))
    assert type(winograd.use(nn.Sequential(other))[0]) is kind  # type: ignore[index]


def test_without_a_compiler_networks_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    library.compiler.cache_clear()
    winograd.kernel.cache_clear()
    try:
        assert winograd.kernel() is None
        assert type(winograd.use(nn.Conv2d(64, 64, 3, padding=1))) is nn.Conv2d
    finally:
        library.compiler.cache_clear()
        winograd.kernel.cache_clear()


def test_a_plan_tries_the_plain_way_too_and_an_older_one_has_it() -> None:
    assert {"winograd": False} in changes(Plan(winograd=True))
    assert not any("winograd" in change for change in changes(Plan()))
    assert not Plan.of({"threads": 2, "bfloat16": True}).winograd
    assert "winograd" in str(Plan(winograd=True))
    assert "winograd" not in str(Plan())


@needs_kernel
def test_a_child_that_was_forked_convolves_on_one_thread() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("forks")
    import multiprocessing

    weight, x = torch.randn(64, 64, 3, 3), maps(torch.randn(2, 64, 5, 5))
    winograd.convolve(x, weight)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=lambda: send.send(winograd.convolve(x, weight).float().sum().item()))
    child.start()
    assert receive.poll(60)
    assert receive.recv() == winograd.convolve(x, weight).float().sum().item()
    child.join()
