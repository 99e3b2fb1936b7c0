"""What the sections of a report are built of."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from whet.report import wording
from whet.report.markup import Html, h
from whet.report.view import RunView


def section(title: str, said: str, *children: object) -> Html:
    return h("section", h("h2", title), h("p", said), *children)


def metric_of(run: RunView) -> str:
    return str(run.result.get("metric", "score"))


def watched_of(run: RunView) -> str:
    """The metric of the validation rows."""
    return str(run.result.get("watched") or metric_of(run))


def score_in(run: RunView) -> Callable[[Any], str]:
    return partial(wording.score, metric_of(run))


def label_of(run: RunView, trial: str) -> str:
    return next((t.label for t in run.tried if t.trial == trial), "")


def class_names(run: RunView) -> list[str]:
    names = [str(c) for c in run.classes]
    size = 0 if run.confusion is None else len(run.confusion)
    return names if len(names) == size else [str(i) for i in range(size)]


def brief(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}"
    return cut(str(value), 60) if not isinstance(value, int | float) and value is not None else wording.number(value)


def cut(label: str, length: int) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"
