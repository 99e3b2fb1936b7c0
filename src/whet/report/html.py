"""The report of a run: one HTML file that opens offline, in light, in dark and on paper."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from whet import files
from whet.report import background, outcome, wording
from whet.report.markup import Html, h, text
from whet.report.parts import metric_of, score_in
from whet.report.view import RunView


def write(run: RunView) -> Path:
    """Write the run's report.html and return its path. Raises OutputError where it can't be written."""
    path = run.folder / "report.html"
    files.write_text(path, page(run))
    return path


def page(run: RunView) -> str:
    """The whole page as text. A section that has nothing to show is left out."""
    sections = (
        outcome.baselines,
        outcome.figures,
        outcome.learning,
        outcome.confusion,
        outcome.residuals,
        outcome.mistakes,
        background.tried,
        background.recipe,
        background.findings,
        background.profile,
        background.seconds,
        background.surroundings,
    )
    title = f"{run.name}: {wording.metric_name(metric_of(run))} {score_in(run)(run.result.get('value'))}"
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
    result = run.result
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
        h("p", wording.unmeasured(result), class_="verdict") if wording.unmeasured(result) else _measured(run),
        h("p", wording.verdict(result), class_="verdict") if wording.verdict(result) else None,
        h("dl", [h("div", h("dt", k), h("dd", v)) for k, v in facts.items() if v != wording.MISSING], class_="facts"),
    )


def _measured(run: RunView) -> Html:
    ends = wording.interval(run.result)
    said = f"95 % interval {score_in(run)(ends[0])} to {score_in(run)(ends[1])}, on " if ends else "Measured on "
    return text(
        h("p", score_in(run)(run.result.get("value")), h("small", wording.metric_name(metric_of(run))), class_="score"),
        h("p", f"{said}{wording.rows_of(run.result)}, opened once.", class_="interval"),
    )


def _footer(run: RunView) -> Html:
    command = wording.command(run.result, run.folder.name)
    return h(
        "footer", "Use this network: ", h("code", command), ". Everything above was read from the run's own records."
    )
