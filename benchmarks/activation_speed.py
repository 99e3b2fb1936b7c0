"""Forward and backward of every activation against torch's own SiLU: same tensor, same process, taking turns.

    python benchmarks/activation_speed.py                              all fixed entries, all shapes, float32 and bfloat16
    python benchmarks/activation_speed.py --name mish gelu --shape 256x256 --threads 1
    python benchmarks/activation_speed.py --formula "x * tanh(exp(x))"
    python benchmarks/activation_speed.py --random 200 --shape 256x256         the formulas of tests/contracts

The clock covers y = f(x) and y.backward(g) with fixed x and g, after a first run, which compiles. Each time is the least
of several turns: what a busy machine adds is not the function's. `kept` is what the backward pass keeps, as a share of
x. Target: a ratio of at most 1.5, with one tensor kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from common import HERE, installed, keep, surroundings
from torch import Tensor, nn

from whet.activations import ACTIVATIONS, get
from whet.activations.formula import Formula

SHAPES = {"8.4M": (8_400_000,), "64x64x32x32": (64, 64, 32, 32), "256x256": (256, 256), "64x64": (64, 64)}
"""Large, a convolution's, a perceptron's; and the smallest for which kernels are compiled."""
SHOWN = ("name", "shape", "dtype", "ratio", "forward_ratio", "backward_ratio", "silu_ms", "kept", "first_s")


def main() -> None:
    said = arguments()
    torch.set_num_threads(said.threads)
    for shape in said.shape:
        for dtype in said.dtype:
            silu = nn.SiLU()
            for name, module in modules(said):
                record = compare(module, silu, SHAPES[shape], getattr(torch, dtype), said.seconds)
                facts = {"name": name, "shape": shape, "dtype": dtype, "threads": said.threads, "seconds": said.seconds}
                versions = {"versions": installed("whet", "torch")}
                keep(said.results, {**surroundings(), **facts, **record, **versions}, *SHOWN)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Activations against SiLU.")
    parser.add_argument("--name", nargs="+", default=None, help="all fixed entries if not given")
    parser.add_argument("--formula", nargs="+", default=[], help="formulas in place of entries")
    parser.add_argument("--random", type=int, default=0, help="so many random formulas in place of entries")
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--dtype", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=0.3, help="of turns for each, at least five turns")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "activation_speed.jsonl")
    return parser.parse_args()


def modules(said: argparse.Namespace) -> Iterator[tuple[str, nn.Module]]:
    for text in [*said.formula, *random_formulas(said.random)]:
        yield text, Formula(text)
    names = said.name or ([] if said.formula or said.random else [e.name for e in ACTIVATIONS if e.kind == "fixed"])
    for name in names:
        yield name, get(name)


def random_formulas(count: int) -> list[str]:
    """The formulas on which the contracts are tested."""
    sys.path.insert(0, str(HERE.parent / "tests" / "contracts"))
    from random_formulas import random_formulas

    return random_formulas(count)


def compare(
    module: nn.Module, silu: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, seconds: float
) -> dict[str, Any]:
    """Both modules' least times, in turns, and what the module's backward pass keeps."""
    draw = torch.Generator().manual_seed(0)
    x, g = (torch.randn(shape, generator=draw).to(dtype) for _ in range(2))
    x.requires_grad_()
    began = time.perf_counter()
    turn(module, x, g)
    first = time.perf_counter() - began
    turn(silu, x, g)
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    until = time.perf_counter() + seconds
    while len(ours) < 5 or time.perf_counter() < until:
        theirs.append(turn(silu, x, g))
        ours.append(turn(module, x, g))
    f, b = (min(t[i] for t in ours) for i in (0, 1))
    silu_f, silu_b = (min(t[i] for t in theirs) for i in (0, 1))
    return {
        "ratio": round(min(map(sum, ours)) / min(map(sum, theirs)), 3),
        "forward_ratio": round(f / silu_f, 3),
        "backward_ratio": round(b / silu_b, 3),
        "ms": round(1e3 * min(map(sum, ours)), 4),
        "silu_ms": round(1e3 * min(map(sum, theirs)), 4),
        "turns": len(ours),
        "kept": kept_share(module, x),
        "first_s": round(first, 2),
    }


def turn(module: nn.Module, x: Tensor, g: Tensor) -> tuple[float, float]:
    """Seconds of the forward and of the backward pass."""
    x.grad = None
    began = time.perf_counter()
    y = module(x)
    middle = time.perf_counter()
    y.backward(g)
    return middle - began, time.perf_counter() - middle


def kept_share(module: nn.Module, x: Tensor) -> float:
    """Bytes that are kept for the backward pass, each memory once, as a share of x's."""
    kept: dict[int, int] = {}

    def note(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        module(x)
    return round(sum(kept.values()) / x.untyped_storage().nbytes(), 2)


if __name__ == "__main__":
    main()
