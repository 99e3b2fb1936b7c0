"""replace_activations: everything that was meant is replaced, and the model stays sound in all else."""

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from networks import CASES, Branching, Calls, Held, Helped, case, run
from torch import nn
from torch.nn import functional as F

from whet import surgery
from whet.errors import UserError


class Bend(nn.Module):
    """The new activation of these tests: known by its class."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x) + x


def roles(model: nn.Module, x: Any) -> list[str]:
    return [p.what for p in surgery.find(model, x) if p.role == "activation"]


@pytest.mark.parametrize("name", CASES)
def test_every_activation_becomes_the_new_one_and_nothing_else_changes(name: str) -> None:
    model, x = case(name)
    before = run(model, x)
    new, changes = surgery.replace_activations(model, Bend, sample=x)
    assert set(roles(new, x)) == {"bend"}
    assert surgery.verify(model, new, sample=x).places == len(changes) > 0
    assert torch.equal(before, run(model, x))
    assert not torch.equal(before, run(new, x))


@pytest.mark.parametrize("name", CASES)
def test_twice_changes_nothing_more(name: str) -> None:
    model, x = case(name)
    once, _ = surgery.replace_activations(model, Bend, sample=x)
    twice, changes = surgery.replace_activations(once, Bend, sample=x)
    assert len(changes) == 0
    assert torch.equal(run(once, x), run(twice, x))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("inplace", [False, True])
def test_undo_gives_the_old_model_back(name: str, inplace: bool) -> None:
    model, x = case(name)
    before, keys, kinds = run(model, x), list(model.state_dict()), [type(m) for m in model.modules()]
    new, changes = surgery.replace_activations(model, "prelu", sample=x, inplace=inplace)
    changes.undo()
    assert (new is model) == inplace
    assert torch.equal(before, run(new, x))
    assert (list(new.state_dict()), [type(m) for m in new.modules()]) == (keys, kinds)


@pytest.mark.parametrize("name", CASES)
def test_copies_and_files_of_the_new_model_compute_the_same(name: str) -> None:
    model, x = case(name)
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    expected = run(new, x)
    assert torch.equal(expected, run(copy.deepcopy(new), x))
    file = io.BytesIO()
    torch.save(new, file)
    file.seek(0)
    assert torch.equal(expected, run(torch.load(file, weights_only=False), x))
    fresh, _ = surgery.replace_activations(CASES[name][0](), "gelu", sample=x)
    fresh.eval().load_state_dict(new.state_dict())
    assert torch.equal(expected, run(fresh, x))


SELVES = {
    "relu": (F.relu, lambda x: x.relu(), lambda x: x.clamp(min=0), torch.relu, nn.ReLU()),
    "tanh": (torch.tanh, lambda x: x.tanh(), nn.Tanh()),
    "gelu": (F.gelu, nn.GELU()),
    "silu": (F.silu, nn.SiLU()),
}


class Around(nn.Module):
    """A function between two layers."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.function(self.a(x)))


@pytest.mark.parametrize(("name", "way"), [(name, way) for name, ways in SELVES.items() for way in ways])
def test_a_function_replaced_by_itself_gives_the_same_bits(name: str, way: Any) -> None:
    model, x = Around(way), torch.randn(4, 5)
    same = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU}[name]
    new, _ = surgery.replace_activations(model, same, sample=x)
    assert torch.equal(run(model, x), run(new, x))


def test_what_can_be_asked_for() -> None:
    model, x = case("shared")
    for new in ("mish", "x * tanh(exp(x))", nn.ELU(0.5), nn.Softplus, lambda: nn.CELU(2.0), torch.sin, lambda x: x + 1):
        changed, changes = surgery.replace_activations(model, new, sample=x)
        assert len(changes) == 1
        surgery.verify(model, changed, sample=x)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("relu", 5),
        ("tanh", 1),
        (lambda p: p.what == "relu6", 1),
        (["tanh", "sigmoid"], 2),
        ("gelu", 1),
        (0, 9),
    ],
)
def test_places_are_chosen_by_name_role_stage_or_question(where: Any, count: int) -> None:
    model, x = case("calls")
    new, changes = surgery.replace_activations(model, "silu", sample=x, where=where)
    assert len(changes) == count
    surgery.verify(model, new, sample=x)


def test_places_are_chosen_by_path_pattern_and_class() -> None:
    model = nn.Sequential()
    for i, act in enumerate((nn.ReLU(), nn.Tanh(), nn.ReLU())):
        model.add_module(f"block{i}", nn.Sequential(nn.Linear(4, 4), act))
    x = torch.randn(2, 4)
    for where, count in (("block0", 1), ("block[12].*", 2), (nn.ReLU, 2), ("block2.1", 1)):
        assert len(surgery.replace_activations(model, "gelu", sample=x, where=where)[1]) == count
    new, _ = surgery.replace_activations(model, {"block0": "silu", nn.ReLU: "elu"}, sample=x)
    assert [p.what for p in surgery.find(new, x)] == ["silu", "tanh", "elu"]


def test_gates_and_outputs_are_left_alone_and_said() -> None:
    model, x = case("gating")
    _, changes = surgery.replace_activations(model, "silu", sample=x)
    assert sum("gate" in line for line in changes.kept) == 3
    assert "relu -> " in str(changes)
    assert "left: " in str(changes)


def test_a_model_whose_only_activation_is_its_result_gets_another_one() -> None:
    model, x = nn.Sequential(nn.Linear(3, 3), nn.Tanh()), torch.randn(2, 3)
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    assert [p.what for p in surgery.find(new, x)] == ["gelu"]


def test_unreached_branches_are_replaced_too() -> None:
    model, x = case("branching")
    new, _ = surgery.replace_activations(model, nn.Identity, sample=x)
    linear = new.b(new.a(100 + 1e6 * x.abs()))
    assert torch.equal(run(new, 100 + 1e6 * x.abs()), linear)
    assert torch.equal(new(x, wide=True), new.b(new.a(x)))


def test_an_overwritten_input_that_is_read_later_is_still_overwritten() -> None:
    model, x = case("overwriting")
    new, changes = surgery.replace_activations(model, nn.Softplus, sample=x)
    bent = F.softplus(model.layer(x))
    torch.testing.assert_close(run(new, x), model.out(bent) + bent)
    assert "written back" in str(changes)
    new(x).sum().backward()


def test_learned_activations_are_trained_saved_and_moved_with_the_model() -> None:
    model, x = case("calls")
    new, _ = surgery.replace_activations(model, "prelu", sample=x, where="relu")
    fresh = set(new.state_dict()) - set(model.state_dict())
    assert len(fresh) == 5
    assert all(torch.equal(v, new.state_dict()[k]) for k, v in model.state_dict().items())
    new.double()(x.double()).sum().backward()
    assert all(p.grad is not None for name, p in new.named_parameters() if name in fresh)


def test_channels_are_counted_on_the_sample() -> None:
    model = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 7), nn.ReLU())
    new, _ = surgery.replace_activations(model, "prelu", sample=torch.randn(2, 1, 6, 6), per_channel=True)
    assert [p.numel() for m in (new[1], new[4]) for p in m.parameters()] == [5, 7]
    sequence = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    new, _ = surgery.replace_activations(sequence, "prelu", sample=torch.randn(2, 3, 4), per_channel=True)
    assert next(new[1].parameters()).numel() == 6


def test_a_live_optimiser_trains_what_is_new_and_keeps_what_it_knows() -> None:
    model, x = Calls(), torch.randn(4, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(x).sum().backward()
    optimizer.step()
    known = len(optimizer.state)
    _, changes = surgery.replace_activations(model, "prelu", sample=x, inplace=True, optimizer=optimizer)
    model(x).square().sum().backward()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True) if b.grad is not None)
    changes.undo()
    assert len(optimizer.state) == known
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(model.parameters()))


def test_an_optimizer_forgets_the_parameters_that_were_replaced() -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.PReLU(), nn.Linear(4, 2)), torch.randn(3, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(x).sum().backward()
    optimizer.step()
    before = [list(g["params"]) for g in optimizer.param_groups]
    _, changes = surgery.replace_activations(model, "swish_beta", sample=x, inplace=True, optimizer=optimizer)
    trained = [p for g in optimizer.param_groups for p in g["params"]]
    assert {id(p) for p in trained} == {id(p) for p in model.parameters()}
    assert len(optimizer.state_dict()["state"]) == 4
    changes.undo()
    assert [list(map(id, params)) for params in before] == [list(map(id, g["params"])) for g in optimizer.param_groups]
    assert len(optimizer.state_dict()["state"]) == 5


def test_hooks_ties_modes_dtype_and_frozen_weights_stay() -> None:
    model, x = case("shared")
    model.double().requires_grad_(False)
    seen: list[int] = []
    model.act.register_forward_hook(lambda *_: seen.append(1))
    new, _ = surgery.replace_activations(model, "prelu", sample=x.double())
    assert new.a.weight is new.b.weight
    assert not new.a.weight.requires_grad
    assert all(p.dtype == torch.float64 for p in new.parameters())
    assert not any(m.training for m in new.modules())
    seen.clear()
    run(new, x.double())
    assert len(seen) == 4


def test_one_of_several_functions_at_one_expression() -> None:
    model, x = case("held")
    new, changes = surgery.replace_activations(model, "silu", sample=x, where="elu")
    assert len(changes) == 1
    assert "tanh" in roles(new, x)
    surgery.verify(model, new, sample=x)


def test_one_instance_of_a_class_can_be_changed_alone() -> None:
    first, second = Helped(), Helped()
    model, x = nn.Sequential(first, second), torch.randn(4, 6)
    new, _ = surgery.replace_activations(model, "gelu", sample=x, where="0")
    assert [type(m).__name__ for m in new] == ["Helped", "Helped"]
    assert [p.path[:1] for p in surgery.find(new, x) if p.what == "selu"] == ["1"]
    surgery.verify(model, new, sample=x)


def test_torch_s_fused_encoder_does_not_bypass_the_new_function() -> None:
    model, x = case("encoder")
    new, _ = surgery.replace_activations(model, nn.Identity, sample=x)
    with torch.no_grad():
        fast = new(x)
    torch.testing.assert_close(fast, new(x).detach())
    assert not torch.allclose(fast, run(model, x), atol=1e-3)


def test_unpickling_beside_changed_code_is_refused() -> None:
    model, x = Branching(), torch.randn(4, 6)
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    data = pickle.dumps(new)
    spoilt = data.replace(type(new)._whet_cuts[0][0].digest.encode(), b"0" * 16)
    surgery.cuts.with_cuts.cache_clear()
    with pytest.raises(UserError, match="is not the one in which"):
        pickle.loads(spoilt)


def test_compiled_and_exported_models_compute_the_new_function() -> None:
    model, x = case("helped")
    new, changes = surgery.replace_activations(model, "gelu", sample=x, where=lambda p: p.what != "elu")
    assert {c.how for c in changes} == {"rewritten"}
    expected = run(new, x)
    torch.testing.assert_close(torch.compile(new, backend="eager", fullgraph=True)(x).detach(), expected)
    torch.testing.assert_close(run(torch.export.export(new, (x,)).module(), x), expected)


@pytest.mark.parametrize("name", ["mapped", "helped"])
def test_the_compiler_does_not_trace_past_a_watch(name: str) -> None:
    model, x = case(name)
    new, changes = surgery.replace_activations(model, "silu", sample=x)
    assert "watched" in {c.how for c in changes}
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(new, backend="eager")(x).detach(), run(new, x))
    torch.testing.assert_close(run(torch.export.export(new, (x,)).module(), x), run(new, x))


@pytest.mark.parametrize("name", ["calls", "held", "gating", "shared"])
def test_the_changed_model_learns(name: str) -> None:
    model, x = case(name)
    new, _ = surgery.replace_activations(model, "swish", sample=x)
    new.train()(x).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in new.parameters())


def test_functions_held_in_a_list_stay_in_the_list() -> None:
    model, x = Held(), torch.randn(4, 6)
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    assert new.plain == model.plain
    assert type(new.hidden[0]) is not nn.ReLU


def test_an_output_over_channels_stays_one_over_channels() -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Conv2d(5, 5, 1), nn.Softmax(1)), torch.randn(2, 3, 6, 6)
    new, _ = surgery.replace_activations(model, "sparsemax", sample=x, where="softmax")
    torch.testing.assert_close(new(x).sum(1), torch.ones(2, 6, 6))


class Interrupted(nn.Module):
    """Somebody presses Ctrl-C while the new function is tried."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt


def test_an_interrupt_leaves_the_model_as_it_was() -> None:
    model, x = Around(F.relu), torch.randn(4, 5)
    before = run(model, x)
    with pytest.raises(KeyboardInterrupt):
        surgery.replace_activations(model, Interrupted, sample=x, inplace=True)
    assert type(model) is Around
    assert torch.equal(run(model, x), before)
