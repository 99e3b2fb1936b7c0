"""What a recipe says of weights, activation and norm reaches every family of ours, or is said not to."""

from __future__ import annotations

import copy
import math

import every_family
import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.conv import _ConvNd

from whet import init
from whet.errors import RecipeError
from whet.families import FAMILIES, IGNORED, TREATED
from whet.fields import field
from whet.init import INITS
from whet.init.attention import attentions
from whet.init.draw import fan_in, fan_out, layers, parameter_of
from whet.init.packed import Packed
from whet.init.residual import found as branches_of
from whet.init.samples import as_call
from whet.init.walk import walk
from whet.model import make_model
from whet.naming import canonical, without_effect
from whet.recipe import Choice, Recipe

NETWORKS = {name: every_family.network(name) for name in every_family.names()}
WITHOUT_LAYERS = {"chains", "factors", "series_linear"}
"""Counts, embeddings, and a mean that is learned on: nothing there is a linear or convolutional layer."""
VARIANCE = {
    "default": lambda layer: 1 / (3 * fan_in(layer)),
    "he": lambda layer: 2 / fan_in(layer),
    "lecun": lambda layer: 1 / fan_in(layer),
    "xavier": lambda layer: 2 / (fan_in(layer) + fan_out(layer)),
}


def drawn(family: str, name: str) -> nn.Module:
    model = copy.deepcopy(NETWORKS[family][0])
    entry = INITS[name]
    g = Generator().manual_seed(0)
    if name in init.LOOKING:
        getattr(init, f"{name}_")(model, NETWORKS[family][1], g, **entry.fill({}))
    else:
        entry.make(**entry.fill({}))(model, g)
    return model


def weights(model: nn.Module) -> list[tuple[nn.Module, Tensor]]:
    """Every layer that may be drawn, and its weight; of packed layers each member's, (outputs, inputs)."""
    free = [m for m in layers(model) if m.weight.requires_grad and not getattr(m.weight, "keep_init", False)]
    found = [(m, parameter_of(m)) for m in free]
    return [(m, one) for m, w in found if w is not None for one in ([p.T for p in w] if isinstance(m, Packed) else [w])]


def test_only_families_without_layers_leave_an_initialisation_nothing_to_do() -> None:
    assert {name for name, (model, _) in NETWORKS.items() if not weights(model)} == WITHOUT_LAYERS


@pytest.mark.parametrize("name", VARIANCE)
def test_drawn_weights_have_the_variance_of_the_rule_in_every_family(name: str) -> None:
    for family in NETWORKS:
        for layer, w in weights(drawn(family, name)):
            normal = isinstance(layer, _ConvNd) and layer.transposed and name == "default"  # torch counts it otherwise
            slack = 6 * math.sqrt(2 / w.numel())
            if slack < 0.5 and not normal:
                ratio = w.detach().square().mean().item() / VARIANCE[name](layer)
                assert abs(ratio - 1) < slack, (family, layer)
            if layer.bias is not None and name != "default":
                assert not layer.bias.any(), (family, layer)


def test_orthogonal_weights_are_so_in_every_family() -> None:
    for family in NETWORKS:
        for layer, w in weights(drawn(family, "orthogonal")):
            rows = w.detach().flatten(1)
            small = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
            torch.testing.assert_close(small, 2 * torch.eye(len(small)), atol=1e-4, rtol=0, msg=f"{family}: {layer}")


@pytest.mark.parametrize("name", ["delta_orthogonal", "identity"])
def test_convolutions_that_start_with_their_middle_do_so_in_every_family(name: str) -> None:
    for family in NETWORKS:
        for layer, w in weights(drawn(family, name)):
            filled = (w.detach().flatten(2) != 0).any(0).any(0) if w.ndim > 2 else torch.ones(1)
            assert filled.sum() == 1, (family, layer)


@pytest.mark.parametrize("name", ["zero_residual", "fixup", "t_fixup", "lsuv"])
def test_initialisations_that_know_the_whole_network_draw_every_layer_of_every_family(name: str) -> None:
    for family, (model, inputs) in NETWORKS.items():
        fresh = drawn(family, name)
        for (layer, old), (_, new) in zip(weights(model), weights(fresh), strict=True):
            assert not torch.equal(old, new) or not old.any(), (family, layer)  # both may start at 0
        outputs = fresh.eval()(*inputs)
        assert outputs.isfinite().all(), family


@pytest.mark.parametrize("family", ["tabular", "series_mlp", "series_mixer", "text_cnn", "gru4rec"])
def test_the_automatic_start_draws_packed_layers_recurrent_cells_and_networks_of_several_inputs(family: str) -> None:
    model = NETWORKS[family][0]
    fresh = drawn(family, "auto")
    for (layer, old), (_, new) in zip(weights(model), weights(fresh), strict=True):
        assert not torch.equal(old, new), layer
    for old, new in zip(recurrent(model), recurrent(fresh), strict=True):
        assert not torch.equal(old, new)


def recurrent(model: nn.Module) -> list[Tensor]:
    return [p for m in model.modules() if isinstance(m, nn.RNNBase) for p in m.parameters()]


@pytest.mark.parametrize("family", sorted(WITHOUT_LAYERS))
def test_an_initialisation_without_anything_to_draw_is_refused_by_name(family: str) -> None:
    spec, _ = every_family.made(family)
    recipe = Recipe(Choice(family, **every_family.SMALL.get(family, {})), init=Choice("he"))
    with pytest.raises(RecipeError, match=rf"initialisation he.* nothing to draw in {family}\. .*own"):
        make_model(recipe, spec, 0)


class Marked(nn.Tanh):
    """An activation that nobody else uses."""


def test_an_activation_gets_into_every_family_but_those_that_say_they_have_none() -> None:
    made = {name: every_family.network(name, Marked)[0] for name in NETWORKS}
    assert {name for name, m in made.items() if not any(isinstance(x, Marked) for x in m.modules())} == IGNORED[
        "activation"
    ]


def test_a_norm_gets_into_every_family_but_those_that_say_they_have_none() -> None:
    made = {name: every_family.network(name, norm=lambda channels: MarkedNorm())[0] for name in NETWORKS}
    assert {name for name, m in made.items() if not any(isinstance(x, MarkedNorm) for x in m.modules())} == IGNORED[
        "norm"
    ]


class MarkedNorm(nn.Module):
    """A norm that nobody else uses, of any number of channels."""

    def forward(self, x: Tensor) -> Tensor:
        return x / 2


def test_what_a_family_ignores_makes_no_second_recipe() -> None:
    for part, families in IGNORED.items():
        for family in families:
            assert family in FAMILIES
            one, other = (Recipe(Choice(family)).put(part, Choice(name)) for name in CHOICES[part])
            assert canonical(one) == canonical(other), (part, family)
    one, other = (Recipe(Choice("mlp")).put("activation", Choice(name)) for name in CHOICES["activation"])
    assert canonical(one) != canonical(other)


CHOICES = {"activation": ("relu", "gelu"), "norm": ("layer", "rms")}


def test_what_a_family_ignores_is_said_of_a_recipe_and_not_searched() -> None:
    asked = Recipe(Choice("linear"), activation=Choice("mish"), norm=Choice("layer"))
    assert without_effect(asked) == [
        "activation = mish changes nothing: the family linear has no place for it.",
        "norm = layer changes nothing: the family linear has no place for it.",
    ]
    assert not without_effect(Recipe(Choice("linear")))
    assert "activation" not in field("table").space(asked, [])
    assert "activation" in field("table").space(asked.put("family", Choice("mlp")), [])


HAS = {
    "convolutions": lambda model, inputs: any(isinstance(m, _ConvNd) for m in model.modules()),
    "residual branches": lambda model, inputs: bool(branches_of(model, inputs)),
    "attention": lambda model, inputs: bool(attentions(model, walk(model, *as_call(inputs)))),
}


@pytest.mark.parametrize("name", TREATED)
def test_what_an_initialisation_treats_is_in_the_families_that_say_so_and_in_no_other(name: str) -> None:
    what, instead, families = TREATED[name]
    assert {family for family, made in NETWORKS.items() if HAS[what](*made)} == families
    assert {name, instead} <= {*INITS.names}


def test_an_initialisation_with_nothing_to_treat_is_said_to_draw_as_another_does() -> None:
    asked = Recipe(Choice("tabular"), init=Choice("tfixup"))
    assert without_effect(asked) == [
        "init = tfixup finds no attention in the family tabular: it draws as init = xavier does."
    ]
    assert not without_effect(asked.put("family", Choice("user", factory="net.py:make")))
    assert not without_effect(Recipe(Choice("resnet"), init=Choice("fixup")))
