"""Surgery beside activations: norms, dropout, folding, gates, recurrent cells, freezing, new starts."""

from typing import Any

import pytest
import torch
from networks import run
from torch import nn
from torch.nn import functional as F

from whet import surgery
from whet.errors import RecipeError, UnknownName, UserError


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.Flatten(),
    )
    model.extend([nn.Linear(128, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 2)])
    for _ in range(3):
        model(torch.randn(8, 3, 8, 8))
    return model.eval()


X = torch.randn(4, 3, 8, 8)


@pytest.mark.parametrize("new", ["layer", "group", "rms", "none", nn.Identity, "batch"])
def test_norms_are_replaced_and_brought_back(new: Any) -> None:
    model = convolutional()
    before = run(model, X)
    changed, changes = surgery.replace_norms(model, new)
    assert len(changes) + len(changes.kept) == 3
    assert run(changed, X).shape == before.shape
    assert len(surgery.replace_norms(changed, new)[1]) == 0
    changes.undo()
    assert torch.equal(run(changed, X), before)


def test_norms_over_the_last_dimension_become_others_of_their_kind() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    changed, changes = surgery.replace_norms(model, "rms")
    assert len(changes) == 2
    assert changed(torch.randn(2, 5, 8)).shape == (2, 5, 8)
    with pytest.raises(UserError, match="the last dimension"):
        surgery.replace_norms(model, "batch")


def test_norms_and_dropout_behind_layers_keep_the_names_of_weights() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    normed, changes = surgery.insert_norms(model, "layer", after="0")
    assert set(normed.state_dict()) == {*model.state_dict(), "0.norm_0.weight", "0.norm_0.bias"}
    x = torch.randn(3, 4)
    torch.testing.assert_close(run(normed, x), run(nn.Sequential(model[0], nn.LayerNorm(6), *model[1:]), x))
    changes.undo()
    assert torch.equal(run(normed, x), run(model, x))
    dropped, _ = surgery.insert_dropout(model, 0.5, after=nn.Linear)
    assert torch.equal(run(dropped.eval(), x), run(model, x))
    assert not torch.equal(run(dropped.train(), x), run(model, x))


def test_dropout_is_set_and_set_back() -> None:
    model = convolutional()
    changes = surgery.set_dropout(model, 0)
    assert (len(changes), model[8].p) == (1, 0)
    changes.undo()
    assert model[8].p == 0.5
    with pytest.raises(UserError, match=r"p=1\.5"):
        surgery.set_dropout(model, 1.5)


def test_folded_norms_give_the_same_result_up_to_rounding() -> None:
    model = convolutional()
    fused, changes = surgery.fuse_norms(model, sample=X)
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in fused.modules())
    torch.testing.assert_close(run(fused, X), run(model, X), rtol=1e-5, atol=1e-5)
    changes.undo()
    assert torch.equal(run(fused, X), run(model, X))


class Busy(nn.Module):
    """Before each layer many tensors come and go: what a layer gives may lie where one of them lay."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(30))
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(30))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            gone = [x * 1.0 for _ in range(50)]
            gone = [torch.abs(t) for t in gone]
            del gone
            x = norm(conv(x))
        return x


def test_tensors_that_are_gone_do_not_count_as_readers() -> None:
    assert len(surgery.fuse_norms(Busy().eval(), sample=X)[1]) == 60


class Forked(nn.Module):
    """The convolution's result goes to the norm and past it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.norm(y) + y


def test_a_norm_is_not_folded_where_others_read_what_it_normalises() -> None:
    assert len(surgery.fuse_norms(Forked().eval(), sample=X)[1]) == 0
    with pytest.raises(UserError, match="eval"):
        surgery.fuse_norms(Forked(), sample=X)


def test_norms_that_are_not_folded_are_listed_with_the_reason() -> None:
    transposed = nn.Sequential(nn.ConvTranspose2d(4, 4, 3, groups=2), nn.BatchNorm2d(4)).eval()
    changes = surgery.fuse_norms(transposed, sample=torch.randn(2, 4, 5, 5))[1]
    assert (len(changes), len(changes.kept)) == (0, 1)
    assert changes.kept[0].startswith("1: BatchNorm2d, it does not directly follow")
    assert "others read" in surgery.fuse_norms(Forked().eval(), sample=X)[1].kept[0]
    unaveraged = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)).eval()
    assert "no running averages" in surgery.fuse_norms(unaveraged, sample=X)[1].kept[0]
    assert surgery.fuse_norms(convolutional(), sample=X)[1].kept == []


class Called(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(F.relu(self.a(x)))


@pytest.mark.parametrize("model", [Called(), nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))])
def test_plain_to_gated_and_back(model: nn.Module) -> None:
    x = torch.randn(5, 4)
    first = next(model.children())
    gated, changes = surgery.make_gated(model, "swiglu", sample=x)
    wide = next(gated.children())
    value, gate = wide(x).chunk(2, -1)
    last = list(model.children())[-1]
    assert wide.out_features == 12
    torch.testing.assert_close(value, first(x))
    torch.testing.assert_close(run(gated, x), run(last, value * F.silu(gate)))
    back, _ = surgery.make_plain(gated, nn.ReLU, sample=x)
    assert torch.equal(run(back, x), run(model, x))
    changes.undo()
    assert torch.equal(run(gated, x), run(model, x))


def test_gates_need_a_layer_of_their_own_in_front() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(UserError, match="no layer in front"):
        surgery.make_gated(model, sample=torch.randn(2, 4))
    with pytest.raises(UserError, match="no gated unit"):
        surgery.make_gated(model, "relu", sample=torch.randn(2, 4))


CELLS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True, "num_layers": 2, "batch_first": True}, {"bias": False}]
)
def test_cells_step_by_step_agree_with_torch_s_kernel(name: str, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model, x = CELLS[name](3, 5, **options), torch.randn(2, 4, 3)
    stepwise, changes = surgery.replace_cells(model, nn.Tanh, gate=None if name == "RNN" else nn.Sigmoid)
    assert len(changes) == 1
    assert list(stepwise.state_dict()) == list(model.state_dict())
    (out, end), (expected, expected_end) = stepwise(x), model(x)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(end, expected_end)
    state = torch.randn_like(expected_end[0] if name == "LSTM" else expected_end)
    given = (state, state) if name == "LSTM" else state
    torch.testing.assert_close(stepwise(x, given), model(x, given))


def test_cells_take_single_sequences_and_learn() -> None:
    model, x = nn.LSTM(3, 5), torch.randn(7, 3)
    stepwise, changes = surgery.replace_cells(model, nn.Tanh)
    torch.testing.assert_close(stepwise(x)[0], model(x)[0])
    softer, _ = surgery.replace_cells(model, "softsign", gate="hard_sigmoid")
    softer(x)[0].sum().backward()
    assert all(p.grad is not None for p in softer.parameters())
    changes.undo()
    assert type(stepwise) is nn.LSTM


def test_cells_of_torch_s_own_functions_stay_in_its_kernel() -> None:
    model, changes = surgery.replace_cells(nn.Sequential(nn.GRU(3, 5)))
    assert type(model[0]) is nn.GRU
    assert "fused kernel" in changes.kept[0]
    with pytest.raises(UserError, match="no LSTM"):
        surgery.replace_cells(nn.Linear(2, 2), "relu")


def test_layers_are_frozen_and_thawed() -> None:
    model = convolutional()
    changes = surgery.freeze(model, "0")
    assert [p.requires_grad for p in model[0].parameters()] == [False, False]
    assert model[3].weight.requires_grad
    assert len(surgery.freeze(model, "0")) == 0
    changes.undo()
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(UnknownName):
        surgery.freeze(model, "conv")


def test_layers_are_drawn_anew_and_brought_back() -> None:
    model = convolutional()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    changes = surgery.reset(model, nn.Linear)
    assert not torch.equal(model[6].weight, before["6.weight"])
    assert torch.equal(model[0].weight, before["0.weight"])
    changes.undo()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_unknown_norms_are_named() -> None:
    with pytest.raises((UnknownName, RecipeError)):
        surgery.replace_norms(convolutional(), "bach")
