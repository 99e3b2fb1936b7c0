"""A trial: one recipe, one seed, one folder. It can be advanced, and goes on from its checkpoint after a crash."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from whet import files, record
from whet.build import build
from whet.data.prepared import Prepared
from whet.errors import Diverged
from whet.recipe import Recipe, show
from whet.record import Record
from whet.search.race import Score
from whet.tasks import Task, goal
from whet.train import checkpoint
from whet.train.evaluate import outputs
from whet.train.horizon import Horizon
from whet.train.loop import Training, advance, evaluation_weights
from whet.train.parts import Parts
from whet.train.plan import Plan, running

LOWER = 0.3
"""A trial that diverged starts again with this share of its learning rate."""
RETRIES = 2


@dataclass
class Trial:
    """A live trial. `open_trial` makes it."""

    name: str
    recipe: Recipe
    training: Training
    plan: Plan
    folder: Path
    rebuild: Callable[[Recipe], Training]
    fate: str = ""
    """Why it failed; empty while it is sound."""

    def advance(self, horizon: Horizon, seconds: float = math.inf, pause: Horizon | None = None) -> Score:
        """Train towards the horizon, for about `seconds` more or until `pause`.

        A trial that diverges is retried more carefully.
        """
        stop = self.training.seconds + seconds
        while True:
            self.training.horizon = horizon
            try:
                with running(self.plan):
                    advance(self.training, stop - self.training.seconds, pause)
                break
            except Diverged as error:
                self.fate = str(error)
                if not self._retry():
                    break
        return self.score

    @property
    def retries(self) -> int:
        """How often it was begun again with a lower learning rate, in this process or before."""
        return sum(1 for _ in record.lines(self.folder / "retries.jsonl"))

    @property
    def score(self) -> Score:
        """The newest validation's score, with the loss of each row; NaN after divergence."""
        if self.fate or not self.training.metrics:
            return Score(math.nan)
        validator = self.training.validate
        assert isinstance(validator, Validator)
        if not len(validator.rows):  # just resumed: the rows' losses are not in the checkpoint
            with running(self.plan), evaluation_weights(self.training.parts) as model:
                validator(model)
        value = self.training.metrics[f"val/{self.training.metric}"]
        return Score(value, validator.rows)

    @property
    def best_score(self) -> Score:
        """The score of the best weights, which are the ones that would be delivered, with the loss of each row."""
        training = self.training
        validator = training.validate
        if training.best is None or training.best_weights is None:
            return Score(math.nan)
        assert isinstance(validator, Validator)
        with running(self.plan), holding(training.parts.model, training.best_weights) as model:
            validator(model)
        return Score(training.best.score, validator.rows)

    def end_by_the_clock(self) -> None:
        """From now on the time alone says when the training ends, and no number of steps; a restart knows it too."""
        self.recipe = self.recipe.put("steps", 0)
        write_recipe(self.folder, self.recipe)

    def forget(self) -> None:
        """Give up what is needed to go on; the record stays."""
        for path in (*checkpoint.checkpoints(self.folder), self.folder / checkpoint.BEST):
            path.unlink(missing_ok=True)

    def _retry(self) -> bool:
        """Start again from fresh weights with a lower learning rate: those at hand may be spoilt already.

        False where the recipe names no learning rate that could be lowered.
        """
        lr = self.recipe["optimizer.lr"]
        if lr is None or self.retries >= RETRIES:
            return False
        spent = self.training.seconds
        self.recipe = self.recipe.put("optimizer.lr", lr * LOWER)
        files.append_line(
            self.folder / "retries.jsonl",
            {"why": self.fate, "edit": f"optimizer.lr: {show(lr)} -> {show(lr * LOWER)}", "seconds": spent},
        )
        self.forget()
        write_recipe(self.folder, self.recipe)
        self.training, self.fate = self.rebuild(self.recipe), ""
        self.training.seconds = spent
        return True

    @property
    def record(self) -> Record:
        return record.read(self.folder / "record.jsonl")


@dataclass
class Validator:
    """Measures a model on the validation rows; keeps the rows' losses for paired comparison."""

    task: Task
    data: Prepared
    parts: Parts
    rows: np.ndarray = field(default_factory=lambda: np.empty(0))
    """(n,) wrong or not, or the squared error in units of the target's variance, of the newest measurement."""

    def __call__(self, model: nn.Module) -> Mapping[str, float]:
        rows = self.data.rows["val"]
        said = outputs(model, self.parts.prepare, self.data.inputs, rows, self.parts.plan)
        truth = self.data.raw_target[rows.numpy()]
        asked, scale = goal(self.task.goal), self.data.scale
        predicted = asked.predictions(said, scale)
        self.rows = asked.row_losses(truth, predicted, scale)
        loss = asked.fit_loss(truth, predicted, scale) if asked.fit_loss else float(self.rows.mean())
        return {**self.task.validation(truth, predicted), "loss": loss}


@contextlib.contextmanager
def holding(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[nn.Module]:
    """The model with other weights inside, in evaluation mode; its own come back to the bit."""
    own = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    was_training = model.training
    model.load_state_dict(weights)
    model.eval()
    try:
        yield model
    finally:
        model.load_state_dict(own)
        model.train(was_training)


class Recorder:
    """Listens to a training and appends each validation to the trial's record."""

    def __init__(self, path: Path, head: Record) -> None:
        self.path = path
        if not path.exists():
            files.append_line(path, record.head_line(head))

    def on_validate(self, training: Training) -> None:
        files.append_line(self.path, record.step_line(training.as_step()), sync=False)


def open_trial(
    name: str,
    recipe: Recipe,
    task: Task,
    data: Prepared,
    seed: int,
    plan: Plan,
    folder: Path,
    listeners: Sequence[object] = (),
    every: float | None = None,
) -> Trial:
    """A new trial, or the one in `folder` at its newest sound checkpoint; one is written `every` so many seconds."""
    saving = checkpoint.Checkpoints(folder) if every is None else checkpoint.Checkpoints(folder, every)
    kept = folder / "recipe.toml"
    if kept.exists():  # a retry may have changed it
        recipe = Recipe.from_toml(kept.read_text())
    else:
        write_recipe(folder, recipe)

    def rebuild(recipe: Recipe) -> Training:
        head = Record(name, recipe.hash, task.name, seed, versions=record.versions())
        with running(plan):
            parts = build(recipe, task, data, seed, plan)
        return Training(
            parts,
            Horizon(),
            seed,
            validate=Validator(task, data, parts),
            metric=task.watched.name,
            higher_is_better=task.watched.direction == "max",
            listeners=[Recorder(folder / "record.jsonl", head), saving, *listeners],
        )

    training = rebuild(recipe)
    checkpoint.resume(training, folder)
    return Trial(name, recipe, training, plan, folder, rebuild)


def write_recipe(folder: Path, recipe: Recipe) -> None:
    files.write_text(folder / "recipe.toml", recipe.to_toml())
