"""New examples from a finished run of the task "generate"; works from the run folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from whet.errors import OutputError, UserError
from whet.fields import field
from whet.network import Network
from whet.screen import Screen


def generate(
    run: str | Path,
    n: int = 64,
    *,
    out: str | Path | None = None,
    label: str | None = None,
    seed: int = 0,
    model: Any = None,
    show: bool = False,
) -> Any:
    """New examples from a run: of pictures {"pictures": uint8 (n, H, W, C), "labels": …}, of a table a frame.

    `label`: one class only; None: all in turn. The same seed gives the same examples. `out`: also write them: pictures to
    .png (a sheet), .npz or a folder, rows to .csv or .parquet. `model`: as in `whet.predict`.

    Raises OutputError where the folder holds no network, or one that predicts.
    """
    if n < 1:
        raise UserError(f"n={n} examples can't be made.", "Give 1 or more.")
    if not Path(run).is_dir():
        raise OutputError(f"There is no run folder {str(run)!r}.", "Give the folder that `whet fit` wrote.")
    network = Network.load(Path(run), model)
    own = field(network.task.domain)
    made = own.generate(network, n, seed, label)
    if out is not None:
        Screen(show).say(own.write_generated(made, Path(out)))
    return made
