"""Dropout that is called as a function, made to follow the network's mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

FUNCTIONS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)


class Moded(TorchFunctionMode):
    """Within it, every dropout drops at most this share of its numbers, and nothing in evaluation mode."""

    def __init__(self, share: float, training: bool) -> None:
        super().__init__()
        self.share, self.training = share, training

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function not in FUNCTIONS:
            return function(*args, **kwargs)
        given = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
        calm = {"p": min(given.get("p", 0.5), self.share)} | ({} if self.training else {"training": False})
        return function(**given | calm)


class Calmed(nn.Module):
    """A network whose dropout knows its mode."""

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network, self.share = network, share

    def forward(self, *inputs: Tensor) -> Tensor:
        with Moded(self.share, self.training):
            said: Tensor = self.network(*inputs)
        return said


@dataclass(frozen=True)
class ModedDropout:
    """Dropout of at most this share in training, and none in evaluation, in every place that calls it."""

    share: float

    def __call__(self, model: nn.Module) -> nn.Module:
        return Calmed(model, self.share).train(model.training)

    def code(self) -> list[str]:
        return [
            f"model = whet.setups.dropouts.ModedDropout({self.share})(model)  # or: training=self.training in each call"
        ]
