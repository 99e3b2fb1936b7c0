"""Networks that train well as they are: does an initialisation that looks at them make them worse?

    python benchmarks/init_healthy.py                    every network, 5 seeds
    python benchmarks/init_healthy.py --networks resnet

Digits as 8x8 pictures (for the transformer and the LSTM as 8 rows in a row), split and scaled as in `deep_plain.py`, Adam
1e-3, batch 64, 8 epochs; the score is the mean validation accuracy of the last 3. All arms share the seed's order of rows.
`own` is what the network draws by itself. The difference is that of pairs with one seed: its mean and standard error.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from common import HERE, installed, keep, surroundings
from deep_plain import SAMPLE, Parts, load
from torch import Tensor, nn
from torch.nn import functional as F

from whet.families import FAMILIES, InputSpec
from whet.init import INITS, auto_
from whet.norm import NORMS

EPOCHS, LAST, BATCH, RATE = 8, 3, 64, 1e-3
ARMS = ("own", "he", "xavier", "auto", "auto-blind")
SHOWN = ("network", "arm", "mean", "difference", "error", "scores")


def main() -> None:
    said = arguments()
    parts = load("digits")
    for name in said.networks:
        scores: dict[str, list[float]] = {}
        for arm in said.arms:
            record = {**surroundings(), "network": name, "arm": arm, "seeds": said.seeds}
            began = time.perf_counter()
            scores[arm] = [trained(started(NETWORKS[name], arm, seed, parts), parts, seed) for seed in said.seeds]
            pairs = [a - b for a, b in zip(scores[arm], scores[said.arms[0]], strict=True)]
            spread = statistics.stdev(pairs) / len(pairs) ** 0.5 if len(pairs) > 1 else 0.0
            record |= {
                "scores": scores[arm],
                "mean": round(statistics.fmean(scores[arm]), 4),
                "difference": round(statistics.fmean(pairs), 4),
                "error": round(spread, 4),
                "seconds": round(time.perf_counter() - began, 1),
                "versions": installed("whet", "torch", "numpy"),
            }
            keep(said.results, record, *SHOWN)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Healthy networks under initialisations.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="the first is the control")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--results", type=Path, default=HERE / "results" / "init_healthy.jsonl")
    return parser.parse_args()


def family(name: str, norm: str = "batch", **params: object) -> nn.Module:
    """One of our families for the digits."""
    entry, norms = FAMILIES[name], NORMS[norm]
    spec = InputSpec((1, 8, 8), 10, "classify", nn.ReLU, lambda channels: norms.make(channels, 2, **norms.fill({})))
    return entry.make(spec, **entry.fill(params))


class Rows(nn.Module):
    """A picture's rows as a sequence, through a network of sequences, averaged into classes."""

    def __init__(self, inner: nn.Module, width: int, inputs: int = 8) -> None:
        super().__init__()
        self.inputs = nn.Linear(inputs, width)
        self.places = nn.Parameter(torch.zeros(8, width))
        self.inner, self.head = inner, nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.inner(self.inputs(x.flatten(1).unflatten(1, (8, 8))) + self.places)
        return self.head((h[0] if isinstance(h, tuple) else h).mean(1))


def transformer(norm_first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=norm_first)
    return Rows(nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), 32)


class Sum(nn.Module):
    """x + a branch of two layers without a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": partial(family, "mlp"),
    "textbook": partial(family, "textbook"),
    "fastconv": partial(family, "fastconv", widths=(16, 32), depth=1),
    "resnet": partial(family, "resnet", depth=10, width=0.25),
    "resnet-group": partial(family, "resnet", "group", depth=10, width=0.25),
    "transformer-pre": lambda: transformer(True),
    "transformer-post": lambda: transformer(False),
    "lstm": lambda: Rows(nn.LSTM(32, 32, batch_first=True), 32),
    "gru": lambda: Rows(nn.GRU(32, 32, batch_first=True), 32),
    "sums-without-norm": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64, 48), *[Sum(48) for _ in range(8)], nn.Linear(48, 10)
    ),
    "mlp-4-relu": lambda: nn.Sequential(nn.Flatten(), *dense(64, 128, 128, 128, 128), nn.Linear(128, 10)),
}


def dense(*sizes: int) -> list[nn.Module]:
    return [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]


def started(make: Callable[[], nn.Module], arm: str, seed: int, parts: Parts) -> nn.Module:
    """A fresh network with the initial weights of an arm."""
    torch.manual_seed(seed)
    model, generator = make(), torch.Generator().manual_seed(seed)
    if arm.startswith("auto"):
        auto_(model, pictures(parts[0][:SAMPLE]) if arm == "auto" else None, generator)
    elif arm != "own":
        entry = INITS[arm]
        entry.make(**entry.fill({}))(model, generator)
    return model


def pictures(rows: Tensor) -> Tensor:
    return rows.view(-1, 1, 8, 8)


def trained(model: nn.Module, parts: Parts, seed: int) -> float:
    """The mean validation accuracy of the last epochs."""
    x, y, xv, yv = pictures(parts[0]), parts[1], pictures(parts[2]), parts[3]
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    order, found = torch.Generator().manual_seed(1000 + seed), []
    for _ in range(EPOCHS):
        model.train()
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            found.append((model(xv).argmax(1) == yv).float().mean().item())
    return round(statistics.fmean(found[-LAST:]), 4)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
