"""A field's figures on the page: curves, bars, shades, pictures and tables, in the style of the charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from whet.figures import Bars, Figure, Grid, Heat, Lines, Pictures
from whet.report import wording
from whet.report.charts import LETTER, WIDTH, Axis, Line, cut, end_labels, grid, svg
from whet.report.markup import Html, h, text
from whet.report.pictures import AS_PNG, shrunk, thumbnail, tinted

STYLES = ("main", "strong", "second", "dotted", "other")
"""Classes of the stylesheet, for the first, second, … series; those after the last look like the last."""
ACCENT = (34, 150, 138)
"""For pictures, which can't follow the stylesheet: between the accents for light and dark."""
MOST_CELLS = 720
"""Rows and columns of shades that a picture has room for; a larger one is made smaller."""
MOST_PICTURES = 120
MOST_ROWS = 200
TOP, BOTTOM = 14.0, 40.0


def drawn(figure: Figure) -> Html:
    """Title, how to read it, picture."""
    kinds = {Lines: lines, Bars: bars, Heat: heat, Pictures: pictures, Grid: table}
    shown = kinds[type(figure)](figure)  # type: ignore[operator]
    note = h("p", figure.note, class_="soft") if figure.note else None
    return h("div", h("h3", figure.title), note, shown or nothing(), class_="drawn")


def nothing() -> Html:
    return h("p", "There is nothing to show.", class_="none")


def style(i: int) -> str:
    return STYLES[min(i, len(STYLES) - 1)]


def numbers(values: Any) -> np.ndarray:
    """(n,) float64; None is NaN."""
    return np.asarray(list(values), np.float64)


def room(*values: np.ndarray, air: float = 0.05) -> tuple[float, float] | None:
    """The range of all finite values, with some air; None if there is none."""
    every = np.concatenate([np.ravel(v) for v in values]) if values else np.empty(0)
    every = every[np.isfinite(every)]
    if not len(every):
        return None
    low, high = float(every.min()), float(every.max())
    pad = air * (high - low) or 0.05 * max(abs(high), 1e-6)
    return low - pad, high + pad


# -- curves --------------------------------------------------------------------------------------------------------


def lines(figure: Lines) -> Html | None:
    """Curves with their bands and spans; a gap where a value is not finite."""
    named = isinstance(figure.x, Sequence) and any(isinstance(v, str) for v in figure.x)
    at = np.arange(len(figure.x), dtype=float) if named else numbers(figure.x)
    series = {name: numbers(values) for name, values in figure.series.items()}
    bands = {name: (numbers(low), numbers(high)) for name, (low, high) in figure.bands.items()}
    known, across = room(*series.values(), *(v for band in bands.values() for v in band)), room(at, air=0.0)
    if known is None or across is None:
        return None
    height, left, right = 290.0, 58.0, 140.0
    x, y = Axis(*across, left, WIDTH - right), Axis(*known, height - BOTTOM, TOP)
    order = list(enumerate(series.items()))
    return svg(
        height,
        figure.title,
        [span(a, b, name, x, y) for a, b, name in figure.spans],
        [band(at, *bands[name], x, y, style(i)) for i, (name, _) in order if name in bands],
        grid(x, y, height - BOTTOM, along=not named),
        below([str(v) for v in figure.x], x, height) if named else None,
        axis_words(figure.x_label, figure.y_label, x, y, height),
        [curve(name, at, values, x, y, style(i)) for i, (name, values) in reversed(order)],
        endings(at, series, x, y),
    )


def curve(name: str, at: np.ndarray, values: np.ndarray, x: Axis, y: Axis, kind: str) -> Html:
    parts = [stroke([(x(a), y(b)) for a, b in part], kind) for part in pieces(*thinned(at, values))]
    return h("g", h("title", name), parts)


def stroke(points: Sequence[tuple[float, float]], kind: str) -> Html:
    """A line, or a dot for a point alone."""
    if len(points) == 1:
        return h("circle", cx=points[0][0], cy=points[0][1], r=3, class_=f"dot {kind}")
    return h("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in points), class_=f"line {kind}")


def thinned(at: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As many points as the width shows: of each column of it the lowest and the highest value, so that peaks stay."""
    columns = int(WIDTH / 2)
    if len(values) <= 2 * columns:
        return at, values
    keep = []
    for part in np.array_split(np.arange(len(values)), columns):
        finite = part[np.isfinite(values[part])]
        ends = finite[[values[finite].argmin(), values[finite].argmax()]] if len(finite) else part[:1]
        keep.extend(sorted(set(ends.tolist())))
    return at[keep], values[keep]


def pieces(at: np.ndarray, values: np.ndarray) -> list[list[tuple[float, float]]]:
    """The runs of points that are finite."""
    found: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(at.tolist(), values.tolist(), strict=True):
        if math.isfinite(a) and math.isfinite(b):
            found[-1].append((a, b))
        elif found[-1]:
            found.append([])
    return [part for part in found if part]


def band(at: np.ndarray, low: np.ndarray, high: np.ndarray, x: Axis, y: Axis, kind: str) -> Html:
    keep = np.flatnonzero(np.isfinite(at) & np.isfinite(low) & np.isfinite(high))
    keep = keep[np.unique(np.linspace(0, len(keep) - 1, min(len(keep), int(WIDTH))).astype(int))] if len(keep) else keep
    there = [f"{x(at[i]):.1f},{y(high[i]):.1f}" for i in keep]
    back = [f"{x(at[i]):.1f},{y(low[i]):.1f}" for i in keep[::-1]]
    return h("polyline", points=" ".join(there + back), class_=f"area {kind}")


def span(start: float, end: float, name: str, x: Axis, y: Axis) -> Html:
    """A marked stretch of the axis; its name stands in it where there is room."""
    a, b = (min(max(x(v), x.start), x.end) for v in sorted((start, end)))
    fits = name and b - a > LETTER * len(name) + 8
    return h(
        "g",
        h("rect", h("title", name), x=a, y=y.end, width=max(1.5, b - a), height=y.start - y.end, class_="marked"),
        h("text", name, x=(a + b) / 2, y=y.end + 13, class_="tick mid") if fits else None,
    )


def endings(at: np.ndarray, series: dict[str, np.ndarray], x: Axis, y: Axis) -> list[Html]:
    """Each curve's name and last value, at its right end."""
    ends = []
    for i, (name, values) in enumerate(series.items()):
        known = np.flatnonzero(np.isfinite(at) & np.isfinite(values))
        if len(known):
            ends.append(Line(cut(name, 14), ((x.high, float(values[known[-1]])),), style(i)))
    return end_labels(ends, x, y, partial(wording.number, digits=3))


def axis_words(along: str, up: str, x: Axis, y: Axis, height: float) -> list[Html]:
    middle = (x.start + x.end) / 2
    return [
        h("text", along, x=middle, y=height - 4, class_="axis mid"),
        h("text", up, x=-(y.start + y.end) / 2, y=11, transform="rotate(-90)", class_="axis mid"),
    ]


def below(labels: Sequence[str], x: Axis, height: float) -> list[Html]:
    """Words below an axis: as many of them as there is room for."""
    width = max(1.0, LETTER * max(len(cut(label, 16)) for label in labels) + 12)
    every = max(1, math.ceil(len(labels) * width / max(1.0, x.end - x.start)))
    shown = [(i, label) for i, label in enumerate(labels) if i % every == 0]
    return [h("text", cut(label, 16), x=x(i), y=height - 22, class_="tick mid") for i, label in shown]


# -- bars ----------------------------------------------------------------------------------------------------------


def bars(figure: Bars) -> Html | None:
    """Standing bars where the labels fit below them, else lying ones."""
    series = {name: numbers(values) for name, values in figure.series.items()}
    known = room(*series.values(), np.zeros(1), air=0.0)
    if known is None or not figure.labels or not any(np.isfinite(v).any() for v in series.values()):
        return None
    low, high = known[0], known[1] if known[1] > known[0] else known[0] + 1.0
    widest = LETTER * max(len(label) for label in figure.labels) + 10
    stands = widest * len(figure.labels) <= WIDTH - 72
    chart = standing(figure, series, low, high) if stands else lying(figure, series, low, high)
    return text(legend(list(series)) if len(series) > 1 else None, chart)


def legend(names: Sequence[str]) -> Html:
    keys = [h("span", h("span", class_=f"key fill {style(i)}"), name) for i, name in enumerate(names)]
    return h("p", keys, class_="legend")


def standing(figure: Bars, series: dict[str, np.ndarray], low: float, high: float) -> Html:
    height, left = 250.0, 58.0
    y = Axis(low, high + 0.05 * (high - low), height - BOTTOM, TOP)
    x = Axis(-0.5, len(figure.labels) - 0.5, left, WIDTH - 4)
    slot = (x.end - x.start) / len(figure.labels)
    each = min(0.76 * slot, 72.0 * len(series)) / len(series)
    marks = [
        upright(label, name, v, x(k) + (i - len(series) / 2) * each, each, y, style(i))
        for i, (name, values) in enumerate(series.items())
        for k, (label, v) in enumerate(zip(figure.labels, values.tolist(), strict=True))
        if math.isfinite(v)
    ]
    return svg(
        height,
        figure.title,
        grid(x, y, height - BOTTOM, along=False),
        marks,
        below(list(figure.labels), x, height),
        axis_words("", figure.y_label, x, y, height),
    )


def upright(label: str, name: str, value: float, at: float, width: float, y: Axis, kind: str) -> Html:
    top, foot = sorted((y(value), y(0.0)))
    title = h("title", f"{label}, {name}: {wording.number(value)}")
    return h(
        "rect", title, x=at, y=top, width=max(1.0, width - 1.5), height=max(1.0, foot - top), class_=f"fill {kind}"
    )


def lying(figure: Bars, series: dict[str, np.ndarray], low: float, high: float) -> Html:
    each, left, right = (20.0 if len(series) == 1 else 13.0), 210.0, 84.0
    row, tall = each * len(series) + 10, (each * len(series) + 10) * len(figure.labels)
    x = Axis(low, high, left, WIDTH - right)
    marks = [
        h("text", cut(label, 28), x=left - 12, y=k * row + row / 2 + 4, class_="name end")
        for k, label in enumerate(figure.labels)
    ]
    marks += [
        flat(v, x, k * row + 5 + i * each, each - 2, style(i))
        for i, values in enumerate(series.values())
        for k, v in enumerate(values.tolist())
        if math.isfinite(v)
    ]
    words = h("text", figure.y_label, x=(left + WIDTH - right) / 2, y=tall + 18, class_="axis mid")
    return svg(tall + (24 if figure.y_label else 4), figure.title, marks, words if figure.y_label else None)


def flat(value: float, x: Axis, top: float, height: float, kind: str) -> Html:
    start, end = sorted((x(0.0), x(value)))
    said = h("text", wording.number(value, 3), x=end + 7, y=top + height / 2 + 4, class_="tick")
    return h("g", h("rect", x=start, y=top, width=max(1.0, end - start), height=height, class_=f"fill {kind}"), said)


# -- shades, pictures, tables --------------------------------------------------------------------------------------


def heat(figure: Heat) -> Html | None:
    """A matrix as one picture, the darker the larger; row 0 is at the top."""
    values = np.asarray(figure.values, np.float64)
    known = room(values, air=0.0)
    if known is None or values.ndim != 2:
        return None
    low, high = known
    shares = np.nan_to_num((shrunk(values, MOST_CELLS) - low) / max(high - low, 1e-300), nan=0.0)
    names = max((len(cut(str(r), 18)) for r in figure.rows), default=0)
    left, right = 30.0 + LETTER * names, 8.0
    tall = min(420.0, max(120.0, (WIDTH - left - right) * len(values) / max(1, values.shape[1])))
    x, y = Axis(-0.5, values.shape[1] - 0.5, left, WIDTH - right), Axis(-0.5, len(values) - 0.5, 4.0, 4.0 + tall)
    height = tall + 48
    return text(
        svg(
            height,
            figure.title,
            h("rect", x=left, y=4.0, width=x.end - left, height=tall, class_="ground"),
            shade(tinted(shares, ACCENT, gamma=1.0), x, y),
            beside(figure.rows, y, left - 8),
            below([str(c) for c in figure.columns], x, height) if len(figure.columns) else None,
            axis_words(figure.x_label, figure.y_label, x, y, height),
        ),
        h("p", f"From {wording.number(low, 3)} (empty) to {wording.number(high, 3)} (full colour).", class_="none"),
    )


def shade(link: str, x: Axis, y: Axis) -> Html:
    return h(
        "image", href=link, x=x.start, y=y.start, width=x.end - x.start, height=y.end - y.start,
        preserveAspectRatio="none", class_="shades",
    )  # fmt: skip


def beside(labels: Sequence[Any], y: Axis, right: float) -> list[Html]:
    """Words beside an axis: as many of them as there is room for."""
    every = max(1, math.ceil(14.0 * len(labels) / (y.end - y.start)))
    shown = [(i, str(label)) for i, label in enumerate(labels) if i % every == 0]
    return [h("text", cut(label, 18), x=right, y=y(i) + 4, class_="tick end") for i, label in shown]


def pictures(figure: Pictures) -> Html | None:
    if not len(figure.images):
        return None
    columns = max(1, figure.columns)
    most = max(112, int(1680 / columns))
    captions = [*figure.captions, *[""] * len(figure.images)]
    shown = [picture(p, captions[i], most) for i, p in enumerate(figure.images[:MOST_PICTURES])]
    left_out = len(figure.images) - len(shown)
    return text(
        h("div", shown, class_="pictures", style=f"--columns:{columns}"),
        h("p", f"Pictures not shown: {left_out}.", class_="none") if left_out > 0 else None,
    )


def picture(pixels: np.ndarray, caption: str, most: int) -> Html:
    exact = "exact" if max(pixels.shape[:2]) <= AS_PNG else None
    image = h("img", src=thumbnail(pixels, most), alt=caption or "picture", class_=exact)
    return h("figure", image, h("figcaption", caption) if caption else None)


def table(figure: Grid) -> Html | None:
    if not figure.rows:
        return None
    right = [numeric([row[i] for row in figure.rows]) for i in range(len(figure.header))]
    kinds = ["num" if n else None for n in right]
    head = h("tr", [h("th", name, class_=kind) for name, kind in zip(figure.header, kinds, strict=True)])
    body = [
        h("tr", [h("td", cell(v), class_=kind) for v, kind in zip(row, kinds, strict=True)])
        for row in figure.rows[:MOST_ROWS]
    ]
    return h("div", h("table", h("thead", head), h("tbody", body)), class_="scroll")


def numeric(values: Sequence[Any]) -> bool:
    return all(v is None or isinstance(v, int | float | np.number) for v in values)


def cell(value: Any) -> str:
    return value if isinstance(value, str) else wording.number(value.item() if isinstance(value, np.generic) else value)
