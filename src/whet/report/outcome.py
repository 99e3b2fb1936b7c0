"""The sections of a report that say how good the network is, and where it errs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from whet.report import charts, wording
from whet.report.figures import ACCENT, drawn
from whet.report.markup import Html, h, text
from whet.report.parts import brief, class_names, cut, label_of, metric_of, score_in, section, watched_of
from whet.report.pictures import AS_PNG, thumbnail, tinted
from whet.report.view import PictureMistake, RowMistake, RunView

MOST_MISTAKES = 24
MOST_COLUMNS = 8
"""Columns of a table's row that a report has room for."""
MOST_NUMBERED = 12
"""Classes up to which the confusion matrix is roomy."""
MOST_CELLS = 26
"""Classes up to which it has a number in each cell; above, it is a picture."""


def baselines(run: RunView) -> Html | None:
    known = wording.baselines(run.result)
    value = run.result.get("value")
    if not known or not isinstance(value, int | float):
        return None
    chart = charts.bars({"this network": value, **known}, "this network", wording.interval(run.result), score_in(run))
    better = "Lower is better." if run.result.get("direction") == "min" else "Higher is better."
    return section("Beside the baselines", f"The same test rows, the same metric. {better}", chart)


def figures(run: RunView) -> Html | None:
    """What the field has to show of its result."""
    if not run.figures:
        return None
    return section("At a glance", "What the network does with the test rows.", [drawn(f) for f in run.figures])


def learning(run: RunView) -> Html | None:
    """All trials' validation scores over their seconds, and the winner's losses."""
    metric, better = watched_of(run), "min" if run.result.get("direction") == "min" else "max"
    if metric != metric_of(run):  # measured where there are no labels: a cost
        better = "min"
    name = wording.metric_name(metric)
    lines = [
        charts.Line(
            "winner" if r.trial == run.winner else f"{r.trial} {label_of(run, r.trial)}",
            r.curve(f"val/{metric}"),
            "main" if r.trial == run.winner else "other",
        )
        for r in run.records
    ]
    every = charts.curves(lines, "seconds of training", f"validation {name}", better, metric)
    losses = charts.curves(_losses(run), "seconds of training", "loss", "min", "loss")
    if every is None and losses is None:
        return None
    return section(
        "How it learned",
        f"The score on the validation rows, over the seconds that a trial was trained; the weights of {kept(run)} are kept."
        + (" Grey trials were given up on the way." if len(run.records) > 1 else ""),
        every or h("p", "No validation score was recorded.", class_="none"),
        [h("h3", "The winner's loss, on training and validation rows"), losses] if losses else None,
    )


def kept(run: RunView) -> str:
    """Whose weights a trial keeps (`whet.train.loop.settle`)."""
    pictures = str(run.result["task"]).startswith("image")
    return "its end, or of a moment before that was clearly better," if pictures else "its best moment"


def _losses(run: RunView) -> list[charts.Line]:
    won = [r for r in run.records if r.trial == run.winner]
    named = (("validation", "val/loss", "main"), ("training", "train/loss", "second"))
    return [charts.Line(name, r.curve(key), style) for r in won for name, key, style in named]


def confusion(run: RunView) -> Html | None:
    if run.confusion is None or not len(run.confusion):
        return None
    matrix, names = np.asarray(run.confusion), class_names(run)
    shares = charts.heat(matrix)
    if len(names) > MOST_CELLS:
        shown: Html = h("img", class_="heat", alt="confusion matrix", src=tinted(shares, ACCENT))
        said = "A row is a true class, a column what the network said; the diagonal is right."
    else:
        shown = h("div", _cells(matrix, shares, names), class_="scroll")
        said = "A row is a true class, a column what the network said. Numbers are test rows."
    return section("What it confuses", said, shown, _pairs_confused(matrix, names))


def _cells(matrix: np.ndarray, shares: np.ndarray, names: list[str]) -> Html:
    head = h("tr", h("th"), [h("th", h("span", cut(n, 16)), scope="col") for n in names])
    rows = [
        h("tr", h("th", cut(name, 24), scope="row"), [_cell(n, s) for n, s in zip(counts, row, strict=True)])
        for name, counts, row in zip(names, matrix, shares, strict=True)
    ]
    dense = "confusion" if len(names) <= MOST_NUMBERED else "confusion dense"
    return h("table", h("thead", head), h("tbody", rows), class_=dense)


def _cell(count: Any, share: float) -> Html:
    if not count:
        return h("td", "0", class_="zero")
    visible = f"--s:{0.08 + 0.92 * share:.2f}"
    return h("td", int(count), class_="strong" if share > 0.5 else None, style=visible, title=wording.percent(share))


def _pairs_confused(matrix: np.ndarray, names: list[str]) -> Html | None:
    """The confusions that happen most, in words: what a person reads off the matrix first."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(wrong, axis=None)[::-1][:5]
    pairs = [(int(i // len(names)), int(i % len(names))) for i in order if wrong.flat[i]]
    if not pairs:
        return h("p", "It made no mistake on the test rows.", class_="none")
    rows = [
        h(
            "tr",
            h("td", names[t]),
            h("td", names[p]),
            h("td", f"{int(wrong[t, p])} of {int(matrix[t].sum())}", class_="num"),
        )
        for t, p in pairs
    ]
    head = h("tr", h("th", "True"), h("th", "Taken for"), h("th", "Rows", class_="num"))
    return text(h("h3", "Most frequent confusions"), h("table", h("thead", head), h("tbody", rows)))


def residuals(run: RunView) -> Html | None:
    if run.values is None:
        return None
    true, predicted = run.values
    unit = str(run.result.get("target") or "")
    dots, columns = charts.scatter(true, predicted, unit), charts.histogram(true, predicted, unit)
    if dots is None:
        return None
    return section(
        "How far off it is",
        "Left: each test row, on the dashed line where the prediction is right. Right: how often it is how far off.",
        h("div", dots, columns, class_="two"),
    )


def mistakes(run: RunView) -> Html | None:
    if run.pictures:
        sure = "Test images that it got wrong while it was most sure of itself."
        said = sure if run.classes else "The test images that it missed by most."
        shown = h("div", [_picture(p, bool(run.classes)) for p in run.pictures[:MOST_MISTAKES]], class_="mistakes")
        return section("Its worst mistakes", said, shown)
    if not run.rows:
        return None
    said = "Test rows that it got wrong while it was most sure of itself."
    return section(
        "Its worst mistakes", said if run.classes else "The test rows that it missed by most.", _rows(run.rows)
    )


def _picture(mistake: PictureMistake, classes: bool) -> Html:
    exact = "exact" if max(mistake.pixels.shape[:2]) <= AS_PNG else None
    sure = wording.percent(mistake.confidence) if classes else f"off by {mistake.confidence:.4g}"
    return h(
        "figure",
        h("img", src=thumbnail(mistake.pixels), alt=f"{mistake.true}, taken for {mistake.predicted}", class_=exact),
        h(
            "figcaption",
            h("b", mistake.predicted),
            h("span", f" {sure}", class_="soft"),
            h("br"),
            f"is {mistake.true}",
            h("span", mistake.id, class_="id"),
        ),
    )


def _rows(rows: Iterable[RowMistake]) -> Html:
    shown = list(rows)[:MOST_MISTAKES]
    columns = list(shown[0].row)[:MOST_COLUMNS]
    more = len(shown[0].row) - len(columns)
    sure = any(m.confidence is not None for m in shown)
    head = [h("th", "True"), h("th", "Predicted"), h("th", "Sure", class_="num") if sure else None]
    lines = [
        h(
            "tr",
            h("td", brief(m.true), class_="nowrap"),
            h("td", h("b", brief(m.predicted)), class_="nowrap"),
            h("td", wording.percent(m.confidence or 0.0), class_="num") if sure else None,
            [h("td", brief(m.row.get(c)), class_="soft nowrap") for c in columns],
        )
        for m in shown
    ]
    table = h("table", h("thead", h("tr", head, [h("th", cut(c, 22)) for c in columns])), h("tbody", lines))
    return text(
        h("div", table, class_="scroll"),
        h("p", f"Columns not shown: {more}.", class_="none") if more > 0 else None,
    )
