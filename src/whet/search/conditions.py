"""Parameters that wait for others: which order they are chosen in, and whether a condition holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whet.errors import SearchError, UnknownName, UserError, shown

if TYPE_CHECKING:
    from whet.search.space import Parameter


def holds(when: Mapping[str, Sequence[Any]] | None, params: Mapping[str, Any]) -> bool:
    """Whether a condition holds: every parameter that it names is chosen and has one of its values."""
    return when is None or all(name in params and params[name] in values for name, values in when.items())


def ordered(parameters: Mapping[str, Parameter]) -> list[str]:
    """The names, each after those it depends on. Raises where one is unknown, can't be met, or waits for itself."""
    for name, p in parameters.items():
        for other, values in (p.when or {}).items():
            if other not in parameters:
                raise SearchError(f"{name} depends on {other!r}.", str(UnknownName("parameter", other, parameters)))
            for value in values:
                check_condition(name, other, parameters[other], value)
    done: list[str] = []
    while len(done) < len(parameters):
        ready = [n for n, p in parameters.items() if n not in done and set(p.when or ()) <= set(done)]
        if not ready:
            raise SearchError(f"{', '.join(n for n in parameters if n not in done)} wait for each other.")
        done += ready
    return done


def check_condition(name: str, other: str, parameter: Parameter, value: Any) -> None:
    try:
        parameter.check(value)
    except UserError as error:
        raise SearchError(
            f"{name} waits for {other}={shown(value)}, which never comes: {error.what}", error.next_step
        ) from None
