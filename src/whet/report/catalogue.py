"""What `whet list` shows: the shelves, a shelf, one entry; activations with their curves and facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whet.report import braille

if TYPE_CHECKING:
    from whet.activations import Activation
    from whet.activations.table import Row
    from whet.entry import Catalogue, Entry

ACCENT = "bold cyan"
NARROW, WIDE = 96, 128
"""Columns of the terminal from which the slope and the year, and then the cost, have room."""
REACH = 3.0
"""The curves in a list go from -REACH to REACH; those on a card to CARD_REACH."""
CARD_REACH = 5.0
LEGEND = (
    f"curve: −{REACH:g} to {REACH:g} · µ 0: zero-centred for inputs from N(0, 1) · ↗: increasing · smooth: ∞, or "
    "C1 if the slope has kinks · slope: the steepest · all of one: whet list activations NAME"
)


def show_catalogue(kind: str, shelf: Catalogue[Any] | None, console: Console | None = None) -> None:
    """Print the methods of a catalogue; without one, the words that `whet list` takes."""
    console = console or Console(highlight=False)
    if shelf is None:
        from whet.shelf import SHELVES

        for word in (*SHELVES, "tasks"):
            console.print(f"whet list {word}")
        return
    table = _grid(kind, "what it does", "parameters")
    for entry in shelf:
        params = ", ".join(f"{k}={v}" for k, v in entry.defaults.items())
        table.add_row(Text(entry.name, style="bold"), Text(entry.summary), Text(params, style="dim"))
    console.print(table)


def show_tasks(console: Console | None = None) -> None:
    """Print what can be learned, from what kind of data, and the words for it."""
    from whet.fields import HOMES, field, summary

    table = _grid("--task", "also", "data")
    for name in HOMES:
        if not field(name).tasks:  # a user's own data says itself what is to be learned
            continue
        first, *others = field(name).tasks
        table.add_row(Text(first, style="bold"), Text(", ".join(others), style="dim"), Text(summary(name)))
    (console or Console(highlight=False)).print(table)


def _grid(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


# -- one entry ------------------------------------------------------------------------------------------------------


def show_entry(entry: Entry[Any], console: Console | None = None) -> None:
    """Print all that a catalogue says of one method."""
    from whet.activations import Activation

    console = console or Console(highlight=False)
    parts: list[RenderableType] = [Text.assemble("\n", (entry.name, ACCENT), _also(entry)), Text(entry.summary)]
    if isinstance(entry, Activation):
        parts += _activation_parts(entry)
    parts += [Text(""), _pairs([*_about(entry), *_more(entry)])]
    console.print(Padding(Group(*parts), (0, 0, 1, 2)))


def _also(entry: Entry[Any]) -> Text:
    return Text(f"   also: {', '.join(entry.aliases)}" if entry.aliases else "", style="dim")


def _about(entry: Entry[Any]) -> list[tuple[str, str]]:
    """The lines at the end of a card."""
    params = ", ".join(f"{k} = {v}" for k, v in entry.defaults.items())
    domains = "" if entry.domains == ("any",) else ", ".join(entry.domains)
    said = [("parameters", params), ("for", domains), ("cost", entry.cost), ("hurts when", entry.hurts_when)]
    return [(what, value) for what, value in [*said, ("paper", entry.paper)] if value]


def _more(entry: Entry[Any]) -> list[tuple[str, str]]:
    """Where a deep network's view of a function is to be had."""
    return [("in depth", f"whet theory {entry.name}")] if getattr(entry, "elementwise", False) else []


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for what, value in rows:
        table.add_row(Text(what, style="dim"), Text(value, overflow="fold"))
    return table


def _activation_parts(entry: Activation) -> list[RenderableType]:
    """Formula, curves and facts; for what is no function of one number, how it takes its input."""
    from whet.activations.table import known
    from whet.report.activations import facts_of

    row = known(entry)
    if row is None:
        return [Text(f"{_use(entry)}", style="dim")]
    rows = facts_of(row)
    half = (len(rows) + 1) // 2
    table = Table.grid(padding=(0, 6, 0, 0))
    table.add_row(_pairs(rows[:half]), _pairs(rows[half:]))
    formula = [Text.assemble("f(x) = ", (entry.formula, "bold"))] if entry.formula else []
    return [*formula, Text(""), _curves(entry), Text(""), table]


def _use(entry: Activation) -> str:
    """How many channels go in and come out, and what it has to be told."""
    said = []
    if entry.width != 1:
        said.append(f"{entry.width:g} channels out per channel in")
    if entry.needs_channels:
        said.append("needs the number of channels")
    return "; ".join(said) or "works along one dimension"


def _curves(entry: Activation) -> Table:
    """f and f' side by side."""
    from whet.report.activations import samples, scalar_of

    scalar = scalar_of(entry)
    assert scalar is not None
    table = Table.grid(padding=(0, 4, 0, 0))
    table.add_row(*(_curve(name, samples(scalar, CARD_REACH, 56, name != "f")) for name in ("f", "f′")))
    return table


def _curve(name: str, values: Iterable[float]) -> Table:
    """A picture of eight lines with its largest, its smallest value and its ends."""
    from whet.report.activations import number

    values = [min(max(v, -2 * CARD_REACH), 2 * CARD_REACH) for v in values]
    low, high = min(0.0, *values), max(0.0, *values)
    lines = braille.plot(values, 8, low, high)
    table = Table.grid(padding=(0, 1))
    for i, line in enumerate(lines):
        label = number(high, 2) if i == 0 else number(low, 2) if i == len(lines) - 1 else ""
        table.add_row(Text(f"{label:>5}", style="dim"), Text(line, style="cyan"))
    ends = f"−{CARD_REACH:g}{name:^{len(lines[0]) - 4}}{CARD_REACH:g}"
    table.add_row("", Text(ends, style="dim"))
    return table


# -- all activations ------------------------------------------------------------------------------------------------


def show_activations(entries: Iterable[Activation], console: Console | None = None) -> None:
    """Print activations, kind by kind, each in a line: its curve, formula and main facts, as the width allows."""
    from whet.activations import KINDS

    console = console or Console(highlight=False)
    found = list(entries)
    for kind in KINDS:
        of_kind = [e for e in found if e.kind == kind]
        if of_kind:
            console.print(_shelf(kind, of_kind, console.width))
            console.print()
    if any(e.elementwise for e in found):
        console.print(Text(LEGEND, style="dim"))


def _shelf(kind: str, entries: list[Activation], width: int) -> Table:
    """The activations of one kind; what is no function of one number has its sentence in place of curve and facts."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", width=width)
    table.add_column(Text(f"{kind} · {len(entries)}", style=ACCENT), no_wrap=True, min_width=22)
    if not any(e.elementwise for e in entries):
        table.add_column("what it does", ratio=1)
        table.add_column("year", no_wrap=True)
        for entry in entries:
            table.add_row(Text(f"  {entry.name}", style="bold"), entry.summary, Text(str(entry.year), style="dim"))
        return table
    _add_columns(table, width)
    for entry in entries:
        table.add_row(*_cells(entry)[: len(table.columns)])
    return table


def _add_columns(table: Table, width: int) -> None:
    table.add_column("curve", no_wrap=True)
    table.add_column("f(x)", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("range", no_wrap=True, min_width=12)
    for heading in ("µ 0", "↗", "smooth"):
        table.add_column(heading, no_wrap=True, justify="center")
    if width >= NARROW:
        table.add_column("slope", no_wrap=True, justify="right")
        table.add_column("year", no_wrap=True)
    if width >= WIDE:
        table.add_column("cost", no_wrap=True, overflow="ellipsis", max_width=36)


def _cells(entry: Activation) -> list[Text]:
    from whet.activations.table import known
    from whet.report.activations import formula_of, samples, scalar_of

    row, scalar = known(entry), scalar_of(entry)
    curve = braille.spark(samples(scalar, REACH, 16)) if scalar is not None else ""
    return [
        Text(f"  {entry.name}", style="bold"),
        Text(curve, style="cyan"),
        Text(formula_of(entry) or entry.summary, style="" if entry.formula else "dim"),
        *(_marks(row) if row is not None else [Text("")] * 4),
        Text(_steepness(row)),
        Text(str(entry.year or ""), style="dim"),
        Text(entry.cost, style="dim"),
    ]


def _marks(row: Row) -> list[Text]:
    from whet.report.activations import SMOOTH_SHORT, range_of

    smooth = SMOOTH_SHORT.get(int(row.smoothness), "∞") if row.smoothness < 3 else "∞"
    arrows = {"increasing": "↗", "decreasing": "↘"}
    return [
        Text(range_of(row)),
        Text("0" if row.zero_centred else ""),
        Text(arrows.get(row.monotone or "", "")),
        Text(smooth),
    ]


def _steepness(row: Row | None) -> str:
    from whet.report.activations import number

    return "" if row is None else number(row.lipschitz)
