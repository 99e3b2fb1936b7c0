"""find: everything that is computed is found, named and counted, and nothing is run on the model that was given."""

import copy
from collections import Counter
from typing import Any

import pytest
import torch
from networks import CASES, case
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from whet import surgery
from whet.surgery import Place


def whats(places: list[Place], role: str = "activation") -> list[str]:
    return sorted(p.what for p in places if p.role == role and p.count)


EXPECTED = {
    "calls": "gelu relu relu relu relu relu relu6 sigmoid tanh",
    "overwriting": "relu",
    "spelt out": "gelu_tanh hardswish mish silu silu",
    "helped": "elu leaky_relu selu silu",
    "held": "elu gelu leaky_relu mish relu tanh",
    "shared": "relu",
    "branching": "silu softplus tanh",
    "gating": "relu relu tanh",
    "written": "elu elu relu relu relu silu",
    "mapped": "relu",
    "own layers": "silu tanh",
    "autoencoder": "leaky_relu relu tanh",
    "encoder": "relu relu",
    "transformer": "relu relu",
}


@pytest.mark.parametrize("name", CASES)
def test_every_activation_is_found_and_named(name: str) -> None:
    model, x = case(name)
    assert whats(surgery.find(model, x)) == EXPECTED[name].split()


def test_a_place_says_where_how_often_and_on_what_shape() -> None:
    model, x = case("shared")
    (place,) = surgery.find(model, x)
    assert (place.where, place.what, place.how, place.count, place.shape) == ("act", "relu", "module", 4, (4, 6))
    model, x = case("calls")
    method = next(p for p in surgery.find(model, x) if p.how == "method")
    assert method.where.startswith("(model) (networks.py:")


def test_clamps_count_as_rectifiers_only_where_they_rectify() -> None:
    model, x = case("calls")
    assert whats(surgery.find(model, x), "arithmetic") == ["clamp"]


def test_gates_attention_outputs_and_recurrent_kernels_are_told_apart() -> None:
    model, x = case("gating")
    assert whats(surgery.find(model, x), "gate") == ["glu", "sigmoid", "sigmoid"]
    attention = surgery.find(nn.MultiheadAttention(8, 2), (torch.randn(5, 2, 8),) * 3)
    assert [(p.what, p.role) for p in attention] == [("softmax", "attention")]
    classifier = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.Sigmoid())
    assert whats(surgery.find(classifier, torch.randn(2, 4)), "output") == ["sigmoid"]
    assert whats(surgery.find(nn.LSTM(4, 3), torch.randn(5, 2, 4)), "recurrent") == ["sigmoid", "tanh"]
    assert whats(surgery.find(nn.RNN(4, 3, nonlinearity="relu"), torch.randn(5, 2, 4)), "recurrent") == ["relu"]


def test_code_that_the_sample_does_not_reach_is_listed() -> None:
    model, x = case("branching")
    idle = {(p.what, p.how) for p in surgery.find(model, x) if p.count == 0}
    assert idle == {("relu", "call"), ("celu", "call"), ("selu", "module")}


SELDOM: dict[str, Any] = {
    "softplus": lambda x: torch.logaddexp(torch.zeros_like(x), x),
    "relu": lambda x: F.threshold(x, 0, 0),
    "log_ndtr": torch.special.log_ndtr,
    "remainder": lambda x: x % 1.0,
    "bessel_j0": torch.special.bessel_j0,
    "copysign": lambda x: torch.copysign(torch.ones_like(x), x),
    "lgamma": lambda x: torch.special.gammaln(x),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x, torch.zeros_like(x)),
}
"""What a network seldom computes, by the name under which it is found."""


@pytest.mark.parametrize("what", SELDOM)
def test_seldom_functions_are_found_too(what: str) -> None:
    """Once a network of torch.logaddexp(x, 0) had no activation at all."""

    class Model(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return 2 * SELDOM[what](x.cumsum(-1))

    (place,) = surgery.find(Model(), torch.randn(4, 6))
    role = {"softplus": "activation", "relu": "activation", "smooth_l1_loss": "loss"}.get(what, "arithmetic")
    assert (place.what, place.role) == (what, role)


class Clamping(nn.Module):
    """Clamps in a branch that is never taken; the last two are no activations."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() == 0:
            x = x.clamp(min=0).mul(2) + torch.clamp(x, 0, 6) + x.clamp_min(0) + torch.clamp(x, min=-1, max=1)
            x = x.clamp(min=1e-6) + x.clamp(0, float(x.sum()))
        return torch.tanh(x)


def test_clamps_that_the_sample_does_not_reach_are_told_by_their_bounds() -> None:
    model, x = Clamping(), torch.randn(2, 3)
    idle = [p for p in surgery.find(model, x) if p.count == 0]
    assert sorted((p.what, p.how) for p in idle) == [
        ("hard_tanh", "call"),
        ("relu", "method"),
        ("relu", "method"),
        ("relu6", "call"),
    ]
    new, _ = surgery.replace_activations(model, "sin(x) + 1", sample=x)
    empty = torch.empty(0, 3)
    assert not [p for p in surgery.find(new, empty) if p.what in ("relu", "relu6", "hard_tanh")]
    surgery.verify(model, new, sample=x)


class Larger(nn.Module):
    """Rectifiers spelt with a zero, in a branch that is never taken; the last four are none."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("nothing", torch.zeros(()))
        self.bound = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        zero = x.new_zeros(())
        if x.numel() == 0:
            x = torch.maximum(x, torch.zeros_like(x)) + torch.maximum(zero, x)
            x = x.maximum(self.nothing) + torch.max(x, torch.tensor(0.0)) + torch.where(x > 0, x, 0.0)
            x = x * torch.where(x < 1, x, 0.1 * x)
            x = (
                torch.maximum(x, self.bound)
                + x.max(-1).values.sum()
                + torch.maximum(x, 2 * x)
                + torch.where(x > 0, zero, 1.0)
            )
        return torch.where(x > 0, x, 0.5 * x).cumsum(-1)


class Pooled(nn.Module):
    """The largest along dimension 0, and of two things that a class holds, where no sample comes: no rectifiers."""

    low, high = torch.ones(3), torch.zeros(3)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, first = self.layer(x), 0
        if x.numel() == 0:
            x = x.max(0).values + torch.max(x, 0).values + torch.max(x, first).values + self.larger()
        return torch.relu(x)

    @staticmethod
    def larger() -> torch.Tensor:
        return torch.maximum(Pooled.low, Pooled.high)


def test_the_largest_along_a_dimension_is_no_rectifier() -> None:
    assert [(p.what, p.count) for p in surgery.find(Pooled(), torch.randn(2, 3))] == [("relu", 1)]


def test_rectifiers_spelt_with_a_zero_are_told_where_the_sample_does_not_reach_them() -> None:
    model, x = Larger(), torch.randn(2, 3)
    idle = [p for p in surgery.find(model, x) if p.count == 0]
    assert Counter((p.what, p.how) for p in idle) == {
        ("relu", "call"): 3,
        ("relu", "method"): 1,
        ("relu", "formula"): 1,
        ("torch.where(x < 1, x, 0.1 * x)", "formula"): 1,
    }
    new, changes = surgery.replace_activations(model, "sin(x) + 1", sample=x)
    assert len(changes) == len(idle) + 1
    assert new(torch.empty(0, 3)).shape == (0, 3)
    surgery.verify(model, new, sample=x)


class Seldom(nn.Module):
    """Does one thing or another, as it was told when it was made."""

    def __init__(self, often: bool = True) -> None:
        super().__init__()
        self.often, self.scale = often, nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.scale(x)) if self.often else self.scale(x).relu()


def test_what_was_put_where_the_sample_does_not_come_is_found_again_and_left_alone() -> None:
    model, x = Seldom(), torch.randn(2, 3)
    new, changes = surgery.replace_activations(model, "mish", sample=x, where="relu")
    assert len(changes) == 1
    assert [(p.what, p.count) for p in surgery.find(new, x) if p.what == "mish"] == [("mish", 0)]
    assert not surgery.replace_activations(new, "mish", sample=x, where="mish")[1]


class Whole(nn.Module):
    """Maps each number as a whole, and holds a branch that is never taken."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu() if x.numel() == 0 else x * torch.sigmoid(0.7 * x)


def test_a_branch_inside_a_layer_that_is_replaced_as_a_whole_is_no_place_of_its_own() -> None:
    model, x = nn.Sequential(nn.Linear(3, 3), Whole(), nn.Linear(3, 2)), torch.randn(2, 3)
    assert [(p.where, p.what) for p in surgery.find(model, x)] == [("1", "whole")]
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    surgery.verify(model, new, sample=x)


COUNTED = {"relu", "gelu", "silu", "sigmoid", "tanh", "hardtanh", "elu", "leaky_relu", "softplus", "mish", "hardswish"}


def test_an_activation_in_front_of_the_last_layer_is_not_taken_for_the_result() -> None:
    for bias in (False, True):
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2, bias=bias), nn.Softmax(1))
        assert [p.role for p in surgery.find(model, torch.randn(2, 4))] == ["activation", "output"]


class Kernels(TorchDispatchMode):
    """The independent count: every kernel of these names, whoever calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = function._schema.name.partition("::")[2].rstrip("_")
        if name in COUNTED:
            self.seen[name.replace("hardtanh", "hard_tanh")] += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CASES)
def test_every_kernel_belongs_to_a_place(name: str) -> None:
    model, x = case(name)
    counter = Kernels()
    with torch.no_grad(), counter, torch.overrides.BaseTorchFunctionMode():
        model(*x) if isinstance(x, tuple) else model(x)
    places = [p for p in surgery.find(model, x) if not (name == "branching" and p.what == "softplus")]
    found = Counter(k for p in places for k in p.kernels)
    assert {k: n for k, n in found.items() if k in counter.seen} == dict(counter.seen)


class Raw(nn.Module):
    """Calls a kernel by its own name, past everything that a program usually calls."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.gelu.default(self.layer(x))


def test_what_no_call_of_torch_explains_is_found_by_its_kernel() -> None:
    (place,) = surgery.find(Raw(), torch.randn(2, 3))
    assert (place.what, place.how) == ("gelu", "kernel")


def test_constants_are_no_activations() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * F.softplus(self.scale) * torch.tanh(torch.ones_like(x))

    assert surgery.find(Scaled(), torch.randn(2, 3)) == []


def test_the_model_and_the_random_state_stay_as_they_were() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.ReLU())
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    surgery.find(model.train(), torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert all(m.training for m in model.modules())


def test_samples_are_tensors_tuples_or_keywords() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, *, y: torch.Tensor) -> torch.Tensor:
            return F.relu(x) + y

    places = surgery.find(Two(), {"x": torch.randn(3), "y": torch.randn(3)})
    assert whats(places) == ["relu"]


def test_stages_count_how_often_maps_got_smaller() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3, stride=2), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU()
    )
    assert [p.stage for p in surgery.find(model, torch.randn(1, 1, 12, 12))] == [0, 1, 1]


def test_lines_for_people() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    assert str(surgery.find(model, torch.randn(2, 4))[0]) == "1: relu (module), 1x 2x4"
