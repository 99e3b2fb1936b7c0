"""What the doctor's watch costs: the same training with and without it, taking turns; ratios of the least times.

    python benchmarks/doctor/overhead.py

`whet.watch` beside a tiny network's loop (64-64, batch 32) and an ordinary one's (a small convolutional network on 32x32
images, batch 64), and the watch of `whet fit`'s own trials on what it tries first for pictures and tables. Target: less than
10 % on the tiny network and less than 3 % on the others, in processor time, which other programs disturb less than the
clock. The weights of both are compared bit by bit.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import HERE, installed, keep, surroundings
from loop_overhead import ROWS, fastconv, tabular, textbook

import whet
from whet.build import build
from whet.data.prepared import prepare
from whet.diagnosis.trials import TrialWatch
from whet.tasks import make_task
from whet.train.horizon import Horizon
from whet.train.loop import Training, own_random_numbers, train_step
from whet.train.plan import Plan


class Turn(NamedTuple):
    seconds: float
    """Of the processor."""
    weights: Tensor
    samples: int


def tiny() -> tuple[nn.Module, Tensor, Tensor, int]:
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
    return model, torch.randn(4000, 20), torch.randint(5, (4000,)), 32


def ordinary() -> tuple[nn.Module, Tensor, Tensor, int]:
    layers: list[nn.Module] = []
    for a, b in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 10))
    return model, torch.randn(1024, 3, 32, 32), torch.randint(10, (1024,)), 64


def beside_a_loop(make: Any, steps: int, watching: bool) -> Turn:
    torch.manual_seed(0)
    model, x, y, size = make()
    optimizer, loss_fn = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    began = time.process_time()
    with whet.watch(model, optimizer, loss=loss_fn) if watching else contextlib.nullcontext() as seen:
        for i in range(steps):
            at = i * size % (len(x) - size)
            loss = loss_fn(model(x[at : at + size]), y[at : at + size])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if seen is not None:
                seen.step(loss)
    return Turn(time.process_time() - began, weights_of(model), seen.sampler.count if seen else 0)


def in_a_trial(make: Any, steps: int, watching: bool) -> Turn:
    recipe, data = make()
    rows = {"train": np.arange(ROWS - 1000), "val": np.arange(ROWS - 1000, ROWS), "test": np.arange(0)}
    prepared, task = prepare(data, rows), make_task(data.domain, data.goal, data.classes, data.target)
    watch = TrialWatch(recipe.batch_size)
    with own_random_numbers():
        parts = build(recipe, task, prepared, 0, Plan(channels_last=True, fused=True))
        training = Training(parts, Horizon(steps=steps), 0, listeners=[watch] if watching else [])
        began = time.process_time()
        while not training.over:
            train_step(training)
            training.tick()
    sampler = watch._sampler
    return Turn(time.process_time() - began, weights_of(parts.model), sampler.count if sampler else 0)


def weights_of(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


CASES: dict[str, tuple[Any, Any, int]] = {
    "tiny": (beside_a_loop, tiny, 6000),
    "ordinary": (beside_a_loop, ordinary, 200),
    "trial tabular": (in_a_trial, tabular, 400),
    "trial textbook": (in_a_trial, textbook, 200),
    "trial fastconv": (in_a_trial, fastconv, 30),
}
"""name -> (how it is trained, what, steps)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--results", type=Path, default=HERE / "results" / "watch_overhead.jsonl")
    said = parser.parse_args()
    torch.set_num_threads(1)
    for name in said.case:
        train, make, steps = CASES[name]
        turns = [(train(make, steps, False), train(make, steps, True)) for _ in range(said.turns)]
        off, on = min(a.seconds for a, _ in turns), min(b.seconds for _, b in turns)
        record = {
            "network": name,
            "steps": steps,
            "off_cpu_s": [round(a.seconds, 4) for a, _ in turns],
            "on_cpu_s": [round(b.seconds, 4) for _, b in turns],
            "ratio": round(on / off, 4),
            "samples": turns[0][1].samples,
            "same_bits": all(torch.equal(a.weights, b.weights) for a, b in turns),
        }
        shown = ("network", "ratio", "samples", "same_bits")
        keep(said.results, {**surroundings(), **record, "versions": installed("whet", "torch")}, *shown)


if __name__ == "__main__":
    main()
