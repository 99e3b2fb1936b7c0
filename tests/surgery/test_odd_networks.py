"""Whatever computes an activation, and wherever: found, replaced and proven, or refused by name."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks import run
from odd_networks import ODD, Layers, odd_case
from torch import fx, nn
from torch.nn import functional as F

from whet import surgery
from whet.errors import UserError
from whet.surgery import Unproven


class Bend(nn.Module):
    """The new activation of these tests: known by its class, and sound for complex numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x) + x


@pytest.mark.parametrize("name", ODD)
def test_every_activation_is_found(name: str) -> None:
    model, x = odd_case(name)
    found = [p.what for p in surgery.find(model, x) if p.role == "activation"]
    assert " ".join(sorted(found)) == ODD[name][1]


@pytest.mark.parametrize("name", [name for name in ODD if name != "vmap"])
def test_every_activation_is_replaced_proven_and_brought_back(name: str) -> None:
    model, x = odd_case(name)
    before = run(model, x)
    new, changes = surgery.replace_activations(model, Bend, sample=x)
    assert surgery.verify(model, new, sample=x).places == len(changes) > 0
    assert {p.what for p in surgery.find(new, x) if p.role == "activation"} == {"bend"}
    assert len(surgery.replace_activations(new, Bend, sample=x)[1]) == 0
    assert not torch.equal(before, run(new, x))
    changes.undo()
    assert torch.equal(before, run(new, x))


SHELF: dict[str, nn.Module] = {}


def from_the_shelf(x: torch.Tensor) -> torch.Tensor:
    return F.relu(SHELF["norm"](x))


class Unregistered(nn.Module):
    """A layer without parts that uses another's all the same."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.held = [norm]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.held[0](x))


class Weighed(nn.Module):
    """A batch norm, or a learned factor, before the rectifier, reached in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(6, 6), nn.Linear(6, 6), nn.BatchNorm1d(6)
        self.norm.running_mean += 0.5
        self.factor = nn.Parameter(torch.tensor(3.0))
        held, factor = [self.norm], self.factor
        SHELF["norm"] = self.norm
        ways: dict[str, Any] = {
            "list": lambda x: F.relu(held[0](x)),
            "global": from_the_shelf,
            "factor": lambda x: F.relu(factor * x),
            "number": lambda x: F.relu(factor.item() * x),
            "layer": Unregistered(self.norm),
        }
        self.way = ways[way]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.way(self.a(x)))


@pytest.mark.parametrize("way", ["list", "global", "factor", "number", "layer"])
def test_weights_that_a_function_reaches_stay_when_its_activation_is_replaced(way: str) -> None:
    """Only layers that stood in a closure were seen: the others went with the function, and this was called proven."""
    torch.manual_seed(3)
    model, x = Weighed(way).eval(), torch.randn(8, 6)
    before = model.factor * model.a(x) if way in ("factor", "number") else model.norm(model.a(x))
    new, _ = surgery.replace_activations(model, nn.Identity, sample=x)
    torch.testing.assert_close(run(new, x), model.b(before).detach())


def test_inside_vmap_functions_are_replaced_and_can_not_be_proven() -> None:
    model, x = odd_case("vmap")
    new, _ = surgery.replace_activations(model, nn.Identity, sample=x)
    torch.testing.assert_close(run(new, x), model.l[0](x).detach())
    with pytest.raises(UserError, match="inside vmap"):
        surgery.verify(model, new, sample=x)


def test_what_is_computed_outside_torch_is_said() -> None:
    model, x = odd_case("elsewhere")
    assert [(p.what, p.role) for p in surgery.find(model, x) if p.how == "kernel"] == [("numpy", "arithmetic")]
    _, changes = surgery.replace_activations(model, "gelu", sample=x)
    assert any("numpy" in line for line in changes.kept)


def with_hook() -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    model[0].register_forward_hook(lambda module, given, output: F.relu(output))
    return model


def with_forward() -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    plain = model[0].forward
    model[0].forward = lambda x: F.relu(plain(x))  # type: ignore[method-assign]
    return model


class Filling(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = torch.empty(4, 6)
        torch.tanh(self.l[0](x), out=given)
        return self.l[1](given)


class Chain(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self:
            x = F.leaky_relu(layer(x))
        return x


class Children(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(sum(layer(x) for layers in self.children() for layer in layers))


class Walrus(Layers):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.l[1]((y := self.l[0](x)) * torch.sigmoid(y))


class Elsewhere(Layers):
    """Overwrites another tensor than the one that it looks at."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.l[0](x)
        y = x.clone()
        y[x < 0] = 0
        return self.l[1](y)


def traced() -> nn.Module:
    return fx.symbolic_trace(odd_case("norm-free")[0])


@pytest.mark.parametrize("name", ["immediate", "heir"])
def test_export_sees_what_is_watched(name: str) -> None:
    model, x = odd_case(name)
    new, changes = surgery.replace_activations(model, "gelu", sample=x)
    assert "watched" in {c.how for c in changes}
    torch.testing.assert_close(run(torch.export.export(new, (x,)).module(), x), run(new, x))


REFUSED: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "is computed in a hook": (with_hook, None),
    "in a function that is not a method": (with_forward, None),
    "given as out=": (Filling, None),
    "leaky_relu at (model) (test_odd_networks.py": (lambda: Chain(nn.Linear(6, 6), nn.Linear(6, 6)), None),
    "goes through all its children": (Children, None),
    "silu at (model)": (Walrus, None),
    "relu at (model) (test_odd_networks.py": (Elsewhere, None),
    "graph of torch.fx": (traced, None),
    "is on the meta device": (lambda: nn.Sequential(nn.Linear(6, 6), nn.ReLU()).to("meta"), None),
    "can be read only once": (lambda: odd_case("norm-free")[0], iter([torch.randn(4, 6)])),
    "tanh at (model) (odd_networks.py": (lambda: odd_case("spectral")[0], None),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_can_not_be_replaced_is_refused_in_one_line(said: str) -> None:
    make, sample = REFUSED[said]
    with pytest.raises(UserError) as caught:
        surgery.replace_activations(make(), "mish", sample=torch.randn(4, 6) if sample is None else sample)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mask_that_overwrites_rows_or_guards_a_number_is_no_activation() -> None:
    model, x = odd_case("masked")
    _, changes = surgery.replace_activations(model, "gelu", sample=x)
    assert len(changes) == 3
    assert [line.partition(": ")[2] for line in changes.kept] == ["compare (arithmetic)"] * 2


def test_what_a_function_does_beside_its_activation_stays() -> None:
    model, x = odd_case("within")
    new, _ = surgery.replace_activations(model, nn.Identity, sample=x)
    centred = model.l[0](x) - model.l[0](x).mean(-1, keepdim=True)
    torch.testing.assert_close(run(new, x), model.l[3](model.norm(model.l[4](model.l[1](centred)))).detach())


def test_a_layer_with_a_bending_hook_keeps_its_weights() -> None:
    (place,) = surgery.find(with_hook(), torch.randn(4, 6))
    assert (place.path, place.what, place.how) == ("0", "relu", "call")


def test_a_graph_s_activations_are_listed_once() -> None:
    assert [p.what for p in surgery.find(traced(), torch.randn(4, 6))] == ["relu"]


def test_arithmetic_is_no_activation_and_can_be_asked_for_by_name() -> None:
    class Squared(Layers):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.l[1](torch.square(self.l[0](x))) / (x * x).mean().sqrt()

    places = surgery.find(Squared(), torch.randn(4, 6))
    assert {(p.what, p.role) for p in places} == {("square", "arithmetic"), ("sqrt", "arithmetic")}
    _, changes = surgery.replace_activations(Squared(), "relu", sample=torch.randn(4, 6), where="square")
    assert len(changes) == 2


def test_proof_asks_for_hooks_names_and_nothing_strange() -> None:
    model, x = odd_case("norm-free")
    model.l[2].register_forward_hook(lambda *_: None)
    model.register_buffer("mean", torch.zeros(6))
    new, _ = surgery.replace_activations(model, "prelu", sample=x)
    surgery.verify(model, new, sample=x)
    spoilt = [copy.deepcopy(new) for _ in range(3)]
    spoilt[0].l[2]._forward_hooks.clear()
    spoilt[1].register_buffer("mean", torch.zeros(6), persistent=False)
    spoilt[2].stray = nn.Parameter(torch.zeros(1))
    for wrong, said in zip(spoilt, ("forward hooks", "mean: missing", "stray: is not in the model"), strict=True):
        with pytest.raises(Unproven, match=said):
            surgery.verify(model, wrong, sample=x)
