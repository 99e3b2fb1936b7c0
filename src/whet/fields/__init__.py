"""The kinds of data that whet knows, by name. A field is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whet.data.core import Data, Inputs, Roles
from whet.data.glance import first_rows
from whet.data.sources import identify
from whet.data.table_kinds import tidy
from whet.errors import DataError, UnknownName

if TYPE_CHECKING:
    from whet.data.prepared import Transform
    from whet.fields.base import Field

HOMES = {
    "own": "own",
    "pictures": "generate.pictures",
    "rows": "generate.rows",
    "anomaly": "anomaly",
    "audio": "audio",
    "sequence": "sequence",
    "series": "forecast",
    "ratings": "recommend",
    "language": "text.language",
    "tagged": "text.tagged",
    "text": "text",
    "image": "image",
    "table": "table",
}
"""Name -> module of this package with a FIELD in it. In this order they are asked whether they take a source; images and
tables take what the others leave."""

HEAD = 2000
"""Rows of a table that are looked at to tell whether it is one."""


def field(name: str) -> Field:
    """The field of that name. Raises UnknownName."""
    if name not in HOMES:
        raise UnknownName("field", name, HOMES)
    found: Field = importlib.import_module(f"whet.fields.{HOMES[name]}").FIELD
    return found


def summary(name: str) -> str:
    """What data a field is for, in a sentence: the first one of its module."""
    said = importlib.import_module(f"whet.fields.{HOMES[name]}").__doc__ or ""
    return said.partition("\n\n")[0].replace("\n", " ").strip().removesuffix(".")


def load(
    source: Any,
    *,
    target: str | None = None,
    task: str | None = None,
    holdout: Any = None,
    split: Any = None,
    roles: Roles | None = None,
) -> Data:
    """Any source as the `Data` of the field that takes it.

    `source` is a path (a folder of class folders, a table's file, an .npz or IDX file, or a folder of them), a bundled
    name, a DataFrame, a pair (X, y), a mapping of arrays, or a torch Dataset. `target` names a table's column. `task`
    names what is to be learned; None: inferred, and said. `holdout` is another source that becomes the test part. `split`
    is a column with the values train, val and test, or a file of path,label,split. `roles` says what columns are.
    Raises DataError, with one clear line, for everything that can't be learned from.
    """
    roles, task = roles or Roles(), known_task(task)
    taken = next((field(n) for n in HOMES if field(n).takes(source, task, roles)), None)
    if taken is None and roles.given() and isinstance(source, str | Path):
        identify(source)  # that a path is not there is the first thing to say
    refuse_unread(taken, roles)
    alike = likeness(source) if taken is None and task is None and target is None else ""
    own = taken or field("table")
    try:
        found = own.load(source, target=target, task=task, holdout=holdout, split=split, roles=roles)
    except DataError as error:
        if not alike:
            raise
        raise DataError(error.what, f"{error.next_step} {alike}".strip()) from error
    return replace(found, said=(alike, *found.said)) if alike else found


def likeness(source: Any) -> str:
    """What a table looks like that nobody called so, and what to type, in a sentence; empty for a plain table."""
    head = first_rows(source, HEAD)
    if head is None or not head.height:
        return ""
    typed = tidy(head).frame
    return next(filter(None, (field(name).likeness(typed) for name in HOMES)), "")


def refuse_unread(taken: Field | None, roles: Roles) -> None:
    """Raises DataError where something was said of columns that this field does not ask for; None: images and tables."""
    held = taken.nouns[1] if taken else "pictures and plain tables"
    known = taken.roles if taken else ()
    for role in roles.given():
        if role not in known:
            said = f"--{role.replace('_', '-')} means nothing for {held}, as which the source is read."
            others = ", ".join(f"--{name.replace('_', '-')}" for name in known)
            raise DataError(said, f"Known here: {others}." if others else "Leave it out, or name a --task.")


def known_task(task: str | None) -> str | None:
    """The task in lower case. Raises UnknownName where no field knows it."""
    if task is None:
        return None
    known = {name for home in HOMES for name in field(home).tasks}
    if task.lower() not in known:
        raise UnknownName("task", task, known)
    return task.lower()


def load_inputs(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """A source to predict, for a network whose training data had this `input_spec`. Raises DataError."""
    return field(spec["domain"]).load_inputs(source, spec)


def transform_from(domain: str, state: Mapping[str, Any]) -> Transform:
    """The transform that its `to_dict` wrote."""
    return field(domain).transform_from(state)
