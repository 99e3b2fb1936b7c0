"""What can go wrong, as one small tree.

WhetError
├── UserError        the input is wrong; the command ends with exit code 2
│   ├── DataError        the data can't be read or can't be learned from
│   ├── UnknownName      a misspelt name; says the nearest ones
│   ├── RecipeError      a recipe's value is out of range
│   ├── BudgetError      the budget can't be read or is too short
│   ├── OutputError      the run folder can't be written
│   ├── SearchError      a search space, a trial or a study's journal does not fit
│   └── MissingExtra     an optional package is absent; says its install line
├── Diverged         training met NaN or infinity and could not go on
└── CorruptCheckpoint    a file's checksum does not match its content
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WhetError(Exception):
    """Any error that whet raises on purpose."""


class UserError(WhetError):
    """Input that is wrong: `what` is wrong with the values seen, and the `next_step` that mends it."""

    def __init__(self, what: str, next_step: str = "") -> None:
        self.what, self.next_step = what, next_step
        super().__init__(f"{what} {next_step}".strip())


class DataError(UserError):
    """Data that can't be read, or can't be learned from."""


class RecipeError(UserError):
    """A recipe with a value out of range, or of another type."""


class BudgetError(UserError):
    """A budget that can't be read, or in which nothing can be trained."""


class OutputError(UserError):
    """A run folder that can't be written: no permission, no space, or something else is there."""


class SearchError(UserError):
    """A search space that makes no sense, or a trial or a journal that does not fit the study."""


class MissingExtra(UserError):
    """An optional package that is needed here and not installed."""

    def __init__(self, package: str, extra: str, why: str) -> None:
        super().__init__(
            f"{why} needs the package {package!r}, which is not installed.",
            f"Install it with: pip install 'whet[{extra}]'",
        )


class UnknownName(UserError):
    """A name that is not in its list; the message offers the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.near = kind, name, nearest(str(name), known)
        super().__init__(f"There is no {kind} named {name!r}.", did_you_mean(self.near, sorted(known)))


class Diverged(WhetError):
    """The loss or a weight became NaN or infinite."""


class CorruptCheckpoint(WhetError):
    """A file whose checksum does not match its content."""


def shown(value: object) -> str:
    """A value as messages show it: text in quotes, numbers with six digits and no rounding error of ours behind them.

    >>> shown(0.1 + 0.2), shown("0.3"), shown((1, 1e-3))
    ('0.3', "'0.3'", '(1, 0.001)')
    """
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(shown, value)) + ")"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def nearest(name: str, known: Iterable[str], n: int = 3) -> tuple[str, ...]:
    """The up to `n` known names that look most like `name`, the nearest first, the word it begins with before all; ignores
    case."""
    by_lower = {k.lower(): k for k in known}
    begins = [k for k in by_lower if name.lower().startswith(f"{k}_")]
    close = difflib.get_close_matches(name.lower(), by_lower, n=n, cutoff=0.5)
    return tuple(by_lower[f] for f in dict.fromkeys([*sorted(begins, key=len, reverse=True), *close]))[:n]


def did_you_mean(near: tuple[str, ...], known: list[str], show: int = 12) -> str:
    """A hint: the nearest names where there are any, else the first of all the known ones."""
    if near:
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    rest = f" and {len(known) - show} more" if len(known) > show else ""
    return f"Known: {', '.join(known[:show])}{rest}."
