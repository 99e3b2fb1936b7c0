"""docs/activations: a card with a picture for every activation, and a table of all. `make cards` writes them anew.

Everything is a function from an entry to text, so that a test can compare the files with what they should be.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from whet import files
from whet.activations import ACTIVATIONS, KINDS, Activation
from whet.activations.scalar import Scalar
from whet.activations.table import Row, known
from whet.report import activations as words
from whet.report.charts import Axis
from whet.report.markup import Html, h

REACH = 5.0
"""Pictures go from -REACH to REACH, and up and down to TALLEST."""
TALLEST = 5.5
WIDTH, HEIGHT, MARGIN = 360.0, 220.0, 24.0
STYLE = """
text { font: 12px sans-serif; fill: #6b7280 }
.axis { stroke: #9ca3af; stroke-width: 1 }
.f, .slope { fill: none; stroke-width: 2.2; stroke-linejoin: round }
.f { stroke: #2563eb }
.slope { stroke: #d97706; stroke-dasharray: 5 4 }
text.f { fill: #2563eb; stroke: none } text.slope { fill: #d97706; stroke: none }
@media (prefers-color-scheme: dark) {
  .f { stroke: #60a5fa } .slope { stroke: #fbbf24 } text.f { fill: #60a5fa } text.slope { fill: #fbbf24 }
}
"""
ABOUT = {
    "fixed": "Nothing in them is learned.",
    "learned": "Their parameters are learned, one set for the layer or one per channel (`channels=`). Facts are those at the "
    "start.",
    "dynamic": "A small network inside them looks at the whole example; they need the number of channels.",
    "gated": "One part of the channels decides how much of another passes: the number of channels changes.",
    "output": "They turn scores into probabilities.",
}

Point = tuple[float, float]


# -- the picture ----------------------------------------------------------------------------------------------------


def picture(entry: Activation) -> str | None:
    """f and f' as SVG; None for what is no function of one number."""
    scalar, row = words.scalar_of(entry), known(entry)
    if scalar is None or row is None:
        return None
    pieces = {kind: _pieces(scalar, row, kind) for kind in ("f", "slope")}
    heights = [y for kind in pieces.values() for piece in kind for _, y in piece]
    x = Axis(-REACH, REACH, MARGIN, WIDTH - MARGIN)
    low, high = max(min(0.0, *heights), -TALLEST), min(max(1.0, *heights), TALLEST)
    y = Axis(low, high, HEIGHT - MARGIN, MARGIN)
    curves = [_path(piece, kind, x, y) for kind in ("slope", "f") for piece in pieces[kind]]
    frame = h("clipPath", h("rect", x=0, y=MARGIN / 2, width=WIDTH, height=HEIGHT - MARGIN), id="frame")
    return (
        h(
            "svg",
            Html(f"<title>{entry.name} and its slope</title><style>{STYLE}</style>"),
            frame,
            _axes(x, y),
            h("g", curves, clip_path="url(#frame)"),
            h("text", "f", x=MARGIN, y=14, class_="f"),
            h("text", "f′", x=MARGIN + 16, y=14, class_="slope"),
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
            width=WIDTH,
            height=HEIGHT,
            role="img",
        )
        + "\n"
    )


def _pieces(scalar: Scalar, row: Row, kind: str) -> list[list[Point]]:
    """The curve, cut where it jumps."""
    curve = scalar.value if kind == "f" else scalar.slope
    cuts = [k for k in scalar.kinks if abs(k) < REACH] if row.smoothness < (0 if kind == "f" else 1) else []
    ends = [-REACH, *cuts, REACH]
    found = []
    for left, right in itertools.pairwise(ends):
        count = max(2, round((right - left) * 24))
        at = np.linspace(left + 1e-9, right - 1e-9, count)
        found.append(list(zip(at.tolist(), curve(at).tolist(), strict=True)))
    return found


def thin(points: Sequence[Point], most: float = 0.1) -> list[Point]:
    """Without the points that a straight line between kept ones passes within `most` units of the picture."""
    kept, start = [points[0]], 0
    for end in range(2, len(points)):
        (x0, y0), (x1, y1) = points[start], points[end]
        if any(abs(y0 + (x - x0) / (x1 - x0) * (y1 - y0) - y) > most for x, y in points[start + 1 : end]):
            start = end - 1
            kept.append(points[start])
    return [*kept, points[-1]]


def _path(points: Sequence[Point], kind: str, x: Axis, y: Axis) -> Html:
    inside = [(x(a), y(min(max(b, 3 * y.low - 2), 3 * y.high + 2))) for a, b in points]
    return h("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in thin(inside)), class_=kind)


def _axes(x: Axis, y: Axis) -> list[Html]:
    """The lines through zero, with the ends of both."""
    return [
        h("line", x1=x.start, x2=x.end, y1=y(0), y2=y(0), class_="axis"),
        h("line", x1=x(0), x2=x(0), y1=y.start, y2=y.end, class_="axis"),
        h("text", words.number(x.low), x=4, y=y(0) - 4),
        h("text", words.number(x.high), x=WIDTH - 12, y=y(0) - 4),
        h("text", words.number(y.high, 2), x=x(0) + 4, y=y.end - 2),
        *([h("text", words.number(y.low, 2), x=x(0) + 4, y=y.start + 12)] if y.low < -0.05 else []),
    ]


# -- the card -------------------------------------------------------------------------------------------------------


def card(entry: Activation) -> str:
    """The Markdown of one activation."""
    return "\n".join(line for part in _parts(entry) for line in (*part, ""))


def _parts(entry: Activation) -> Iterator[list[str]]:
    row = known(entry)
    yield [f"# {entry.name}"]
    yield [_sentence(entry)]
    if row is not None:
        yield [f"![{entry.name} and its slope]({entry.name}.svg)"]
    if entry.formula:
        yield ["```text", f"f(x) = {entry.formula}", "```"]
    yield ["```python", _example(entry), "```"]
    if entry.defaults:
        yield ["Parameters: " + words.parameters(entry) + "."]
    yield [f"- **{what}**: {value}" for what, value in _about(entry)]
    if row is not None:
        yield ["## Facts", "", f"With the default parameters; means are over N(0, 1).{_at_start(entry)}"]
        yield ["| | |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in words.facts_of(row))]
    yield ["[All activations](README.md)"]


def _sentence(entry: Activation) -> str:
    also = f" Also called {', '.join(f'`{name}`' for name in entry.aliases)}." if entry.aliases else ""
    return f"{entry.summary} *{entry.kind.capitalize()}.*{also}"


def _at_start(entry: Activation) -> str:
    return " Training changes the function; this is where it starts." if entry.kind == "learned" else ""


def _example(entry: Activation) -> str:
    given = [f'"{entry.name}"', *(["channels=64"] if entry.needs_channels else [])]
    return f"whet.activations.get({', '.join(given)})"


def _about(entry: Activation) -> list[tuple[str, str]]:
    said = [("cost", entry.cost), ("hurts when", entry.hurts_when)]
    if entry.domains != ("any",):
        said.append(("for", ", ".join(entry.domains)))
    if entry.width != 1:
        said.append(("channels", f"{entry.width:g} out per channel in"))
    return [*said, ("paper", entry.paper or "none that we know of")]


# -- the table of all -----------------------------------------------------------------------------------------------


def index() -> str:
    """The folder's README: a table for each kind."""
    total = f"{len(ACTIVATIONS)} activations"
    head = [
        "# Activations",
        "",
        f"{total}, each with its formula, its facts, its paper and when it hurts. `whet list activations` shows the same in "
        "the terminal, `whet theory NAME` what a deep network makes of it. These pages are generated: `make cards`.",
        "",
    ]
    return "\n".join([*head, *(line for kind in KINDS for line in _table(kind))])


def _table(kind: str) -> list[str]:
    entries = [e for e in ACTIVATIONS if e.kind == kind]
    lines = [f"## {kind.capitalize()}", "", ABOUT[kind], ""]
    if not any(e.elementwise for e in entries):
        lines += ["| | what it does | year |", "| --- | --- | --- |"]
        return [*lines, *(f"| {_link(e)} | {e.summary} | {e.year or ''} |" for e in entries), ""]
    headings = ("", "", "f(x)", "range", "mean 0", "monotone", "smooth", "slope at most", "year")
    lines += [f"| {' | '.join(headings)} |", f"|{' --- |' * len(headings)}"]
    return [*lines, *map(_line, entries), ""]


def _link(entry: Activation) -> str:
    return f"[{entry.name}]({entry.name}.md)"


def _line(entry: Activation) -> str:
    row = known(entry)
    assert row is not None
    smooth = words.SMOOTH_SHORT.get(int(row.smoothness), "yes") if row.smoothness < 3 else "yes"
    cells = (
        f'<img src="{entry.name}.svg" width="120" alt="{entry.name}">',
        _link(entry),
        f"`{words.formula_of(entry)}`" if entry.formula else entry.summary,
        words.range_of(row),
        "yes" if row.zero_centred else "",
        row.monotone or "",
        smooth,
        words.number(row.lipschitz),
        str(entry.year or ""),
    )
    return f"| {' | '.join(cells)} |"


def pages() -> dict[str, str]:
    """File name -> content of everything in the folder."""
    found = {"README.md": index()}
    for entry in ACTIVATIONS:
        found[f"{entry.name}.md"] = card(entry)
        drawn = picture(entry)
        if drawn is not None:
            found[f"{entry.name}.svg"] = drawn
    return found


def write(folder: Path) -> None:
    """Write all pages, and remove those of activations that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name, content in wanted.items():
        files.write_bytes(folder / name, content.encode())
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
