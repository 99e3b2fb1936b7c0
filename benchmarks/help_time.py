"""How long `whet --help` and `import whet` take: whole processes, seen from outside.

    python benchmarks/help_time.py

An empty Python process is the control: what remains after it is whet's own. Target: `whet --help` below 0.3 s.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import HERE, installed, keep, surroundings

COMMANDS = {
    "whet --help": [str(Path(sys.executable).with_name("whet")), "--help"],
    "import whet": [sys.executable, "-c", "import whet"],
    "empty python": [sys.executable, "-c", "pass"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Wall time of whet --help and of import whet.")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "help_time.jsonl")
    said = parser.parse_args()
    known = surroundings()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for repetition in range(said.repetitions + 1):
        for name, command in COMMANDS.items():
            seconds = wall(command)
            if repetition:  # the first round warms the page cache up
                times[name].append(seconds)
    for name, values in times.items():
        record = {"command": name, "median": round(float(np.median(values)), 4), "min": round(min(values), 4)}
        record |= {"max": round(max(values), 4), "n": len(values), **known, "versions": installed("whet", "typer")}
        keep(said.results, record)


def wall(command: list[str]) -> float:
    """Seconds from the start of a process to its end."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
