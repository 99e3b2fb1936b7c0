"""A comparison as one HTML file that opens offline: from compare.json alone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from whet import files
from whet.recipe import Recipe
from whet.recipe import show as in_words
from whet.report import wording
from whet.report.charts import WIDTH, Axis, cut, grid, svg
from whet.report.compare import PAGE, Result, about, between, failure, is_clear, length, rate, scale, spread, unit
from whet.report.figures import room
from whet.report.markup import Html, h


def write(folder: Path, result: Result) -> Path:
    """Write report.html and return its path. Raises OutputError where it can't be written."""
    path = folder / PAGE
    files.write_text(path, page(result))
    return path


def page(result: Result) -> str:
    """The whole page as text."""
    sections = (differences, seed_by_seed, learning, tuning, recipes, conditions)
    style = resources.files("whet.report").joinpath("style.css").read_text(encoding="utf-8")
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("title", f"{result['data']}: {', '.join(result['choices'])} compared"),
        h("style", Html(style)),
    )
    body = h("main", headline(result), [section(result) for section in sections], _footer())
    return "<!doctype html>\n" + h("html", head, h("body", body), lang="en") + "\n"


def headline(result: Result) -> Html:
    """The verdict first, then what it rests on."""
    main, *rest = result["said"] or ["Nothing could be compared."]
    facts = {
        "Task": str(result["task"]).replace("-", " "),
        "Arms": len(result["arms"]),
        "Seeds": len(result["seeds"]),
        "Each training": length(result),
        "Learning rates": "tuned for each arm" if result["arms"][0].get("tuning") else "as in the recipe",
        "In all": wording.seconds(result["seconds"]),
    }
    return h(
        "header",
        h("p", h("b", "whet"), h("span", "compare"), class_="brand"),
        h("h1", f"{result['data']}: {', '.join(result['choices'])}"),
        h("p", main, class_="saying"),
        [h("p", line, class_="verdict") for line in rest],
        [h("p", f"! {note}", class_="interval") for note in result["notes"]],
        h("dl", [h("div", h("dt", k), h("dd", v)) for k, v in facts.items()], class_="facts"),
    )


def differences(result: Result) -> Html | None:
    """A dot and its interval for each pair, and the arms as a table."""
    return _section(
        "How far apart they are",
        f"{about(result)} The thin line is wider: other test rows might have been drawn as well. Right of zero the first "
        f"of the two is higher{'; lower is better' if result['direction'] == 'min' else ''}.",
        forest(result),
        _table(result),
    )


def forest(result: Result) -> Html | None:
    pairs = [p for p in result["pairs"] if wording.is_number(p["difference"]) and wording.is_number(p["half"])]
    if not pairs:
        return None
    row, left, right = 40.0, 210.0, 130.0
    ends = [0.0]
    for p in pairs:
        reach = max(p["half"], p["half_rows"] or 0.0)
        ends += [scale(result) * (p["difference"] - reach), scale(result) * (p["difference"] + reach)]
    low, high = room(np.asarray(ends)) or (-1.0, 1.0)
    x, tall = Axis(low, high, left, WIDTH - right), row * len(pairs)
    ticks = [
        h(
            "g",
            h("line", x1=x(t), x2=x(t), y1=0, y2=tall, class_="grid"),
            h("text", said, x=x(t), y=tall + 18, class_="tick mid"),
        )
        for t, said in zip(x.ticks, wording.ticks("", x.ticks), strict=True)
    ]
    zero = h("line", x1=x(0.0), x2=x(0.0), y1=0, y2=tall, class_="whisker")
    marks = [_interval(p, i * row + row / 2, x, result) for i, p in enumerate(pairs)]
    words = h("text", f"difference in {unit(result)}", x=(x.start + x.end) / 2, y=tall + 38, class_="axis mid")
    return svg(tall + 46, "differences with intervals", ticks, zero, marks, words)


def _interval(pair: Result, at: float, x: Axis, result: Result) -> Html:
    middle, half = scale(result) * pair["difference"], scale(result) * pair["half"]
    wide = scale(result) * (pair["half_rows"] or 0.0)
    thin = h("line", x1=x(middle - wide), x2=x(middle + wide), y1=at, y2=at, class_="whisker")
    low, high = x(middle - half), x(middle + half)
    return h(
        "g",
        h("title", pair["said"]),
        h("text", cut(f"{pair['first']} − {pair['second']}", 30), x=x.start - 14, y=at + 4, class_="name end"),
        thin if wide else None,
        h(
            "rect",
            x=low,
            y=at - 4,
            width=max(1.0, high - low),
            height=8,
            rx=4,
            class_=f"bar {'ours' if is_clear(pair) else 'base'}",
        ),
        h("circle", cx=x(middle), cy=at, r=6, class_=f"dot {'strong' if is_clear(pair) else 'second'}"),
        h("text", between(pair, result), x=x.end + 12, y=at + 4, class_=f"value {'ours' * is_clear(pair)}"),
    )


def _table(result: Result) -> Html:
    metric = result["metric"]
    head = h(
        "tr",
        h("th", "Arm"),
        [h("th", name, class_="num") for name in ("Mean", "Spread", *(f"seed {s}" for s in result["seeds"]))],
        [h("th", name, class_="num") for name in ("Learning rate", "Steps", "Per training")],
    )
    lines = [
        h(
            "tr",
            h("td", arm["name"], class_="nowrap", title=arm.get("why") or None),
            h("td", failure(arm, result) or wording.score(metric, arm["mean"]), class_="num"),
            h("td", spread(arm, result), class_="num"),
            [h("td", wording.score(metric, s), class_="num soft") for s in arm["scores"]],
            h("td", rate(arm), class_="num"),
            h("td", wording.number(arm["steps"]), class_="num"),
            h("td", wording.seconds(arm["seconds"]), class_="num"),
            class_="won" if arm["name"] == result["best"] else None,
        )
        for arm in result["arms"]
    ]
    return h("div", h("table", h("thead", head), h("tbody", lines)), class_="scroll")


def seed_by_seed(result: Result) -> Html | None:
    """A line per seed through the arms: what pairing takes out of the noise is what the lines have in common."""
    arms = [a for a in result["arms"] if all(wording.is_number(s) for s in a["scores"])]
    if len(arms) < 2:
        return None
    scores = np.asarray([a["scores"] for a in arms], float)
    height, left, bottom, top = 280.0, 58.0, 40.0, 14.0
    low, high = room(scores) or (0.0, 1.0)
    y, x = Axis(low, high, height - bottom, top), Axis(-0.5, len(arms) - 0.5, left, WIDTH - 20)
    means = scores.mean(1)
    lines = [
        h("polyline", h("title", f"seed {seed}"), points=_path(scores[:, s].tolist(), x, y), class_="line other")
        for s, seed in enumerate(result["seeds"])
    ]
    dots = [h("circle", cx=x(a), cy=y(v), r=3, class_="dot second") for a, row in enumerate(scores) for v in row]
    bars = [h("line", x1=x(a) - 22, x2=x(a) + 22, y1=y(m), y2=y(m), class_="line main") for a, m in enumerate(means)]
    names = [h("text", cut(a["name"], 24), x=x(i), y=height - 16, class_="name mid") for i, a in enumerate(arms)]
    chart = svg(
        height, "scores by seed", grid(x, y, height - bottom, result["metric"], along=False), lines, dots, bars, names
    )
    said = (
        f"On the test rows ({wording.metric_name(result['metric'])}). A thin line joins the trainings that share a seed, "
        "hence data order and random numbers; the bar is the arm's mean."
    )
    return _section("Seed by seed", said, chart)


def _path(values: Sequence[float], x: Axis, y: Axis) -> str:
    return " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))


def learning(result: Result) -> Html | None:
    """The validation scores on the way, each arm's mean over its seeds."""
    from whet.figures import Lines
    from whet.report.figures import drawn

    at = np.linspace(0, 1, 25)
    series = {arm["name"]: mean_curve(arm["curves"], at) for arm in result["arms"] if arm.get("curves")}
    series = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not series:
        return None
    watched = wording.metric_name(result["watched"])
    figure = Lines("Validation on the way", at, series, "share of the training", watched)
    return _section("How they learned", f"The {watched} of the validation rows, mean of all seeds.", drawn(figure))


def mean_curve(curves: Sequence[Sequence[Sequence[float]]], at: np.ndarray) -> np.ndarray:
    """(progress,) mean of curves of (progress, value) points; NaN before the first point of any."""
    found = []
    for curve in curves:
        if curve:
            progress, values = np.asarray(curve, float).T
            found.append(np.interp(at, progress, values, left=np.nan))
    return np.mean(found, axis=0) if found else np.full(len(at), np.nan)


def tuning(result: Result) -> Html | None:
    """The rates that were tried."""
    tuned = [arm for arm in result["arms"] if arm.get("tuning")]
    if not tuned:
        return None
    lines = [
        h(
            "tr",
            h("td", arm["name"], class_="nowrap"),
            h("td", rate(arm), class_="num"),
            h(
                "td",
                [h("span", f"{lr}: {_trial(v, arm, result)}   ") for lr, v in arm["tuning"]["trials"].items()],
                class_="soft",
            ),
        )
        for arm in tuned
    ]
    head = h(
        "tr", h("th", "Arm"), h("th", "Chosen", class_="num"), h("th", "Tried, with its validation score", colspan=5)
    )
    return _section(
        "Learning rates",
        "Five trainings of half the length for each arm, on one seed that is not among the measured ones. What was chosen is "
        "the peak of a parabola through them, or of equal ones the nearest to the recipe's own rate.",
        h("div", h("table", h("thead", head), h("tbody", lines)), class_="scroll"),
    )


def _trial(value: float | None, arm: Result, result: Result) -> str:
    return arm["tuning"].get("fault", "diverged") if value is None else wording.score(result["watched"], value)


def recipes(result: Result) -> Html:
    """What the arms share, and what each changes."""
    base = Recipe.from_dict(result["base"])
    lines = [
        h(
            "tr",
            h("td", arm["name"], class_="nowrap"),
            h("td", h("code", edit.path)),
            h("td", in_words(edit.old)),
            h("td", h("b", in_words(edit.new))),
        )
        for arm in result["arms"]
        for edit in base.diff(Recipe.from_dict(arm["recipe"]))
        if edit.path != "steps"
    ]
    head = h("tr", [h("th", name) for name in ("Arm", "Choice", "Shared recipe", "Here")])
    table = h("div", h("table", h("thead", head), h("tbody", lines)), class_="scroll") if lines else None
    whole = h("details", h("summary", f"The shared recipe ({base.hash})"), h("pre", h("code", base.to_toml())))
    return _section("The recipes", "All that differs between the arms.", table, whole)


def conditions(result: Result) -> Html:
    known = {
        "rows": ", ".join(f"{n:,} {part}" for part, n in result["rows"].items()),
        "same in each arm": f"rows, their order and random numbers of a seed; {length(result)} ({result['size']['why']})",
        "seeds": ", ".join(map(str, result["seeds"])),
        "machine": result["machine"],
        **{name: str(version) for name, version in result["versions"].items()},
    }
    pairs = [(h("dt", k), h("dd", v)) for k, v in known.items()]
    return _section(
        "Where it ran", "What another machine needs to get the same numbers.", h("dl", pairs, class_="pairs")
    )


def _footer() -> Html:
    return h("footer", "Everything above was read from compare.json beside this page, which holds all values.")


def _section(title: str, said: str, *children: object) -> Html:
    return h("section", h("h2", title), h("p", said), *children)
