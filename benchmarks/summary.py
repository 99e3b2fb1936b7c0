"""Prints the tables of docs/benchmarks.md from the raw records in results/.

python benchmarks/summary.py
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
TARGETS = {
    ("digits", 60.0): ">= 0.985",
    ("fashion-mnist", 60.0): ">= 0.915",
    ("fashion-mnist", 120.0): ">= 0.925",
    ("fashion-mnist", 300.0): ">= 0.935",
    ("cifar10", 300.0): ">= 0.88, aim 0.91",
    ("cifar10", 900.0): ">= 0.92, aim 0.94",
    ("trashnet-150", 300.0): ">= 0.75, aim 0.80",
    ("california-housing", 60.0): "<= 0.485, aim 0.47",
    ("adult-income", 60.0): ">= 0.862 (AUC >= 0.917)",
    ("uci-concrete", 20.0): "<= 4.5, aim 4.42",
}


def records(name: str) -> list[dict[str, Any]]:
    """The records of a results file; failed runs are left out of means and counted by the caller."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """One row per data set, system and budget: mean, spread, seeds, wall-clock and share of training."""
    groups: dict[tuple[str, float, str], list[dict[str, Any]]] = defaultdict(list)
    budget_of: dict[str, float] = {}
    for r in records(name):
        if r.get("value") is None or "summary" in r:
            continue
        budget_of[r["data"]] = r.get("budget") or budget_of.get(r["data"], 0.0)
        groups[r["data"], budget_of[r["data"]], r["system"]].append(r)
    for (data, budget, system), found in sorted(
        groups.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] != "whet")
    ):
        values = [r["value"] for r in found]
        auc = [r["metrics"]["auc"] for r in found if data == "adult-income" and "auc" in r.get("metrics", {})]
        yield (
            data,
            f"{budget:g} s",
            system,
            f"{statistics.mean(values):.4f}" + (f" (AUC {statistics.mean(auc):.4f})" if auc else ""),
            spread(values),
            str(len(values)),
            TARGETS.get((data, budget), "") if system == "whet" else "",
            mean_of(found, "wall_seconds", "{:.1f}"),
            mean_of(found, "training_share", "{:.2f}"),
            mean_of(found, "load", "{:.1f}"),
        )


def spread(values: Sequence[float]) -> str:
    """The standard deviation over seeds or folds; the range is in the raw records."""
    return f"{statistics.stdev(values):.4f}" if len(values) > 1 else "-"


def mean_of(found: Sequence[dict[str, Any]], key: str, form: str) -> str:
    known = [r[key] for r in found if r.get(key) is not None]
    return form.format(statistics.mean(known)) if known else "-"


def main() -> None:
    head = ("data", "budget", "system", "mean", "std", "n", "target", "wall s", "training share", "load at start")
    for name in ("fit_images", "fit_tables"):
        print(f"\n### {name}\n")
        print("| " + " | ".join(head) + " |")
        print("|" + " --- |" * len(head))
        for row in rows(name):
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
