"""A study's journal on disk: a first line that says whose it is, then a line per event, each synced."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from whet import files
from whet.errors import OutputError, SearchError
from whet.journal import Journal

FORMAT = 1


class StudyLog:
    """The events of one study in a file that belongs to one process at a time."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path, self._head = path, files.finite(dict(head))
        self.close = weakref.finalize(self, locked(path))
        """Let another process have the file."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        path = self.path
        files.mend(path)
        self._journal = Journal(path)
        said = self._journal.last("study")
        if said is None:
            refuse_stranger(path, self._journal)
            self._journal.say("study", 0.0, format=FORMAT, **self._head)
        else:
            refuse_other(path, said, self._head)
        self._bytes = path.stat().st_size

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (line for line in self._journal if line["event"] != "study")

    def say(self, event: Mapping[str, Any], spent: float) -> None:
        """Append an event and sync it. Raises when another process wrote in between."""
        if self.path.stat().st_size != self._bytes:
            raise SearchError(
                f"{self.path} was changed by somebody else.", "Open the study again: it goes on from there."
            )
        said = dict(event)
        self._journal.say(said.pop("event"), spent, **said)
        self._bytes = self.path.stat().st_size


def refuse_stranger(path: Path, journal: Journal) -> None:
    if any(True for _ in journal) or (path.exists() and path.stat().st_size):
        raise SearchError(f"{path} is not the journal of a study.", "Choose another file.")


def refuse_other(path: Path, said: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    """One line where the journal's first line is not the one that this study would write."""
    if said.get("format") != FORMAT:
        seen = said.get("format")
        raise SearchError(f"{path} has the format {seen}; this whet reads {FORMAT}.", "Choose another file.")
    for name, mine in head.items():
        if said.get(name) != mine:
            what = (
                differing(said.get(name), mine)
                if name == "space"
                else f"{name} is {said.get(name)} there and {mine} here"
            )
            raise SearchError(f"{path} belongs to another study: {what}.", "Choose another file, or ask for the same.")


def differing(theirs: Any, mine: Any) -> str:
    """Which parameters of two spaces differ."""
    if not isinstance(theirs, Mapping) or "sha256" in theirs or "sha256" in mine:
        return "its candidates are others"
    names = [n for n in {**theirs, **mine} if theirs.get(n) != mine.get(n)]
    return f"the space differs in {', '.join(names)}"


OPEN: set[tuple[int, Path]] = set()
"""(process, journal) of the studies that are open here: the system's locks hold between processes only."""


def locked(path: Path) -> Callable[[], None]:
    """Lock the file against other studies; returns what ends the lock. It ends with the process too, however that ends,
    and children don't inherit it. Raises SearchError for a folder, OutputError for a file that is in use."""
    if path.is_dir():
        raise SearchError(f"journal={str(path)!r} is a folder.", f"Name a file: {str(path / 'search.jsonl')!r}")
    here = (os.getpid(), path.resolve())
    if here in OPEN:
        raise OutputError(f"{path} is in use by another study of this program.", "Close that one first: study.close()")
    unlock = locked_against_processes(path)
    OPEN.add(here)

    def release() -> None:
        OPEN.discard(here)
        unlock()

    return release


def locked_against_processes(path: Path) -> Callable[[], None]:
    """Where the system has no fcntl nothing is locked."""
    try:
        import fcntl
    except ImportError:
        return lambda: None
    with files.saying_where(path, "Choose another file."):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            raise OutputError(f"{path} is in use by another process.", "Wait for it, or choose another file.") from None
    return partial(os.close, handle)
