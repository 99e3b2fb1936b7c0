"""What can't be done is said in one line, and then nothing was done."""

import warnings
from typing import Any

import pytest
import torch
from networks import block, case, swish
from test_find import Raw
from torch import nn

from whet import surgery
from whet.errors import UnknownName, UserError

X = torch.randn(2, 4)


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.Linear(4, 4), torch.jit.script(nn.Sequential(nn.ReLU())))


class Entwined(nn.Module):
    """What must be watched, the elu in `block`, and what can't be, in one method."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return block(swish(x), self.layer)


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU())


BAD: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "linear map": (lambda: nn.Linear(4, 4), "gelu", {}),
    "TorchScript": (scripted, "gelu", {}),
    "'0' (LazyLinear) has no weights yet": (lambda: nn.Sequential(nn.LazyLinear(3), nn.ReLU()), "gelu", {}),
    "'gelux'. Did you mean 'gelu'": (small, "gelux", {}),
    "fails on this sample (float32 (2, 4))": (lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU()), "gelu", {}),
    "No place": (small, "gelu", {"where": lambda place: False}),
    "place, activation or role named 'tanj'": (lambda: nn.Sequential(nn.Tanh()), "gelu", {"where": "tanj"}),
    "is no network": (lambda: 3, "gelu", {}),
    "is no activation": (small, 3.5, {}),
    "only softmax": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 4)), "gelu", {}),
    "changes the number of channels": (small, "swiglu", {}),
    "would be another": (
        small,
        "gelu",
        {"optimizer": torch.optim.SGD([nn.Parameter(X)], 0.1)},
    ),
    "inside compiled code": (Raw, "gelu", {"sample": torch.randn(2, 3)}),
    "a fused kernel computes it": (lambda: nn.LSTM(4, 4), "gelu", {"where": "recurrent"}),
    "and the model itself computes tanh (recurrent)": (lambda: nn.LSTM(4, 4), "gelu", {"where": "tanh"}),
    "Linear can't be made without arguments": (small, nn.Linear, {}),
    "replace_cells makes": (lambda: nn.LSTM(4, 4), "gelu", {}),
    "not together with the method's other places": (Entwined, "gelu", {}),
    "LazyLinear has no weights yet": (small, nn.LazyLinear(4), {}),
    "it turns (2, 4) into ()": (small, lambda x: x.sum(), {}),
    "the new function fails there": (small, nn.Linear(3, 3), {}),
    "table of replacements is empty": (small, {}, {}),
    "role named 'tanj'": (small, "gelu", {"where": ["relu", "tanj"]}),
    "'adam' is no torch optimiser": (small, "prelu", {"optimizer": "adam", "inplace": True}),
    "trains none of the model's": (small, "prelu", {"optimizer": torch.optim.SGD([nn.Parameter(X)]), "inplace": True}),
}


@pytest.mark.parametrize("said", BAD)
def test_one_clear_line(said: str) -> None:
    make, new, options = BAD[said]
    with pytest.raises(UserError) as caught:
        surgery.replace_activations(make(), new, **{"sample": X, **options})
    assert "\n" not in str(caught.value)
    expected = "means none of the" if said == "No place" else said
    assert expected in str(caught.value)


def test_a_refusal_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), Raw())
    with pytest.raises(UserError, match="compiled code"):
        surgery.replace_activations(model, "gelu", sample=torch.randn(2, 3), inplace=True)
    assert type(model[1]) is nn.ReLU


def test_unknown_names_offer_near_ones() -> None:
    model, x = case("calls")
    with pytest.raises(UnknownName, match="relu"):
        surgery.replace_activations(model, "gelu", sample=x, where="rellu")
