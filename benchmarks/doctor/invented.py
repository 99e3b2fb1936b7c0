"""Trainings that were invented by hand, noticed, named and healed, with what that costs.

    python benchmarks/doctor/invented.py first              all of the first batch
    python benchmarks/doctor/invented.py second siamese     of the second one those whose names hold a word
    python benchmarks/doctor/invented.py seventh --diagnose noticed and named alone, without repair
    python benchmarks/doctor/invented.py --table            what the records say

The first batch (`inventions.py`) was looked at while rules were mended. The second one (`inventions_second.py`) was written
after that, and run once; so were the third to the seventh one. What a case is, its outcome says: a fault is what
ends `DROP` below the sound training of its family with two seeds, benign what loses less than half of that. Healed is what ends
less than `SLACK` below the sound one with two of three seeds that repair has not seen.

Costs are multiples of one whole training of the set-up as given: in steps of an optimiser, and in processor seconds. Of a
training that breaks, or never steps, the steps that it should have had count, at the price of its family's.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib
import json
import math
import statistics
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import HERE, installed, keep, surroundings
from spent import Spent, counted

import whet
from whet.setups import Setup, train

DROP = {"accuracy": 0.08, "r2": 0.15, "score": 0.08}
SLACK = {"accuracy": 0.04, "r2": 0.08, "score": 0.04}
"""By metric; "score" is a function of a set-up's own."""
SEEDS, FRESH = (0, 1), (11, 12, 13)
BUDGET = 3.0
BATCHES = {"first": "inventions"} | {
    b: f"inventions_{b}" for b in ("second", "third", "fourth", "fifth", "sixth", "seventh")
}
SHOWN = ("case", "kind", "noticed", "rank", "ranked", "healed", "edits", "cost_steps", "cost_seconds")
Make = Callable[[], Setup]


@dataclass(frozen=True)
class Case:
    """A training: its sound twin, the causes that are right, none where nothing is to be said."""

    sound: Make
    make: Make
    codes: frozenset[str]
    repairable: bool = True
    """Without touching the data."""


def fault(sound: Make, codes: str, make: Make, repairable: bool = True) -> Case:
    return Case(sound, make, frozenset(codes.split()), repairable)


def near(sound: Make, make: Make | None = None) -> Case:
    """A training that looks odd, or does not, and is well."""
    return Case(sound, make or sound, frozenset())


def changers(sound: Mapping[str, Make]) -> tuple[Callable[..., Make], Callable[..., Make]]:
    """(a family's sound training with other settings; with other rows) of a batch."""

    def of(family: str, **changes: Any) -> Make:
        return lambda: dataclasses.replace(sound[family](), **changes)

    def rows_of(family: str, change: Any, val: Any = None, **changes: Any) -> Make:
        """With other training rows, and validation rows changed alike or by a function of their own."""

        def make() -> Setup:
            s = sound[family]()
            return dataclasses.replace(s, train=change(*s.train), val=(val or change)(*s.val), **changes)

        return make

    return of, rows_of


def as_it_is(x: Any, y: Any) -> tuple[Any, Any]:
    return x, y


# -- what a case is ----------------------------------------------------------------------------------------------------


@functools.cache
def sound_value(make: Make) -> float:
    """The mean over the seeds."""
    return statistics.fmean(train(make(), seed).value for seed in SEEDS)


def healed(setup: Setup, target: float) -> tuple[bool, list[float]]:
    """(whether two of three fresh seeds reach it, what they reach); the third is asked only where it decides."""
    values: list[float] = []
    for seed in FRESH:
        values.append(train(setup, seed).value)
        good = sum(v > target for v in values)
        if 2 in (good, len(values) - good):
            return good == 2, values
    return False, values


def lost(value: float, sound: float) -> float:
    return sound - value if math.isfinite(value) else math.inf


def kind_of(case: Case, values: list[float], sound: float, metric: str) -> str:
    if not case.codes:
        return "healthy"
    gaps = [lost(v, sound) for v in values]
    if min(gaps) >= DROP[metric]:
        return "fault"
    return "benign" if max(gaps) < DROP[metric] / 2 else "between"


# -- what repair costs -------------------------------------------------------------------------------------------------


def own_outcomes(case: Case) -> tuple[list[float], Spent]:
    """(what the set-up as given reaches, what a whole training of it costs)."""
    with counted() as own:
        first = train(case.make(), SEEDS[0])
    more = SEEDS[1:] if case.codes else ()  # what is well is so by its family
    values = [first.value, *(train(case.make(), seed).value for seed in more)]
    if first.course.broke is None and own.steps:
        return values, own
    with counted() as sound:
        train(case.sound(), SEEDS[0])
    s = case.make()
    planned = s.epochs * math.ceil(len(s.parts[0]) / s.batch_size)
    return values, Spent(planned, sound.seconds * planned / max(1, sound.steps))


# -- measuring ---------------------------------------------------------------------------------------------------------


def measured(name: str, case: Case, repaired: bool = True) -> dict[str, Any]:
    asked = case.sound().metric
    metric = asked if isinstance(asked, str) else "score"
    sound = sound_value(case.sound)
    values, own = own_outcomes(case)
    kind = kind_of(case, values, sound, metric)
    told = {
        "case": name,
        "kind": kind,
        "metric": metric,
        "sound": sound,
        "values": values,
        "own_seconds": round(own.seconds, 3),
        "broke": not all(math.isfinite(v) for v in values),
        "repairable": case.repairable,
    }
    with counted() as spent:
        if not repaired:
            return told | named(whet.diagnose(case.make(), seed=SEEDS[0]), case) | {"cost_steps": spent.times(own)[0]}
        found = whet.repair(case.make(), seed=SEEDS[0], budget=BUDGET)
    good, after = healed(found.setup, sound - SLACK[metric]) if found.edits else (False, [])
    return {
        **told,
        **named(found.diagnosis, case),
        "healed": good if kind == "fault" else None,
        "after": after,
        "edits": len(found.edits),
        "edited": [f"{e.path}: {e.old} -> {e.new}" for e in found.edits],
        "tried": list(found.tried),
        "concluded": found.said,
        "cost_steps": spent.times(own)[0],
        "cost_seconds": spent.times(own)[1],
    }


def named(diagnosis: Any, case: Case) -> dict[str, Any]:
    """What a diagnosis says, and the place of the first right cause, 0 where there is none."""
    ranked = list(dict.fromkeys(f.code for f in diagnosis.findings if f.code))
    return {
        "noticed": not diagnosis.healthy,
        "said": diagnosis.said,
        "codes": sorted(case.codes),
        "ranked": ranked,
        "rank": next((i + 1 for i, c in enumerate(ranked) if c in case.codes), 0),
        "findings": [(f.name, f.code, f.confidence) for f in diagnosis.findings],
    }


def run(batch: str, words: list[str], results: Path, repaired: bool) -> None:
    versions = {"versions": installed("whet", "torch", "scikit-learn")}
    for name, case in cases_of(batch).items():
        if words and not any(word in name for word in words):
            continue
        record = {"batch": batch, **measured(name, case, repaired), **versions}
        keep(results, {**surroundings(), **record}, *(k for k in SHOWN if k in record))


def cases_of(batch: str) -> Mapping[str, Case]:
    found: Mapping[str, Case] = importlib.import_module(BATCHES[batch]).CASES
    return found


# -- the table ---------------------------------------------------------------------------------------------------------


def table(records: list[dict[str, Any]]) -> str:
    """What the last record of each case says."""
    latest = list({r["case"]: r for r in records}.values())
    faults = [r for r in latest if r["kind"] == "fault"]
    seen, able = [r for r in faults if r["noticed"]], [r for r in faults if r["repairable"] and "healed" in r]
    lines = [
        f"{len(faults)} faults: noticed {sum(r['noticed'] for r in faults)}, "
        f"cause first {sum(r['rank'] == 1 for r in seen)}, within three {sum(0 < r['rank'] <= 3 for r in seen)}",
        f"healed {sum(bool(r['healed']) for r in able)} of {len(able)}",
    ]
    if able:
        edits, steps, seconds = (statistics.median(r[k] for r in able) for k in ("edits", "cost_steps", "cost_seconds"))
        lines.append(f"median: {edits:g} edits, {steps:g} times the steps, {seconds:g} times the seconds of a training")
        lines += [f"  {r['case']}: {r['cost_steps']} times the steps" for r in able if r["cost_steps"] > BUDGET + 0.1]
    for kind in ("healthy", "benign", "between"):
        own = [r for r in latest if r["kind"] == kind]
        lines.append(f"{kind}: {sum(r['noticed'] for r in own)} alarms on {len(own)}")
    wrong = (r for r in latest if r["kind"] != "between" and is_wrong(r))
    keys = ("case", "kind", "said", "ranked", "edited", "after", "sound")
    return "\n".join([*lines, *("  " + ", ".join(str(r[k]) for k in keys if k in r) for r in wrong)])


def is_wrong(r: dict[str, Any]) -> bool:
    if r["kind"] != "fault":
        return bool(r["noticed"])
    return not r["noticed"] or r["rank"] != 1 or (r["repairable"] and not r.get("healed", True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("batch", nargs="?", choices=BATCHES)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--diagnose", action="store_true", help="without repair")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "doctor_invented.jsonl")
    said = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if said.batch:
        run(said.batch, said.words, said.results, not said.diagnose)
    if said.table:
        records = [json.loads(line) for line in said.results.read_text().splitlines()]
        for batch in dict.fromkeys(r["batch"] for r in records):
            print(f"\n{batch}\n{table([r for r in records if r['batch'] == batch])}")


if __name__ == "__main__":
    main()
