"""The cases of shared/sick as whet set-ups: what the judge's cases look like to `whet.diagnose` and `whet.repair`."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import torch

from whet.setups import Setup

HERE = Path(__file__).resolve()


def folder() -> Path | None:
    """Where the cases lie; None where they are absent."""
    return next((p / "shared" / "sick" for p in HERE.parents if (p / "shared" / "sick").is_dir()), None)


def runner() -> Any:
    """The cases' own executor."""
    where = folder()
    assert where is not None
    sys.path.insert(0, str(where))
    import runner as found  # type: ignore[import-not-found]

    return found


def cases() -> list[dict[str, Any]]:
    where = folder()
    return json.loads((where / "cases.json").read_text())["cases"] if where else []


def loss_of(case: dict[str, Any], z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return runner().loss_metric(case, z, y)[0]


def setup_of(case: dict[str, Any]) -> Setup:
    """A case as a set-up: penalties and forgotten clearing are in its own training step."""
    run = runner()
    X, Xv, y, yv = run.load(case["dataset"])

    def step(model: Any, batch: Any, loss: Any, optimizer: Any) -> torch.Tensor:
        x, target = batch
        if not case.get("no_zero_grad"):
            optimizer.zero_grad(set_to_none=True)
        value = loss(model(x), target)
        penalty = sum(p.abs().sum() for p in model.parameters()) if case.get("l1") else 0
        (value + case.get("l1", 0) * penalty).backward()
        optimizer.step()
        return value

    regression = case["dataset"].get("task") == "regression"
    return Setup(
        model=lambda: run.Net(case["layers"], X.shape[1:]),
        loss=functools.partial(loss_of, case),
        optimizer=lambda parameters: run.make_opt(case["optimizer"], parameters),
        train=(X, y),
        val=(Xv, yv),
        batch_size=case["batch"],
        epochs=case["epochs"],
        metric="r2" if regression else "accuracy",
        step=step if case.get("l1") or case.get("no_zero_grad") else None,
    )
