"""The command line: the commands, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from whet import openmp
from whet.commands import doctor, methods, training, using
from whet.errors import UserError, WhetError

INTERRUPTED = "Interrupted. The same command goes on where this stopped."

app = typer.Typer(
    name="whet",
    help="whet sharpens neural networks: it finds what trains best on your data in the time given.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    training.fit,
    training.compare,
    using.predict,
    using.generate,
    using.profile,
    using.export,
    doctor.diagnose,
    doctor.repair,
    using.report,
):
    app.command()(command)
app.command("list")(methods.list_)
app.command()(methods.theory)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"whet {installed('whet')}")
        raise typer.Exit


def main(argv: list[str] | None = None) -> None:
    """Run a command and end with its exit code: 0 done, 2 wrong input, 130 interrupted, 1 our fault."""
    os.environ.update(openmp.waiting())  # read once, when torch is imported
    warnings.showwarning = tell_warning
    sys.exit(run(argv))


_heard: set[str] = set()
_as_usual = warnings.showwarning
HOME = str(Path(__file__).parent)


def tell_warning(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """A warning of ours as a line of the screen, once; those of other packages as usual."""
    if not filename.startswith(HOME):
        _as_usual(message, category, filename, lineno, file, line)
    elif str(message) not in _heard:
        _heard.add(str(message))
        print(f"! {message}", file=sys.stderr)


def run(argv: list[str] | None = None) -> int:
    try:
        result: Any = app(argv, standalone_mode=False, prog_name="whet")
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
            return _usage(error)
        if type(error).__name__ != "Abort":
            raise
        result = 130
    if result == 130:  # the command line turns Ctrl-C into a code
        return _say(INTERRUPTED, 130)
    return result if isinstance(result, int) else 0


def _usage(error: Any) -> int:
    """What is wrong with the words of a command, and where to read about it; nothing behind a help page that was shown."""
    said, context = error.format_message(), getattr(error, "ctx", None)
    where = f" See {context.command_path} --help." if context else ""
    return _say(said.rstrip(".") + "." + where, 2) if said else 2


def _say(line: str, code: int) -> int:
    from rich.console import Console

    said = line if "^" in line else " ".join(line.split())  # a caret points at the line above it
    Console(stderr=True, soft_wrap=True, highlight=False, emoji=False).print(f"whet: {said}", markup=False)
    return code


if __name__ == "__main__":
    main()
