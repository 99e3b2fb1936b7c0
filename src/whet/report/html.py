"""The report of a run: one HTML file that opens offline, in light, in dark and on paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from whet import files
from whet.recipe import Edit, Recipe, show
from whet.record import Finding
from whet.report import charts, wording
from whet.report.figures import ACCENT, drawn
from whet.report.markup import Html, h, text
from whet.report.pictures import AS_PNG, thumbnail, tinted
from whet.report.view import PictureMistake, RowMistake, RunView, Tried

MOST_MISTAKES = 24
MOST_COLUMNS = 8
"""Columns of a table's row that a report has room for."""
MOST_PROBLEMS = 20
MOST_NUMBERED = 12
"""Classes up to which the confusion matrix is roomy."""
MOST_CELLS = 26
"""Classes up to which it has a number in each cell; above, it is a picture."""
GRAVE = {"error": 0, "warning": 1, "info": 2}


def write(run: RunView) -> Path:
    """Write the run's report.html and return its path. Raises OutputError where it can't be written."""
    path = run.folder / "report.html"
    files.write_text(path, page(run))
    return path


def page(run: RunView) -> str:
    """The whole page as text. A section that has nothing to show is left out."""
    sections = (
        baselines,
        figures,
        learning,
        confusion,
        residuals,
        mistakes,
        tried,
        recipe,
        findings,
        profile,
        seconds,
        surroundings,
    )
    title = f"{run.name}: {wording.metric_name(_metric(run))} {_score(run)(run.result.get('value'))}"
    style = resources.files("whet.report").joinpath("style.css").read_text(encoding="utf-8")
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("title", title),
        h("style", Html(style)),
    )
    body = h("main", headline(run), [section(run) for section in sections], _footer(run))
    return "<!doctype html>\n" + h("html", head, h("body", body), lang="en") + "\n"


def headline(run: RunView) -> Html:
    """The score with its interval, what it beats, and the handful of facts behind it."""
    result, ends = run.result, wording.interval(run.result)
    said = f"95 % interval {_score(run)(ends[0])} to {_score(run)(ends[1])}, on " if ends else "Measured on "
    facts = {
        "Task": str(result.get("task", wording.MISSING)).replace("-", " "),
        "Trained in": wording.seconds(result.get("seconds")),
        "Budget": wording.seconds(result.get("budget_s")),
        "Recipes tried": wording.number(len(run.tried)) if run.tried else wording.MISSING,
        "Network": run.recipes[run.winner].family.name if run.winner in run.recipes else wording.MISSING,
        "Seed": str(result.get("seed", wording.MISSING)),
    }
    return h(
        "header",
        h("p", h("b", "whet"), h("span", run.folder.name), class_="brand"),
        h("h1", run.name),
        h("p", _score(run)(result.get("value")), h("small", wording.metric_name(_metric(run))), class_="score"),
        h("p", f"{said}{wording.rows_of(result)}, opened once.", class_="interval"),
        h("p", wording.verdict(result), class_="verdict") if wording.verdict(result) else None,
        h("dl", [h("div", h("dt", k), h("dd", v)) for k, v in facts.items() if v != wording.MISSING], class_="facts"),
    )


def baselines(run: RunView) -> Html | None:
    known = wording.baselines(run.result)
    value = run.result.get("value")
    if not known or not isinstance(value, int | float):
        return None
    chart = charts.bars({"this network": value, **known}, "this network", wording.interval(run.result), _score(run))
    better = "Lower is better." if run.result.get("direction") == "min" else "Higher is better."
    return _section("Beside the baselines", f"The same test rows, the same metric. {better}", chart)


def figures(run: RunView) -> Html | None:
    """What the field has to show of its result."""
    if not run.figures:
        return None
    return _section("At a glance", "What the network does with the test rows.", [drawn(f) for f in run.figures])


def learning(run: RunView) -> Html | None:
    """All trials' validation scores over their seconds, and the winner's losses."""
    metric, better = _watched(run), "min" if run.result.get("direction") == "min" else "max"
    if metric != _metric(run):  # measured where there are no labels: a cost
        better = "min"
    name = wording.metric_name(metric)
    lines = [
        charts.Line(
            "winner" if r.trial == run.winner else f"{r.trial} {_label(run, r.trial)}",
            r.curve(f"val/{metric}"),
            "main" if r.trial == run.winner else "other",
        )
        for r in run.records
    ]
    every = charts.curves(lines, "seconds of training", f"validation {name}", better, metric)
    losses = charts.curves(_losses(run), "seconds of training", "loss", "min", "loss")
    if every is None and losses is None:
        return None
    return _section(
        "How it learned",
        "The score on the validation rows, over the seconds that a trial was trained; the weights of its best moment are kept."
        + (" Grey trials were given up on the way." if len(run.records) > 1 else ""),
        every or h("p", "No validation score was recorded.", class_="none"),
        [h("h3", "The winner's loss, on training and validation rows"), losses] if losses else None,
    )


def _losses(run: RunView) -> list[charts.Line]:
    won = [r for r in run.records if r.trial == run.winner]
    named = (("validation", "val/loss", "main"), ("training", "train/loss", "second"))
    return [charts.Line(name, r.curve(key), style) for r in won for name, key, style in named]


def confusion(run: RunView) -> Html | None:
    if run.confusion is None or not len(run.confusion):
        return None
    matrix, names = np.asarray(run.confusion), _class_names(run)
    shares = charts.heat(matrix)
    if len(names) > MOST_CELLS:
        shown: Html = h("img", class_="heat", alt="confusion matrix", src=tinted(shares, ACCENT))
        said = "A row is a true class, a column what the network said; the diagonal is right."
    else:
        shown = h("div", _cells(matrix, shares, names), class_="scroll")
        said = "A row is a true class, a column what the network said. Numbers are test rows."
    return _section("What it confuses", said, shown, _pairs_confused(matrix, names))


def _cells(matrix: np.ndarray, shares: np.ndarray, names: list[str]) -> Html:
    head = h("tr", h("th"), [h("th", h("span", _cut(n, 16)), scope="col") for n in names])
    rows = [
        h("tr", h("th", _cut(name, 24), scope="row"), [_cell(n, s) for n, s in zip(counts, row, strict=True)])
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
    return _section(
        "How far off it is",
        "Left: each test row, on the dashed line where the prediction is right. Right: how often it is how far off.",
        h("div", dots, columns, class_="two"),
    )


def mistakes(run: RunView) -> Html | None:
    if run.pictures:
        sure = "Test images that it got wrong while it was most sure of itself."
        said = sure if run.classes else "The test images that it missed by most."
        shown = h("div", [_picture(p, bool(run.classes)) for p in run.pictures[:MOST_MISTAKES]], class_="mistakes")
        return _section("Its worst mistakes", said, shown)
    if not run.rows:
        return None
    said = "Test rows that it got wrong while it was most sure of itself."
    return _section(
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
            h("td", _value(m.true), class_="nowrap"),
            h("td", h("b", _value(m.predicted)), class_="nowrap"),
            h("td", wording.percent(m.confidence or 0.0), class_="num") if sure else None,
            [h("td", _value(m.row.get(c)), class_="soft nowrap") for c in columns],
        )
        for m in shown
    ]
    table = h("table", h("thead", h("tr", head, [h("th", _cut(c, 22)) for c in columns])), h("tbody", lines))
    return text(
        h("div", table, class_="scroll"),
        h("p", f"Columns not shown: {more}.", class_="none") if more > 0 else None,
    )


def tried(run: RunView) -> Html | None:
    if not run.tried:
        return None
    head = [h("th", "Trial"), h("th", "Recipe"), h("th", "Time", class_="num")]
    head += [h("th", f"Validation {wording.metric_name(_watched(run))}", class_="num"), h("th", "What became of it")]
    table = h("table", h("thead", h("tr", head)), h("tbody", [_tried_row(run, t) for t in run.tried]))
    return _section(
        "What was tried",
        run.why or "Every recipe that was trained, and why it went on or stopped.",
        h("div", table, class_="scroll"),
    )


def _tried_row(run: RunView, one: Tried) -> Html:
    return h(
        "tr",
        h("td", one.trial, class_="nowrap"),
        h("td", one.label),
        h("td", wording.seconds(one.seconds), class_="num"),
        h("td", _score(run)(one.score), class_="num"),
        h("td", one.fate, h("span", f" {one.why}", class_="soft") if one.why else None),
        class_="won" if one.trial == run.winner else None,
    )


def recipe(run: RunView) -> Html | None:
    won = run.recipes.get(run.winner)
    if won is None and not run.edits:
        return None
    return _section(
        "The recipe",
        "What differs from the default recipe, choice by choice.",
        _diff(run.edits) if run.edits else h("p", "It is the default recipe.", class_="none"),
        _whole(won) if won is not None else None,
    )


def _diff(edits: Iterable[Edit]) -> Html:
    edits = list(edits)
    why = any(e.because for e in edits)
    head = [h("th", "Choice"), h("th", "Default"), h("th", "Here"), h("th", "Because") if why else None]
    lines = [
        h(
            "tr",
            h("td", e.path, class_="nowrap"),
            h("td", h("code", show(e.old), class_="old") if e.old is not None else wording.MISSING),
            h("td", h("code", show(e.new), class_="new") if e.new is not None else wording.MISSING),
            h("td", e.because, class_="soft") if why else None,
        )
        for e in edits
    ]
    return h("div", h("table", h("thead", h("tr", head)), h("tbody", lines), class_="diff"), class_="scroll")


def _whole(won: Recipe) -> Html:
    return h(
        "details", h("summary", f"The whole recipe ({won.hash}), as recipe.toml"), h("pre", h("code", won.to_toml()))
    )


def findings(run: RunView) -> Html | None:
    if not run.findings:
        return None
    ordered = sorted(run.findings, key=lambda f: GRAVE.get(f.severity, 3))
    return _section("Findings", "What stood out in the data and in the training.", [_finding(f) for f in ordered])


def _finding(found: Finding) -> Html:
    where = f" · {found.where}" if found.where else ""
    evidence = "; ".join(f"{k} {show(v)}" for k, v in found.evidence.items())
    return h(
        "div",
        h("span", found.severity, class_=f"level {found.severity}"),
        h(
            "div",
            h("p", h("b", found.name.replace("-", " ").replace("_", " ")), h("span", where, class_="soft")),
            h("p", found.cause),
            h("p", found.advice, class_="advice") if found.advice else None,
            h("p", f"Worth trying: {', or '.join(found.remedies)}.", class_="advice") if found.remedies else None,
            h("p", evidence, class_="evidence") if evidence else None,
        ),
        class_="finding",
    )


def profile(run: RunView) -> Html | None:
    if not run.profile and not run.problems:
        return None
    parts = []
    for part in run.profile:
        lines = [
            h("tr", h("td", r.name, class_="soft"), h("td", r.value), h("td", r.suggestion, class_="soft"))
            for r in part.rows
        ]
        parts.append([h("h3", part.title), h("table", h("tbody", lines), class_="three")])
    return _section("The data", "What it looks like, and what that suggests.", parts, _problems(run))


def _problems(run: RunView) -> Html | None:
    if not run.problems:
        return None
    shown = run.problems[:MOST_PROBLEMS]
    rest = len(run.problems) - len(shown)
    lines = [h("tr", h("td", p.where), h("td", p.why, class_="soft")) for p in shown]
    return text(
        h("h3", f"Skipped because it could not be read: {len(run.problems)}"),
        h("table", h("tbody", lines)),
        h("p", f"and {rest} more", class_="none") if rest else None,
    )


def seconds(run: RunView) -> Html | None:
    budget = run.result.get("budget_s")
    chart = charts.timeline(run.timings, budget if isinstance(budget, int | float) and math.isfinite(budget) else None)
    if chart is None:
        return None
    known = {k: v for k, v in run.timings.items() if math.isfinite(v) and v > 0}
    total, tint = sum(known.values()), charts.shades(known)
    lines = [
        h(
            "tr",
            h("td", h("span", class_=f"swatch shade{tint[name]}"), name),
            h("td", wording.seconds(spent), class_="num"),
            h("td", wording.percent(spent / total), class_="num soft"),
        )
        for name, spent in known.items()
    ]
    said = f"{wording.seconds(total)} in all, from left to right as they were spent."
    return _section("Where the seconds went", said, chart, h("table", h("tbody", lines)))


def surroundings(run: RunView) -> Html | None:
    groups = (("Machine", run.machine), ("Versions", run.versions))
    shown = [h("div", h("h3", title), _pairs(known)) for title, known in groups if known]
    if not shown:
        return None
    return _section(
        "Where it ran", "What another machine needs to get the same numbers.", h("div", shown, class_="two")
    )


def _pairs(known: Mapping[str, Any]) -> Html:
    pairs = [(h("dt", str(k).replace("_", " ")), h("dd", _value(v))) for k, v in known.items()]
    return h("dl", pairs, class_="pairs")


def _footer(run: RunView) -> Html:
    command = wording.command(run.result, run.folder.name)
    return h(
        "footer", "Use this network: ", h("code", command), ". Everything above was read from the run's own records."
    )


def _section(title: str, said: str, *children: object) -> Html:
    return h("section", h("h2", title), h("p", said), *children)


def _metric(run: RunView) -> str:
    return str(run.result.get("metric", "score"))


def _watched(run: RunView) -> str:
    """The metric of the validation rows."""
    return str(run.result.get("watched") or _metric(run))


def _score(run: RunView) -> Callable[[Any], str]:
    return partial(wording.score, _metric(run))


def _label(run: RunView, trial: str) -> str:
    return next((t.label for t in run.tried if t.trial == trial), "")


def _class_names(run: RunView) -> list[str]:
    names = [str(c) for c in run.classes]
    size = 0 if run.confusion is None else len(run.confusion)
    return names if len(names) == size else [str(i) for i in range(size)]


def _value(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}"
    return _cut(str(value), 60) if not isinstance(value, int | float) and value is not None else wording.number(value)


def _cut(label: str, length: int) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"
