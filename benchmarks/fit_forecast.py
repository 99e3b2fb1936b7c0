"""`whet fit` on series as a user would run it, beside NLinear and DLinear trained as their authors train them.

    python benchmarks/fit_forecast.py --data etth1 --horizons 96 720 --seeds 0 1 2
    python benchmarks/fit_forecast.py --data classic-series --horizons 12

ETTh1 keeps the protocol of the published tables: rows 8,640 / 2,880 / 2,880, scaled by the first 8,640, look-back 336,
windows slid by one, mean squared error over windows, steps and channels. The classic series keep the tails that the data's
README names. Last value, seasonal naive, ridge regression, Theta and exponential smoothing are whet's own baselines, in
the same record. With --first-recipe nothing depends on the clock: the first recipe's steps and no search, for a machine that
others use too. Each run is a line of results/fit_forecast.jsonl; README.md says what its columns mean.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import torch
from common import ALSO_KEPT, HERE, KEPT, data_folder, installed, keep, spread, surroundings, whet_fit
from torch import Tensor, nn

from whet import fit as whet_in_process
from whet.train.horizon import parse_seconds

ETT_PARTS = (8_640, 2_880, 2_880)
LOOKBACK = 336
LONG = 1800.0
"""Seconds for a training that the clock does not end; baselines have their share of them."""
TAILS = {"airline-passengers": 36, "monthly-sunspots": 564, "daily-min-temperatures": 730}
"""Last steps of each classic series that are tested on."""
TIMES = {"airline-passengers": "Month", "monthly-sunspots": "Month", "daily-min-temperatures": "Date"}
ALSO = ("lookback", "horizon", "season", "intervals", "rmse_own_units", "rmse_own_units_baselines", "baseline_metrics")
SHOWN = (
    "data",
    "system",
    "horizon",
    "budget",
    "seed",
    "value",
    "metrics",
    "baselines",
    "wall_seconds",
    "load",
    "failed",
)
SHOWN_AT_END = ("data", "system", "horizon", "budget", "mean", "sd", "se", "runs")


def main() -> None:
    said = arguments()
    budget = parse_seconds(said.budget)
    values: dict[tuple[str, int, str], list[float]] = {}
    for seed in said.seeds:
        for horizon in said.horizons:
            for record in records(said.data, horizon, 0.0 if said.first_recipe else budget, seed, said.control):
                keep(said.results, record, *SHOWN)
                if "value" in record:
                    values.setdefault((record["data"], horizon, record["system"]), []).append(record["value"])
    for (data, horizon, system), found in values.items():
        if len(found) > 1:
            summary = {**spread(found), "runs": len(found), "values": found, "budget": budget}
            keep(said.results, {"data": data, "system": system, "horizon": horizon, **summary}, *SHOWN_AT_END)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="whet fit on series, with NLinear and DLinear as controls.")
    parser.add_argument("--data", choices=("etth1", "classic-series"), default="etth1")
    parser.add_argument("--horizons", type=int, nargs="+", default=[96, 720])
    parser.add_argument("--budget", default="300s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--first-recipe", action="store_true", help="its steps alone, whatever the clock says")
    parser.add_argument("--control", action=argparse.BooleanOptionalAction, default=True, help="etth1 only")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_forecast.jsonl")
    return parser.parse_args()


def records(data: str, horizon: int, budget: float, seed: int, control: bool) -> Iterator[dict[str, Any]]:
    """The records of whet on each series of a data set, and of the controls; no budget: of the first recipe."""
    folder = data_folder(data)
    if data == "etth1":
        frame = pl.read_csv(folder / "ETTh1.csv")
        yield {"data": data, **whet(frame, ett_parts(len(frame)), "date", horizon, budget, seed, LOOKBACK)}
        for name in ("nlinear", "dlinear") if control else ():
            yield {"data": data, **linear(name, frame, horizon, seed)}
        return
    for name, tail in TAILS.items():
        frame = pl.read_csv(folder / f"{name}.csv")
        parts = ["train"] * (len(frame) - tail) + ["test"] * tail
        yield {"data": name, **whet(frame, parts, TIMES[name], horizon, budget, seed, None)}


def ett_parts(rows: int) -> list[str]:
    """The part of each row; the last ones belong to none."""
    named = [name for name, n in zip(("train", "val", "test"), ETT_PARTS, strict=True) for _ in range(n)]
    return [*named, *[""] * (rows - len(named))]


def whet(
    frame: pl.DataFrame, parts: list[str], time: str, horizon: int, budget: float, seed: int, lookback: int | None
) -> dict[str, Any]:
    """The record of `whet fit` on a table with a column for the parts."""
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
        path = Path(temporary, "series.csv")
        frame.with_columns(pl.Series("split", parts)).write_csv(path)
        if not budget:
            named = {"time": time, "horizon": horizon, "lookback": lookback, "split": "split"}
            return {"horizon": horizon, **first(path, named, seed)}
        options = ["--time", time, "--horizon", str(horizon), "--split", "split"]
        options += ["--lookback", str(lookback)] if lookback else []
        return {"horizon": horizon, **whet_fit(path, *options, budget=budget, seed=seed, also=ALSO)}


def first(path: Path, named: dict[str, Any], seed: int) -> dict[str, Any]:
    """The record of the first recipe, trained whole."""
    record = {**surroundings(), "system": "whet, first recipe", "seed": seed}
    began, worked = time.perf_counter(), time.process_time()
    with mock.patch("whet.tune.wanted", return_value=False):
        details = whet_in_process(path, budget=LONG, seed=seed, out=path.parent / "run", **named).details
    record["wall_seconds"] = round(time.perf_counter() - began, 2)
    record["cpu_seconds"] = round(time.process_time() - worked, 2)
    return record | {k: details[k] for k in (*KEPT, *ALSO_KEPT, *ALSO) if k in details}


# -- the controls --------------------------------------------------------------------------------------------------


class Published(nn.Module):
    """NLinear or DLinear with shared weights (Zeng et al. 2023, arXiv:2205.13504, section 4), from torch's own start."""

    def __init__(self, name: str, horizon: int, kernel: int = 25) -> None:
        super().__init__()
        self.name, self.kernel = name, kernel
        self.trend, self.rest = nn.Linear(LOOKBACK, horizon), nn.Linear(LOOKBACK, horizon)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, L) -> (B, C, H)
        if self.name == "nlinear":
            level = x[..., -1:]
            out: Tensor = self.rest(x - level) + level
            return out
        half = self.kernel // 2
        mean = nn.functional.avg_pool1d(nn.functional.pad(x, (half, half), mode="replicate"), self.kernel, 1)
        both: Tensor = self.trend(mean) + self.rest(x - mean)
        return both


PASSES, PATIENCE, BATCH, LR = 10, 3, 32, 5e-3
"""As in the scripts of the paper: Adam, the rate halved after each pass, the best pass by the validation part."""


def linear(name: str, frame: pl.DataFrame, horizon: int, seed: int) -> dict[str, Any]:
    """The record of a published linear model on ETTh1."""
    record = {**surroundings(), "system": name, "horizon": horizon, "seed": seed, "lookback": LOOKBACK}
    began = time.perf_counter()
    train, val, test = windows(frame, horizon)
    model = trained(Published(name, horizon), train, val, seed)
    off = [model(x) - y for x, y in batches(*test, np.arange(len(test[0])), 256)]
    squared = float(torch.cat([o.square().mean((1, 2)) for o in off]).mean())
    absolute = float(torch.cat([o.abs().mean((1, 2)) for o in off]).mean())
    found = {"metric": "mse", "value": squared, "n": len(test[0]), "metrics": {"mse": squared, "mae": absolute}}
    return {**record, **found, "wall_seconds": round(time.perf_counter() - began, 2), "versions": installed("torch")}


def windows(frame: pl.DataFrame, horizon: int) -> list[tuple[Tensor, Tensor]]:
    """(look-backs (n, C, L), futures (n, C, H)) of the three parts."""
    values = frame.drop("date").to_numpy()
    head = values[: ETT_PARTS[0]]
    scaled = torch.tensor((values - head.mean(0)) / head.std(0), dtype=torch.float32)
    found, begin = [], 0
    for size in ETT_PARTS:
        first, end = max(LOOKBACK, begin), begin + size
        past = scaled[first - LOOKBACK : end - horizon].unfold(0, LOOKBACK, 1)
        found.append((past, scaled[first:end].unfold(0, horizon, 1)))
        begin = end
    return found


def trained(model: nn.Module, train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    for layer in model.children():
        layer.reset_parameters()  # type: ignore[operator]
    optimizer, random = torch.optim.Adam(model.parameters(), LR), np.random.default_rng(seed)
    best, kept, since = float("inf"), model.state_dict(), 0
    for number in range(PASSES):
        optimizer.param_groups[0]["lr"] = LR * 0.5**number
        for x, y in batches(*train, random.permutation(len(train[0])), BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            losses = [(model(x) - y).square().mean((1, 2)) for x, y in batches(*val, np.arange(len(val[0])), 256)]
        score = float(torch.cat(losses).mean())
        if score < best:
            best, since = score, 0
            kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        elif (since := since + 1) >= PATIENCE:
            break
    model.load_state_dict(kept)
    return model.requires_grad_(False)


def batches(x: Tensor, y: Tensor, order: np.ndarray, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for at in range(0, len(order), size):
        rows = torch.from_numpy(order[at : at + size])
        yield x[rows], y[rows]


if __name__ == "__main__":
    main()
