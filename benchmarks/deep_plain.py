"""Plain multilayer perceptrons, no skip and no norm, that only an initialisation can make train.

    python benchmarks/deep_plain.py                                    the 24 cells: depth 10, 30, 60 x 8 activations
    python benchmarks/deep_plain.py --width 32 --depths 20 100         cousins
    python benchmarks/deep_plain.py --data wine --activations relu "x*exp(-x^2)" --seeds 0
    python benchmarks/deep_plain.py --conv --width 24                  3x3 convolutions on 8x8 pictures

Rows are split 70/30, stratified, seed 3, centred and scaled, digits as a whole, tables by column; Adam 1e-3, batch 64, 15
epochs; a cell's score is the best validation accuracy of the 15. The seed decides the weights and the order of the rows.
All initialisations of a perceptron are trained side by side as one stack of weights, which changes no member's numbers
beyond rounding. The convolutional networks halve the picture after a third and two thirds of their layers.
`auto` sees the first 256 training rows, `auto-blind` none.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import torch
from common import HERE, installed, keep, surroundings
from sklearn import datasets
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

from whet.activations import ACTIVATIONS, formula, get
from whet.init import INITS, auto_
from whet.init.shaped import Shaped

EIGHT = ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "sine", "elu")
CONTROLS = ("default", "he", "xavier", "lecun", "orthogonal")
DATA: dict[str, Callable[..., tuple[object, object]]] = {
    "digits": datasets.load_digits,
    "wine": datasets.load_wine,
    "breast-cancer": datasets.load_breast_cancer,
    "iris": datasets.load_iris,
}
EPOCHS, BATCH, RATE, SAMPLE = 15, 64, 1e-3, 256
SHOWN = ("kind", "data", "width", "depth", "activation", "init", "scores")
Parts = tuple[Tensor, Tensor, Tensor, Tensor]


def main() -> None:
    said = arguments()
    parts = load(said.data)
    reached: dict[str, list[bool]] = {}
    for depth in said.depths:
        for activation in said.activations:
            record = {
                **surroundings(),
                "kind": "conv" if said.conv else "mlp",
                "data": said.data,
                "width": said.width,
                "depth": depth,
                "activation": activation,
            }
            began = time.perf_counter()
            measure = conv_cell if said.conv else cell
            scores = measure(parts, depth, said.width, activation, said.inits, said.seeds)
            seconds = round(time.perf_counter() - began, 1)
            for init, values in scores.items():
                more = {"init": init, "seeds": said.seeds, "scores": values, "cell_seconds": seconds}
                keep(said.results, {**record, **more, "versions": installed("whet", "torch", "numpy")}, *SHOWN)
                reached.setdefault(init, []).append(sum(values) / len(values) >= said.goal)
    for init, cells in reached.items():
        print(f"{init}: {sum(cells)} of {len(cells)} cells reach {said.goal} (mean of {len(said.seeds)} seeds)")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Deep plain networks under initialisations.")
    parser.add_argument("--conv", action="store_true", help="convolutions; digits only")
    parser.add_argument("--data", choices=DATA, default="digits")
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--depths", type=int, nargs="+", default=[10, 30, 60], help="activations in a row")
    parser.add_argument("--activations", nargs="+", default=EIGHT, help="names of the catalogue, or formulas")
    parser.add_argument("--inits", nargs="+", default=[*CONTROLS, "auto", "auto-blind"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--goal", type=float, default=0.9)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "deep_plain.jsonl")
    return parser.parse_args()


def load(name: str) -> Parts:
    """Training rows and classes, validation rows and classes."""
    x, y = DATA[name](return_X_y=True)
    xt, xv, yt, yv = train_test_split(x, y, test_size=0.3, stratify=y, random_state=3)
    mean, std = (xt.mean(), xt.std()) if name == "digits" else (xt.mean(0), xt.std(0))
    rows = [torch.tensor((part - mean) / std, dtype=torch.float32) for part in (xt, xv)]
    return rows[0], torch.tensor(yt), rows[1], torch.tensor(yv)


def activation_of(name: str) -> nn.Module:
    """A fresh module for a name of the catalogue or a formula."""
    return get(name) if name in ACTIVATIONS else formula(name)


def network(inputs: int, outputs: int, depth: int, width: int, activation: str) -> nn.Sequential:
    """Linear and activation in turn, `depth` times, and a linear layer at the end."""
    sizes = [inputs, *[width] * depth]
    pairs = [[nn.Linear(a, b), activation_of(activation)] for a, b in itertools.pairwise(sizes)]
    return nn.Sequential(*[layer for pair in pairs for layer in pair], nn.Linear(width, outputs))


def initialised(model: nn.Sequential, init: str, seed: int, sample: Tensor) -> nn.Sequential:
    """The model with the initial weights of one member."""
    generator = torch.Generator().manual_seed(seed)
    if init.startswith("auto"):
        auto_(model, sample if init == "auto" else None, generator)
    else:
        entry = INITS[init]
        entry.make(**entry.fill({}))(model, generator)
    return model


class Stack:
    """Many networks of one shape as stacked weights (member, out, in), with each activation's scale and shift."""

    def __init__(self, members: list[nn.Sequential], function: nn.Module) -> None:
        self.function = function
        linears = [[m for m in model if isinstance(m, nn.Linear)] for model in members]
        self.weights = [torch.stack([m.weight.detach() for m in layer]) for layer in zip(*linears, strict=True)]
        self.biases = [torch.stack([m.bias.detach() for m in layer])[:, None] for layer in zip(*linears, strict=True)]
        bends = [[m for m in model if not isinstance(m, nn.Linear)] for model in members]
        self.shapes = [
            torch.stack([numbers(m) for m in layer], 1)[..., None, None] for layer in zip(*bends, strict=True)
        ]
        self.parameters = [p.requires_grad_() for p in (*self.weights, *self.biases)]

    def __call__(self, x: Tensor) -> Tensor:  # (row, input) -> (member, row, class)
        h = x.expand(len(self.weights[0]), *x.shape)
        for weight, bias, (alpha, beta, gamma, delta) in zip(self.weights, self.biases, self.shapes, strict=False):
            h = gamma * (self.function(alpha * torch.baddbmm(bias, h, weight.mT) + beta) + delta)
        return torch.baddbmm(self.biases[-1], h, self.weights[-1].mT)


def numbers(activation: nn.Module) -> Tensor:
    """Alpha, beta, gamma, delta; 1, 0, 1, 0 for an activation as it is."""
    if isinstance(activation, Shaped):
        return torch.stack([activation.alpha, activation.beta, activation.gamma, activation.delta])
    return torch.tensor([1.0, 0.0, 1.0, 0.0])


def cell(
    parts: Parts, depth: int, width: int, activation: str, inits: list[str], seeds: list[int]
) -> dict[str, list[float]]:
    """The best validation accuracy of each initialisation and seed."""
    inputs, outputs = parts[0].shape[1], int(parts[1].max()) + 1
    scores: dict[str, list[float]] = {init: [] for init in inits}
    for seed in seeds:
        members = [
            initialised(network(inputs, outputs, depth, width, activation), init, seed, parts[0][:SAMPLE])
            for init in inits
        ]
        for init, score in zip(inits, train(Stack(members, activation_of(activation)), parts, seed), strict=True):
            scores[init].append(round(score, 4))
    return scores


def train(stack: Stack | Single, parts: Parts, seed: int) -> list[float]:
    """Train every member on the same batches; the best validation accuracy of each."""
    x, y, xv, yv = parts
    optimizer = torch.optim.Adam(stack.parameters, lr=RATE, fused=True)
    order = torch.Generator().manual_seed(1000 + seed)
    best = torch.zeros(len(stack.weights[0]))
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            out = stack(x[rows])
            loss = F.cross_entropy(out.flatten(0, 1), y[rows].repeat(len(out)), reduction="sum") / len(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            best = torch.maximum(best, (stack(xv).argmax(-1) == yv).float().mean(1))
    return best.tolist()


def conv_network(depth: int, width: int, activation: str) -> nn.Sequential:
    """3x3 convolutions and activations in turn, and a linear layer on the last map."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8))]
    for i in range(depth):
        stride = 2 if i in (depth // 3, 2 * depth // 3) else 1
        layers += [nn.Conv2d(width if i else 1, width, 3, stride, padding=1), activation_of(activation)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, 10))


def conv_cell(
    parts: Parts, depth: int, width: int, activation: str, inits: list[str], seeds: list[int]
) -> dict[str, list[float]]:
    """As `cell`, one network after the other."""
    scores: dict[str, list[float]] = {init: [] for init in inits}
    for seed in seeds:
        for init in inits:
            model = initialised(conv_network(depth, width, activation), init, seed, parts[0][:SAMPLE])
            scores[init].append(round(train(Single(model), parts, seed)[0], 4))
    return scores


class Single:
    """One network in the clothes of a stack."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.parameters = list(model.parameters())
        self.weights = [torch.empty(1)]

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)[None]
        return out


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
