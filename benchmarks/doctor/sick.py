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
DEEP_TARGET = 0.8
"""Accuracy: the sound ones have 0.84."""


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


def programs() -> list[dict[str, Any]]:
    """The programs that people posted, as cases; without the one whose pictures are not there."""
    where = folder()
    given = json.loads((where / "real_programs.json").read_text())["cases"] if where else []
    return [
        case_of(
            c["id"],
            c["buggy"],
            c["kind"],
            {code for said in c["ground_truth"].values() for code in said},
            c["repair_target"],
        )
        for c in given
        if c["buggy"]["dataset"]["name"] != "mnist10k"
    ]


def deep() -> list[dict[str, Any]]:
    """The deep networks of few units, as cases; sound is what the others reach, less 4 points."""
    where = folder()
    given = json.loads((where / "blob_networks.json").read_text())["cases"] if where else []
    return [
        case_of(
            c["id"],
            {"dataset": {"name": c["dataset"]}, "layers": c["layers"], **c["recipe"]},
            "fault" if "problem" in c["published_status"] else "healthy",
            {"ACH", "WCI"},
            DEEP_TARGET,
        )
        for c in given
    ]


def case_of(name: str, case: dict[str, Any], kind: str, codes: set[str], target: float) -> dict[str, Any]:
    """In the form of `cases`."""
    answer = {
        "kind": kind,
        "operators": ["posted" if kind == "fault" and name.startswith("SO") else "deep"],
        "cause_codes": sorted(codes),
        "repair_target": target,
        "repairable_without_touching_the_data": True,
        "healthy_base_val": target,
        "measured_val_3seeds": [],
    }
    return {"id": name, "case": case, "answer": answer}


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
