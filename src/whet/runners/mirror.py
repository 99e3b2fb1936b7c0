"""Copies of a run's folders at a URL that fsspec understands, for machines that share no disk."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from whet.train.loop import Training


class Mirror:
    """What lies below `root` here lies below `url` there, under the same names.

    A file there is whole or not there at all, whatever moment a machine dies in. A checkpoint comes after the files that
    belong to it.
    """

    def __init__(self, url: str, root: Path) -> None:
        import fsspec

        self.url, self.root = url, root
        self._files: Any
        self._files, top = fsspec.url_to_fs(url)
        self._top = PurePosixPath(top)
        self._pushed: dict[Path, int] = {}

    def push(self, folder: Path) -> None:
        """Bring there what is new here, and remove there what is gone here."""
        found = sorted(
            (p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")), key=_checkpoints_last
        )
        for path in found:
            when = path.stat().st_mtime_ns
            if self._pushed.get(path) != when:
                self._put(path)
                self._pushed[path] = when
        for name in self._names(folder) - {p.name for p in found}:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(str(self._there(folder) / name))

    def pull(self, folder: Path) -> bool:
        """Make the folder here what it is there, as a whole; False if there is nothing."""
        names = self._names(folder)
        if not names:
            return False
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # an old checkpoint may go just now
                self._files.get_file(str(self._there(folder) / name), str(made / name))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
        return True

    def _there(self, folder: Path) -> PurePosixPath:
        return self._top / folder.relative_to(self.root).as_posix()

    def _names(self, folder: Path) -> set[str]:
        self._files.invalidate_cache()
        try:
            listed: Iterable[Any] = self._files.ls(str(self._there(folder)), detail=False)
        except FileNotFoundError:
            return set()
        names = {PurePosixPath(str(path)).name for path in listed}
        return {name for name in names if not name.endswith(".part")}

    def _put(self, path: Path) -> None:
        there = self._there(path.parent)
        self._files.makedirs(str(there), exist_ok=True)
        piece = f"{there / path.name}.part"
        self._files.put_file(str(path), piece)
        self._files.mv(piece, str(there / path.name))


def _checkpoints_last(path: Path) -> tuple[bool, str]:
    return path.name.startswith("checkpoint-"), path.name


class Saved:
    """Listens to a training and mirrors its folder after each checkpoint. It must come after what writes them."""

    def __init__(self, mirror: Mirror, folder: Path) -> None:
        self.mirror, self.folder = mirror, folder
        self._seen = 0

    def on_save(self, training: Training) -> None:
        changed = self.folder.stat().st_mtime_ns  # by files that come and go, not by those that grow
        if changed != self._seen:
            self._seen = changed
            self.mirror.push(self.folder)
