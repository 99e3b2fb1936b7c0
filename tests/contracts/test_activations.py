"""What every activation of the catalogue promises as a function: its value, its slopes, and no surprises far from zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from activation_twins import OTHER_PARAMETERS, TWINS
from torch import Tensor, nn
from torch.func import functional_call

from whet.activations import ACTIVATIONS, Activation, get

ELEMENTWISE = [e for e in ACTIVATIONS if e.elementwise]
CHANNELS = 6
NARROW = [torch.float32, torch.bfloat16]


def each(entries: list[Activation]) -> Any:
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.name)


def made(entry: Activation, **params: float) -> nn.Module:
    """In evaluation, with channels in dimension 1 where that matters."""
    channels = CHANNELS if entry.needs_channels else None
    return get(entry.name, channels=channels, dim=1, **params).eval()


def points(n: int = 400, seed: int = 0) -> Tensor:
    """Float64 numbers from [-15, 15] on no kink, more of them near zero."""
    u = 2 * torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    return 15 * u * u.abs()


def far_points() -> Tensor:
    """Float64 numbers of both signs from 15 to 1e4."""
    size = torch.logspace(1.176, 4, 100, dtype=torch.float64)
    return torch.cat([size, -size])


def value_and_slope(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Of a function of one number, its slope zero where it does not depend on x any more."""
    x = x if x.requires_grad else x.detach().requires_grad_()
    y = f(x)
    if not y.requires_grad:
        return y, torch.zeros_like(x)
    return y, torch.autograd.grad(y.sum(), x, create_graph=x.dtype == torch.float64, materialize_grads=True)[0]


def twin(name: str, x: Tensor) -> np.ndarray:
    with np.errstate(over="ignore"):
        return TWINS[name](x.numpy())


def test_every_elementwise_activation_has_a_twin_and_every_parameter_is_tried() -> None:
    assert set(TWINS) == {e.name for e in ELEMENTWISE}
    assert {e.name for e in ELEMENTWISE if e.defaults} - set(OTHER_PARAMETERS) == {"apl", "pwlu", "spline", "mixture"}
    for name, (params, _) in OTHER_PARAMETERS.items():
        assert set(params) == set(ACTIVATIONS[name].defaults)


@each(ELEMENTWISE)
def test_its_value_is_that_of_the_paper(entry: Activation) -> None:
    x = points()
    y = made(entry).double()(x).detach().numpy()
    rtol = 1e-6 if entry.kind == "learned" else 1e-12  # parameters are made in float32
    np.testing.assert_allclose(y, twin(entry.name, x), rtol=rtol, atol=rtol / 10)


@each([ACTIVATIONS[name] for name in OTHER_PARAMETERS])
def test_its_parameters_mean_what_they_mean_in_the_paper(entry: Activation) -> None:
    x = points()
    params, expected = OTHER_PARAMETERS[entry.name]
    y = made(entry, **params).double()(x).detach().numpy()
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(y, expected(x.numpy()), rtol=2e-6, atol=2e-7)


@each(ELEMENTWISE)
def test_in_float32_it_is_exact_to_float32(entry: Activation) -> None:
    """Up to a few roundings of the input, of what is computed on the way, and of the result."""
    x = points().float().requires_grad_()
    f = made(entry)
    y = f(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    expected = twin(entry.name, x.detach().double())
    wrong = np.abs(y.detach().double().numpy() - expected)
    assert (wrong <= 2e-6 + 1e-6 * (np.abs(expected) + (x * slope).abs().detach().numpy())).all()


@each([e for e in ELEMENTWISE if e.kind == "fixed"])
def test_with_many_numbers_its_value_and_slope_are_as_exact(entry: Activation) -> None:
    """From some thousands of numbers on it is a compiled loop that computes them, where there is a compiler."""
    x = points(20_000).float()
    y, slope = value_and_slope(made(entry), x)
    far, slopes = value_and_slope(made(entry).double(), x.double())
    bend = value_and_slope(lambda z: value_and_slope(made(entry).double(), z)[1], x.double())[1]
    assert ((y - far).abs() <= 2e-6 + 1e-6 * (far.abs() + (x * slopes).abs())).all()
    assert ((slope - slopes).abs() <= 2e-6 + 2e-6 * (slopes.abs() + (x * bend).abs())).all()


@each([e for e in ELEMENTWISE if e.kind == "fixed"])
def test_far_from_zero_its_value_is_as_exact_as_its_input_and_its_slope_and_curvature_are_finite(
    entry: Activation,
) -> None:
    x = far_points().float().repeat(50)
    y, slope = value_and_slope(made(entry), x)
    far, slopes = value_and_slope(made(entry).double(), x.double())
    assert ((y - far).abs() <= 1e-6 * (1 + far.abs() + x.abs() * (1 + slopes.abs()))).all()
    assert ((slope - slopes).abs() <= 2e-6 + 2e-6 * x.abs() * slopes.abs().clamp(max=1)).all()
    few = far_points().float().requires_grad_()
    for z in (few, x.detach().requires_grad_()):
        first = torch.autograd.grad(made(entry)(z).sum(), z, create_graph=True, materialize_grads=True)[0]
        if first.requires_grad:
            assert torch.autograd.grad(first.sum(), z, allow_unused=True, materialize_grads=True)[0].isfinite().all()


def derivatives(f: Callable[[Tensor], Tensor], x: Tensor) -> list[Tensor]:
    """Value, slope, and curvature where torch has one; in float64."""
    x = x.detach().requires_grad_()
    found = [f(x)]
    while len(found) < 3 and found[-1].requires_grad:
        try:
            found += torch.autograd.grad(found[-1].sum(), x, create_graph=True, materialize_grads=True)
        except RuntimeError:
            break
    return [y.detach().double() for y in found]


@each([e for e in ACTIVATIONS if e.kind == "fixed"])
@pytest.mark.parametrize("dtype", NARROW, ids=str)
@pytest.mark.parametrize("times", [1, 100], ids=["torch", "kernel"])
def test_far_from_zero_nothing_cancels(entry: Activation, dtype: torch.dtype, times: int) -> None:
    """From 100 to 1e4 what tends to 0 keeps its leading digits, in value, slope and curvature; a wave is told to 1e-6."""
    far = far_points()
    x = far[far.abs() >= 100].to(dtype).repeat(times)
    f = made(entry)
    for got, exact in zip(derivatives(f, x), derivatives(f.double(), x.double()), strict=False):
        least = 1e-6 * max(1, exact.abs().max()) if "sin(" in (entry.formula or "") else 1e-20
        assert ((got - exact).abs() <= least + (4e-6 + 2 * torch.finfo(dtype).eps) * exact.abs()).all()


@each(ELEMENTWISE)
def test_its_slope_is_that_of_finite_differences(entry: Activation) -> None:
    f, x, h = made(entry).double(), points().requires_grad_(), 1e-6
    (slope,) = torch.autograd.grad(f(x).sum(), x)
    with torch.no_grad():
        expected = (f(x + h) - f(x - h)) / (2 * h)
    torch.testing.assert_close(slope, expected, rtol=1e-6, atol=1e-7)


@each(ELEMENTWISE)
def test_its_curvature_is_that_of_finite_differences(entry: Activation) -> None:
    f, x, h = made(entry).double(), points().requires_grad_(), 1e-6

    def slope(at: Tensor, graph: bool = False) -> Tensor:
        return torch.autograd.grad(f(at).sum(), at, create_graph=graph)[0]

    first = slope(x, graph=True)
    if first.requires_grad:
        (curvature,) = torch.autograd.grad(first.sum(), x, allow_unused=True, materialize_grads=True)
    else:
        curvature = torch.zeros_like(x)
    expected = (slope(x + h) - slope(x - h)) / (2 * h)
    torch.testing.assert_close(curvature, expected, rtol=1e-5, atol=1e-6)


FAR = [0.0, 1e-40, 1e-8, 1e-3, 0.5, 1.0, 3.0, 6.0, 9.0, 20.0, 40.0, 88.0, 89.0, 104.0, 500.0, 1e3, 5e3, 1e4]


@each([e for e in ACTIVATIONS if not e.needs_channels])
@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_nothing_overflows_for_inputs_up_to_ten_thousand(entry: Activation, dtype: torch.dtype) -> None:
    x = torch.tensor([[s * v, s * w] for s in (-1, 1) for v in FAR for w in (v, -v)], dtype=dtype, requires_grad=True)
    f = made(entry)
    y = f(x)
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    for parameter in f.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


@each([e for e in ACTIVATIONS if e.needs_channels])
@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_nothing_overflows_in_images_of_large_numbers(entry: Activation, dtype: torch.dtype) -> None:
    x = (torch.randn(2, CHANNELS, 4, 4, generator=torch.Generator().manual_seed(0)) * 5e3).clamp(-1e4, 1e4).to(dtype)
    f = made(entry).to(dtype)
    x.requires_grad_()
    y = f(x)
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@each([e for e in ACTIVATIONS if e.kind != "fixed"])
def test_the_gradients_of_inputs_and_parameters_are_those_of_finite_differences(entry: Activation) -> None:
    torch.manual_seed(1)
    f = get(entry.name, channels=CHANNELS, dim=1).eval().double()
    parameters = {k: (p + 0.1 * torch.randn_like(p)).detach().requires_grad_() for k, p in f.named_parameters()}
    x = torch.randn(2, CHANNELS, 2, 2, dtype=torch.float64, requires_grad=True)

    def of(x: Tensor, *values: Tensor) -> Tensor:
        return functional_call(f, dict(zip(parameters, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(of, (x, *parameters.values()), fast_mode=True)


@each([e for e in ACTIVATIONS if e.kind == "fixed"])
def test_at_most_one_tensor_is_kept_for_the_backward_pass(entry: Activation) -> None:
    kept: dict[int, Tensor] = {}

    def keep(t: Tensor) -> Tensor:
        kept[t.data_ptr()] = t
        return t

    x = torch.randn(64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        made(entry)(x)
    assert len([t for t in kept.values() if t.numel() > 1]) <= 1
