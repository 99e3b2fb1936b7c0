"""The command line: a command calls the public function of the same name, with the same words and defaults."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from whet import openmp
from whet.errors import UserError, WhetError
from whet.roles import with_roles

app = typer.Typer(
    name="whet",
    help="whet sharpens neural networks: it finds what trains best on your data in the time given.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
COMPARED = "What is compared"


def _compared(example: str) -> Any:
    return typer.Option(rich_help_panel=COMPARED, help=f"With commas between them: {example}")


Model = Annotated[str | None, typer.Option(help="Your own network: FILE.py:function.")]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]
Said = dict[str, Any]
"""What was said of columns; see `whet.roles`."""
INTERRUPTED = "Interrupted. The same command goes on where this stopped."


@app.command()
@with_roles
def fit(
    data: Data,
    target: Target = None,
    task: TaskName = None,
    budget: Annotated[str, typer.Option(help="Wall-clock for everything: 60s, 5m, 1h30m.")] = "60s",
    seed: Annotated[int, typer.Option(help="One seed for every random number.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The run folder; the same command goes on in it.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trials that run side by side; if not given, as many as pay.", min=1)
    ] = None,
    ray: Annotated[str | None, typer.Option(help="Trials run on this Ray cluster: auto, HOST:PORT, or local.")] = None,
    storage: Annotated[str | None, typer.Option(help="A URL that all nodes reach, if they share no disk.")] = None,
    holdout: Holdout = None,
    split: Split = None,
    model: Model = None,
    recipe: Annotated[Path | None, typer.Option(help="Train exactly this recipe.toml.")] = None,
    steps: Annotated[int | None, typer.Option(help="Train exactly this many steps.", min=1)] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(help="What is searched, once for each: optimizer.lr=1e-4..1e-2, activation=relu,gelu."),
    ] = None,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Several networks may be delivered as one.")] = False,
    *,
    roles: Said,
) -> None:
    """Train the best network that the budget allows, and report why it is the best."""
    from whet.tasks import aside

    with aside.early(data):
        from whet.improve import fit as run

        run(
            data,
            target=target,
            task=task,
            budget=budget,
            seed=seed,
            out=out,
            workers=workers,
            ray=ray,
            storage=storage,
            holdout=holdout,
            split=split,
            model=model,
            recipe=recipe,
            steps=steps,
            space=search,
            ensemble=ensemble,
            show=True,
            started=process_start(),
            **roles,
        )


@app.command()
@with_roles
def compare(
    data: Data,
    activation: Annotated[str | None, _compared("relu,gelu,mish")] = None,
    optimizer: Annotated[str | None, _compared("adamw,lion")] = None,
    init: Annotated[str | None, _compared("he,auto")] = None,
    norm: Annotated[str | None, _compared("batch,layer,none")] = None,
    loss: Annotated[str | None, _compared("cross_entropy,focal")] = None,
    augment: Annotated[str | None, _compared("none,flip,flip+crop(pad=2)")] = None,
    choices: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=A,B", rich_help_panel=COMPARED, help="Any choice: optimizer.lr=1e-3,1e-2"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings per arm, paired.")] = 5,
    budget: Annotated[str, typer.Option(help="Wall-clock for everything: 60s, 5m, 1h30m.")] = "5m",
    steps: Annotated[int | None, typer.Option(help="Exactly so many steps per training; no clock.", min=1)] = None,
    by: Annotated[str, typer.Option(help="What each training has the same of: steps or seconds.")] = "steps",
    keep_lr: Annotated[bool, typer.Option("--keep-lr", help="Don't tune each arm's learning rate.")] = False,
    target: Target = None,
    task: TaskName = None,
    seed: Annotated[int, typer.Option(help="Of the split, and the first of the trainings'.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The folder; the same command goes on in it.")] = None,
    workers: Annotated[int, typer.Option(help="Trainings that run side by side.", min=1)] = 1,
    holdout: Holdout = None,
    split: Split = None,
    model: Model = None,
    recipe: Annotated[
        Path | None, typer.Option(help="What all arms share; else what whet fit would try first.")
    ] = None,
    *,
    roles: Said,
) -> None:
    """A controlled experiment: which choice trains the best network on this data, and how sure is that?"""
    from whet.comparing.arms import asked_for
    from whet.comparing.conduct import compare as call

    named = given(activation=activation, optimizer=optimizer, init=init, norm=norm, loss=loss, augment=augment)
    call(
        data,
        asked_for(named, choices or ()),
        seeds=seeds,
        budget=budget,
        steps=steps,
        by=by,
        keep_lr=keep_lr,
        target=target,
        task=task,
        seed=seed,
        out=out,
        workers=workers,
        holdout=holdout,
        split=split,
        model=model,
        recipe=recipe,
        show=True,
        started=process_start(),
        **roles,
    )


@app.command()
def predict(
    run: RunFolder,
    data: Data,
    out: Annotated[Path, typer.Option(help="Where the predictions go.")] = Path("predictions.csv"),
    model: Model = None,
) -> None:
    """Write what the run's network says of other data."""
    from whet.predicting import predict as call

    call(run, data, out=out, model=model, show=True)


@app.command()
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


@app.command()
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


@app.command()
def export(
    run: RunFolder,
    format: Annotated[str, typer.Option(help="onnx")] = "onnx",
    out: Annotated[Path | None, typer.Option(help="The file; model.onnx in the run folder if not given.")] = None,
    model: Model = None,
) -> None:
    """Write the run's network for other programs, checked against torch."""
    from whet.exporting import export as call

    call(run, format=format, out=out, model=model, show=True)


@app.command()
def diagnose(
    what: Annotated[
        str, typer.Argument(metavar="RUN|FILE.py:FUNCTION", help="A run, or a function that returns a Setup.")
    ],
    seed: Annotated[int, typer.Option(help="Of the training that is watched.")] = 0,
) -> None:
    """Say what is wrong with a training, where, and how sure that is."""
    from whet.report.doctor import show_diagnosis, show_run
    from whet.setups.files import is_setup, load

    if not is_setup(what):
        show_run(Path(what))
        return
    from whet.doctor import diagnose as call

    show_diagnosis(call(load(what), seed))


@app.command()
def repair(
    what: Annotated[str, typer.Argument(metavar="FILE.py:FUNCTION", help="A function that returns a Setup.")],
    seed: Annotated[int, typer.Option(help="Of the first training.")] = 0,
    budget: Annotated[float, typer.Option(help="In trainings of the set-up as given, diagnosis included.")] = 3.0,
    out: Annotated[Path | None, typer.Option(help="A file for the repaired set-up as code.")] = None,
) -> None:
    """Mend a training with as few edits as will do, and prove that they help."""
    from whet import files
    from whet.repairing import repair as call
    from whet.report.doctor import show_repair
    from whet.setups.files import load

    repaired = call(load(what), seed, budget)
    show_repair(repaired)
    if out is not None and repaired.edits:
        files.write_text(out, repaired.as_code() + "\n")
        typer.echo(f"The repaired set-up as code is in {out}.")


@app.command()
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


@app.command("list")
def list_(
    shelf: Annotated[str, typer.Argument(metavar="[WHAT]", help="activations, families, optimizers, tasks, …")] = "",
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One of them: everything about it.")] = "",
    kind: Annotated[str | None, typer.Option(help="Activations: fixed, learned, dynamic, gated or output.")] = None,
    zero_centred: Annotated[bool, typer.Option("--zero-centred", help="… whose mean is 0.")] = False,
    bounded: Annotated[bool, typer.Option("--bounded", help="… whose values stay between two numbers.")] = False,
    monotone: Annotated[bool, typer.Option("--monotone", help="… that never turn back.")] = False,
    convex: Annotated[bool, typer.Option("--convex", help="… that bend upwards.")] = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="… without kinks, in the slope too.")] = False,
    odd: Annotated[bool, typer.Option("--odd", help="… with f(−x) = −f(x).")] = False,
    even: Annotated[bool, typer.Option("--even", help="… with f(−x) = f(x).")] = False,
    sparse: Annotated[bool, typer.Option("--sparse", help="… with exact zeros.")] = False,
    self_normalising: Annotated[bool, typer.Option("--self-normalising", help="… that keep N(0, 1).")] = False,
) -> None:
    """List the methods that a recipe can name, or show one; activations also by what is known of them."""
    from whet import shelf as shelves
    from whet.report import catalogue

    asked = dict(
        zip(
            shelves.TRAITS,
            (zero_centred, bounded, monotone, convex, smooth, odd, even, sparse, self_normalising),
            strict=True,
        )
    )
    traits = [trait for trait, wanted in asked.items() if wanted]
    if shelf in ("task", "tasks"):
        catalogue.show_tasks()
        return
    found = shelves.shelf(shelf)
    if name and found is not None:
        catalogue.show_entry(found[name])
    elif shelf.removesuffix("s") == "activation":
        catalogue.show_activations(shelves.activations(kind, traits))
    elif traits or kind:
        raise UserError(
            f"--{(traits or ['kind'])[0]} asks about activations.", "For example: whet list activations --odd"
        )
    else:
        catalogue.show_catalogue(shelf, found)


@app.command()
def theory(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FORMULA]…", help="Or none: the common ones.")
    ] = None,
    depth: Annotated[int, typer.Option(help="Layers of the plain network.", min=1)] = 50,
    width: Annotated[int, typer.Option(help="Units per layer.", min=1)] = 256,
    out: Annotated[Path | None, typer.Option(help="An .html or .txt file for the same.")] = None,
) -> None:
    """Say whether a plain network carries signal and gradient, before anything trains: gain, depth, what would change it."""
    from whet.report.theory_text import check_out, computed, show

    check_out(out)
    show(computed(names or (), depth, width), out=out)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"whet {installed('whet')}")
        raise typer.Exit


def given(**roles: Any) -> dict[str, Any]:
    """Only what was said."""
    return {name: value for name, value in roles.items() if value is not None}


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


def main(argv: list[str] | None = None) -> None:
    """Run a command and end with its exit code: 0 done, 2 wrong input, 130 interrupted, 1 our fault."""
    os.environ.update(openmp.waiting())  # read once, when torch is imported
    sys.exit(run(argv))


def run(argv: list[str] | None = None) -> int:
    try:
        result: Any = app(argv, standalone_mode=False)
    except UserError as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        return _say(INTERRUPTED, 130)
    except WhetError as error:
        return _say(str(error), 1)
    except MemoryError:
        return _say("There is not enough memory. Use a smaller batch, or close other programs.", 1)
    except BrokenPipeError:  # whoever read the output has gone: `whet list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error of the command line itself
            return _say(error.format_message(), 2)
        if type(error).__name__ != "Abort":
            raise
        result = 130
    if result == 130:  # the command line turns Ctrl-C into a code
        return _say(INTERRUPTED, 130)
    return result if isinstance(result, int) else 0


def _say(line: str, code: int) -> int:
    from rich.console import Console

    said = line if "^" in line else " ".join(line.split())  # a caret points at the line above it
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"whet: {said}", markup=False)
    return code


if __name__ == "__main__":
    main()
