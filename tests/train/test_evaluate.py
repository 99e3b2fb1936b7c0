"""What a network says of rows: under a plan that rounds to bfloat16, the last layer is not rounded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from whet.train.evaluate import FULL, outputs
from whet.train.parts import Inputs
from whet.train.plan import Plan


def as_is(inputs: Inputs, target: Tensor, _: object) -> tuple[Inputs, Tensor]:
    return inputs, target


def net(width: int = 32, outputs: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, outputs))


X = torch.randn(1200, 8, generator=torch.Generator().manual_seed(0))
ROUNDED, FULLY = Plan(bfloat16=True), Plan()


def test_predictions_of_a_network_in_bfloat16_are_not_rounded() -> None:
    """Of 1,200 rows an own network had 500 different values."""
    said = outputs(net(), as_is, (X,), None, ROUNDED)
    assert len(said.unique()) > 1150
    torch.testing.assert_close(said, outputs(net(), as_is, (X,), None, FULLY), atol=0.02, rtol=0.0)
    assert not torch.equal(said, outputs(net(), as_is, (X,), None, FULLY)), "the layers before are rounded"


def test_the_network_is_left_as_it_was() -> None:
    model = net()
    outputs(model, as_is, (X,), None, ROUNDED)
    assert not any("forward" in vars(m) or m._forward_hooks for m in model.modules())
    model[2].forward = lambda x: x[:, :1] * 2  # type: ignore[method-assign]
    own = model[2].forward
    outputs(model, as_is, (X,), None, ROUNDED)
    assert model[2].forward is own


@pytest.mark.parametrize(
    "model",
    [net().to(torch.bfloat16), net(outputs=FULL // 32 + 1), nn.GRU(8, 4), nn.ReLU()],
    ids=["kept in bfloat16", "a large last layer", "a tuple", "no weights"],
)
def test_what_has_no_small_last_layer_in_float32_is_left_to_the_plan(model: nn.Module) -> None:
    whole = model if not isinstance(model, nn.GRU) else First(model)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        expected = whole(X).float()
    assert torch.equal(outputs(whole, as_is, (X,), None, ROUNDED, batch_size=len(X)), expected)


class First(nn.Module):
    """The outputs of a recurrent network, called with a state."""

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.gru = gru

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.gru(x[None], torch.zeros(1, len(x), 4))[0][0]
        return said
