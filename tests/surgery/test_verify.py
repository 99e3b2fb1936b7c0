"""verify: silent where only activations differ, and loud, with the place, where anything else does."""

import ast
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from networks import case
from torch import nn
from torch.nn import functional as F

from whet import surgery
from whet.activations import get
from whet.errors import UserError
from whet.surgery import Unproven, cuts, operate, source
from whet.surgery.catalogue import Function
from whet.surgery.cuts import Cut


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.3)
        self.a, self.b, self.act = nn.Linear(48, 6), nn.Linear(6, 6), nn.ReLU()
        self.b.weight = nn.Parameter(self.b.weight.detach().clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.conv(x)))
        x = self.drop(self.a(x.flatten(1)))
        return self.b(self.act(x)) * 2


def pair() -> tuple[nn.Module, Any, torch.Tensor]:
    torch.manual_seed(0)
    model, x = Net(), torch.randn(4, 1, 6, 6)
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    return model, new, x


def test_a_sound_replacement_is_proven_in_both_modes() -> None:
    model, new, x = pair()
    proof = surgery.verify(model, new, sample=x)
    assert (proof.places, proof.calls > 10) == (2, True)
    assert "bit by bit" in str(proof)


def test_a_model_is_the_same_as_itself_and_its_copy() -> None:
    model, _, x = pair()
    assert surgery.verify(model, copy.deepcopy(model), sample=x).places == 0


OTHER = torch.randn(4, 1, 6, 6)


def change_method(model: Any) -> None:
    plain = type(model).forward
    model.__class__ = type("Net", (type(model),), {"forward": lambda self, x: plain(self, x + 1)})


def halve(layer: Any) -> None:
    """The same inputs, and another output."""
    layer.register_forward_hook(lambda _, x, y: y / 2)


class Mixing(nn.Module):
    """A linear map that no class of torch's tells."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ torch.linspace(-1, 1, 36).view(6, 6)


def forge(model: Any) -> None:
    """A class of somebody's own that says of itself that surgery made it."""
    plain, made = type(model)._whet_plain, type(model)
    marks = {"_whet_plain": plain, "_whet_cuts": made._whet_cuts}
    model.__class__ = type("Net", (made,), {**marks, "forward": lambda self, x: made.forward(self, x)})


def cut_elsewhere(model: Any) -> None:
    """Code changed by surgery's own means, where no activation is: the whole of a layer."""
    operate.apply_cuts(model.a, {Cut("forward", "linear_0", "whole"): nn.Tanh()})


SPOILS: dict[str, Callable[[Any], Any]] = {
    "a.weight: differs": lambda m: m.a.weight.data.mul_(1.0001),
    "norm.running_mean: differs": lambda m: m.norm.running_mean.add_(1),
    "a.weight: missing": lambda m: delattr(m.a, "weight") or setattr(m.a, "weight", torch.zeros(6, 48)),
    "drop: Dropout was exchanged or altered": lambda m: setattr(m.drop, "p", 0.4),
    "norm: BatchNorm2d was exchanged": lambda m: setattr(m, "norm", nn.Identity()),
    "norm: is in training": lambda m: m.norm.eval(),
    "conv2d got another input": lambda m: m.conv.register_forward_pre_hook(lambda _, x: (OTHER,)),
    "was computed there": lambda m: halve(m.b),
    "act: gives (24,)": lambda m: setattr(m, "act", Function(torch.flatten)),
    "(model): Net was exchanged": change_method,
    "act: Linear stands there now": lambda m: setattr(m, "act", nn.Linear(6, 6)),
    "act: BatchNorm1d stands": lambda m: setattr(m, "act", nn.Sequential(nn.ReLU(), nn.BatchNorm1d(6))),
    "act: Mixing is a linear map": lambda m: setattr(m, "act", Mixing()),
    "act: has 1 forward hooks": lambda m: halve(m.act),
    "relu_0: has 1 forward hooks": lambda m: halve(m.relu_0),
    "act: has 1 backward hooks": lambda m: m.act.register_full_backward_hook(lambda _, g, h: (g[0] / 2,)),
    "conv: has 0 backward hooks": lambda m: m.conv.register_full_backward_hook(lambda _, g, h: (g[0] / 2,)),
    "(model): Net was exchanged or altered": forge,
    "a: Linear was exchanged": cut_elsewhere,
}


@pytest.mark.parametrize("said", SPOILS)
def test_anything_else_that_differs_is_named(said: str) -> None:
    model, new, x = pair()
    SPOILS[said](new)
    with pytest.raises(Unproven) as caught:
        surgery.verify(model, new, sample=x)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "function",
    [nn.Identity(), nn.Softmax(-1), Function(lambda x: x - 1), get("squeeze_excite", channels=6), nn.PReLU(6)],
    ids=repr,
)
def test_what_may_stand_for_an_activation(function: nn.Module) -> None:
    model, _, x = pair()
    new, _ = surgery.replace_activations(model, function, sample=x, where="act")
    assert surgery.verify(model, new, sample=x).places == 1


def test_untied_weights_are_named() -> None:
    model, x = case("shared")
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    new.b.weight = nn.Parameter(new.a.weight.detach().clone())
    with pytest.raises(Unproven, match="is tied"):
        surgery.verify(model, new, sample=x)


def test_a_function_at_the_wrong_place_is_named() -> None:
    """The new activation sits behind the wrong layer: what it is given is not what the old one was given."""
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    new = copy.deepcopy(model)
    new[1], new[2] = new[2], nn.GELU()
    with pytest.raises(Unproven):
        surgery.verify(model, new, sample=torch.randn(2, 3))


def test_replacements_by_hand_can_be_proven_too() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 3))
    new = copy.deepcopy(model)
    new[1] = nn.GELU()
    assert surgery.verify(model, new, sample=torch.randn(2, 3)).places == 1


def test_random_activations_do_not_disturb_the_dropout_behind_them() -> None:
    model = nn.Sequential(nn.Linear(9, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 9))
    new, _ = surgery.replace_activations(model, nn.RReLU, sample=torch.randn(4, 9))
    assert surgery.verify(model, new, sample=torch.randn(4, 9)).places == 1


class Slope(nn.Module):
    """Its result is a derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(1, 8), nn.Linear(8, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            t = t.detach().requires_grad_()
            u = self.b(torch.tanh(self.a(t)))
            return torch.autograd.grad(u.sum(), t, create_graph=True)[0]


def test_what_can_not_be_proven_is_said() -> None:
    model, x = Slope(), torch.randn(4, 1)
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    with pytest.raises(UserError, match="takes derivatives"):
        surgery.verify(model, new, sample=x)


def test_a_child_where_no_activation_is_computed_is_named() -> None:
    """The code is changed by surgery's own means; but what is exchanged is the layer's call, not the tanh around it."""
    model, x, code = Slope(), torch.randn(4, 1), Slope.forward.__code__
    new, _ = surgery.replace_activations(model, "gelu", sample=x)
    (cut,) = type(new)._whet_cuts[0]
    call = next(
        n for n in ast.walk(source.text_of(code).tree) if isinstance(n, ast.Call) and ast.unparse(n) == "self.a(t)"
    )
    wrong = copy.deepcopy(model)
    elsewhere = replace(cut, span=cuts.shifted(source.span_of(call), -code.co_firstlineno))
    operate.apply_cuts(wrong, {elsewhere: nn.Tanh()})
    with pytest.raises(Unproven, match="tanh_0 stands where Slope computes no activation"):
        surgery.verify(model, wrong, sample=x)
