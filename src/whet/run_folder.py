"""The folder of a run: what was asked, its journal, its files; found again after a crash, refused when it is another's."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from whet import files
from whet.errors import OutputError, UserError, shown
from whet.journal import Journal

HOME = Path("whet-runs")
"""Where runs go when no folder is named."""
WORDS = {
    "fingerprint": "content of the data",
    "roles": "word on columns",
    "space": "search space",
    "choices": "list of choices",
}
"""What parts of an order are called, where their names don't say it."""
LONG = 60
"""Letters of a value above which it isn't shown."""
FORMAT = 2
"""Raised when an older run folder can't be read any more."""


@dataclass(frozen=True)
class Order:
    """What was asked for: two orders that are equal go on with the same run."""

    data: str
    fingerprint: str
    target: str | None
    task: str | None
    budget: float
    """Seconds."""
    seed: int
    model: str | None
    recipe: str | None
    """A recipe as JSON that is trained as it stands; None: the best is searched."""
    steps: int
    holdout: str | None
    split: str | None
    roles: Mapping[str, Any] = field(default_factory=dict)
    """What the user said of columns."""
    space: Mapping[str, Any] = field(default_factory=dict)
    """What the user wants searched, as plain data; empty: what the field says."""
    ensemble: bool = False
    """Whether several networks may be delivered as one."""
    loss: str | None = None
    """The user's own loss; None: the recipe's."""

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class RunFolder:
    """Names of the files in a run's folder."""

    path: Path

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def weights(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def task(self) -> Path:
        return self.path / "task.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def has_network(self) -> bool:
        """Whether something was trained: a network was delivered, a checkpoint waits, or a trial's best weights are kept."""
        return self.weights.exists() or any(
            found for name in ("checkpoint-*", "best.safetensors") for found in self.path.glob(f"trials/*/{name}")
        )

    def trial(self, name: str) -> Path:
        return self.path / "trials" / name

    def result_dict(self) -> dict[str, Any]:
        """The finished run's result. Raises OutputError where there is none."""
        try:
            found = json.loads(self.result.read_text())
            if not isinstance(found, dict):
                raise ValueError("it holds no object")
        except (FileNotFoundError, NotADirectoryError):
            raise OutputError(
                f"{self.path} holds no finished run.", "Give the folder of a run that has ended."
            ) from None
        except (OSError, ValueError) as error:
            raise OutputError(f"{self.result} can't be read: {error}.", "Run the same `whet fit` again.") from error
        return dict(found)


def choose(order: Order, name: str, out: Path | None) -> RunFolder:
    """The folder for this order: the one named, else `whet-runs/NAME-HASH`, numbered on when that one is finished."""
    if out is not None:
        return RunFolder(Path(out))
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        folder = RunFolder(HOME / f"{name}-{order.hash[:6]}{suffix}")
        if not folder.result.exists():
            return folder
        number += 1


@contextlib.contextmanager
def opened(folder: RunFolder, order: Order) -> Iterator[Journal]:
    """The folder's journal, locked against a second process. Raises OutputError when the folder is not for this order."""
    with _made(folder):
        with files.saying_where(folder.path):
            if Journal(folder.journal).last("start") is None:
                _refuse_strangers(folder)
        with _locked(folder.path / ".lock"):
            journal = Journal(folder.journal)
            begun = journal.last("start")
            if begun is not None:
                _refuse_other(folder, begun, order)
            _sweep(folder)
            try:
                if begun is None:
                    journal.say("start", 0.0, format=FORMAT, order=asdict(order), hash=order.hash)
                yield journal
            except UserError:
                if not folder.has_network:
                    _clear(folder)
                raise


@contextlib.contextmanager
def _made(folder: RunFolder) -> Iterator[None]:
    """The folder exists within the block. On an error of the user's, those that were made and are still empty go."""
    with files.saying_where(folder.path):
        missing = [path for path in (folder.path, *folder.path.parents) if not path.exists()]
    try:
        with files.saying_where(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
            if not os.access(folder.path, os.W_OK):
                raise PermissionError(errno.EACCES, "not writable")
        yield
    except UserError:
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _sweep(folder: RunFolder) -> None:
    """Remove the pieces of files that a killed process was writing."""
    for piece in [*folder.path.rglob(".*.part")]:
        piece.unlink(missing_ok=True)


def _clear(folder: RunFolder) -> None:
    """Remove what a run left that has trained nothing."""
    for name in ("trials", "prepared"):
        shutil.rmtree(folder.path / name, ignore_errors=True)
    for name in (folder.journal.name, "baselines.npz", ".lock"):
        with contextlib.suppress(OSError):
            (folder.path / name).unlink()


def _refuse_strangers(folder: RunFolder) -> None:
    own = {".lock"}
    if folder.journal.is_file() and b"\n" not in folder.journal.read_bytes():
        own.add(folder.journal.name)  # a process was killed while it wrote the first line
    found = sorted(p.name for p in folder.path.iterdir() if p.name not in own)
    if found:
        raise OutputError(
            f"{folder.path} is not empty (it holds {', '.join(found[:3])}) and holds no run of whet.",
            "Choose a new folder with --out.",
        )


def _refuse_other(folder: RunFolder, begun: dict[str, Any], order: Order) -> None:
    if begun.get("format") != FORMAT:
        raise OutputError(
            f"{folder.path} was written by another version of whet (format {begun.get('format')}, this one reads {FORMAT}).",
            "Choose a new folder with --out.",
        )
    if begun.get("hash") != order.hash:
        raise OutputError(
            f"{folder.path} holds a run that was started differently: {differing(begun.get('order', {}), order)}.",
            "Start the same command to go on with it, or choose a new folder with --out.",
        )


def differing(old: Mapping[str, Any], order: Order) -> str:
    """What differs between a run's order, as its journal has it, and this one."""
    new = json.loads(json.dumps(asdict(order)))
    if old.keys() != new.keys():
        return "by another command, or another version of whet"
    return "; ".join([_beside(name, old[name], new[name]) for name in new if old[name] != new[name]][:3])


def _beside(name: str, old: Any, new: Any) -> str:
    """Two values in words; of long ones only that they differ."""
    if name in WORDS or max(len(str(old)), len(str(new))) > LONG:
        return f"another {WORDS.get(name, name)}"
    there, now = ("not given" if value is None else shown(value) for value in (old, new))
    return f"{name} {there} there, {now} now"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An exclusive lock that ends with the process, however it ends; nothing where the system has no flock."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with files.saying_where(path), open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{path.parent} is in use by another whet process.", "Wait for it, or choose a new folder with --out."
            ) from None
        yield
