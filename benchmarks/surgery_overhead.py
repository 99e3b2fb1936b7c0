"""What a changed model costs: a small ResNet whose every `F.relu` is replaced by nn.ReLU, against itself untouched.

    python benchmarks/surgery_overhead.py

Forward and backward, one thread, the three models in turn, 40 rounds; ratios of the least times.
"""

from __future__ import annotations

import itertools
import json
import time
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet import surgery
from whet.surgery import operate


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.skip(x))


class ResNet(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 1, 1)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        pairs = list(itertools.pairwise(widths))
        self.blocks = nn.ModuleList(
            block for k, (a, b) in enumerate(pairs) for block in (Block(a, b, 1 + (k > 0)), Block(b, b, 1))
        )
        self.head = nn.Linear(8 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


def step(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    start = time.perf_counter()
    F.cross_entropy(model(x), y).backward()
    model.zero_grad()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print one line of JSON."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,))
    models = {"plain": ResNet()}
    models["rewritten"], _ = surgery.replace_activations(models["plain"], nn.ReLU, sample=x)
    with mock.patch.object(operate, "form_of", return_value=None):  # as where no text is to be had
        models["watched"], _ = surgery.replace_activations(models["plain"], nn.ReLU, sample=x)
    for model in models.values():
        step(model, x, y)
    rounds = [{name: step(model, x, y) for name, model in models.items()} for _ in range(40)]
    least = {name: min(r[name] for r in rounds) for name in models}
    ratios = {name: round(t / least["plain"], 3) for name, t in least.items()}
    print(json.dumps({"ms": round(1e3 * least["plain"], 2), **ratios, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
