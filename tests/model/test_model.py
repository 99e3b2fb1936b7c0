"""The recipe's activation gets into every network, ours and the user's, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet import surgery
from whet.errors import RecipeError, UnknownName, UserError
from whet.families import InputSpec
from whet.families.user import remember
from whet.model import at_once, make_model, replace_activations, sample_of
from whet.recipe import Choice, Recipe
from whet.surgery.catalogue import maker

SMALL = {
    "fastconv": {"widths": (8, 8, 8)},
    "resnet": {"depth": 10, "width": 0.25},
    "mlp": {"width": 16, "depth": 3},
    "textbook": {"width": 8},
    "densenet": {"depth": 16, "growth": 4},
}


def spec(activation=nn.ReLU, side: int = 16) -> InputSpec:
    return InputSpec((3, side, side), 5, "classify", activation, nn.BatchNorm2d)


class Functional(nn.Module):
    """Somebody's network: calls, a method, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(768, 8), nn.Linear(8, 8), nn.Linear(8, 5)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.flatten(1)))
        x = self.second(x).relu()
        out: Tensor = self.last(self.act(x))
        return out


def made(recipe: Recipe, activation=nn.ReLU) -> nn.Module:
    return make_model(recipe, spec(activation), seed=0)


def activations_of(model: nn.Module) -> list[str]:
    return [p.what for p in surgery.find(model, sample_of(spec())) if p.role == "activation"]


@pytest.mark.parametrize("family", SMALL)
def test_a_family_made_with_an_activation_is_the_one_that_surgery_makes(family: str) -> None:
    recipe = Recipe(Choice(family, **SMALL[family]), activation=Choice("elu", alpha=0.5))
    assert at_once(recipe)
    straight = made(recipe, maker(recipe.activation))
    operated = made(recipe.put("activation", Choice("own")))
    assert replace_activations(operated, recipe.activation, sample_of(spec()))
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(straight.eval()(x), operated.eval()(x), rtol=0, atol=0)
    assert {*activations_of(operated)} == {"elu"}


def test_a_users_network_gets_the_recipes_activation_wherever_it_computes_one() -> None:
    recipe = Recipe(Choice("user", factory=remember(Functional)), activation=Choice("x * sigmoid(a * x)", a=1.5))
    model = made(recipe)
    assert sum("Formula" in type(m).__name__ for m in model.modules()) == 3
    assert [n for n, p in model.named_parameters() if p.numel() == 1], "the learnable number is a parameter"
    plain = made(recipe.put("activation", Choice("own")))
    swapped = dict(model.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(parameter, swapped[name], rtol=0, atol=0)


def test_a_users_network_is_left_alone_unless_the_recipe_says_otherwise() -> None:
    model = made(Recipe(Choice("user", factory=remember(Functional))))
    assert type(model) is Functional
    assert activations_of(model) == ["relu"] * 3


def test_each_stage_can_have_its_own_activation() -> None:
    three = Choice("stages", of=("relu", "leaky_relu(slope=0.3)", "tanh"))
    named = activations_of(made(Recipe(Choice("resnet", **SMALL["resnet"]), activation=three)))
    assert named[0] == "relu"
    assert named[-1] == "tanh"
    assert sorted(named, key=["relu", "leaky_relu", "tanh"].index) == named, "from the input to the output"
    by_order = activations_of(made(Recipe(Choice("mlp", **SMALL["mlp"]), activation=three)))
    assert by_order == ["relu", "leaky_relu", "tanh"]


def test_an_activation_that_needs_its_channels_gets_them() -> None:
    model = made(Recipe(Choice("resnet", **SMALL["resnet"]), activation=Choice("frelu")))
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 5)


@pytest.mark.parametrize(
    ("choice", "error"),
    [
        (Choice("rellu"), UnknownName),
        (Choice("elu", alpa=1.0), RecipeError),
        (Choice("x * (tanh(x)"), UserError),
        (Choice("stages"), RecipeError),
        (Choice("stages", of=("relu", "elu(alpha=)")), RecipeError),
    ],
    ids=str,
)
def test_an_activation_that_is_none_is_refused(choice: Choice, error: type[Exception]) -> None:
    for family in (Choice("mlp", **SMALL["mlp"]), Choice("user", factory=remember(Functional))):
        recipe = Recipe(family, activation=choice)
        with pytest.raises(error):
            make_model(recipe, spec(maker(choice) if at_once(recipe) else nn.ReLU), seed=0)


class Deep(nn.Module):
    """Thirty plain layers: with torch's own start nothing arrives at their end."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(768 if i == 0 else 24, 24) for i in range(30))
        self.last = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = torch.tanh(layer(x))
        out: Tensor = self.last(x)
        return out


def test_a_start_that_looks_at_data_carries_the_signal_through_a_deep_network() -> None:
    recipe = Recipe(Choice("user", factory=remember(Deep)), init=Choice("auto"))
    x = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        spread = [
            make_model(recipe.put("init", choice), spec(), 0, lambda: (x,))(x).std(0).mean()
            for choice in (Choice("own"), Choice("auto"))
        ]
    assert spread[0] < 1e-3
    assert spread[1] > 0.1


def test_a_network_that_was_started_by_looking_takes_its_weights_back() -> None:
    recipe = Recipe(Choice("user", factory=remember(Deep)), init=Choice("auto"), activation=Choice("softplus"))
    x = torch.randn(64, 3, 16, 16)
    trained = make_model(recipe, spec(), 0, lambda: (x,))
    again = make_model(recipe, spec(), 1)
    again.load_state_dict(trained.state_dict())
    torch.testing.assert_close(again.eval()(x), trained.eval()(x), rtol=0, atol=0)


def normed() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5))


def test_a_users_network_gets_the_recipes_norm_and_keeps_its_own_unless_told() -> None:
    recipe = Recipe(Choice("user", factory=remember(normed)))
    assert isinstance(made(recipe)[2], nn.BatchNorm1d)
    assert isinstance(made(recipe.put("norm", Choice("layer")))[2], nn.LayerNorm)
    with pytest.raises(RecipeError, match="defaults"):
        made(recipe.put("norm", Choice("group", groups=2)))


@pytest.mark.parametrize("family", ["resnet", "user"])
def test_weight_standardisation_reaches_the_convolutions_of_any_network(family: str) -> None:
    def users() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(1568, 5))

    params = SMALL["resnet"] if family == "resnet" else {"factory": remember(users)}
    model = made(Recipe(Choice(family, **params), norm=Choice("weight_standardisation")))
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.weight[0].numel() > 1]
    assert convolutions
    for layer in convolutions:
        torch.testing.assert_close(layer.weight.mean((1, 2, 3)), torch.zeros(layer.out_channels), atol=1e-5, rtol=0)
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 5)
