"""The commands for a training that goes wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer


def diagnose(
    what: Annotated[
        str, typer.Argument(metavar="RUN|FILE.py:FUNCTION", help="A run, or a function that returns a Setup.")
    ],
    seed: Annotated[int, typer.Option(help="Of the training that is watched.")] = 0,
    range_test: Annotated[
        bool, typer.Option("--range-test", help="Also short runs with a rising learning rate.")
    ] = False,
    sharpness: Annotated[
        bool, typer.Option("--sharpness", help="Also the loss's largest curvature at the end.")
    ] = False,
) -> None:
    """Say what is wrong with a training, where, and how sure that is."""
    from whet.report.doctor import show_diagnosis, show_run
    from whet.setups.files import is_setup, load

    if not is_setup(what) and not what.endswith(".py"):
        show_run(Path(what))
        return
    from whet.doctor import diagnose as call

    show_diagnosis(call(load(what), seed, range_test=range_test, sharpness=sharpness))


def repair(
    what: Annotated[str, typer.Argument(metavar="FILE.py:FUNCTION", help="A function that returns a Setup.")],
    seed: Annotated[int, typer.Option(help="Of the first training.")] = 0,
    budget: Annotated[float, typer.Option(help="In trainings of the set-up as given, diagnosis included.")] = 3.0,
    seconds: Annotated[float, typer.Option(help="By the clock, after which nothing new is begun.")] = math.inf,
    out: Annotated[Path | None, typer.Option(help="A file for the repaired set-up as code.")] = None,
) -> None:
    """Mend a training with as few edits as will do, and prove that they help."""
    from whet import files
    from whet.repairing import repair as call
    from whet.report.doctor import show_repair
    from whet.setups.files import load

    repaired = call(load(what), seed, budget, seconds=seconds)
    show_repair(repaired)
    if out is not None and repaired.edits:
        files.write_text(out, f"{beginning(what)}{repaired.as_code()}\n")
        typer.echo(f"The repaired set-up as code is in {out}.")


def beginning(what: str) -> str:
    """The set-up as it was given, for a file beside its own."""
    file, _, name = what.rpartition(":")
    return f"from {Path(file).stem} import {name}\n\nsetup = {name}()\n"
