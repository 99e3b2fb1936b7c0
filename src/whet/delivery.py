"""The best network so far, on disk at every moment: whoever stops now has something that works."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from whet import files
from whet.data.prepared import Prepared
from whet.families.ensemble import members_of
from whet.fields import field
from whet.model import make_model, make_spec
from whet.network import LOOKS, Network
from whet.recipe import Recipe
from whet.run_folder import RunFolder
from whet.runners.trial import Trial, holding, recipe_in
from whet.tasks import Task
from whet.train.loop import Best, Training
from whet.train.plan import Plan

REPORT_SECONDS = 0.3
"""What metrics, pictures and the report take of a processor that nobody else uses: 0.1 to 0.4 s, of every field."""
LOOKING = 0.04
"""Share of the budget that the test may take for all views of an input; where it would take more, one view is enough.

Pictures moved by a pixel, beside mirror images, added 0.2 points to the validation accuracy in the mean of 35 trainings
(docs/log.md has them as "shifts"); they triple the time of the test.
"""
MARGIN = 1.1
"""The test may run a little slower than the newest validation did."""
AGAIN = 1.2
"""Times as long as it took, that is kept for a training on all rows: the search before it may end later than it meant to."""


class Delivery:
    """Writes the run folder's network whenever a validation is the best of all trials so far."""

    def __init__(self, folder: RunFolder, task: Task, data: Prepared, plan: Plan, inputs: Mapping[str, Any]) -> None:
        self.folder, self.task, self.data, self.plan, self.inputs = folder, task, data, plan, inputs
        self.best: tuple[float, float] | None = None
        self.seconds_per_row = 0.0
        self.test_rows = 0
        self.patience = math.inf
        """Seconds that the test may take for all views."""
        self.looks = LOOKS
        """Views of an input that answers are averaged over, besides itself."""
        self.voices = 1
        """Networks that an ensemble may have."""
        self.asked, self.closing = 0, 0.0
        """Rows, and seconds of one processor, that the field's own end takes: see `Field.to_close`."""
        self.slowed = 1.0
        """Times as long as alone that work takes here: others use the processor too."""
        self.kept = 0.0
        """Seconds that are kept to train the newest winner on all rows, where that is done: see `whet.refit`."""
        self.refits = True
        """Whether that may be done: not with a recipe or a number of steps that was given."""

    def network(self, training: Training, recipe: Recipe) -> Network:
        """The training's model, as something that predicts."""
        model, data = training.parts.model, self.data
        seen = field(self.task.domain).seen_by(recipe, data.transform)
        return Network(model, recipe, self.task, seen, data.scale, self.plan, self.inputs, self.looks)

    def listener(self, name: str) -> Listener:
        """What a trial of this name is to be listened to with."""
        return Listener(self, self.folder.trial(name))

    def offer(self, training: Training, recipe: Callable[[], Recipe]) -> None:
        """Deliver the training's best weights if they are better than what was delivered before."""
        self.seconds_per_row = training.validation_seconds / max(1, len(self.data.rows["val"]))
        best = training.best
        if best is None or training.best_weights is None:
            return
        cost = training.cost(best.metrics)
        if self.best is None or cost < self.best:
            self.best = cost
            self.write(training, recipe())

    def write(self, training: Training, recipe: Recipe) -> None:
        """Deliver this training's best weights, whatever was delivered before."""
        self.looks = self.affordable_looks(recipe)
        self.put(self.network(training, recipe), training.best_weights)
        files.write_text(self.folder.recipe, recipe.to_toml())

    def pooled(self, recipe: Recipe, weights: Mapping[str, Tensor]) -> None:
        """Deliver an ensemble."""
        seen = field(self.task.domain).seen_by(members_of(recipe)[0], self.data.transform)
        model = make_model(recipe, make_spec(recipe, self.task, seen), seed=0)
        self.put(Network(model, recipe, self.task, seen, self.data.scale, self.plan, self.inputs, self.looks), weights)

    def put(self, network: Network, weights: Mapping[str, Tensor] | None) -> None:
        """Write a network with these weights in it, and what validation rows tell about later answers."""
        own = field(self.task.domain)
        if own.calibrates and weights is not None:
            with holding(network.model, weights):
                network.inputs = {**self.inputs, **own.calibration(network, self.data)}
        network.save(self.folder.path, weights)

    def finish(self, trial: Trial) -> None:
        """Deliver the winner."""
        if trial.training.best_weights is not None:
            self.write(trial.training, trial.recipe)
        self.kept = self.refit_seconds(trial.training.best, trial.recipe, trial.training.seconds)

    def refit_seconds(self, best: Best | None, recipe: Recipe, seconds: float) -> float:
        """How long a training on all rows takes where the field gains by it; 0 where it doesn't."""
        more_rows = len(self.data.rows["val"]) / len(self.data.rows["train"])
        if best is None or not recipe.steps or not self.refits:
            return 0.0
        gains = field(self.task.domain).gains_by_refit(more_rows, best.step / recipe.steps)
        return AGAIN * seconds * (1 + more_rows) if gains else 0.0

    def affordable_looks(self, recipe: Recipe) -> int:
        """All views of the field where the test is a small part of the budget with them, else one."""
        views = len(field(self.task.domain).views(recipe))
        return views if self.test_seconds(views) <= self.patience else min(LOOKS, views)

    def test_seconds(self, looks: int) -> float:
        """How long the test takes with so many views."""
        return MARGIN * (1 + looks) * self.test_rows * self.voices * self.seconds_per_row

    def seconds_to_finish(self) -> float:
        """How long training again, the test and the report will take."""
        pooled = len(self.data.rows["val"]) * self.voices if self.voices > 1 else 0  # what is looked at to choose them
        besides = MARGIN * (pooled + self.asked) * self.seconds_per_row
        return self.kept + self.slowed * (REPORT_SECONDS + self.closing) + self.test_seconds(self.looks) + besides


class Listener:
    """Offers what a training has reached, with the recipe that its trial has by then: a retry may have changed it."""

    def __init__(self, delivery: Delivery, trial: Path) -> None:
        self.delivery, self.trial = delivery, trial

    def on_validate(self, training: Training) -> None:
        self.delivery.offer(training, lambda: recipe_in(self.trial))
