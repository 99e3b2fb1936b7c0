"""Spaces and studies as text, in columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from whet.search.choices import Categorical

if TYPE_CHECKING:
    from whet.search.space import Parameter, Space
    from whet.search.trial import Trial


def columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Text in columns; empty ones are left out."""
    lines = [tuple(head), *map(tuple, rows)]
    used = [i for i in range(len(head)) if any(line[i] for line in lines[1:])]
    widths = {i: max(len(line[i]) for line in lines) for i in used}
    return "\n".join("  ".join(line[i].ljust(widths[i]) for i in used).rstrip() for line in lines)


def of_space(space: Space) -> str:
    head = ("parameter", "kind", "values", "scale", "prior", "when")
    text = columns(head, ((name, *cells(parameter)) for name, parameter in space.items()))
    return text if space.candidates is None else f"{len(space.candidates)} candidates\n{text}"


def cells(parameter: Parameter) -> tuple[str, str, str, str, str]:
    """kind, values, scale, prior, when."""
    when, values = when_of(parameter), values_of(parameter)
    if isinstance(parameter, Categorical):
        weights = [f"{show(c)} {s:.0%}" for c, s in zip(parameter.choices, parameter.shares, strict=True)]
        return "choice", values, "", ", ".join(weights) if parameter.weights else "", when
    prior = f"{show(parameter.prior)} ({parameter.strength:.0%})" if parameter.prior is not None else ""
    scale = "log" if parameter.log else "log of 1 - value" if getattr(parameter, "to_one", False) else ""
    return type(parameter).__name__.lower(), values, scale, prior, when


def values_of(parameter: Parameter) -> str:
    """What can be chosen."""
    if isinstance(parameter, Categorical):
        return " | ".join(map(show, parameter.choices))
    return f"{show(parameter.low)} to {show(parameter.high)}"


def when_of(parameter: Parameter) -> str:
    """When it is chosen; empty: always."""
    return ", ".join(f"{name} = {' | '.join(map(show, values))}" for name, values in (parameter.when or {}).items())


def of_trials(trials: Sequence[Trial]) -> str:
    head = ("trial", "state", "resource", "value", "seconds", "parameters", "because")
    return columns(head, (trial_row(t) for t in trials))


def trial_row(trial: Trial) -> tuple[str, ...]:
    params = ", ".join(f"{name}={show(value)}" for name, value in trial.params.items())
    seconds = f"{trial.cost:.1f}" if trial.cost else ""
    notes = "; ".join(filter(None, (trial.because, ", ".join(trial.symptoms), trial.error.split("\n")[0])))
    return str(trial.trial), trial.state, show(trial.resource), show(trial.value), seconds, params, notes


def show(value: Any) -> str:
    """A value in few characters."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    return str(value)
