"""The commands for data as it is, and for runs that are done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whet.commands.options import Data, Holdout, Model, RunFolder, Said, Split, Target, TaskName
from whet.roles import with_roles


@with_roles
def profile(
    data: Data,
    target: Target = None,
    task: TaskName = None,
    holdout: Holdout = None,
    split: Split = None,
    *,
    roles: Said,
) -> None:
    """Print what the data looks like, and what that suggests."""
    from whet.profiling import profile as call
    from whet.report.text import show_profile

    show_profile(call(data, target=target, task=task, holdout=holdout, split=split, **roles))


def predict(
    run: RunFolder,
    data: Data,
    out: Annotated[Path, typer.Option(help="Where the predictions go.")] = Path("predictions.csv"),
    model: Model = None,
) -> None:
    """Write what the run's network says of other data."""
    from whet.predicting import predict as call

    call(run, data, out=out, model=model, show=True)


def generate(
    run: RunFolder,
    n: Annotated[int, typer.Option(help="How many examples.", min=1)] = 64,
    out: Annotated[
        Path, typer.Option(help="Pictures: .png (a sheet), .npz or a folder. Rows: .csv or .parquet.")
    ] = Path("generated"),
    label: Annotated[str | None, typer.Option(help="One class only; else all in turn.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes other examples.")] = 0,
    model: Model = None,
) -> None:
    """Make new examples with a run of --task generate."""
    from whet.generating import generate as call

    call(run, n, out=out, label=label, seed=seed, model=model, show=True)


def export(
    run: RunFolder,
    format: Annotated[str, typer.Option(help="onnx")] = "onnx",
    out: Annotated[Path | None, typer.Option(help="The file; model.onnx in the run folder if not given.")] = None,
    model: Model = None,
) -> None:
    """Write the run's network for other programs, checked against torch."""
    from whet.exporting import export as call

    call(run, format=format, out=out, model=model, show=True)


def report(runs: Annotated[list[Path], typer.Argument(help="Run folders.")]) -> None:
    """Write the reports of finished runs anew from what is stored, and print their summaries."""
    from whet.report import rebuild
    from whet.report.text import show_result
    from whet.run_folder import RunFolder

    for run in runs:
        if (run / "compare.json").is_file():
            show_comparison(run)
            continue
        result = RunFolder(run).result_dict()
        rebuild(run, result)
        show_result(result, run)


def show_comparison(folder: Path) -> None:
    """A comparison's report, written anew and printed."""
    from whet.comparing.comparison import Comparison
    from whet.report.compare import show
    from whet.report.compare_page import write

    found = Comparison.read(folder).details
    write(folder, found)
    show(found, folder)
