"""The journal of a run: one JSON line per thing that happened, synced, never changed. A run's state is its replay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whet import files, record


class Journal:
    """An append-only file of events; each line has the event's name and the seconds of budget spent by then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = list(record.lines(path))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._lines)

    def say(self, event: str, spent: float, **fields: Any) -> dict[str, Any]:
        """Append an event and sync it to the disk."""
        line = files.finite({"event": event, "spent": round(spent, 3), **fields})
        files.append_line(self.path, line)
        self._lines.append(line)
        return dict(line)

    def all(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self._lines if line.get("event") == event]

    def last(self, event: str) -> dict[str, Any] | None:
        """The newest line of this event; None if it never happened."""
        return next((line for line in reversed(self._lines) if line.get("event") == event), None)

    @property
    def spent(self) -> float:
        """Seconds of the budget that were spent when the newest line was written."""
        return max((line.get("spent", 0.0) for line in self._lines), default=0.0)
