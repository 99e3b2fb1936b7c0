"""Trees in a process of their own, which imports scikit-learn while this one imports torch and reads the data.

    this process      start ----- import torch, read, transform ----- trees() --send--+            +--receive--> Baseline
    the other one       +--- import scikit-learn --- wait for work --------------------+--- fit ---+

Imports keep one core busy however many there are; a process beside this one uses another. It ends with its answer, or when
this process ends and its input closes. Where it can't be started, or fails, the trees are fitted here.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from whet.tasks.features import Baseline, Features, Wanted

MOST_BYTES = 1 << 27
"""Larger tables are not sent: the copies would cost more than the import."""
PATIENCE = 10.0
"""Seconds that the answer may take beyond those that were wanted, the import among them."""
ENDINGS = (".csv", ".tsv", ".jsonl")
_started: list[subprocess.Popen[bytes]] = []


@contextlib.contextmanager
def early(data: str) -> Iterator[None]:
    """Within the block the other process is at hand, if this source looks as if it will be needed."""
    if looks_like_a_table(Path(data)):
        start()
    try:
        yield
    finally:
        stop()


def looks_like_a_table(path: Path) -> bool:
    """Whether this is a text table, or a folder of them; other sources name themselves later, when it is too late."""
    try:
        found = [*path.iterdir()] if path.is_dir() else [path]
    except OSError:
        return False
    return any(ending in p.name.lower() for p in found for ending in ENDINGS)


def start() -> None:
    """Start the other process, unless one waits, or this one has imported scikit-learn already."""
    if _started or "sklearn" in sys.modules:
        return
    # -P: nothing is imported from the folder in which the user stands.
    command = [sys.executable, "-P", "-c", "from whet.tasks.aside import serve; serve()"]
    with contextlib.suppress(OSError, TypeError):  # no interpreter is known where Python is embedded
        _started.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )


def stop() -> None:
    """End the other process, if one waits."""
    while _started:
        with _started.pop() as process:
            process.kill()


def trees(train: Features, y: np.ndarray, test: Features, wanted: Wanted) -> Baseline:
    """The baseline of boosted trees, from the process that waits, else from this one."""
    from whet.tasks.trees import trees as fit

    small = sum(x.nbytes for f in (train, test) for x in (f.numeric, f.category)) <= MOST_BYTES
    found = _asked(train, y, test, wanted) if _started and small else None
    stop()
    return found or fit(train, y, test, wanted)


def _asked(train: Features, y: np.ndarray, test: Features, wanted: Wanted) -> Baseline | None:
    """The other process's answer; None if it gave none."""
    process = _started.pop()
    try:
        work = _packed({"wanted": asdict(wanted), "cardinalities": train.cardinalities}, _arrays(train, y, test))
        said, _ = process.communicate(work, timeout=wanted.seconds + PATIENCE)
        about, arrays = _unpacked(said)
        return Baseline("trees", arrays.get("predicted"), about["seconds"], about["note"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, subprocess.TimeoutExpired):
        process.kill()
        process.communicate()
        return None


def serve() -> None:
    """What the other process does: import, wait for work, fit, answer."""
    from whet.tasks.trees import ready
    from whet.tasks.trees import trees as fit

    ready()
    work = sys.stdin.buffer.read()
    if not work:  # nobody wanted it
        return
    about, arrays = _unpacked(work)
    sizes = tuple(about["cardinalities"])
    train = Features(arrays["numeric"], arrays["category"], sizes)
    test = Features(arrays["test_numeric"], arrays["test_category"], sizes)
    found = fit(train, arrays["y"], test, Wanted(**about["wanted"]))
    predicted = {} if found.predicted is None else {"predicted": found.predicted}
    sys.stdout.buffer.write(_packed({"seconds": found.seconds, "note": found.note}, predicted))


def _arrays(train: Features, y: np.ndarray, test: Features) -> dict[str, np.ndarray]:
    sent = {"numeric": train.numeric, "category": train.category, "y": y}
    return {**sent, "test_numeric": test.numeric, "test_category": test.category}


def _packed(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """JSON and arrays as the bytes of an .npz file."""
    file = io.BytesIO()
    np.savez(file, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return json.loads(str(found["about"])), {name: found[name] for name in found.files if name != "about"}
