"""The best network so far, on disk at every moment: whoever stops now has something that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whet import files
from whet.data.prepared import Prepared
from whet.fields import field
from whet.network import Network
from whet.recipe import Recipe
from whet.run_folder import RunFolder
from whet.runners.trial import Trial, holding
from whet.tasks import Task
from whet.train.loop import Training
from whet.train.plan import Plan

REPORT_SECONDS = 0.3
"""What writing the result and the report takes: 0.1 s on one core, with a margin for slow disks."""
MARGIN = 1.1
"""The test may run a little slower than the newest validation did."""


class Delivery:
    """Writes the run folder's network whenever a validation is the best of all trials so far."""

    def __init__(self, folder: RunFolder, task: Task, data: Prepared, plan: Plan, inputs: Mapping[str, Any]) -> None:
        self.folder, self.task, self.data, self.plan, self.inputs = folder, task, data, plan, inputs
        self.best: float | None = None
        self.seconds_per_row = 0.0
        self.views = 2
        """How often the test part is seen: twice where mirror images count too."""

    def network(self, training: Training, recipe: Recipe) -> Network:
        """The training's model, as something that predicts."""
        model, data = training.parts.model, self.data
        seen = field(self.task.domain).seen_by(recipe, data.transform)
        return Network(model, recipe, self.task, seen, data.scale, self.plan, self.inputs)

    def listener(self, recipe: Recipe) -> Listener:
        """What a trial of this recipe is to be listened to with."""
        return Listener(self, recipe)

    def offer(self, training: Training, recipe: Recipe) -> None:
        """Deliver the training's best weights if they are better than what was delivered before."""
        self.seconds_per_row = training.validation_seconds / max(1, len(self.data.rows["val"]))
        self.views = 1 + len(field(self.task.domain).views(recipe))
        best = training.best
        if best is None or training.best_weights is None:
            return
        if self.best is None or self.task.watched.better(best.score, self.best):
            self.best = best.score
            self.write(training, recipe)

    def write(self, training: Training, recipe: Recipe) -> None:
        """Deliver this training's best weights, whatever was delivered before."""
        network, own = self.network(training, recipe), field(self.task.domain)
        if own.calibrates and training.best_weights is not None:
            with holding(network.model, training.best_weights):
                network.inputs = {**self.inputs, **own.calibration(network, self.data)}
        network.save(self.folder.path, training.best_weights)
        files.write_text(self.folder.recipe, recipe.to_toml())

    def finish(self, trial: Trial) -> None:
        """Deliver the winner."""
        if trial.training.best_weights is not None:
            self.write(trial.training, trial.recipe)

    def seconds_to_finish(self, test_rows: int) -> float:
        """How long the test and the report will take."""
        return REPORT_SECONDS + MARGIN * self.views * test_rows * self.seconds_per_row


class Listener:
    def __init__(self, delivery: Delivery, recipe: Recipe) -> None:
        self.delivery, self.recipe = delivery, recipe

    def on_validate(self, training: Training) -> None:
        self.delivery.offer(training, self.recipe)
