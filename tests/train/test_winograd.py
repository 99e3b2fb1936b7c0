"""3x3 convolutions with fewer products: the same numbers as any other way, while a network trains in bfloat16 and only then."""

import copy
import multiprocessing
import shutil
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from setups import SMALL, training
from torch import Tensor, nn

from whet.activations.kernel import library
from whet.train import max_pool, winograd
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
    (9, 32, 64, 15, 16),
    (2, 64, 32, 6, 6),
]
GRADIENT = torch.ops.aten.convolution_backward
POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)
ROUNDING = 0.013
"""What an output or a gradient may be off, as a share of its size; a plain convolution in bfloat16 is off by 0.0023."""


def maps(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def some(n: int, c: int, k: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """An input, a weight and a gradient of the output."""
    torch.manual_seed(0)
    return maps(torch.randn(n, c, height, width)), torch.randn(k, c, 3, 3), maps(torch.randn(n, k, height, width))


def ours(x: Tensor, weight: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The output, the input's gradient and the weight's."""
    return winograd.convolve(x, weight), winograd.convolve(g, weight, turned=True), winograd.gradient(x, g)


def plain(x: Tensor, weight: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same in float64."""
    x, weight, g = x.double(), weight.double(), g.double()
    ones = (1, 1)
    there = GRADIENT(g, x, weight, None, ones, ones, ones, False, (0, 0), 1, (True, True, False))
    return F.conv2d(x, weight, padding=1), there[0], there[1]


def spreading() -> tuple[Tensor, Tensor, Tensor]:
    """A' (4, 6), G (6, 3) and B' (6, 6): powers of the points, over the products of their differences, and the
    polynomials that are 0 at all other points; the last point is infinity."""
    powers = np.array([[p**i for i in range(4)] for p in POINTS] + [[0, 0, 0, 1]])
    g, b = np.zeros((6, 3)), np.zeros((6, 6))
    g[5, 2], b[5] = 1, np.poly(POINTS)[::-1]
    for j, p in enumerate(POINTS):
        others = [q for q in POINTS if q != p]
        g[j] = np.array([1, p, p**2]) / np.prod([p - q for q in others])
        b[j, :5] = np.poly(others)[::-1]
    return torch.from_numpy(powers.T.copy()), torch.from_numpy(g), torch.from_numpy(b)


def tiles(x: Tensor, side: int, margin: int) -> Tensor:
    """Windows (n, c, down, across, side, side) of x, every four pixels, with zeros beyond it."""
    height, width = (-(-s // 4) * 4 for s in x.shape[2:])
    x = F.pad(x.double(), (margin, width - x.shape[3] + margin, margin, height - x.shape[2] + margin))
    return x.unfold(2, side, 4).unfold(3, side, 4)


def rounded(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16).double()


def slowly(x: Tensor, weight: Tensor) -> Tensor:
    """The output by the same sums, rounded at the same places, one after the other."""
    a, g, b = spreading()
    v = rounded(torch.einsum("ai,nctuij,bj->nctuab", b, tiles(x, 6, 1), b))
    u = rounded(torch.einsum("ai,kcij,bj->kcab", g, weight.double(), g))
    y = torch.einsum("ia,nktuab,jb->nktiuj", a, torch.einsum("nctuab,kcab->nktuab", v, u), a)
    return y.flatten(4, 5).flatten(2, 3)[:, :, : x.shape[2], : x.shape[3]]


def slow_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    a, g, b = spreading()
    v = rounded(torch.einsum("ai,nctuij,bj->nctuab", b, tiles(x, 6, 1), b))
    w = rounded(torch.einsum("ia,nktuij,jb->nktuab", a, tiles(gradient, 4, 0), a))
    return torch.einsum("ai,kcab,bj->kcij", g, torch.einsum("nctuab,nktuab->kcab", v, w), g)


@needs_kernel
@pytest.mark.parametrize("shape", MAPS, ids=str)
def test_each_number_is_that_of_the_slow_way(shape: tuple[int, ...]) -> None:
    x, weight, g = some(*shape)
    back = weight.flip(2, 3).transpose(0, 1)
    slow = slowly(x, weight), slowly(g, back), slow_gradient(x, g)
    for fast, one in zip(ours(x, weight, g), slow, strict=True):
        assert fast.shape == one.shape
        # A number at a border between two of bfloat16 may fall to either side: 2^-8 of it, and of the factors that differ so.
        assert ((fast.double() - one).abs() <= 2**-8 * one.abs() + 1e-2 * one.std()).all()


@needs_kernel
@pytest.mark.parametrize("shape", MAPS, ids=str)
def test_rounding_stays_at_about_a_hundredth(shape: tuple[int, ...]) -> None:
    given = some(*shape)
    assert all(off(a, b) < ROUNDING for a, b in zip(ours(*given), plain(*given), strict=True))


def off(value: Tensor, exact: Tensor) -> float:
    return float((value.double() - exact).norm() / exact.norm())


@needs_kernel
def test_the_number_of_threads_changes_no_bit() -> None:
    x, weight, g = some(20, 64, 96, 9, 9)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(ours(x, weight, g))
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
    fewer, all_of_them = trained(winograd.use(network()), x), trained(network(), x)
    assert all(off(a, b.double()) < 0.05 for a, b in zip(fewer, all_of_them, strict=True))
    assert not all(map(torch.equal, fewer, all_of_them))


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
def test_a_loss_of_gradients_trains_too() -> None:
    """As in a gradient penalty: the way back is differentiated, there as any convolution's."""

    def penalised(model: nn.Module) -> list[Tensor]:
        torch.manual_seed(1)
        x = torch.randn(2, 3, 6, 6, requires_grad=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            (slope,) = torch.autograd.grad(model(x).float().square().sum(), x, create_graph=True)
        slope.square().sum().backward()
        return [p.grad for p in model.parameters() if p.grad is not None]

    pairs = zip(penalised(winograd.use(network())), penalised(network()), strict=True)
    assert all(off(a, b.double()) < 0.05 for a, b in pairs)


@needs_kernel
def test_what_is_no_number_is_not_hidden() -> None:
    x = maps(torch.ones(1, 64, 6, 6))
    x[0, 3, 2, 2] = torch.nan
    y = winograd.convolve(x, torch.ones(64, 64, 3, 3))
    assert y[:, :, 1:4, 1:4].isnan().all()
    assert winograd.convolve(maps(torch.ones(1, 64, 6, 6)), torch.ones(64, 64, 3, 3)).isfinite().all()


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
        nn.Conv2d(16, 64, 3, padding=1),
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
    winograd._compiled.cache_clear()
    try:
        assert winograd.kernel() is None
        assert type(winograd.use(nn.Conv2d(64, 64, 3, padding=1))) is nn.Conv2d
    finally:
        library.compiler.cache_clear()
        winograd._compiled.cache_clear()


def test_a_plan_tries_the_plain_way_too_and_an_older_one_has_it() -> None:
    assert {"winograd": False} in changes(Plan(winograd=True))
    assert not any("winograd" in change for change in changes(Plan()))
    assert not Plan.of({"threads": 2, "bfloat16": True}).winograd
    assert "fewer products" in str(Plan(winograd=True, bfloat16=True))
    assert not Plan(winograd=True).fewer_products, "without bfloat16"
    assert "fewer products" not in str(Plan(winograd=True))


@needs_kernel
def test_a_child_that_was_forked_convolves_on_one_thread() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("forks")
    weight, x = torch.randn(32, 32, 3, 3), maps(torch.randn(2, 32, 5, 5))  # too small for threads of torch's own
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = winograd.convolve(x, weight).float().sum().item()
        context = multiprocessing.get_context("fork")
        receive, send = context.Pipe(duplex=False)
        child = context.Process(
            target=lambda: send.send(winograd.convolve(x, weight).float().sum().item()), daemon=True
        )
        child.start()
        assert receive.poll(60)
        assert receive.recv() == expected
    finally:
        torch.set_num_threads(before)
        child.kill()


@needs_kernel
def test_a_wrong_number_of_channels_is_refused_as_by_any_convolution() -> None:
    model = winograd.use(nn.Conv2d(64, 64, 3, padding=1))
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(RuntimeError, match="64 channels"):
        model(torch.randn(2, 32, 8, 8))


@needs_kernel
def test_torchs_defaults_do_not_reach_the_kernel() -> None:
    given = some(2, 64, 64, 5, 5)
    there = ours(*given)
    torch.set_default_dtype(torch.float64)
    try:
        assert all(map(torch.equal, ours(*given), there))
    finally:
        torch.set_default_dtype(torch.float32)


@needs_kernel
def test_many_gradients_at_once_go_the_usual_way() -> None:
    model, x = winograd.use(nn.Conv2d(64, 64, 3, padding=1)), torch.randn(2, 64, 5, 5, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(x)
    many = torch.randn(3, *y.shape).to(y.dtype)
    (at_once,) = torch.autograd.grad(y, x, many, is_grads_batched=True, retain_graph=True)
    one_by_one = torch.stack([torch.autograd.grad(y, x, g, retain_graph=True)[0] for g in many])
    assert off(at_once, one_by_one.double()) < 0.02


def test_kernels_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that was changed before, here or on another machine, goes on as any other."""
    model, x = winograd.use(network()), torch.randn(2, 3, 6, 6)
    monkeypatch.setenv("WHET_KERNELS", "0")
    assert winograd.kernel() is None
    assert max_pool.kernel(torch.float32) is None
    assert all(map(torch.equal, trained(model, x), trained(network(), x)))


@needs_kernel
@pytest.mark.parametrize("fast", [True, False], ids=["fewer products", "plain"])
def test_a_network_is_built_as_the_plan_says(fast: bool) -> None:
    recipe = SMALL.put("family.widths", (32, 32))
    model = training(recipe, plan=Plan(channels_last=fast, bfloat16=True, winograd=fast)).parts.model
    kinds = {type(m) for m in model.modules()}
    assert (winograd.Conv3x3 in kinds) == fast
    assert (max_pool.MaxPool2x2 in kinds) == fast
