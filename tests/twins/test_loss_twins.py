"""Losses against their formulas, and the initialisations' and normalisations' promises."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.init import INITS
from whet.losses import LOSSES
from whet.norm import NORMS


def loss(name: str, **params: Any) -> Any:
    return LOSSES[name].make(**LOSSES[name].fill(params))


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def target() -> Tensor:
    return torch.tensor([0, 3, 1, 1, 2, 0, 3])


def test_focal_with_gamma_0_is_cross_entropy(logits: Tensor, target: Tensor) -> None:
    torch.testing.assert_close(loss("focal", gamma=0.0)(logits, target), F.cross_entropy(logits, target))


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
@pytest.mark.parametrize("params", [{}, {"label_smoothing": 0.1}, {"class_weights": (1.0, 2.0, 0.5, 3.0)}])
def test_an_index_is_its_one_hot_row(name: str, params: dict[str, Any], logits: Tensor, target: Tensor) -> None:
    if name == "focal":
        params = {}
    judge = loss(name, **params)
    torch.testing.assert_close(judge(logits, target), judge(logits, F.one_hot(target, 4).float()))


def test_label_smoothing_is_an_explicit_soft_target(logits: Tensor, target: Tensor) -> None:
    soft = 0.9 * F.one_hot(target, 4) + 0.1 / 4
    explicit = -(soft * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss("cross_entropy", label_smoothing=0.1)(logits, target), explicit)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_are_torchs(smoothing: float, logits: Tensor, target: Tensor) -> None:
    w = (1.0, 2.0, 0.5, 3.0)
    ours = loss("cross_entropy", class_weights=w, label_smoothing=smoothing)(logits, target)
    torch.testing.assert_close(ours, F.cross_entropy(logits, target, torch.tensor(w), label_smoothing=smoothing))


def test_a_wrong_number_of_class_weights_is_refused(logits: Tensor, target: Tensor) -> None:
    with pytest.raises(RecipeError, match="3 numbers for 4 classes"):
        loss("cross_entropy", class_weights=(1.0, 1.0, 1.0))(logits, target)


def test_focal_counts_a_row_that_is_right_less(logits: Tensor, target: Tensor) -> None:
    p = logits.softmax(1)[range(7), target]
    torch.testing.assert_close(loss("focal", gamma=2.0)(logits, target), (-((1 - p) ** 2) * p.log()).mean())


def test_focal_has_a_finite_gradient_where_the_network_is_sure() -> None:
    sure = torch.tensor([[60.0, -60.0]], requires_grad=True)
    loss("focal", gamma=0.5)(sure, torch.tensor([0])).backward()
    assert sure.grad is not None
    assert sure.grad.isfinite().all()


def test_one_logit_and_two_logits_give_the_same_binary_loss() -> None:
    two, target = torch.randn(9, 2), torch.randint(0, 2, (9,))
    judge = loss("binary")
    torch.testing.assert_close(judge(two, target), F.cross_entropy(two, target))
    torch.testing.assert_close(judge(two[:, 1:] - two[:, :1], target), F.cross_entropy(two, target))
    torch.testing.assert_close(judge(two, F.one_hot(target, 2).float()), F.cross_entropy(two, target))


@pytest.mark.parametrize("shape", [(8,), (8, 1)])
def test_regression_takes_outputs_and_targets_with_or_without_a_column(shape: tuple[int, ...]) -> None:
    outputs, target = torch.randn(shape), torch.randn(8)
    error = outputs.flatten() - target
    torch.testing.assert_close(loss("mse")(outputs, target), error.square().mean())
    torch.testing.assert_close(loss("mae")(outputs, target), error.abs().mean())
    straight = torch.where(error.abs() <= 0.5, error**2 / 2, 0.5 * (error.abs() - 0.25))
    torch.testing.assert_close(loss("huber", delta=0.5)(outputs, target), straight.mean())


def test_a_target_of_another_shape_is_refused_rather_than_broadcast() -> None:
    with pytest.raises(ValueError, match="don't fit"):
        loss("mse")(torch.randn(8, 3), torch.randn(8))


@pytest.mark.parametrize(
    ("name", "activation"), [("he", nn.ReLU()), ("lecun", nn.Identity()), ("xavier", nn.Identity())]
)
def test_an_initialisation_keeps_the_signals_length_through_ten_layers(name: str, activation: nn.Module) -> None:
    model = nn.Sequential(*(m for _ in range(10) for m in (nn.Linear(512, 512, bias=False), activation)))
    INITS[name].make(**INITS[name].fill({}))(model, torch.Generator().manual_seed(0))
    x = torch.randn(200, 512, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert model(x).square().mean() / x.square().mean() == pytest.approx(1, abs=0.3)


def test_orthogonal_weights_are_orthonormal_times_the_gain() -> None:
    model = nn.Sequential(nn.Linear(6, 9), nn.Conv2d(3, 5, 3))
    INITS["orthogonal"].make(gain=2.0)(model, torch.Generator().manual_seed(0))
    torch.testing.assert_close(model[0].weight.mT @ model[0].weight, 4 * torch.eye(6), atol=1e-5, rtol=0)
    rows = model[1].weight.flatten(1)
    torch.testing.assert_close(rows @ rows.mT, 4 * torch.eye(5), atol=1e-5, rtol=0)


def test_the_default_start_has_torchs_variance() -> None:
    layer = nn.Linear(400, 500)
    INITS["default"].make()(layer, torch.Generator().manual_seed(0))
    for param in (layer.weight, layer.bias):
        assert param.abs().max() <= 1 / math.sqrt(400)
        assert param.var().item() == pytest.approx(1 / (3 * 400), rel=0.15)


def test_a_parameter_may_keep_its_start() -> None:
    layer = nn.Linear(3, 3)
    layer.weight.keep_init = True
    before = layer.weight.detach().clone()
    INITS["he"].make(gain=1.0)(layer, torch.Generator().manual_seed(0))
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("name", ["layer", "group", "batch"])
def test_a_normalised_image_has_mean_0_and_variance_1(name: str) -> None:
    x = 3 * torch.randn(6, 8, 5, 5) + 2
    y = NORMS[name].make(8, dims=2)(x)
    assert y.mean().item() == pytest.approx(0, abs=1e-5)
    assert y.var().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 5, 5)])
def test_rms_norm_is_torchs_over_the_channels(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    control = F.rms_norm(x.movedim(1, -1), (8,), eps=1e-6).movedim(-1, 1)
    torch.testing.assert_close(NORMS["rms"].make(8, dims=len(shape) // 2)(x), control)
