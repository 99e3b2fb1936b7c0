"""The sections of a report that say what is behind the result: trials, recipe, findings, data, time, place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from whet.recipe import Edit, Recipe, show
from whet.record import Finding
from whet.report import charts, wording
from whet.report.markup import Html, h, text
from whet.report.parts import brief, score_in, section, watched_of
from whet.report.view import RunView, Tried

MOST_PROBLEMS = 20
GRAVE = {"error": 0, "warning": 1, "info": 2}


def tried(run: RunView) -> Html | None:
    if not run.tried:
        return None
    head = [h("th", "Trial"), h("th", "Recipe"), h("th", "Time", class_="num")]
    head += [h("th", f"Validation {wording.metric_name(watched_of(run))}", class_="num"), h("th", "What became of it")]
    table = h("table", h("thead", h("tr", head)), h("tbody", [_tried_row(run, t) for t in run.tried]))
    return section(
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
        h("td", score_in(run)(one.score), class_="num"),
        h("td", one.fate, h("span", f" {one.why}", class_="soft") if one.why else None),
        class_="won" if one.trial == run.winner else None,
    )


def recipe(run: RunView) -> Html | None:
    won = run.recipes.get(run.winner)
    if won is None and not run.edits:
        return None
    return section(
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
    return section("Findings", "What stood out in the data and in the training.", [_finding(f) for f in ordered])


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
    return section("The data", "What it looks like, and what that suggests.", parts, _problems(run))


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
    return section("Where the seconds went", said, chart, h("table", h("tbody", lines)))


def surroundings(run: RunView) -> Html | None:
    groups = (("Machine", run.machine), ("Versions", run.versions))
    shown = [h("div", h("h3", title), _pairs(known)) for title, known in groups if known]
    if not shown:
        return None
    return section("Where it ran", "What another machine needs to get the same numbers.", h("div", shown, class_="two"))


def _pairs(known: Mapping[str, Any]) -> Html:
    pairs = [(h("dt", str(k).replace("_", " ")), h("dd", brief(v))) for k, v in known.items()]
    return h("dl", pairs, class_="pairs")
