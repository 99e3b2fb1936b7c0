"""One small training for every library: two half circles, a plain network, a sound rate and a wild one."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn

SOUND_RATE, SICK_RATE = 5e-3, 20.0


def moons(rows: int = 600) -> tuple[Tensor, Tensor]:
    """Two half circles with a little noise."""
    draw = torch.Generator().manual_seed(0)
    angle = torch.rand(rows, generator=draw) * torch.pi
    label = torch.randint(0, 2, (rows,), generator=draw)
    x = torch.stack([angle.cos() + label - 0.5, angle.sin() * (1 - 2 * label) + 0.5 * label - 0.25], 1)
    return x * 1.5 + 0.2 * torch.randn(rows, 2, generator=draw), label


def made() -> nn.Module:
    """With dropout, whose draws a clumsy watcher would shift."""
    return nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))


def example(name: str) -> str:
    """The code in docs/doctor.md that holds this name."""
    page = Path(__file__).parents[2] / "docs" / "doctor.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if name in block)
