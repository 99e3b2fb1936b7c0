"""Recorded learning curves to replay a search on: TaskSet, LCBench's surrogate, and made-up ones that are hard on purpose."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import data_folder

TASKSET = {
    "develop": ("patch128_LSTM128_avg_bs64", "patch32_LSTM128_bs128"),
    "check": ("patch32_GRU64_avg_bs128", "patch32_IRNN64_relu_avg_bs128"),
}
LCBENCH = {
    "develop": ("3945", "7593", "34539", "126025", "126026", "126029"),
    "check": ("146212", "167104", "167149", "167152"),
}
"""Rules and constants were set on the first ones; the others were looked at when that was done."""
RANGES = {
    "batch_size": (16, 512, "log int"),
    "learning_rate": (1e-4, 0.1, "log"),
    "momentum": (0.1, 0.99, ""),
    "weight_decay": (1e-5, 0.1, ""),
    "num_layers": (1, 5, "int"),
    "max_units": (64, 1024, "log int"),
    "max_dropout": (0.0, 1.0, ""),
}
"""LCBench's space, in the order in which its surrogate takes them."""
VALUES = {"cross_entropy": (2, 4, 1.0), "accuracy": (1, 5, -1.0)}
"""Columns of the surrogate for validation and test, and the sign that makes lower better."""
MADE = ("crossing", "noise", "plateau", "overfit", "diverging", "ties")


@dataclass(frozen=True)
class Curves:
    """What a search can choose from, and what would come of it. Lower values are better."""

    name: str
    group: str
    params: list[dict[str, Any]]
    values: np.ndarray
    """(candidates, points) on validation."""
    start: np.ndarray
    """(candidates,) before training, where it was recorded; else the first point."""
    final: np.ndarray
    """(candidates,) at the end, on test."""
    seconds: np.ndarray
    """(candidates,) that each point takes; 1 where that was not recorded."""

    @property
    def points(self) -> int:
        """Of one whole curve."""
        return self.values.shape[1]

    @property
    def rank(self) -> np.ndarray:
        """(candidates,) percent of all candidates that end better on test; NaN ends worst."""
        final = np.where(np.isfinite(self.final), self.final, np.inf)
        return 100 * np.searchsorted(np.sort(final), final) / len(final)


def taskset(name: str) -> Curves:
    """1,000 settings of Adam, 8 numbers each, for one task (Metz et al. 2020)."""
    said = json.loads((data_folder("taskset") / f"{name}.json").read_text())
    curve = {s: np.array([one[s]["loss"] for one in said], float) for s in ("valid", "test")}
    valid = curve["valid"]
    params = [dict(one["hp"]) for one in said]
    return Curves(name, "taskset", params, valid[:, 1:], valid[:, 0], curve["test"][:, -1], np.ones(len(said)))


def lcbench(task: str, value: str = "cross_entropy", n: int = 1000) -> Curves:
    """`n` random settings of a perceptron on one table, as the surrogate predicts them (Zimmer et al. 2021)."""
    random = np.random.default_rng(int(task))
    params = [drawn(random) for _ in range(n)]
    said = surrogate(task, params)
    valid, test, sign = VALUES[value]
    values = sign * said[:, :, valid]
    seconds = np.maximum(said[:, -1, 0], 1e-3) / said.shape[1]
    name = task if value == "cross_entropy" else f"{task} {value}"
    return Curves(name, "lcbench", params, values, values[:, 0], sign * said[:, -1, test], seconds)


def drawn(random: np.random.Generator) -> dict[str, Any]:
    """One setting of LCBench's space."""
    found: dict[str, Any] = {}
    for name, (low, high, kind) in RANGES.items():
        u = random.random()
        value = low * (high / low) ** u if "log" in kind else low + u * (high - low)
        found[name] = round(value) if "int" in kind else float(value)
    return found


EPOCHS = 52


def surrogate(task: str, params: list[Mapping[str, Any]]) -> np.ndarray:
    """(settings, EPOCHS, 6): seconds so far, then accuracy, loss and balanced accuracy on validation, loss and balanced
    accuracy on test."""
    import onnxruntime

    folder = data_folder("lcbench")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    code = json.loads((folder / "encoding.json").read_text())["OpenML_task_id"][task]
    rows = np.array([[p[name] for name in RANGES] for p in params])
    whole = np.column_stack([np.tile(np.arange(1, EPOCHS + 1), len(rows)), np.repeat(rows, EPOCHS, axis=0)])
    fed = {"x_cont": whole.astype(np.float32), "x_cat": np.full((len(whole), 1), code, np.int32)}
    return session.run(None, fed)[0].reshape(len(rows), EPOCHS, -1)


def made(kind: str, n: int = 300, points: int = 50) -> Curves:
    """Curves of a kind that misleads. What the parameters say is true but for `noise` and `ties`."""
    random = np.random.default_rng(MADE.index(kind))
    x = random.random((n, 4))
    t = np.linspace(1 / points, 1, points)
    good = ((x[:, :2] - 0.3) ** 2).sum(1) + 0.02 * random.random(n)  # where curves end
    own = 0.01 * random.standard_normal((n, points))
    if kind == "crossing":  # who ends best starts worst
        values = good[:, None] + (1.5 - good)[:, None] * np.exp(-6 * t) + own
    elif kind == "noise":
        values = random.standard_normal((n, points))
    elif kind == "plateau":  # nothing happens until suddenly it does
        begins = random.uniform(0.02, 0.7, n)
        values = np.where(t < begins[:, None], 1.0, good[:, None]) + own
    elif kind == "overfit":  # what learns fastest ends worst
        fast = random.uniform(2, 40, n)
        values = good[:, None] + np.exp(-fast[:, None] * t) + 0.02 * fast[:, None] * t**2 + own
    elif kind == "diverging":
        values = good[:, None] + np.exp(-8 * t) + own
        values[random.random(n) < 0.9] *= 10 ** (12 * t)
        values[random.random(n) < 0.5, 3:] = np.nan
    else:
        values = np.round(2 * good)[:, None] + np.zeros(points)
    params = [{f"x{j}": float(v) for j, v in enumerate(row)} for row in x]
    end = random.standard_normal(n) if kind == "noise" else values[:, -1] + 0.002 * random.standard_normal(n)
    return Curves(kind, "made", params, values, values[:, 0], end, np.ones(n))
