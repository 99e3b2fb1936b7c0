"""The options that say what columns and files are, in one place: every command that reads data has them all."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer


def _role(kind: Any, help: str) -> Any:
    return Annotated[kind | None, typer.Option(rich_help_panel="What columns and files are", help=help)]


ROLES = {
    "text": _role(str, "The column that holds text; several with commas between them."),
    "vectors": _role(str, "Vectors of words to begin with: a file as GloVe's or word2vec's, or .npy."),
    "user": _role(str, "The column of users, for a recommender."),
    "item": _role(str, "The column of items."),
    "user_features": _role(str, "What describes users: a file with a row for each, or columns."),
    "item_features": _role(str, "What describes items: a file with a row for each, or columns."),
    "rating": _role(str, "The column of ratings."),
    "time": _role(str, "The column of time stamps."),
    "series": _role(str, "The column that names the series of a row."),
    "horizon": _role(int, "Steps to forecast."),
    "lookback": _role(int, "Steps that a forecast looks back."),
    "pattern": _role(str, "How a file's name says its label: '{label}_{speaker}_{index}'."),
}
"""Field of `whet.data.core.Roles` -> its option."""


def with_roles(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each role; those that were said reach it as its parameter `roles`."""

    @functools.wraps(command)
    def run(*args: Any, **said: Any) -> None:
        roles = {name: said.pop(name, None) for name in ROLES}
        command(*args, **said, roles={name: value for name, value in roles.items() if value is not None})

    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.name != "roles"]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in ROLES.items()
    ]
    run.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*own, *more)}
    return run
