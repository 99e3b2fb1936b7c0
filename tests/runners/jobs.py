"""Jobs of a few steps, and what a trial's folder says afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from setups import SMALL, images, task_of
from torch import Tensor

from whet.recipe import Choice
from whet.runners.job import Job
from whet.train import checkpoint
from whet.train.horizon import Horizon
from whet.train.plan import Plan

STEPS = 48
RECIPE = SMALL.put("regularise", (Choice("ema", decay=0.9),)).put("family.dropout", 0.2)


MakeJob = Callable[..., Job]


def make(name: str, prepared: Path, folder: Path, **changes: Any) -> Job:
    """A job that trains the whole recipe, with a checkpoint after each step."""
    return Job(
        **{
            "name": name,
            "recipe": RECIPE,
            "task": task_of(images()),
            "prepared": prepared,
            "folder": folder / name,
            "seed": 0,
            "plan": Plan(),
            "horizon": Horizon(steps=STEPS),
            "every": 0.0,
            **changes,
        }
    )


def state(folder: Path) -> dict[str, Tensor]:
    """All tensors of the trial's newest checkpoint."""
    return load_file(checkpoint.checkpoints(folder)[0])
