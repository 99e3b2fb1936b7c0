"""What each initialisation promises of the weights that it draws."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Generator, nn

from whet.errors import RecipeError, UserError
from whet.init import INITS, auto_, fixup_, lsuv_, zero_residual_
from whet.init.isometry import block_of, orthogonal_weight
from whet.norm import standardise_weights


def draw(name: str, model: nn.Module, seed: int = 0, **params: object) -> nn.Module:
    entry = INITS[name]
    entry.make(**entry.fill(params))(model, Generator().manual_seed(seed))
    return model


@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated"])
@pytest.mark.parametrize(("name", "fan"), [("he", 400), ("lecun", 400), ("xavier", (400 + 300) / 2)])
def test_the_variance_is_that_of_the_paper_whatever_the_distribution(name: str, fan: float, distribution: str) -> None:
    weight = draw(name, nn.Linear(400, 300), distribution=distribution).weight
    wanted = (2 if name == "he" else 1) / fan
    assert weight.var().item() == pytest.approx(wanted, rel=0.02)
    if distribution != "normal":
        assert weight.abs().max() <= 2.3 * math.sqrt(wanted)


def test_the_fan_of_a_grouped_convolution_counts_its_own_group() -> None:
    weight = draw("lecun", nn.Conv2d(64, 64, 5, groups=16)).weight
    assert weight.var().item() == pytest.approx(1 / (4 * 25), rel=0.05)


def test_an_unknown_distribution_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="'normal'"):
        draw("he", nn.Linear(2, 2), distribution="norml")


@pytest.mark.parametrize("shape", [(16, 16), (16, 40), (40, 16)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape: tuple[int, int]) -> None:
    w = draw("orthogonal", nn.Linear(*shape), gain=1.0).weight.double()
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    torch.testing.assert_close(small, torch.eye(len(small), dtype=torch.float64), atol=1e-5, rtol=0)


def test_delta_orthogonal_convolutions_keep_the_length_of_every_pattern() -> None:
    layer = draw("delta_orthogonal", nn.Conv2d(6, 12, 3, padding=1), gain=1.0)
    for x in (torch.randn(2, 6, 9, 9), torch.ones(2, 6, 9, 9), torch.ones(2, 6, 9, 9).cumsum(3) % 2):
        torch.testing.assert_close(layer(x).square().sum(), x.square().sum())


def test_identity_convolutions_hand_their_input_on() -> None:
    x = torch.randn(2, 4, 7, 7)
    torch.testing.assert_close(draw("identity", nn.Conv2d(4, 4, 3, padding=1))(x), x)
    torch.testing.assert_close(draw("dirac", nn.Linear(5, 5))(x[0, 0, :5, :5]), x[0, 0, :5, :5])


LAYERS = [
    nn.Linear(20, 50),
    nn.Linear(50, 20),
    nn.Conv2d(16, 16, 3, padding=1),
    nn.Conv2d(3, 64, 3, padding=1),
    nn.Conv2d(16, 64, 2, stride=2),
    nn.Conv2d(64, 64, 2, stride=2),
    nn.Conv2d(32, 32, 3, padding=1, groups=32),
    nn.Conv1d(8, 16, 5, padding=2),
    nn.ConvTranspose2d(16, 16, 2, stride=2),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_rule_s_weights_keep_the_second_moment(layer: nn.Module) -> None:
    size = (4000, layer.in_features) if isinstance(layer, nn.Linear) else None
    x = torch.randn(size or (64, layer.in_channels, *[16] * len(layer.kernel_size)))
    layer.weight.data = orthogonal_weight(layer, Generator().manual_seed(0))
    nn.init.zeros_(layer.bias)
    inner = layer(x) if size else layer(x)[(..., *[slice(1, -1)] * len(layer.kernel_size))]
    assert inner.square().mean().item() == pytest.approx(1.0, rel=0.08)


def test_a_block_covers_the_stride_and_grows_while_outputs_last() -> None:
    assert block_of(nn.Conv2d(16, 16, 3)) == (1, 1)
    assert block_of(nn.Conv2d(16, 16, 3, stride=2)) == (2, 2)
    assert block_of(nn.Conv2d(1, 16, 3)) == (3, 3)
    assert block_of(nn.Conv2d(16, 64, 5)) == (2, 2)
    assert orthogonal_weight(nn.Conv2d(4, 4, 3), Generator()).count_nonzero() == 16


class Sum(nn.Module):
    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8) if norm else nn.Identity()
        self.one, self.two = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.norm(self.two(torch.relu(self.one(x))))


def sums(norm: bool) -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 8), *[Sum(norm) for _ in range(4)], nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("name", "norm"), [("zero_residual", True), ("zero_residual", False), ("fixup", False), ("auto", True)]
)
def test_residual_branches_start_at_zero(name: str, norm: bool) -> None:
    model = draw(name, sums(norm))
    x = torch.randn(7, 5)
    torch.testing.assert_close(model[:5](x), model[0](x))


def test_branches_without_norms_together_add_the_skip_s_variance_once() -> None:
    model = draw("auto", sums(False))
    out = model[1].two.weight
    torch.testing.assert_close(out @ out.T, torch.eye(8) * 2 / 4, atol=1e-5, rtol=0)  # relu's gain^2 2, 4 branches


def test_fixup_shrinks_the_inner_layers_of_branches_and_empties_the_head() -> None:
    he, fixup = draw("he", sums(False)), draw("fixup", sums(False))
    torch.testing.assert_close(fixup[1].one.weight, he[1].one.weight * 4**-0.5)  # J = 4, m = 2
    assert fixup[-1].weight.count_nonzero() == 0
    torch.testing.assert_close(fixup[0].weight, he[0].weight)


def test_t_fixup_shrinks_values_outputs_and_feed_forward_layers_alone() -> None:
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 3, enable_nested_tensor=False
    )
    block = draw("t_fixup", model).layers[1]
    queries, keys, values = block.self_attn.in_proj_weight.split(16)
    bound, factor = math.sqrt(6 / 32), 0.67 * 3**-0.25
    for part in (queries, keys):
        assert 0.9 * bound < part.abs().max() <= bound
    for part in (values, block.self_attn.out_proj.weight):
        assert 0.9 * bound * factor < part.abs().max() <= bound * factor


def test_lsuv_gives_every_layer_s_output_variance_one() -> None:
    model = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3))
    x = torch.randn(500, 6) * 5 + 2
    lsuv_(model, x, Generator().manual_seed(0))
    for end in (1, 3, 5):
        assert model[:end](x).square().mean().item() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", ["he", "orthogonal", "auto"])
def test_a_parametrised_weight_is_drawn_behind_its_parametrisation(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3))
    standardise_weights(model)
    weight = model[0].parametrizations.weight.original
    before = weight.clone()
    draw(name, model)
    assert not torch.equal(before, weight)


@pytest.mark.parametrize("entry", list(INITS), ids=lambda e: e.name)
def test_a_parameter_that_asks_to_be_kept_is_kept(entry: object) -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
    model[2].weight.keep_init = True
    before = model[2].weight.clone()
    draw(entry.name, model)
    assert torch.equal(before, model[2].weight)


@pytest.mark.parametrize("looking", [auto_, zero_residual_, fixup_, lsuv_])
@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: nn.Sequential(nn.LazyLinear(3)), "no weights yet"),
        (lambda: nn.Linear(4, 3).to("meta"), "on the meta device"),
        (lambda: torch.export.export(nn.Linear(4, 3), (torch.ones(2, 4),)).module(), "exported program"),
        (lambda: nn.Linear(5, 3), "fails on this sample"),
        (lambda: "relu", "is no network"),
    ],
)
def test_what_can_not_be_initialised_is_refused(looking: Callable, model: Callable, said: str) -> None:
    with pytest.raises(UserError, match=said):
        looking(model(), torch.ones(2, 4))
