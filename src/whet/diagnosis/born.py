"""Where numbers stop being numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def born(model: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """The first weight, else the first layer's output on these inputs, that is NaN or infinite; "" where there is none.

    Runs the model once as it stands, without gradients.
    """
    for name, weight in model.named_parameters():
        if not bool(weight.isfinite().all()):
            return f"the weights {name}"
    found: list[str] = []

    def read(path: str, out: Any) -> None:
        if isinstance(out, Tensor) and not bool(out.isfinite().all()):
            found.append(f"the output of {path}")

    leaves = [(path, m) for path, m in model.named_modules() if not any(m.children())]
    handles = [
        m.register_forward_hook(lambda _, __, out, path=path: read(path or "the network", out)) for path, m in leaves
    ]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else ""
