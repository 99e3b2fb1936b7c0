"""Searches replayed on recorded learning curves: nothing is trained, a point costs 1 (or its seconds).

    python benchmarks/search/replay.py --group taskset --seeds 0 100
    python benchmarks/search/replay.py --group lcbench --seeds 0 30 --budgets 250 500 1000
    python benchmarks/search/replay.py --group lcbench --seeds 0 10 --seconds
    python benchmarks/search/replay.py --summary --out benchmarks/results/search_replay_2500.jsonl

Every arm is asked, at each budget of one and the same run, which candidate it would choose: controls the one with the best
validation value seen, whet `study.best`. The result is the rank of its test value at the end of its curve among all
candidates, in percent: 0 is the best. Raw values go to results/search_replay.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import HERE, installed, keep, surroundings
from controls import CONTROLS, Search
from recorded import LCBENCH, MADE, TASKSET, Curves, lcbench, made, taskset

from whet.search import Space, Study

BUDGETS = (250, 500, 1000, 2500)
RESULTS = HERE / "results" / "search_replay.jsonl"


@dataclass
class Meter:
    """Plays back points, and writes down what an arm would choose when a budget is used up."""

    curves: Curves
    budgets: list[float]
    in_seconds: bool = False
    spent: float = 0.0
    chosen: list[int | None] = field(default_factory=list)
    length: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.length = np.zeros(len(self.curves.params), int)

    @property
    def over(self) -> bool:
        return len(self.chosen) == len(self.budgets)

    def price(self, i: int) -> float:
        """Of a point; seconds are counted in points of the mean candidate."""
        seconds = self.curves.seconds
        return float(seconds[i] / seconds.mean()) if self.in_seconds else 1.0

    def point(self, i: int) -> float:
        """The next value of a candidate."""
        value = float(self.curves.values[i, self.length[i]])
        self.length[i] += 1
        self.spent += self.price(i)
        return value

    def note(self, choice: Callable[[], int | None]) -> None:
        while not self.over and self.spent >= self.budgets[len(self.chosen)]:
            self.chosen.append(choice())

    def ranks(self, choice: Callable[[], int | None]) -> list[float]:
        """The rank at each budget; an arm that had nothing left to do keeps its last choice, one without any is average."""
        self.chosen += [choice()] * (len(self.budgets) - len(self.chosen))
        rank = self.curves.rank
        return [50.0 if i is None else float(rank[i]) for i in self.chosen]


def control(search: Search, meter: Meter) -> list[float]:
    """The ranks of a control, which chooses the best validation value it has seen."""
    best: list[int | None] = [None]
    top, value = math.inf, None
    while not meter.over:
        try:
            i = next(search) if value is None else search.send(value)
        except StopIteration:
            break
        value = meter.point(i)
        if value < top:
            top, best[0] = value, i
        meter.note(lambda: best[0])
    return meter.ranks(lambda: best[0])


def whet(curves: Curves, seed: int, meter: Meter) -> list[float]:
    """The ranks of whet's search, by its public interface."""
    study = Study(Space.of_candidates(curves.params), direction="minimize", max_resource=curves.points, seed=seed)
    number = {tuple(p.items()): i for i, p in enumerate(curves.params)}

    def chosen() -> int | None:
        best = study.best
        return None if best is None else number[tuple(best.params.items())]

    while not meter.over and (job := study.ask()) is not None:
        i = number[tuple(job.params.items())]
        for resource in range(int(job.start) + 1, int(job.stop) + 1):
            value = meter.point(i)
            study.tell(job.trial, resource, value, cost=float(curves.seconds[i]) if meter.in_seconds else None)
            meter.note(chosen)
            if meter.over or not math.isfinite(value):
                break
        study.finish(job.trial)
    return meter.ranks(chosen)


def commit() -> str:
    """The commit of the code, with a + where something was changed since."""
    said = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=HERE, capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def ranks_of(arm: str, curves: Curves, seed: int, meter: Meter) -> list[float]:
    return whet(curves, seed, meter) if arm == "whet" else control(CONTROLS[arm](curves, seed), meter)


def sets(group: str, part: str) -> Iterable[Curves]:
    """The recorded curves of a group; `part`: "develop", "check" or "all"."""
    parts = ("develop", "check") if part == "all" else (part,)
    if group == "made":
        return (made(kind) for kind in MADE)
    if group == "taskset":
        return (taskset(name) for p in parts for name in TASKSET[p])
    value = "accuracy" if group == "lcbench accuracy" else "cross_entropy"
    return (lcbench(task, value) for p in parts for task in LCBENCH[p])


def replayed(options: argparse.Namespace) -> None:
    packages = ("numpy", "onnxruntime") if options.group.startswith("lcbench") else ("numpy",)
    at_commit, ran_on = commit(), {"machine": surroundings()["machine"], "versions": installed(*packages)}
    for curves in sets(options.group, options.part):
        for seed in range(*options.seeds):
            about = {"commit": at_commit, "group": options.group, "set": curves.name, "seed": seed}
            about |= {"unit": "seconds" if options.seconds else "points", "budgets": options.budgets}
            keep(options.out, about | ran_on | of_arms(curves, seed, options), "set", "seed", "ranks")


def of_arms(curves: Curves, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The ranks of each arm, how many trials each began, and the processor's seconds of all arms together."""
    ranks, trials, began = {}, {}, time.process_time()
    for arm in options.arms:
        meter = Meter(curves, list(options.budgets), options.seconds)
        ranks[arm] = [round(r, 2) for r in ranks_of(arm, curves, seed, meter)]
        trials[arm] = int((meter.length > 0).sum())
    return {"ranks": ranks, "trials": trials, "cpu_s": round(time.process_time() - began, 2)}


def summary(path: Path) -> None:
    """Mean ranks and their paired differences to whet's, a table per group."""
    found: dict[tuple[str, str], dict[str, dict[tuple[str, int], Any]]] = {}
    for line in path.read_text().splitlines():
        one = json.loads(line)
        arms = found.setdefault((one["group"], one["unit"]), {})
        for arm, ranks in (one["ranks"] if isinstance(one["ranks"], dict) else {one["arm"]: one["ranks"]}).items():
            arms.setdefault(arm, {})[one["set"], one["seed"]] = dict(zip(one["budgets"], ranks, strict=True))
    for (group, unit), arms in found.items():
        runs = sorted(set.intersection(*(set(a) for a in arms.values())))
        budgets = [b for b in arms["whet"][runs[0]] if all(b in a[run] for a in arms.values() for run in runs)]
        seeds = len({seed for _, seed in runs})
        print(f"\n{group}, {len(runs) // seeds} sets x {seeds} seeds, by {unit}\n")
        print("| arm | " + " | ".join(f"{b:g}" for b in budgets) + " |\n" + "| --- " * (len(budgets) + 1) + "|")
        for arm, ranks in arms.items():
            cells = [cell(ranks, arms["whet"], runs, b, arm) for b in budgets]
            print(f"| {arm} | " + " | ".join(cells) + " |")


def cell(ranks: dict, ours: dict, runs: list[tuple[str, int]], budget: float, arm: str) -> str:
    """A mean rank; of a control also by how much it is above whet's, with a 95 % interval over seeds."""
    mean = np.mean([ranks[run][budget] for run in runs])
    if arm == "whet":
        return f"**{mean:.2f}**"
    seeds = sorted({seed for _, seed in runs})
    more = [np.mean([ranks[r][budget] - ours[r][budget] for r in runs if r[1] == seed]) for seed in seeds]
    margin = 1.96 * np.std(more, ddof=1) / len(seeds) ** 0.5 if len(seeds) > 1 else math.nan
    return f"{mean:.2f} ({np.mean(more):+.2f} ± {margin:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", choices=["taskset", "lcbench", "lcbench accuracy", "made"], default="taskset")
    parser.add_argument("--part", choices=["develop", "check", "all"], default="all")
    parser.add_argument("--arms", nargs="+", choices=["whet", *CONTROLS], default=["whet", *CONTROLS])
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 10), metavar=("FROM", "TO"))
    parser.add_argument("--budgets", nargs="+", type=float, default=BUDGETS)
    parser.add_argument("--seconds", action="store_true", help="budgets in seconds of the mean candidate's point")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--summary", action="store_true", help="print the tables and do nothing else")
    options = parser.parse_args()
    summary(options.out) if options.summary else replayed(options)


if __name__ == "__main__":
    main()
