"""The contract that every network of the catalogue keeps."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from whet.errors import RecipeError, UnknownName
from whet.families import FAMILIES, InputSpec

IMAGE = [e.name for e in FAMILIES if e.name != "user" and {"image", "any"} & {*e.domains}]
TABLE = [e.name for e in FAMILIES if e.name != "user" and {"table", "any"} & {*e.domains}]
THIN = {
    "resnet": {"depth": 10, "width": 0.25},
    "densenet": {"depth": 16, "growth": 4},
    "fastconv": {"widths": (8, 16, 16)},
    "mlp": {"width": 32},
    "textbook": {"width": 8},
    "tabular": {"width": 16, "members": 3},
}
"""The smallest useful form of each family: the contract is about shapes and gradients, not about size."""


def thin(name: str, spec: InputSpec, seed: int = 0, **params: object) -> nn.Module:
    torch.manual_seed(seed)
    entry = FAMILIES[name]
    return entry.make(spec, **entry.fill({**THIN.get(name, {}), **params}))


def pictures(spec: InputSpec, rows: int = 4) -> Tensor:
    return torch.randn(rows, *spec.shape, generator=torch.Generator().manual_seed(1))


def table_rows(spec: InputSpec, rows: int = 6) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(1)
    codes = [torch.randint(c, (rows,), generator=g) for c in spec.cardinalities]
    empty = torch.zeros(rows, 0, dtype=torch.int64)
    return torch.randn(rows, *spec.shape, generator=g), torch.stack(codes, 1) if codes else empty


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("size", [8, 28, 32, 96])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", IMAGE)
def test_pictures_of_any_size_become_one_row_of_outputs_each(name, channels, size, image_spec):
    spec = image_spec(channels, size, outputs=7)
    network = thin(name, spec)
    out = network(pictures(spec))
    assert out.shape[-1] == 7
    assert network.eval()(pictures(spec)).shape == (4, 7)


@pytest.mark.parametrize("name", IMAGE)
def test_pictures_need_not_be_square(name):
    spec = InputSpec((3, 24, 40), 2, "classify", nn.ReLU, nn.BatchNorm2d)
    assert thin(name, spec).eval()(pictures(spec)).shape == (4, 2)


@pytest.mark.parametrize("cardinalities", [(), (3, 12)])
@pytest.mark.parametrize("name", TABLE)
def test_rows_of_a_table_become_one_row_of_outputs_each(name, cardinalities, table_spec):
    spec = table_spec(5, cardinalities, outputs=3)
    assert thin(name, spec).eval()(*table_rows(spec)).shape == (6, 3)


@pytest.mark.parametrize("name", TABLE)
def test_a_table_may_have_categories_only(name, table_spec):
    spec = table_spec(0, (4, 3), outputs=1)
    assert thin(name, spec).eval()(*table_rows(spec)).shape == (6, 1)


@pytest.mark.parametrize("name", sorted({*IMAGE, *TABLE}))
def test_every_weight_gets_a_finite_gradient(name, image_spec, table_spec):
    spec = table_spec(5, (3,)) if name in TABLE else image_spec()
    inputs = table_rows(spec) if name in TABLE else (pictures(spec),)
    network = thin(name, spec)
    for p in network.parameters():  # the silent start of residual branches would hide a missing connection
        p.data.add_(0.01)
    network(*inputs).square().sum().backward()
    trained = {n: p for n, p in network.named_parameters() if p.requires_grad}
    assert trained
    for label, p in trained.items():
        assert p.grad is not None, label
        assert torch.isfinite(p.grad).all(), label


@pytest.mark.parametrize("name", sorted({*IMAGE, *TABLE}))
def test_the_same_seed_makes_the_same_network(name, image_spec, table_spec):
    spec = table_spec(5, (3,)) if name in TABLE else image_spec()
    a, b, other = (thin(name, spec, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], other[k]) for k in a)


@pytest.mark.parametrize("name", IMAGE)
def test_channels_last_gives_the_same_answer(name, image_spec):
    spec = image_spec()
    network = thin(name, spec).eval()
    expected = network(pictures(spec))
    fast = network.to(memory_format=torch.channels_last)
    got = fast(pictures(spec).contiguous(memory_format=torch.channels_last))
    assert torch.allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("name", sorted({*IMAGE, *TABLE}))
def test_bfloat16_autocast_trains(name, image_spec, table_spec):
    spec = table_spec(5, (3,)) if name in TABLE else image_spec()
    inputs = table_rows(spec) if name in TABLE else (pictures(spec),)
    network = thin(name, spec)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = network(*inputs)
    out.float().square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", IMAGE)
def test_a_recipe_without_normalisation_can_be_made(name, image_spec):
    spec = image_spec(norm=lambda channels: nn.Identity())
    assert torch.isfinite(thin(name, spec)(pictures(spec))).all()


@pytest.mark.parametrize(
    ("name", "params", "published"),
    [
        ("resnet", {"depth": 18}, 11_689_512),
        ("resnet", {"depth": 34}, 21_797_672),
        ("resnet", {"depth": 50}, 25_557_032),
        ("densenet", {"depth": 121, "growth": 32}, 7_978_856),
    ],
)
def test_parameters_for_imagenet_are_as_many_as_published(name, params, published, image_spec):
    assert count(FAMILIES[name].make(image_spec(3, 224, outputs=1000), **params)) == published


def test_the_small_densenet_has_the_published_number_of_parameters(image_spec):
    assert count(FAMILIES["densenet"].make(image_spec(), depth=100, growth=12)) == 769_162


def test_the_textbook_network_is_the_one_in_the_tutorials(image_spec):
    network = FAMILIES["textbook"].make(image_spec(1, 28, norm=lambda channels: nn.Identity()))
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d | nn.Linear)]
    assert [type(m).__name__ for m in layers] == ["Conv2d", "MaxPool2d", "Conv2d", "MaxPool2d", "Linear", "Linear"]
    assert [m.out_channels for m in layers if isinstance(m, nn.Conv2d)] == [32, 64]
    assert [m.out_features for m in layers if isinstance(m, nn.Linear)] == [64, 10]


@pytest.mark.parametrize(
    ("name", "small", "large"),
    [
        ("mlp", {"width": 16}, {"width": 32}),
        ("mlp", {"depth": 1}, {"depth": 3}),
        ("textbook", {"width": 8}, {"width": 16}),
        ("resnet", {"width": 0.25}, {"width": 0.5}),
        ("resnet", {"depth": 10}, {"depth": 18}),
        ("densenet", {"growth": 4}, {"growth": 8}),
        ("densenet", {"depth": 16}, {"depth": 22}),
    ],
)
def test_width_and_depth_are_parameters(name, small, large, image_spec):
    assert count(thin(name, image_spec(), **small)) < count(thin(name, image_spec(), **large))


def test_a_residual_network_starts_as_its_stem_and_skips(image_spec):
    network = thin("resnet", image_spec()).eval()
    x = network.stem(pictures(image_spec()))
    first = network.blocks[0]
    assert torch.equal(first(x), first.act(x))


def test_stochastic_depth_skips_blocks_in_training_only(image_spec):
    network = thin("resnet", image_spec(), stochastic_depth=0.9)
    for p in network.parameters():
        p.data.add_(0.02)
    x = pictures(image_spec())
    assert not torch.equal(network.blocks[-1].drop(torch.ones(64, 2, 1, 1)), torch.ones(64, 2, 1, 1))
    network.eval()
    assert torch.equal(network(x), network(x))
    assert torch.equal(network.blocks[-1].drop(x), x)


def test_a_depth_that_no_resnet_has_is_refused_with_those_it_has(image_spec):
    with pytest.raises(RecipeError, match=r"no resnet with depth=17.*18, 26, 34"):
        FAMILIES["resnet"].make(image_spec(), depth=17)


def test_pictures_too_small_for_the_textbook_network_are_refused(image_spec):
    with pytest.raises(RecipeError, match=r"3x3 pixels are too few.*depth=1"):
        FAMILIES["textbook"].make(image_spec(size=3))


@pytest.mark.parametrize("entry", list(FAMILIES), ids=lambda e: e.name)
def test_the_defaults_in_the_catalogue_are_those_of_the_code(entry):
    late = inspect.getclosurevars(entry.make).nonlocals
    make = getattr(importlib.import_module(f"whet.families.{late['file']}"), late["function"])
    asked = {k: p for k, p in inspect.signature(make).parameters.items() if p.kind is not p.VAR_KEYWORD}
    optional = {k: p.default for k, p in asked.items() if k != "spec"}
    assert optional == dict(entry.defaults)


def test_the_catalogue_does_not_import_torch():
    code = "import sys, whet.families; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_misspelt_family_offers_the_nearest():
    with pytest.raises(UnknownName, match="resnet"):
        FAMILIES["resnett"]
