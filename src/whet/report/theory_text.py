"""What the terminal shows of theory: forecasts of a plain network, drawn, and what would change them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log10
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.terminal_theme import MONOKAI
from rich.text import Text

from whet.activations.expression.check import check_curves
from whet.errors import OutputError
from whet.files import write_bytes
from whet.theory.advice import Advice, Start, compare
from whet.theory.analysis import BIASES, Analysis
from whet.theory.criticality import Edge
from whet.theory.forecast import Forecast

KEYS = "pxhbs"
"""The letters that draw PyTorch's own start, Xavier, He, the best, and the shaped function."""
STYLES = ("red", "yellow", "magenta", "bold green", "bold cyan")
VERDICTS = {"carries": "green", "faint": "yellow", "lost": "red"}
LOWEST = -8.0
"""Of the drawings, in powers of ten: float32 tells no two numbers apart that differ by less."""
HEIGHT = 9


def show(advices: Sequence[Advice], console: Console | None = None, out: Path | None = None) -> None:
    """Print one function in full, or several side by side; also into an .html or .txt file."""
    console = console or Console(highlight=False, record=out is not None)
    console.print(one(advices[0], console.width) if len(advices) == 1 else several(advices))
    if out is not None:
        text = console.export_html(theme=MONOKAI) if out.suffix == ".html" else console.export_text()
        write_bytes(out, text.encode())


def computed(names: Sequence[str], depth: int, width: int) -> list[Advice]:
    """Advice on what is named, while the terminal says which one is being computed."""
    with Console(stderr=True).status("theory") as status:
        return compare(names, depth, width, told=lambda name: status.update(f"theory of {name}"))


def check_out(out: Path | None) -> None:
    """OutputError for a file of another kind, before anything is computed."""
    if out is not None and out.suffix not in (".html", ".txt"):
        raise OutputError(f"--out {out} is neither an .html nor a .txt file.", "Name it so.")


# -- one function -----------------------------------------------------------------------------------------------------


def one(a: Advice, columns: int = 80) -> RenderableType:
    """Numbers, forecasts, drawings, and what would change the outcome."""
    t = a.analysis
    title = Text.assemble(
        (t.name, "bold"), (f"   {t.scalar.text}" if t.scalar.text not in (None, t.name) else "", "dim")
    )
    parts: list[RenderableType] = [Text(""), title, Text(""), _numbers(t), Text(""), _heading(a), _starts(a)]
    parts += [Text(""), _drawings(a, columns - 4), Text(""), Text("What would change it", style="bold"), _changes(a)]
    parts += [Text(""), _footnote(a)]
    return Padding(Group(*parts), (0, 2, 1, 2))


def _numbers(t: Analysis) -> Table:
    edge = next((e for b in BIASES if (e := t.edge(b)).sigma_w and e.stable), t.edge(0.0))
    rows = [
        ("gain", f"{t.gain:.4g}", "sigma_w that keeps signals: 1 / sqrt(E f²)"),
        (
            "slope gain",
            _or_none(t.slope_gain if 0 < t.slope_gain < inf else None),
            "sigma_w that keeps gradients: 1 / sqrt(E f'²)",
        ),
        ("edge of chaos", _or_none(edge.sigma_w), _edge_words(edge)),
        (
            "mean",
            f"{0.0 if abs(t.mean) < 1e-12 else t.mean:.4g}",
            "E f, which all inputs share: it makes them grow alike",
        ),
    ]
    rows += [("beware", "", str(p)) for p in check_curves(t.scalar.value, t.scalar.slope)[:1]]
    table = Table.grid(padding=(0, 2))
    for name, value, words in rows:
        table.add_row(Text(name, style="dim"), Text(value, style="bold"), Text(words, style="dim"))
    return table


def _or_none(sigma_w: float | None) -> str:
    return "none" if sigma_w is None else f"{sigma_w:.4g}"


def _edge_words(edge: Edge) -> str:
    if edge.sigma_w is None:
        return edge.reason
    where = f"sigma_w that keeps both, with sigma_b = {edge.sigma_b:g}"
    return where if edge.stable else f"{where}; signals drift away from it"


def _heading(a: Advice) -> Text:
    return Text.assemble(
        (f"A plain network of {a.depth} layers", "bold"), (f", {a.width} wide, without skips or norms", "dim")
    )


def _starts(a: Advice) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "sigma_w", "sigma_b", "signal", "gradient", "", "layers"):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for key, style, start in zip(KEYS, STYLES, _all(a), strict=False):
        f = start.forecast
        table.add_row(
            Text.assemble((f"{key} ", style), start.name),
            f"{f.sigma_w:.3f}",
            f"{f.sigma_b:.3f}",
            power(f.difference),
            power(f.gradient),
            Text(verdict(f), style=VERDICTS[f.verdict]),
            "" if start.reach is None else f"{start.reach}{'+' * start.endless}",
        )
    return table


def _all(a: Advice) -> list[Start]:
    return [*a.starts, *([a.shaped] if a.shaped else [])]


def _reach(start: Start) -> str:
    if start.reach is None:
        return ""
    return f"{start.reach} layers and more" if start.endless else f"{start.reach} layer{'s' * (start.reach != 1)}"


def power(x: float) -> str:
    """A share in as few characters as tell it."""
    if not isfinite(x) or x > 1e99:
        return "inf"
    if x == 0:
        return "0"
    return f"{x:.2g}" if 0.001 <= x < 1000 else f"1e{round(log10(x)):+d}".replace("+", "")


def verdict(f: Forecast) -> str:
    """What happens, in a few words."""
    if f.verdict == "carries":
        return "carries"
    if not isfinite(f.lengths[-1]):
        return "signal explodes"
    if f.gradient > 1 and 1 / f.gradient < f.difference:
        return "gradient explodes" if f.verdict == "lost" else "gradient grows"
    if f.gradient < f.difference:
        return "gradient vanishes" if f.verdict == "lost" else "gradient fades"
    return "inputs look alike" if f.verdict == "lost" else "inputs grow alike"


# -- drawings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    key: str
    style: str
    y: Sequence[float]
    """Evenly spaced from the left to the right end."""


def _drawings(a: Advice, columns: int) -> Table:
    starts = list(zip(KEYS, STYLES, _all(a), strict=False))
    width = min(48, (columns - 24) // 3 if columns >= 110 else (columns - 18) // 2)
    signals = [Curve(k, s, [_log(_left(c)) for c in x.forecast.correlations]) for k, s, x in starts]
    slopes = [Curve(k, s, [_log(g) for g in x.forecast.gradients]) for k, s, x in starts]
    ends = ("layer 1", str(a.depth))
    first = [
        chart("signal left, of two unlike inputs", signals, (LOWEST, 0.0), width, ends, _tick),
        chart("gradient, last layer = 1", slopes, (LOWEST, -LOWEST), width, ends, _tick),
    ]
    maps = chart("likeness of two inputs after a layer", _maps(a, width), (0.0, 1.0), width, ("c = 0", "1"), _share)
    table = Table.grid(padding=(0, 2))
    if columns >= 110:
        table.add_row(*first, maps)
    else:
        table.add_row(*first)
        table.add_row(Text(""))
        table.add_row(maps, _map_words())
    return table


def _maps(a: Advice, width: int) -> list[Curve]:
    """c -> C(c) at the last layer's length, over the diagonal."""
    grid = [i / (width - 1) for i in range(width)]
    curves = [Curve("·", "dim", grid)]
    for key, style, start in zip(KEYS, STYLES, _all(a), strict=False):
        q = start.forecast.lengths[-1]
        if key in "pb" and isfinite(q) and 1e-12 < q < 1e6:
            ys = [a.analysis.correlation_map(c, start.forecast.sigma_w, start.forecast.sigma_b, q) for c in grid]
            curves.append(Curve(key, style, [float(y) for y in ys]))
    return curves


def _map_words() -> Text:
    return Text(
        "How alike two inputs are after a layer, by how alike they were before it (c). Above the dots they "
        "grow more alike; where a curve meets the dots they stay as they are. Flat at the right end: fine "
        "differences fade. Steep: they are torn apart.",
        style="dim",
    )


def chart(
    title: str,
    curves: Sequence[Curve],
    span: tuple[float, float],
    width: int,
    ends: tuple[str, str],
    tick: Callable[[float], str],
) -> Text:
    """Letters on a grid: the last curve lies on top. Values beyond the span are drawn at its edge."""
    low, high = span
    cells: list[list[tuple[str, str]]] = [[(" ", "")] * width for _ in range(HEIGHT)]
    for curve in curves:
        for column in range(width):
            y = curve.y[round(column * (len(curve.y) - 1) / (width - 1))] if len(curve.y) > 1 else curve.y[0]
            row = round((high - min(high, max(low, y))) / (high - low) * (HEIGHT - 1))
            cells[row][column] = (curve.key, curve.style)
    text = Text(f"{title}\n", style="")
    for row, line in enumerate(cells):
        value = high - (high - low) * row / (HEIGHT - 1)
        label = tick(value) if row in (0, HEIGHT // 2, HEIGHT - 1) else ""
        text.append(f"{label:>5} │", "dim")
        for letter, style in line:
            text.append(letter, style)
        text.append("\n")
    gap = width - len(ends[0]) - len(ends[1])
    text.append(f"      └{'─' * width}\n       {ends[0]}{' ' * gap}{ends[1]}", "dim")
    return text


def _log(x: float) -> float:
    return log10(min(max(x, 1e-30), 1e30))


def _left(c: float) -> float:
    return max(0.0, 1 - c) ** 0.5


def _tick(value: float) -> str:
    return "1" if value == 0 else f"1e{value:.0f}"


def _share(value: float) -> str:
    return f"{value:.1f}"


# -- advice -----------------------------------------------------------------------------------------------------------


def _changes(a: Advice) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, words in [*_of_weights(a), *_of_shape(a), *_of_architecture(a), *_of_width(a)]:
        table.add_row(Text(name, style="cyan"), Text(words))
    return table


def _of_weights(a: Advice) -> list[tuple[str, str]]:
    best, default = a.best, a.starts[0]
    f = best.forecast
    biases = f"biases of std {f.sigma_b:g}" if f.sigma_b else "biases 0"
    outcome = f"carries {_reach(best)}" if f.verdict == "carries" else f"{verdict(f)}, but no other start does better"
    against = f" (PyTorch's own: {_reach(default)})" if best.reach != default.reach else ""
    return [("weights", f"of std {f.sigma_w:.3g} / sqrt(fan_in), {biases}: {outcome}{against}.")]


def _of_shape(a: Advice) -> list[tuple[str, str]]:
    if a.shape is None or a.shaped is None:
        return [("shape", a.unshaped)] if a.unshaped else []
    x = a.shape
    inner = f"f({x.alpha:.3g} x{_plus(x.beta)})"
    outer = f"{x.gamma:.3g} ({inner}{shift})" if (shift := _plus(x.delta)) else f"{x.gamma:.3g} {inner}"
    words = f"{outer} in place of f, orthogonal weights, biases 0: carries {_reach(a.shaped)}. "
    words += "whet.init.auto_(model) does this, for the depth and the width that each function of a network has."
    return [("shape", words)]


def _plus(x: float) -> str:
    """ " + 0.3", or nothing for what is rounding only."""
    return f" {'-' if x < 0 else '+'} {abs(x):.3g}" if abs(x) > 1e-9 else ""


def _of_architecture(a: Advice) -> list[tuple[str, str]]:
    return [
        (
            "norm",
            f"in front of each f keeps signals at length 1 with any weights; gradient {_over(a.with_norm, a.depth)}.",
        ),
        ("skips", f"x + f(...) / sqrt({a.depth}) at length 1; gradient {_over(a.with_skips, a.depth)}."),
    ]


def _over(factor: float, depth: int) -> str:
    return f"x {power(factor)} over {depth} layers"


def _of_width(a: Advice) -> list[tuple[str, str]]:
    noise = a.best.forecast.noise
    if noise is None or noise < 1.5 or a.analysis.jumps:
        return []
    words = f"at width {a.width} a squared gradient differs by a factor of {noise:.2g} between draws of the weights; "
    return [("width", words + "wider layers or orthogonal weights are more even.")]


def _footnote(a: Advice) -> Text:
    return Text(
        "signal: what is left at the last layer of the difference of two unlike inputs; gradient: its norm at layer 1 over "
        f"that at layer {a.depth}. Theory of wide layers before training; quadrature error {a.analysis.error:.0e}.",
        style="dim",
    )


# -- several functions ------------------------------------------------------------------------------------------------


def several(advices: Sequence[Advice]) -> RenderableType:
    """A line per function: what it needs, and how it fares under each initialisation."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    names = [s.name for s in advices[0].starts[:-1]]
    for name in ("", "gain", *names, "best", "sigma_w", "sigma_b"):
        table.add_column(name, justify="left" if name in ("", *names, "best") else "right")
    for a in advices:
        best = a.best.forecast
        cells = [Text(_worst(s.forecast), style=VERDICTS[s.forecast.verdict]) for s in a.starts]
        title = Text(a.analysis.name, style="bold", overflow="fold")
        table.add_row(title, f"{a.analysis.gain:.3f}", *cells, f"{best.sigma_w:.3f}", f"{best.sigma_b:g}")
    words = Text(
        "What is left of signal or gradient, whichever is worse, under each initialisation: from 0.03 to 30 the network "
        "carries; below, it vanishes, above, it explodes. whet theory NAME draws one function, and says what would "
        "change it.",
        style="dim",
    )
    heading = _heading(advices[0])
    return Padding(Group(Text(""), heading, Text(""), table, Text(""), words), (0, 2, 1, 2))


def _worst(f: Forecast) -> str:
    """The share of signal or gradient that is left, or by how much the gradient grows."""
    if not isfinite(f.lengths[-1]):
        return "inf"
    return power(f.gradient if f.gradient > 1 and 1 / f.gradient < f.difference else f.strength)
