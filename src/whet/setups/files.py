"""A set-up from "FILE.py:function": the user named the file, so its code may run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from whet.errors import UserError
from whet.setups.setup import Setup


def is_setup(what: str) -> bool:
    """Whether a name means a function in a file, and not a folder."""
    return what.rpartition(":")[0].endswith(".py")


def load(what: str) -> Setup:
    """What the function returns. Raises UserError, in one line, where it is no set-up."""
    if not is_setup(what):
        raise UserError(
            f"{what!r} names no function in a file.", "Give FILE.py:function, where the function returns a whet.Setup."
        )
    file, _, name = what.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise UserError(f"There is no file {file!r}.", "Check the path.")
    made = getattr(_module(path), name, None)
    if not callable(made):
        raise UserError(f"{path} has no function {name!r}.", "Name one that returns a whet.Setup.")
    setup = _called(made, what)
    if not isinstance(setup, Setup):
        raise UserError(f"{what} returned {type(setup).__name__}, not a whet.Setup.", "Return whet.Setup(...).")
    return setup


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"whet_setup_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path} can't be run: {type(error).__name__}: {error}.") from error
    return module


def _called(made: Any, what: str) -> Any:
    try:
        return made()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{what} fails: {type(error).__name__}: {error}.") from error
