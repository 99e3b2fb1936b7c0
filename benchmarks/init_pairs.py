"""Which initialisation goes with which activation: what 30 layers of 256 units make of signal, gradient and angles.

    python benchmarks/init_pairs.py

Standard normal inputs, 256 of them. `length`: of the last activations over that of the first (root mean square).
`gradient`: of a random gradient at the first activations over that at the last. `cosine`: mean of all pairs of inputs
after the last activation; 0 before the first layer. A good initialisation has 1, 1 and 0.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from common import HERE, installed, keep, surroundings
from deep_plain import network
from torch import Tensor, nn
from torch.nn import functional as F

from whet.init import INITS, auto_

DEPTH, WIDTH, INPUTS = 30, 256, 256
ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "softplus", "sigmoid")
ARMS = ("he", "xavier", "orthogonal", "auto")


def main() -> None:
    parser = argparse.ArgumentParser(description="Signal and gradient under pairs of initialisation and activation.")
    parser.add_argument("--activations", nargs="+", default=ACTIVATIONS)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "init_pairs.jsonl")
    said = parser.parse_args()
    for activation in said.activations:
        for arm in ARMS:
            record = {**surroundings(), "activation": activation, "init": arm, **measure(activation, arm)}
            keep(said.results, {**record, "versions": installed("whet", "torch")}, "activation", "init", *MEASURES)


MEASURES = ("length", "gradient", "cosine")


def measure(activation: str, arm: str) -> dict[str, float]:
    """The three figures of one network."""
    model, generator = network(WIDTH, 10, DEPTH, WIDTH, activation), torch.Generator().manual_seed(0)
    if arm == "auto":
        auto_(model, None, generator)
    else:
        entry = INITS[arm]
        entry.make(**entry.fill({}))(model, generator)
    outputs: list[Tensor] = []
    h = torch.randn(INPUTS, WIDTH, generator=torch.Generator().manual_seed(1))
    for layer in model[:-1]:
        h = layer(h)
        if not isinstance(layer, nn.Linear):
            h.retain_grad()
            outputs.append(h)
    h.backward(torch.randn(h.shape, generator=torch.Generator().manual_seed(2)))
    first, last = outputs[0], outputs[-1]
    assert first.grad is not None
    assert last.grad is not None
    unit = F.normalize(last.detach(), dim=1)
    cosine = ((unit @ unit.T).sum() - INPUTS) / (INPUTS * (INPUTS - 1))
    return {
        "length": length(last.detach()) / length(first.detach()),
        "gradient": length(first.grad) / length(last.grad),
        "cosine": round(cosine.item(), 4),
    }


def length(x: Tensor) -> float:
    return x.double().square().mean().sqrt().item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    main()
