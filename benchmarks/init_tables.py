"""Prints the tables of docs/initialisation.md from the records of deep_plain.py, init_pairs.py and init_healthy.py.

python benchmarks/init_tables.py
"""

from __future__ import annotations

import json
from statistics import fmean
from typing import Any

from common import HERE
from deep_plain import CONTROLS, EIGHT

Record = dict[str, Any]
INITS = (*CONTROLS, "auto", "auto-blind")
GOAL = 0.9


def main() -> None:
    runs = records("deep_plain")
    cells = [r for r in runs if (r["kind"], r["data"], r["width"], len(r["seeds"])) == ("mlp", "digits", 48, 3)]
    for table in (
        pairs(records("init_pairs")),
        deep(cells),
        cousins([r for r in runs if r not in cells]),
        healthy(records("init_healthy")),
    ):
        print(*table, "", sep="\n")


def records(name: str) -> list[Record]:
    return [json.loads(line) for line in (HERE / "results" / f"{name}.jsonl").read_text().splitlines()]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def score(record: Record) -> float:
    return fmean(record["scores"])


def pairs(found: list[Record]) -> list[str]:
    """Length, gradient and cosine of each activation under He, Xavier and auto."""
    by = {
        (r["activation"], r["init"]): f"{r['length']:.2g}, {r['gradient']:.2g}, {abs(r['cosine']):.2f}" for r in found
    }
    names = dict.fromkeys(r["activation"] for r in found)
    rows = [[name, *(by[name, init] for init in ("he", "xavier", "auto"))] for name in names]
    return table(["activation", "He: length, gradient, cosine", "Xavier", "auto"], rows)


def deep(found: list[Record]) -> list[str]:
    """Mean accuracy by depth, initialisation and activation, and the cells that each initialisation reaches."""
    by = {(r["depth"], r["init"], r["activation"]): score(r) for r in found}
    rows = []
    for depth in sorted({r["depth"] for r in found}):
        for init in INITS:
            values = [by[depth, init, name] for name in EIGHT]
            shown = [f"{v:.2f}".lstrip("0") for v in values]
            rows.append([str(depth), init, *shown, str(sum(v >= GOAL for v in values))])
    reached = [f"{init} {sum(v >= GOAL for (_, i, _), v in by.items() if i == init)}" for init in INITS]
    best: dict[tuple[int, str], float] = {}
    for (depth, init, name), value in by.items():
        if init in CONTROLS:
            best[depth, name] = max(best.get((depth, name), 0.0), value)
    lowest = min(min(r["scores"]) for r in found if r["init"] == "auto")
    return [
        *table(["depth", "init", *EIGHT, "reached"], rows),
        f"Cells of {len(best)} that reach {GOAL}: {', '.join(reached)}; best control per cell "
        f"{sum(v >= GOAL for v in best.values())}. Lowest single run of auto: {lowest:.3f}.",
    ]


def cousins(found: list[Record]) -> list[str]:
    """Cells that reach the goal, by kind of network."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for r in found:
        functions = "the eight" if r["activation"] in EIGHT else "formulas"
        groups.setdefault((r["kind"], r["data"], r["width"], functions), []).append(r)
    shown = ("default", "he", "xavier", "orthogonal", "delta_orthogonal", "auto", "auto-blind")
    rows = []
    for (kind, data, width, functions), group in groups.items():
        depths = ", ".join(map(str, sorted({r["depth"] for r in group})))
        lowest = min(score(r) for r in group if r["init"] == "auto")
        cells = len({(r["depth"], r["activation"]) for r in group})
        counts = [reached([r for r in group if r["init"] == init]) for init in shown]
        rows.append([f"{kind}, {data}, width {width}", depths, functions, str(cells), *counts, f"{lowest:.3f}"])
    return table(["network", "depths", "functions", "cells", *shown, "lowest auto"], rows)


def reached(group: list[Record]) -> str:
    return str(sum(score(r) >= GOAL for r in group)) if group else "-"


def healthy(found: list[Record]) -> list[str]:
    """The network's own accuracy, and what each initialisation adds."""
    by = {(r["network"], r["arm"]): r for r in found}
    arms = ("he", "xavier", "auto", "auto-blind")
    rows = []
    for name in dict.fromkeys(r["network"] for r in found):
        added = [by.get((name, arm)) for arm in arms]
        shown = [f"{r['difference']:+.3f} ± {r['error']:.3f}" if r else "-" for r in added]
        rows.append([name, f"{by[name, 'own']['mean']:.3f}", *shown])
    return table(["network", "own", *arms], rows)


if __name__ == "__main__":
    main()
