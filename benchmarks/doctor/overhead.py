"""What `whet.watch` costs: the same training with and without it, taking turns; ratios of the least times.

    python benchmarks/doctor/overhead.py

A tiny network (64-64, batch 32) and an ordinary one (a small convolutional network on 32x32 images, batch 64). Target: less
than 10 % and less than 3 %. The weights of both are compared bit by bit.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import HERE, installed, keep, surroundings

import whet


def tiny() -> tuple[nn.Module, Tensor, Tensor, int]:
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
    return model, torch.randn(4000, 20), torch.randint(5, (4000,)), 32


def ordinary() -> tuple[nn.Module, Tensor, Tensor, int]:
    layers: list[nn.Module] = []
    for a, b in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 10))
    return model, torch.randn(1024, 3, 32, 32), torch.randint(10, (1024,)), 64


def trained(make: Any, steps: int, watching: bool) -> tuple[float, Tensor, int]:
    """(seconds, all weights, samples)."""
    torch.manual_seed(0)
    model, x, y, size = make()
    optimizer, loss_fn = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    began = time.perf_counter()
    with whet.watch(model, optimizer, loss=loss_fn) if watching else contextlib.nullcontext() as seen:
        for i in range(steps):
            at = i * size % (len(x) - size)
            loss = loss_fn(model(x[at : at + size]), y[at : at + size])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if seen is not None:
                seen.step(loss)
    seconds = time.perf_counter() - began
    return seconds, torch.cat([p.detach().flatten() for p in model.parameters()]), seen.sampler.count if seen else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "watch_overhead.jsonl")
    said = parser.parse_args()
    torch.set_num_threads(1)
    for name, make, steps in (("tiny", tiny, 6000), ("ordinary", ordinary, 120)):
        turns = [(trained(make, steps, False), trained(make, steps, True)) for _ in range(said.turns)]
        off, on = min(a[0] for a, _ in turns), min(b[0] for _, b in turns)
        record = {
            "network": name,
            "steps": steps,
            "off_s": [round(a[0], 4) for a, _ in turns],
            "on_s": [round(b[0], 4) for _, b in turns],
            "ratio": round(on / off, 4),
            "samples": turns[0][1][2],
            "same_bits": all(torch.equal(a[1], b[1]) for a, b in turns),
        }
        keep(
            said.results,
            {**surroundings(), **record, "versions": installed("whet", "torch")},
            "network",
            "ratio",
            "samples",
            "same_bits",
        )


if __name__ == "__main__":
    main()
