"""What the terminal shows of a diagnosis and of a repair."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from whet.report.text import ACCENT, MARKS

WIDTH = 96
MOST = 6
INDENT = "    "


def show_diagnosis(diagnosis: Any, console: Console | None = None) -> None:
    """The verdict, then the findings: what it is, how sure, why, what to do; then what was measured beside."""
    out = console or Console(highlight=False)
    out.print(_verdict(diagnosis.healthy, diagnosis.said))
    out.print(_findings(diagnosis.findings, diagnosis.healthy, out.width))
    for reading in diagnosis.readings:
        out.print(Text(_wrapped(f"Measured: {reading}", out.width), style="dim"))


def show_repair(repaired: Any, console: Console | None = None) -> None:
    """The diagnosis, what was tried, what was changed, and the proof."""
    out = console or Console(highlight=False)
    show_diagnosis(repaired.diagnosis, out)
    if repaired.tried:
        out.print(Text("Tried", style="bold"))
        for line in repaired.tried:
            out.print(Text(f"  {line}", style="dim"))
    out.print(Text(f"\n{repaired.said}", style=ACCENT))
    for edit in repaired.edits:
        out.print(Text(f"  {dataclasses.replace(edit, because='')}"))
    if repaired.edits:
        out.print(Text(f"  {repaired.proof}", style="dim"))
    for line in (*repaired.became, *repaired.took):
        out.print(Text(f"  {line}"))


def show_run(folder: Path, console: Console | None = None) -> None:
    """The findings of a finished run of `whet fit`, as its result.json has them."""
    from whet.record import Finding
    from whet.run_folder import RunFolder

    result: Mapping[str, Any] = RunFolder(folder).result_dict()
    findings = [Finding(**f) for f in result.get("findings") or []]
    grave = [f for f in findings if f.severity == "error"]
    metric, value = result.get("metric"), result.get("value")
    said = f"{metric} {value:.4g} on the test part" + ("" if grave else ", and nothing grave was found")
    out = console or Console(highlight=False)
    out.print(_verdict(not grave, said))
    out.print(_findings(findings, not grave, out.width))


def _verdict(healthy: bool, said: str) -> Text:
    word, style = ("Healthy", "bold green") if healthy else ("Not healthy", "bold red")
    return Text.assemble((word, style), f": {said}.")


def _findings(findings: Sequence[Any], healthy: bool, width: int) -> Text:
    text = Text()
    if not findings:
        return text.append("  Nothing looks odd.\n" if healthy else "", "dim")
    if healthy:
        text.append("  What looks odd, and does no harm here:\n", "dim")
    for f in findings[:MOST]:
        sure = f"  {f.code}, {f.confidence:.0%} sure" if f.code else ""
        where = f" at {f.where}" if f.where else ""
        text.append(f"\n{MARKS.get(f.severity, '·')} ", ACCENT).append(f"{f.name}{where}", "bold").append(
            f"{sure}\n", "dim"
        )
        text.append(_wrapped(f.cause, width) + "\n")
        if f.advice:
            text.append(_wrapped(f"To do: {f.advice}", width) + "\n", "dim")
        if f.remedies:
            text.append(_wrapped(f"Repair would try {', or '.join(f.remedies)}", width) + "\n", "dim")
    if len(findings) > MOST:
        text.append(f"\n  and {len(findings) - MOST} less likely ones\n", "dim")
    return text


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(text, min(WIDTH, width - 1), initial_indent=INDENT, subsequent_indent=INDENT)
