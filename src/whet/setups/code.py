"""A repaired set-up as Python that can be pasted below the original one."""

from __future__ import annotations

from typing import Any

from whet.setups.setup import Setup


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
    for path in ("epochs", "batch_size"):
        if path in by_path:
            changes.append(f"{path}={by_path[path]!r}")
    if "step" in by_path:
        changes.append("step=None")
    if "optimizer" in by_path:
        changes.append("optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3)")
    for path in ("lr", "weight_decay", "momentum"):
        if path in by_path:
            changes.append(f"optimizer=whet.remedies.need.tuned(original.optimizer, {path}={by_path[path]!r})")
    if "loss" in by_path:
        changes.append(f"loss=whet.remedies.output.{getattr(setup.loss, '__name__', 'cross_entropy')}")
    return "\n".join(["original = setup", *lines, f"setup = dataclasses.replace(original, {', '.join(changes)})"])
