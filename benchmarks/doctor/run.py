"""How often the doctor notices, names and heals: on random trainings (generate.py), and on the cases of shared/sick.

    python benchmarks/doctor/run.py --seeds 1 41 2        random trainings, repaired too: seeds 1, 3, … 39
    python benchmarks/doctor/run.py --sick                the 54 faults, 15 healthy and 6 benign cases of shared/sick
    python benchmarks/doctor/run.py --sick 0 10           the first ten of them
    python benchmarks/doctor/run.py --others              the programs that people posted and the deep networks there
    python benchmarks/doctor/run.py --summary             what the records so far say

Borders were set on even seeds; odd seeds are for measuring only. `calibrate.py` has many more of them, without repair.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import generate
import sick
from common import HERE, installed, keep, surroundings
from spent import Spent, counted

import whet
from whet.setups import train

FRESH = (11, 12, 13)
SHOWN = ("case", "kind", "noticed", "rank", "repaired", "edits", "cost", "cost_steps")


def judged(
    name: str, kind: str, setup: Any, codes: set[str], also: set[str], target: float, repairable: bool
) -> dict[str, Any]:
    """One case through diagnosis and repair."""
    began = time.perf_counter()
    with counted() as own:
        course = train(setup, 0).course
    with counted() as spent:
        repaired = whet.repair(setup, seed=0)
    steps, seconds = spent.times(own if course.broke is None else planned(setup, own))
    ranked = list(dict.fromkeys(f.code for f in repaired.diagnosis.findings if f.code))
    rank = next((i + 1 for i, c in enumerate(ranked) if c in codes), 0)
    first = bool(ranked) and ranked[0] in codes | also
    after = [train(repaired.setup, seed).value for seed in FRESH] if kind == "fault" else []
    good = sum(math.isfinite(v) and v >= target for v in after) >= 2
    return {
        "case": name,
        "kind": kind,
        "noticed": not repaired.diagnosis.healthy,
        "codes": sorted(codes),
        "ranked": ranked[:5],
        "rank": rank,
        "first_accepted": first,
        "repairable": repairable,
        "repaired": good if kind == "fault" else None,
        "after": after,
        "target": target,
        "edits": len(repaired.edits),
        "edited": [f"{e.path}: {e.old} -> {e.new}" for e in repaired.edits],
        "tried": list(repaired.tried),
        "cost": seconds,
        "cost_steps": steps,
        "seconds": time.perf_counter() - began,
    }


def planned(setup: Any, own: Spent) -> Spent:
    """What a training that broke should have taken, at the price of the steps that it did."""
    steps = setup.epochs * math.ceil(len(setup.parts[0]) / setup.batch_size)
    return Spent(steps, own.seconds * steps / max(1, own.steps))


def generated(seeds: range, each: int) -> Any:
    for seed in seeds:
        for case in generate.cases(seed, each):
            found = judged(case.name, case.kind, case.setup, case.codes, case.also, case.target, case.repairable)
            yield {
                "source": "generated",
                "seed": seed,
                "base": case.base,
                "values": case.values,
                "strength": case.strength,
                **found,
            }


def given(cases: list[dict[str, Any]]) -> Any:
    for case in cases:
        a = case["answer"]
        if a["kind"] == "flaky":
            continue
        name = f"{case['id']} {'+'.join(a['operators'])}"
        found = judged(
            name,
            a["kind"],
            sick.setup_of(case["case"]),
            set(a["cause_codes"]),
            set(a.get("also_accept") or ()),
            a["repair_target"],
            a["repairable_without_touching_the_data"],
        )
        yield {"source": "sick", "seed": 0, "base": a["healthy_base_val"], "values": a["measured_val_3seeds"], **found}


def summary(records: list[dict[str, Any]]) -> str:
    lines = []
    groups = {
        "shared/sick": [r for r in records if r["source"] == "sick"],
        "generated, even seeds": [r for r in records if r["source"] == "generated" and r["seed"] % 2 == 0],
        "generated, odd seeds": [r for r in records if r["source"] == "generated" and r["seed"] % 2],
    }
    for name, group in groups.items():
        faults = [r for r in group if r["kind"] == "fault"]
        able = [r for r in faults if r["repairable"]]
        if not faults:
            continue
        first, accepted = sum(r["rank"] == 1 for r in faults), sum(r["first_accepted"] for r in faults)
        edits, cost = (statistics.median(r[k] for r in able) for k in ("edits", "cost"))
        steps = [r["cost_steps"] for r in able if "cost_steps" in r]
        lines += [
            f"{name}: {len(faults)} faults",
            f"  noticed {sum(r['noticed'] for r in faults)}/{len(faults)}",
            f"  cause at first place {first} (accepted {accepted}), within three {sum(0 < r['rank'] <= 3 for r in faults)}",
            f"  repaired {sum(bool(r['repaired']) for r in able)}/{len(able)}",
            f"  median edits {edits:g}, median cost {cost:.1f} trainings"
            + (f", {statistics.median(steps):.2f} in steps, {max(steps):.2f} at the most" if steps else ""),
            f"  alarms: healthy {alarms(group, 'healthy')}, benign {alarms(group, 'benign')}",
        ]
        missed = Counter(r["case"].split("-")[-1].split(" ")[-1] for r in able if not r["repaired"])
        lines.append(f"  not repaired: {dict(missed)}")
    return "\n".join(lines)


def alarms(group: list[dict[str, Any]], kind: str) -> str:
    found = [r["noticed"] for r in group if r["kind"] == kind]
    return f"{sum(found)}/{len(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs=3, metavar=("FIRST", "END", "STEP"))
    parser.add_argument("--each", type=int, default=generate.EACH, help="ailments of each base")
    parser.add_argument(
        "--sick", type=int, nargs="*", metavar="PLACE", help="all, or from the first place to the second, each n-th"
    )
    parser.add_argument(
        "--others", action="store_true", help="the posted programs and the deep networks of shared/sick"
    )
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "doctor.jsonl")
    said = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    versions = {"versions": installed("whet", "torch", "scikit-learn")}
    sources = [given(sick.cases()[slice(*said.sick)] if said.sick else sick.cases())] if said.sick is not None else []
    sources += [given([*sick.programs(), *sick.deep()])] if said.others else []
    for source in sources + ([generated(range(*said.seeds), said.each)] if said.seeds else []):
        for record in source:
            keep(said.results, {**surroundings(), **record, **versions}, *SHOWN)
    if said.results.exists():
        print(summary([json.loads(line) for line in said.results.read_text().splitlines()]))


if __name__ == "__main__":
    main()
