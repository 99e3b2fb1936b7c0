"""A comparison in the terminal, and its numbers in words: from compare.json alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whet.report import wording
from whet.report.text import ACCENT

PAGE = "report.html"
WIDTH = 76
"""Letters of a line in a narrow terminal, beside the margin."""
Result = Mapping[str, Any]


# -- numbers ---------------------------------------------------------------------------------------------------------


def scale(result: Result) -> float:
    """What differences are multiplied with to be read: shares are counted in points."""
    return 100.0 if result["metric"] in wording.SHARES else 1.0


def unit(result: Result) -> str:
    return "points" if result["metric"] in wording.SHARES else wording.metric_name(result["metric"])


def decimals(value: float) -> int:
    """Those that give a number two digits."""
    return min(8, max(0, 1 - math.floor(math.log10(abs(value))))) if value and math.isfinite(value) else 2


NOTHING = 1e-9
"""A spread is none below this share of the mean."""


def spread(arm: Result, result: Result) -> str:
    if not wording.is_number(arm["spread"]):
        return wording.MISSING
    value = scale(result) * arm["spread"]
    if value <= NOTHING * abs(scale(result) * arm["mean"]):  # equal scores, but for rounding
        return "± 0"
    return f"± {value:.{decimals(value)}f}"


def between(pair: Result | None, result: Result) -> str:
    """A difference with its interval."""
    if pair is None:
        return ""
    middle, half = scale(result) * pair["difference"], scale(result) * pair["half"]
    if not half:
        return wording.number(middle)
    middle = round(middle, decimals(half)) + 0.0  # no minus before a zero
    return f"{middle:+.{decimals(half)}f} ± {half:.{decimals(half)}f}".replace("-", "−")


def rate(arm: Result) -> str:
    return f"{arm['lr']:.3g}"


def length(result: Result) -> str:
    """How long each training was, in words."""
    size = result["size"]
    return f"{size['steps']:,} steps" if size["steps"] else wording.seconds(size["seconds"])


# -- the terminal ------------------------------------------------------------------------------------------------------


def show(result: Result, folder: Path, console: Console | None = None) -> None:
    """Print the arms, the verdicts, and where the report is."""
    (console or Console(highlight=False)).print(summary(result, folder))


def summary(result: Result, folder: Path) -> RenderableType:
    lines = [in_lines(line) for line in result["said"]]
    said = Text("\n").join(Text(line, style="bold" if i == 0 else "") for i, line in enumerate(lines))
    parts: list[RenderableType] = [Text(""), _arms(result), Text(""), said]
    if result["notes"]:
        parts += [Text(""), Text("\n").join(Text(f"! {note}", style="yellow") for note in result["notes"])]
    parts += [Text(""), Text(about(result), style="dim"), Text(""), _places(folder)]
    return Padding(Group(*parts), (0, 0, 1, 2))


def in_lines(sentence: str) -> str:
    """A sentence that is too long for one line of a terminal, broken where its aside begins."""
    return sentence.replace(" (", "\n(", 1) if len(sentence) > WIDTH else sentence


def about(result: Result) -> str:
    """What the numbers are."""
    sound = sum(not arm.get("failed") for arm in result["arms"])
    arms = "Two arms" if sound == 2 else f"{sound} arms"
    alike = f" {arms} that are alike come out level in 96 of 100 comparisons." if sound > 1 else ""
    return (
        f"Mean and standard deviation of {wording.metric_name(result['metric'])} on {wording.rows_of(result)} over "
        f"{len(result['seeds'])} seeds. ± is an interval over seeds.{alike}"
    )


def _arms(result: Result) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("arm", overflow="fold")
    metric = wording.metric_name(result["metric"])
    for name in (metric, "", "learning\nrate", "per\ntraining", f"beside\n{first(result)}"):  # room for long names
        table.add_column(name, justify="right", no_wrap=True)
    beside = {pair["first"]: pair for pair in result["pairs"] if pair["second"] == first(result)}
    for arm in result["arms"]:
        best = arm["name"] == result["best"]
        table.add_row(
            Text(arm["name"], style=ACCENT if best else ""),
            Text(wording.score(result["metric"], arm["mean"]), style=ACCENT if best else ""),
            Text(spread(arm, result), style="dim"),
            rate(arm),
            wording.seconds(arm["seconds"]),
            Text(
                failure(arm, result) or between(beside.get(arm["name"]), result),
                style="" if is_clear(beside.get(arm["name"])) or arm.get("failed") else "dim",
            ),
        )
    return table


def first(result: Result) -> str:
    """The arm that the others stand beside: the first one that was compared."""
    compared = [arm for arm in result["arms"] if not arm.get("failed")] or result["arms"]
    return str(compared[0]["name"])


def failure(arm: Result, result: Result) -> str:
    """What an arm that lost by it did, and how often; empty for one that was compared."""
    return f"{arm['fault']} {arm['failed']} of {len(result['seeds'])}" if arm.get("failed") else ""


def is_clear(pair: Result | None) -> bool:
    return pair is not None and abs(pair["difference"]) > pair["half"]


def _places(folder: Path) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row(Text("report", style="dim"), Text(str(folder / PAGE), overflow="fold"))
    table.add_row(Text("values", style="dim"), Text(str(folder / "compare.json"), overflow="fold"))
    return table
