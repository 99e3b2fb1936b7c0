"""What the terminal shows of a finished run and of data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whet.report import wording

if TYPE_CHECKING:
    from whet.data.core import Profile

BAR = 28
"""Characters of the longest bar."""
MOST_FINDINGS = 5
ACCENT = "bold cyan"
MARKS = {"error": "✗", "warning": "!", "info": "·"}


def show_result(result: Mapping[str, Any], folder: Path, console: Console | None = None) -> None:
    """Print the summary of a run from the content of its result.json."""
    (console or Console(highlight=False)).print(summary(result, folder))


def summary(result: Mapping[str, Any], folder: Path) -> RenderableType:
    """The score with its interval, the baselines beside it, the findings, and where the report is."""
    said = wording.verdict(result)
    parts: list[RenderableType] = [Text(""), *_measured(result)]
    if said:
        parts += [Text(""), Text(said)]
    findings = [f for f in result.get("findings") or [] if isinstance(f, Mapping)]
    if findings:
        parts += [Text(""), _findings(findings)]
    parts += [Text(""), _places(folder, wording.command(result, folder))]
    return Padding(Group(*parts), (0, 0, 1, 2))


def _measured(result: Mapping[str, Any]) -> list[RenderableType]:
    """The score with its interval, and the bars; a sentence where there is none."""
    if without := wording.unmeasured(result):
        return [Text(without)]
    metric, ends = str(result.get("metric", "score")), wording.interval(result)
    head = Text.assemble(
        (wording.metric_name(metric), "bold"),
        " ",
        (wording.score(metric, result.get("value")), ACCENT),
        f"   95 % interval {wording.score(metric, ends[0])} to {wording.score(metric, ends[1])}" if ends else "",
        (f"   on {wording.rows_of(result)}", "dim"),
    )
    return [head, Text(""), _bars(result, metric)]


def _bars(result: Mapping[str, Any], metric: str) -> Table:
    """The network and the baselines, the best first."""
    known: dict[str, Any] = {"this network": result.get("value"), **wording.baselines(result)}
    numbers = {k: float(v) for k, v in known.items() if wording.is_number(v)}
    most = max((abs(v) for v in numbers.values()), default=0.0) or 1.0
    table = Table.grid(padding=(0, 2))
    for name, number in numbers.items():
        style = ACCENT if name == "this network" else "dim"
        length = max(1, round(BAR * max(0.0, number) / most))
        table.add_row(
            Text(name, style=style), Text(wording.score(metric, number), style=style), Text("━" * length, style=style)
        )
    return table


def _findings(findings: list[Mapping[str, Any]]) -> Text:
    lines = Text()
    order = sorted(findings, key=lambda f: ("error", "warning", "info").index(str(f.get("severity", "info"))))
    for one in order[:MOST_FINDINGS]:
        mark = MARKS.get(str(one.get("severity")), "·")
        cause, where = str(one.get("cause", one.get("name", ""))), str(one.get("where") or "")
        lines.append(f"{mark} ", ACCENT).append(cause if where in cause else f"{cause} [{where}]")
        lines.append(f" {one['advice']}\n" if one.get("advice") else "\n", "dim")
    if len(order) > MOST_FINDINGS:
        lines.append(f"  and {len(order) - MOST_FINDINGS} more in the report\n", "dim")
    lines.rstrip()
    return lines


def _places(folder: Path, command: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row(Text("report", style="dim"), Text(str(folder / "report.html"), overflow="fold"))
    table.add_row(Text("use it", style="dim"), Text(command, overflow="fold"))
    return table


def show_profile(profile: Profile, console: Console | None = None) -> None:
    """Print what data looks like, and what that suggests."""
    console = console or Console(highlight=False, emoji=False)
    console.print(f"\n[bold]{escape(profile.name)}[/bold]")
    for sentence in profile.said:
        console.print(Text(sentence))
    for section in profile.sections:
        table = Table.grid(padding=(0, 2))
        for row in section.rows:
            table.add_row(Text(row.name, style="dim"), Text(row.value), Text(row.suggestion, style="cyan"))
        console.print(f"\n[bold]{escape(section.title)}[/bold]")
        console.print(Padding(table, (0, 0, 0, 2)))
    for found in profile.findings:
        console.print(Text.assemble("\n", (f"{MARKS.get(found.severity, '·')} ", ACCENT), str(found)))
