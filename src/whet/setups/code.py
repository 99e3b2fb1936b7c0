"""A repaired set-up as Python that can be pasted below the original one.

Functions that a remedy makes carry the code that makes them (`coded`), so that what is printed is what was trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from whet.setups.setup import Setup

F = TypeVar("F", bound=Callable[..., Any])


def coded(function: F, code: str) -> F:
    """The function, which knows the code that makes it."""
    function.whet_code = code  # type: ignore[attr-defined]
    return function


def said_of(function: Callable[..., Any], otherwise: str) -> str:
    """The code that makes a function; `otherwise` for one of the user's own."""
    return str(getattr(function, "whet_code", otherwise))


def code_of(setup: Setup) -> str:
    """Python that makes the repaired set-up from the one named `setup`."""
    if not setup.edits:
        return "# Nothing to change."
    lines = ["import dataclasses", "import torch, whet", "", *(f"# {e}" for e in setup.edits), ""]
    changes = []
    if setup.operations:
        lines += ["X = setup.parts[0].inputs[0]", "", "", "def make_model():", "    model = original.model()"]
        lines += [f"    {line}" for operation in setup.operations for line in operation.code()]
        lines += ["    return model", "", ""]
        changes.append("model=make_model")
    by_path: dict[str, Any] = {e.path: e.new for e in setup.edits}
    changes += [f"{path}={by_path[path]!r}" for path in ("epochs", "batch_size") if path in by_path]
    if "order" in by_path:
        changes.append("train=whet.remedies.data.in_any_order(original.train)")
    if "step" in by_path and setup.step is None:
        changes.append("step=None")
    own: dict[str, Any] = {"optimizer": setup.optimizer, "loss": setup.loss, "step": setup.step}
    changes += [f"{name}={function.whet_code}" for name, function in own.items() if hasattr(function, "whet_code")]
    return "\n".join(["original = setup", *lines, f"setup = dataclasses.replace(original, {', '.join(changes)})"])
