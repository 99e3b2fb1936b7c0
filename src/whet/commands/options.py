"""What several commands ask for, and when the process that runs them began."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[
    str,
    typer.Argument(help="A folder of class folders, a CSV/TSV/JSONL/Parquet file, .npz, IDX files, or a bundled name."),
]
Target = Annotated[str | None, typer.Option(help="The column to predict.")]
TaskName = Annotated[str | None, typer.Option("--task", help="What is to be learned; inferred if not given.")]
Holdout = Annotated[str | None, typer.Option(help="Another source, used as the test part.")]
Split = Annotated[
    str | None, typer.Option(help="A CSV of path,label,split, a column with train/val/test, or temporal.")
]
Model = Annotated[str | None, typer.Option(help="Your own network: FILE.py:function.")]
Ray = Annotated[str | None, typer.Option(help="On this Ray cluster: auto, HOST:PORT, or local.")]
Storage = Annotated[str | None, typer.Option(help="A URL that all nodes reach, if they share no disk.")]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]
Said = dict[str, Any]
"""What was said of columns; see `whet.roles`."""


def process_start() -> float:
    """When this process began, on the clock of time.monotonic: the budget counts from there, imports included."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        return min(
            ticks / os.sysconf("SC_CLK_TCK") + time.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME),
            time.monotonic(),
        )
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic()
