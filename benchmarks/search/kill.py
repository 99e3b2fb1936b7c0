"""Kills of a search's driver, workers and nodes at random moments: is anything lost or doubled?

    python benchmarks/search/kill.py                    100 kills of the driver and the workers of a pool
    python benchmarks/search/kill.py --nodes --kills 20      … of the nodes of a Ray cluster (three, on this machine)

Each search trains four candidates in two legs, two at a time. At its end its journal, the records of its trials, what the
study says and the weights, to the bit, must be those of a search to which nothing happened; after each kill, nothing that
was saved may be gone. The first difference ends the command with an error. tests/runners/killing.py is what does it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "runners"))
import killing
from common import HERE, installed, keep, surroundings

from whet.runners.ray import RayRunner
from whet.runners.serial import Serial


def nodes_killed(folder: Path, kills: int, seed: int) -> tuple[Counter[str], list[Path]]:
    """Searches on a cluster, until so many nodes were killed: (how many, the searches' folders)."""
    ends: list[Path] = []
    with killing.cluster() as nodes:
        killer = killing.NodeKiller(nodes, kills, seed)
        while killer.left:
            ends.append(folder.with_name(f"{folder.name}-{len(ends)}"))
            killing.begin(ends[-1])
            with RayRunner("auto", 1, ends[-1], tell=killer) as runner:
                killing.drive(ends[-1], runner)
            killing.check(ends[-1])
    return Counter(node=killer.killed), ends


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--kills", type=int, default=100)
    asked.add_argument("--nodes", action="store_true")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--out", type=Path, default=HERE / "results" / "kill.jsonl")
    said = asked.parse_args()
    record, began = surroundings(), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
        straight, folder = Path(temporary, "straight"), Path(temporary, "killed")
        killing.begin(straight)
        killing.drive(straight, Serial())
        killing.check(straight)
        if said.nodes:
            killed, ends = nodes_killed(folder, said.kills, said.seed)
        else:
            killing.begin(folder)
            killed, ends = killing.killed_often(folder, said.kills, said.seed)
        for end in ends:
            killing.assert_same(end, straight)
    found = {"killed": dict(killed), "searches": len(ends), "lost": 0, "doubled": 0, "differing": 0}
    packages = installed("whet", "torch", *(["ray"] if said.nodes else []))
    keep(said.out, {**record, "seed": said.seed, **found, "seconds": round(time.perf_counter() - began, 1), **packages})


if __name__ == "__main__":
    main()
