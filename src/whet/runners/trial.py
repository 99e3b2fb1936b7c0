"""A trial: one recipe, one seed, one folder. It can be advanced, and goes on from its checkpoint after a crash."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from whet import files, record
from whet.build import build
from whet.data.prepared import Prepared
from whet.diagnosis.trials import TrialWatch
from whet.recipe import Edit, Recipe
from whet.record import Finding, Record
from whet.runners import rescue
from whet.runners.together import Lead, Leg
from whet.search.score import Score, clearly_better
from whet.tasks import Task, goal
from whet.train import checkpoint
from whet.train.evaluate import BATCH, outputs
from whet.train.horizon import Horizon
from whet.train.loop import CHOICE, VALIDATIONS, Training, advance, evaluation_weights
from whet.train.parts import Parts
from whet.train.plan import Plan, running
from whet.train.world import ALONE

FINDINGS, RECIPE = "findings.json", "recipe.toml"
KEPT = "The best weights before that were kept; lower the learning rate."


@dataclass
class Trial:
    """A live trial. `open_trial` makes it."""

    name: str
    recipe: Recipe
    training: Training
    plan: Plan
    folder: Path
    rebuild: Callable[[Recipe, Plan], tuple[Training, TrialWatch]]
    watch: TrialWatch
    reached: rescue.Reached
    together: Callable[[Trial, Horizon, float, Horizon | None], contextlib.AbstractContextManager[None]]
    """Within its block the other processes of the training's world do the same."""
    fate: str = ""
    """Why it failed; empty while it is sound."""

    def advance(self, horizon: Horizon, seconds: float = math.inf, pause: Horizon | None = None) -> Score:
        """Train towards the horizon, for about `seconds` more or until `pause`.

        A trial that diverges goes on more carefully, one that has no room with fewer rows at once (see rescue.py).
        """
        stop = self.training.seconds + seconds
        while (trouble := self._train(horizon, stop, pause)) is not None:
            if not rescue.mend(self, trouble):
                self.fate = trouble.cause
                break
        self._keep_findings()
        return self.score

    def _train(self, horizon: Horizon, stop: float, pause: Horizon | None) -> Finding | None:
        """What stopped it before its time, if something did."""
        self.training.horizon = horizon
        seconds = stop - self.training.seconds
        try:
            with running(self.plan), self.together(self, horizon, seconds, pause):
                advance(self.training, seconds, pause)
        except Exception as error:
            trouble = rescue.trouble_of(error, self)
            if trouble is None or not rescue.alone(self, error):
                raise
            return trouble
        return None

    @property
    def whole_seconds(self) -> float:
        """What all its steps take at its pace so far; of a recipe without an end, what it has taken."""
        training, steps = self.training, self.recipe.steps
        return training.seconds * steps / training.step if steps and training.step else training.seconds

    @property
    def retries(self) -> int:
        """How often it diverged and went on with a lower learning rate, in this process or before."""
        return rescue.retries(self.folder)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with it, and what was done about that on the way."""
        if not self.watch.steps and (self.folder / FINDINGS).exists():
            return findings_in(self.folder)  # just resumed: nothing new was seen
        failed = [Finding("diverged", self.fate, where=self.name, severity="error", advice=KEPT)] if self.fate else []
        found = (*failed, *self.watch.findings(self.training, self.record))
        told = (replace(f, where=f.where or self.name, remedies=rescue.choices(f, self.recipe)) for f in found)
        return (*rescue.told(self.name, self.folder), *told)

    def _keep_findings(self) -> None:
        files.write_json(self.folder / FINDINGS, [{**asdict(f), "evidence": dict(f.evidence)} for f in self.findings])

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

    def edit(self, edit: Edit) -> None:
        """Go on with a changed recipe, from the newest checkpoint that there is; a restart knows it too."""
        self.recipe = self.recipe.apply(edit)
        write_recipe(self.folder, self.recipe)
        self.reopen()

    def reopen(self) -> None:
        """Go back to the newest checkpoint, or to fresh weights where there is none."""
        self.training, self.watch = self.rebuild(self.recipe, self.plan)
        checkpoint.resume(self.training, self.folder)

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
    """(n,) what the goal counts as the loss of a row, of the newest measurement."""
    start: Score | None = None
    """Of a network that begins solved: what chooses, the lower the better, before any step."""

    def begin(self) -> None:
        """Measure what a network that begins solved says before any step."""
        if getattr(self.parts.model, "solves", False):
            with evaluation_weights(self.parts) as model:
                cost = self(model)[CHOICE]
            self.start = Score(cost, self.rows)

    def __call__(self, model: nn.Module) -> Mapping[str, float]:
        rows = self.data.rows["val"]
        said = outputs(model, self.parts.prepare, self.data.inputs, rows, self.parts.plan)
        truth = self.data.raw_target[rows.numpy()]
        asked, scale = goal(self.task.goal), self.data.scale
        predicted = asked.predictions(said, scale)
        self.rows = asked.row_losses(truth, predicted, scale)
        loss = asked.fit_loss(truth, predicted, scale) if asked.fit_loss else float(self.rows.mean())
        return {**self.task.validation(truth, predicted), "loss": loss, **self.choice(said, predicted)}

    def level(self, model: nn.Module, weights: Mapping[str, Tensor]) -> bool:
        """Whether the model is no worse on the same rows than the luck of the best of many looks, whose weights these are,
        would make it. Its rows are the newest measurement afterwards."""
        with holding(model, weights) as other:
            self(other)
        rivals = self.rows
        self(model)
        own = self.rows
        return not clearly_better(Score(float(rivals.mean()), rivals), Score(float(own.mean()), own), VALIDATIONS)

    def choice(self, said: Tensor, predicted: np.ndarray) -> dict[str, float]:
        """The number that chooses, where it isn't the metric."""
        by_loss = goal(self.task.goal).chosen_by_loss
        if by_loss is not None and by_loss(predicted):
            return {CHOICE: self.trained_loss(said)}
        if getattr(self.parts.model, "solves", False):
            return {CHOICE: self.beside_start(float(self.rows.mean()))}
        return {CHOICE: float(self.rows.mean())} if self.task.chosen_by_rows else {}

    def beside_start(self, cost: float) -> float:
        """No better than the solved start where it is not clearly better: few rows find chance gains among many looks."""
        start = self.start
        if start is None or cost == start.value or clearly_better(Score(cost, self.rows), start, VALIDATIONS):
            return cost
        return max(cost, math.nextafter(start.value, math.inf))

    def trained_loss(self, said: Tensor) -> float:
        """The loss that is trained, of what was said of the validation rows."""
        target, total = self.data.target[self.data.rows["val"]], 0.0
        for answers, truth in zip(said.split(BATCH), target.split(BATCH), strict=True):
            total += len(truth) * float(self.parts.loss(answers, truth))
        return total / len(target)


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
    lead: Lead | None = None,
) -> Trial:
    """A new trial, or the one in `folder` at its newest sound checkpoint; one is written `every` so many seconds."""
    saving = checkpoint.Checkpoints(folder) if every is None else checkpoint.Checkpoints(folder, every)
    if (folder / RECIPE).exists():
        recipe = recipe_in(folder)
    else:
        write_recipe(folder, recipe)
    plan, reached = rescue.fitting(plan, folder), rescue.Reached()
    lead = lead or Lead(ALONE)

    def rebuild(recipe: Recipe, plan: Plan) -> tuple[Training, TrialWatch]:
        head = Record(name, recipe.hash, task.name, seed, versions=record.versions())
        with running(plan):
            parts = build(recipe, task, data, seed, plan)
            validator = Validator(task, data, parts)
            validator.begin()
        watch = TrialWatch(recipe.batch_size)
        training = Training(
            parts,
            Horizon(),
            seed,
            validate=validator,
            metric=task.watched.name,
            higher_is_better=task.watched.direction == "max",
            listeners=[watch, reached, Recorder(folder / "record.jsonl", head), saving, *listeners],
            level=validator.level if task.domain == "image" else None,  # where it was measured (docs/log.md)
        )
        lead.join(training, data)
        return training, watch

    def together(
        trial: Trial, horizon: Horizon, seconds: float, pause: Horizon | None
    ) -> contextlib.AbstractContextManager[None]:
        return lead.leg(trial.training, Leg(trial.recipe, task, seed, trial.plan, horizon, seconds, pause))

    training, watch = rebuild(recipe, plan)
    checkpoint.resume(training, folder)
    return Trial(name, recipe, training, plan, folder, rebuild, watch, reached, together)


def findings_in(folder: Path) -> tuple[Finding, ...]:
    """What was found in the trial of this folder when it was advanced the last time."""
    path = folder / FINDINGS
    if not path.exists():
        return ()
    return tuple(Finding(**{**f, "remedies": tuple(f["remedies"])}) for f in json.loads(path.read_text()))


def recipe_in(folder: Path) -> Recipe:
    """The recipe of the trial in this folder, as it is now: a retry may have changed it."""
    return Recipe.from_toml((folder / RECIPE).read_text())


def write_recipe(folder: Path, recipe: Recipe) -> None:
    files.write_text(folder / RECIPE, recipe.to_toml())
