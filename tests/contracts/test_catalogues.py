"""What every entry of every layer-1 catalogue promises. A new entry is met here without being named."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from whet.activations import ACTIVATIONS
from whet.augment import AUGMENTS, plan
from whet.entry import Catalogue, Entry
from whet.errors import RecipeError, UnknownName
from whet.init import INITS
from whet.losses import LOSSES, SEQUENCES
from whet.norm import NORMS
from whet.optim import OPTIMIZERS, SCHEDULES, build, evaluation_mode, load_state, set_lr
from whet.recipe import Choice
from whet.regularise import REGULARISERS

CATALOGUES = (ACTIVATIONS, INITS, NORMS, LOSSES, OPTIMIZERS, SCHEDULES, REGULARISERS, AUGMENTS)
WITHOUT_PAPER = {
    "identity", "tanh_shrink", "bent_identity", "log_sigmoid",
    "none", "binary", "own", "constant", "exponential", "vertical_flip", "zoom", "gain",
}  # fmt: skip
"""Methods that nobody invented, or nobody wrote a paper about."""


def each(catalogue: Catalogue[Any]) -> Any:
    return pytest.mark.parametrize("entry", list(catalogue), ids=lambda entry: entry.name)


def made(entry: Entry[Any], *args: Any, **params: Any) -> Any:
    return entry.make(*args, **entry.fill(params))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)
    )


ALL = [pytest.param(c, e, id=f"{c.kind}-{e.name}") for c in CATALOGUES for e in c]


@pytest.mark.parametrize(("catalogue", "entry"), ALL)
def test_an_entry_says_what_it_does_what_it_costs_and_when_it_hurts(
    catalogue: Catalogue[Any], entry: Entry[Any]
) -> None:
    assert entry.summary.endswith(".")
    assert entry.cost
    assert entry.hurts_when
    assert entry.paper or entry.name in WITHOUT_PAPER


@pytest.mark.parametrize(("catalogue", "entry"), ALL)
def test_the_defaults_can_stand_in_a_recipe(catalogue: Catalogue[Any], entry: Entry[Any]) -> None:
    assert Choice(entry.name, entry.defaults).params == entry.defaults


@pytest.mark.parametrize(("catalogue", "entry"), ALL)
def test_a_misspelt_name_offers_the_right_one(catalogue: Catalogue[Any], entry: Entry[Any]) -> None:
    with pytest.raises(UnknownName) as error:
        catalogue[entry.name + "x"]
    assert entry.name in error.value.near


@pytest.mark.parametrize(("catalogue", "entry"), ALL)
def test_a_parameter_that_an_entry_lacks_is_refused(catalogue: Catalogue[Any], entry: Entry[Any]) -> None:
    with pytest.raises(RecipeError, match="no parameter 'wings'"):
        entry.fill({"wings": 2})


@each(INITS)
def test_an_initialisation_depends_on_its_generator_alone(entry: Entry[Any]) -> None:
    weights = []
    for noise in (1, 2):
        model = net()
        if noise == 2:
            model = model.to(memory_format=torch.channels_last)
        torch.manual_seed(noise)
        made(entry)(model, torch.Generator().manual_seed(7))
        weights.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    assert not torch.equal(weights[0][0], net()[0].weight)


@each(INITS)
def test_an_initialisation_leaves_frozen_weights_alone(entry: Entry[Any]) -> None:
    model = net()
    before = model[0].weight.requires_grad_(False).clone()
    made(entry)(model, torch.Generator().manual_seed(7))
    assert torch.equal(before, model[0].weight)


@each(NORMS)
@pytest.mark.parametrize("shape", [(16, 12), (4, 12, 5, 5)], ids=["table", "image"])
def test_a_normalisation_keeps_the_shape(entry: Entry[nn.Module], shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    if entry.name in ("instance", "weight_standardisation") and len(shape) == 2:
        with pytest.raises(RecipeError, match="Use layer or batch"):
            entry.make(12, dims=1)
        return
    assert entry.make(12, dims=len(shape) // 2, **entry.fill({}))(x).shape == x.shape


def of_rows(losses: Catalogue[Any]) -> Any:
    """Losses of one answer per row; those of sequences, quantiles and what a network says itself have tests of their own."""
    others = (*SEQUENCES, "own", "quantiles")
    return pytest.mark.parametrize("entry", [e for e in losses if e.name not in others], ids=lambda e: e.name)


@of_rows(LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loss_is_a_finite_float32_scalar_with_a_gradient(entry: Entry[Any], dtype: torch.dtype) -> None:
    outputs = torch.randn(6, 2, dtype=dtype, requires_grad=True)
    regression = entry.name in ("mse", "mae", "huber", "quantile")
    target = torch.randn(6, 2) if regression else torch.tensor([0, 1, 0, 1, 1, 0])
    loss = made(entry)(outputs, target)
    loss.backward()
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


@of_rows(LOSSES)
def test_the_loss_of_members_is_the_mean_of_their_losses(entry: Entry[Any]) -> None:
    outputs = torch.randn(6, 3, 2)
    regression = entry.name in ("mse", "mae", "huber", "quantile")
    target = torch.randn(6, 2) if regression else torch.tensor([0, 1, 0, 1, 1, 0])
    loss = made(entry)
    alone = torch.stack([loss(outputs[:, m], target) for m in range(3)]).mean()
    torch.testing.assert_close(loss(outputs, target), alone)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for i in steps:
        x = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(i))
        set_lr(optimizer, 1 / (1 + i))
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


@each(OPTIMIZERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["rows", "channels_last"])
@pytest.mark.parametrize("fused", [None, True], ids=["plain", "fused"])
def test_an_optimizer_resumes_from_its_state_to_the_bit(
    entry: Entry[Any], layout: torch.memory_format, fused: bool | None
) -> None:
    def start() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = net().to(memory_format=layout)
        return model, build(Choice(entry.name), model, fused=fused)

    whole, optimizer = start()
    train(whole, optimizer, range(6))
    half, optimizer = start()
    train(half, optimizer, range(3))
    state = optimizer.state_dict()
    for values in state["state"].values():  # a file holds contiguous tensors
        values |= {k: v.contiguous() for k, v in values.items() if isinstance(v, torch.Tensor)}
    resumed, fresh = start()
    resumed.load_state_dict({k: v.contiguous() for k, v in half.state_dict().items()})
    load_state(fresh, state)
    train(resumed, fresh, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


@each(OPTIMIZERS)
def test_evaluating_changes_no_bit_of_the_training(entry: Entry[Any]) -> None:
    model = net()
    optimizer = build(Choice(entry.name), model)
    train(model, optimizer, range(3))
    before = [p.detach().clone() for p in model.parameters()]
    with torch.inference_mode(), evaluation_mode(optimizer):
        pass
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    train(model, optimizer, range(3, 4))


@each(OPTIMIZERS)
def test_the_multiplier_scales_every_learning_rate(entry: Entry[Any]) -> None:
    optimizer = build(Choice(entry.name), net())
    base = [g["lr"] for g in optimizer.param_groups]
    set_lr(optimizer, 0.5)
    assert [g["lr"] for g in optimizer.param_groups] == [lr / 2 for lr in base]


@each(SCHEDULES)
def test_a_schedule_is_a_number_in_0_to_1_at_every_progress(entry: Entry[Any]) -> None:
    for params in ({}, {"warmup": 0.2}):
        schedule = made(entry, **params)
        values = [schedule(p / 100) for p in range(101)]
        assert all(math.isfinite(v) and 0 <= v <= 1 for v in values)
        assert values == [schedule(p / 100) for p in range(101)]
        assert max(values) == pytest.approx(1)


@each(SCHEDULES)
def test_a_schedule_rises_during_its_warmup_and_never_afterwards(entry: Entry[Any]) -> None:
    schedule = made(entry, warmup=0.2)
    values = [schedule(p / 100) for p in range(101)]
    assert values[:21] == sorted(values[:21])
    assert values[0] < 0.1 < values[20] == pytest.approx(1)
    assert values[20:] == sorted(values[20:], reverse=True)


@each(SCHEDULES)
def test_a_schedule_refuses_a_warmup_that_takes_everything(entry: Entry[Any]) -> None:
    with pytest.raises(RecipeError):
        made(entry, warmup=1.0)


@each(REGULARISERS)
def test_a_regulariser_is_made_from_its_defaults(entry: Entry[Any]) -> None:
    found = made(entry)
    assert callable(found) or hasattr(found, "observe") or (hasattr(found, "prepare") and hasattr(found, "loss"))


STRONG = {"p": 1.0, "pixels": 3, "pad": 3, "degrees": 30.0, "share": 0.5, "amount": 0.5, "saturation": 0.5, "hue": 60.0}
NOTHING = dict.fromkeys(STRONG, 0)


of_images = pytest.mark.parametrize("entry", [e for e in AUGMENTS if "image" in e.domains], ids=lambda e: e.name)


def strength(entry: Entry[Any], values: dict[str, Any]) -> Choice:
    """The entry so strong; what else it can be told, such as how smooth a field is, stays."""
    return Choice(entry.name, {k: values.get(k, default) for k, default in entry.defaults.items()})


@of_images
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["rows", "channels_last"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_augmentation_keeps_shape_dtype_range_and_layout(
    entry: Entry[Any], layout: torch.memory_format, channels: int, dtype: torch.dtype
) -> None:
    x = torch.rand(5, channels, 9, 12).to(dtype).to(memory_format=layout)
    before = x.clone()
    y = plan((strength(entry, STRONG),), (9, 12))(x, torch.Generator().manual_seed(0))
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert y.is_contiguous(memory_format=layout)
    assert y.min() >= 0
    assert y.max() <= 1
    assert torch.equal(x, before)
    if channels == 3 or entry.name != "colour":
        assert not torch.equal(x, y)


@of_images
def test_the_same_generator_state_gives_the_same_bits(entry: Entry[Any]) -> None:
    x = torch.rand(5, 3, 9, 12)
    augment = plan((strength(entry, STRONG),), (9, 12))
    one, two = (augment(x, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)


@of_images
def test_an_augmentation_of_no_range_gives_its_input_back(entry: Entry[Any]) -> None:
    x = torch.rand(5, 3, 9, 12)
    augment = plan((strength(entry, NOTHING),), (9, 12))
    assert augment.is_identity
    assert augment(x, torch.Generator()) is x


@of_images
def test_an_augmentation_takes_images_of_one_pixel(entry: Entry[Any]) -> None:
    x = torch.rand(2, 3, 1, 1)
    assert plan((strength(entry, STRONG),), (1, 1))(x, torch.Generator().manual_seed(0)).isfinite().all()
