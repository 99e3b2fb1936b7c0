"""Recall, precision and false alarms of the doctor's rules on random trainings (`generate.py`), ailment by ailment.

    python benchmarks/doctor/calibrate.py --seeds 0 40 2 --evidence /tmp/even.pickle    the half that borders are set on
    python benchmarks/doctor/calibrate.py --seeds 1 41 2                                the half that they are measured on
    python benchmarks/doctor/calibrate.py --judge /tmp/even.pickle                      the kept evidence under today's rules
    python benchmarks/doctor/calibrate.py --table                                       what the records say

Borders are set on even seeds only. What was seen of each training is kept with `--evidence`, so that a rule that was changed is
tried without training anything again.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import generate
from common import HERE, installed, keep, surroundings

from whet.diagnosis.verdict import harm
from whet.doctor import ranked

RESULTS = HERE / "results" / "doctor_random.jsonl"
SHOWN = ("seed", "case", "strength", "kind", "noticed", "ranked")
Record = dict[str, Any]


def facts(case: generate.Case, seed: int) -> Record:
    """A case without what was seen."""
    known = {k: getattr(case, k) for k in ("ailment", "strength", "kind", "base", "values", "repairable")}
    return {"seed": seed, "case": case.name, **known, "codes": sorted(case.codes), "also": sorted(case.also)}


def verdict(evidence: Any) -> Record:
    suffers = harm(evidence)
    found = ranked(evidence, suffers)
    return {
        "noticed": bool(suffers),
        "said": suffers.said,
        "ranked": list(dict.fromkeys(f.code for f in found if f.code)),
        "findings": [(f.name, f.code, f.confidence) for f in found],
        "yardsticks": dict(evidence.yardsticks),
    }


def trained(seeds: Iterable[int], kept: Path | None) -> Iterator[Record]:
    for seed in seeds:
        for case in generate.cases(seed):
            if kept is not None:
                with open(kept, "ab") as file:
                    pickle.dump((facts(case, seed), case.evidence), file)
            yield {**facts(case, seed), **verdict(case.evidence)}


def judged_again(kept: Path) -> Iterator[Record]:
    """What today's rules say of kept evidence. A pickle runs code: give no file but what `--evidence` wrote here."""
    with open(kept, "rb") as file:
        while file.peek(1):  # type: ignore[attr-defined]
            known, evidence = pickle.load(file)
            yield {**known, **verdict(evidence)}


# -- tables ------------------------------------------------------------------------------------------------------------


def rank(record: Record) -> int:
    """The place of the first right cause, from 1; 0: it is not named. Where nothing was noticed nothing is."""
    right = {*record["codes"], *record["also"]}
    places = (i + 1 for i, code in enumerate(record["ranked"]) if code in right)
    return next(places, 0) if record["noticed"] else 0


def share(part: int, whole: int) -> str:
    return f"{part}/{whole}" if whole else "-"


def table(records: list[Record]) -> str:
    """Rows of Markdown: each ailment, the sound ones, and all together."""
    lines = [
        "| ailment | sick | noticed | cause first | within three | harmless | false alarms |",
        "| --- |" + " --- |" * 6,
    ]
    for name in sorted({r["ailment"] for r in records if r["ailment"]}):
        lines.append(row(name, [r for r in records if r["ailment"] == name]))
    lines.append(row("**all**", [r for r in records if r["ailment"]]))
    sound = [r for r in records if r["kind"] == "healthy"]
    lines.append(
        f"| none: sound twins | | | | | {len(sound)} | {share(sum(r['noticed'] for r in sound), len(sound))} |"
    )
    return "\n".join(lines)


def row(name: str, records: list[Record]) -> str:
    sick = [r for r in records if r["kind"] == "fault"]
    benign = [r for r in records if r["kind"] == "benign"]
    counts = (sum(r["noticed"] for r in sick), sum(rank(r) == 1 for r in sick), sum(0 < rank(r) <= 3 for r in sick))
    said = " | ".join(share(c, len(sick)) for c in counts)
    alarms = share(sum(r["noticed"] for r in benign), len(benign))
    return f"| {name} | {len(sick)} | {said} | {len(benign)} | {alarms} |"


def precision(records: list[Record]) -> str:
    """Of the alarms that name a cause first: in how many it is right, or accepted."""
    alarms = [r for r in records if r["noticed"] and r["ranked"] and r["kind"] != "between"]
    lines = ["| cause named first | alarms | right | precision |", "| --- | --- | --- | --- |"]
    for code in [*sorted({r["ranked"][0] for r in alarms}), ""]:
        own = [r for r in alarms if code in ("", r["ranked"][0])]
        right = sum(r["kind"] == "fault" and rank(r) == 1 for r in own)
        lines.append(f"| {code or '**all**'} | {len(own)} | {right} | {right / max(1, len(own)):.2f} |")
    return "\n".join(lines)


def wrong(records: list[Record]) -> Iterator[str]:
    """What went wrong, in a line each: misses, alarms on sound and harmless ones, other causes."""
    for r in records:
        missed = r["kind"] == "fault" and rank(r) != 1
        alarm = r["kind"] in ("healthy", "benign") and r["noticed"]
        if missed or alarm:
            values = [round(v, 2) for v in r["values"]]
            yield (
                f"{r['seed']} {r['case']} {r['strength']} {r['kind']} base {r['base']:.2f} {values} "
                f"{'noticed' if r['noticed'] else 'not noticed'}: {r['said']} {r['findings'][:4]}"
            )


def shown(records: list[Record]) -> str:
    between = sum(r["kind"] == "between" for r in records)
    return "\n\n".join([table(records), precision(records), f"{len(records)} trainings, {between} of them in between"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=3, metavar=("FIRST", "END", "STEP"))
    parser.add_argument("--evidence", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    said = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    versions = {"versions": installed("whet", "torch", "scikit-learn")}
    for record in trained(range(*said.seeds), said.evidence) if said.seeds else ():
        keep(said.results, {**surroundings(), **record, **versions}, *SHOWN)
    if said.judge:
        again = list(judged_again(said.judge))
        print("\n".join([*wrong(again), "", shown(again)]))
    if said.table:
        records = [json.loads(line) for line in said.results.read_text().splitlines()]
        for name, half in (("fitted on", 0), ("measured on", 1)):
            print(f"\n{name} (seeds with remainder {half})\n\n{shown([r for r in records if r['seed'] % 2 == half])}")


if __name__ == "__main__":
    main()
