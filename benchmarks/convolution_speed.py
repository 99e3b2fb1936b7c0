"""Convolutions with fewer products (train/winograd.py) beside torch's own, in bfloat16 and channels-last.

    python benchmarks/convolution_speed.py

Layers: forward, towards the input and towards the weight, each beside torch's; and a whole training step of the fast network
on 32x32 colour images under the same plan with and without. The two take turns in one process, so that a noisy machine disturbs
both alike; times are the least of all turns, in milliseconds, `ratio` is torch / ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import HERE, give_up, installed, keep, surroundings

from whet.build import build
from whet.data.core import Data
from whet.data.prepared import Prepared, prepare
from whet.search.first import Facts, fast_conv
from whet.tasks import Task, make_task
from whet.train import winograd
from whet.train.horizon import Horizon
from whet.train.loop import Training, own_random_numbers, train_step
from whet.train.plan import cores, first_plan, running

LAYERS = (
    (32, 32, 16),
    (32, 64, 16),
    (64, 64, 15),
    (64, 256, 15),
    (128, 128, 16),
    (256, 256, 8),
    (256, 256, 7),
    (256, 256, 3),
    (64, 64, 56),
    (512, 512, 7),
)
"""Channels in and out, and the side of the map."""
NETWORKS = (((64, 128, 256), 2), ((64, 256, 256), 2), ((64, 256, 256), 3))
"""Widths of the stages, and convolutions in each."""
SHOWN = ("what", "threads", "ratio", "ours", "torch", "load")
Call = Callable[[], object]


def main() -> None:
    said = arguments()
    if winograd.kernel() is None:
        give_up("This needs a C compiler and a processor with AVX-512's dot products of bfloat16.")
    torch.set_num_threads(said.threads)
    for measured in [*layers(said), *networks(said)]:
        record = {**surroundings(), "threads": said.threads, "batch": said.batch, **measured}
        record["versions"] = installed("whet", "torch")
        keep(said.results, record, *SHOWN)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Convolutions with fewer products beside torch's own.")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--results", type=Path, default=HERE / "results" / "convolution_speed.jsonl")
    return parser.parse_args()


def layers(said: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for wide, narrow, side in LAYERS:
        x, g = maps(said.batch, wide, side), maps(said.batch, narrow, side)
        pairs = calls(x, g, torch.randn(narrow, wide, 3, 3) / (9 * wide) ** 0.5)
        times = {name: in_turns(*pair, turns=said.turns) for name, pair in pairs.items()}
        ours, theirs = (round(sum(t[i] for t in times.values()), 2) for i in (0, 1))
        what = f"{wide} to {narrow} channels, {side}x{side}"
        yield {"what": what, "each": times, "ours": ours, "torch": theirs, "ratio": round(theirs / ours, 3)}


def calls(x: torch.Tensor, g: torch.Tensor, weight: torch.Tensor) -> dict[str, tuple[Call, Call]]:
    """Ours and torch's way to the output, to the input's gradient and to the weight's."""
    low = weight.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
    return {
        "forward": (lambda: winograd.convolve(x, weight), lambda: F.conv2d(x, low, padding=1)),
        "input": (lambda: winograd.convolve(g, weight, turned=True), lambda: towards(g, x, low, (True, False))),
        "weight": (lambda: winograd.gradient(x, g), lambda: towards(g, x, low, (False, True))),
    }


def networks(said: argparse.Namespace) -> Iterator[dict[str, Any]]:
    prepared, task = some_images()
    facts = Facts("image", "classify", 50_000, prepared.shape, task.outputs, seconds=300.0)
    plan = replace(first_plan(said.threads), winograd=True)
    for widths, depth in NETWORKS:
        recipe = fast_conv(facts, widths, passes=10.0).put("family.depth", depth).put("batch_size", 2 * said.batch)
        with running(plan), own_random_numbers():
            both = [build(recipe, task, prepared, 0, chosen) for chosen in (plan, replace(plan, winograd=False))]
            steps = [partial(train_step, Training(parts, Horizon(steps=1_000_000), 0)) for parts in both]
            ours, theirs = in_turns(*steps, turns=said.turns)
        what = f"a step of {'-'.join(map(str, widths))}, {depth} convolutions a stage, batch {2 * said.batch}"
        yield {"what": what, "ours": ours, "torch": theirs, "ratio": round(theirs / ours, 3)}


def some_images() -> tuple[Prepared, Task]:
    numbers, rows = np.random.default_rng(0), np.arange(4096)
    images = numbers.integers(0, 256, (len(rows), 32, 32, 3), dtype=np.uint8)
    labels = numbers.integers(0, 10, len(rows))
    data = Data("random", "image", images, labels, "classify", tuple("0123456789"), "label")
    task = make_task(data.domain, data.goal, data.classes, data.target)
    return prepare(data, {"train": rows[:4000], "val": rows[4000:]}, None), task


def maps(batch: int, channels: int, side: int) -> torch.Tensor:
    return torch.randn(batch, channels, side, side).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def towards(g: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, which: tuple[bool, bool]) -> object:
    ones = (1, 1)
    return torch.ops.aten.convolution_backward(g, x, weight, None, ones, ones, ones, False, (0, 0), 1, (*which, False))


def in_turns(*calls: Call, turns: int) -> list[float]:
    """The least milliseconds of each call; the first turn warms up."""
    times = [[seconds(call) for call in calls] for _ in range(turns + 1)][1:]
    return [round(1e3 * min(column), 2) for column in zip(*times, strict=True)]


def seconds(call: Call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
