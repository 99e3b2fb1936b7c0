"""Norms against their formulas, in half precision and in other memory formats."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from whet import surgery
from whet.activations import get
from whet.entry import Entry
from whet.errors import RecipeError
from whet.norm import NORMS, standardise_weights

SHAPES = {1: (16, 12), 2: (4, 12, 5, 6)}
Twin = Callable[[Tensor], Tensor]


def standard(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    variance, mean = torch.var_mean(x, dims, correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def in_groups(x: Tensor) -> Tensor:
    parts = x.view(len(x), 12, -1)  # 32 groups were asked for: 12 divide 12 channels
    return standard(parts, (2,)).view(x.shape)


TWINS: dict[str, Twin] = {
    "batch": lambda x: standard(x, (0, *range(2, x.ndim))),
    "layer": lambda x: standard(x, tuple(range(1, x.ndim))),
    "group": in_groups,
    "weight_standardisation": in_groups,
    "instance": lambda x: standard(x, (2, 3)),
    "rms": lambda x: x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt(),
    "dyt": lambda x: torch.tanh(0.5 * x),
    "derf": lambda x: torch.erf(0.5 * x),
    "none": lambda x: x,
}
CASES = [
    pytest.param(entry, dims, id=f"{entry.name}-{dims}")
    for entry in NORMS
    for dims in (1, 2)
    if dims == 2 or entry.name not in ("instance", "weight_standardisation")
]


def made(entry: Entry[nn.Module], dims: int) -> nn.Module:
    return entry.make(12, dims, **entry.fill({}))


@pytest.mark.parametrize(("entry", "dims"), CASES)
def test_a_norm_computes_its_formula(entry: Entry[nn.Module], dims: int) -> None:
    x = torch.randn(SHAPES[dims], dtype=torch.float64) * 3 + 1
    torch.testing.assert_close(made(entry, dims).double()(x), TWINS[entry.name](x))


@pytest.mark.parametrize(("entry", "dims"), CASES)
def test_a_norm_has_a_scale_and_shift_per_channel(entry: Entry[nn.Module], dims: int) -> None:
    norm = made(entry, dims)
    if not hasattr(norm, "weight"):
        pytest.skip("nothing is learned")
    x = torch.randn(SHAPES[dims])
    plain = norm(x)
    with torch.no_grad():
        norm.weight[3] = 2.0
    assert torch.equal(norm(x)[:, 3], 2 * plain[:, 3])
    assert torch.equal(norm(x)[:, 4], plain[:, 4])


@pytest.mark.parametrize(("entry", "dims"), CASES)
def test_bfloat16_goes_in_and_out_and_loses_no_more_than_its_rounding(entry: Entry[nn.Module], dims: int) -> None:
    norm, x = made(entry, dims), torch.randn(SHAPES[dims]) * 3
    half = copy.deepcopy(norm).bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), norm(x), atol=0.03, rtol=0.03)


@pytest.mark.parametrize("entry", list(NORMS), ids=lambda e: e.name)
def test_channels_last_gives_the_same_numbers_and_stays(entry: Entry[nn.Module]) -> None:
    norm, x = made(entry, 2), torch.randn(SHAPES[2])
    y = norm(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(y, norm(x))
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("entry", "dims"), CASES)
def test_gradients_of_a_norm_equal_finite_differences(entry: Entry[nn.Module], dims: int) -> None:
    norm = made(entry, dims).double()
    x = torch.randn((3, 12) if dims == 1 else (2, 12, 2, 2), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))


def test_standardised_weights_have_mean_0_and_variance_1_per_output() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 1, groups=8), nn.Linear(4, 4))
    assert standardise_weights(model) == ("0",)
    weight = model[0].weight
    torch.testing.assert_close(weight.mean((1, 2, 3)), torch.zeros(8), atol=1e-6, rtol=0)
    torch.testing.assert_close(weight.var((1, 2, 3), correction=0), torch.ones(8), atol=1e-2, rtol=0)
    assert standardise_weights(model) == ()


def test_standardised_weights_learn_and_save() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3))
    standardise_weights(model)
    model(torch.randn(2, 1, 5, 5)).square().sum().backward()
    (weight,) = (p for p in model.parameters() if p.ndim == 4)
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0
    model.load_state_dict(model.state_dict())


def test_weight_standardisation_is_a_norm_that_surgery_puts_in_and_takes_out() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    new, changes = surgery.replace_norms(model, "weight_standardisation")
    assert isinstance(new[1], nn.GroupNorm)
    torch.testing.assert_close(new[0].weight.mean((1, 2, 3)), torch.zeros(8), atol=1e-6, rtol=0)
    assert {c.where for c in changes} == {"0", "1"}
    assert not surgery.replace_norms(new, "ws")[1]
    changes.undo()
    assert all(torch.equal(v, before[k]) for k, v in new.state_dict().items())


def test_weight_standardisation_needs_convolutions() -> None:
    with pytest.raises(RecipeError, match="made for convolutions"):
        NORMS["weight_standardisation"].make(8, 1)


def test_squashing_norms_are_the_activations_of_the_same_name() -> None:
    x = torch.randn(4, 6, 3, 3)
    for name in ("dyt", "derf"):
        assert torch.equal(NORMS[name].make(6, 2)(x), get(name, channels=6)(x))
