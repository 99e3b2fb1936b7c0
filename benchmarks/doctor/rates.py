"""Which rate Adam needs in short trainings: the sound families at several rates, with how far a step moves the weights.

python benchmarks/doctor/rates.py             measure
python benchmarks/doctor/rates.py --table     what the records say
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import invented_bases_third
from common import HERE, installed, keep, surroundings

import families
from whet.diagnosis.first_steps import moves
from whet.setups import Setup, train

RATES = (1e-3, 2.5e-3, 6e-3, 1.5e-2)
NEAR = 0.04
SLOW = ("several", "bars")
"""Families that are left out: seconds a training."""


def measured(given: Setup, rate: float, seed: int = 0) -> tuple[float, float]:
    """(the metric that it reaches, the share of their weights that the first step moves layers by)."""
    setup = dataclasses.replace(given, optimizer=lambda p: torch.optim.Adam(p, lr=rate))
    return train(setup, seed).value, statistics.median(moves(setup, seed).values())


def table(records: list[dict[str, Any]]) -> str:
    latest = list({r["base"]: r for r in records}.values())
    lines = []
    for rate in map(str, RATES):
        lost = [max(v for v, _ in r["reached"].values()) - r["reached"][rate][0] for r in latest]
        lengths = [r["reached"][rate][1] for r in latest]
        lines.append(
            f"{rate}: within {NEAR:g} of the best in {sum(x < NEAR for x in lost)} of {len(lost)}, {max(lost):.2f} lost at the "
            f"most; a step moves {statistics.median(lengths):.2g} ({min(lengths):.2g} to {max(lengths):.2g})"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "doctor_rates.jsonl")
    said = parser.parse_args()
    if said.table:
        print(table([json.loads(line) for line in said.results.read_text().splitlines()]))
        return
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    versions = {"versions": installed("whet", "torch", "scikit-learn")}
    for name, make in {**invented_bases_third.SOUND, **families.SOUND}.items():
        if name in SLOW:
            continue
        given = make()
        steps = given.epochs * math.ceil(len(given.parts[0]) / given.batch_size)
        reached = {str(rate): measured(given, rate) for rate in RATES}
        keep(said.results, {**surroundings(), "base": name, "steps": steps, "reached": reached, **versions})


if __name__ == "__main__":
    main()
