"""`whet fit --task anomaly` on NAB's series and ADBench's tables, beside the baselines that it runs itself.

    python benchmarks/fit_anomaly.py --data nab                   every series, then the means
    python benchmarks/fit_anomaly.py --data nab --quick           the same without plan, report and thresholds: 200 steps
    python benchmarks/fit_anomaly.py --data adbench --seeds 0 1 2 3 4

nab: one network per series. Labels are the windows of combined_windows.json; unsupervised: fitted on the whole series, all
of its steps scored. AUC-PR is point-wise, of each series, averaged over the 52 that have anomalies; in hindsight (the mean
of the windows that contain a step) for whet and for its baselines alike, and as it was said at the moment itself. NAB's
score (standard profile) is of the scores at the moment, with one threshold for all 58 series.
adbench: unsupervised: fitted on a bootstrap of all rows, all rows scored; semi-supervised: fitted on a random half of the
normal rows, the rest and all anomalies scored. AUC-ROC, the mean over seeds.

Each run is a line of results/fit_anomaly.jsonl; README.md says what its columns mean.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import HERE, data_folder, keep, spread, surroundings

import whet
from whet.data.core import Roles
from whet.fields import field, load
from whet.fields.anomaly.outcome import over_time
from whet.fields.base import Wanted
from whet.files import finite
from whet.improve import train
from whet.tasks.detect import at_the_moment
from whet.tasks.detect_ranges import nab

SETS = {"cardio": "6_cardio.npz", "thyroid": "38_thyroid.npz"}
QUICK_STEPS = 200
MODES = ("unsupervised", "semi-supervised")
SHOWN = ("data", "part", "mode", "seed", "rows", "metrics", "baselines", "wall_seconds", "load")


def main() -> None:
    said = arguments()
    if said.data == "nab":
        every_series(said)
    else:
        every_table(said)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="whet fit --task anomaly, with its baselines as controls.")
    parser.add_argument("--data", required=True, choices=("nab", "adbench"))
    parser.add_argument("--budget", default="300s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES, help="adbench: how it is fitted")
    parser.add_argument("--quick", action="store_true", help="nab: the training and the baselines alone")
    parser.add_argument("--longest", type=int, default=10**9, help="nab: leave out series with more rows")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_anomaly.jsonl")
    return parser.parse_args()


def fitted(source: Path, folder: Path, said: argparse.Namespace, seed: int, **options: Any) -> dict[str, Any]:
    """The record of one run."""
    record, began = surroundings(), time.perf_counter()
    result = whet.fit(str(source), task="anomaly", budget=said.budget, seed=seed, out=folder, **options).details
    wall = round(time.perf_counter() - began, 2)
    found = {k: result[k] for k in ("metrics", "anomalies", "rows", "recipe_hash", "steps", "timings", "versions")}
    return {
        **record,
        "system": "whet",
        "seed": seed,
        "wall_seconds": wall,
        "baselines": result["baseline_metrics"],
        **found,
    }


# -- nab -----------------------------------------------------------------------------------------------------------


def series(folder: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """(name, time, value and label), the shortest series first."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    frames = {name: pl.read_csv(folder / "data" / name) for name in windows}
    for name in sorted(windows, key=lambda n: (frames[n].height, n)):
        frame, label = frames[name], pl.lit(False)
        stamp = pl.col("timestamp").str.slice(0, 19)
        for start, end in windows[name]:
            label = label | ((stamp >= start[:19]) & (stamp <= end[:19]))
        yield name, frame.with_columns(label.cast(pl.Int8).alias("label"))


def every_series(said: argparse.Namespace) -> None:
    for seed in said.seeds:
        records, corpus = [], []
        for name, frame in series(data_folder("nab")):
            if frame.height > said.longest:
                continue
            with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
                source, run = Path(temporary, "series.csv"), Path(temporary, "run")
                frame.write_csv(source)
                if said.quick:
                    record, scores = trained(source, run, seed)
                else:
                    record = fitted(source, run, said, seed, time="timestamp")
                    scores = np.asarray(whet.predict(run, str(source)).columns["score"])
                record = {"data": "nab", "part": name, "quick": said.quick, **record}
            corpus.append((frame["label"].to_numpy() > 0, scores))
            records.append(record)
            keep(said.results, record, *SHOWN)
        keep(said.results, {"data": "nab", "seed": seed, "series": len(records), **means(records, corpus)})


def trained(source: Path, folder: Path, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """(the record of the training steps alone and of the baselines, what the network said at each moment)."""
    record, began = surroundings(), time.perf_counter()
    data = load(str(source), task="anomaly", roles=Roles(time="timestamp"))
    own = field("anomaly")
    parts = own.split(data, seed)
    prepared, task = own.prepare(data, parts), own.task(data)
    network = train(data, folder, budget=60, steps=QUICK_STEPS, seed=seed)
    took = time.perf_counter() - began
    said = own.predict_rows(network, data, parts["test"], prepared)
    made = own.baselines(Wanted(data, parts, prepared, task, 60.0, 1, seed))
    truth = own.truth(data, parts["test"])
    everyone = {"whet": said, **{b.name: b.predicted for b in made if b.predicted is not None}}
    metrics = {name: task.scores(truth, p) for name, p in everyone.items()}
    soon = {name: over_time(truth, p, data.origin["window"], None) for name, p in everyone.items()}
    record |= {"system": "whet", "seed": seed, "wall_seconds": round(took, 2), "steps": QUICK_STEPS}
    record |= {"baseline_seconds": {b.name: round(b.seconds, 3) for b in made}}
    found = {"metrics": finite(metrics.pop("whet")), "baselines": finite(metrics)}
    return {**record, **found, "anomalies": {**finite(soon.pop("whet")), "baselines": finite(soon)}}, at_the_moment(
        said
    )


def means(records: Sequence[Mapping[str, Any]], corpus: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Of the series that have anomalies; the NAB score of all."""
    known = [r for r in records if r["metrics"]["auc_pr"] is not None]
    found: dict[str, Any] = {"with_anomalies": len(known), "nab": nab(corpus)[0], "wall_seconds": sum_of(records)}
    for system in ("whet", *known[0]["baselines"]):
        metrics = [r["metrics"] if system == "whet" else r["baselines"].get(system, {}) for r in known]
        soon = [r["anomalies"] if system == "whet" else r["anomalies"]["baselines"].get(system, {}) for r in known]
        merged = [{**m, **s} for m, s in zip(metrics, soon, strict=True) if m]
        names = ("auc_pr", "auc_roc", "best_f1", "auc_pr_at_the_moment", "vus_pr", "vus_roc")
        found[system] = {"n": len(merged), **{n: float(np.mean([m[n] for m in merged])) for n in names}}
    return found


def sum_of(records: Sequence[Mapping[str, Any]]) -> float:
    return round(sum(float(r["wall_seconds"]) for r in records), 1)


# -- adbench -------------------------------------------------------------------------------------------------------


def every_table(said: argparse.Namespace) -> None:
    for name, file in SETS.items():
        with np.load(data_folder("adbench") / file, allow_pickle=False) as found:
            x, y = found["X"], found["y"].astype(int)
        for mode in said.modes:
            values: dict[str, list[float]] = {}
            for seed in said.seeds:
                record = {"data": "adbench", "part": name, "mode": mode, **one_table(x, y, mode, seed, said)}
                keep(said.results, record, *SHOWN)
                for system, metrics in {"whet": record["metrics"], **record["baselines"]}.items():
                    values.setdefault(system, []).append(100 * metrics["auc_roc"])
            if len(said.seeds) > 1:
                summary = {system: spread(v) for system, v in values.items()}
                keep(said.results, {"data": "adbench", "part": name, "mode": mode, "auc_roc": summary})


def one_table(x: np.ndarray, y: np.ndarray, mode: str, seed: int, said: argparse.Namespace) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    if mode == "unsupervised":
        train, test = random.integers(0, len(x), len(x)), np.arange(len(x))
    else:
        normal = random.permutation(np.flatnonzero(y == 0))
        train, test = normal[: len(normal) // 2], np.concatenate([normal[len(normal) // 2 :], np.flatnonzero(y == 1)])
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
        arrays = {"X": x[train]} | ({} if mode == "unsupervised" else {"y": y[train]})
        np.savez(Path(temporary, "train.npz"), **arrays)  # type: ignore[arg-type]
        np.savez(Path(temporary, "test.npz"), X=x[test], y=y[test])
        holdout = str(Path(temporary, "test.npz"))
        return fitted(Path(temporary, "train.npz"), Path(temporary, "run"), said, seed, holdout=holdout)


if __name__ == "__main__":
    main()
