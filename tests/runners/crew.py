"""Started by torchrun, several times at once: one trial that all of them train, the first one conducting.

crew.py PREPARED FOLDER [RANK STEP]    the process of that rank is killed when it comes to that step
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "train"))

from jobs import STEPS, make
from setups import SMALL, TABLE, images, prepared_of

import whet
from whet.recipe import Choice
from whet.runners.together import follow, leading
from whet.runners.trial import open_trial
from whet.train import loop
from whet.train.horizon import Horizon
from whet.train.world import joined

RECIPE = SMALL.put("augment", ()).put("norm", Choice("batch")).put("regularise", (Choice("ema", decay=0.9),))
"""Nothing is drawn within a batch: any number of processes gives the same numbers."""


def die(rank: int, at: int) -> None:
    """Let the process of this rank be killed when it begins this step."""
    real = loop.train_step

    def step(training: loop.Training) -> None:
        if (training.world.rank, training.step) == (rank, at):
            os.kill(os.getpid(), signal.SIGKILL)
        real(training)

    loop.train_step = step


def train(folder: Path) -> None:
    world = joined()
    if world.rank:
        assert follow(world) == folder
        return
    with leading(world) as lead:
        lead.folder = folder
        job = make("one", folder / "prepared", folder, recipe=RECIPE)
        trial = open_trial(
            job.name, job.recipe, job.task, prepared_of(images()), 0, job.plan, job.folder, every=0.0, lead=lead
        )
        for part in (STEPS // 3, STEPS):  # in two legs
            trial.advance(Horizon(steps=STEPS), pause=Horizon(steps=part))
        assert not trial.fate


def fit(folder: Path) -> None:
    """Every process calls it, takes part, and has the same result."""
    steps: list[int] = []
    real = loop.train_step

    def step(training: loop.Training) -> None:
        real(training)
        steps.extend([training.step] if training.world.size > 1 else [])

    loop.train_step = step
    result = whet.fit("iris", recipe=TABLE, steps=6, out=folder / "run")
    assert steps == [1, 2, 3, 4, 5, 6], steps
    world = joined()
    assert world.first(result.value) == result.value


if __name__ == "__main__":
    where, *how = sys.argv[1:]
    if how == ["fit"]:
        fit(Path(where))
    else:
        if how:
            die(*map(int, how))
        train(Path(where))
