"""Charts as hand-written SVG: colours come from the page's stylesheet, so that they follow light, dark and print.

Every chart is drawn in a box of WIDTH units and scales with the page. Points that are NaN or infinite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from whet.report import wording
from whet.report.markup import Html, h

WIDTH = 720.0
MOST_POINTS = 240
"""Points kept of a line: more can't be seen."""
MOST_DOTS = 1500
"""Dots kept of a scatter plot."""
LETTER, LINE_HEIGHT = 6.6, 13.0
"""The width of a letter beside an axis or a line, and the room that a line of them takes, in a chart's units."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    label: str
    points: tuple[Point, ...]
    style: str = "other"
    """A class of the stylesheet: "main", "second" or "other"."""


@dataclass(frozen=True)
class Axis:
    """Maps values to the page: `low` to `start`, `high` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        return [t for t in ticks(self.low, self.high) if self.low - 1e-12 <= t <= self.high + 1e-12]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`: steps of 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def curves(lines: Sequence[Line], x_label: str, y_label: str, better: str, metric: str) -> Html | None:
    """Lines over time; None if there is no finite point. `better`: "max" or "min".

    The y axis leaves out the worst twentieth of the values: the first moments of training would squeeze all the rest.
    """
    clean = [Line(one.label, tuple(_finite(one.points)), one.style) for one in lines]
    clean = [one for one in clean if one.points]
    if not clean:
        return None
    height, left, right, top, bottom = 290.0, 52.0, 140.0, 14.0, 40.0
    xs = [x for one in clean for x, _ in one.points]
    x = Axis(0.0, max(max(xs), 1e-9), left, WIDTH - right)
    y = Axis(*_range([v for one in clean for _, v in one.points], better), height - bottom, top)
    order = sorted(clean, key=lambda one: ("other", "second", "main").index(one.style))
    return svg(
        height,
        f"{y_label} over {x_label}",
        grid(x, y, height - bottom, metric),
        h("text", x_label, x=(left + WIDTH - right) / 2, y=height - 4, class_="axis mid"),
        h("g", [_polyline(one, x, y, top, height - bottom) for one in order]),
        h("g", _names([one for one in clean if one.style == "other"], x, y)),
        end_labels([one for one in clean if one.style != "other"], x, y, partial(wording.score, metric)),
    )


def _range(values: Sequence[float], better: str) -> tuple[float, float]:
    """From the worst value worth showing to the best one, with some air."""
    ordered = np.sort(np.asarray(values))
    low, high = float(ordered[0]), float(ordered[-1])
    if len(ordered) >= 10:
        low, high = (
            (float(np.quantile(ordered, 0.05)), high) if better == "max" else (low, float(np.quantile(ordered, 0.95)))
        )
    if high - low <= 1e-12 * max(1.0, abs(high)):
        pad = 0.05 * max(abs(high), 1e-6)
        return low - pad, high + pad
    air = 0.06 * (high - low)
    return low - air, high + air


def grid(x: Axis, y: Axis, floor: float, metric: str = "", along: bool = True) -> Html:
    """The lines and numbers of the y axis, the numbers of the x axis if asked for, and the floor."""
    across = [
        (
            h("line", x1=x.start, x2=x.end, y1=y(t), y2=y(t), class_="grid"),
            h("text", said, x=x.start - 8, y=y(t) + 4, class_="tick end"),
        )
        for t, said in zip(y.ticks, wording.ticks(metric, y.ticks), strict=True)
    ]
    below = [
        h("text", said, x=x(t), y=floor + 18, class_="tick mid")
        for t, said in zip(x.ticks, wording.ticks("", x.ticks), strict=True)
    ]
    return h("g", across, below if along else None, h("line", x1=x.start, x2=x.end, y1=floor, y2=floor, class_="base"))


def _polyline(line: Line, x: Axis, y: Axis, top: float, floor: float) -> Html:
    points = thin(line.points, MOST_POINTS)
    placed = [(x(a), min(max(y(b), top), floor)) for a, b in points]
    name = h("title", line.label)
    if len(placed) == 1:
        return h("circle", name, cx=placed[0][0], cy=placed[0][1], r=3, class_=f"dot {line.style}")
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
    end = h("circle", cx=placed[-1][0], cy=placed[-1][1], r=3, class_=f"dot {line.style}")
    return h("g", h("polyline", name, points=path, class_=f"line {line.style}"), end)


def _names(lines: Sequence[Line], x: Axis, y: Axis) -> list[Html]:
    """A name at the end of each line, the longest first; where one would lie on another, pointing at the line still says it."""
    taken: list[tuple[float, float, float]] = []
    shown = []
    for line in sorted(lines, key=lambda one: -one.points[-1][0]):
        name, left = line.label.split(" ")[0], x(line.points[-1][0]) + 7
        at, right = min(max(y(line.points[-1][1]), y.end), y.start) + 4, left + LETTER * len(name)
        if all(abs(at - b) > LINE_HEIGHT or right < a or left > c for a, b, c in taken):
            taken.append((left, at, right))
            shown.append(h("text", name, x=left, y=at, class_="tick"))
    return shown


def end_labels(lines: Sequence[Line], x: Axis, y: Axis, show: Callable[[float], str]) -> list[Html]:
    """A name and the last value at the right end of each important line, pushed apart where they would touch."""
    ordered = sorted(lines, key=lambda one: y(one.points[-1][1]))
    heights: list[float] = []
    for line in ordered:
        heights.append(max(y(line.points[-1][1]) + 4, heights[-1] + 17 if heights else y.end))
    up = max(0.0, heights[-1] - (y.start - 4)) if heights else 0.0
    return [
        h(
            "text",
            h("tspan", line.label, class_="label"),
            f" {show(line.points[-1][1])}",
            x=x(line.points[-1][0]) + 9,
            y=at - up,
            class_=f"ending {line.style}",
        )
        for line, at in zip(ordered, heights, strict=True)
    ]


def bars(
    values: Mapping[str, float], ours: str, interval: tuple[float, float] | None, show: Callable[[float], str]
) -> Html | None:
    """A horizontal bar per value from zero, the one named `ours` in the accent colour with its interval."""
    known = {k: v for k, v in values.items() if math.isfinite(v)}
    if not known:
        return None
    row, left, right = 34.0, 190.0, 84.0
    ends = [0.0, *known.values(), *(interval or ())]
    low, high = min(ends), max(ends)
    x = Axis(low, high if high > low else low + 1.0, left, WIDTH - right)
    marks = [
        _bar(name, value, x, i * row, name == ours, interval if name == ours else None, show)
        for i, (name, value) in enumerate(known.items())
    ]
    band = None
    if interval is not None:  # a baseline whose bar ends in it can't be told apart
        a, b = x(interval[0]), x(interval[1])
        band = h("rect", x=a, y=0, width=max(1.0, b - a), height=row * len(known) + 4, class_="band")
    return svg(row * len(known) + 4, "scores", band, marks)


def _bar(
    name: str,
    value: float,
    x: Axis,
    top: float,
    ours: bool,
    interval: tuple[float, float] | None,
    show: Callable[[float], str],
) -> Html:
    start, end = sorted((x(0.0), x(value)))
    middle = top + 16
    style = "ours" if ours else "base"
    whisker, label_at = [], max(end, x(0.0))
    if interval is not None:
        a, b = x(interval[0]), x(interval[1])
        label_at = max(label_at, b)
        whisker = [h("line", x1=a, x2=b, y1=middle, y2=middle, class_="whisker")]
        whisker += [h("line", x1=c, x2=c, y1=middle - 5, y2=middle + 5, class_="whisker") for c in (a, b)]
    return h(
        "g",
        h("text", cut(name, 28), x=x.start - 12, y=middle + 4, class_=f"name end {style}"),
        h("rect", x=start, y=top + 6, width=max(1.0, end - start), height=20, rx=2, class_=f"bar {style}"),
        whisker,
        h("text", show(value), x=label_at + 9, y=middle + 4, class_=f"value {style}"),
    )


def scatter(true: np.ndarray, predicted: np.ndarray, unit: str) -> Html | None:
    """Predicted against true values with the line where they agree; None if nothing is finite."""
    t, p = _both_finite(true, predicted)
    if not len(t):
        return None
    size, left, bottom, top = 350.0, 58.0, 44.0, 12.0
    low, high = float(min(t.min(), p.min())), float(max(t.max(), p.max()))
    low, high = _range([low, high], "max")
    x, y = Axis(low, high, left, size - 10), Axis(low, high, size - bottom, top)
    keep = np.linspace(0, len(t) - 1, min(len(t), MOST_DOTS)).astype(int)
    dots = "".join(f"M{x(a):.1f} {y(b):.1f}h0" for a, b in zip(t[keep], p[keep], strict=True))
    return svg(
        size,
        "predicted against true values",
        grid(x, y, size - bottom),
        h("path", d=dots, class_="cloud"),
        h("line", x1=x(low), y1=y(low), x2=x(high), y2=y(high), class_="ideal"),
        h("text", f"true {cut(unit, 24)}", x=(left + size) / 2, y=size - 6, class_="axis mid"),
        h("text", "predicted", x=-(size - bottom) / 2, y=12, transform="rotate(-90)", class_="axis mid"),
        width=size,
    )


def histogram(true: np.ndarray, predicted: np.ndarray, unit: str) -> Html | None:
    """How far off the predictions are: counts of predicted minus true. The outer 1 % goes into the outermost bars."""
    t, p = _both_finite(true, predicted)
    if not len(t):
        return None
    size, left, bottom, top = 350.0, 46.0, 44.0, 12.0
    off = p - t
    reach = max(float(np.quantile(np.abs(off), 0.99)), 1e-12)
    counts, edges = np.histogram(np.clip(off, -reach, reach), bins=31, range=(-reach, reach))
    x, y = Axis(-reach, reach, left, size - 10), Axis(0.0, float(counts.max()) * 1.05, size - bottom, top)
    columns = [
        h("rect", x=x(a) + 0.5, width=x(b) - x(a) - 1, y=y(float(n)), height=y(0.0) - y(float(n)), class_="column")
        for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
        if n
    ]
    return svg(
        size,
        "histogram of the errors",
        grid(x, y, size - bottom),
        columns,
        h("line", x1=x(0.0), x2=x(0.0), y1=top, y2=size - bottom, class_="ideal"),
        h("text", f"predicted − true {cut(unit, 18)}", x=(left + size) / 2, y=size - 6, class_="axis mid"),
        width=size,
    )


def timeline(parts: Mapping[str, float], budget: float | None) -> Html | None:
    """One bar of all the seconds, cut where one kind of work ended and the next began; a mark where the budget ends."""
    known = {k: v for k, v in parts.items() if math.isfinite(v) and v > 0}
    if not known:
        return None
    total = sum(known.values())
    x = Axis(0.0, max(total, budget or 0.0), 1.0, WIDTH - 1.0)
    marks, at, tint = [], 0.0, shades(known)
    for name, spent in known.items():
        a, b = x(at), x(at + spent)
        title = h("title", f"{name}: {wording.seconds(spent)}")
        box = h("rect", title, x=a, y=8, width=max(0.8, b - a - 1.5), height=30, class_=f"span shade{tint[name]}")
        inside = b - a > 7.2 * len(name) + 16
        marks.append([box, h("text", name, x=a + 9, y=27, class_=f"inside shade{tint[name]}") if inside else None])
        at += spent
    if budget:
        marks.append([h("line", x1=x(budget), x2=x(budget), y1=2, y2=44, class_="whisker")])
        words = f"budget {wording.seconds(budget)}"
        marks.append([h("text", words, x=min(x(budget), WIDTH), y=60, class_="tick end")])
    return svg(66, "where the seconds went", h("text", "0 s", x=0, y=60, class_="tick"), marks)


def shades(parts: Mapping[str, float]) -> dict[str, int]:
    """Which of the accent colour's five tints each part has: the more seconds, the stronger."""
    ranked = sorted(parts, key=lambda name: -parts[name])
    return {name: min(i, 4) for i, name in enumerate(ranked)}


def heat(matrix: np.ndarray) -> np.ndarray:
    """Shares of each true class, (classes, classes) in [0, 1]; a class without rows is all 0."""
    counts = np.asarray(matrix, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)


def svg(height: float, title: str, *children: object, width: float = WIDTH) -> Html:
    return h("svg", *children, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=title, class_="chart")


def _finite(points: Iterable[tuple[float, float | None]]) -> Iterator[Point]:
    """Those that can be drawn: a validation after a divergence has no value."""
    return ((x, y) for x, y in points if y is not None and math.isfinite(x) and math.isfinite(y))


def _both_finite(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(a, dtype=float).ravel(), np.asarray(b, dtype=float).ravel()
    keep = np.isfinite(x) & np.isfinite(y)
    return x[keep], y[keep]


def thin(points: Sequence[Point], most: int) -> list[Point]:
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def cut(label: str, length: int) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"
