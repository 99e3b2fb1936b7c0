"""What follows from portfolio.py's records: the order in which changes are worth trying, and how good that order is.

    python benchmarks/portfolio_tables.py             of all candidates
    python benchmarks/portfolio_tables.py --most 22   of the first of the list, where only these were trained

chosen    of the first recipe and the changes that were tried, what has the best metric in validation; among equals the
          best loss
gain      (check loss of the first recipe - check loss of what was chosen) / spread, of a task; check rows chose nothing
spread    of a task: the distance between the quartiles of its candidates' check losses
order     greedy: next comes the change with which the mean gain over tasks grows most

An order is judged by leaving one table out with all of its tasks: it is made from the other tables. Means are over tables,
their 95 % intervals Student's. A change that a task's first recipe has already is passed over, as in `whet fit`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE
from portfolio import BY_HAND, EDITS, records
from scipy.stats import t as student

from whet.search.first import FEW_ROWS

TRIED = (1, 2, 4, 8, 12, 16)
"""Changes that are tried beside the first recipe."""
DRAWS = 100
"""Random orders that are the control."""
LACKING = 6
"""Candidates that a task may lack, since its first recipe has them or its goal does not; with fewer it was not done."""
FEW_TABLES = 4
"""With fewer tables a group says nothing."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What the candidates reached on one task, by name."""

    task: str
    goal: str
    rows: int
    own: list[str]
    """The candidates."""
    val: dict[str, tuple[float, float]]
    """(metric as a loss, loss) by which one is chosen."""
    gain: dict[str, float]
    cost: dict[str, float]
    """Processor time, the first recipe's is 1."""
    hand: list[str]
    """What `whet fit` tried before, in its order."""

    @property
    def table(self) -> str:
        return self.task.partition("/")[0]

    def chosen(self, order: Sequence[str], most: int) -> float:
        """The gain when so many of these are tried."""
        tried = [name for name in order if name in self.val][:most]
        return self.gain[min(["first", *tried], key=lambda name: self.val[name])]


Tasks = list[Outcomes]


def main() -> None:
    said = arguments()
    tasks = outcomes(records(said.results), list(EDITS)[: said.most])
    for title, group in groups(tasks).items():
        tables = {task.table for task in group}
        if len(tables) >= FEW_TABLES:
            print(f"\n## {title}: {len(group)} tasks of {len(tables)} tables\n")
            print(*judged(group, tasks), "", *ordered(group), "", *single(group), sep="\n")


def groups(tasks: Tasks) -> dict[str, Tasks]:
    found = {"all": tasks, "few rows": [t for t in tasks if t.rows < FEW_ROWS]}
    found["many rows"] = [t for t in tasks if t.rows >= FEW_ROWS]
    return {**found, **{goal: [t for t in tasks if t.goal == goal] for goal in ("classify", "regress")}}


# -- from records --------------------------------------------------------------------------------------------------


def outcomes(found: Sequence[dict[str, Any]], names: Sequence[str]) -> Tasks:
    """Tasks that were done, with these candidates and what is tried by hand."""
    tasks = dict.fromkeys(record["task"] for record in found)
    each = ([record for record in found if record["task"] == task] for task in tasks)
    done = (lines for lines in each if any(line["name"] == BY_HAND for line in lines))
    return [task for task in (outcome(lines, names) for lines in done) if len(task.own) >= len(names) - LACKING]


def outcome(lines: Sequence[dict[str, Any]], names: Sequence[str]) -> Outcomes:
    """Of one task; what failed is never chosen."""
    orders = [line["order"] for line in lines if line["name"] == BY_HAND]
    trained = {line["name"]: line for line in lines if "val" in line}
    by_hash = {line["recipe"]: name for name, line in trained.items() if name != "again"}
    hands = [by_hash[recipe] for recipe in orders[-1] if recipe in by_hash]
    trained = {name: line for name, line in trained.items() if name in ("first", *names, *hands)}
    check = {name: line["check"][0] for name, line in trained.items()}
    low, high = np.quantile(list(check.values()), [0.25, 0.75])
    return Outcomes(
        lines[0]["task"],
        lines[0]["goal"],
        lines[0]["rows"],
        own=[name for name in trained if name in names],
        val={name: (line["val"][0], line["val"][1]) for name, line in trained.items()},
        gain={name: (check["first"] - loss) / (high - low) for name, loss in check.items()},
        cost={name: line["seconds"] / trained["first"]["seconds"] for name, line in trained.items()},
        hand=hands,
    )


# -- orders --------------------------------------------------------------------------------------------------------


def greedy(tasks: Tasks, most: int = max(TRIED)) -> list[str]:
    """The candidates in the order in which they add most to the mean gain over tables."""
    left, order = list(dict.fromkeys(name for task in tasks for name in task.own)), []
    best = {task.task: "first" for task in tasks}
    weight = {task.task: 1 / sum(other.table == task.table for other in tasks) for task in tasks}

    def with_it(name: str) -> tuple[float, float]:
        """The gain with it beside what is there; where several add nothing, the gain with it alone."""
        beside = sum(weight[t.task] * t.gain[better(t, best[t.task], name)] for t in tasks)
        return round(beside, 9), sum(weight[t.task] * t.gain[better(t, "first", name)] for t in tasks)

    while left and len(order) < most:
        order.append(max(left, key=with_it))
        left.remove(order[-1])
        best = {task.task: better(task, best[task.task], order[-1]) for task in tasks}
    return order


def better(task: Outcomes, old: str, new: str) -> str:
    """What validation chooses."""
    return new if new in task.val and task.val[new] < task.val[old] else old


def judged(group: Tasks, tasks: Tasks) -> list[str]:
    """A table: the mean gain of each order by the number of changes tried, and the paired differences."""
    arms = {"portfolio": left_out(group, group), "portfolio of all tasks": left_out(group, tasks)}
    arms |= {"by hand": [by_size(t, t.hand) for t in group], "random": [drawn(t) for t in group]}
    arms = {name: np.array(gains) for name, gains in arms.items()}
    rows = [[name, *(said(group, gains[:, i]) for i in range(len(TRIED)))] for name, gains in arms.items()]
    for other in ("by hand", "random"):
        apart = arms["portfolio"] - arms[other]
        rows.append([f"portfolio - {other}", *(said(group, apart[:, i]) for i in range(len(TRIED)))])
    return table(["tried", *map(str, TRIED)], rows)


def left_out(group: Tasks, tasks: Tasks) -> list[list[float]]:
    """For each task of the group: the gains of the order that the other tables of `tasks` give."""
    orders = {name: greedy([t for t in tasks if t.table != name]) for name in {task.table for task in group}}
    return [by_size(task, orders[task.table]) for task in group]


def by_size(task: Outcomes, order: Sequence[str]) -> list[float]:
    return [task.chosen(order, most) for most in TRIED]


def drawn(task: Outcomes) -> list[float]:
    """The mean of random orders of the same candidates."""
    random = np.random.default_rng(0)
    return list(np.mean([by_size(task, list(random.permutation(task.own))) for _ in range(DRAWS)], axis=0))


# -- tables --------------------------------------------------------------------------------------------------------


def ordered(group: Tasks) -> list[str]:
    """The order that all tasks of the group give, and what each place of it adds; on the tasks that made it."""
    order = greedy(group)
    total = [
        np.mean(by_table(group, np.array([t.chosen(order, most) for t in group]))) for most in range(len(order) + 1)
    ]
    rows = [[str(i + 1), name, f"{total[i + 1]:.2f}"] for i, name in enumerate(order)]
    return table(["place", "change", "mean gain up to here"], rows)


def single(group: Tasks) -> list[str]:
    """Each change by itself: its gain, chosen or not, on how many tasks it is better than the first recipe, and its cost."""
    rows = []
    for name in dict.fromkeys(name for task in group for name in (*task.own, *task.hand)):
        where = [t for t in group if name in t.val]
        gains = np.array([t.gain[name] for t in where])
        cost = np.median([task.cost[name] for task in where])
        better_on = f"{sum(gains > 0)} of {len(gains)}"
        rows.append([name, f"{np.median(gains):.2f}", said(where, gains), better_on, f"{cost:.1f}"])
    rows.sort(key=lambda row: -float(row[1]))
    return table(["change", "median", "mean", "better on", "cost"], rows)


def by_table(group: Tasks, values: np.ndarray) -> np.ndarray:
    """(tables,): the mean over each table's tasks."""
    names = np.array([task.table for task in group])
    return np.array([values[names == name].mean() for name in dict.fromkeys(names)])


def said(group: Tasks, values: np.ndarray) -> str:
    """The mean over tables with the half width of its 95 % interval."""
    means = by_table(group, values)
    if len(means) < 2:
        return f"{means.mean():.2f}"
    half = student.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
    return f"{means.mean():.2f} ± {half:.2f}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--most", type=int, default=len(EDITS), help="only so many candidates, the first of the list")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "portfolio.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    main()
